"""Translates BSMArt's section `Setup`: the types of scans with their defaults, settings of CMAES_ND, and switches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec.bsmart.spellings import SETUP
from scanspec.bsmart.translator import FALSE, TRUE, Translator
from scanspec.document import ScanFileError
from scanspec.plain import PlainMap

_MAPS = "maps the good region evenly and with few evaluations"
_MAP = ("LODE", _MAPS)
_NETWORKS = ("MLS_DNNC", "finds the good region by neural networks; their settings go into the section networks")
_BEST = ("CMAES", f"looks for the lowest NLL; `type: LODE` {_MAPS}")
_ROWS = ("READ_CSV", "evaluates the rows of a table, which `init_csv` names; folders of spectra are not read")
_NO_POSTERIOR = "lodescan draws no samples of a posterior"

# BSMArt's type: (a further remark, (the closest type of lodescan, what that type does))
_CLOSEST: dict[str, tuple[str, tuple[str, str]]] = {
    "AL": ("", _MAP),
    "DLScanner": ("", _NETWORKS),
    "MLS": ("", _NETWORKS),
    **{f"MLScanner.MLS_{kind}": ("", _NETWORKS) for kind in ("DNNR", "GBR", "RFC", "RFR", "SVR_Poly", "SVR_RBF")},
    "MCMC": (_NO_POSTERIOR, _MAP),
    "AffineMC": (_NO_POSTERIOR, _MAP),
    "MultiNest": (_NO_POSTERIOR, _MAP),
    "Vegas": ("", _MAP),
    "Contour2D": ("the border of a region shows in its good points", _MAP),
    "ContourGP": ("the border of a region shows in its good points", _MAP),
    "DEAP": ("", _BEST),
    "Diver": ("", _BEST),
    "read_dir": ("", _ROWS),
    "read_dir_mpi": ("", _ROWS),
}

TYPES = {"MLScanner.MLS_DNNC": "MLS_DNNC", "Random": "RANDOM", "Sobol": "SOBOL", "Grid": "GRID", "read_csv": "READ_CSV"}
"""BSMArt's names of types that lodescan has under another name."""

POINTS = 10_000
"""Evaluations of BSMArt's `Type: CMAES` if the file gives no `Points`."""

GENERATIONS = 100
"""Generations of BSMArt's `Type: CMAES_ND` if the file gives no `CMAESMaxGenerations`."""

_MAKES_ANEW = (
    "keeps nothing here; this writes the files of any point anew: "
    "`lodescan-evaluator point FILE NAME=VALUE ... --keep DIR`"
)
_IN_ANOTHER_WAY = {
    "StoreSeparateFiles": "is always so: the spectrum files of a point are in files/<id>/",
    "StoreInputs": _MAKES_ANEW,
    "Store Inputs": _MAKES_ANEW,
    "StoreEverything": _MAKES_ANEW,
    "Store Invalid": "is always so: unphysical points are in the dataset, with what made them so",
    "Resume": "is always so: the same command goes on",
}
"""Switches that lodescan does not need, and the note for a file that turns one on."""


def check_type(translator: Translator, content: Any, path: str) -> str:
    """The type as the file spells it; empty if there is none. Raises ScanFileError, before the keys are checked, for a
    type of BSMArt that lodescan does not have.
    """
    if not isinstance(content, CommentedMap):
        return ""
    key = "Type" if "Type" in content else "type"
    name = str(content.get(key, ""))
    known = next((known_name for known_name in _CLOSEST if known_name.lower() == name.lower()), None)
    if known is None:
        return name
    otherwise, (closest, does) = _CLOSEST[known]
    raise translator.section(content, path).error(
        f"type {name!r} is a scan of BSMArt that lodescan does not have; the closest is `type: {closest}`, which {does}"
        + (f"; {otherwise}" if otherwise else ""),
        key,
    )


def translate_setup(translator: Translator, content: Any, path: str) -> Any:
    """Translates the section `setup`."""
    given = content.get("type", content.get("Type")) if isinstance(content, CommentedMap) else None

    def type_name(value: Any, where: str) -> Any:
        return _plain_word(translator, value, TYPES, where)

    def novelty(value: Any, where: str) -> Any:
        if value is None:
            return value
        names = dict.fromkeys(TRUE, "HBOS") | dict.fromkeys(FALSE, "none")
        names |= {method.lower(): method for method in ("HBOS", "Optimiser", "none")}
        return _plain_word(translator, value, names, where, folded=True)

    def focus(value: Any, where: str) -> Any:
        return _focus(translator, value, where)

    found = translator.mapping(content, SETUP, path, {"type": type_name, "novelty": novelty, "focus": focus})
    if not isinstance(found, PlainMap):
        return found
    word = str(found.get("keep_spectra", "")).strip().lower()
    if word in (*TRUE, *FALSE):
        found.put("keep_spectra", "valid" if word in TRUE else "none", found.spelling("keep_spectra"))
        translator.say(f"{path}: keep_spectra is {found['keep_spectra']}")
    for key, note in _IN_ANOTHER_WAY.items():
        if key in found.ignored and str(content[key]).lower() in TRUE:
            translator.notes.append(f"{path}: {key} {note}")
            found.ignored.remove(key)
    _defaults(translator, found, str(given), path)
    return found


def _plain_word(
    translator: Translator, value: Any, names: Mapping[str, str], where: str, *, folded: bool = False
) -> Any:
    plain = names.get(str(value).strip().lower() if folded else str(value))
    if plain is None or plain == value:
        return value
    translator.say(f"{where.partition(': ')[0]}: {value} is now {plain}")
    return plain


def _focus(translator: Translator, value: Any, where: str) -> Any:
    """Joins the two lists Variables and Observables into one list of names."""
    if not isinstance(value, CommentedMap):
        return value
    section = translator.section(value, where)
    names = CommentedSeq()
    for key in section:
        if key.lower() not in ("variables", "observables"):
            return section.error(f"{where} has two lists, Variables and Observables, but no {key!r}", key)
        try:
            names += section.texts(key)
        except ScanFileError as error:
            return error
    names.fa.set_flow_style()
    return names


def _defaults(translator: Translator, setup: PlainMap, given: str, path: str) -> None:
    """Adds what BSMArt's types imply: `points` that count evaluations, and the number of generations."""
    as_in_bsmart, name = setup.spelling("type") == "Type", setup.get("type")
    if setup.get("max_evaluations") is None and (
        (given == "Random" and setup.get("points") is not None) or (name == "CMAES" and as_in_bsmart)
    ):
        here = setup.get("points") is not None
        points, spelling = (setup["points"], setup.spelling("points")) if here else (POINTS, "Points")
        setup.put("points", points, spelling)
        setup.put("max_evaluations", points, spelling)
        translator.say(f"{path}: points of {name} are evaluations: max_evaluations is {points}")
        translator.notes.append(
            f"points are evaluations, as for BSMArt's {given}; with `type: {name}` they are good points"
            + ("" if here else f"; the file gives none: {POINTS:,} holds, as in BSMArt")
        )
    if name == "CMAES_ND" and as_in_bsmart and setup.get("generations") is None:
        setup.put("generations", GENERATIONS, "CMAESMaxGenerations")
        translator.say(f"{path}: BSMArt's default is written: generations is {GENERATIONS}")
        translator.notes.append(f"the file gives no CMAESMaxGenerations: {GENERATIONS} holds, as in BSMArt")
