"""Variables of a scan: names, ranges and priors."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from scanspec import keys
from scanspec.document import ScanFileError, Section, closest


class PriorKind(enum.Enum):
    """Shapes of a prior density."""

    UNIFORM = "uniform"
    LOG_UNIFORM = "log-uniform"
    NORMAL = "normal"


# BSMArt's names; its INTERVAL, OPEN, NONE, FIXED and LINEAR all draw uniformly from RANGE
PRIOR_NAMES = {
    "uniform": PriorKind.UNIFORM,
    "linear": PriorKind.UNIFORM,
    "interval": PriorKind.UNIFORM,
    "open": PriorKind.UNIFORM,
    "none": PriorKind.UNIFORM,
    "fixed": PriorKind.UNIFORM,
    "log-uniform": PriorKind.LOG_UNIFORM,
    "log_uniform": PriorKind.LOG_UNIFORM,
    "log": PriorKind.LOG_UNIFORM,
    "normal": PriorKind.NORMAL,
    "gauss": PriorKind.NORMAL,
}


@dataclass(frozen=True)
class Variable:
    """One coordinate of the parameter space.

    The prior is of shape `prior`, restricted to [`low`, `high`] (perhaps infinite for a
    normal one); `mean` and `sigma` belong to a normal prior. All in the variable's unit.
    """

    name: str
    low: float
    high: float
    prior: PriorKind = PriorKind.UNIFORM
    mean: float = math.nan
    sigma: float = math.nan
    unit: str = ""
    label: str = ""
    description: str = ""

    @property
    def fixed(self) -> bool:
        """Whether the variable has one value only."""
        return self.low == self.high


def read_variable(section: Section, name: str, ignored: list[str]) -> Variable:
    """Reads one entry of the section `variables`: a mapping, or the range alone."""
    if isinstance(section.raw(name), list):
        low, high = _read_range(section, name)
        return _checked(section, name, Variable(name, low, high))
    if not isinstance(section.raw(name), dict):  # BSMArt's Grid has Python text here
        raise section.wrong(name, "a range, [low, high], or a mapping with one, {range: [low, high]}")
    entry = section.section(name, keys.VARIABLE)
    ignored += entry.ignored
    low, high = -math.inf, math.inf
    if "range" in entry:
        low, high = _read_range(entry, "range")
    kind, mean, sigma = PriorKind.UNIFORM, math.nan, math.nan
    if isinstance(entry.raw("prior"), dict):
        prior = entry.section("prior", keys.PRIOR)
        kind = _prior_kind(prior, "type")
        if kind is PriorKind.NORMAL:
            mean, sigma = prior.number("mean"), prior.number("sigma")
            if math.isinf(mean):
                raise prior.wrong("mean", "a finite number")
            if not sigma > 0 or math.isinf(sigma):
                raise prior.wrong("sigma", "a finite number above 0")
        low, high = max(low, prior.number("low", -math.inf)), min(high, prior.number("high", math.inf))
    elif "prior" in entry:
        kind = _prior_kind(entry, "prior")
        if kind is PriorKind.NORMAL:
            raise entry.wrong("prior", "a mapping for a normal prior: {type: normal, mean: ..., sigma: ...}")
    variable = Variable(
        name,
        low,
        high,
        kind,
        mean,
        sigma,
        entry.text("unit", ""),
        entry.text("label", ""),
        entry.text("description", ""),
    )
    return _checked(entry, "range", variable)


def _read_range(section: Section, key: str) -> tuple[float, float]:
    low, high = sorted(section.numbers(key, 2))
    return low, high


def _prior_kind(section: Section, key: str) -> PriorKind:
    name = section.text(key)
    if name.lower() not in PRIOR_NAMES:
        raise section.error(f"{name!r} is no prior that lodescan knows{closest(name, PRIOR_NAMES)}", key)
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
    if variable.prior is PriorKind.LOG_UNIFORM and variable.low <= 0:
        raise refuse(f"a log-uniform prior needs a range above 0, but it starts at {variable.low:g}")
    return variable
