"""The content of a scan file as Python objects, with a function as the code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from proposer.evaluation.processes import Code
from proposer.run.names import PROBLEM
from proposer.target import Target
from scanspec import Kind, Likelihood, ScanFile, UsageError, Variable, read_scan_text
from scanspec.numbers import for_json
from scanspec.raised import shown

Values = Mapping[str, object]
"""Keys and values as in a scan file."""

EXAMPLES = {"variables": '{"x": (0, 1)} for x from 0 to 1', "observables": '{"mh": (125.2, 2)} for mh = 125.2 +- 2'}
"""What `variables` and `observables` look like, for messages."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem to scan. `code` takes a point (a mapping of variables by name), or two or more arguments that are named
    like the variables. It returns observables by name; for an unphysical point it returns None, or raises an exception
    named InvalidPoint. Any other exception makes the point FAILED.

    `variables` maps names to a range (low, high) with a uniform prior, to a `Variable`, or to an entry of a scan file:
    {"range": [1, 10], "prior": "log-uniform"}. `observables` maps names to (mean, sigma) of a Gaussian likelihood, to a
    `Likelihood`, to None for an observable outside the likelihood, or to an entry of a scan file: {"mean": 3, "sigma":
    2, "valid": [0, 9]}. A point is good if its NLL is below `threshold`, or by a `target`, such as `Target.within(0.95,
    2)`; exactly one of the two is given. The scan stops at `points` good points. `name` is the name of the run, by
    default that of the function. `setup` and `networks` are further keys of these sections of a scan file.
    """

    variables: Mapping[str, tuple[float, float] | Variable | Values]
    observables: Mapping[str, tuple[float, float] | Likelihood | Values | None]
    code: Code
    threshold: float | None = None
    target: Target | None = None
    points: int = 1000
    name: str = ""
    setup: Values = field(default_factory=dict)
    networks: Values = field(default_factory=dict)

    @property
    def code_name(self) -> str:
        """The name of the function; `code` for a function without one, such as a lambda."""
        name = str(getattr(self.code, "__name__", ""))
        return name if name.isidentifier() else "code"

    def read(self, folder: Path | None) -> ScanFile:
        """The scan file of this problem, which will be in `folder`, by default runs/NAME.

        Raises ScanFileError and UsageError.
        """
        for key, given in (("variables", self.variables), ("observables", self.observables)):
            if not isinstance(given, Mapping):  # a user's notebook has no type checker
                raise UsageError(f"{key} is {shown(given)}, not a mapping", next_step=f"give {EXAMPLES[key]}")
        module = str(getattr(self.code, "__module__", None) or "__main__")
        document = {
            "setup": {"run_name": self.name or self.code_name, "points": self.points, **self.setup},
            "variables": {name: _variable(name, variable) for name, variable in self.variables.items()},
            "codes": {
                self.code_name: {
                    "function": f"{module}:{self.code_name}",
                    "observables": {
                        name: _observable(name, observable) for name, observable in self.observables.items()
                    },
                }
            },
            "networks": {**Target.given(self.threshold, self.target).to_networks(), **self.networks},
        }
        text = json.dumps(document, indent=2, default=_plain) + "\n"
        where = folder or Path("runs") / str(document["setup"]["run_name"])  # type: ignore[index]
        return read_scan_text(where / PROBLEM, text)


def _variable(name: str, given: object) -> object:
    if isinstance(given, Variable):
        if given.name != name:
            raise UsageError(f"the variable {name!r} is a Variable named {given.name!r}", next_step="name both alike")
        return given.entry
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray):
        step = "give (low, high), a Variable, or a mapping with the keys of a scan file"
        raise UsageError(f"variables: {name} is {shown(given)}", next_step=step)
    return {"range": list(given)}


def _observable(name: str, given: object) -> object:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, Likelihood):
        if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray) or len(given) != 2:
            step = "give (mean, sigma), a Likelihood, None, or a mapping with the keys of a scan file"
            raise UsageError(f"observables: {name} is {shown(given)}", next_step=step)
        return {"mean": given[0], "sigma": given[1]}
    if given.kind is Kind.OFF:
        return {}
    entry: dict[str, object] = {"scaling": given.kind.value}
    if not math.isnan(given.mean):
        entry |= {"mean": given.mean, "sigma": given.sigma}
    if given.kind is Kind.CFUNCTION:
        bounds = {"lower_bound": for_json(given.lower), "upper_bound": for_json(given.upper)}
        entry |= {**bounds, "log_scaling": given.log_scaling}
    return entry


def _plain(value: Any) -> object:
    """A value for JSON, of a number of numpy for example."""
    return value.item() if hasattr(value, "item") else str(value)
