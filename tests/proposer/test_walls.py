"""The warning about ranges whose ends the good region reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from proposer.report import pairs, walls
from proposer.report.axes import side, table_of
from proposer.report.seen import Seen, see
from proposer.types import Floats, Status
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(make_run(tmp_path_factory.mktemp("walls") / "run", 30))


def filled(seen: Seen, middle: float, half: float, n: int, *, power: int = 2, seed: int = 0) -> Seen:
    """A run whose n points fill the good region evenly. Along x, in quantiles, the region has its lowest NLL at
    `middle` and reaches `half` to both sides, or to a wall. The other variables keep away from their walls.
    """
    rng = np.random.default_rng(seed)
    u: Floats = rng.uniform(0.2, 0.8, (n, 4))
    u[:, 0] = rng.uniform(max(middle - half, 0.0), min(middle + half, 1.0), n)
    return with_points(seen, u, 3.0 * np.abs((u[:, 0] - middle) / half) ** power)


def ball(seen: Seen, middle: float, n: int, seed: int) -> Seen:
    """A run whose n points fill evenly what the walls leave of a ball in the three variables that are not fixed, where
    a Gaussian is good. Its middle is so many radii from the lower end of x.
    """
    rng, radius, centre = np.random.default_rng(seed), 0.3, np.array([0.3 * middle, 0.5, 0.5, 0.5])
    u = centre + rng.uniform(-radius, radius, (30 * n, 4)) * [1, 1, 1, 0]
    nll = 3.0 * ((u - centre) ** 2).sum(axis=1) / radius**2
    good = np.flatnonzero((nll < 3.0) & (u[:, 0] > 0.0))[:n]
    return with_points(seen, u[good], nll[good])


def with_points(seen: Seen, u: Floats, nll: Floats) -> Seen:
    n = len(u)
    every: dict[str, Any] = {"u": u, "nll": nll, "status": np.full(n, Status.OK, dtype=np.int8), "ids": np.arange(n)}
    rows = np.arange(n) % len(seen.ids)
    every |= {name: getattr(seen, name)[rows] for name in ("params", "observables", "losses", "origins", "probability")}
    return replace(seen, **every)


@pytest.mark.parametrize(("middle", "half"), [(0.05, 0.72), (0.0, 0.1), (0.02, 0.3), (0.5, 3.0)])
@pytest.mark.parametrize("n", [150, 1000])
def test_a_region_that_a_wall_cuts_is_told_whatever_its_width(seen: Seen, middle: float, half: float, n: int) -> None:
    ends = ["lower", "upper"] if half > 1 else ["lower"]
    found = [
        [end for name, end in walls.cut(filled(seen, middle, half, n, seed=seed)) if name == "x"] for seed in range(20)
    ]
    for end in ends:
        told = sum(end in each for each in found)
        assert told >= 15, f"the {end} end is told in {told} of 20 runs"
    assert all(set(each) <= set(ends) for each in found)


@pytest.mark.parametrize(("middle", "half", "power"), [(0.1, 0.1, 2), (0.4, 0.4, 2), (0.12, 0.1, 2), (0.5, 0.47, 12)])
@pytest.mark.parametrize("n", [20, 74, 300, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_region_that_ends_at_or_before_the_wall_is_not(
    seen: Seen, middle: float, half: float, power: int, n: int
) -> None:
    """Not even if it ends just there; at power 12 it is flat, and ends 3 % before the walls."""
    runs = [filled(seen, middle, half, n, power=power, seed=seed) for seed in range(20)]
    assert sum(bool(walls.cut(run)) for run in runs) <= 1


@pytest.mark.parametrize("middle", [0.3, 0.7])
@pytest.mark.parametrize("n", [100, 300])
def test_a_wall_that_cuts_a_region_of_several_variables_is_told(seen: Seen, middle: float, n: int) -> None:
    """At 0.7 radii hardly any point next to the wall is deep, because all variables must fit."""
    found = [walls.cut(ball(seen, middle, n, seed)) for seed in range(20)]
    assert sum(each == [("x", "lower")] for each in found) >= 14


@pytest.mark.parametrize("middle", [1.0, 1.05, 1.2])
@pytest.mark.parametrize("n", [100, 300])
def test_a_region_of_several_variables_that_ends_before_the_wall_is_not(seen: Seen, middle: float, n: int) -> None:
    assert sum(bool(walls.cut(ball(seen, middle, n, seed))) for seed in range(20)) == 0


def test_a_few_points_at_a_wall_may_be_chance(seen: Seen) -> None:
    run = filled(seen, 0.5, 0.2, 74)
    run.u[:2, 0] = 0.995
    assert walls.cut(run) == []


def test_the_warning_names_the_ends_once(seen: Seen) -> None:
    run = filled(seen, 0.05, 0.72, 300)
    first, *others = pairs.pairs(run, table_of(run)).warnings
    assert others == [] and "at x (lower end): by the points next to it, the lowest NLL there is still" in first
    assert "The region may continue outside: widen the range, unless" in first
    assert "Only points outside can tell whether the region has a steep edge just at the end." in first
    every = walls.words([("x", "lower"), ("x", "upper"), ("mass", "upper")], good=True)
    assert "x (both ends) and mass (upper end)" in every


def test_a_scan_without_a_likelihood_has_no_such_warning(seen: Seen) -> None:
    run = filled(seen, 0.05, 0.72, 300)
    assert walls.cut(replace(run, record=replace(run.record, target=replace(run.record.target, everything=True)))) == []


def test_where_no_point_is_good_the_warning_tells_where_the_lowest_nll_is(seen: Seen) -> None:
    run = filled(seen, 0.05, 0.72, 300)
    worse = replace(run, nll=run.nll + 50.0)
    (warning,) = pairs.pairs(worse, table_of(worse)).warnings
    assert warning.startswith("No point is good, and the points with the lowest NLL lie at the end of the range at x")
    assert "widen the range, unless" in warning
    inside = filled(seen, 0.5, 0.3, 300)
    assert walls.cut(replace(inside, nll=inside.nll + 50.0)) == []
    worse.__dict__["columns"] = worse.columns | {"x": 8.0 * worse.u[:, 0] - 4.0}
    low, high = side(worse, "x", zoom=True).limits or (np.nan, np.nan)
    assert low == -4.0 and high < 4.0, "the profile is drawn around the lowest NLL"
    assert pairs.pairs(worse, table_of(worse)).pictures[0].panels[0].x.limits == (-4.0, 4.0), "of all points"
