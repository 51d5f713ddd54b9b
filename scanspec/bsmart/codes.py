"""Translates BSMArt's section `Codes`: its tools, which lodescan may have or not, and their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml.comments import CommentedMap

from scanspec.bsmart.observables import translate_observable
from scanspec.bsmart.spellings import CODE, INVALID_WHEN, PHYSICS_OF_TOOLS, SUCCESS
from scanspec.bsmart.translator import FALSE, Translator
from scanspec.codes import check_code_settings
from scanspec.document import ScanFileError, Section
from scanspec.keys import OF_EVERY_CODE, OF_INPUTS, OF_PROFILES, OF_PROGRAMS, OF_TOYS
from scanspec.plain import PlainMap
from scanspec.tools import (
    BUILT_IN,
    FLAVIO,
    HOW_TO_PORT,
    PASS,
    TOYS,
    WAYS,
    WITHOUT_A_WAY,
    known_profile,
    needs_the_folder,
)

_NOT_HERE = {
    "HiggsTools",
    "HiggsBounds",
    "HiggsSignals",
    "SPheno",
    "FlexibleSUSY",
    "MicrOmegas",
    "SModelS",
    "SModelS2",
    "anyBSM",
    "ZPEED",
    "Zprime",
    "VacStab",
    "VevaciousPlusPlus",
    "resummino",
    "MadGraph",
    "MadGraphHackAnalysis",
    "HackAnalysis",
    "HackAnalysis_LO",
    "MadAnalysis",
    "MadAnalysisAllPAD",
    "MadAnalysisExpert",
}
"""Tools of BSMArt that are not part of lodescan; some can run as programs, with a `Command` and a profile."""

_WITH_A_COMMAND = (
    "`Profile: none` makes it a program that reads one SLHA file and writes another; anything else is "
    "`function: module:name`, a Python function"
)
_NOTHING = (
    "is a setting of BSMArt's tool of that name and does nothing here; where it chose points, write conditions, where "
    "it changed the call, write it into the command"
)


_OF_TOOLS = {"command": OF_PROGRAMS, TOYS: OF_TOYS, PASS: OF_INPUTS, FLAVIO: OF_INPUTS}
"""The keys that have a meaning for each kind of code, besides those that every code may have."""


def translate_codes(translator: Translator, content: Any, path: str) -> Any:
    """Translates the section `codes`."""
    if not isinstance(content, CommentedMap):
        return content
    section, found = translator.section(content, path), PlainMap(content)
    refused = _refuse_tools(section, content)
    template = _template(content)
    for name, value in content.items():
        where = f"{path}: {name}"
        if name in refused:
            found.put(name, refused[name], name)
        elif _is_off(value):
            found.put(name, _idle_code(translator, value, str(name), where), name)
        else:
            code = _code(translator, value, str(name), where, template)
            fills_in = str(name) in (template.filled_in_by, PASS) and isinstance(code, PlainMap)
            if fills_in and template.file and not code.get("input_file"):
                code.put("input_file", template.file, "InputFile")
            found.put(name, code, name)
    return found


def _is_off(code: Any) -> bool:
    return isinstance(code, CommentedMap) and any(str(code.get(key)).lower() in FALSE for key in ("run", "Run"))


class _Template(NamedTuple):
    """The InputFile of the first code of the file, even if that code does not run, and the code that fills it in."""

    filled_in_by: str
    file: str


def _template(content: CommentedMap) -> _Template:
    codes = {str(name): code for name, code in content.items() if isinstance(code, CommentedMap)}
    file = next((code.get("input_file", code.get("InputFile", "")) for code in codes.values()), "")
    running = {name: code for name, code in codes.items() if not _is_off(code)}
    first = (name for name, code in running.items() if name == PASS or {"Command", "command"} & set(code))
    return _Template(next(first, ""), file if isinstance(file, str) else "")


def _mapping(translator: Translator, content: Any, path: str) -> Any:
    return translator.mapping(
        content,
        CODE,
        path,
        {
            "observables": translator.entries(lambda value, where: translate_observable(translator, value, where)),
            "success": lambda value, where: translator.mapping(value, SUCCESS, where),
            "invalid_when": lambda value, where: translator.mapping(value, INVALID_WHEN, where),
        },
    )


def _code(translator: Translator, content: Any, name: str, path: str, template: _Template) -> Any:
    found = _mapping(translator, content, path)
    if not isinstance(found, PlainMap):
        return found
    if found.get("run") is True and found.spelling("run") != "run":
        del found["run"]
        translator.say("left out Run where it is true, the default")
    if "command" in found:
        _input_by_name(translator, found, name, path, template)
    profile = known_profile(str(found.get("profile") or name))
    for key in [ignored for ignored in found.ignored if ignored in PHYSICS_OF_TOOLS]:
        if str(content[key]).lower() in (*FALSE, "none", "[]", "{}", ""):
            continue
        note = _NOTHING
        if key == "DD_Limits":
            note = (
                "the entry DARKMATTER 501, which BSMArt makes of its own limits of direct detection, is not made here, "
                "and nothing is excluded by it; micrOMEGAs' own p-value is DARKMATTER 401: give it a window or write "
                "conditions"
            )
        translator.notes.append(f"{path}: {key}{': ' if key == 'DD_Limits' else ' '}{note}")
        found.ignored.remove(key)
    for key, profiles in OF_PROFILES.items():
        in_plain_words = found.spelling(key) == key and "command" not in found  # the kind of code refuses it
        if key in found and profile not in profiles and not in_plain_words:
            translator.notes.append(f"{path}: {found.spelling(key)} {_NOTHING}")
            translator.say(f"left out {path}: {key}, which has no meaning here")
            del found[key]
    _leave_out_keys_of_other_tools(translator, found, name, path)
    if profile in ("HiggsBounds", "HiggsSignals"):
        _call_with_the_folder(translator, found, path)
    return found


def _idle_code(translator: Translator, content: CommentedMap, name: str, path: str) -> PlainMap:
    """Translates a code that does not run. It may have keys that only its own tool knows."""
    notes = list(translator.notes)
    found: PlainMap = _mapping(translator, content, path)
    translator.notes[:] = notes
    for key in [faulty for faulty, value in found.items() if isinstance(value, ScanFileError)]:
        del found[key]
    profile = known_profile(str(found.get("profile") or name))
    for key in [setting for setting in OF_PROFILES if setting in found and profile not in OF_PROFILES[setting]]:
        found.ignored.append(found.spelling(key))
        translator.say(f"left out {path}: {key}, which has no meaning here")
        del found[key]
    return found


def _input_by_name(translator: Translator, code: PlainMap, name: str, path: str, template: _Template) -> None:
    """Renames the InputFile of a later code: in BSMArt it is the name of the spectrum, even if the template has the
    same name.
    """
    named = code.get("input_file")
    if code.spelling("input_file") != "InputFile" or named != template.file or name == template.filled_in_by:
        return
    code.put("input_name", code.pop("input_file"), "InputFile")
    translator.say(f"{path}: InputFile, here the name under which the code gets the spectrum, is now input_name")


def _leave_out_keys_of_other_tools(translator: Translator, code: PlainMap, name: str, path: str) -> None:
    """Drops keys that BSMArt's files give for every tool, such as InputFile, where the reader would refuse them."""
    way = next((key for key in code if key in WAYS), name)
    has_meaning = {way, *OF_EVERY_CODE, *_OF_TOOLS.get(way, ())}
    for key in [key for key in code if key in CODE.keys.known and key not in has_meaning]:
        if key not in WAYS and code.spelling(key) != key and _is_readable(translator, code, key, name):
            code.ignored.append(code.spelling(key))
            translator.say(f"left out {path}: {code.spelling(key)}, which has no meaning here")
            del code[key]


