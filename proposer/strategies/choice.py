"""Which strategy a scan file asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proposer.space import Space
from proposer.strategies.base import Strategy
from proposer.strategies.lode import Lode, LodeSettings
from proposer.strategies.lode_energy import ScoredObservable
from proposer.strategies.mls_dnnc import MlsDnnc, MlsDnncSettings
from scanspec import ScanFile

if TYPE_CHECKING:
    from proposer.messages import Observable

_TYPES = ("MLS_DNNC", "MLScanner.MLS_DNNC")

_OF_BSMART = frozenset({
    "AL", "AffineMC", "CMAES", "CMAES_ND", "Contour2D", "ContourGP", "DEAP", "DLScanner", "Diver", "Grid", "MCMC",
    "MLS", "MultiNest", "Random", "Vegas", "read_csv", "read_dir", "read_dir_mpi", "MLScanner.MLS_DNNR",
    "MLScanner.MLS_GBR", "MLScanner.MLS_RFC", "MLScanner.MLS_RFR", "MLScanner.MLS_SVR_Poly", "MLScanner.MLS_SVR_RBF",
})  # fmt: skip


def read_settings(scan: ScanFile) -> MlsDnncSettings | LodeSettings:
    """The settings of the strategy that the file names; raises ScanFileError."""
    name = scan.setup.text("type", "MLS_DNNC")
    if name == "LODE":
        return LodeSettings.read(scan)
    if name not in _TYPES:
        of_bsmart = (
            "a scan of BSMArt that lodescan does not have" if name in _OF_BSMART else "no scan that lodescan knows"
        )
        raise scan.setup.error(
            f"type {name!r} is {of_bsmart}; write `type: MLS_DNNC`, which finds the good region by a neural network "
            "classifier (its settings, all with defaults, go into the section networks)",
            "type",
        )
    return MlsDnncSettings.read(scan)


def make_strategy(
    settings: MlsDnncSettings | LodeSettings, space: Space, seed: int, observables: Sequence[Observable] = ()
) -> Strategy:
    """A new strategy object. `observables`: as the evaluator describes them, in its order."""
    if isinstance(settings, LodeSettings):
        scored = [ScoredObservable(each.name, each.likelihood, each.valid) for each in observables]
        return Lode(space, settings, seed, scored)
    return MlsDnnc(space, settings, seed)
