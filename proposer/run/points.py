"""Converts points to and from rows of the table `points`, each with a checksum.

SQLite stores NaN as NULL, so the column `missing` names the observables that were not found; any other NULL is a NaN
that a code returned. Infinities stay as they are, and minus zero becomes zero. A row's checksum is computed in three
steps, over the point itself, its attempts and its answer. Each step goes on from the last, so that an answer can be
stored without reading the point again.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from zlib import crc32

import numpy as np

from proposer.run.checksums import Damaged
from proposer.run.rows import Results
from proposer.types import OK, Floats, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from proposer.run.columns import Columns
    from proposer.types import Outcome

Row = tuple[Any, ...]
_NAMES = ("", *(member.name for member in Status))
_NUMBERS = {None: math.nan} | {member.name: float(member) for member in Status}
_ATTEMPTS = struct.Struct("<q")
_ALL = '["*"]'  # in `missing`: no observable was given
_WORDS = 6  # the last columns: evaluator, failed_code, message, warnings, missing, crc
_TIMES = 4  # before them: asked_at, sent_at, begun_at, returned_at
_ATTEMPTS_AT = -_WORDS - _TIMES - 1  # before these
_PROBABILITY_AT = _ATTEMPTS_AT - 1
_NOT_AS_WRITTEN = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, struct.error)


class Asked(NamedTuple):
    """A point without an answer: its batch, the checksum of the point itself, its attempts, and the checksum of its
    row, which covers both.
    """

    batch: int
    crc: int
    attempts: int
    row_crc: int

    @classmethod
    def of(cls, batch: int, crc: int, attempts: int) -> Self:
        """Makes it, and computes the checksum of the row."""
        # `cls(...)` takes three times as long as the tuple itself
        return tuple.__new__(cls, (batch, crc, attempts, crc32(_ATTEMPTS.pack(attempts), crc)))


def ask_rows(
    first: int,
    batch: int,
    iteration: int,
    origins: Sequence[str],
    params: Floats,
    *,
    asked_at: float = math.nan,
    probability: Floats | None = None,
) -> tuple[list[Row], list[Asked]]:
    """Rows of new points for `Columns.ask`.

    `params`: shape (n, d); `asked_at`: seconds since 1970; `probability`: the predicted probability of being good,
    shape (n,).
    """
    ids = np.arange(first, first + len(params))
    numbers = np.empty((len(params), 5 + params.shape[1]))
    numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3:-2] = ids, batch, iteration, params
    numbers[:, -2], numbers[:, -1] = asked_at, math.nan if probability is None else probability
    asked = [Asked.of(batch, crc, 0) for crc in _asked_crcs(numbers, origins)]
    rows = [
        (point, batch, iteration, origin, *values, point_asked.row_crc)
        for point, origin, values, point_asked in zip(
            ids.tolist(), origins, numbers[:, 3:].tolist(), asked, strict=True
        )
    ]
    return rows, asked


def answer_rows(outcomes: Sequence[Outcome], asked: Sequence[Asked], columns: Columns) -> list[Row]:
    """Rows of answers for `Columns.answer`. The NLL is stored only for OK points, even if an evaluator
    sends another.
    """
    width, codes = len(columns.observables), len(columns.codes)
    nothing, no_seconds = [math.nan] * width, [math.nan] * codes
    numbers: list[list[float]] = []
    words: list[tuple[str, ...]] = []
    for point in outcomes:
        observables, losses, seconds = point.observables, point.losses, point.seconds
        row = [float(point.status), point.nll if point.nll is not None and point.status == OK else math.nan]
        row += observables if len(observables) == width else _filled(observables, nothing)
        row += losses if len(losses) == width else _filled(losses, nothing)
        row += seconds if len(seconds) == codes else _seconds(seconds, no_seconds)
        row += (point.sent, point.begun, point.returned)
        numbers.append(row)
        words.append(
            (
                point.evaluator,
                point.failed_code,
                point.message,
                json.dumps([*point.warnings]) if point.warnings else "",
                _missing(point, columns),
            )
        )
    crcs = _answered_crcs(np.array(numbers, dtype=np.float64), words, [row_asked.row_crc for row_asked in asked])
    return [
        (_NAMES[point.status], *row[1:], *text, crc, point.id)
        for point, row, text, crc in zip(outcomes, numbers, words, crcs, strict=True)
    ]


def _filled(values: Sequence[float], nothing: list[float]) -> list[float]:
    return [*values, *nothing[len(values) :]][: len(nothing)]


def _seconds(values: Sequence[float], nothing: list[float]) -> list[float]:
    """The seconds of each code. If an evaluator does not name its codes, further seconds are added to the last one."""
    if len(values) > len(nothing):
        return [*values[: len(nothing) - 1], math.fsum(values[len(nothing) - 1 :])] if nothing else []
    return _filled(values, nothing)


def _missing(point: Outcome, columns: Columns) -> str:
    if not point.observables and columns.observables:
        return _ALL
    if not point.missing:
        return ""
    return json.dumps([columns.observables[k].name for k in point.missing if k < len(columns.observables)])


def asked_of(rows: Sequence[Row], columns: Columns) -> list[Asked]:
    """The points in rows of the table `points` as they were asked, without their answers. Raises Damaged."""
    try:
        ids, batches, iterations = (np.array([row[j] for row in rows], dtype=np.int64) for j in range(3))
        params = np.array([row[6 : 6 + len(columns.variables)] for row in rows], dtype=np.float64)
        told = np.array([(row[-_WORDS - _TIMES], row[_PROBABILITY_AT]) for row in rows], dtype=np.float64)
        numbers = np.column_stack([ids, batches, iterations, params, told])
        crcs = _asked_crcs(numbers, [row[3] for row in rows])
        return [Asked.of(int(row[1]), crc, int(row[_ATTEMPTS_AT])) for row, crc in zip(rows, crcs, strict=True)]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Damaged(f"a row is not as it was written ({error})") from error


class _Table(NamedTuple):
    """Rows by column. All shapes are (n,), except `values` (from the NLL to the seconds), (n, 1 + d + 2 m + k), and
    `times`, (n, 4).
    """

    ids: NDArray[np.int64]
    batches: NDArray[np.int64]
    iterations: NDArray[np.int64]
    origins: list[str]
    status: Floats
    values: Floats
    probability: Floats
    times: Floats
    attempts: list[int]
    words: list[Row]

    @classmethod
    def of(cls, rows: Sequence[Row], columns: Columns) -> Self:
        """Reads the rows. Raises an error of _NOT_AS_WRITTEN if a value has the wrong type."""
        width = 1 + len(columns.variables) + 2 * len(columns.observables) + len(columns.codes)
        ids, batches, iterations = (np.array([row[j] for row in rows], dtype=np.int64) for j in range(3))
        return cls(
            ids=ids,
            batches=batches,
            iterations=iterations,
            origins=[row[3] for row in rows],
            status=np.array([_NUMBERS[row[4]] for row in rows], dtype=np.float64),
            values=np.array([row[5 : 5 + width] for row in rows], dtype=np.float64).reshape(len(rows), width),
            probability=np.array([row[_PROBABILITY_AT] for row in rows], dtype=np.float64),
            times=np.array([row[-_WORDS - _TIMES : -_WORDS] for row in rows], dtype=np.float64).reshape(-1, _TIMES),
            attempts=[row[_ATTEMPTS_AT] for row in rows],
            words=[row[-_WORDS:-1] for row in rows],
        )

    def checksums(self, d: int, lacking: Collection[str] = ()) -> tuple[list[Asked], list[int]]:
        """The points as they were asked, and the checksum of each row. `lacking`: columns that the checksums do not
        cover.
        """
        times = self.times if "asked_at" not in lacking else self.times[:, :0]
        probability = self.probability[:, None] if "probability" not in lacking else self.times[:, :0]
        asked_of_each = np.column_stack(
            [self.ids, self.batches, self.iterations, self.values[:, 1 : 1 + d], times[:, :1], probability]
        )
        asked = [
            Asked.of(batch, crc, tries)
            for batch, crc, tries in zip(
                self.batches.tolist(), _asked_crcs(asked_of_each, self.origins), self.attempts, strict=True
            )
        ]
        crcs = [point.row_crc for point in asked]
        found = np.hstack([self.status[:, None], self.values[:, :1], self.values[:, 1 + d :], times[:, 1:]])
        found_at = np.flatnonzero(self.answered).tolist()
        start = [crcs[k] for k in found_at]
        for k, crc in zip(
            found_at, _answered_crcs(found[found_at], [self.words[k] for k in found_at], start), strict=True
        ):
            crcs[k] = crc
        return asked, crcs

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether each point has an answer."""
        return ~np.isnan(self.status)


