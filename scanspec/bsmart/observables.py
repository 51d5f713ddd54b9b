"""Observables in BSMArt's spelling, and keys that look like a likelihood but have no meaning here."""

from __future__ import annotations

from typing import Any

from scanspec.bsmart.spellings import OBSERVABLE
from scanspec.bsmart.translator import Translator
from scanspec.plain import PlainMap

_OF_AL = {"MAX": "UPPER", "MIN": "LOWER"}
"""Bounds that only BSMArt's scan AL reads, and the equivalent scaling."""


def translate_observable(translator: Translator, content: Any, path: str) -> Any:
    """Translates one entry of a section `observables`."""
    found = translator.mapping(content, OBSERVABLE, path)
    if not isinstance(found, PlainMap):
        return found
    entry = translator.section(content, path)

    def say(key: str, what: str) -> None:
        translator.notes.append(f"{entry.file}, line {entry.line(key)}: {path}: {what}")
        found.ignored.remove(key)

    bounds = [key for key in found.ignored if key in _OF_AL]
    for key in bounds:
        plain = f'"SCALING": "{_OF_AL[key]}", "MEAN": {content[key]}, "VARIANCE": its width'
        say(key, f"{key} is read by BSMArt's scan AL alone; write {plain}")
    scored = found.get("scaling") is not None or {"mean", "sigma"} & set(found)
    if "TYPE" in found.ignored and not scored and not bounds and str(content["TYPE"]).upper() != "OFF":
        say("TYPE", "TYPE is read by BSMArt's scan AL alone; write SCALING, MEAN and VARIANCE")
    if "LOG SCALING" in found.ignored:
        say("LOG SCALING", "LOG SCALING has no meaning, not even in BSMArt; write LOG_SCALING")
    return found
