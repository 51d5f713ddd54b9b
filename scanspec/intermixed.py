"""A parser that accepts options between positional arguments: `point FILE --id 3 x=1`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any


class IntermixedParser(argparse.ArgumentParser):
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
