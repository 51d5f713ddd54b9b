"""Runs for tests of the code that reads runs: two rings of good points, written without an evaluator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from proposer.run.columns import Columns, Quantity
from proposer.run.dataset import Dataset
from proposer.space import Space
from proposer.types import Batch, Floats, Outcome, Status
from scanspec import read_scan_file

SCAN = """
setup: {{run_name: '{name}', type: RANDOM, seed: 5, points: 100}}
variables:
  x: {{range: [-4, 4], label: $x_1$}}
  mass: {{range: [1, 1000], prior: log-uniform, unit: GeV, label: $m_\\chi$}}
  phase: {{range: [0, 1]}}
  fixed: [3, 3]
codes:
  ring:
    function: m:f
    observables:
      radius: {{mean: 2, sigma: 0.1, unit: fm}}
      limit: {{scaling: UPPER, mean: 300, sigma: 30, unit: GeV}}
      {other}: {{valid: [0, 10]}}
networks: {{threshold_value: 3}}
"""


def make_run(
    folder: Path,
    points: int = 600,
    name: str = "ring",
    seed: int = 5,
    *,
    kind: str = "LODE",
    first: str = "start",
    other: str = "other",
) -> Path:
    """Writes a run of `points` points in batches. Points are unphysical at x < -3 and fail at x > 2.2. `kind`: the type
    of the scan. `first`: the origin of the first batch, which is drawn from the prior. `other`: the name of an
    observable.
    """
    written = folder.with_name(f"{folder.name}.yaml")
    written.write_text(SCAN.format(name=name, other=other))
    scan = read_scan_file(written)
    space, rng = Space(scan.variables), np.random.default_rng(seed)
    stored = Columns(
        [Quantity(variable.name, variable.unit) for variable in scan.variables],
        [
            Quantity("radius", "fm", "ring", "GAUSS 2 +- 0.1"),
            Quantity("limit", "GeV", "ring", "UPPER 300 +- 30"),
            Quantity(other, "", "ring", "OFF"),
        ],
        [Quantity("ring")],
    )
    meta = {
        "variables": list(space.names),
        "observables": ["radius", "limit", other],
        "codes": ["ring"],
        "threshold": 3.0,
        "above": None,
        "points": 100,
        "seed": seed,
        "threads": 1,
        "seconds": 12.0,
        "backend": "ring",
        "backend_version": "1",
        "physics_digest": "0" * 64,
        "likelihood_digest": "1" * 64,
        "versions": {"lodescan": "0.1.0", "numpy": np.__version__},
        "meaning": {"setup: type": kind},
        "given": [],
        "stopped": f"{points} evaluations",
    }
    with Dataset(folder) as dataset:
        dataset.start(stored, meta)
        written.rename(folder / "scan.yaml")
        left, iteration = points, 0
        while left:
            count = min(left, 2000 if points > 5000 else 150)
            u = _near(space, rng, count) if iteration else space.draw(rng, count)
            origins = ["exploit" if iteration else first] * count
            params = space.to_physical(u)
            predicted = _predicted(params) if iteration else None
            added = dataset.add_batch(Batch(u, origins, iteration, predicted), params, b"")
            dataset.record([_answer(int(point), row) for point, row in zip(added.ids, params, strict=True)])
            left, iteration = left - count, iteration + 1
    return folder


def _near(space: Space, rng: np.random.Generator, count: int) -> Floats:
    """Points near the ring."""
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = rng.normal(2.0, 0.3, count)
    x = np.column_stack([radius * np.cos(angle), 10 ** (1.5 + radius / 2 * np.sin(angle)), rng.random(count), angle])
    x[:, 3] = 3.0
    return space.to_unit(np.clip(x, [-4, 1, 0, 3], [4, 1000, 1, 3]))


def _predicted(params: Floats) -> Floats:
    """The predicted probability of being good: exact for the ring, but without the limit and the failures."""
    radius = np.hypot(params[:, 0], 2 * (np.log10(params[:, 1]) - 1.5))
    found: Floats = np.exp(-0.5 * ((radius - 2) / 0.25) ** 4)
    return found


def _answer(point: int, row: Floats) -> Outcome:
    x, mass, phase, _ = row.tolist()
    if x < -3:
        return Outcome(
            point,
            Status.INVALID,
            nll=None,
            observables=(),
            losses=(),
            seconds=[0.01],
            failed_code="ring",
            message=f"x = {x:.4f} is outside",
        )
    if x > 2.2:
        return Outcome(
            point,
            Status.FAILED,
            nll=None,
            observables=(),
            losses=(),
            seconds=[0.2],
            failed_code="ring",
            message="ValueError: math domain error",
        )
    radius = float(np.hypot(x, 2 * (np.log10(mass) - 1.5)))
    losses = [0.5 * ((radius - 2) / 0.1) ** 2, float(np.logaddexp(0, (mass - 300) / 30)), 0.0]
    return Outcome(
        point,
        Status.OK,
        nll=sum(losses),
        observables=[radius, mass, 1.0 + phase],
        losses=losses,
        seconds=[0.01 + 0.01 * phase],
    )
