"""lodescan's strategies in this process, with the settings of the scanners with which they are compared. LODE sees the
observables if there are any (`lode`), or only the NLL like all others (`lode-nll`, and `lode-collect` with `goal:
collect`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.rivals.answers import Answers
from proposer.drive import drive
from proposer.evaluation.local import Answers as LocalAnswers
from proposer.evaluation.local import LocalFunction
from proposer.strategies.base import Settings
from proposer.strategies.choice import make_strategy
from proposer.strategies.cmaes import CmaesSettings
from proposer.strategies.draws import DrawSettings
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.mls_dnnc_settings import MlsDnncSettings
from proposer.target import Target
from proposer.types import Floats, Observable

ENDLESS = 10**9


def _as_bsmart(threshold: float, volume: float, most: int) -> MlsDnncSettings:
    """The settings of `bsmart-dnnc`."""
    bootstrap = int(min(max(500, 30 / volume), 2 * most // 3))
    return MlsDnncSettings(
        bootstrap_points=bootstrap,
        candidate_points=20_000,
        points_per_iteration=300,
        random_fraction=0.1,
        target=Target(threshold),
        iterations=ENDLESS,
    )


OURS: dict[str, tuple[str, Callable[[float, float, int], Settings]]] = {
    "mls_dnnc": ("MLS_DNNC", _as_bsmart),
    "mls_dnnc-default": (
        "MLS_DNNC",
        lambda threshold, _, __: MlsDnncSettings(target=Target(threshold), iterations=ENDLESS),
    ),
    "cmaes": ("CMAES", lambda threshold, _, __: CmaesSettings(target=Target(threshold))),
    "random": ("RANDOM", lambda threshold, _, __: DrawSettings(target=Target(threshold))),
    "sobol": ("SOBOL", lambda threshold, _, __: DrawSettings(target=Target(threshold))),
    "lode": ("LODE", lambda threshold, _, __: LodeSettings(target=Target(threshold))),
    "lode-collect": ("LODE", lambda threshold, _, __: LodeSettings(target=Target(threshold), collect=True)),
    "lode-nll": ("LODE", lambda threshold, _, __: LodeSettings(target=Target(threshold))),
}
"""From the name in the table to the type, and its settings as a function of threshold, volume and most evaluations."""
SEES_OBSERVABLES = {"lode"}


def run_ours(method: str, answers: Answers, volume: float, seed: int, cpu: int) -> tuple[str, float]:
    """Drives a strategy as a scan does, without points seen before; returns why it ended, and its CPU seconds."""
    name, settings = OURS[method]
    problem = answers.problem
    space = problem.space()
    sees = method in SEES_OBSERVABLES
    scored = problem.scored() if sees else []
    observables = [Observable(one.name, "", "", one.window, one.likelihood) for one in scored]
    strategy = make_strategy(name, space, settings(problem.threshold, volume, answers.most), seed, observables)

    def answer(x: Floats) -> LocalAnswers:
        found = answers.observed(space.to_unit(x))
        y, nll = found or (np.full((len(x), len(observables)), np.nan), np.full(len(x), np.nan))
        return LocalAnswers(y if sees else y[:, :0], nll)

    backend = LocalFunction(
        answer, {variable.name: (variable.low, variable.high) for variable in space.variables}, observables
    )
    torch.set_num_threads(1)
    start = time.process_time()
    for _ in drive(strategy, backend, space):
        used = time.process_time() - start
        if answers.ended or used > cpu:
            return answers.ended or "CPU seconds", used
    return strategy.stop_reason, time.process_time() - start
