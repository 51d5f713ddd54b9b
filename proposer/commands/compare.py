"""`lodescan compare`: compares what two runs found, and their results at the same points."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proposer.formats import show_number, show_percent, show_time
from proposer.show.comparison import Run, ratios, read_run, share_in
from proposer.show.tally import how_given
from proposer.target import Target
from proposer.types import Status
from scanspec import UsageError


def compare(folders: Sequence[Path], *, as_json: bool = False) -> int:
    """Prints what two runs found, how far their good regions agree, and the results at their common points.

    Raises DatasetError, and UsageError if the runs have different variables.
    """
    first, second = (read_run(folder) for folder in folders)
    if first.variables != second.variables:
        raise UsageError(
            f"the runs have different variables: {', '.join(first.variables)} and {', '.join(second.variables)}",
            next_step="compare runs of the same variables, in the same order",
        )
    both = [point for point in first.points if point in second.points]
    pairs = Counter((first.points[values][0].name, second.points[values][0].name) for values in both)
    ok = [values for values in both if first.points[values][0] is second.points[values][0] is Status.OK]
    good = [{tuple(values) for values in run.good.tolist()} for run in (first, second)]
    good_at = Counter((values in good[0], values in good[1]) for values in ok)
    found = {
        "runs": [first.facts, second.facts],
        "good_in_region_of_other": [share_in(first, second), share_in(second, first)],
        "both": len(both),
        "statuses": [{"first": a, "second": b, "points": points} for (a, b), points in sorted(pairs.items())],
        "both_ok": len(ok),
        "good": {"both": good_at[True, True], "first_only": good_at[True, False], "second_only": good_at[False, True]},
        "values": ratios(first, second, ok),
    }
    if as_json:
        print(json.dumps(found))
    else:
        _print(first, second, found)
    return 0


def _print(first: Run, second: Run, found: Mapping[str, Any]) -> None:
    runs = (first, second)
    for run in runs:
        print(_show_facts(run.facts))
    for line in _aligned([("", *(str(run.folder) for run in runs)), *_rows(first.facts, second.facts)]):
        print(line)
    for run, other, share in zip(runs, runs[::-1], found["good_in_region_of_other"], strict=True):
        if share is not None:
            print(
                f"{show_percent(share)} of the good points of {run.folder} lie in the region that {other.folder} found"
            )
    print(f"{found['both']:,} points are in both runs")
    for row in found["statuses"]:
        print(f"  {row['first']}, {row['second']}: {row['points']:,}")
    if found["both_ok"]:
        good = found["good"]
        print(
            f"{found['both_ok']:,} of them are OK in both: {good['both']:,} are good in both, {good['first_only']:,} "
            f"only in {first.folder}, {good['second_only']:,} only in {second.folder}"
        )
        print(f"ratios, {second.folder} over {first.folder}: least, median, largest; then the largest difference")
    for name, values in found["values"].items():
        numbers = ", ".join(map(_show, (values["least"], values["median"], values["largest"])))
        print(f"  {name}: {numbers}; {_show(values['difference'])}")
    for run, other in zip(runs, runs[::-1], strict=True):
        if alone := [name for name in run.observables if name not in other.observables]:
            print(f"not compared, only in {run.folder}: {', '.join(alone)}")


def _rows(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """A table of what each run found: a title and two values a row."""
    facts = (first, second)

    def row(title: str, key: str, name: Any) -> tuple[str, str, str]:
        return title, *(_show_entry((run[key] or {}).get(name)) for run in facts)  # type: ignore[return-value]

    reached = sorted({*first["evaluations_to_good"], *second["evaluations_to_good"]})
    rows = [row(f"evaluations to {points:,} good", "evaluations_to_good", points) for points in reached]
    origins = dict.fromkeys([*first["origins"], *second["origins"]])
    rows += [row(f"good from {origin}", "origins", origin) for origin in origins]
    ranges = dict.fromkeys([*first["ranges_of_good"], *second["ranges_of_good"]])
    rows += [row(f"good points: {name}", "ranges_of_good", name) for name in ranges]
    best = dict.fromkeys([*(first["best_point"] or ()), *(second["best_point"] or ())])
    return rows + [row(f"best point: {name}", "best_point", name) for name in best]


def _show_entry(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['good']:,} of {value['points']:,}"
    if isinstance(value, list):
        return f"{show_number(value[0], 4)} to {show_number(value[1], 4)}"
    return "-" if value is None else show_number(value, 6)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _show_facts(facts: Mapping[str, Any]) -> str:
    lowest = "none" if facts["lowest_nll"] is None else show_number(facts["lowest_nll"])
    came = f" ({facts['given']:,} of them {how_given(facts['rescored_from'])})" if facts["given"] else ""
    return (
        f"{facts['folder']}: {facts['good']:,} good ({Target.stored(facts).describe()}){came}; {facts['evaluated']:,} "
        f"evaluated, hit rate {show_percent(facts['hit_rate'])}, lowest NLL {lowest}, {show_time(facts['seconds'])}; "
        f"evaluator {facts['evaluator']}"
    )
