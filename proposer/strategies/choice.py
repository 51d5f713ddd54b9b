"""Makes the strategy that a scan file asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proposer.space import Space
from proposer.strategies.base import Settings, Strategy
from proposer.strategies.cmaes import Cmaes, CmaesSettings
from proposer.strategies.cmaes_nd import CmaesNd, CmaesNdSettings
from proposer.strategies.draws import DrawSettings, Random, Sobol
from proposer.strategies.grid import Grid, GridSettings
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.mls_dnnc_settings import MlsDnncSettings
from proposer.strategies.read_csv import ReadCsv
from scanspec import ScanFile
from scanspec.settings import DEFAULT
from scanspec.settings import type_name as plain_type
from scanspec.terms import TermKind

if TYPE_CHECKING:
    from proposer.types import Observable

log = logging.getLogger(__name__)

__all__ = ["DEFAULT", "TYPES", "make_strategy", "read_settings", "type_name"]


@dataclass(frozen=True)
class Type:
    """One type of scan: reads its settings, and makes a strategy from space, settings, seed and observables.

    `networks`: the strategy uses torch, which takes seconds to load and which no other type imports.
    """

    read: Callable[[ScanFile], Settings]
    make: Callable[[Space, Any, int, Sequence[Observable]], Strategy]
    networks: bool = False


def _mls_dnnc(space: Space, own: MlsDnncSettings, seed: int, _: Sequence[Observable]) -> Strategy:
    from proposer.strategies.mls_dnnc import MlsDnnc

    return MlsDnnc(space, own, seed)


def _lode(space: Space, own: LodeSettings, seed: int, observables: Sequence[Observable]) -> Strategy:
    from proposer.strategies.lode.energy import ScoredObservable
    from proposer.strategies.lode.strategy import Lode

    for observable in observables:
        if observable.term is not None and observable.term.kind is TermKind.UNKNOWN:
            log.warning(
                "the likelihood %r is of a kind that this lodescan does not know: LODE learns from its -ln L alone, "
                "not from the observables behind it; a newer lodescan knows more",
                observable.name,
            )
    scored = [
        ScoredObservable(observable.name, observable.likelihood, observable.valid, term=observable.term)
        for observable in observables
    ]
    return Lode(space, own, seed, scored)


TYPES = {
    "MLS_DNNC": Type(MlsDnncSettings.read, _mls_dnnc, networks=True),
    "LODE": Type(LodeSettings.read, _lode, networks=True),
    "RANDOM": Type(DrawSettings.read, lambda space, own, seed, _: Random(space, own, seed)),
    "SOBOL": Type(DrawSettings.read, lambda space, own, seed, _: Sobol(space, own, seed)),
    "GRID": Type(GridSettings.read, lambda space, own, seed, _: Grid(space, own, seed)),
    "CMAES": Type(CmaesSettings.read, Cmaes),
    "CMAES_ND": Type(CmaesNdSettings.read, CmaesNd),
    "READ_CSV": Type(DrawSettings.read, lambda space, own, seed, _: ReadCsv(space, own, seed)),
}
"""All types by name."""


def type_name(scan: ScanFile) -> str:
    """The type of the scan. Raises ScanFileError for a type that lodescan does not have."""
    return plain_type(scan.setup)


def read_settings(scan: ScanFile) -> Settings:
    """The settings of the strategy that the file names. Raises ScanFileError."""
    return TYPES[type_name(scan)].read(scan)


def make_strategy(
    name: str, space: Space, settings: Settings, seed: int, observables: Sequence[Observable] = ()
) -> Strategy:
    """A new strategy of the type `name`, with the settings from `read_settings`.

    `observables`: as the evaluator describes them (likelihoods, windows), in its order: the
    columns of `Told.observables`.
    """
    return TYPES[name].make(space, settings, seed, observables)
