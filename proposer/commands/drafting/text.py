"""The text of a new scan file."""

from __future__ import annotations

import json
import re

from proposer.commands.drafting.draft import Draft
from scanspec import UsageError, visible

SCHEMA = "scan.schema.json"
"""The schema in the scan file's folder. The first line of the scan file names it, so that editors can complete and
check the file.
"""


def text_of(draft: Draft, template: str) -> str:
    """The text of the scan file. `template`: the name of its template. Raises UsageError if a name is not UTF-8."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# Look at the ranges, means and sigmas. A value that was guessed is marked with CHECK.",
        "setup:",
        f"  run_name: {_quoted(draft.name)}",
        f"  points: {draft.points}          # stop when this many good points are found",
        "  # max_evaluations: 10000    # or when this many points were evaluated",
        "  # max_hours: 8              # or after this time",
        "  # seconds_per_point: 3600   # if a point takes long: then batches are small",
        "  # seed: 1                   # the same seed gives the same points",
        "",
        "# a range, and perhaps a prior: uniform, log-uniform, {type: normal, mean: 1, sigma: 0.1}",
        "variables:",
    ]
    for name, (low, high) in draft.variables.items():
        notes = [draft.comments.get(name, ""), "CHECK" if name in draft.guessed else ""]
        note = "".join(f"    # {text}" for text in notes if text)
        lines.append(f"  {_key(name)}: {{range: [{_number(low)}, {_number(high)}]}}{note}")
    if draft.unchanged:
        lines += ["  # numbers of the template that do not change:", *(f"  #   {number}" for number in draft.unchanged)]
    lines += ["", "codes:", f"  {_key(draft.code)}:"]
    if draft.function:
        lines.append(f"    function: {_quoted(draft.function)}    # module:function, beside this file")
    else:
        lines.append(f"    command: {_quoted(draft.command)}")
        if draft.template:
            lines.append(f"    input_file: {_file(template)}    # its values are expressions in the variables")
        lines.append("    timeout: 60               # seconds for a point")
    lines.append(
        "    observables:              # mean and sigma, or scaling: UPPER, LOWER ...; valid: [low, high] is a window"
    )
    for name, constants in draft.observables.items():
        mean, sigma = constants or (0.0, 1.0)
        source = "" if draft.function else "slha: [MASS, 25], "
        check = "" if constants and draft.function else "    # CHECK"
        lines.append(f"      {_key(name)}: {{{source}mean: {_number(mean)}, sigma: {_number(sigma)}}}{check}")
    lines += [
        "",
        "networks:",
        f"  threshold_value: {_number(draft.threshold)}    # good: NLL below this",
        "  # 3 is the 95 % region of two variables, if the lowest NLL is 0",
        "  # threshold_value: {above_best: 3}    # or less than 3 above the lowest NLL that is found",
        "  # confidence: 0.95           # or this by Wilks' theorem (degrees_of_freedom: the number of free variables)",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """The number as text, in a short form if that is exact."""
    return short if float(short := f"{value:g}") == value else repr(value)


def _key(name: str) -> str:
    return (
        name
        if re.fullmatch(r"[A-Za-z_]\w*", name) and name.lower() not in ("y", "n", "yes", "no", "on", "off")
        else _quoted(name)
    )


def _file(name: str) -> str:
    return name if re.fullmatch(r"\w[\w.-]*", name) else _quoted(name)


def _quoted(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{visible(text)!r} is not UTF-8, as a scan file is", next_step="use another name") from None
    return json.dumps(text, ensure_ascii=not text.isprintable())  # YAML takes no character as two halves
