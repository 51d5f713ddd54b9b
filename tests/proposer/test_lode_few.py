"""Few evaluations: LODE asks for few points at a time, so that each uses what the others showed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.run.meaning import difference, meaning
from proposer.space import Space
from proposer.strategies.lode import strategy as lode
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from scanspec import ScanFileError, Variable, read_scan_file

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
def test_the_file_says_how_few_there_are_or_how_long_they_take(tmp_path: Path, setup: str, networks: str, batch: int) -> None:
    (tmp_path / "scan.yaml").write_text(FILE.format(setup=setup, networks=networks))
    settings = LodeSettings.read(read_scan_file(tmp_path / "scan.yaml"))
    assert settings.batch == batch


@pytest.mark.parametrize("seconds", ["0", "-1", "long"])
def test_what_a_point_takes_is_a_time(tmp_path: Path, seconds: str) -> None:
    (tmp_path / "scan.yaml").write_text(FILE.format(setup=f", seconds_per_point: {seconds}", networks=""))
    with pytest.raises(ScanFileError, match=r"scan.yaml, line 1: setup: seconds_per_point is .* but must be"):
        read_scan_file(tmp_path / "scan.yaml")


def test_a_run_keeps_its_batches_when_the_file_learns_what_a_point_takes(tmp_path: Path) -> None:
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
def test_the_start_is_at_most_a_quarter(dim: int) -> None:
    space = Space([Variable(f"x{i}", 0.0, 1.0) for i in range(dim)])
    strategy = Lode(space, LodeSettings(Target(1.0), evaluations=300), 1, [])
    origins = [origin for _ in range(12) if (batch := strategy.ask()) for origin in batch.origins]
    assert strategy.start_points <= 75
    assert origins.count("start") == len(origins) > strategy.start_points  # nothing came back


def test_a_run_goes_on_as_it_began_with_more_evaluations() -> None:
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


@pytest.mark.slow
def test_a_search_that_knows_finds_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lode, "PARTICLES", 200)
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
