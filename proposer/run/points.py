"""Points as rows of the table `points`, with a checksum of each.

SQLite keeps NaN as NULL, so `missing` says which observables were not found: a NULL that it does not name is the
code's own NaN. Infinities stay as they are, and minus zero is zero. A row's checksum is made in steps, each going on
from the last, so that an answer needs no second look at what was asked: the point itself, its attempts, its answer.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np

from proposer.run.checksums import Damaged
from proposer.run.rows import Results
from proposer.types import Floats, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from proposer.run.columns import Columns
    from proposer.types import Outcome

Row = tuple[Any, ...]
_NAMES = ("", *(each.name for each in Status))
_NUMBERS = {None: math.nan} | {each.name: float(each) for each in Status}
_ATTEMPTS = struct.Struct("<q")
_ALL = '["*"]'  # missing: no observable was given
_WORDS = 6  # the last columns: evaluator, failed_code, message, warnings, missing, crc
_TIMES = 4  # before them: asked_at, sent_at, begun_at, returned_at
_ATTEMPTS_AT = -_WORDS - _TIMES - 1  # before these


class Asked(NamedTuple):
    """A point without an answer: its batch, the checksum of what was asked, and its attempts."""

    batch: int
    crc: int
    attempts: int

    @property
    def row_crc(self) -> int:
        """The checksum of its row."""
        return crc32(_ATTEMPTS.pack(self.attempts), self.crc)


def ask_rows(
    first: int, batch: int, iteration: int, origins: Sequence[str], params: Floats, *, asked_at: float = math.nan
) -> tuple[list[Row], list[Asked]]:
    """Rows for `Columns.ask` of new points; `params`: shape (n, d); `asked_at`: seconds since 1970."""
    ids = range(first, first + len(params))
    numbers = np.empty((len(ids), 4 + params.shape[1]))
    numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3:-1], numbers[:, -1] = (
        ids,
        batch,
        iteration,
        params,
        asked_at,
    )
    asked = [Asked(batch, crc, 0) for crc in _asked_crcs(numbers, origins)]
    rows = [
        (point, batch, iteration, origin, *values, asked_at, each.row_crc)
        for point, origin, values, each in zip(ids, origins, params.tolist(), asked, strict=True)
    ]
    return rows, asked


def answer_rows(outcomes: Sequence[Outcome], asked: Sequence[Asked], columns: Columns) -> list[Row]:
    """Rows for `Columns.answer`. Only an OK point has an NLL: the other side's word alone makes no good point."""
    width, codes = len(columns.observables), len(columns.codes)
    nothing, no_seconds = [math.nan] * width, [math.nan] * codes
    numbers: list[list[float]] = []
    words: list[list[str | None]] = []
    for point in outcomes:
        score = point.nll if point.nll is not None and point.status == Status.OK else math.nan
        row = [float(point.status), score]
        row += point.observables if len(point.observables) == width else _filled(point.observables, nothing)
        row += point.losses if len(point.losses) == width else _filled(point.losses, nothing)
        row += point.seconds if len(point.seconds) == codes else _seconds(point.seconds, no_seconds)
        row += (point.sent, point.begun, point.returned)
        numbers.append(row)
        words.append(
            [
                point.evaluator or None,
                point.failed_code or None,
                point.message or None,
                json.dumps([*point.warnings]) if point.warnings else None,
                _missing(point, columns),
            ]
        )
    crcs = _answered_crcs(np.array(numbers, dtype=np.float64), words, [each.row_crc for each in asked])
    return [
        (_NAMES[point.status], *row[1:], *text, crc, point.id)
        for point, row, text, crc in zip(outcomes, numbers, words, crcs, strict=True)
    ]


def _filled(values: Sequence[float], nothing: list[float]) -> list[float]:
    return [*values, *nothing[len(values) :]][: len(nothing)]


def _seconds(values: Sequence[float], nothing: list[float]) -> list[float]:
    """A number for each code; what is beyond them, of an evaluator that does not name its codes, goes to the last."""
    if len(values) > len(nothing):
        return [*values[: len(nothing) - 1], math.fsum(values[len(nothing) - 1 :])] if nothing else []
    return _filled(values, nothing)


def _missing(point: Outcome, columns: Columns) -> str | None:
    if not point.observables and columns.observables:
        return _ALL
    if not point.missing:
        return None
    return json.dumps([columns.observables[k].name for k in point.missing if k < len(columns.observables)])


def asked_of(rows: Sequence[Row], columns: Columns) -> list[Asked]:
    """What was asked in rows of the table `points`, whatever was answered. Raises Damaged."""
    try:
        ids, batches, iterations = (np.array([row[j] for row in rows], dtype=np.int64) for j in range(3))
        params = np.array([row[6 : 6 + len(columns.variables)] for row in rows], dtype=np.float64)
        asked_at = np.array([row[-_WORDS - _TIMES] for row in rows], dtype=np.float64)
        numbers = np.column_stack([ids, batches, iterations, params, asked_at])
        crcs = _asked_crcs(numbers, [row[3] for row in rows])
        return [Asked(int(row[1]), crc, int(row[_ATTEMPTS_AT])) for row, crc in zip(rows, crcs, strict=True)]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Damaged(f"a row is not as it was written ({error})") from error


