"""Reads flavio's measurements as a mean and a standard deviation, the constants of a Gaussian likelihood.

`python -m evaluator.codes.measurements` reads a question from standard input and answers on standard output. The server
uses it to keep flavio out of its own memory.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from scanspec.document import closest

Wanted = Mapping[str, tuple[str, Sequence[float], Sequence[str]]]
"""By the name in the scan file: the observable, its arguments, and its measurements (none: the only one
that exists).
"""

Found = Mapping[str, Sequence[float] | str]
"""By the name in the scan file: mean and sigma, or an error message."""

MOST_ASYMMETRIC = 0.1
"""The largest difference between the two errors of a Gaussian distribution, relative to their mean."""


def names(observable: str, arguments: Sequence[float]) -> list[str]:
    """The names of flavio's measurements of an observable in exactly this bin."""
    flavio = importlib.import_module("flavio")
    key = (observable, *arguments) if arguments else observable
    return [name for name, measurement in flavio.Measurement.instances.items() if key in measurement.all_parameters]


def bin_is_measured(observable: str, arguments: Sequence[float]) -> bool:
    """Whether flavio has a measurement of any observable of the same decay in this bin."""
    process = observable[observable.rfind("(") :]
    known = importlib.import_module("flavio").Measurement.instances.values()
    parameters = (
        parameter for measurement in known for parameter in measurement.all_parameters if isinstance(parameter, tuple)
    )
    return any(parameter[0].endswith(process) and parameter[1:] == tuple(arguments) for parameter in parameters)


def read(wanted: Wanted) -> Found:
    """Mean and sigma of each observable, or the reason why there are none."""
    found: dict[str, Sequence[float] | str] = {}
    for name, (observable, arguments, chosen) in wanted.items():
        try:
            found[name] = _combine(observable, arguments, chosen)
        except LookupError as error:
            found[name] = str(error.args[0])
    return found


def _combine(observable: str, arguments: Sequence[float], chosen: Sequence[str]) -> tuple[float, float]:
    flavio = importlib.import_module("flavio")
    known = names(observable, arguments)
    label = " ".join([observable, *(f"{argument:g}" for argument in arguments)])
    if not known:
        raise LookupError(f"flavio has no measurement of {label}; write mean and sigma")
    for measurement in chosen:
        if measurement not in known:
            raise LookupError(f"flavio has no measurement {measurement!r} of {label}{closest(measurement, known)}")
    # a product of all could count data twice, because many measurements contain others
    if not chosen and len(known) > 1:
        raise LookupError(
            f"flavio has {len(known)} measurements of {label}; name one, or those that are independent: "
            f"{', '.join(known)}"
        )
    keywords = dict(zip(flavio.Observable[observable].arguments or (), arguments, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # flavio's warning that it ignores correlations with other observables
        combined = flavio.combine_measurements(observable, include_measurements=list(chosen or known), **keywords)
    mean, left, right = (
        _number(getattr(combined, attribute)) for attribute in ("central_value", "error_left", "error_right")
    )
    sigma = (left + right) / 2
    gaussian = math.isfinite(mean) and 0 < sigma < math.inf and abs(left - right) <= MOST_ASYMMETRIC * sigma
    if not gaussian or "Limit" in type(combined).__name__:
        raise LookupError(
            f"the measurement of {label} is not Gaussian: {mean:g} +{right:g} -{left:g} "
            f"({type(combined).__name__}); write mean and sigma, or another scaling"
        )
    return mean, sigma


def _number(value: Any) -> float:
    return float(value.item() if hasattr(value, "item") else value)


if __name__ == "__main__":
    answer = json.dumps(read(json.load(sys.stdin)))
    print(answer)
