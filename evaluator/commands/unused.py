"""Finds variables that no code can read."""

from __future__ import annotations

import re

from evaluator.chain import Chain
from scanspec import ScanFile


def unused(scan: ScanFile, chain: Chain) -> list[str]:
    """The variables that are in no template, and in the scan file only in their own section. Empty if a code is not a
    program with a template, because a function, for example, gets every variable. Empty, too, if none is read: then the
    template itself has a warning.
    """
    if any(step.code.sees_every_variable for step in chain.steps):
        return []
    templates = [code.section.path_text("input_file") for code in scan.codes]
    texts = [(scan.folder / name).read_text(errors="replace") for name in templates if (scan.folder / name).is_file()]
    if "VARIABLE" in "".join([scan.text, *texts]):
        return []
    free = [variable.name for variable in scan.variables if not variable.fixed]
    found = [name for name in free if _count(name, scan.text) < 2 and not any(_count(name, text) for text in texts)]
    return found if len(found) < len(free) else []


def _count(name: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text))
