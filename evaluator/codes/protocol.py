"""What a physics code is, one step of a point, and what a kind of code declares.

A kind is a subclass of `Code`: in `evaluator.codes.kinds`, or in another package that names it as an entry point of the
group `lodescan.codes` (docs/backends.md).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import ClassVar

from evaluator.codes.data import check_data, named_data
from evaluator.codes.deadline import Deadline
from evaluator.codes.point import Point
from scanspec import CodeSpec, Likelihood, ScanFile, Section
from scanspec.codes import read_memory
from scanspec.keys import OF_EVERY_CODE, Keys


class Code(ABC):
    """One physics code of a scan file: it is made once, loaded once a process, and run at each point.

    A kind declares the class attributes that differ from these; one code of it may set the others in `__init__`.
    """

    key: ClassVar[str] = ""
    """The key in a code's section that asks for this kind."""
    tool: ClassVar[str] = ""
    """The name of a code that asks for it where no key does, as in BSMArt's files."""
    settings: ClassVar[Collection[str] | None] = None
    """The keys of the mapping under `key`; None where a text stands there."""
    beside: ClassVar[Collection[str]] = ()
    """Keys of the code's section that it reads beside `key` and the common ones."""
    observable_keys: ClassVar[Collection[str]] = ()
    """Keys of an observable that this kind alone reads, such as `flavio`."""
    changes_process: ClassVar[bool] = True
    """Whether a point may change the process in which it runs (its folder, environment, signal handlers), or draw
    random numbers there: then these are put back, and seeded, for each point.
    """

    gives: Collection[str] = ()
    """Names that it sets in `point.names` beside its observables: expressions may use them from there on."""
    preloads: Collection[str] = ()
    """Modules that workers should share in memory: they are imported once for all."""
    fills_a_template: bool = False
    """Whether the blocks of the scan file go into its input."""

    cores: int
    """How many cores a point of it keeps busy."""
    memory: int
    """Bytes that a point of it may take; 0 where the file does not say."""
    deadline: Deadline
    """Seconds that one point may take."""

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        """Reads the code's section; `known` are the names that its expressions may use.

        Raises ScanFileError or ConfigurationError.
        """
        self.section = spec.section
        """The code's whole section of the scan file."""
        self.scan_file = scan.path
        self.folder = scan.folder
        """Where relative paths of the scan file start."""
        self.own = self._own_section()
        """The mapping under `key`; the code's whole section where a text stands there."""
        self._refuse_keys_of_other_kinds()
        for observable in spec.observables:
            if observable.flavio is not None and "flavio" not in self.observable_keys:
                what = f"the code {spec.name!r} is not flavio, but {observable.name!r} asks for it"
                raise observable.section.error(what, "flavio")
        self.cores, self.memory = self.section.integer("cores", 1, 1), read_memory(self.section)
        check_data(self.section, self.folder)
        self.has_ended = False
        """Whether a run in this process has ended by itself; until then the deadline of the first one holds."""
        self.deadline = Deadline().read(self.section)

    @cached_property
    def data(self) -> Mapping[str, str]:
        """The hashes of the files that the scan file names as this code's `data`; raises ScanFileError."""
        return named_data(self.section, self.folder)

    def _own_section(self) -> Section:
        if self.settings is None:
            return self.section
        return self.section.section(self.key, Keys(tuple(self.settings)))

    def _refuse_keys_of_other_kinds(self) -> None:
        for key in self.section:
            if key not in (self.key, *OF_EVERY_CODE, *self.beside):
                what = f"`{self.key}`" if self.key else f"the tool {self.tool}"
                raise self.section.error(f"{self.section.path}: {key} means nothing for {what}; remove it", key)

    def next_timeout(self) -> float:
        """Seconds for the point that runs next."""
        return self.deadline.seconds(first=not self.has_ended)

    def load(self) -> None:  # noqa: B027  # most kinds have nothing to prepare
        """Prepares a process for points (imports, data); raises ConfigurationError when it cannot work."""

    @abstractmethod
    def run(self, point: Point) -> Mapping[str, float]:
        """Works on a point: returns observables by name, or sets `point.spectrum`.

        Raises InvalidPoint, CodeFailed, CodeTimedOut or CodeKilled.
        """

    def sources(self) -> Mapping[str, str]:
        """Everything that decides the results, by name with a hash or a version, for the physics digest.

        The version of the package that brings the kind is added to it.
        """
        return {self.key: json.dumps(self.section.raw(self.key), sort_keys=True, default=str)}

    def measured(self) -> Mapping[str, Likelihood]:
        """Likelihoods of observables that only the code knows, by name; raises ConfigurationError or ScanFileError."""
        return {}
