"""Random words whose XOR names a set: equal sets have equal names, others differ but for a chance of 2^-128."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def words(count: int, seed: int) -> NDArray[np.uint64]:
    """Return ``uint64[count, 2]``, the same for the same seed, on every machine."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.integers(0, 2**64, size=(count, 2), dtype=np.uint64)
