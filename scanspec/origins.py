"""Lists where the numbers of a point come from, according to a scan file. Both sides compare this before a scan."""

from __future__ import annotations

from scanspec.scanfile import ScanFile


def origins_of(scan: ScanFile) -> dict[str, str]:
    """The source of each observable that an SLHA entry or a function gives, the conditions of each code, and the
    entries of each block. The keys name the item, for example "observable mh".
    """
    found = {}
    for spec in scan.all_observables():
        if spec.term is None and (spec.slha or spec.function):
            found[f"observable {spec.name}"] = f"slha: {spec.slha}" if spec.slha else f"function: {spec.function}"
    for code in scan.codes:
        if code.conditions:
            found[f"set of conditions of {code.name}"] = ", ".join(code.conditions)
    for name, entries in scan.blocks.items():
        found[f"block {name}"] = ", ".join(f"{' '.join(map(str, index))}: {value}" for index, value in entries.items())
    return found
