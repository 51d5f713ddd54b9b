"""`lodescan init`: writes a commented scan file from five questions or flags, a Python function, or an SLHA file."""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanspec import UsageError, read_scan_file
from scanspec.document import to_number
from scanspec.files import read_text
from scanspec.schema import schema

SCHEMA = "scan.schema.json"
"""The schema in the scan file's folder. The first line of the scan file names it, so that editors can complete and
check the file.
"""

BLOCKS = ("MINPAR", "EXTPAR")
"""Blocks of an SLHA file whose entries become variables."""

_ENTRY = re.compile(r"^(\s+(\d+)\s+)([-+]?[\d.][\d.]*(?:[eEdD][-+]?\d+)?)(\s*(?:#\s*(.*))?)$")

_STAYS = re.compile(r"\b(?:sign|sgn|signum\w*|n_?5|messenger index)\b|scale|renormali[sz]ation|\bq_?in", re.IGNORECASE)
"""Words in the comments of entries that are not continuous variables: signs, numbers of messengers, scales."""

Range = tuple[float, float]


@dataclass
class Draft:
    """The content of the new file.

    `variables` are ranges by name. `observables` are mean and sigma by name, None if unknown. `guessed` are variables
    whose range was not given.
    """

    name: str = ""
    function: str = ""
    command: str = ""
    template: str = ""
    variables: dict[str, Range] = field(default_factory=dict)
    observables: dict[str, Range | None] = field(default_factory=dict)
    points: int = 0
    threshold: float = math.nan
    guessed: set[str] = field(default_factory=set)


def init(file: Path, draft: Draft, slha: Path | None) -> int:
    """Writes the scan file, the schema, and, from an SLHA file, a template. Asks for missing values if standard input
    is a terminal. Returns 0.

    Raises UsageError if a file exists already, or if a value is missing and standard input is not a terminal.
    """
    draft.name = draft.name or file.stem
    written = [file]
    if slha is not None:
        draft.template = f"{file.stem}.in.slha"
        written.append(file.with_name(draft.template))
    if there := [path for path in written if path.exists()]:
        raise UsageError(f"{there[0]}: exists already; nothing was written", next_step="name another file")
    template = "" if slha is None else _from_slha(slha, draft)
    if draft.function:
        _from_function(file.parent, draft)
    _ask(draft)
    if draft.command and not draft.template:
        raise UsageError("a program needs an input file", next_step="name an SLHA input file with --slha")
    file.parent.mkdir(parents=True, exist_ok=True)
    if template:
        written[1].write_bytes(template.encode(errors="surrogateescape"))
    file.write_text(text_of(draft))
    file.with_name(SCHEMA).write_text(json.dumps(schema(), indent=1) + "\n")
    read_scan_file(file)  # checks the written file
    print(f"written: {', '.join(map(str, written))}")
    print(f"next: check its ranges and constants; then lodescan check {file}; lodescan-evaluator check {file}")
    return 0


def _ask(draft: Draft) -> None:
    asked: list[tuple[bool, str, Callable[[str], None]]] = [
        (not (draft.function or draft.command), "your code (module:function, or a command line)", draft_code(draft)),
        (not draft.variables, "variables, as NAME=LOW,HIGH NAME=LOW,HIGH ...", _into(draft.variables, read_range)),
        (
            not draft.observables,
            "observables, as NAME=MEAN,SIGMA NAME=MEAN,SIGMA ...",
            _into(draft.observables, read_range),
        ),
    ]
    for missing, question, take in asked:
        if not missing:
            continue
        if not sys.stdin.isatty():
            raise UsageError(f"missing: {question}", next_step="give it by a flag, see `lodescan init --help`")
        take(input(f"{question}: "))
    if not draft.points:
        draft.points = int(_number_or("good points to stop at", 1000))
    if math.isnan(draft.threshold):
        draft.threshold = _number_or("a point is good with an NLL below", 3)


