"""Variables of a scan: names, kinds, ranges and priors."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import NamedTuple

from scanspec import keys
from scanspec.document import ScanFileError, Section, closest, to_number
from scanspec.numbers import for_json


class PriorKind(enum.Enum):
    """Shapes of a prior density."""

    UNIFORM = "uniform"
    LOG_UNIFORM = "log-uniform"
    NORMAL = "normal"
    SYMMETRIC = "symmetric-uniform"
    SYMMETRIC_LOG = "symmetric-log"
    SINE = "sine"

    @property
    def symmetric(self) -> bool:
        """Whether the range is one of magnitudes, and both signs are equally likely."""
        return self in (PriorKind.SYMMETRIC, PriorKind.SYMMETRIC_LOG)


MOST_VALUES = 10_000
"""The most values of one variable that is a choice among values."""

FARTHEST = 1e6
"""Standard deviations. Farther from the mean, doubles cannot resolve a normal prior."""

PRIOR_NAMES = {name: kind for kind in PriorKind for name in (kind.value, kind.value.replace("-", "_"))}


@dataclass(frozen=True)
class Variable:
    """One coordinate of the parameter space.

    The prior has the shape `prior` within [`low`, `high`]; these bounds may be infinite for a normal prior. `mean` and
    `sigma` belong to a normal prior and are None for others. All are in the variable's unit. A symmetric prior has the
    magnitudes `inner` to `high` with either sign (low = -high), and SINE is the polar angle of an isotropic direction,
    in radians. `periodic`: low and high are the same point, as for a phase. `integer`: only the whole numbers from low
    to high. `values`: only these values, in the file's order; low and high are the lowest and the highest of them.
    `steps`: the number of steps of a grid, 0 if the file does not say.
    """

    name: str
    low: float
    high: float
    prior: PriorKind = PriorKind.UNIFORM
    mean: float | None = None
    sigma: float | None = None
    unit: str = ""
    label: str = ""
    description: str = ""
    periodic: bool = False
    integer: bool = False
    values: tuple[float, ...] = ()
    steps: int = 0
    inner: float = 0.0

    @property
    def normal(self) -> tuple[float, float]:
        """Mean and standard deviation of a normal prior."""
        assert self.mean is not None and self.sigma is not None, self.prior
        return self.mean, self.sigma

    @property
    def fixed(self) -> bool:
        """Whether the variable has one value only."""
        return self.low == self.high

    @property
    def cardinality(self) -> int:
        """The number of values that the variable may have; 0 for a continuum."""
        return len(self.values) or (round(self.high - self.low) + 1 if self.integer else 0)

    @property
    def entry(self) -> dict[str, object]:
        """The entry of the variable in the section `variables` of a scan file, in values for JSON."""
        found: dict[str, object] = {"values": list(self.values)}
        if not self.values:
            found = {"range": [for_json(self.inner if self.prior.symmetric else self.low), for_json(self.high)]}
        if self.prior is PriorKind.NORMAL:
            found["prior"] = {"type": self.prior.value, "mean": self.mean, "sigma": self.sigma}
        elif self.prior is not PriorKind.UNIFORM:
            found["prior"] = self.prior.value
        more = {"unit": self.unit, "label": self.label, "description": self.description, "steps": self.steps}
        more |= {"periodic": self.periodic, "type": "integer" if self.integer else ""}
        return found | {key: value for key, value in more.items() if value}

    @property
    def grid_steps(self) -> int:
        """The number of values in a grid; 0 if the file does not say."""
        return 1 if self.fixed else self.steps or self.cardinality


def read_variable(section: Section, name: str) -> Variable:
    """Reads one entry of the section `variables`: a mapping, a range, or one number (a fixed variable). Raises
    ScanFileError.
    """
    raw = section.raw(name)
    if isinstance(raw, list):
        low, high = _read_range(section, name)
        return _checked(section, name, Variable(name, low, high))
    if (value := to_number(raw)) is not None:
        return _checked(section, name, Variable(name, value, value))
    if not isinstance(raw, dict):
        raise section.wrong(name, "a range, [low, high], or a mapping with one, {range: [low, high]}")
    entry = section.section(name, keys.VARIABLE)
    low, high = -math.inf, math.inf
    if "range" in entry:
        low, high = _read_range(entry, "range")
    prior = _read_prior(entry)
    kind, low, high = prior.kind, max(low, prior.low), min(high, prior.high)
    values = _read_values(entry)
    if values:
        low, high = min(values), max(values)
    inner = 0.0
    if kind.symmetric:
        low, high, inner = _mirrored(entry, kind, low, high)
    elif kind is PriorKind.SINE:
        low, high = _angles(entry, low, high)
    variable = Variable(
        name,
        low,
        high=high,
        prior=kind,
        mean=prior.mean,
        sigma=prior.sigma,
        unit=entry.text("unit", ""),
        label=entry.text("label", ""),
        description=entry.text("description", ""),
        periodic=entry.boolean("periodic", False),
        integer=_is_integer(entry),
        values=values,
        steps=entry.integer("steps", 0, low=1),
        inner=inner,
    )
    _check_kind(entry, variable)
    return _checked(entry, "values" if values else "range", variable)


class _Prior(NamedTuple):
    """The prior of a variable. `mean` and `sigma` are those of a normal prior; `low` and `high` are its own bounds."""

    kind: PriorKind = PriorKind.UNIFORM
    mean: float | None = None
    sigma: float | None = None
    low: float = -math.inf
    high: float = math.inf


def _read_prior(entry: Section) -> _Prior:
    if "prior" not in entry:
        return _Prior()
    if not isinstance(entry.raw("prior"), dict):
        kind = _prior_kind(entry, "prior")
        if kind is PriorKind.NORMAL:
            raise entry.error(
                f"{entry.path}: a normal prior needs its constants, in a mapping: "
                f"{entry.spelling('prior')}: {{type: normal, mean: ..., sigma: ...}}",
                "prior",
            )
        return _Prior(kind)
    prior = entry.section("prior", keys.PRIOR)
    kind, mean, sigma = _prior_kind(prior, "type"), None, None
    if kind is PriorKind.NORMAL:
        mean, sigma = prior.finite("mean"), prior.positive("sigma")
    elif extra := next((key for key in ("mean", "sigma") if key in prior), None):
        raise prior.error(f"{prior.path}: {extra} belongs to the type normal, but the type is {kind.value}", extra)
    return _Prior(kind, mean, sigma, prior.number("low", -math.inf), prior.number("high", math.inf))


def _mirrored(entry: Section, kind: PriorKind, low: float, high: float) -> tuple[float, float, float]:
    """`low`, `high` and `inner` of a variable with a range of magnitudes."""
    if not (low < high < math.inf and low >= 0) or kind is PriorKind.SYMMETRIC_LOG and low == 0:
        least = "above 0" if kind is PriorKind.SYMMETRIC_LOG else "at least 0"
        rule = f"the prior {kind.value} takes a range of magnitudes, {least}, of either sign"
        fix = f"[{low:g}, {high:g}] is not one; for one magnitude write values: [-x, x]"
        raise entry.error(f"{entry.path}: {rule}; {fix}", "range")
    return -high, high, low


_SLACK = 1e-3  # radians: 3.1416 and 3.142 are pi


def _angles(entry: Section, low: float, high: float) -> tuple[float, float]:
    """The range of a polar angle in radians."""
    if not 0 <= low <= high <= math.pi + _SLACK:
        raise entry.error(f"{entry.path}: a polar angle lies in 0 to pi (radians); change the range", "range")
    return low, min(high, math.pi)


def _is_integer(entry: Section) -> bool:
    kind = entry.text("type", "real").lower()
    if kind not in ("real", "integer"):
        raise entry.wrong("type", "real or integer (for a choice among values write values: [a, b, c])")
    return kind == "integer"


def _read_values(entry: Section) -> tuple[float, ...]:
    if "values" not in entry:
        return ()
    values = entry.numbers("values")
    if not all(math.isfinite(value) for value in values):
        raise entry.wrong("values", "a list of finite numbers")
    if len(values) > MOST_VALUES:
        raise entry.error(f"{entry.path}: {len(values):,} values, at most {MOST_VALUES:,}", "values")
    if (twice := repeated(values)) is not None:
        raise entry.error(f"{twice:g} is there twice; name each value once", "values")
    if without := next((key for key in ("range", "type", "prior") if key in entry), None):
        raise entry.error(f"values and {without} exclude each other: values are equally likely; keep one", without)
    return tuple(values)


def _check_kind(entry: Section, variable: Variable) -> None:
    if variable.integer:
        if "prior" in entry and variable.prior is not PriorKind.UNIFORM:
            raise entry.error("an integer variable has no prior: its values are equally likely; remove it", "prior")
        if not (variable.low.is_integer() and variable.high.is_integer()) or variable.high - variable.low > 10**9:
            raise entry.wrong("range", "two whole numbers at most 10^9 apart, because the type is integer")
    if variable.periodic and (variable.cardinality or variable.prior is not PriorKind.UNIFORM):
        raise entry.error("a periodic variable is real and has a uniform prior; remove one or the other", "periodic")
    if variable.cardinality and variable.steps > variable.cardinality:
        raise entry.error(f"there are {variable.cardinality} values, so there cannot be more steps", "steps")


def repeated(values: list[float]) -> float | None:
    """The first value that occurs twice; None if all are different."""
    seen: set[float] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _read_range(section: Section, key: str) -> tuple[float, float]:
    low, high = sorted(section.numbers(key, 2))
    return low, high


def _prior_kind(section: Section, key: str) -> PriorKind:
    name = section.text(key)
    if name.lower() not in PRIOR_NAMES:
        raise section.error(f"{name!r} is not a prior that lodescan knows{closest(name, PRIOR_NAMES)}", key)
    return PRIOR_NAMES[name.lower()]


def _checked(section: Section, key: str, variable: Variable) -> Variable:
    def refuse(why: str) -> ScanFileError:
        return section.error(f"variable {variable.name!r}: {why}", key)

    if variable.low > variable.high:
        raise refuse(f"the range is empty ({variable.low:g} to {variable.high:g} after the prior's own bounds)")
    if variable.prior is not PriorKind.NORMAL and not (math.isfinite(variable.low) and math.isfinite(variable.high)):
        raise refuse("needs a finite range: [low, high]")
    if math.isinf(variable.low) and variable.low > 0 or math.isinf(variable.high) and variable.high < 0:
        raise refuse("the range is empty (it lies at infinity)")
    if variable.prior is PriorKind.NORMAL and variable.low < variable.high:
        mean, sigma = variable.normal
        if max(variable.low - mean, mean - variable.high) > FARTHEST * sigma:
            raise refuse(
                f"the range from {variable.low:g} to {variable.high:g} is more than {FARTHEST:g} standard deviations "
                "from the prior's mean; change the one or the other"
            )
    if variable.prior is PriorKind.LOG_UNIFORM and variable.low <= 0:
        raise refuse(f"a log-uniform prior needs a range above 0, but it starts at {variable.low:g}")
    return variable
