"""The meaning of a code's settings: how a scan file spells them makes no difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanspec import keys
from scanspec.canonical import canonical_address, canonical_expression, canonical_path
from scanspec.codes import read_exit_codes, read_lsp, read_output_name, read_pattern
from scanspec.observables import read_address
from scanspec.tools import TOYS, WITHOUT_EXIT_CODES, appends, call_of, profile_name

if TYPE_CHECKING:
    from scanspec import CodeSpec, Section


def code_meaning(code: CodeSpec, folder: Path) -> dict[str, Any]:
    """The values of a code's keys that decide its results. Values that are the defaults are left out, and so are time
    limits, cores and memory, which change no result. `folder` is that of the scan file.
    """
    section, name = code.section, code.name
    way, called = call_of(section, name, folder)
    found: dict[str, Any] = {way: called}
    if profile := profile_name(section, name):
        found["profile"] = profile
    if code.conditions:
        found["conditions"] = [canonical_expression(text) for text in code.conditions]
    if data := sorted({canonical_path(text, folder) for text in section.texts("data")}):
        found["data"] = data
    for key in ("input_file", "input_name"):
        if path := section.path_text(key):
            found[key] = canonical_path(path, folder)
    if output := read_output_name(section, ""):
        found["output_file"] = output
    usual = appends(section, name)
    if section.boolean("append", usual) != usual:
        found["append"] = not usual
    if section.boolean("cross_sections", False):
        found["cross_sections"] = True
    if options := section.text("options", "").split():
        found["options"] = " ".join(options)
    for key in ("neutral_higgs", "charged_higgs"):
        if key in section:
            found[key] = section.integer(key)
    if lsp := read_lsp(section):
        found["lsp"] = sorted(set(lsp))
    found |= _verdict(section, [] if profile in WITHOUT_EXIT_CODES else [0])
    if name == TOYS:
        constants = [key for key in keys.OF_TOYS if key in section]
        found |= {key: section.numbers(key) if key == "easom_center" else section.finite(key) for key in constants}
    return found


def _verdict(code: Section, usual: list[int]) -> dict[str, Any]:
    """What makes a run of a program good, and a point INVALID. `usual` are the exit codes of a good run that need not
    be given.
    """
    success, invalid = code.section("success", keys.SUCCESS), code.section("invalid_when", keys.INVALID_WHEN)
    found: dict[str, Any] = {}
    if "exit_codes" in success:
        is_any = str(success.raw("exit_codes")).lower() == "any"
        good = [] if is_any else sorted(read_exit_codes(success))
        if good != usual:
            found["success: exit_codes"] = good or "any"
    if "blocks" in success:
        found["success: blocks"] = sorted({text.upper() for text in success.texts("blocks")})
    if "exit_codes" in invalid:
        found["invalid_when: exit_codes"] = sorted(read_exit_codes(invalid))
    if (pattern := read_pattern(invalid)) is not None:
        found["invalid_when: stderr"] = pattern.pattern
    if not invalid.boolean("spinfo", True):
        found["invalid_when: spinfo"] = False
    if "flags" in code:
        flags = code.section("flags")
        found["flags"] = {flag: str(canonical_address(read_address(flags, flag))) for flag in flags}
    return found