def _number_or(question: str, usual: float) -> float:
    """The answer to a question if it is a positive number, else `usual`."""
    answer = to_number(input(f"{question} ({usual:g}): ")) if sys.stdin.isatty() else None
    return answer if answer is not None and 0 < answer < math.inf else usual


def draft_code(draft: Draft) -> Callable[[str], None]:
    """A function that adds the code in an answer, a Python function or a command, to the draft."""

    def take(answer: str) -> None:
        if re.fullmatch(r"[\w.]+:\w+", answer.strip()):
            draft.function = answer.strip()
        else:
            draft.command = answer.strip()

    return take


def _into(
    found: dict[str, Range] | dict[str, Range | None], read: Callable[[str], tuple[str, Range]]
) -> Callable[[str], None]:
    def take(answer: str) -> None:
        found.update(read(word) for word in answer.split())

    return take


def read_range(text: str) -> tuple[str, Range]:
    """The name and the two numbers of NAME=A,B. Raises UsageError."""
    name, _, numbers = text.partition("=")
    values = [to_number(number) for number in numbers.split(",")]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not name or len(values) != 2 or len(finite) != 2:
        raise UsageError(f"{text!r} is not NAME=NUMBER,NUMBER", next_step="write for example m0=100,1000")
    return name, (finite[0], finite[1])


def _from_function(folder: Path, draft: Draft) -> None:
    """Finds the variables and observables of a function in its source file in the scan file's folder. Raises
    UsageError.

    The variables are its arguments, or the names that it reads from its point; a function with one argument always gets
    the point. The observables are the keys of the mapping that it returns.
    """
    module, _, name = draft.function.partition(":")
    source = folder / f"{module.replace('.', '/')}.py"
    try:
        tree = ast.parse(source.read_text())
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(
            f"{source}: cannot be read ({error})", next_step="put the module into the scan file's folder"
        ) from None
    functions = [found for found in tree.body if isinstance(found, ast.FunctionDef) and found.name == name]
    if not functions:
        raise UsageError(f"{source} has no function {name!r}", next_step="name a function as module:function")
    function = functions[0]
    arguments = _arguments(function)
    only = _only_argument(function)
    asked = _asked_of(function, point) if (point := only or _point_of(arguments)) else []
    if only or (point and (asked or point == "point" or (draft.variables and point not in draft.variables))):
        arguments = dict.fromkeys(asked)
    for name, default in arguments.items():
        if name not in draft.variables:
            draft.variables[name] = _around(default)
            draft.guessed.add(name)
    for key in _returned(function):
        draft.observables.setdefault(key, None)


def _arguments(function: ast.FunctionDef) -> dict[str, float | None]:
    """The arguments of a function that can be variables, with their defaults (None if there is no default)."""
    named = [*function.args.posonlyargs, *function.args.args]
    missing: list[ast.expr | None] = [None] * (len(named) - len(function.args.defaults))
    defaults = [*missing, *function.args.defaults, *function.args.kw_defaults]
    found: dict[str, float | None] = {}
    for argument, default in zip([*named, *function.args.kwonlyargs], defaults, strict=True):
        value = None if default is None else _literal(default)
        if default is None or value is not None:
            found[argument.arg] = value
    return found


def _only_argument(function: ast.FunctionDef) -> str:
    """The name of the only argument, which gets the point (see scanspec.arguments); empty for other functions."""
    named = [*function.args.posonlyargs, *function.args.args]
    return named[0].arg if len(named) == 1 and not function.args.kwonlyargs else ""


def _point_of(arguments: Mapping[str, float | None]) -> str:
    """The only argument without a default, which may get the point; empty if there are none or several."""
    needed = [name for name, default in arguments.items() if default is None]
    return needed[0] if len(needed) == 1 else ""