def completed(rows: Sequence[Row], columns: Columns, lacking: Collection[str]) -> list[Row]:
    """Rows of an older dataset, in which the columns `lacking` are NULL, with checksums over all columns. Raises
    Damaged.
    """
    try:
        table, d = _Table.of(rows, columns), len(columns.variables)
        (_, before), (_, now) = table.checksums(d, lacking), table.checksums(d)
    except _NOT_AS_WRITTEN as error:
        raise Damaged(f"a row is not as it was written ({error})") from error
    for row, crc in zip(rows, before, strict=True):
        if row[-1] != crc:
            raise Damaged(f"the row of point {row[0]} is not as it was written")
    return [(*row[:-1], crc) for row, crc in zip(rows, now, strict=True)]


def read_rows(rows: Sequence[Row], columns: Columns, u: Floats) -> tuple[Results, list[Asked]]:
    """The rows as values, and the unanswered points as they were asked.

    `u`: shape (n, d). A status of 0 means no answer. Raises Damaged if a row is not as it was written.
    """
    d, m = len(columns.variables), len(columns.observables)
    try:
        _check_types(rows)
        table = _Table.of(rows, columns)
        values, words, answered = table.values, table.words, table.answered.tolist()
        asked, crcs = table.checksums(d)
        for done, row, crc in zip(answered, rows, crcs, strict=True):
            unanswered_but_filled = not done and any(
                value is not None for value in (row[5], *row[6 + d : _PROBABILITY_AT], *row[_ATTEMPTS_AT + 2 : -1])
            )
            if row[-1] != crc or unanswered_but_filled:
                raise Damaged(f"the row of point {row[0]} is not as it was written")
        positions = {observable.name: position for position, observable in enumerate(columns.observables)}
        results = Results(
            ids=table.ids,
            batches=table.batches,
            iterations=table.iterations,
            origins=table.origins,
            u=u,
            params=np.ascontiguousarray(values[:, 1 : 1 + d]),
            attempts=np.array(table.attempts, dtype=np.int64),
            status=np.nan_to_num(table.status).astype(np.int8),
            nll=values[:, 0],
            observables=values[:, 1 + d : 1 + d + m],
            losses=values[:, 1 + d + m : 1 + d + 2 * m],
            seconds=_ran(values[:, 1 + d + 2 * m :]),
            failed_code=[row_words[1] or "" for row_words in words],
            message=[row_words[2] or "" for row_words in words],
            warnings=[json.loads(row_words[3]) if row_words[3] else [] for row_words in words],
            missing=[_positions(row_words[4], positions) for row_words in words],
            evaluator=[row_words[0] or "" for row_words in words],
            times=table.times,
            probability=table.probability,
        )
    except Damaged:
        raise
    except _NOT_AS_WRITTEN as error:
        raise Damaged(f"a row is not as it was written ({error})") from error
    return results, [point for point, done in zip(asked, answered, strict=True) if not done]