def _is_readable(translator: Translator, code: PlainMap, key: str, name: str) -> bool:
    """Whether the value of a key can be read. A wrong value stays, and the reader reports it."""
    alone = PlainMap()
    alone.put(key, code[key], key)
    section = translator.section(alone, "")
    check_code_settings(section, name)
    return not section.faults.any


def _call_with_the_folder(translator: Translator, code: PlainMap, path: str) -> None:
    """Writes BSMArt's call of HiggsBounds and HiggsSignals, PROGRAM OPTIONS FOLDER/, into the command, except for the
    option SLHA.
    """
    command, options = code.get("command"), str(code.get("options") or "")
    if code.spelling("command") != "Command" or not isinstance(command, str) or "{" in command:
        return
    if "SLHA" in f"{command} {options}".split() or needs_the_folder(translator.section(code, path)):
        return
    code["command"] = " ".join(f"{command} {options}".split()) + " {folder}/"
    code.pop("options", None)
    translator.say(f"{path}: the folder that BSMArt calls it with is now in the command")


def _refuse_tools(codes: Section, content: CommentedMap) -> dict[Any, ScanFileError]:
    """The errors for tools that lodescan does not have, by their names. One message names all these tools; their keys
    are not read.
    """

    def is_own(name: Any) -> bool:
        """Whether the user has a tool of this name in the folder where BSMArt would look."""
        return (Path(codes.file).parent / "Tools" / f"{name}.py").is_file()

    running = {name: code for name, code in content.items() if isinstance(code, CommentedMap) and not _is_off(code)}
    left = [name for name, code in running.items() if name not in BUILT_IN and _is_left_to_bsmart(code, str(name))]
    own = [name for name in left if is_own(name)]
    refused = [name for name in left if name in _NOT_HERE or name in own]
    if not refused:
        return {}
    with_commands = [name for name in refused if "Command" in content[name]]
    if len(refused) == 1:
        what = f"code {refused[0]!r} is a tool"
    else:
        what = f"the codes {', '.join(f'{name!r} (line {codes.line(name)})' for name in refused)} are tools"
    if own:
        it_is = "it is" if len(refused) == 1 else "they are"
        files = ", ".join(f"Tools/{name}.py" for name in own)
        what += f" of your own ({files}), which lodescan does not load as {it_is}" + (", or" if refused != own else "")
    if refused != own:
        what += " of BSMArt that lodescan does not contain"
    ways = [_WITH_A_COMMAND] if with_commands else []
    if len(with_commands) < len(refused):
        ways.append(WITHOUT_A_WAY)
    error = codes.error(
        f"{what}; {'; without a Command, '.join(ways)}; "
        + ('`"Run": "False"` leaves one out; ' if refused != own or len(own) > 1 else "")
        + HOW_TO_PORT,
        refused[0],
    )
    return dict.fromkeys(refused, error)


def _is_left_to_bsmart(code: CommentedMap, name: str) -> bool:
    """Whether a code does not say how it runs, and so needs BSMArt's tool."""
    if any(key in code for key in ("function", "Function", "command", "flavio", "umbridge", "profile", "Profile")):
        return False
    return not (known_profile(name) and "Command" in code)
