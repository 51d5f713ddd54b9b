"""Tools that a code's name may mean, as in BSMArt's files: those that are here, and how the others are refused."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from scanspec import keys
from scanspec.document import ScanFileError, Section, closest
from scanspec.keys import UMBRIDGE

TOYS, PASS, FLAVIO = "toy_targets", "pass_tool", "flavio"
TOY_NAMES = ("Rosenbrock", "Rastrigin", "Ackley", "Himmelblau", "Easom")
"""What toy_targets gives: names that expressions may use from there on, whether or not an observable has them."""
BUILT_IN = (TOYS, PASS, FLAVIO)
"""BSMArt's tools that lodescan has, by the names that BSMArt gives them."""

PROFILES = (
    "SPheno",
    "SOFTSUSY",
    "FlexibleSUSY",
    "2HDMC",
    "micrOMEGAs",
    "HiggsTools",
    "HiggsBounds",
    "HiggsSignals",
    "SuperIso",
    "SUSY-HIT",
)
"""Programs of which the evaluator knows how they are called."""

WAYS = ("function", "command", "flavio", "umbridge")
"""The keys that make a code one of lodescan's; one of them each. Packages may bring others: see `kind_of_a_package`."""

_OF_BSMART = {
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
_SPELLINGS = {name.lower().replace("-", ""): name for name in PROFILES} | {"2hdm": "2HDMC", "thdmc": "2HDMC"}
_PORT = "docs/bsmart.md shows a port in ten lines"
_WITHOUT = "write `command` for a program, `function: module:name` for a Python function, `flavio` for its coefficients"
_WITH_A_COMMAND = (
    "`Profile: none` makes it a program that reads one SLHA file and writes another; anything else is "
    "`function: module:name`, a Python function"
)


def profile_name(code: Section, name: str) -> str:
    """The profile that a code asks for, or that its own name means, as in BSMArt's files; empty for none.

    `profile: none` asks for none. Raises ScanFileError for a name that is not known.
    """
    asked = code.text("profile", "")
    if asked.lower() == "none":
        return ""
    found = _SPELLINGS.get((asked or name).lower().replace("-", "").replace("_", ""), "")
    if asked and not found:
        raise code.error(f"there is no profile {asked!r}{closest(asked, PROFILES)}", "profile")
    return found


def kind_of_a_package(code: Section, name: str) -> str:
    """The key of a kind of code that lodescan itself does not have; empty where there is none.

    It has a mapping, no known key is near to it, and nothing else says how the code runs. The evaluator knows the
    packages that bring kinds, and reads the mapping; the proposer needs none of them. `code` is read without keys.
    """
    if name in BUILT_IN or name in _OF_BSMART or any(keys.CODE.plain(each) in WAYS for each in code):
        return ""
    known = keys.CODE.spellings()
    unknown = [each for each in code if keys.CODE.plain(each) is None and each not in keys.CODE.without_meaning]
    if len(unknown) != 1 or not re.fullmatch(r"[a-z][a-z0-9_]*", unknown[0]):
        return ""
    near = difflib.get_close_matches(unknown[0], [each.lower() for each in known], n=1, cutoff=_MISSPELT)
    return unknown[0] if isinstance(code.raw(unknown[0]), dict) and not near else ""


_MISSPELT = 0.75
"""A key that is as similar to a known one (difflib's ratio) is that one, misspelt."""


def kind_key(code: Section) -> str:
    """The key that says how a code runs; empty where its name does, or nothing."""
    ways = (each for each in code if each in WAYS or keys.CODE.plain(each) is None)
    return next(ways, "")


def call_of(code: Section, name: str) -> tuple[str, str]:
    """How a code runs, by the key that says so, and what is called there; a program without the folder it lies in."""
    way = kind_key(code)
    if way == "command":
        program, _, arguments = code.text("command").strip().partition(" ")
        return way, f"{PurePath(program).name} {arguments.strip()}".strip()
    if way == "umbridge":
        return way, code.section("umbridge", UMBRIDGE).text("model", "")
    if way and way not in WAYS:
        return way, json.dumps(code.raw(way), sort_keys=True, default=str)
    return (way, code.text("function")) if way == "function" else (way or "tool", name)


def check_code(code: Section, name: str) -> None:
    """Raises ScanFileError for a code that says in several ways how it runs, and for a tool that is not here: one that
    says nothing of how it runs, or that has BSMArt's `Command`, which BSMArt hands to the tool.

    `Profile: none` says that it is a program like any other.
    """
    kinds = [each for each in code if each in WAYS or keys.CODE.plain(each) is None]
    if len(kinds) > 1:
        raise code.error(
            f"code {name!r} has {' and '.join(kinds)}; keep one: `function: module:name` for a Python function, "
            "`command` for a program, `flavio` for Wilson coefficients, `umbridge` for a model at a web address"
        )
    if kinds == ["command"]:
        if code.spelling("command") != "Command" or "profile" in code or profile_name(code, name):
            return
        if name not in _OF_BSMART and not _is_own_tool(code, name):
            return
        ways = _WITH_A_COMMAND
    elif kinds or name in BUILT_IN:
        return
    else:
        ways = _WITHOUT
    if _is_own_tool(code, name):
        what = f"is a tool of your own (Tools/{name}.py), which lodescan does not load as it is"
    elif name in _OF_BSMART:
        what = "is a tool of BSMArt that lodescan does not bring along"
    else:
        what = f"has neither function nor command, and is no tool that lodescan has{closest(name, BUILT_IN)}"
    raise code.error(f"code {name!r} {what}; {ways}; {_PORT}")


def check_tools(codes: Section, running: Sequence[str]) -> None:
    """Raises one ScanFileError for all tools of BSMArt that are not here, before any of their keys is looked at."""
    refused = [name for name in running if _is_left_to_bsmart(codes.section(name), name)]
    own = [name for name in refused if _is_own_tool(codes, name)]
    refused = [name for name in refused if name in _OF_BSMART or name in own]
    commands = [name for name in refused if "Command" in codes.section(name)]
    if not refused or refused == own[:1]:  # one of the user's own is refused where it is read
        return
    if len(refused) == 1:
        what = f"code {refused[0]!r} is a tool"
    else:
        what = f"the codes {', '.join(f'{name!r} (line {codes.line(name)})' for name in refused)} are tools"
    if own:
        files = ", ".join(f"Tools/{name}.py" for name in own)
        what += f" of your own ({files}), which lodescan does not load as they are, or"
    ways = [_WITH_A_COMMAND] if commands else []
    if len(commands) < len(refused):
        ways.append(_WITHOUT)
    raise codes.error(
        f"{what} of BSMArt that lodescan does not bring along; {'; without a Command, '.join(ways)}; "
        f'`"Run": "False"` leaves one out; {_PORT}',
        refused[0],
    )


def _is_left_to_bsmart(code: Section, name: str) -> bool:
    """Whether a code of that name, in any spelling, says no more of how it runs than BSMArt needs."""
    if any(key in code for key in ("function", "Function", "command", "flavio", "umbridge", "profile", "Profile")):
        return False
    known = _SPELLINGS.get(name.lower().replace("-", "").replace("_", ""), "")
    return not (known and "Command" in code)


def settings_without_meaning(code: Section, name: str) -> tuple[list[str], list[str]]:
    """Settings of a code that nothing reads: sentences on those that decided about points, and the paths of others."""
    profile = profile_name(code, name)
    said, ignored = [], []
    for each in code.ignored:
        key = each.removeprefix(f"{code.path}: ")
        off = str(code.raw_spelled(key)).lower() in ("false", "0", "none", "[]", "{}", "")
        if key == "DD_Limits" and not off:
            said.append(
                f"{each}: the entry DARKMATTER 501, which BSMArt makes of its own limits of direct detection, is not "
                "made here, and nothing is excluded by it; micrOMEGAs' own p-value is DARKMATTER 401: give it a window "
                "or write conditions"
            )
        elif key in keys.PHYSICS_OF_TOOLS and not off:
            said.append(f"{each} {_NOTHING}")
        else:
            ignored.append(each)
    for key, profiles in keys.OF_PROFILES.items():
        if key in code and profile not in profiles:
            said.append(f"{code.path}: {code.spelling(key)} {_NOTHING}")
    return said, ignored


def settings_of_an_idle_code(code: Section) -> list[str]:
    """The paths of a code's settings for BSMArt's tools, where it does not run."""
    return code.ignored + [f"{code.path}: {code.spelling(key)}" for key in keys.OF_PROFILES if key in code]


_NOTHING = (
    "is a setting of BSMArt's tool of that name and does nothing here; where it chose points, write conditions, where "
    "it changed the call, write it into the command"
)


def needs_the_folder(code: Section) -> bool:
    """Whether HiggsBounds or HiggsSignals gets the folder of its input files, and not one SLHA file: as its options
    say, or, without any, as BSMArt calls it.
    """
    words = f"{code.text('command', '')} {code.text('options', '')}".split()
    if "neutral_higgs" in code and "charged_higgs" in code and not code.text("options", ""):
        return "SLHA" not in words
    if any(word in ("effC", "part", "hadr") for word in words) or "{folder}" in code.text("command", ""):
        return True
    return "SLHA" not in words and code.spelling("command") == "Command"


def unknown_key(error: ScanFileError, codes: Section, name: str) -> ScanFileError:
    """What is raised where a code has a key that lodescan does not know: a tool that is not here may be meant."""
    code = codes.section(name)
    ways = f"write `command` for a program or `function: module:name` for a Python function: {_PORT}"
    if _is_own_tool(codes, name):
        what = f"code {name!r} is a tool of your own (Tools/{name}.py), which lodescan does not load as it is"
        return codes.error(f"{what}; {ways}", name)
    if any(key in set(code) for key in (*WAYS, "profile", "Function", "Command", "Profile")):
        return error
    return ScanFileError(f"{error}; or, if {name!r} is a tool of BSMArt or of your own, {ways}")


def _is_own_tool(section: Section, name: str) -> bool:
    """Whether there is a tool of the user's own of this name, as BSMArt finds it."""
    return (Path(section.file).parent / "Tools" / f"{name}.py").is_file()