def _check_types(rows: Sequence[Row]) -> None:
    """Raises Damaged if a value has the wrong type, before any value is converted."""
    for position in (0, 1, 2, _ATTEMPTS_AT, -1):
        if {type(row[position]) for row in rows} - {int}:
            raise Damaged("a whole number has become another value")
    for position in (3, 4, *range(-_WORDS, -1)):
        if {type(row[position]) for row in rows} - {str, type(None)}:
            raise Damaged("a word has become another value")


def _ran(seconds: Floats) -> list[Floats]:
    """The seconds of the codes that ran, for each point."""
    last = (~np.isnan(seconds) * np.arange(1, seconds.shape[1] + 1)).max(axis=1, initial=0)
    return [row[:count] for row, count in zip(seconds, last.tolist(), strict=True)]


def _positions(missing: str | None, positions: dict[str, int]) -> list[int]:
    if not missing:
        return []
    return [*positions.values()] if missing == _ALL else [positions[name] for name in json.loads(missing)]


def _asked_crcs(numbers: Floats, origins: Sequence[str]) -> list[int]:
    """The checksums of id, batch, iteration, variables, asked_at, probability and origin of each row."""
    return [crc32(origin.encode(), crc32(row)) for row, origin in zip(_plain(numbers), origins, strict=True)]


def _answered_crcs(numbers: Floats, words: Sequence[tuple[str | None, ...]], start: Sequence[int]) -> list[int]:
    texts = {text: "\x1f".join(word or "" for word in text).encode() for text in set(words)}  # most points share one
    return [crc32(texts[text], crc32(row, crc)) for row, text, crc in zip(_plain(numbers), words, start, strict=True)]


def _plain(numbers: NDArray[np.float64]) -> list[memoryview]:
    """The bytes of each row, the same for all NaNs and for both zeros."""
    plain = (numbers + 0.0).astype("<f8", copy=False)
    plain[np.isnan(plain)] = np.nan
    content, size = memoryview(plain.tobytes()), plain.shape[-1] * 8
    return [content[start : start + size] for start in range(0, len(content), size or 8)]
