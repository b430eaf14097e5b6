"""The one way kernels are compiled: lazily, cached on disk, without holding the interpreter's lock."""

from numba import njit

kernel = njit(nogil=True, cache=True)
