"""`lodescan check`: shows what a scan of the file would do, and compares the file, and a run that is there, with an
evaluator.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proposer.asked import Asked, check_agreement, describe_limits, notes_on, read_asked
from proposer.evaluation.backend import Description
from proposer.formats import show_count, show_range
from proposer.run.dataset import DATASET, Dataset
from proposer.run.manifest import is_finished, merged_run, target_change, why_not
from proposer.run.record import RunRecord
from proposer.run.spectra import keeps_good_ones, kept_below
from proposer.show.voice import say
from proposer.strategies.base import Settings
from proposer.strategies.choice import type_name
from proposer.strategies.lode.settings import LodeSettings
from proposer.wire.agreement import not_compared
from proposer.wire.attendance import Purpose
from proposer.wire.pool import Pool
from proposer.wire.security import Security
from scanspec import Kind, ObservableSpec, PriorKind, ScanFile, Variable

IN_THE_FILE = {
    "collect": "goal",
    "bins": "novelty_bins",
    "direction": "novelty_settings: direction",
    "seeds": "seeds_csv",
    "start": "start_csv",
}
"""Settings of strategies, with their names in scan files."""


def check(file: Path, places: Sequence[str], *, security: Security, as_json: bool = False) -> int:
    """Reads a scan file, prints what a scan would do, and compares the file, and the run that it would continue, with
    the evaluators at `places`.

    Raises ScanFileError, NoEvaluator, and, if an evaluator disagrees with the file, EvaluatorRefused.
    """
    asked = read_asked(file)
    if asked.init is not None:
        asked.init.check()
    pool = Pool(places, security=security, say=say, purpose=Purpose(file=file)) if places else None
    if not as_json:
        _print(asked)
    description = None
    if pool is not None:

        def fits(seen: Description) -> None:
            if not as_json:
                at_once = show_count(seen.concurrency, "point")
                print(f"evaluator at {pool.where}: {seen.backend}, {seen.version}; {at_once} at once")
            check_agreement(asked.spec, seen, pool.where)

        try:
            description = pool.describe(5.0, fits)
        finally:
            pool.close()
    if as_json:
        print(json.dumps(_to_json(asked, description)))
    elif description is not None:
        print("the scan file and the evaluator agree")
        for line in not_compared(description):
            print(f"note: {line}")
        if line := _about_the_run(asked, description):
            print(line)
    return 0


def _about_the_run(asked: Asked, description: Description) -> str:
    """Whether a run that is in the scan's folder would go on, in one line; empty if there is none."""
    folder = Path("runs") / asked.spec.run_name
    if not (folder / DATASET).exists():
        return ""
    with Dataset(folder, read_only=True) as dataset:
        stored = RunRecord.read(dataset.meta())
        points = dataset.points - dataset.count_pending()
    if not stored.started:
        return ""
    if stored.merged_from:
        return str(merged_run(folder))
    if found := why_not(folder, stored, asked.spec, description, target=asked.settings.target):
        return f"{folder} holds another run, which this scan would not continue: {found}"
    here = f"{folder} holds {points:,} answered points of a run"
    if target_change(stored, asked.settings.target) is None and is_finished(stored, asked.spec):
        return f"{here}, which is finished; more points or a higher budget in the scan file continue it"
    return f"{here}, which this scan would continue"


