"""The content of a scan file, for both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from scanspec.document import Section
from scanspec.fitting import Fitting
from scanspec.likelihoods import Kind
from scanspec.observables import ObservableSpec
from scanspec.variables import Variable


@dataclass(frozen=True)
class CodeSpec:
    """One physics code of the chain, as the file describes it."""

    name: str
    section: Section
    observables: tuple[ObservableSpec, ...]
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class ScanFile:
    """A scan file that has been checked as far as it can be without running anything.

    `codes` are the codes that run, in order. `observables` are computed after the last code; `terms` are observables
    whose value is the -ln L of others. `derived` maps names to expressions. `blocks` maps an SLHA block to the
    expressions of its entries, and `block_lines` maps each entry to its file and line. `ignored` lists keys without
    meaning here, and `notes` lists other remarks for the user before a scan starts. `switched_off` are the observables
    of codes that do not run. `document` has lodescan's spelling, `changes` describe the translation from BSMArt's, and
    `in_bsmarts_words` says whether the file has BSMArt's section `Setup`.
    """

    path: Path
    text: str
    document: CommentedMap
    setup: Section
    networks: Section
    variables: tuple[Variable, ...]
    derived: dict[str, str]
    derived_section: Section
    blocks: dict[str, dict[tuple[int, ...], str]]
    codes: tuple[CodeSpec, ...]
    observables: tuple[ObservableSpec, ...]
    terms: tuple[ObservableSpec, ...]
    ignored: tuple[str, ...]
    notes: tuple[str, ...]
    plotting: Section
    fitting: Fitting | None = None
    block_lines: Mapping[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)
    switched_off: frozenset[str] = frozenset()
    changes: tuple[str, ...] = ()
    in_bsmarts_words: bool = False

    @property
    def folder(self) -> Path:
        """The folder of the file, from which its relative paths start."""
        return self.path.resolve().parent

    @property
    def run_name(self) -> str:
        """The name of the run; by default, the name of the file."""
        return self.setup.text("run_name", "") or self.path.stem

    @property
    def environment(self) -> str:
        """The physics environment that the codes need (the name of a lock file); by default `evaluator`, the base."""
        return self.setup.text("environment", "evaluator")

    @property
    def is_scored(self) -> bool:
        """Whether any observable enters the likelihood; a scan that only tabulates needs none."""
        every = self.all_observables()
        return any(
            observable.measurement is not None or observable.likelihood.kind is not Kind.OFF for observable in every
        )

    def all_observables(self) -> list[ObservableSpec]:
        """All values that a point gives, in the order in which they are computed: fitted variables, derived variables,
        the observables of each code, the file's own observables, and the terms of the section `likelihoods`.
        """
        fitted = [
            ObservableSpec(variable.name, None, section=self.setup, unit=variable.unit, label=variable.label)
            for variable in (self.fitting.variables if self.fitting is not None else ())
        ]
        derived = [
            ObservableSpec(name, None, section=self.derived_section, function=text)
            for name, text in self.derived.items()
        ]
        of_codes = [observable for code in self.codes for observable in code.observables]
        return fitted + derived + of_codes + list(self.observables) + list(self.terms)

    def terms_of(self, observable: str) -> list[str]:
        """The names of the terms that are functions of an observable."""
        return [term.name for term in self.terms if term.term is not None and observable in term.term.observables]

    def out_of_reach(self) -> dict[str, str]:
        """Names that an expression cannot use unless they are computed before it, and the reason."""
        return {
            **{observable.name: "is computed only later; move this behind it" for observable in self.all_observables()},
            **{term.name: "is a likelihood, and no expression can use one" for term in self.terms},
            **dict.fromkeys(self.switched_off, "belongs to a code that does not run"),
        }
