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

    _given: Sequence[str] = ()

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Keeps the arguments, because argparse does not tell `error` to which command unknown ones belong."""
        self._given = sys.argv[1:] if args is None else args
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Prints the usage, where to read more, and in the last line the error. Ends the program."""
        asked: argparse.ArgumentParser = self
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        hint = nearest(choice[1], re.findall(r"[\w-]+", choice[2])) if choice else ""
        if message.startswith("unrecognized arguments"):
            commands = self._commands()
            asked = next((commands[word] for word in self._given if word in commands), self)
            if option := re.search(r" (--[\w-]+)", message):
                hint = self._place_of(option[1], asked)
        asked.print_usage(sys.stderr)
        self.exit(2, f"`{asked.prog} --help` says what this means\n{self.prog}: error: {message}{hint}\n")

    def _commands(self) -> dict[str, argparse.ArgumentParser]:
        return next((action.choices for action in self._actions if isinstance(action.choices, dict)), {})

    def _place_of(self, option: str, asked: argparse.ArgumentParser) -> str:
        """A hint that names the commands that have an option, or the closest option of the command that was asked for;
        empty if none is close.
        """
        options = {name: _options_of(parser) for name, parser in self._commands().items()}
        if having := [name for name, theirs in options.items() if option in theirs]:
            return f"; {', '.join(having)} {'has' if len(having) == 1 else 'have'} this option"
        return nearest(option, _options_of(asked))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Prints help and errors. These repeat the user's words, which a terminal must not obey."""
        super()._print_message(visible(message), file)


def _options_of(parser: argparse.ArgumentParser) -> list[str]:
    return re.findall(r"(?<!\S)\[?(--[\w-]+)", parser.format_usage())


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
