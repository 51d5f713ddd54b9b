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
    SYMMETRIC = "symmetric-uniform"
    SYMMETRIC_LOG = "symmetric-log"
    SINE = "sine"

    @property
    def symmetric(self) -> bool:
        """Whether the range is one of magnitudes, and either sign is as likely."""
        return self in (PriorKind.SYMMETRIC, PriorKind.SYMMETRIC_LOG)


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
    "symmetric-uniform": PriorKind.SYMMETRIC,
    "symmetric_uniform": PriorKind.SYMMETRIC,
    "symlinear": PriorKind.SYMMETRIC,
    "symmetric-log": PriorKind.SYMMETRIC_LOG,
    "symmetric_log": PriorKind.SYMMETRIC_LOG,
    "symlog": PriorKind.SYMMETRIC_LOG,
    "sine": PriorKind.SINE,
    "sin": PriorKind.SINE,
}

_DERIVED = {
    "lognormal": "give its logarithm ln_x a normal prior and make it the derived variable exp(ln_x)",
    "exp": "give u the range [exp(sigma*low), exp(sigma*high)] and make it the derived variable log(u)/sigma",
    "cauchy": "give u a range within (0, 1) and make it the derived variable mean + sigma*tan(pi*(u - 0.5))",
}
"""Priors of BSMArt that a function of another variable has exactly."""


@dataclass(frozen=True)
class Variable:
    """One coordinate of the parameter space.

    The prior is of shape `prior`, restricted to [`low`, `high`] (perhaps infinite for a
    normal one); `mean` and `sigma` belong to a normal prior, None elsewhere. All in the variable's unit.
    A symmetric prior has the magnitudes `inner` to `high` with either sign (low = -high), and
    SINE is the polar angle of an isotropic direction, in radians.
    `periodic`: low and high are the same place, as for a phase. `integer`: only the whole
    numbers from low to high. `values`: only these, in the file's order; low and high are the
    least and the greatest. `steps`: how many a grid takes, 0 where the file does not say.
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
        return _checked(section, name, _read_grid(section, name, _parse(raw)))
    if not isinstance(raw, dict):
        raise section.wrong(name, "a range, [low, high], or a mapping with one, {range: [low, high]}")
    entry = section.section(name, keys.VARIABLE)
    ignored += entry.ignored
    low, high = -math.inf, math.inf
    if "range" in entry:
        low, high = _read_range(entry, "range")
    kind, mean, sigma = PriorKind.UNIFORM, None, None
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
    inner = 0.0
    if kind.symmetric:
        low, high, inner = _mirrored(entry, kind, low, high)
    elif kind is PriorKind.SINE:
        low, high = _angles(entry, low, high)
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
        inner,
    )
    _check_kind(entry, variable)
    return _checked(entry, "values" if values else "range", variable)


def _mirrored(entry: Section, kind: PriorKind, low: float, high: float) -> tuple[float, float, float]:
    """Low, high and inner end of a range of magnitudes."""
    if not (low < high < math.inf and low >= 0) or kind is PriorKind.SYMMETRIC_LOG and low == 0:
        least = "above 0" if kind is PriorKind.SYMMETRIC_LOG else "at least 0"
        said = f"the prior {kind.value} takes a range of magnitudes, {least}, of either sign"
        fix = f"[{low:g}, {high:g}] is none; for one magnitude write values: [-x, x]"
        raise entry.error(f"{entry.path}: {said}; {fix}", "range")
    return -high, high, low


_SLACK = 1e-3  # radians: 3.1416 and 3.142 are pi


def _angles(entry: Section, low: float, high: float) -> tuple[float, float]:
    """The range of a polar angle in radians; of BSMArt's SIN, which takes degrees and gives radians, too."""
    prior = entry.raw("prior")
    if isinstance(prior, dict):
        prior = entry.section("prior", keys.PRIOR).raw("type")
    if in_degrees := str(prior).lower() == "sin":
        if high <= 2 * math.pi:
            said = f"[{low:g}, {high:g}] looks like radians; write prior: sine, which takes them"
            raise entry.error(f"{entry.path}: BSMArt's prior SIN takes its range in degrees, but {said}", "range")
        low, high = math.radians(low), math.radians(high)
    if not 0 <= low <= high <= math.pi + _SLACK:
        wanted = "0 to 180 degrees" if in_degrees else "0 to pi (radians)"
        raise entry.error(f"{entry.path}: a polar angle lies in {wanted}; change the range", "range")
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
    if not all(math.isfinite(each) for each in values):
        raise entry.wrong("values", "a list of finite numbers")
    if len(values) > _MOST_VALUES:
        raise entry.error(f"{entry.path}: {len(values):,} values, at most {_MOST_VALUES:,}", "values")
    if (twice := _repeated(values)) is not None:
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
    if variable.periodic and (variable.shares or variable.prior is not PriorKind.UNIFORM):
        raise entry.error("a periodic variable is real and has a uniform prior; remove one or the other", "periodic")
    if variable.shares and variable.steps > variable.shares:
        raise entry.error(f"there are {variable.shares} values, so there cannot be more steps", "steps")


