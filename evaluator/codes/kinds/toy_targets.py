"""BSMArt's tool toy_targets: five test functions for optimisers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from evaluator.codes.protocol import Code
from scanspec import CodeSpec, ScanFile
from scanspec.keys import OF_TOYS
from scanspec.spectrum import read_spectrum
from scanspec.tools import OF_ONE_VARIABLE, TOY_NAMES, TOYS

if TYPE_CHECKING:
    from evaluator.codes.point import Point


@dataclass(frozen=True)
class ToySettings:
    """Constants of the five functions, with BSMArt's defaults."""

    rosenbrock_a: float = 1.0
    rosenbrock_b: float = 100.0
    rastrigin_a: float = 10.0
    ackley_a: float = 20.0
    ackley_b: float = 0.2
    ackley_c: float = 2 * math.pi
    himmelblau_a: float = 11.0
    himmelblau_b: float = 7.0
    easom_center: tuple[float, float] = (math.pi, math.pi)


class ToyTargets(Code):
    """Five test functions of the variables in the order of the file, also as entries 1 to 5 of the block TOYTARGETS."""

    tool = TOYS
    other_keys = OF_TOYS
    changes_process = False

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        self.defined_names = TOY_NAMES if len(scan.variables) > 1 else OF_ONE_VARIABLE
        section, settings = spec.section, ToySettings()
        numbers = {key: section.finite(key, getattr(settings, key)) for key in OF_TOYS if key != "easom_center"}
        center = settings.easom_center
        if "easom_center" in section:
            x, y = section.numbers("easom_center", 2)
            center = x, y
        self._settings = ToySettings(**numbers, easom_center=center)

    def run(self, point: Point) -> Mapping[str, float]:
        values = toy_targets(point.variables, self._settings)
        lines = (f" {number} {value!r}" for number, value in enumerate(values.values(), start=1))
        point.spectrum = read_spectrum("\n".join(["Block TOYTARGETS", *lines]))
        for name, value in values.items():  # names in the scan file have precedence
            point.names.setdefault(name, value)
        return values

    def sources(self) -> Mapping[str, str]:
        return {"tool": f"{TOYS} {self._settings}"}


def toy_targets(x: Sequence[float], own: ToySettings = ToySettings()) -> dict[str, float]:
    """Test functions for optimisers at x. Their minimum is 0, except for Easom's function, whose minimum is -1.

    The functions of Rosenbrock (Comput. J. 3 (1960) 175), Rastrigin, and Ackley have any number of coordinates. Those
    of Himmelblau and Easom use the first two coordinates, and are left out if there is only one.
    """
    n = len(x)
    # products instead of powers, because a power that overflows raises an error, and a product is infinite
    steps = [(right - left * left, own.rosenbrock_a - left) for left, right in pairwise(x)]
    steps = steps or [(0.0, own.rosenbrock_a - x[0])]
    spread = math.sqrt(sum(xi * xi for xi in x) / n)
    ripple = sum(math.cos(own.ackley_c * xi) for xi in x) / n
    a = own.rastrigin_a
    found = {
        "Rosenbrock": sum(own.rosenbrock_b * valley * valley + along * along for valley, along in steps),
        "Rastrigin": a * n + sum(xi * xi - a * math.cos(2 * math.pi * xi) for xi in x),
        "Ackley": -own.ackley_a * math.exp(-own.ackley_b * spread) - math.exp(ripple) + own.ackley_a + math.e,
    }
    if n == 1:
        return found
    first, second = x[0], x[1]
    left, right = first * first + second - own.himmelblau_a, first + second * second - own.himmelblau_b
    east, north = first - own.easom_center[0], second - own.easom_center[1]
    return found | {
        "Himmelblau": left * left + right * right,
        "Easom": -math.cos(first) * math.cos(second) * math.exp(-(east * east + north * north)),
    }