def read_rows(rows: Sequence[Row], columns: Columns, u: Floats) -> tuple[Results, list[Asked]]:
    """All rows, answered or not, as values, and those without an answer as what was asked.

    `u`: shape (n, d). A status of 0 is no answer. Raises Damaged where a row is not as it was written.
    """
    d, m, k = len(columns.variables), len(columns.observables), len(columns.codes)
    try:
        _check_types(rows)
        ids, batches, iterations = (np.array([row[j] for row in rows], dtype=np.int64) for j in range(3))
        origins = [row[3] for row in rows]
        status = np.array([_NUMBERS[row[4]] for row in rows], dtype=np.float64)
        values = np.array([row[5 : 6 + d + 2 * m + k] for row in rows], dtype=np.float64)
        values = values.reshape(len(rows), 1 + d + 2 * m + k)
        params = np.ascontiguousarray(values[:, 1 : 1 + d])
        attempts = [row[_ATTEMPTS_AT] for row in rows]
        times = np.array([row[-_WORDS - _TIMES : -_WORDS] for row in rows], dtype=np.float64).reshape(-1, _TIMES)
        words = [row[-_WORDS:-1] for row in rows]
        asked = [
            Asked(batch, crc, tries)
            for batch, crc, tries in zip(
                batches.tolist(),
                _asked_crcs(np.column_stack([ids, batches, iterations, params, times[:, 0]]), origins),
                attempts,
                strict=True,
            )
        ]
        crcs = [each.row_crc for each in asked]
        found = np.hstack([status[:, None], values[:, :1], values[:, 1 + d :], times[:, 1:]])
        answered = ~np.isnan(status)
        for place, crc in zip(
            np.flatnonzero(answered).tolist(),
            _answered_crcs(
                found[answered],
                [words[k] for k in np.flatnonzero(answered).tolist()],
                [crcs[k] for k in np.flatnonzero(answered).tolist()],
            ),
            strict=True,
        ):
            crcs[place] = crc
        for place, (row, crc) in enumerate(zip(rows, crcs, strict=True)):
            unanswered_but_filled = not answered[place] and any(
                each is not None for each in (row[5], *row[6 + d : _ATTEMPTS_AT], *row[_ATTEMPTS_AT + 2 : -1])
            )
            if row[-1] != crc or unanswered_but_filled:
                raise Damaged(f"the row of point {row[0]} is not as it was written")
        positions = {each.name: place for place, each in enumerate(columns.observables)}
        results = Results(
            ids=ids,
            batches=batches,
            iterations=iterations,
            origins=origins,
            u=u,
            params=params,
            attempts=np.array(attempts, dtype=np.int64),
            status=np.nan_to_num(status).astype(np.int8),
            nll=values[:, 0],
            observables=values[:, 1 + d : 1 + d + m],
            losses=values[:, 1 + d + m : 1 + d + 2 * m],
            seconds=_ran(values[:, 1 + d + 2 * m :]),
            failed_code=[each[1] or "" for each in words],
            message=[each[2] or "" for each in words],
            warnings=[json.loads(each[3]) if each[3] else [] for each in words],
            missing=[_positions(each[4], positions) for each in words],
            evaluator=[each[0] or "" for each in words],
            times=times,
        )
    except Damaged:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, struct.error) as error:
        raise Damaged(f"a row is not as it was written ({error})") from error
    return results, [each for each, done in zip(asked, answered.tolist(), strict=True) if not done]


def _check_types(rows: Sequence[Row]) -> None:
    """Numbers and words are what they were, before anything is taken for something like it."""
    for place in (0, 1, 2, _ATTEMPTS_AT, -1):
        if {type(row[place]) for row in rows} - {int}:
            raise Damaged("a whole number is none any more")
    for place in (3, 4, *range(-_WORDS, -1)):
        if {type(row[place]) for row in rows} - {str, type(None)}:
            raise Damaged("a word is none any more")


def _ran(seconds: Floats) -> list[Floats]:
    """Of the codes that ran, point by point."""
    last = (~np.isnan(seconds) * np.arange(1, seconds.shape[1] + 1)).max(axis=1, initial=0)
    return [row[:count] for row, count in zip(seconds, last.tolist(), strict=True)]


def _positions(missing: str | None, positions: dict[str, int]) -> list[int]:
    if not missing:
        return []
    return [*positions.values()] if missing == _ALL else [positions[name] for name in json.loads(missing)]


def _asked_crcs(numbers: Floats, origins: Sequence[str]) -> list[int]:
    """Of id, batch, iteration, variables and asked_at in each row."""
    return [crc32(origin.encode(), crc32(row)) for row, origin in zip(_plain(numbers), origins, strict=True)]


def _answered_crcs(numbers: Floats, words: Sequence[Sequence[str | None]], start: Sequence[int]) -> list[int]:
    return [
        crc32("\x1f".join([each or "" for each in text]).encode(), crc32(row, crc))
        for row, text, crc in zip(_plain(numbers), words, start, strict=True)
    ]


def _plain(numbers: NDArray[np.float64]) -> list[memoryview]:
    """Bytes of each row, equal for all kinds of NaN and of zero."""
    plain = np.where(np.isnan(numbers), np.nan, numbers + 0.0).astype("<f8")
    content, size = memoryview(plain.tobytes()), plain.shape[-1] * 8
    return [content[start : start + size] for start in range(0, len(content), size or 8)]
