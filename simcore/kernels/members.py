"""Kernels that tell which identities sets hold; `Sets` of `simcore.tables.members` says how those are given."""

import numpy as np

from .jit import kernel


@kernel
def distinct(pods, first_of_pod, of_end, number, seen):
    """List the identities of the ends of some pods, each once.

    Parameters
    ----------
    pods : int32[n]
    first_of_pod : int64[pods + 1]
        Where the ends of each pod begin in `of_end`.
    of_end : int32[ends]
        Identity of each end.
    number : int
        A number that `seen` does not hold.
    seen : int32[identities]
        Changed.

    Returns
    -------
    int32[...]
    """
    size = 0
    for pod in pods:
        size += first_of_pod[pod + 1] - first_of_pod[pod]
    out = np.empty(min(size, seen.size), np.int32)
    found = 0
    for pod in pods:
        for end in range(first_of_pod[pod], first_of_pod[pod + 1]):
            identity = of_end[end]
            if seen[identity] != number:
                seen[identity] = number
                out[found] = identity
                found += 1
    return out[:found].copy()


@kernel
def toggle_sets(starts, stretches, maybes, pool, words, seen, signatures):
    """XOR into the signature of each identity a word for each set that holds it, another for each that may hold it.

    Parameters
    ----------
    starts, stretches, maybes, pool
        Sets.
    words : uint64[2 * sets, 2]
        The words of set s are at ``2 * s`` and, for those that it may hold, ``2 * s + 1``.
    seen : int32[identities]
        Changed; -1 throughout at first.
    signatures : uint64[identities, 2]
        Changed.
    """
    for number in range(maybes.shape[0]):
        for k in range(starts[number], starts[number + 1]):
            for place in range(stretches[k, 0], stretches[k, 1]):
                identity = pool[place]
                if seen[identity] != number:
                    seen[identity] = number
                    signatures[identity, 0] ^= words[2 * number, 0]
                    signatures[identity, 1] ^= words[2 * number, 1]
        for place in range(maybes[number, 0], maybes[number, 1]):
            identity = pool[place]
            if seen[identity] != number:
                seen[identity] = number
                signatures[identity, 0] ^= words[2 * number + 1, 0]
                signatures[identity, 1] ^= words[2 * number + 1, 1]


@kernel
def list_parts(starts, stretches, maybes, pool, part_of, seen, bounds, ends_sure, out):
    """List the parts of sets, each once.

    Parameters
    ----------
    starts, stretches, maybes, pool
        Sets.
    part_of : int32[identities]
        Part of each.
    seen : int32[parts]
        Changed; -1 throughout at first.
    bounds, ends_sure : int64[sets + 1], int64[sets]
        Written: set s holds those from ``bounds[s]`` up to ``bounds[s + 1]`` of `out`, up to ``ends_sure[s]`` for sure.
    out : int32[...]
        Written as far as it reaches.
    """
    found = 0
    for number in range(maybes.shape[0]):
        bounds[number] = found
        for k in range(starts[number], starts[number + 1]):
            for place in range(stretches[k, 0], stretches[k, 1]):
                part = part_of[pool[place]]
                if seen[part] != number:
                    seen[part] = number
                    if found < out.size:
                        out[found] = part
                    found += 1
        ends_sure[number] = found
        for place in range(maybes[number, 0], maybes[number, 1]):
            part = part_of[pool[place]]
            if seen[part] != number:
                seen[part] = number
                if found < out.size:
                    out[found] = part
                found += 1
    bounds[maybes.shape[0]] = found
