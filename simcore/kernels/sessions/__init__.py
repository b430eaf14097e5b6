"""Kernels that follow the connections of flow records."""
