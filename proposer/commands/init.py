"""`lodescan init`: writes a commented scan file from five questions or flags, a Python function, or an SLHA file."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from proposer.commands.arguments import Visible
from proposer.commands.drafting.draft import Draft
from proposer.commands.drafting.function import from_function
from proposer.commands.drafting.questions import ask
from proposer.commands.drafting.slha import from_slha
from proposer.commands.drafting.text import SCHEMA, text_of
from proposer.run.files import not_written
from scanspec import UsageError, read_scan_file
from scanspec.schema import schema
from scanspec.text import quoted


@dataclass(frozen=True)
class Given:
    """What the flags give: ranges and constants as NAME=A,B, an SLHA file, and its entries that become variables."""

    variables: Collection[str] = ()
    observables: Collection[str] = ()
    slha: Path | None = None
    entries: Collection[str] = ()


def init(file: Path, draft: Draft, given: Given) -> int:
    """Writes the scan file, the schema, and, from an SLHA file, a template. Asks for missing values if standard input
    is a terminal. Returns 0.

    Raises UsageError if a file exists already, if a flag does not fit the code, or if a value is missing and standard
    input is not a terminal.
    """
    template = file.with_name(f"{file.stem}.in.slha")
    if there := [path for path in (file, template) if path.exists()]:
        raise UsageError(f"{there[0]}: exists already; nothing was written", next_step="name another file")
    for text in given.variables:
        draft.take_variable(text)
    for text in given.observables:
        draft.take_observable(text)
    if given.entries and given.slha is None:
        raise UsageError("--entry is for an SLHA file", next_step="name the file with --slha")
    if given.slha is not None:
        from_slha(given.slha, draft, given.entries)
    if draft.function:
        from_function(file.parent, draft)
    ask(draft, file)
    # `scan` says nothing about a scan, but its folder mostly has the name of the model
    draft.name = draft.name or (file.stem if file.stem != "scan" else file.resolve().parent.name or draft.code)
    _write(file, template, draft)
    read_scan_file(file)  # checks the written file
    written = f"{file}, {template}" if draft.template else str(file)
    with contextlib.redirect_stdout(Visible(sys.stdout)):
        print(f"written: {written}")
        for name, address in draft.comments.items():
            print(f"variable {name}: {address}")
        for number in draft.unchanged:
            print(f"not a variable: {number}")
        if draft.unchanged:
            print("to choose the variables yourself: --entry BLOCK,NUMBER for each of them")
        named = quoted(file)
        print(f"next: check its ranges and constants; then lodescan check {named}; lodescan-evaluator check {named}")
    return 0


def _write(file: Path, template: Path, draft: Draft) -> None:
    """Writes the scan file, the schema, and the template if there is one. If it raises DatasetError, neither the scan
    file nor the template is there.
    """
    contents = {file: text_of(draft, template.name).encode()}
    if draft.template:
        contents[template] = draft.template.encode(errors="surrogateescape")
    contents[file.with_name(SCHEMA)] = (json.dumps(schema(), indent=1) + "\n").encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        try:
            path.write_bytes(content)
        except OSError as error:
            file.unlink(missing_ok=True)  # or the same command would find it
            template.unlink(missing_ok=True)
            raise not_written(path, error) from None
