"""Kernels that count conntrack entries node by node."""
