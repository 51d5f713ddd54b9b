"""Rows of the dataset as Python values: what goes in, what comes out, and when two points are the same."""

from __future__ import annotations

import json
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from proposer.strategies.base import Floats, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Outcome(NamedTuple):
    """What came of one point.

    `nll` and `losses` only for OK; `observables` and `losses` in the evaluator's order,
    NaN where missing, empty where there are none; `seconds` of each code that ran;
    `missing` are positions in `observables`.
    """

    id: int
    status: Status
    nll: float | None = None
    observables: Sequence[float] = ()
    losses: Sequence[float] = ()
    seconds: Sequence[float] = ()
    failed_code: str = ""
    message: str = ""
    warnings: Sequence[str] = ()
    missing: Sequence[int] = ()


class Added(NamedTuple):
    """What `add_batch` stored: the batch's number, the ids of the points kept, which ones those are (a mask)."""

    batch: int
    ids: NDArray[np.int64]
    kept: NDArray[np.bool_]

    @property
    def dropped(self) -> int:
        """How many points were left out: asked before, or twice in the batch."""
        return len(self.kept) - len(self.ids)


class Pending(NamedTuple):
    """Points without an answer, by id: `params` of shape (n, d), and how often each was killed from outside."""

    ids: NDArray[np.int64]
    params: Floats
    attempts: NDArray[np.int64]


class Results(NamedTuple):
    """Answered points by id. Shapes: (n,), but u and params (n, d), observables and losses (n, m)."""

    ids: NDArray[np.int64]
    batches: NDArray[np.int64]
    iterations: NDArray[np.int64]
    origins: list[str]
    u: Floats
    params: Floats
    attempts: NDArray[np.int64]
    status: NDArray[np.int8]
    nll: Floats
    observables: Floats
    losses: Floats
    seconds: list[Floats]
    missing: list[list[int]]
    failed_code: list[str]
    message: list[str]
    warnings: list[list[str]]


def row_keys(params: Floats) -> list[bytes]:
    """Keys of points, equal when all their values agree to 12 significant digits.

    `params`: shape (n, d), finite. Powers of ten are found by comparisons with a table,
    not with a logarithm, so that the keys are the same on every machine.
    """
    size = np.where(params == 0, 1.0, np.abs(params))
    power = np.searchsorted(_POWERS, size, side="right") - 1  # _POWERS[power] <= size
    digits = np.rint(size / _POWERS[power] * 1e11).astype(np.int64)
    carried = digits == 10**12
    digits[carried], power[carried] = 10**11, power[carried] + 1
    digits[params == 0], power[params == 0] = 0, 0
    whole = np.where(np.signbit(params), -1, 1) * ((digits << 10) | power)
    width = params.shape[1] * 8
    data = np.ascontiguousarray(whole, dtype="<i8").tobytes()
    return [_digest(data[start : start + width]) for start in range(0, len(data), width)]


_POWERS = np.array([float(f"1e{power}") for power in range(-323, 309)])


def _digest(row: bytes) -> bytes:
    return row if len(row) <= 16 else blake2b(row, digest_size=16).digest()


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def to_blob(values: Sequence[float]) -> bytes:
    return array("d", values).tobytes()


def to_array(blobs: Sequence[bytes]) -> Floats:
    """Blobs of one length as an array, a row each; shape (0, 0) where there are none."""
    if not blobs:
        return np.empty((0, 0))
    return np.frombuffer(b"".join(blobs), dtype="<f8").reshape(len(blobs), -1).copy()


def to_codes(names: Sequence[str]) -> NDArray[np.int8]:
    return np.array([Status[name].value for name in names], dtype=np.int8)


def _padded(blobs: Sequence[bytes], width: int) -> Floats:
    """Blobs of any length as an array, a row each, NaN where a blob ends."""
    if all(len(blob) == 8 * width for blob in blobs):
        return to_array(blobs)
    filled = np.full((len(blobs), width), np.nan)
    for row, blob in enumerate(blobs):
        values = np.frombuffer(blob, dtype="<f8")[:width]
        filled[row, : len(values)] = values
    return filled


def to_results(rows: list[Any], width: int) -> Results:
    (ids, batches, iterations, origins, u, params, attempts, status, nll, observables, losses, seconds,
     missing, failed_code, message, warnings) = zip(*rows, strict=True)  # fmt: skip
    return Results(
        np.array(ids, dtype=np.int64), np.array(batches, dtype=np.int64), np.array(iterations, dtype=np.int64),
        list(origins), to_array(u), to_array(params), np.array(attempts, dtype=np.int64), to_codes(status),
        np.array(nll, dtype=np.float64), _padded(observables, width), _padded(losses, width),
        [np.frombuffer(each, dtype="<f8") for each in seconds], [json.loads(each or "[]") for each in missing],
        list(failed_code), list(message), [json.loads(each or "[]") for each in warnings],
    )  # fmt: skip
