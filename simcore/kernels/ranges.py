"""Kernels that find ranges, and what stands in them."""

from .jit import kernel


@kernel
def find_ranges(starts, addresses, out):
    """Name the range that holds each address.

    Parameters
    ----------
    starts : uint64[ranges, 2]
        Halves of the first address of each range, ascending; the first is 0.
    addresses : uint64[n, 2]
        Halves of addresses.
    out : int64[n]
        Written.
    """
    for i in range(addresses.shape[0]):
        high, low = addresses[i, 0], addresses[i, 1]
        first, last = 0, starts.shape[0]
        while last - first > 1:
            middle = (first + last) // 2
            if starts[middle, 0] < high or (starts[middle, 0] == high and starts[middle, 1] <= low):
                first = middle
            else:
                last = middle
        out[i] = first


@kernel
def paint(firsts, lasts, values, out):
    """Give stretches their values, later ones over earlier ones.

    Parameters
    ----------
    firsts, lasts : int64[n]
        First range of each stretch, and one past its last.
    values : int32[n]
        What to write.
    out : int32[ranges]
        Changed.
    """
    for i in range(values.size):
        out[firsts[i] : lasts[i]] = values[i]
