"""The columns of a run's table `points`, which has one row per point and the names of the scan file.

SQLite does not distinguish upper and lower case in names of columns, so a name that is taken gets the first free
number: of the variables `m0` and `M0`, the second is in the column `M0_2`. The columns in _FIRST have precedence, then
those of variables, then those of observables. The loss of `mh` is in `loss mh`, and the seconds of the code `spheno`
are in `seconds spheno`. The table `columns` describes all columns.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from proposer.run.checksums import text_crc

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST = {
    "id": ("INTEGER PRIMARY KEY", "number of the point, without gaps, in the order of asking"),
    "batch": ("INTEGER NOT NULL", "number of the batch that asked for it"),
    "iteration": ("INTEGER NOT NULL", "of the strategy; 0 before its loop starts"),
    "origin": ("TEXT NOT NULL", "why it was chosen"),
    "status": ("TEXT", "OK, INVALID, FAILED, TIMED_OUT; NULL: no answer yet"),
    "NLL": ("REAL", "sum of the losses; NULL: the point is not OK"),
}
_LAST = {
    "probability": ("REAL", "of being good, as the strategy predicted when it asked; NULL: it predicts none"),
    "attempts": ("INTEGER NOT NULL", "how often it was killed from outside"),
    "asked_at": ("REAL", "when the strategy asked for it, in seconds since 1970"),
    "sent_at": ("REAL", "when it was sent to the evaluator that answered"),
    "begun_at": ("REAL", "when it began there, by the evaluator's clock"),
    "returned_at": ("REAL", "when the answer came"),
    "evaluator": ("TEXT", "the address that answered"),
    "failed_code": ("TEXT", "the code that ended it; NULL: none"),
    "message": ("TEXT", "why it ended there"),
    "warnings": ("TEXT", "doubts, a list in JSON"),
    "missing": (
        "TEXT",
        'observables that were not found, a list in JSON, ["*"] for all; another NULL is the NaN of a code',
    ),
    "crc": ("INTEGER NOT NULL", "checksum of the row"),
}
TABLE = """CREATE TABLE columns (position INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL,
    quantity TEXT NOT NULL, unit TEXT NOT NULL, code TEXT NOT NULL, likelihood TEXT NOT NULL,
    description TEXT NOT NULL, crc INTEGER NOT NULL)"""


class TooManyColumns(ValueError):
    """A scan has more observables than a table has columns."""


@dataclass(frozen=True)
class Quantity:
    """A variable, an observable or a code, with its name in the scan file; `likelihood` is in words.

    The `description` of a variable is its entry in the scan file, with range and prior, in JSON; it is empty in runs of
    older versions.
    """

    name: str
    unit: str = ""
    code: str = ""
    likelihood: str = ""
    description: str = ""


@dataclass(frozen=True)
class Columns:
    """The columns that a run stores for each point. Raises TooManyColumns."""

    variables: Sequence[Quantity]
    observables: Sequence[Quantity]
    codes: Sequence[Quantity]
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        found = [row[2] for row in self._rows()]
        most = most_columns()
        if len(found) > most:
            raise TooManyColumns(
                f"{len(self.observables):,} observables, with the loss of each, and {len(self.variables):,} variables "
                f"need {len(found):,} columns, but a table of SQLite has at most {most:,}; leave out observables that "
                "have no likelihood and no window"
            )
        object.__setattr__(self, "names", _free_names(found))  # takes long if there are too many

    @classmethod
    def named(cls, variables: Sequence[str], observables: Sequence[str], codes: Sequence[str]) -> Self:
        """Columns of which only the names are known."""
        return cls(*([Quantity(name) for name in names] for names in (variables, observables, codes)))

    @classmethod
    def read(cls, rows: Sequence[tuple[Any, ...]]) -> Self:
        """Reads the rows of the table `columns`. Raises ValueError if they are not as they were written."""
        kinds: dict[str, list[Quantity]] = {"variable": [], "observable": [], "seconds": []}
        for _, _, kind, name, unit, code, likelihood, about, _ in rows:
            if kind in kinds:
                kinds[kind].append(Quantity(name, unit, code if kind == "observable" else "", likelihood, about))
        found = cls(kinds["variable"], kinds["observable"], kinds["seconds"])
        if found.table() != [tuple(row) for row in rows]:
            raise ValueError("the table `columns` is not as it was written")
        return found

    def table(self) -> list[tuple[Any, ...]]:
        """The rows of the table `columns`."""
        rows = []
        for position, (name, (kind, quantity, _, _, unit, code, likelihood, about)) in enumerate(
            zip(self.names, self._rows(), strict=True)
        ):
            words = (name, kind, quantity, unit, code, likelihood, about)
            rows.append((position, *words, text_crc(str(position), *words)))
        return rows

    @property
    def schema(self) -> str:
        """The SQL statement that makes the table `points`."""
        types = [row[3] for row in self._rows()]
        return f"CREATE TABLE points ({', '.join(f'{_quoted(n)} {t}' for n, t in zip(self.names, types, strict=True))})"

    @cached_property
    def ask(self) -> str:
        """The SQL statement that stores a point: id, batch, iteration, origin, variables, asked_at,
        probability, crc.
        """
        names = [*self.names[:4], *self.names[6 : 6 + len(self.variables)], "asked_at", "probability", "crc"]
        columns, values = ", ".join(map(_quoted, [*names, "attempts"])), ", ".join("?" * len(names))
        return f"INSERT INTO points ({columns}) VALUES ({values}, 0)"  # noqa: S608 - quoted

    @cached_property
    def answer(self) -> str:
        """The SQL statement that stores an answer: status, NLL, all columns after the variables except those that `ask`
        stores, and the id. An empty word becomes NULL here, because Python takes long to bind a None.
        """
        last = [name for name in _LAST if name not in ("probability", "attempts", "asked_at")]
        names = [*self.names[4:6], *self.names[6 + len(self.variables) : -len(_LAST)], *last]
        words = [name for name in last if _LAST[name][0] == "TEXT"]
        values = ", ".join(f"{_quoted(name)} = " + ("nullif(?, '')" if name in words else "?") for name in names)
        return f"UPDATE points SET {values} WHERE id = ?"  # noqa: S608 - quoted

    @property
    def scored(self) -> str:
        """The query for points with an NLL, by id, of batches from one to another: id, iteration, origin, variables,
        observables, NLL.
        """
        first, width = 6 + len(self.variables), len(self.observables)
        id_, batch, iteration, origin, _, nll, *_ = map(_quoted, self.names)
        names = [id_, iteration, origin, *map(_quoted, self.names[6 : first + width]), nll]
        start = "SELECT first_id FROM batches WHERE number = ?"
        return (
            f"SELECT {', '.join(names)} FROM points WHERE {id_} >= ({start}) AND {batch} <= ? "  # noqa: S608 - quoted
            f"AND {nll} IS NOT NULL ORDER BY {id_}"
        )

    def _rows(self) -> list[tuple[str, str, str, str, str, str, str, str]]:
        """Kind, quantity, wanted name, type, unit, code, likelihood and description of each column."""
        rows = [("point", "", name, kind, "", "", "", about) for name, (kind, about) in _FIRST.items()]
        rows += [("variable", v.name, v.name, "REAL NOT NULL", v.unit, "", "", v.description) for v in self.variables]
        rows += [("observable", o.name, o.name, "REAL", o.unit, o.code, o.likelihood, "") for o in self.observables]
        rows += [("loss", o.name, f"loss {o.name}", "REAL", "", o.code, o.likelihood, "") for o in self.observables]
        rows += [("seconds", c.name, f"seconds {c.name}".strip(), "REAL", "s", c.name, "", "") for c in self.codes]
        return rows + [("point", "", name, kind, "", "", "", about) for name, (kind, about) in _LAST.items()]


def most_columns() -> int:
    """The most columns that a table of this SQLite may have."""
    db = sqlite3.connect(":memory:")
    try:
        return min(db.getlimit(sqlite3.SQLITE_LIMIT_COLUMN), db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
    finally:
        db.close()


def _free_names(wanted: Sequence[str]) -> list[str]:
    """The final names of columns. Names of this file, and the first column to ask for a name, keep it; others get a
    number.
    """
    own = {name.lower() for name in (*_FIRST, *_LAST)}
    taken, free = set(own), {}
    for position in range(len(_FIRST), len(wanted) - len(_LAST)):
        if (key := wanted[position].lower()) not in taken:
            taken.add(key)
            free[position] = wanted[position]
    names = []
    for position, name in enumerate(wanted):
        if position in free or not len(_FIRST) <= position < len(wanted) - len(_LAST):
            names.append(name)
        else:
            number = 2
            while f"{name}_{number}".lower() in taken:
                number += 1
            names.append(f"{name}_{number}")
            taken.add(names[-1].lower())
    return names


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
