"""Checks the settings of codes. Both sides do this before anything is started."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable
from typing import Any

from scanspec import keys
from scanspec.canonical import split_command
from scanspec.document import ScanFileError, Section, to_number
from scanspec.observables import read_address
from scanspec.tools import BUILT_IN, TOYS, profile_name

LONGEST_TIMEOUT = 1e7
"""Seconds."""


def check_code_settings(code: Section, name: str) -> None:
    """Adds the errors in a code's settings to the `faults` of its section."""

    def check(one: Callable[[], Any]) -> None:
        with code.faults.collect():
            one()

    if "function" in code and name not in BUILT_IN:
        check(lambda: read_function(code))
    for key in ("timeout", "first_timeout"):
        check(lambda key=key: code.number_in(key, 1.0, 0.0, LONGEST_TIMEOUT, open_low=True))  # type: ignore[misc]
    check(lambda: code.boolean("append", False))
    check(lambda: code.texts("conditions"))
    check(lambda: code.texts("data"))
    check(lambda: code.integer("cores", 1, 1))
    check(lambda: read_memory(code))
    check(lambda: code.path_text("input_file"))
    check(lambda: code.path_text("input_name"))
    check(lambda: read_output_name(code, ""))
    check(lambda: _check_success(code.section("success", keys.SUCCESS)))
    check(lambda: _check_invalid_when(code.section("invalid_when", keys.INVALID_WHEN)))
    check(lambda: _check_flags(code.section("flags")))
    if "command" in code:
        check(lambda: _check_words(code))
    if "flavio" in code:
        check(lambda: _check_flavio(code.section("flavio", keys.FLAVIO)))
    if "umbridge" in code:
        check(lambda: _check_umbridge(code.section("umbridge", keys.UMBRIDGE)))
    if name == TOYS:
        check(lambda: _check_toys(code))
    for key in ("neutral_higgs", "charged_higgs"):
        check(lambda key=key: code.integer(key, 0))  # type: ignore[misc]
    check(lambda: read_lsp(code))
    check(lambda: code.boolean("cross_sections", False))
    check(lambda: profile_name(code, name))
    for key in ("function", "description"):
        check(lambda key=key: code.text(key, ""))  # type: ignore[misc]


def read_lsp(code: Section) -> list[int]:
    """The PDG numbers that a dark matter candidate may have; empty without `lsp`. Raises ScanFileError."""
    if not code.texts("lsp"):
        return []
    raw = code.raw("lsp")
    found = [to_number(entry) for entry in (raw if isinstance(raw, list) else [raw])]
    if any(number is None or not number.is_integer() for number in found):
        raise code.wrong("lsp", "a list of PDG numbers")
    return [int(number) for number in found if number is not None]


def read_function(code: Section) -> tuple[str, str]:
    """Module and name of `function: module:name`. Raises ScanFileError."""
    text = code.text("function")
    module, colon, name = text.partition(":")
    if re.search(r"\.py\b", module) or "/" in module or "\\" in module:
        plain = re.split(r"[/\\]", module)[-1].removesuffix(".py")
        raise code.error(
            f"function is {text!r}, but a module is named without .py and without folders; write "
            f"function: {plain}:{name or 'NAME'}, where {plain}.py lies beside the scan file",
            "function",
        )
    words = [*module.split("."), name]
    if not colon or not all(word.isidentifier() and not keyword.iskeyword(word) for word in words):
        raise code.error(
            f"function is {text!r:.100}, but must be module:name, for example my_physics:observables", "function"
        )
    return module, name


UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30}


def read_memory(code: Section) -> int:
    """The memory that a point may take, in bytes, from `memory: 8 GB`; 0 without the key. Raises ScanFileError."""
    if "memory" not in code:
        return 0
    number, unit = re.findall(r"^([\d.]*)\s*(.*)", code.text("memory").strip())[0]
    value, factor = to_number(number), next((UNITS[symbol] for symbol in UNITS if symbol.lower() == unit.lower()), 0)
    if value is None or not 0.0 < value * factor < 1e18:
        raise code.wrong("memory", f"a number with its unit ({', '.join(UNITS)}), for example 8 GB")
    return int(value * factor)


def read_exit_codes(section: Section) -> frozenset[int]:
    """The list `exit_codes`. Raises ScanFileError."""
    found = section.numbers("exit_codes")
    if not all(number.is_integer() and abs(number) < 2**31 for number in found):
        raise section.wrong("exit_codes", "a list of whole numbers")
    return frozenset(int(number) for number in found)


def read_output_name(code: Section, default: str) -> str:
    """The name of the file that a program writes into the point's folder. An empty text, as BSMArt's files may have,
    means `default`. Raises ScanFileError.
    """
    text = code.path_text("output_file")
    name = re.split(r"/+", text.rstrip("/"))[-1] if text else default
    if text and (name in ("", ".", "..") or text.endswith("/")):
        raise code.wrong("output_file", "the name of a file")
    return name


def _check_success(success: Section) -> None:
    if "exit_codes" in success and str(success.raw("exit_codes")).lower() != "any":
        with success.faults.collect():
            read_exit_codes(success)
    success.texts("blocks")


def _check_invalid_when(invalid: Section) -> None:
    if "exit_codes" in invalid:
        with invalid.faults.collect():
            read_exit_codes(invalid)
    with invalid.faults.collect():
        invalid.boolean("spinfo", True)
    read_pattern(invalid)


def read_pattern(invalid: Section) -> re.Pattern[str] | None:
    """The regular expression `stderr`; None without one. Raises ScanFileError."""
    if "stderr" not in invalid:
        return None
    try:
        return re.compile(invalid.text("stderr"))
    except (re.error, OverflowError, RecursionError) as error:
        raise _no_pattern(invalid, error) from None


def _no_pattern(invalid: Section, error: Exception) -> ScanFileError:
    return invalid.error(f"stderr is not a regular expression: {error}", "stderr")


def _check_flags(flags: Section) -> None:
    for name in flags:
        with flags.faults.collect():
            read_address(flags, name)


def _check_words(code: Section) -> None:
    text = code.text("command")
    try:
        words = split_command(text)
    except ValueError as error:
        raise code.error(f"command: {text!r:.200} cannot be split into words ({error})", "command") from None
    if not words:
        raise code.error(
            f"{code.path}: the {code.spelling('command')} is empty; name a program, or leave the code out: run: false",
            "command",
        )


def _check_toys(code: Section) -> None:
    """Checks the constants of toy_targets: numbers, except one point in the plane."""
    for key in keys.OF_TOYS:
        with code.faults.collect():
            if key == "easom_center":
                if key in code:
                    code.numbers(key, 2)
            else:
                code.finite(key, 0.0)


def _check_flavio(section: Section) -> None:
    for key in ("eft", "basis", "wcxf"):
        section.text(key, "")
    section.section("coefficients")
    if "scale" in section:
        section.number_in("scale", 1.0, 0.0, math.inf, open_low=True)


def _check_umbridge(section: Section) -> None:
    for key in ("address", "model"):
        section.text(key)
    section.require("outputs", "; name the model's outputs in order")
    section.texts("outputs")
    section.texts("inputs")
    section.section("config")
