"""Canonical forms: two spellings of the same setting have the same form. Both sides compare settings by these forms."""

from __future__ import annotations

import ast
import os
import shlex
from dataclasses import replace
from pathlib import Path

from scanspec.numbers import to_number
from scanspec.observables import SlhaAddress

_EXACT = 2**53
"""Below this number, whole numbers and doubles are the same."""


def split_command(text: str) -> list[str]:
    """The words of a command, and the signs <, >, |, & and ; as words of their own. Raises ValueError."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="<>|&;")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def canonical_command(text: str, folder: Path | None = None) -> str:
    """A command without needless quotes and blanks. The files behind < and > come last.

    With the folder of the scan file, paths from there have one spelling, too: the program, and the words that begin
    with `./`, `../` or the folder.
    """
    try:
        words = split_command(text)
    except ValueError:
        return text
    kept: list[str] = []
    files: list[str] = []
    behind = ""
    for word in words:
        if word in ("<", ">") and not behind:
            behind = word
            continue
        named = _file_word(word, folder, is_program=not (kept or behind)) if folder is not None else word
        plain = named if named and not set(named) & set(" \t\n\"'\\") else shlex.quote(named)
        (files if behind else kept).append(f"{behind} {plain}".strip())
        behind = ""
    return " ".join([*kept, *sorted(files), *([behind] if behind else [])])


def _file_word(word: str, folder: Path, *, is_program: bool) -> str:
    """A word of a command; if it is written as a path, its path from the folder.

    The text alone decides: logs and tables come and go, and an unchanged command must keep its form.
    """
    is_path = "/" in word and (is_program or word.startswith(("./", "../", f"{folder}/")))
    if not is_path or word.endswith("/") or "{" in word:  # {input} and {output} become whole paths
        return word
    whole = Path(os.path.normpath(folder / word))
    path = str(whole.relative_to(folder)) if whole.is_relative_to(folder) else os.path.normpath(word)
    if path.startswith("-"):
        return word  # it would be an option
    return f"./{path}" if is_program and "/" not in path else path


def canonical_path(name: str, folder: Path) -> str:
    """The path of a file without `./` and the like. It starts from the folder of the scan file if the file is there or
    below.
    """
    if "/" not in name:
        return name
    above, last = os.path.split(os.path.normpath(folder / name))
    real = Path(os.path.realpath(above) if os.path.isabs(name) else above, last)
    return str(real.relative_to(folder)) if real.is_relative_to(folder) else os.path.normpath(name)


def canonical_expression(text: str) -> str:
    """An expression whose value becomes a double: without needless blanks and brackets, and with 1 for 1.0."""
    return _unparsed(text, _WholeNumbers())


def canonical_entry(text: str) -> str:
    """An expression of the section `blocks`. A program may distinguish 1 from 1.0, so these stay different."""
    number = to_number(text)
    if number is not None:
        return text.strip() if text.strip().lstrip("+-").isdecimal() else repr(number)
    return _unparsed(text, ast.NodeTransformer())


def _unparsed(text: str, change: ast.NodeTransformer) -> str:
    try:
        return ast.unparse(change.visit(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text.strip()


class _WholeNumbers(ast.NodeTransformer):
    """Writes 1 for 1.0 where both give the same double."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
        return ast.Constant(int(value)) if whole else node  # type: ignore[arg-type]

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Constant):
            return node  # 10 ** 17 is exact for whole numbers only
        return self.generic_visit(node)


def canonical_address(address: SlhaAddress) -> SlhaAddress:
    """The address with the daughters of a decay, or the particles of a process, sorted, since their order has no
    meaning.
    """
    indices = address.indices
    if address.block in ("BR", "BR1L"):
        daughters = sorted(pdg for index in indices[1:] for pdg in ((index,) if isinstance(index, int) else index))
        return replace(address, indices=(indices[0], tuple(daughters)))
    if address.block == "XSECTION":
        pdgs = [index for index in indices if isinstance(index, int)]
        return replace(address, indices=(*sorted(pdgs[:2]), *sorted(pdgs[2:])))
    return address
