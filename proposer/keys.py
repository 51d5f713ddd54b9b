"""Decides when two points are the same: keys of points, and sets of keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats

Keys = NDArray[np.uint64]


def row_keys(params: Floats) -> Keys:
    """Keys of points, shape (n,), equal when all their values agree to 12 significant digits.

    `params`: shape (n, d), finite. Powers of ten are found by comparisons with a table, not with a logarithm, so that
    the keys are the same on every machine. Two of 10^6 different points share a key with a probability of 3e-8.
    """
    size = np.abs(params)
    size[size == 0] = 1.0
    power = np.searchsorted(_POWERS, size, side="right") - 1  # _POWERS[power] <= size
    digits = np.rint(size / _POWERS[power] * 1e11).astype(np.int64)
    carried = digits == 10**12
    digits[carried] = 10**11
    rounded = np.sign(params).astype(np.int64) * ((digits << 10) | (power + carried))
    # Python's hash of a tuple of integers is an xxHash of 64 bits, the same in each process; blake2b takes four times
    # as long
    return np.array([hash(row) for row in zip(*rounded.T.tolist(), strict=True)], dtype=np.int64).view(np.uint64)


_POWERS = np.array([float(f"1e{power}") for power in range(-323, 309)])


class KeySet:
    """A set of keys that takes 8 bytes per key: a sorted array, and a small set of the newest keys.

    A Python set takes 100 bytes per key; an index of SQLite is as small, but takes up to 25 us per key.
    """

    def __init__(self) -> None:
        self._sorted: Keys = np.empty(0, dtype=np.uint64)
        self._newest: set[int] = set()

    def add(self, keys: Keys) -> None:
        """Adds keys, shape (n,)."""
        self._newest.update(keys.tolist())
        if len(self._newest) > max(10_000, len(self._sorted) // 20):
            newest = np.fromiter(self._newest, dtype=np.uint64, count=len(self._newest))
            self._sorted = np.sort(np.concatenate([self._sorted, newest]))
            self._newest.clear()

    def first_of_each(self, keys: Keys) -> NDArray[np.bool_]:
        """A mask of shape (n,): true for the first occurrence of each key that is not in the set."""
        first = np.zeros(len(keys), dtype=np.bool_)
        here: set[int] = set()
        for row, key in enumerate(keys.tolist()):
            if key not in here and key not in self._newest:
                here.add(key)
                first[row] = True
        if len(self._sorted):
            position = np.searchsorted(self._sorted, keys).clip(max=len(self._sorted) - 1)
            first &= self._sorted[position] != keys
        return first