def _literal(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _around(value: float | None) -> Range:
    """The range from half a value to twice the value; 0 to 1 without a value."""
    low, high = sorted((value / 2, value * 2)) if value else (0.0, 1.0)
    return low, high


def _asked_of(function: ast.FunctionDef, point: str) -> list[str]:
    """The names that a function reads from its point."""
    keys = [
        node.slice.value
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == point
        if isinstance(node.slice, ast.Constant)
    ]
    return list(dict.fromkeys(key for key in keys if isinstance(key, str)))


def _returned(function: ast.FunctionDef) -> list[str]:
    """The keys of the mappings that a function returns, as far as its source shows them."""
    found: list[object] = []
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return) else None
        if isinstance(value, ast.Dict):
            found += [key.value for key in value.keys if isinstance(key, ast.Constant)]
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            found += [keyword.arg for keyword in value.keywords]
    return list(dict.fromkeys(key for key in found if isinstance(key, str)))


def _from_slha(path: Path, draft: Draft) -> str:
    """Makes a template: each number of the blocks BLOCKS becomes a variable with the name in its comment, and a range
    from half its value to twice its value. Signs and scales do not change; in SLHA (hep-ph/0311123, section 3.1),
    MINPAR 4 is a sign, and EXTPAR 0 is the scale of the input.
    """
    block, lines = "", []
    try:
        text = read_text(path, errors="surrogateescape")
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{path}: cannot be read ({why})", next_step="name an SLHA file of inputs") from None
    for line in text.removesuffix("\n").split("\n"):
        words = line.upper().split()
        if words[:1] in (["BLOCK"], ["DECAY"]):
            block = words[1] if len(words) > 1 else ""
        found = _ENTRY.match(line)
        value = to_number(found[3].upper().replace("D", "E")) if found else None
        if found is None or block not in BLOCKS or not value:
            lines.append(line)
            continue
        entry, comment = (block, found[2]), found[5] or ""
        is_sign = entry == ("MINPAR", "4") and abs(value) == 1.0 and "mu" in (comment.lower() or "mu")
        if is_sign or entry == ("EXTPAR", "0") or _STAYS.search(comment):
            lines.append(line)
            continue
        name = _free_name(found[5] or f"{block.lower()}{found[2]}", draft.variables)
        draft.variables[name] = _around(value)
        draft.guessed.add(name)
        lines.append(f"{found[1]}{name}{found[4]}")
    if not draft.variables:
        raise UsageError(f"{path} has no number in {' or '.join(BLOCKS)}", next_step="name an SLHA file of inputs")
    return "\n".join(lines) + "\n"


def _free_name(comment: str, taken: Iterable[str]) -> str:
    word = re.match(r"[A-Za-z_]\w*", comment.strip())
    name = word[0] if word else "p"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def text_of(draft: Draft) -> str:
    """The text of the scan file."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# Look at the ranges, means and sigmas. A value that was guessed is marked with CHECK.",
        "setup:",
        f"  run_name: {json.dumps(draft.name)}",
        f"  points: {draft.points}          # stop when this many good points are found",
        "  # max_evaluations: 10000    # or when this many points were evaluated",
        "  # max_hours: 8              # or after this time",
        "  # seconds_per_point: 3600   # if a point takes long: it is chosen with more care",
        "  # seed: 1                   # the same seed gives the same points",
        "",
        "# a range, and perhaps a prior: uniform, log-uniform, {type: normal, mean: 1, sigma: 0.1}",
        "variables:",
    ]
    for name, (low, high) in draft.variables.items():
        check = "    # CHECK" if name in draft.guessed else ""
        lines.append(f"  {_key(name)}: {{range: [{_number(low)}, {_number(high)}]}}{check}")
    lines += ["", "codes:", "  code:"]
    if draft.function:
        lines.append(f"    function: {json.dumps(draft.function)}    # module:function, beside this file")
    else:
        lines.append(f"    command: {json.dumps(draft.command)}")
        if draft.template:
            lines.append(f"    input_file: {draft.template}    # its values are expressions in the variables")
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
        f"  threshold_value: {_number(draft.threshold)}    # good: NLL below this; 3 is 95 % in two dimensions above 0",
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
        else json.dumps(name)
    )