_NUMPY = {
    "linspace": PriorKind.UNIFORM,
    "arange": PriorKind.UNIFORM,
    "geomspace": PriorKind.LOG_UNIFORM,
    "logspace": PriorKind.LOG_UNIFORM,
}

_MOST_VALUES = 10_000

_A_GRID = (
    "a mapping, [low, high], a number, or np.linspace(low, high, steps) (geomspace, logspace, arange), "
    "np.array([a, b, c]), range(start, stop, step)"
)


def _read_grid(section: Section, name: str, tree: ast.expr | None) -> Variable:
    """The grid of BSMArt's type `Grid`, such as "np.linspace(0, 1, 11)", as what it gives; nothing is run.

    A list of numbers is a choice among them, range(a, b) whole numbers, and what is left a range with steps.
    """
    function, arguments, keywords = _call(tree)
    if function in ("np.array", "numpy.array", "list") and len(arguments) == 1 and not keywords:
        (tree,) = arguments
        function, arguments, keywords = _call(tree)
    if isinstance(tree, (ast.List, ast.Tuple)):
        return _choice(section, name, _numbers(tree.elts))
    if function == "range" and not keywords:
        return _read_whole_numbers(section, name, _numbers(arguments))
    module, _, function = function.rpartition(".")
    if module not in ("np", "numpy") or function not in _NUMPY:
        raise section.wrong(name, _A_GRID)
    numbers = _numbers([*arguments, *(each.value for each in keywords)])
    by_name = [each.arg for each in keywords]
    if numbers is None or by_name and (by_name != ["num"] or len(arguments) != 2 or function == "arange"):
        raise section.wrong(name, _A_GRID)
    if len(numbers) == 2:
        numbers.append(1.0 if function == "arange" else 50.0)  # what numpy takes
    if len(numbers) != 3:
        raise section.wrong(name, _A_GRID)
    return _read_numpy(section, name, function, numbers)


def _read_numpy(section: Section, name: str, function: str, numbers: list[float]) -> Variable:
    first, last, third = numbers
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


def _read_whole_numbers(section: Section, name: str, numbers: list[float] | None) -> Variable:
    if numbers is None or not all(each.is_integer() and abs(each) < 2**53 for each in numbers) or len(numbers) > 3:
        raise section.wrong(name, "range(stop), range(start, stop) or range(start, stop, step) of whole numbers")
    if not numbers or numbers[2:] == [0.0]:
        raise section.wrong(name, "range(stop), range(start, stop) or range(start, stop, step), with a step")
    found = range(*(int(each) for each in numbers))
    if len(found) < 2 or abs(found.step) != 1:
        return _choice(section, name, [float(each) for each in found[: _MOST_VALUES + 1]])
    if len(found) > 10**9:
        raise section.wrong(name, "whole numbers at most 10^9 apart")
    return Variable(name, float(min(found[0], found[-1])), float(max(found[0], found[-1])), integer=True)


def _choice(section: Section, name: str, values: list[float] | None) -> Variable:
    if not values or not all(math.isfinite(each) for each in values) or len(values) > _MOST_VALUES:
        raise section.wrong(name, f"a grid of finite numbers, at least one and at most {_MOST_VALUES:,}")
    if (twice := _repeated(values)) is not None:
        raise section.error(f"{name}: {twice:g} is there twice; name each value once", name)
    if len(values) == 1:
        return Variable(name, values[0], values[0])
    return Variable(name, min(values), max(values), values=tuple(values))


def _repeated(values: list[float]) -> float | None:
    """The first value that is there again; None when all are different."""
    seen: set[float] = set()
    for each in values:
        if each in seen:
            return each
        seen.add(each)
    return None


def _parse(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _call(tree: ast.expr | None) -> tuple[str, list[ast.expr], list[ast.keyword]]:
    """The function of a call, such as "range" or "np.array", with its arguments; "" for anything else."""
    if not isinstance(tree, ast.Call):
        return "", [], []
    called = tree.func
    if isinstance(called, ast.Name):
        return called.id, tree.args, tree.keywords
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return f"{called.value.id}.{called.attr}", tree.args, tree.keywords
    return "", [], []


def _numbers(trees: list[ast.expr]) -> list[float] | None:
    """What literal numbers stand for; None when there is anything else."""
    try:
        return [float(ast.literal_eval(each)) for each in trees]
    except (ValueError, TypeError, OverflowError):
        return None


def _read_range(section: Section, key: str) -> tuple[float, float]:
    low, high = sorted(section.numbers(key, 2))
    return low, high


def _prior_kind(section: Section, key: str) -> PriorKind:
    name = section.text(key)
    if how := _DERIVED.get(name.lower()):
        raise section.error(f"{name!r} is no prior that lodescan has, but a function gives it: {how}", key)
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
        mean, sigma = variable.normal
        if max(variable.low - mean, mean - variable.high) > FARTHEST * sigma:
            raise refuse(
                f"the range from {variable.low:g} to {variable.high:g} is more than {FARTHEST:g} standard deviations "
                "from the prior's mean; change the one or the other"
            )
    if variable.prior is PriorKind.LOG_UNIFORM and variable.low <= 0:
        raise refuse(f"a log-uniform prior needs a range above 0, but it starts at {variable.low:g}")
    return variable
