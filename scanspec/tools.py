"""Tools that a code's name may mean, as in BSMArt's files: those that are here, and how the others are refused."""

from __future__ import annotations

from pathlib import Path, PurePath

from scanspec.document import ScanFileError, Section, closest
from scanspec.keys import UMBRIDGE

TOYS, PASS, FLAVIO = "toy_targets", "pass_tool", "flavio"
BUILT_IN = (TOYS, PASS, FLAVIO)
"""BSMArt's tools that lodescan has, by the names that BSMArt gives them."""

PROFILES = (
    "SPheno", "SOFTSUSY", "FlexibleSUSY", "2HDMC", "micrOMEGAs", "HiggsTools", "HiggsBounds", "HiggsSignals",
    "SuperIso", "SUSY-HIT",
)  # fmt: skip
"""Programs of which the evaluator knows how they are called."""

WAYS = ("function", "command", "flavio", "umbridge")
"""The keys that make a code one of lodescan's; one of them each."""

_OF_BSMART = {
    "HiggsTools", "HiggsBounds", "HiggsSignals", "SPheno", "FlexibleSUSY", "MicrOmegas", "SModelS", "anyBSM", "ZPEED",
    "Zprime", "VevaciousPlusPlus", "resummino", "MadGraph", "HackAnalysis", "MadAnalysis",
}  # fmt: skip
_SPELLINGS = {name.lower().replace("-", ""): name for name in PROFILES} | {"2hdm": "2HDMC", "thdmc": "2HDMC"}
_PORT = "docs/bsmart.md shows a port in ten lines"


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


def call_of(code: Section, name: str) -> tuple[str, str]:
    """How a code runs, by the key that says so, and what is called there; a program without the folder it lies in."""
    way = next((each for each in WAYS if each in code), "")
    if way == "command":
        program, _, arguments = code.text("command").strip().partition(" ")
        return way, f"{PurePath(program).name} {arguments.strip()}".strip()
    if way == "umbridge":
        return way, code.section("umbridge", UMBRIDGE).text("model", "")
    return (way, code.text("function")) if way == "function" else (way or "tool", name)


def check_code(code: Section, name: str) -> None:
    """Raises ScanFileError for a code that says in several ways how it runs, and for a tool that is not here: one that
    says nothing of how it runs, or that has BSMArt's `Command`, which BSMArt hands to the tool.

    `Profile: none` says that it is a program like any other.
    """
    kinds = [way for way in WAYS if way in code]
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
        ways = (
            "`Profile: none` makes it a program that reads one SLHA file and writes another; anything else is "
            "`function: module:name`, a Python function"
        )
    elif kinds or name in BUILT_IN:
        return
    else:
        ways = (
            "write `command` for a program, `function: module:name` for a Python function, `flavio` for its "
            "coefficients"
        )
    if _is_own_tool(code, name):
        what = f"is a tool of your own (Tools/{name}.py), which lodescan does not load as it is"
    elif name in _OF_BSMART:
        what = "is a tool of BSMArt that lodescan does not bring along"
    else:
        what = f"has neither function nor command, and is no tool that lodescan has{closest(name, BUILT_IN)}"
    raise code.error(f"code {name!r} {what}; {ways}; {_PORT}")


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