def _print(asked: Asked) -> None:
    spec, settings, limits, _, init = asked
    codes = ", ".join(code.name for code in spec.codes)
    print(f"{spec.path}: run {spec.run_name!r}, {show_count(len(spec.variables), 'variable')}, codes {codes}")
    for variable in spec.variables:
        unit = f" {variable.unit}".rstrip()
        print(
            f"  {variable.name}: {show_range(variable)}{unit}"
            + (", fixed" if variable.fixed else f", {_show_prior(variable)}")
        )
    for variable in spec.fitting.variables if spec.fitting is not None else ():
        print(f"  {variable.name}: {show_range(variable)} {variable.unit}".rstrip() + ", solved for at each point")
    for scored in _scored(spec):
        window = f", valid {scored.valid[0]:g} to {scored.valid[1]:g}" if scored.valid else ""
        print(f"  {scored.name}: {_show_likelihood(spec, scored)}{window}")
    print(f"  good: {settings.target.describe()}; stops at {describe_limits(limits)}")
    own = ", ".join(f"{name} {_show_setting(value)}" for name, value in own_settings(settings).items())
    print(f"  {type_name(spec)}: {own}")
    if (below := kept_below(spec, settings.target)) > -math.inf:
        which = f"points with an NLL below {below:g}" if below < math.inf else "all valid points"
        which = "points that are good when they come" if settings.target.follows and keeps_good_ones(spec) else which
        print(f"  keeps the spectrum files, if there are any, of {which}")
    if init is not None:
        print(f"  starts from {len(init.batch):,} points of {spec.setup.text('init_csv')}")
    for line in _all_notes(asked):
        print(f"  note: {line}")


def _to_json(asked: Asked, description: Description | None) -> dict[str, Any]:
    spec, settings, limits, _, init = asked
    return {
        "file": str(spec.path),
        "run": spec.run_name,
        "variables": [
            {
                "name": variable.name,
                "unit": variable.unit,
                "fixed": variable.fixed,
                "low": variable.low,
                "high": variable.high,
                "values": list(variable.values),
                "prior": _show_prior(variable),
            }
            for variable in spec.variables
        ],
        "codes": [code.name for code in spec.codes],
        "observables": [
            {
                "name": observable.name,
                "unit": observable.unit,
                "likelihood": _show_likelihood(spec, observable),
                "valid": list(observable.valid) if observable.valid else None,
            }
            for observable in _scored(spec)
        ],
        **settings.target.to_meta(),
        "stops_at": describe_limits(limits),
        "type": type_name(spec),
        "settings": own_settings(settings),
        "init_points": 0 if init is None else len(init.batch),
        "notes": _all_notes(asked),
        "evaluator": None
        if description is None
        else {"backend": description.backend, "version": description.version, "workers": description.concurrency},
    }


def _scored(spec: ScanFile) -> list[ObservableSpec]:
    fitted = {variable.name for variable in (spec.fitting.variables if spec.fitting is not None else ())}
    return [observable for observable in spec.all_observables() if observable.name not in fitted]


def _all_notes(asked: Asked) -> list[str]:
    notes = list(asked.init.notes) if asked.init is not None else []
    return [*notes, *notes_on(asked.spec, asked.settings.target.threshold)]


def _show_likelihood(spec: ScanFile, scored: ObservableSpec) -> str:
    if scored.measurement is not None:
        return "the evaluator's measurement"
    own, terms = (scored.term or scored.likelihood).describe(), spec.terms_of(scored.name)
    if not terms:
        return own
    return f"{f'{own}, ' if scored.likelihood.kind is not Kind.OFF else ''}in {', '.join(terms)}"


def _show_prior(variable: Variable) -> str:
    normal = " {:g} +- {:g}".format(*variable.normal) if variable.prior is PriorKind.NORMAL else ""
    return variable.prior.value + normal


def own_settings(settings: Settings) -> dict[str, Any]:
    """The settings of the strategy, under their names in a scan file."""
    found = asdict(settings)
    if isinstance(settings, LodeSettings):
        del found["evaluations"], found["seconds"]  # these set the size of batches
        found["points_per_iteration"] = settings.batch
    return dict(_in_the_file_s_words(found))


def _in_the_file_s_words(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for own, value in settings.items():
        name = IN_THE_FILE.get(own, own)
        if own == "target" or value is None or value == ():
            continue
        if isinstance(value, dict):
            yield from _in_the_file_s_words(value)
        elif own == "collect":
            yield name, "collect" if value else "map"
        elif own == "seeds":
            yield name, f"of {len(value):,} points"
        else:
            yield name, list(value) if isinstance(value, tuple) else value


def _show_setting(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value))
    return value if isinstance(value, str) else format(value, "g")
