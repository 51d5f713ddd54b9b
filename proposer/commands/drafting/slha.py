"""A template and its variables, made from an SLHA file of inputs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from proposer.commands.drafting.draft import Draft, around, refuse_unknown
from scanspec import UsageError, visible
from scanspec.document import to_number
from scanspec.files import read_text

BLOCKS = ("MINPAR", "EXTPAR")
"""Blocks whose entries become variables if none is named."""

_ENTRY = re.compile(r"^(\s+((?:\d+\s+)+))([-+]?[\d.][\d.]*(?:[eEdD][-+]?\d+)?)(\s*(?:#\s*(.*))?)$")

_STAYS = re.compile(r"\b(?:sign|sgn|signum\w*|n_?5|messenger index)\b|scale|renormali[sz]ation|\bq_?in", re.IGNORECASE)
"""Words in the comments of entries that are not continuous variables: signs, numbers of messengers, scales."""


@dataclass(frozen=True)
class Entry:
    """A number of an SLHA file. `address` is its block and its indices, such as `MINPAR,5`. `before` and `after` are
    the rest of its line.
    """

    address: str
    value: float
    comment: str
    before: str
    number: str
    after: str

    @property
    def stays(self) -> str:
        """Why the number does not become a variable by itself; empty if it does. In SLHA (hep-ph/0311123, section 3.1),
        MINPAR 4 is a sign, and EXTPAR 0 is the scale of the input.
        """
        of_mu = "mu" in (self.comment.lower() or "mu")
        if self.address == "MINPAR,4" and abs(self.value) == 1.0 and of_mu:
            return "a sign"
        if self.address == "EXTPAR,0":
            return "the scale of the input"
        if _STAYS.search(self.comment):
            return "a sign, a scale, or a whole number"
        return "" if self.value else "0, so no range can be guessed"


def from_slha(path: Path, draft: Draft, chosen: Collection[str] = ()) -> None:
    """Makes a template: numbers become variables with the names in their comments, and ranges from half the value to
    twice the value. These are the entries `chosen`, such as `MINPAR,5`, or without any those of the blocks BLOCKS, but
    not signs, scales, and zeros. Raises UsageError if none is found, or if the draft has other variables.
    """
    try:
        text = read_text(path, errors="surrogateescape")
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{path}: cannot be read ({why})", next_step="name an SLHA file of inputs") from None
    wanted = {re.sub(r"[\s,]+", ",", visible(address).strip()).upper() for address in chosen}
    lines: list[str] = []
    names: list[str] = []
    there: list[str] = []
    block = ""
    for line in text.removesuffix("\n").split("\n"):
        words = line.upper().split()
        if words[:1] in (["BLOCK"], ["DECAY"]):
            block = words[1] if len(words) > 1 else ""
        entry = _read(line, block)
        if entry is None or not (wanted or block in BLOCKS):
            lines.append(line)
            continue
        there.append(entry.address)
        if entry.address not in wanted if wanted else entry.stays:
            lines.append(line)
            if block in BLOCKS:
                why = "not named by --entry" if wanted else entry.stays
                draft.unchanged.append(f"{entry.address} ({entry.comment or 'no comment'}) = {entry.number}: {why}")
            continue
        name = _free_name(entry, names)
        names.append(name)
        draft.comments[name] = entry.address
        if name not in draft.variables:
            draft.variables[name] = around(entry.value)
            draft.guessed.add(name)
        lines.append(f"{entry.before}{name}{entry.after}")
    if missing := sorted(wanted - set(there)):
        has = ", ".join(there) or "none"
        raise UsageError(f"{path} has no number at {', '.join(missing)}; it has: {has}", next_step="name one of these")
    if not names:
        raise UsageError(
            f"{path} has no number in {' or '.join(BLOCKS)} that can be a variable",
            next_step="name an SLHA file of inputs, or name entries with --entry BLOCK,NUMBER",
        )
    for name in draft.variables:
        refuse_unknown(name, names, "variable")
    draft.known_variables = names
    draft.variables = {name: draft.variables[name] for name in names}
    draft.slha, draft.template = str(path), "\n".join(lines) + "\n"


def _read(line: str, block: str) -> Entry | None:
    """The number of a line, or None. Bytes that are not UTF-8 stay in the template, but not in the scan file and in
    messages.
    """
    found = _ENTRY.match(line)
    value = to_number(found[3].upper().replace("D", "E")) if found else None
    if found is None or value is None:
        return None
    address = visible(",".join([block, *found[2].split()]))
    comment = visible((found[5] or "").strip())
    return Entry(address, value, comment, before=found[1], number=found[3], after=found[4])


def _free_name(entry: Entry, taken: Iterable[str]) -> str:
    word = re.match(r"[A-Za-z_]\w*", entry.comment or entry.address.lower().replace(",", ""))
    name = word[0] if word else "p"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
