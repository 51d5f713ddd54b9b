"""Lists where the numbers of a point come from, according to a scan file. Both sides compare this before a scan."""

from __future__ import annotations

import re

from scanspec.canonical import canonical_address, canonical_entry, canonical_expression
from scanspec.scanfile import ScanFile

_ENTRY = re.compile(r"(?:^|, )([-+\d ]*): ")
"""The index before the value of an entry in the text of a block."""


def canonical_origin(what: str, text: str) -> str:
    """The canonical form of an entry of `origins_of`. It may also come from an evaluator."""
    if what.startswith("block "):
        _, *parts = _ENTRY.split(text)
        return str({index: canonical_entry(value) for index, value in zip(parts[::2], parts[1::2], strict=True)})
    return canonical_expression(text.removeprefix("function: "))


def origins_of(scan: ScanFile) -> dict[str, str]:
    """The source of each observable that an SLHA entry or a function gives, the conditions of each code, and the
    entries of each block. The keys name the item, for example "observable mh".
    """
    found = {}
    for spec in scan.all_observables():
        if spec.term is None and (spec.slha or spec.function):
            found[f"observable {spec.name}"] = (
                f"slha: {canonical_address(spec.slha)}" if spec.slha else f"function: {spec.function}"
            )
    for code in scan.codes:
        if code.conditions:
            found[f"set of conditions of {code.name}"] = ", ".join(code.conditions)
    for name, entries in scan.blocks.items():
        found[f"block {name}"] = ", ".join(f"{' '.join(map(str, index))}: {value}" for index, value in entries.items())
    return found
