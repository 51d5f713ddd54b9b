"""How points and their results lie in the dataset: many in one row, as arrays of little-endian numbers.

A row a point would cost as much time as everything else between two quick points.
"""

from __future__ import annotations

import json
import math
from struct import pack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from proposer.strategies.base import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from proposer.rows import Outcome
    from proposer.strategies.base import Floats


class Packed(NamedTuple):
    """Results of points, in the order in which they came.

    `ids` int64, `status` uint8, `nll` double (NaN where there is none); `widths` uint32, three
    a point: how many observables, losses and seconds it has; `numbers` are these, double,
    point by point. `remarks`: JSON, position of the point to its words; None where nobody has any.
    """

    ids: bytes
    status: bytes
    nll: bytes
    widths: bytes
    numbers: bytes
    remarks: str | None


class Unpacked(NamedTuple):
    """Results by id. Shapes: (n,), but observables and losses (n, m), NaN where there are none."""

    ids: NDArray[np.int64]
    status: NDArray[np.int8]
    nll: Floats
    observables: Floats
    losses: Floats
    seconds: list[Floats]
    remarks: list[dict[str, Any]]


def pack_results(outcomes: Sequence[Outcome]) -> Packed:
    """Only an OK point has an NLL: the other side's word alone makes no good point."""
    ids: list[int] = []
    status = bytearray()
    scores: list[float] = []
    widths: list[int] = []
    numbers: list[float] = []
    remarks: dict[int, dict[str, Any]] = {}
    for point, code, nll, observables, losses, seconds, failed_code, message, warnings, missing, _ in outcomes:
        if failed_code or message or warnings or missing:
            words = {"failed_code": failed_code, "message": message, "warnings": [*warnings], "missing": [*missing]}
            remarks[len(ids)] = {name: value for name, value in words.items() if value}
        ids.append(point)
        status.append(code)
        scores.append(nll if nll is not None and code == Status.OK else math.nan)
        widths += (len(observables), len(losses), len(seconds))
        numbers += observables
        numbers += losses
        numbers += seconds
    n = len(ids)
    return Packed(
        pack(f"<{n}q", *ids), bytes(status), pack(f"<{n}d", *scores), pack(f"<{3 * n}I", *widths),
        pack(f"<{len(numbers)}d", *numbers), json.dumps(remarks) if remarks else None,
    )  # fmt: skip


def unpack_results(rows: Sequence[Packed], width: int) -> Unpacked:
    """The results of all rows, by id; `width` is how many observables there are (m)."""
    ids = np.frombuffer(b"".join(row.ids for row in rows), "<i8")
    order = np.argsort(ids)
    status = np.frombuffer(b"".join(row.status for row in rows), "i1")
    nll = np.frombuffer(b"".join(row.nll for row in rows), "<f8")
    observables, losses = np.full((2, len(ids), width), np.nan)
    seconds: list[Floats] = []
    remarks: list[dict[str, Any]] = []
    for row in rows:
        words = {int(at): each for at, each in json.loads(row.remarks).items()} if row.remarks else {}
        for at, (found, lost, ran) in enumerate(_numbers(row)):
            observables[len(seconds), : len(found)] = found
            losses[len(seconds), : len(lost)] = lost
            seconds.append(ran)
            remarks.append(words.get(at, {}))
    places = order.tolist()
    return Unpacked(
        ids[order], status[order], nll[order], observables[order], losses[order],
        [seconds[each] for each in places], [remarks[each] for each in places],
    )  # fmt: skip


def unpack_seconds(row: Packed) -> Iterator[tuple[Status, Floats]]:
    """Status and the seconds of each code that ran, of each point where one did."""
    for code, (_, _, ran) in zip(row.status, _numbers(row), strict=True):
        if len(ran):
            yield Status(code), ran


def unpack_ids(blob: bytes) -> list[int]:
    """The ids of one row."""
    ids: list[int] = np.frombuffer(blob, "<i8").tolist()
    return ids


def unpack_nll(blob: bytes) -> Floats:
    """The NLLs of one row, shape (n,)."""
    return np.frombuffer(blob, "<f8")


def _numbers(row: Packed) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Observables, losses and seconds, point by point."""
    numbers, start = np.frombuffer(row.numbers, "<f8"), 0
    for n, m, k in np.frombuffer(row.widths, "<u4").reshape(-1, 3).tolist():
        yield numbers[start : start + n], numbers[start + n : start + n + m], numbers[start + n + m : start + n + m + k]
        start += n + m + k


def pack_places(u: Floats, params: Floats) -> bytes:
    """u and the parameters of points, both of shape (n, d)."""
    return np.hstack([u, params]).astype("<f8", copy=False).tobytes()


def unpack_places(blobs: Sequence[bytes], points: int) -> tuple[Floats, Floats]:
    """u and the parameters of `points` points, each of shape (n, d); (0, 0) where there are none."""
    if not points:
        return np.empty((0, 0)), np.empty((0, 0))
    places = np.frombuffer(b"".join(blobs), "<f8").reshape(points, 2, -1)
    return places[:, 0].copy(), places[:, 1].copy()
