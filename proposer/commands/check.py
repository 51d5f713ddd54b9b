"""`lodescan check`: what a scan of the file would do, and whether an evaluator computes what it asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proposer.commands.asked import check_agreement, describe_limits, notes_on, read_asked
from proposer.run.spectra import kept_below
from proposer.show.progress import say
from proposer.strategies.base import Settings
from proposer.strategies.choice import type_name
from proposer.wire.agreement import show
from proposer.wire.pool import Pool
from scanspec import PriorKind, Variable

IN_THE_FILE = {
    "collect": "goal",
    "bins": "novelty_bins",
    "direction": "novelty_settings: direction",
    "seeds": "seeds_csv",
}
"""Settings of a strategy that have another name in a scan file."""


def check(file: Path, places: Sequence[str], *, insecure: bool) -> int:
    """Reads a scan file and prints what a scan would do; compares it with an evaluator. 2 when they disagree."""
    spec, settings, limits, _, init = read_asked(file)
    pool = Pool(places, insecure=insecure, say=say, file=file) if places else None
    codes = ", ".join(each.name for each in spec.codes)
    print(f"{file}: run {spec.run_name!r}, {len(spec.variables)} variables, codes {codes}")
    for each in spec.variables:
        prior = each.prior.value + (" {:g} +- {:g}".format(*each.normal) if each.prior is PriorKind.NORMAL else "")
        print(f"  {each.name}: {_show_range(each)} {each.unit}".rstrip() + (", fixed" if each.fixed else f", {prior}"))
    fitted = {each.name: each for each in (spec.fitting.variables if spec.fitting is not None else ())}
    for name, each in fitted.items():
        print(f"  {name}: {_show_range(each)} {each.unit}".rstrip() + ", solved for at each point")
    for scored in spec.all_observables():
        if scored.name in fitted:
            continue
        window = f", valid {scored.valid[0]:g} to {scored.valid[1]:g}" if scored.valid else ""
        likelihood = "the evaluator's measurement" if scored.measurement is not None else show(scored.likelihood)
        print(f"  {scored.name}: {likelihood}{window}")
    print(f"  good: {settings.target.describe()}; stops at {describe_limits(limits)}")
    print(f"  {type_name(spec)}: {', '.join(own_settings(settings))}")
    if (below := kept_below(spec, settings.target.threshold)) > -math.inf:
        which = f"points with an NLL below {below:g}" if below < math.inf else "all valid points"
        print(f"  keeps the spectrum files, if there are any, of {which}")
    if init is not None:
        print(f"  starts from {len(init.batch):,} points of {spec.setup.text('init_csv')}")
        for line in init.notes:
            print(f"  note: {line}")
    for line in notes_on(spec, settings.target.threshold):
        print(f"  note: {line}")
    if pool is not None:
        try:
            description = pool.describe(5.0, lambda found: check_agreement(spec, found, pool.where))
        finally:
            pool.close()
        print(
            f"evaluator at {pool.where}: {description.backend}, {description.version}; "
            f"{description.concurrency} points at once"
        )
        print("the scan file and the evaluator agree")
    return 0


def _show_range(variable: Variable) -> str:
    if variable.fixed:
        return f"{variable.low:g}"
    if variable.values:
        return "one of " + ", ".join(f"{each:g}" for each in variable.values)
    if variable.prior.symmetric:
        return f"{variable.inner:g} to {variable.high:g}, either sign"
    kind = ", whole numbers" if variable.integer else ", periodic" if variable.periodic else ""
    return f"{variable.low:g} to {variable.high:g}{kind}"


def own_settings(settings: Settings) -> list[str]:
    """The settings of the strategy, as `name value`, under the names that a scan file has for them."""
    return list(_in_the_file_s_words(asdict(settings)))


def _in_the_file_s_words(settings: dict[str, Any]) -> Iterator[str]:
    for own, value in settings.items():
        name = IN_THE_FILE.get(own, own)
        if own == "target" or value is None or value == ():
            continue
        if isinstance(value, dict):
            yield from _in_the_file_s_words(value)
        elif own == "collect":
            yield f"{name} {'collect' if value else 'map'}"
        elif own == "seeds":
            yield f"{name} with {len(value):,} points"
        elif isinstance(value, tuple):
            yield f"{name} {' and '.join(map(str, value))}"
        else:
            yield f"{name} {value if isinstance(value, str) else format(value, 'g')}"
