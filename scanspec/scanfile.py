"""The scan file as both sides see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from scanspec.document import Section
from scanspec.fitting import Fitting
from scanspec.likelihoods import Kind, Likelihood
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

    `codes` are those that run, in order; `observables` are those found after the last
    one, and `terms` those whose value is -ln L of others; `derived` maps names to expressions;
    `blocks` maps an SLHA block to its entries, each an expression, and `block_lines` each entry to
    its file and line. `ignored` lists keys without meaning here, `notes` what else the user should
    hear before a scan starts.
    `switched_off` are the observables of codes that do not run. `document` is in the plain spelling, `changes` are the
    lines that say what that took, and `in_bsmarts_words` says whether the file's `Setup` is BSMArt's.
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
        """The folder that relative paths of the file start from."""
        return self.path.resolve().parent

    @property
    def run_name(self) -> str:
        """The name of the run; without one, the name of the file."""
        return self.setup.text("run_name", "") or self.path.stem

    @property
    def environment(self) -> str:
        """The physics environment (a lock file's name) that the codes need; `evaluator` when the base is enough."""
        return self.setup.text("environment", "evaluator")

    @property
    def is_scored(self) -> bool:
        """Whether an observable enters the likelihood; a scan that only tabulates may have none."""
        every = self.all_observables()
        return any(
            observable.measurement is not None or observable.likelihood.kind is not Kind.OFF for observable in every
        )

    def all_observables(self) -> list[ObservableSpec]:
        """All that a point gives, in the order in which it is found: what is solved for, derived variables, the
        codes' observables in turn, the file's own, the terms of the section `likelihoods`.
        """
        fitted = [
            ObservableSpec(
                variable.name,
                None,
                section=self.setup,
                slha=None,
                function=None,
                valid=None,
                likelihood=Likelihood(),
                unit=variable.unit,
                label=variable.label,
            )
            for variable in (self.fitting.variables if self.fitting is not None else ())
        ]
        derived = [
            ObservableSpec(
                name, None, section=self.derived_section, slha=None, function=text, valid=None, likelihood=Likelihood()
            )
            for name, text in self.derived.items()
        ]
        of_codes = [observable for code in self.codes for observable in code.observables]
        return fitted + derived + of_codes + list(self.observables) + list(self.terms)

    def out_of_reach(self) -> dict[str, str]:
        """Names that an expression may not use, unless they are found before it, and why."""
        return {
            **{observable.name: "is found only later; move this behind it" for observable in self.all_observables()},
            **{term.name: "is a likelihood, and no expression can use one" for term in self.terms},
            **dict.fromkeys(self.switched_off, "belongs to a code that does not run"),
        }
