"""Observables of a scan file: their sources, windows and likelihoods."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from scanspec import keys
from scanspec.document import Section, closest, to_number
from scanspec.likelihoods import NEEDS_MEAN_AND_SIGMA, OFF, Kind, Likelihood
from scanspec.numbers import all_digits
from scanspec.terms import Term, TermKind

Index = int | tuple[int, ...]

OF_ANALYSES = {"PROCESS": 2, "EFFICIENCIES": 3}
"""The blocks of HackAnalysis, which exist once for each analysis, and the number of words that name a value in them:
the analysis, the name, and for an efficiency 0 (the value) or 1 (its error).
"""


def outside(name: str, value: float, window: tuple[float, float] | None) -> str:
    """Says that the value of an observable lies outside its window; empty if it does not."""
    if window is None or window[0] <= value <= window[1]:
        return ""
    low, high = window
    words = f"{value:.6g}" if not low <= float(f"{value:.6g}") <= high else repr(value)
    return f"{name} = {words} is outside [{low:g}, {high:g}]"


@dataclass(frozen=True)
class SlhaAddress:
    """A block entry, such as MASS 25, or a decay: WIDTH 25, BR 25 (5, -5); WIDTH1L and BR1L read DECAY1L.

    `scale` asks for the block at this Q (GeV). `column` (from 1) is the column of the value; `indices` are then the
    first of the other words. `under` holds the first words of the line above the table, for a block with several
    tables. For XSECTION, `indices` are the PDG numbers of the colliding particles and of the products, and `scale` is
    the energy sqrt(s) (GeV); `line` are the first numbers of the line that is meant. `words` is for the blocks
    OF_ANALYSES.
    """

    block: str
    indices: tuple[Index, ...]
    scale: float | None = None
    column: int | None = None
    words: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    line: tuple[float, ...] = ()

    def __str__(self) -> str:
        words = [self.block, *(str(index).replace(",)", ")") for index in self.indices), *self.words]
        if self.scale is not None:
            number = all_digits(self.scale)
            words.append(f"at {number} GeV" if self.block == "XSECTION" else f"at Q = {number}")
        if self.line:
            words.append(f"in the line {' '.join(map(all_digits, self.line))}")
        if self.column is not None:
            words.append(f"in column {self.column}")
        if self.under:
            words.append(f"under {' '.join(self.under)}")
        return " ".join(words)


@dataclass(frozen=True)
class FlavioAddress:
    """An observable of flavio: its name there and its arguments, q2 or the two ends of a bin of q2 (GeV^2)."""

    name: str
    arguments: tuple[float, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.name, *map(all_digits, self.arguments)])


@dataclass(frozen=True)
class ObservableSpec:
    """One number that a point gives.

    Its value is read from the spectrum at `slha`, or is the expression `function`, or flavio's prediction for `flavio`;
    without any of these, the code returns it. `valid` is a closed window, in the observable's unit. With a
    `measurement` (names in flavio's database; empty: the only one) the evaluator alone knows the likelihood's
    constants, and `likelihood` is OFF here. With a `term` of the section `likelihoods`, the value is the -ln L of other
    observables.
    """

    name: str
    code: str | None
    section: Section
    slha: SlhaAddress | None = None
    function: str | None = None
    valid: tuple[float, float] | None = None
    likelihood: Likelihood = OFF
    unit: str = ""
    label: str = ""
    description: str = ""
    flavio: FlavioAddress | None = None
    measurement: tuple[str, ...] | None = None
    term: Term | None = None


def read_observable(entry: Section, name: str, code: str | None, notes: list[str]) -> ObservableSpec:
    """Reads one entry of a section `observables`; `code` is None for the section at the top of the file."""
    slha = read_address(entry) if "slha" in entry else None
    function = entry.expression("function") if "function" in entry else None
    if slha is not None and function is not None:
        raise entry.error(f"observable {name!r} has both slha and function; keep one", "function")
    for key in ("scale", "column", "under", "line"):
        if key in entry and slha is None:
            raise entry.error(f"observable {name!r} has {key}, which belongs to slha, but no slha", key)
    if code is None and slha is None and function is None:
        raise entry.error(f"observable {name!r} belongs to no code, so it needs slha or function")
    flavio = _read_flavio(entry) if "flavio" in entry else None
    if flavio is not None and (slha is not None or function is not None):
        raise entry.error(f"observable {name!r} has flavio beside slha or function; keep one", "flavio")
    window = _read_window(entry)
    if window is None and flavio is not None and is_branching_ratio(flavio.name):
        window = (0.0, 1.0)  # flavio may return BR(Bs->mumu) = 209 without a message
    if window is None and slha is not None:
        window = _NOT_NEGATIVE if (slha.block, slha.indices) == _RELIC_DENSITY else _PHYSICAL.get(slha.block)
    measurement = _read_measurement(entry, name, flavio) if "measurement" in entry else None
    likelihood = _read_likelihood(entry, notes)
    return ObservableSpec(
        name,
        code,
        section=entry,
        slha=slha,
        function=function,
        valid=window,
        likelihood=likelihood,
        unit=entry.text("unit", ""),
        label=entry.text("label", ""),
        description=entry.text("description", ""),
        flavio=flavio,
        measurement=measurement,
    )


def is_branching_ratio(name: str) -> bool:
    """Whether an observable of flavio, by its name, is a branching ratio: a number from 0 to 1."""
    return re.match(r"<?BR[>(_]", name) is not None


def _read_flavio(entry: Section) -> FlavioAddress:
    value = entry.raw("flavio")
    name, *arguments = value if isinstance(value, list) and value else [value]
    numbers = [to_number(argument) for argument in arguments]
    finite = [number for number in numbers if number is not None and math.isfinite(number)]
    if not isinstance(name, str) or len(finite) != len(numbers):
        raise entry.wrong("flavio", "a name, or [name, q2min, q2max], for example BR(Bs->mumu)")
    return FlavioAddress(name, tuple(finite))


def _read_measurement(entry: Section, name: str, flavio: FlavioAddress | None) -> tuple[str, ...] | None:
    """`measurement: true`, the name of a measurement in flavio's database, or a list of names."""
    words = str(entry.raw("measurement")).lower()
    if words == "false":
        return None
    if flavio is None:
        raise entry.error(f"observable {name!r} has the key measurement, which needs the key flavio", "flavio")
    beside = [key for key in ("mean", "sigma", "scaling", "range") if key in entry]
    if beside:
        raise entry.error(f"observable {name!r} has measurement and {beside[0]}; keep one", beside[0])
    return () if words == "true" else tuple(entry.texts("measurement"))


def read_address(entry: Section, key: str = "slha", value: Any = None) -> SlhaAddress:
    """Reads `slha: [BLOCK, [indices]]`, BSMArt's form, or `slha: [BLOCK, index, ...]`.

    Under the key `slha`, the neighbouring keys `scale`, `column`, `under` and `line` are read, too. `value` is the
    entry to read where the key holds several. Raises ScanFileError.
    """
    value = entry.raw(key) if value is None else value
    wanted = "[BLOCK, [indices]], for example [MASS, [25]], [WIDTH, 25] or [BR, [25, [5, -5]]]"
    if not isinstance(value, list) or not value or value[0] is None or isinstance(value[0], (dict, list)):
        raise entry.wrong(key, wanted)
    block, rest = str(value[0]).upper(), list(value[1:])
    if len(rest) == 1 and isinstance(rest[0], list):
        rest = list(rest[0])
    if key == "slha":
        _check_neighbours(entry, block)
    if block in OF_ANALYSES:
        return _read_words(entry, key, block, rest)
    if block == "XSECTION":
        return _read_cross_section(entry, key, rest)
    try:
        indices = tuple(tuple(_index(i) for i in index) if isinstance(index, list) else _index(index) for index in rest)
    except ValueError:
        raise entry.wrong(key, wanted) from None
    if not _fit(block, indices):
        raise entry.wrong(key, wanted)
    if key != "slha":
        return SlhaAddress(block, indices)
    scale = entry.number_in("scale", 0.0, 0.0, math.inf, open_low=True) if "scale" in entry else None
    column = entry.integer("column", low=1) if "column" in entry else None
    return SlhaAddress(block, indices, scale, column, under=_read_under(entry) if "under" in entry else ())


def _check_neighbours(entry: Section, block: str) -> None:
    """Raises ScanFileError for a key beside `slha` that says nothing about such a block."""
    special = block in _TABLES or block == "XSECTION" or block in OF_ANALYSES
    for name in ("scale", "column", "under"):
        if name in entry and special:
            raise entry.error(f"{name} is for entries of blocks; {block} is not one", name)
    if "line" in entry and block != "XSECTION":
        raise entry.error(f"line is for XSECTION, whose lines begin with numbers; {block} has none", "line")


def _fit(block: str, indices: tuple[int | tuple[int, ...], ...]) -> bool:
    """Whether these can be the indices of an entry: [particle] of a width, [particle, [products]] or [particle,
    products...] of a branching ratio, whole numbers of any other block.
    """
    nested = [index for index in indices if isinstance(index, tuple)]
    if block in ("DECAY", "DECAY1L"):  # written as WIDTH or BR
        return False
    if block in ("WIDTH", "WIDTH1L"):
        return len(indices) == 1 and not nested
    if block in ("BR", "BR1L"):
        products = nested[0] if nested else indices[1:]
        return len(products) >= 2 and isinstance(indices[0], int) and (not nested or len(indices) == 2)
    return not nested


def _read_under(entry: Section) -> tuple[str, ...]:
    value = entry.raw("under")
    words = [str(word) for word in value] if isinstance(value, list) else str(value).split()
    if not words or not words[0][:1].isalpha():
        wanted = "the first words of the line that heads the table in the block, for example XS 11 -11 500"
        raise entry.wrong("under", wanted)
    return tuple(words)


_TABLES = ("WIDTH", "WIDTH1L", "BR", "BR1L")

_RATIO, _NOT_NEGATIVE = (0.0, 1.0), (0.0, math.inf)
_PHYSICAL = dict.fromkeys(("BR", "BR1L"), _RATIO) | dict.fromkeys(("WIDTH", "WIDTH1L", "XSECTION"), _NOT_NEGATIVE)
"""The physical ranges: one-loop codes write negative values, which would be the best points under UPPER."""
_RELIC_DENSITY = ("DARKMATTER", (1,))
"""micrOMEGAs writes -1 if it could not compute the relic density."""


def _read_words(entry: Section, key: str, block: str, rest: list[Any]) -> SlhaAddress:
    words = tuple(str(word) for word in rest if not isinstance(word, list))
    last = {"PROCESS": "", "EFFICIENCIES": ", 0 (or 1: its error)"}[block]
    if len(words) != OF_ANALYSES[block] or len(words) != len(rest) or words[2:] not in ((), ("0",), ("1",)):
        raise entry.wrong(key, f"[{block}, [ANALYSIS, NAME{last}]]")
    return SlhaAddress(block, (), words=words)


def _read_cross_section(entry: Section, key: str, rest: list[Any]) -> SlhaAddress:
    energy = to_number(rest[0]) if rest else None
    try:
        pdgs = tuple(_index(index) for index in rest[1:])
    except ValueError:
        pdgs = ()
    if energy is None or not 0 < energy < math.inf or len(pdgs) < 3:
        wanted = "[XSECTION, [energy in GeV, PDG numbers of the two colliding particles, those of the products]]"
        raise entry.wrong(key, f"{wanted}, for example [XSECTION, [13000, 2212, 2212, 1000022, 1000024]]")
    line = tuple(entry.numbers("line")) if key == "slha" and "line" in entry else ()
    if len(line) > 6:
        wanted = "at most six numbers: scale scheme, order in QCD (0: LO, 1: NLO, 2: NLL), order in EW, two kappas, PDF"
        raise entry.wrong("line", wanted)
    return SlhaAddress("XSECTION", pdgs, energy, line=line)


def _index(value: Any) -> int:
    number = to_number(value)
    if number is None or not number.is_integer():
        raise ValueError(value)
    return int(number)


def _read_window(entry: Section) -> tuple[float, float] | None:
    if "valid" not in entry:
        return None
    ends = entry.numbers("valid") if isinstance(entry.raw("valid"), list) else [entry.number("valid")]
    return min(ends), max(ends)


def _read_likelihood(entry: Section, notes: list[str]) -> Likelihood:
    entry.boolean("log_scaling", False)  # a wrong value is refused even if the kind does not read it
    mean = entry.number("mean") if "mean" in entry else math.nan
    if isinstance(entry.raw("sigma"), dict):
        raise entry.error(f"{entry.path}: errors of two sizes stand {keys.AS_TERM}", "sigma")
    sigma = entry.number("sigma") if "sigma" in entry else math.nan
    if "range" in entry:
        entry.numbers("range", 2)
    if "scaling" in entry:
        kind = _read_kind(entry)
        if kind is not Kind.OFF and math.isnan(mean) != math.isnan(sigma) and "range" in entry:
            raise entry.error(f"{entry.path} has a range and one of mean and sigma; give both or none", "range")
        if math.isnan(mean) and "range" in entry:
            low, high = sorted(entry.numbers("range", 2))
            mean, sigma = (low + high) / 2, (high - low) / 2
    else:
        kind = _kind_without_scaling(entry, mean, sigma, notes)
    if kind is Kind.OFF:
        return OFF
    if unread := [key for key in _not_read(kind, entry) if key in entry]:
        notes.append(f"{entry.path}: {' and '.join(map(entry.spelling, unread))} {_HAS[len(unread) > 1]} {kind.value}")
    if kind is Kind.CFUNCTION:
        return _read_cfunction(entry, mean, sigma)
    if kind in NEEDS_MEAN_AND_SIGMA:
        _check_constants(entry, kind, mean, sigma)
        return Likelihood(kind, mean, sigma)
    return Likelihood(kind)


def _kind_without_scaling(entry: Section, mean: float, sigma: float, notes: list[str]) -> Kind:
    """Gaussian with `mean` and `sigma`, which go together; OFF without them."""
    if not math.isnan(mean) and not math.isnan(sigma):
        return Kind.GAUSS
    if "mean" in entry or "sigma" in entry:
        has, without = ("mean", "sigma") if "mean" in entry else ("sigma", "mean")
        needs = entry.spelling(without)
        raise entry.error(
            f"{entry.path} has a {entry.spelling(has)} without a {needs}, so it would not be part of the likelihood; "
            f"give the {needs}, or write scaling: OFF if that is meant",
            has,
        )
    if unused := [key for key in ("range", "lower_bound", "upper_bound") if key in entry]:
        why = "but no mean and sigma, and no scaling" if "range" in unused else "without a mean and a sigma"
        notes.append(f"{entry.path} has {' and '.join(unused)} {why}: it is not part of the likelihood")
    return Kind.OFF


_HAS = ("has no meaning for the scaling", "have no meaning for the scaling")


def _not_read(kind: Kind, entry: Section) -> tuple[str, ...]:
    """Keys that a likelihood of this kind does not read."""
    if kind is Kind.CFUNCTION:
        return ()
    if kind in NEEDS_MEAN_AND_SIGMA:
        return ("lower_bound", "upper_bound", "log_scaling", *(("range",) if "mean" in entry else ()))
    return ("mean", "sigma", "range", "lower_bound", "upper_bound", "log_scaling")


def _read_kind(entry: Section) -> Kind:
    name = entry.text("scaling")
    if name == "LOGUSER":
        raise entry.error(
            "LOGUSER means different things in different scans of BSMArt; write EXPUSER when the observable is ln L, "
            "MINUSEXPUSER when it is -ln L",
            "scaling",
        )
    if name in TermKind.__members__:
        raise entry.error(f"{entry.path}: scaling {name} stands {keys.AS_TERM}", "scaling")
    try:
        return Kind(name)
    except ValueError:
        raise entry.error(
            f"unknown scaling {name!r}{closest(name, [kind.value for kind in Kind])}", "scaling"
        ) from None


def _check_constants(entry: Section, kind: Kind, mean: float, sigma: float) -> None:
    if math.isnan(mean) or math.isnan(sigma):
        raise entry.error(f"{entry.path}: scaling {kind.value} needs a mean and a sigma, or a range", "scaling")
    if math.isinf(mean):
        raise entry.wrong("mean" if "mean" in entry else "range", "finite")
    _check_sigma(entry, sigma)
    if kind is Kind.BIAS and mean == 0:
        raise entry.wrong("mean", "other than 0 for the scaling BIAS, (x / mean)^sigma")


def _check_sigma(entry: Section, sigma: float) -> None:
    if "sigma" in entry:
        entry.positive("sigma")
    if not 0.0 < sigma < math.inf:
        raise entry.wrong("range", "a range of a width above 0")


def _read_cfunction(entry: Section, mean: float, sigma: float) -> Likelihood:
    if math.isinf(mean):
        raise entry.wrong("mean" if "mean" in entry else "range", "finite")
    if not math.isnan(sigma):
        _check_sigma(entry, sigma)
    known = not math.isnan(mean) and not math.isnan(sigma)
    lower = entry.number("lower_bound", mean - sigma if known else -math.inf)
    upper = entry.number("upper_bound", mean + sigma if known else math.inf)
    if lower == math.inf:
        raise entry.wrong("lower_bound", "finite, or -inf")
    if upper == -math.inf:
        raise entry.wrong("upper_bound", "finite, or inf")
    if lower > upper:
        raise entry.error(f"lower_bound {lower:g} is above upper_bound {upper:g}", "lower_bound")
    log_scaling = entry.boolean("log_scaling", False)
    open_below = lower == -math.inf or (log_scaling and lower <= 0)
    open_above = upper == math.inf or (log_scaling and upper <= 0)
    if open_below and open_above:
        raise entry.error(f"{entry.path}: CFUNCTION needs lower_bound, upper_bound, or a mean and a sigma", "scaling")
    return Likelihood(Kind.CFUNCTION, mean, sigma=sigma, lower=lower, upper=upper, log_scaling=log_scaling)
