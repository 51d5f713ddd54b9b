"""With few evaluations LODE asks for few points at a time, so that it learns from each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.run.meaning import difference, meaning
from proposer.space import Space
from proposer.strategies.lode.acquire import Acquisition, Context, Part, exploit, explore
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.fill import fill
from proposer.strategies.lode.method import METHOD
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import COLLECTED, FEW_EVALUATIONS, Lode
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood, ScanFileError, Variable, losses_and_nll, read_scan_file
from tests.proposer.answered import told_of
from tests.proposer.searches import train, unit_cube

FILE = """setup: {{type: LODE{setup}}}
variables: {{x: {{range: [0, 1]}}}}
codes: {{c: {{function: 'm:f', observables: {{y: {{mean: 0.5, sigma: 0.1}}}}}}}}
networks: {{threshold_value: 1{networks}}}
"""


@pytest.mark.parametrize(
    ("setup", "networks", "batch"),
    [
        ("", "", 200),
        (", max_evaluations: 100", "", 8),
        (", max_evaluations: 300", "", 10),
        (", max_evaluations: 100000", "", 200),
        (", max_evaluations: 300", ", points_per_iteration: 64", 64),
        (", seconds_per_point: 0.01", "", 200),
        (", seconds_per_point: 100", "", 20),
        (", seconds_per_point: 3600", "", 8),
        (", seconds_per_point: 100, max_evaluations: 300", "", 10),
        (", seconds_per_point: 3600", ", points_per_iteration: 64", 64),
    ],
)
def test_the_file_gives_the_number_of_evaluations_or_the_time_of_a_point(
    tmp_path: Path, setup: str, networks: str, batch: int
) -> None:
    (tmp_path / "scan.yaml").write_text(FILE.format(setup=setup, networks=networks))
    settings = LodeSettings.read(read_scan_file(tmp_path / "scan.yaml"))
    assert settings.batch == batch


@pytest.mark.parametrize("seconds", ["0", "-1", "long"])
def test_the_time_of_a_point_is_read_with_its_unit(tmp_path: Path, seconds: str) -> None:
    (tmp_path / "scan.yaml").write_text(FILE.format(setup=f", seconds_per_point: {seconds}", networks=""))
    with pytest.raises(ScanFileError, match=r"scan.yaml, line 1: setup: seconds_per_point is .* but must be"):
        read_scan_file(tmp_path / "scan.yaml")


def test_a_run_keeps_the_size_of_its_batches_if_the_file_later_gives_the_time_of_a_point(tmp_path: Path) -> None:
    scans = []
    for setup in ("", ", seconds_per_point: 3600"):
        (tmp_path / "scan.yaml").write_text(FILE.format(setup=setup, networks=""))
        scans.append(read_scan_file(tmp_path / "scan.yaml"))
    said, says = (meaning(scan) for scan in scans)
    assert difference(said, says, "") is None
    space = Space([Variable("x", 0.0, 1.0)])
    before, after = (Lode(space, LodeSettings.read(scan), 1, []) for scan in scans)
    before.ask()
    after.restore(before.checkpoint())
    one, other = before.ask(), after.ask()
    assert one is not None and other is not None
    np.testing.assert_array_equal(one.u, other.u)


@pytest.mark.parametrize("dim", [1, 3, 8, 20])
def test_the_start_is_at_most_a_sixth_of_the_evaluations(dim: int) -> None:
    space = Space([Variable(f"x{i}", 0.0, 1.0) for i in range(dim)])
    strategy = Lode(space, LodeSettings(Target(1.0), evaluations=300), 1, [])
    origins = [origin for _ in range(12) if (batch := strategy.ask()) for origin in batch.origins]
    assert strategy.start_points <= 50
    assert origins.count("start") == len(origins) > strategy.start_points  # no answers came back


@pytest.mark.parametrize("settings", [LodeSettings(Target(1.0)), LodeSettings(Target(1.0), collect=True)])
@pytest.mark.parametrize("dim", [1, 3])
def test_as_many_points_start_as_the_display_says(dim: int, settings: LodeSettings, quick: None) -> None:
    space = Space([Variable(f"x{i}", 0.0, 1.0) for i in range(dim)])
    strategy = Lode(space, settings, 1, [])
    random, origins = np.random.default_rng(1), list[str]()
    while "start" in origins[-1:] or not origins:
        batch = strategy.ask()
        assert batch is not None
        origins += batch.origins
        strategy.tell(told_of(batch.u, random.random(len(batch.u)) + 5.0, origins=batch.origins))
    assert origins.count("start") == strategy.start_points


def test_a_run_with_more_evaluations_goes_on_as_it_began() -> None:
    space = Space([Variable("x", 0.0, 1.0), Variable("y", 0.0, 1.0)])
    few, more = (Lode(space, LodeSettings(Target(1.0), evaluations=n), 1, []) for n in (60, 60_000))
    assert few.start_points < more.start_points
    few.ask()
    more.restore(few.checkpoint())
    assert few.start_points == more.start_points
    for _ in range(3):
        one, other = few.ask(), more.ask()
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.u, other.u)


def peaks(u: Floats) -> Floats:
    """An observable, shape (n, 1), that cannot be learned from few points: narrow peaks at irregular places."""
    centres = np.random.default_rng(7).random((60, 3))
    return np.asarray(np.exp(-0.5 * ((u[:, None] - centres) ** 2).sum(axis=2) / 0.07**2).sum(axis=1, keepdims=True))


def context_of(origin: str, left: float = 1.0, good: int = 5) -> Context:
    """What the parts of a batch see after 80 points. The first of them are good; the last 50 are of this origin."""
    scored = EnergyOfObservables([ScoredObservable("y", Likelihood(Kind.GAUSS, 1.0, 0.05))], Target(1.0))
    u = np.random.default_rng(5).random((60 * good, 3))
    nll = losses_and_nll([Likelihood(Kind.GAUSS, 1.0, 0.05)], peaks(u))[1]
    u, nll = (np.concatenate([part[nll < 1.0][:good], part[nll >= 1.0][: 80 - good]]) for part in (u, nll))
    points = Points(np.arange(3), scored, Target(1.0))
    points.add(told_of(u, nll, peaks(u), origins=["start"] * 30 + [origin] * 50))
    known, rng = points.known(), np.random.default_rng
    model = OfObservables(3, scored, centred)
    model.fit(known, rng(1))
    particles = subset_simulation(model, 3, n=400, random=torch.Generator().manual_seed(2))
    context = Context(
        known, u[:0], model, snap=lambda u: u, inputs=centred, generator=lambda purpose: rng(len(purpose)), left=left
    )
    context.look(particles, (), 20)
    return context


def centred(u: Floats) -> Floats:
    return 2.0 * u - 1.0


def test_points_are_chosen_more_cautiously_after_a_model_was_wrong():
    """The mean probability of the chosen points is higher after bad points of this part than after good ones."""
    context, sure = context_of("exploit", good=40), []
    known = context.known
    for of in (known.good, ~known.good):
        context.known = replace(known, origins=np.where(of, "exploit", "start"))
        chosen = (context.candidates[:, None, :] == exploit(context, 20)).all(axis=2).any(axis=1)
        sure.append(context.probability[chosen].mean())
    assert sure[1] > 1.2 * sure[0], sure


def test_regions_are_filled_around_their_points_after_the_model_missed():
    assert (
        len(fill(context_of("exploit"), 20)) == 5
    )  # not tried yet, so half of what both get, which is half of a batch
    assert len(fill(context_of("exploit"), 6)) == 3  # the model gets its part of what the earlier parts leave
    assert len(fill(context_of("explore"), 20)) == 0  # the model was not asked


def test_exploring_gets_fewer_points_towards_the_end_of_the_evaluations():
    many, few, none = (len(explore(context_of("start", left), 200)) for left in (1.0, 0.3, 0.0))
    assert few == pytest.approx(0.3 * many, abs=1.0)
    assert many > 20 and none <= 2


def test_rows_of_a_table_do_not_count_as_evaluations():
    scored = EnergyOfObservables([ScoredObservable("y", Likelihood(Kind.GAUSS, 1.0, 0.05))], Target(1.0))
    points = Points(np.arange(3), scored, Target(1.0))
    u = np.random.default_rng(5).random((80, 3))
    points.add(told_of(u, np.ones(80), peaks(u), origins=["init"] * 50 + ["start"] * 30))
    assert points.known().evaluated == 30


@pytest.mark.slow
def test_a_search_that_knows_its_few_evaluations_finds_more(monkeypatch: pytest.MonkeyPatch) -> None:
    train(monkeypatch, particles=200)
    problem = PROBLEMS["multi8d"]

    def good(settings: LodeSettings) -> int:
        found = np.empty(0)
        for told, _ in drive(Lode(problem.space(), settings, 2, problem.scored()), problem.backend(), problem.space()):
            found = np.concatenate([found, told.nll])
            if len(found) >= 200:
                return int((found[:200] < problem.threshold).sum())
        raise AssertionError("it ended early")

    target = Target(problem.threshold)
    knows = good(LodeSettings(target, evaluations=200))
    assert knows > 1.2 * good(LodeSettings(target))
    assert knows > 50


MAP = LodeSettings(Target(1.0), evaluations=FEW_EVALUATIONS)


@pytest.mark.parametrize(
    ("dim", "good", "settings", "collects"),
    [
        (8, 10, MAP, True),
        (8, COLLECTED - 1, MAP, True),
        (8, COLLECTED, MAP, False),
        (6, 10, MAP, False),
        (8, 10, replace(MAP, evaluations=FEW_EVALUATIONS + 1), False),
        (8, 10, replace(MAP, target=Target.following(1.0)), False),
        (8, 10, replace(MAP, even_in=("x1",)), False),
    ],
)
def test_a_map_of_few_evaluations_by_the_nll_alone_collects_first(
    dim: int, good: int, settings: LodeSettings, collects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only in more than six variables, until a hundred points are good, and never if the map shall be even in something
    or follows the best point.
    """
    train(monkeypatch, particles=100, networks=(20, 10, 10, 10))
    collecting = Acquisition((Part("collecting", lambda context, n: context.random.random((n, context.dim))),))
    strategy, asked = Lode(unit_cube(dim), settings, 1, [], replace(METHOD, collect=collecting)), 0
    while asked < strategy.start_points:
        batch = strategy.ask()
        assert batch is not None
        strategy.tell(told_of(batch.u, np.full(len(batch.u), 9.0)))
        asked += len(batch.u)
    u = np.random.default_rng(2).random((300, dim))
    strategy.tell(told_of(u, np.append(9.0 + u[good:, 0], np.full(good, 0.5))))
    batch = strategy.ask()
    assert batch is not None
    assert ("collecting" in batch.origins) == collects
