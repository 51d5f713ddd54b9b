"""Translates a document from BSMArt's spelling to lodescan's own (the plain spelling), and keeps its line numbers.

Every scan file passes through here, because files mix the two spellings. All later code knows only the plain spelling.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from scanspec.bsmart.codes import translate_codes
from scanspec.bsmart.observables import translate_observable
from scanspec.bsmart.plotting import translate_plotting
from scanspec.bsmart.setup import check_type, translate_setup
from scanspec.bsmart.spellings import FITTING, FITTING_OBSERVABLE, FITTING_OPTIONS, NETWORKS, SECTIONS
from scanspec.bsmart.translator import Translator
from scanspec.bsmart.variables import name_columns, translate_variables
from scanspec.plain import PlainMap


@dataclass(frozen=True)
class Translation:
    """A document in the plain spelling. `ignored` are the paths of keys without meaning, `changes` describes the
    changes, one per line, and `notes` are remarks on BSMArt for the user. `in_bsmarts_words`: whether the file has
    BSMArt's section `Setup`.
    """

    document: PlainMap
    ignored: tuple[str, ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    in_bsmarts_words: bool


def translate(path: Path, document: CommentedMap) -> Translation:
    """Translates a document into the plain spelling. Raises ScanFileError for a type of BSMArt that lodescan does not
    have.

    Any other value that cannot be translated is replaced by a ScanFileError, which the reader raises.
    """
    translator = Translator(str(path))
    variables = translate_variables
    for key, value in document.items():
        if SECTIONS.plain(key) == "setup" and check_type(translator, value, str(key)) in ("READ_CSV", "read_csv"):
            variables = name_columns
    found = translator.mapping(
        document,
        SECTIONS,
        "",
        {
            "setup": lambda value, where: translate_setup(translator, value, where),
            "networks": lambda value, where: translator.mapping(value, NETWORKS, where, {"verbose": _verbose}),
            "variables": lambda value, where: variables(translator, value, where),
            "codes": lambda value, where: translate_codes(translator, value, where),
            "fitting": lambda value, where: _fitting(translator, value, where),
            "observables": translator.entries(lambda value, where: translate_observable(translator, value, where)),
            "plotting": lambda value, where: translate_plotting(translator, value, where, document),
        },
    )
    renamed = ", ".join(f"{old} is now {new}" for old, new in translator.renamed.items())
    changes = [renamed, *translator.changes] if renamed else translator.changes
    return Translation(
        found,
        ignored=tuple(_ignored(found)),
        changes=tuple(changes),
        notes=tuple(translator.notes),
        in_bsmarts_words=found.spelling("setup") == "Setup",
    )


def _verbose(value: Any, _where: str) -> Any:
    """Converts `verbose`: BSMArt's files may have the text "True" or "False" instead of a boolean."""
    return {"true": True, "false": False}.get(str(value).lower(), value)


def _fitting(translator: Translator, content: Any, path: str) -> Any:
    return translator.mapping(
        content,
        FITTING,
        path,
        {
            "variables": lambda value, where: translate_variables(translator, value, where),
            "observables": translator.entries(
                lambda value, where: translator.mapping(value, FITTING_OBSERVABLE, where)
            ),
            "options": lambda value, where: translator.mapping(value, FITTING_OPTIONS, where),
        },
    )


_ORDER = ("setup", "networks", "variables", "fitting", "codes", "observables", "plotting")


def _ignored(content: PlainMap, path: str = "") -> list[str]:
    """The paths of keys without meaning. For a code that does not run, only keys of its first level are listed."""
    found = [f"{path}{key}" for key in content.ignored]
    inner = {key: value for key, value in content.items() if isinstance(value, PlainMap)}
    if content.get("run") is False:
        return found
    for key in sorted(inner, key=lambda key: _ORDER.index(key) if not path and key in _ORDER else len(_ORDER)):
        found += _ignored(inner[key], f"{path}{content.spelling(key)}: ")
    return found
