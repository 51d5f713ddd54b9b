"""Variables of a scan: names, kinds, ranges and priors."""

from __future__ import annotations

import ast
import enum
import math
from dataclasses import dataclass

from scanspec import keys
from scanspec.document import ScanFileError, Section, closest, to_number


class PriorKind(enum.Enum):
    """Shapes of a prior density."""

    UNIFORM = "uniform"
    LOG_UNIFORM = "log-uniform"
    NORMAL = "normal"


FARTHEST = 1e6
"""Standard deviations: beyond, doubles cannot resolve what is left of a normal prior."""

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
    `periodic`: low and high are the same place, as for a phase. `integer`: only the whole
    numbers from low to high. `values`: only these, in the file's order; low and high are the
    least and the greatest. `steps`: how many a grid takes, 0 where the file does not say.
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
    periodic: bool = False
    integer: bool = False
    values: tuple[float, ...] = ()
    steps: int = 0

    @property
    def fixed(self) -> bool:
        """Whether the variable has one value only."""
        return self.low == self.high

    @property
    def shares(self) -> int:
        """How many values the variable may have; 0 for a continuum."""
        return len(self.values) or (round(self.high - self.low) + 1 if self.integer else 0)

    @property
    def grid_steps(self) -> int:
        """How many values a grid takes; 0 when the file does not say."""
        return 1 if self.fixed else self.steps or self.shares


def read_variable(section: Section, name: str, ignored: list[str]) -> Variable:
    """Reads one entry of the section `variables`: a mapping, the range alone, one number (a fixed variable), or a
    grid as BSMArt writes it.
    """
    raw = section.raw(name)
    if isinstance(raw, list):
        low, high = _read_range(section, name)
        return _checked(section, name, Variable(name, low, high))
    if (value := to_number(raw)) is not None:
        return _checked(section, name, Variable(name, value, value))
    if isinstance(raw, str):
        return _checked(section, name, _read_numpy(section, name))
    if not isinstance(raw, dict):
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
    values = _read_values(entry)
    if values:
        low, high = min(values), max(values)
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
        entry.boolean("periodic", False),
        _is_integer(entry),
        values,
        entry.integer("steps", 0, low=1),
    )
    _check_kind(entry, variable)
    return _checked(entry, "values" if values else "range", variable)


def _is_integer(entry: Section) -> bool:
    kind = entry.text("type", "real").lower()
    if kind not in ("real", "integer"):
        raise entry.wrong("type", "real or integer (for a choice among values write values: [a, b, c])")
    return kind == "integer"


def _read_values(entry: Section) -> tuple[float, ...]:
    if "values" not in entry:
        return ()
    values = entry.numbers("values")
    if not all(math.isfinite(each) for each in values):
        raise entry.wrong("values", "a list of finite numbers")
    if twice := [each for each in values if values.count(each) > 1]:
        raise entry.error(f"{twice[0]:g} is there twice; name each value once", "values")
    if without := next((key for key in ("range", "type", "prior") if key in entry), None):
        raise entry.error(f"values and {without} exclude each other: values are equally likely; keep one", without)
    return tuple(values)


def _check_kind(entry: Section, variable: Variable) -> None:
    if variable.integer:
        if "prior" in entry and variable.prior is not PriorKind.UNIFORM:
            raise entry.error("an integer variable has no prior: its values are equally likely; remove it", "prior")
        if not (variable.low.is_integer() and variable.high.is_integer()) or variable.high - variable.low > 10**9:
            raise entry.wrong("range", "two whole numbers at most 10^9 apart, because the type is integer")
    if variable.periodic and (variable.shares or variable.prior is not PriorKind.UNIFORM):
        raise entry.error("a periodic variable is real and has a uniform prior; remove one or the other", "periodic")
    if variable.shares and variable.steps > variable.shares:
        raise entry.error(f"there are {variable.shares} values, so there cannot be more steps", "steps")


_NUMPY = {
    "linspace": PriorKind.UNIFORM, "arange": PriorKind.UNIFORM,
    "geomspace": PriorKind.LOG_UNIFORM, "logspace": PriorKind.LOG_UNIFORM,
}  # fmt: skip


def _read_numpy(section: Section, name: str) -> Variable:
    """The grid of BSMArt's type `Grid`, such as "np.linspace(0, 1, 11)": its range and its steps; nothing is run."""
    found = _call_of_numbers(str(section.raw(name)))
    if found is not None and len(found[1]) == 2:
        found[1].append(1.0 if found[0] == "arange" else 50.0)  # what numpy takes
    if found is None or found[0] not in _NUMPY or len(found[1]) != 3:
        raise section.wrong(
            name, "a mapping, [low, high], a number, or np.linspace(low, high, steps) (geomspace, logspace, arange)"
        )
    function, (first, last, third) = found
    if function == "arange":
        ahead = (last - first) / third if third else 0.0
        steps = float(max(0, math.ceil(ahead - 1e-9)) if math.isfinite(ahead) else 0)
        last = first + third * (steps - 1.0)
    elif function == "logspace":
        steps = third
        first, last = (10.0**each if abs(each) < 308 else math.inf for each in (first, last))
    else:
        steps = third
    if not (math.isfinite(first) and math.isfinite(last)) or steps < 1 or steps != int(steps):
        raise section.wrong(name, "a grid of finite numbers with at least one step")
    if steps == 1:
        last = first
    return Variable(name, min(first, last), max(first, last), _NUMPY[function], steps=int(steps))


def _call_of_numbers(text: str) -> tuple[str, list[float]] | None:
    """The function and the numbers of `np.function(a, b, c)`, or `num=c`; None for any other text."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return None
    if not (isinstance(call.func.value, ast.Name) and call.func.value.id in ("np", "numpy")):
        return None
    try:
        numbers = [float(ast.literal_eval(each)) for each in call.args]
        if call.keywords:
            (steps,) = call.keywords
            if steps.arg != "num" or len(numbers) != 2 or call.func.attr == "arange":
                return None
            numbers.append(float(ast.literal_eval(steps.value)))
    except (ValueError, TypeError, OverflowError):
        return None
    return call.func.attr, numbers


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
    if variable.prior is PriorKind.NORMAL and variable.low < variable.high:
        farthest = FARTHEST * variable.sigma
        if max(variable.low - variable.mean, variable.mean - variable.high) > farthest:
            raise refuse(
                f"the range from {variable.low:g} to {variable.high:g} is more than {FARTHEST:g} standard deviations "
                "from the prior's mean; change the one or the other"
            )
    if variable.prior is PriorKind.LOG_UNIFORM and variable.low <= 0:
        raise refuse(f"a log-uniform prior needs a range above 0, but it starts at {variable.low:g}")
    return variable
