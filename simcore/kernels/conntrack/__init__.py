"""Kernels that track packets as a kernel's conntrack does."""
