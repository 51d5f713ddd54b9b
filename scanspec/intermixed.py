"""Parsers whose errors end with a next step, and that accept options between positional arguments: `point FILE --id 3
x=1`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from scanspec.document import nearest


class Parser(argparse.ArgumentParser):
    """A parser whose errors name the closest choice and the help that lists all."""

    def error(self, message: str) -> NoReturn:
        """Prints the error with a next step in its last line, and ends the program."""
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        hint = nearest(choice[1], re.findall(r"[\w-]+", choice[2])) if choice else ""
        super().error(f"{message}{hint}{'' if hint else ';'} `{self.prog} --help` lists what it accepts")


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
