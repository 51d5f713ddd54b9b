"""Parsers whose errors end with a next step, and that accept options between positional arguments: `point FILE --id 3
x=1`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from scanspec.document import nearest
from scanspec.text import visible


class Parser(argparse.ArgumentParser):
    """A parser whose errors name the closest choice and the help that lists all."""

    def error(self, message: str) -> NoReturn:
        """Prints the usage, where to read more, and in the last line the error. Ends the program."""
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        hint = nearest(choice[1], re.findall(r"[\w-]+", choice[2])) if choice else ""
        if unknown := re.search(r"unrecognized arguments:.*? (--[\w-]+)", message):
            hint = self._place_of(unknown[1])
        self.print_usage(sys.stderr)
        self.exit(2, f"`{self.prog} --help` says what this means\n{self.prog}: error: {message}{hint}\n")

    def _place_of(self, option: str) -> str:
        """A hint that names the commands that have an option, or the closest option; empty if none is close."""
        commands = [action.choices for action in self._actions if isinstance(action.choices, dict)]
        options = {
            name: re.findall(r"(?<!\S)\[?(--[\w-]+)", parser.format_usage())
            for choices in commands
            for name, parser in choices.items()
        }
        if having := [name for name, theirs in options.items() if option in theirs]:
            return f"; {', '.join(having)} {'has' if len(having) == 1 else 'have'} this option"
        return nearest(option, sorted({found for theirs in options.values() for found in theirs}))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Prints help and errors. These repeat the user's words, which a terminal must not obey."""
        super()._print_message(visible(message), file)


class IntermixedParser(Parser):
    """The parser of one command. argparse by itself takes all positional arguments from one place only."""

    _within = False

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Calls argparse's parse_known_intermixed_args, which argparse does not use for subcommands."""
        if self._within:
            return super().parse_known_args(args, namespace)
        self._within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._within = False
