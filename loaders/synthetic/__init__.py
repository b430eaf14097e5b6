"""Made-up clusters, policies and captures, the same for the same seed."""
