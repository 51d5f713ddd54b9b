"""How a code runs: by a key of its section, as a built-in tool that its name means, or by the profile of a known
program.
"""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path, PurePath

from scanspec.canonical import canonical_command
from scanspec.document import ScanFileError, Section, closest
from scanspec.keys import CODE, UMBRIDGE

TOYS, PASS, FLAVIO = "toy_targets", "pass_tool", "flavio"
TOY_NAMES = ("Rosenbrock", "Rastrigin", "Ackley", "Himmelblau", "Easom")
"""The values that toy_targets gives. Later expressions may use these names, whether or not they are observables."""
OF_ONE_VARIABLE = TOY_NAMES[:3]
"""The values that toy_targets gives for a single variable; the others are functions of two."""
BUILT_IN = (TOYS, PASS, FLAVIO)
"""BSMArt's tools that lodescan has, under BSMArt's names."""

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
"""Programs that the evaluator knows how to call."""

WAYS = ("function", "command", "flavio", "umbridge")
"""The keys for lodescan's own kinds of code; a code has exactly one. Packages may define others: see
`kind_of_a_package`.
"""

_SPELLINGS = {name.lower().replace("-", ""): name for name in PROFILES} | {"2hdm": "2HDMC", "thdmc": "2HDMC"}
HOW_TO_PORT = "docs/bsmart.md shows a port in ten lines"
WITHOUT_A_WAY = (
    "write `command` for a program, `function: module:name` for a Python function, `flavio` for its coefficients"
)


def known_profile(name: str) -> str:
    """The profile that a name means, in any case; empty if it means none."""
    return _SPELLINGS.get(name.lower().replace("-", "").replace("_", ""), "")


def profile_name(code: Section, name: str) -> str:
    """The profile that a code asks for, or that its name means; empty if there is none.

    `profile: none` turns profiles off. Raises ScanFileError for an unknown profile.
    """
    asked = code.text("profile", "")
    if asked.lower() == "none":
        return ""
    found = known_profile(asked or name)
    if asked and not found:
        raise code.error(f"there is no profile {asked!r}{closest(asked, PROFILES)}", "profile")
    return found


def misspelt_profile(code: Section, name: str) -> str:
    """A note if the name of a code resembles a known program, and its command says nothing about how to call it."""
    command = code.text("command", "")
    if not command or "{" in command or "profile" in code or known_profile(name):
        return ""
    near = difflib.get_close_matches(name.lower(), _SPELLINGS, n=1, cutoff=_MISSPELT)
    if not near:
        return ""
    profile = _SPELLINGS[near[0]]
    return (
        f"{code.path} is called as `{command} INPUT OUTPUT`; if it is {profile}, write profile: {profile}, "
        "otherwise profile: none"
    )


def kind_of_a_package(code: Section, name: str) -> str:
    """The key of a kind of code that another package defines; empty if the code has no such key.

    This is the only unknown key, it holds a mapping, it does not resemble a known key, and no other key says how the
    code runs. The evaluator knows the packages that define kinds, and reads the mapping; the proposer needs no package.
    `code` is a section that accepts any key.
    """
    if name in BUILT_IN or any(way in code for way in WAYS):
        return ""
    unknown = [key for key in code if key not in CODE.known]
    if len(unknown) != 1 or not re.fullmatch(r"[a-z][a-z0-9_]*", unknown[0]):
        return ""
    near = difflib.get_close_matches(unknown[0], CODE.known, n=1, cutoff=_MISSPELT)
    return unknown[0] if isinstance(code.raw(unknown[0]), dict) and not near else ""


_MISSPELT = 0.75
"""A key with at least this similarity (difflib's ratio) to a known key is taken for a misspelling."""


def kind_key(code: Section) -> str:
    """The key that says how a code runs; empty if the section has none."""
    ways = (key for key in code if key in WAYS or key not in CODE.known)
    return next(ways, "")


def writes_spectrum(code: Section, name: str) -> bool:
    """Whether a code writes the spectrum from a template, as programs and pass_tool do. The first of them fills the
    template with the file's `blocks`.
    """
    return "command" in code or (name == PASS and "function" not in code)


def call_of(code: Section, name: str, folder: Path | None = None) -> tuple[str, str]:
    """The key that says how a code runs, and the name of what it calls; a program is named without its folder.

    With the `folder` of the scan file, paths from there have one spelling in a command, too.
    """
    way = kind_key(code)
    if way == "command":
        program, blank, arguments = canonical_command(code.text("command"), folder).partition(" ")
        return way, f"{PurePath(program).name}{blank}{arguments}"
    if way == "umbridge":
        return way, code.section("umbridge", UMBRIDGE).text("model", "")
    if way and way not in WAYS:
        return way, json.dumps(code.raw(way), sort_keys=True, default=str)
    return (way, code.text("function")) if way == "function" else (way or "tool", name)


def check_code(code: Section, name: str) -> None:
    """Raises ScanFileError unless a code says in exactly one way how it runs."""
    kinds = [key for key in code if key in WAYS or key not in CODE.known]
    if len(kinds) > 1:
        raise code.error(
            f"code {name!r} has {' and '.join(kinds)}; keep one: `function: module:name` for a Python function, "
            "`command` for a program, `flavio` for Wilson coefficients, `umbridge` for a model at a web address"
        )
    if not kinds and name not in BUILT_IN:
        raise code.error(
            f"code {name!r} has neither function nor command, and is not a tool that lodescan has"
            f"{closest(name, BUILT_IN)}; {WITHOUT_A_WAY}; {HOW_TO_PORT}"
        )


WITHOUT_EXIT_CODES = ("SuperIso",)
"""Profiles of programs whose exit codes say nothing about a run. For all others, 0 is the exit code of a good run."""

_APPENDS = ("micrOMEGAs", "HiggsTools", "SuperIso")


def appends(code: Section, name: str) -> bool:
    """Whether, without the key `append`, the output of a program is added to the spectrum and does not replace it.
    Raises ScanFileError for an unknown profile.
    """
    profile = profile_name(code, name)
    return profile in _APPENDS or (profile in ("HiggsBounds", "HiggsSignals") and needs_the_folder(code))


def needs_the_folder(code: Section) -> bool:
    """Whether HiggsBounds or HiggsSignals gets the folder of its input files, and not one SLHA file. Its options
    decide.
    """
    words = f"{code.text('command', '')} {code.text('options', '')}".split()
    if "neutral_higgs" in code and "charged_higgs" in code and not code.text("options", ""):
        return "SLHA" not in words
    return any(word in ("effC", "part", "hadr") for word in words) or "{folder}" in code.text("command", "")


def unknown_key(error: ScanFileError, codes: Section, name: str) -> ScanFileError:
    """The error for a code with an unknown key, with a hint if the code may be a tool that lodescan lacks."""
    if name in BUILT_IN or any(key in set(codes.section(name)) for key in (*WAYS, "profile")):
        return error
    ways = f"write `command` for a program or `function: module:name` for a Python function: {HOW_TO_PORT}"
    return ScanFileError(f"{error}; or, if {name!r} is a tool of BSMArt or of your own, {ways}", error.line)
