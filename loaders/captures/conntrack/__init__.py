"""What the tool ``conntrack``, and the kernel itself, print of tracked connections."""
