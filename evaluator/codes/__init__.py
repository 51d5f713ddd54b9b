"""Kinds of physics code, one a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from evaluator.codes.bsmart import make_tool
from evaluator.codes.python import PythonFunction
from evaluator.codes.slha import SlhaProgram
from evaluator.errors import ConfigurationError
from scanspec import CodeSpec, ScanFile

if TYPE_CHECKING:
    from evaluator.point import Point


class Code(Protocol):
    """A physics code: one step of a point."""

    timeout: float
    """Seconds that one point may take."""
    first_timeout: float
    """The same for the first point of a process, where some codes compile."""

    def load(self) -> None:
        """Prepares a process for points (imports, data); raises ConfigurationError when it cannot work."""

    def run(self, point: Point) -> Mapping[str, float]:
        """Works on a point: returns observables by name, or sets `point.spectrum`.

        Raises InvalidPoint, CodeFailed, CodeTimedOut or CodeKilled.
        """

    def sources(self) -> Mapping[str, str]:
        """What decides the results, each by name with a hash or a version; for the physics digest."""


def make_code(spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> Code:
    """The code that an entry of `codes` describes; raises ConfigurationError.

    `known` are the names that its expressions may use.
    """
    kinds = [kind for kind in ("function", "command") if kind in spec.section]
    if kinds == ["function"]:
        return PythonFunction(spec, scan)
    if kinds == ["command"]:
        return SlhaProgram(spec, scan, known)
    if not kinds:
        return make_tool(spec, scan, known)
    error = spec.section.error(
        f"code {spec.name!r} has both function and command; write `function: module:name` for a Python function, "
        "`command` for a program"
    )
    raise ConfigurationError(str(error))
