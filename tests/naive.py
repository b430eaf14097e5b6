"""Twins of the kernels: slow on purpose, and obviously right."""

from bisect import bisect_right


def find_addresses(starts, values, addresses):
    """The value of the range that holds each address."""
    return [int(values[bisect_right(starts, address) - 1]) for address in addresses]


def number_signatures(signatures):
    """The number of each signature, in order of first appearance."""
    known = {}
    return [known.setdefault(tuple(signature), len(known)) for signature in signatures]


def group(records):
    """Records ``(key, flows, packets, bytes, first, last, sequence)`` merged by key.

    The result maps each key to ``(flows, packets, bytes, first, last, sequence of the earliest)``.
    """
    merged = {}
    for key in {record[0] for record in records}:
        alike = [record for record in records if record[0] == key]
        sums = [sum(record[column] for record in alike) for column in (1, 2, 3)]
        first, sequence = min((record[4], record[6]) for record in alike)
        merged[key] = (*sums, first, max(record[5] for record in alike), sequence)
    return merged
