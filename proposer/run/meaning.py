"""Compares scan files by meaning, so that a run can go on with a file that is written differently but means
the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from proposer.run.code_meaning import code_meaning
from proposer.run.record import ScanMeaning
from proposer.strategies.choice import read_settings, type_name
from scanspec import keys
from scanspec.canonical import canonical_address, canonical_entry, canonical_expression, canonical_path

if TYPE_CHECKING:
    from scanspec import ObservableSpec, ScanFile, Variable
    from scanspec.fitting import Fitting

_ENVIRONMENT = "setup: environment_variables: "
_STEPS = re.compile("variables: .*: steps")
_STOPS = ("iterations", "evaluations", "seconds")
"""Settings of limits, and of the time per point."""


def meaning(scan: ScanFile) -> ScanMeaning:
    """The meaning of a scan file, with the defaults of settings that it does not give."""
    found: dict[str, Any] = {"setup: type": type_name(scan), **_settings(scan)}
    if "init_csv" in scan.setup:
        found["setup: init_csv"] = canonical_path(scan.setup.text("init_csv"), scan.folder)
    environment = scan.setup.section("environment_variables")
    found |= {f"{_ENVIRONMENT}{name}": environment.text(name) for name in environment}
    found["the variables"] = [variable.name for variable in scan.variables]
    for variable in scan.variables:
        found |= _variable(f"variables: {variable.name}", variable)
    found |= {f"derived_variables: {name}": canonical_expression(text) for name, text in scan.derived.items()}
    for block, entries in scan.blocks.items():
        for index, text in entries.items():
            found[f"blocks: {block}: {' '.join(map(str, index))}"] = canonical_entry(text)
    if scan.fitting is not None:
        found |= _fitting(scan.fitting)
    found["the codes"] = [code.name for code in scan.codes]
    for code in scan.codes:
        found |= {f"codes: {code.name}: {key}": value for key, value in code_meaning(code, scan.folder).items()}
    found["the observables"] = [spec.name for spec in scan.all_observables()]
    for observable in scan.all_observables():
        found |= _observable(f"observables: {observable.name}", observable)
    sections = {"setup": scan.setup, "networks": scan.networks}
    given = [f"{title}: {key}" for title, section in sections.items() for key in section]
    given += ["networks: threshold_value"] if "confidence" in scan.networks else []
    return ScanMeaning(json.loads(json.dumps(found, default=str)), given)


def difference(before: ScanMeaning, now: ScanMeaning, version: str = "") -> str | None:
    """The first difference between two scan files, in words; None if they mean the same.

    `version`: the version of lodescan that started the run. A setting that neither file gives has the default of the
    version, which may have changed. A setting that one of the versions does not know is ignored.
    """
    for path in [*before.values, *now.values]:
        old, new = before.values.get(path), now.values.get(path)
        if old == new and (path in before.values) == (path in now.values):
            continue
        if path.startswith("fitting: options: ") and path not in before.values:
            continue  # older versions did not store it; the physics digest covers it
        if _STEPS.fullmatch(path) and _are_same_steps(before.values, now.values, path):
            continue
        is_setting = path.startswith(("setup: ", "networks: ")) and not path.startswith(_ENVIRONMENT)
        if is_setting and path not in before.given and path not in now.given:
            if path not in before.values or path not in now.values:
                continue
            section, _, key = path.partition(": ")
            return (
                f"neither scan file gives {path}, and the default was {_show(old)} in lodescan {version or 'of then'} "
                f"and is {_show(new)} in this one (`{key}: {_show(old)}` in the section {section} goes on with it)"
            )
        if path not in now.values or (is_setting and path in before.given and path not in now.given):
            return f"its scan file has {path} ({_show(old)}), this one does not"
        if path not in before.values or (is_setting and path not in before.given and path in now.given):
            return f"its scan file does not have {path}, this one has ({_show(new)})"
        be = "are" if path in ("the variables", "the observables") else "is"
        return f"in its scan file {path} {be} {_show(old)}, in this one {_show(new)}"
    return None


def _are_same_steps(before: dict[str, Any], now: dict[str, Any], path: str) -> bool:
    """Whether the steps of a variable make no difference. Nothing but a grid uses them."""
    kind = now.get("setup: type")
    return before.get("setup: type") == kind and (kind != "GRID" or _steps(before, path) == _steps(now, path))


def _steps(values: dict[str, Any], path: str) -> int | None:
    """The number of values of a variable in a grid, as Variable.grid_steps; None if it is unknown. `path`: that of the
    variable's steps.
    """
    variable = path.removesuffix(": steps")
    low, high = values.get(f"{variable}: range", (-math.inf, math.inf))
    if low == high:
        return 1
    choices = values.get(f"{variable}: values", [])
    every = len(choices) or (round(high - low) + 1 if values.get(f"{variable}: integer") else None)
    return values.get(path, every)


def _settings(scan: ScanFile) -> dict[str, Any]:
    """The settings of the strategy with their defaults, without limits."""
    own = read_settings(scan)
    settings, target = asdict(own), own.target
    settings["target"] = [target.above, target.threshold] if target.is_band else target.threshold
    if target.above_best is not None:
        settings["target"] = target.rule.describe()
    found = {}
    for name, value in _flat(settings):
        key = {"target": "threshold_value", "collect": "goal"}.get(name, name)
        if key not in _STOPS:
            found[f"{'networks' if key in keys.NETWORKS.known else 'setup'}: {key}"] = value
    return found


def _flat(settings: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in settings.items():
        found += _flat(value) if isinstance(value, dict) else [(name, value)]
    return found


def _variable(path: str, variable: Variable) -> dict[str, Any]:
    found: dict[str, Any] = {f"{path}: range": [variable.low, variable.high], f"{path}: prior": variable.prior.value}
    for key in ("mean", "sigma", "periodic", "integer", "values", "steps", "inner"):
        if value := getattr(variable, key):
            found[f"{path}: {key}"] = value
    return found


def _fitting(fitting: Fitting) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable in fitting.variables:
        found |= _variable(f"fitting: variables: {variable.name}", variable)
    for target in fitting.targets:
        found[f"fitting: observables: {target.name}"] = [target.value, target.sigma]
    found["fitting: method"] = fitting.section.text("method", "").lower()
    found["fitting: options: eps"] = fitting.eps
    found["fitting: options: max_evaluations"] = fitting.most_runs
    return found


def _observable(path: str, spec: ObservableSpec) -> dict[str, Any]:
    found: dict[str, Any] = {f"{path}: scaling": spec.likelihood.kind.value}
    for key in ("mean", "sigma", "lower", "upper", "log_scaling"):
        value = getattr(spec.likelihood, key)
        if math.isfinite(value) and value is not False:
            found[f"{path}: {key}"] = value
    if spec.slha is not None:
        found[f"{path}: slha"] = str(canonical_address(spec.slha))
    if spec.function is not None:
        found[f"{path}: function"] = canonical_expression(spec.function)
    if spec.flavio is not None:
        found[f"{path}: flavio"] = str(spec.flavio)
    for key in ("valid", "measurement", "code"):
        if (value := getattr(spec, key)) is not None:
            found[f"{path}: {key}"] = value
    if spec.term is not None:
        found[f"{path}: likelihood"] = spec.term.describe()
        found[f"{path}: numbers"] = hashlib.sha256(repr(spec.term).encode()).hexdigest()[:12]
    return found


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return f"[{', '.join(map(_show, value))}]" if isinstance(value, list) else str(value)
