"""The base class of physics codes. A code is one step in the evaluation of a point.

A kind of code is a subclass of `Code`, in `evaluator.codes.kinds` or in another package, which names it as an entry
point of the group `lodescan.codes` (docs/backends.md).
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
    """One physics code of a scan file. It is made once, loaded once in each process, and run at each point.

    A kind declares the class attributes that differ from the defaults here. `__init__` may set the other attributes for
    one code.
    """

    key: ClassVar[str] = ""
    """The key of a code's section that selects this kind."""
    tool: ClassVar[str] = ""
    """The name of a code that selects this kind if no key does, as in BSMArt's files."""
    settings: ClassVar[Collection[str] | None] = None
    """The keys of the mapping under `key`; None if the value of `key` is a text."""
    other_keys: ClassVar[Collection[str]] = ()
    """Keys of the code's section that this kind reads, besides `key` and the keys of every code."""
    observable_keys: ClassVar[Collection[str]] = ()
    """Keys of an observable that only this kind reads, such as `flavio`."""
    changes_process: ClassVar[bool] = True
    """Whether a point may change its process (working directory, environment, signal handlers), or draw random numbers
    in it. Then all of these are restored, and the generators seeded, for each point.
    """

    sees_every_variable: ClassVar[bool] = True
    """Whether the code may use a variable that neither the scan file nor a template names."""

    defined_names: Collection[str] = ()
    """Names that the code sets in `point.names` besides its observables. Expressions of this and later codes may use
    them.
    """
    preloads: Collection[str] = ()
    """Modules that are imported once for all workers, which then share their memory."""
    remark: str = ""
    """What `check` tells the user about this code; empty if there is nothing to tell."""
    fills_a_template: bool = False
    """Whether the scan file's `blocks` go into the input of this code."""

    cores: int
    """The number of cores that the code keeps busy."""
    memory: int
    """The memory that the code may use, in bytes; 0 if the file does not say."""
    deadline: Deadline
    """The time that the code may take for one point."""

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        """Reads the code's section; `known` are the names that its expressions may use.

        Raises ScanFileError or ConfigurationError.
        """
        self.section = spec.section
        """The code's whole section of the scan file."""
        self.scan_file = scan.path
        self.folder = scan.folder
        """The folder of the scan file, where its relative paths start."""
        self.own = self._own_section()
        """The mapping under `key`; the code's whole section if the value of `key` is a text."""
        self._refuse_keys_of_other_kinds()
        for observable in spec.observables:
            if observable.flavio is not None and "flavio" not in self.observable_keys:
                what = f"the code {spec.name!r} is not flavio, but {observable.name!r} asks for it"
                raise observable.section.error(what, "flavio")
        self.cores, self.memory = self.section.integer("cores", 1, 1), read_memory(self.section)
        check_data(self.section, self.folder)
        self.has_ended = False
        """Whether a run in this process has ended by itself. Until then, the deadline of the first point holds."""
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
            if key not in (self.key, *OF_EVERY_CODE, *self.other_keys):
                what = f"`{self.key}`" if self.key else f"the tool {self.tool}"
                raise self.section.error(f"{self.section.path}: {key} has no meaning for {what}; remove it", key)

    def next_timeout(self) -> float:
        """The deadline of the next point, in seconds."""
        return self.deadline.seconds(first=not self.has_ended)

    def load(self) -> None:  # noqa: B027  # most kinds have nothing to prepare
        """Prepares a process for points (imports, data). Raises ConfigurationError if the code cannot work."""

    @abstractmethod
    def run(self, point: Point) -> Mapping[str, float]:
        """Runs the code at a point. It returns observables by name, or sets `point.spectrum`.

        Raises InvalidPoint, CodeFailed, CodeTimedOut or CodeKilled.
        """

    def sources(self) -> Mapping[str, str]:
        """Everything that determines the results, as names with a hash or a version, for the physics digest.

        The registry adds the version of the package that provides the kind.
        """
        return {self.key: json.dumps(self.section.raw(self.key), sort_keys=True, default=str)}

    def measured(self) -> Mapping[str, Likelihood]:
        """Likelihoods that only the code knows, by the name of the observable. Raises ConfigurationError or
        ScanFileError.
        """
        return {}
