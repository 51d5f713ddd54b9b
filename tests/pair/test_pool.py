"""One scan with many evaluators: the points are the same, and nothing is lost when one is killed."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from proposer.run.dataset import Dataset
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run
from tests.pair.processes import ProposerProcess, meanwhile

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
StartProposer = Callable[..., ProposerProcess]
Shared = tuple[ScanFolder, EvaluatorProcess]


def evaluators_of(run: Path) -> Counter[str]:
    with Dataset(run, read_only=True) as dataset:
        return Counter(name for part in dataset.results() for name in part.evaluator)


@contextlib.contextmanager
def kept_alive(evaluators: list[EvaluatorProcess]) -> Iterator[list[str]]:
    """Restarts each evaluator that ends, as Kubernetes does; gives the addresses of those that ended."""
    deaths: list[str] = []

    def watch(ended: threading.Event) -> None:
        while not ended.wait(0.05):
            for evaluator in evaluators:
                if evaluator.process.poll() is not None:
                    deaths.append(evaluator.address)
                    evaluator.restart()

    with meanwhile(watch):
        yield deaths


@pytest.mark.slow
def test_three_evaluators_of_which_one_is_killed_give_the_points_of_one(
    shared: Shared,
    make_scan: MakeScan,
    lodescan: Lodescan,
    start_evaluator: StartEvaluator,
    start_proposer: StartProposer,
    tmp_path: Path,
) -> None:
    assert lodescan("scan", shared[0].file, "--evaluator", shared[1].address, "--run", tmp_path / "one").code == 0
    expected = read_run(tmp_path / "one").history()
    scan = make_scan(body="time.sleep(0.01 + 0.02 * (int(x * 1000) % 3))")
    evaluators = [start_evaluator(scan.file, workers=workers) for workers in (1, 2, 1)]
    addresses = [evaluator.address for evaluator in evaluators]
    proposer = start_proposer("scan", scan.file, "--evaluator", *addresses, "--run", tmp_path / "three")
    scan.until_begun(50, proposer)
    evaluators[1].kill()
    assert proposer.wait() == 0, proposer.said
    assert read_run(tmp_path / "three").history() == expected
    assert set(evaluators_of(tmp_path / "three")) == set(addresses)
    assert f"lost the evaluator at {addresses[1]}" in proposer.said
    twice = len(scan.evaluated()) - len(set(scan.evaluated()))
    assert twice <= 2 * 100  # the points that the lost evaluator had
    live = meta(tmp_path / "three")["live"]["evaluators"]
    assert {row["address"] for row in live} == set(addresses) and sum(row["points"] for row in live) > 100
    status = lodescan("status", tmp_path / "three").out
    assert all(f"evaluator {address}: " in status for address in addresses) and "% idle" in status


@pytest.mark.slow
@pytest.mark.parametrize("before", ["time.sleep(0.005)", "pass"])
def test_a_point_that_kills_its_whole_evaluator_has_failed_after_three_tries(
    make_scan: MakeScan, start_evaluator: StartEvaluator, start_proposer: StartProposer, tmp_path: Path, before: str
) -> None:
    """This also holds if the point kills its evaluator at once, so that answers to earlier points are lost."""
    body = f"{before}\nif x < 0.03: os._exit(1)"
    scan = make_scan(body=body, bootstrap=40, iterations=1, batch=10)
    evaluators = [start_evaluator(scan.file, workers=0) for _ in range(2)]
    with kept_alive(evaluators) as deaths:
        addresses = [evaluator.address for evaluator in evaluators]
        proposer = start_proposer("scan", scan.file, "--evaluator", *addresses, "--run", tmp_path / "run")
        assert proposer.wait() == 0, proposer.said
    points, times = read_run(tmp_path / "run"), Counter(scan.evaluated())
    lethal = {params for params in points.params if params[0] < 0.03}
    assert lethal and 3 * len(lethal) >= len(deaths) >= len(lethal)
    for params, status, message in zip(points.params, points.status, points.message, strict=True):
        assert status == ("FAILED" if params in lethal else "OK")
        if params in lethal:
            assert times[params] == 3 and "the evaluator ended 3 times while it ran" in message


@pytest.mark.slow
def test_any_number_of_evaluators_gives_the_same_good_points(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    """A scan ends with the first good points by id; a higher target goes on from there."""
    scan = make_scan(body="time.sleep(0.002 * (int(y * 1000) % 5))", setup="  seed: 3\n  type: RANDOM", points=9)
    evaluators = [start_evaluator(scan.file, workers=workers) for workers in (1, 3, 2)]
    tables = []
    for number, used in enumerate(([evaluators[0]], evaluators, evaluators[1:])):
        run = tmp_path / f"run{number}"
        said = lodescan("scan", scan.file, "--evaluator", *[evaluator.address for evaluator in used], "--run", run)
        assert said.code == 0 and "stopped: 9 good points found (points: 9)" in said.err
        tables.append((run / "good_points.csv").read_bytes())
        points = read_run(run)
        last = int(tables[-1].decode().splitlines()[-1].partition(",")[0])
        assert points.ids[:last] == list(range(1, last + 1))
        with Dataset(run, read_only=True) as dataset:
            left = dataset.pending().ids
        assert not left.size or left.min() > last
    assert tables[0] == tables[1] == tables[2] and tables[0].count(b"\n") == 10
    scan.write(points=20)
    for n in (0, 1):
        assert (
            lodescan("scan", scan.file, "--evaluator", evaluators[1].address, "--run", tmp_path / f"run{n}").code == 0
        )
    later = [(tmp_path / f"run{n}" / "good_points.csv").read_bytes() for n in (0, 1)]
    assert later[0] == later[1] and later[0].startswith(tables[0]) and later[0].count(b"\n") == 21


@pytest.mark.slow
def test_running_points_are_waited_for_and_waiting_ones_do_not_begin(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan = make_scan(body="time.sleep(0.2)", setup="  seed: 3\n  type: RANDOM", points=1, batch=300)
    evaluator, run = start_evaluator(scan.file, workers=2), tmp_path / "run"
    assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run).code == 0
    points = read_run(run)
    met = next(point for point, nll in zip(points.ids, points.nll, strict=True) if nll < 2)
    assert len(scan.evaluated()) == len(points.ids) <= met + 4 < 300
    with Dataset(run, read_only=True) as dataset:
        assert len(dataset.pending().ids) == dataset.points - len(points.ids) > 0


@pytest.mark.slow
def test_an_evaluator_told_to_stop_finishes_its_running_points_and_gets_no_more(
    make_scan: MakeScan, start_evaluator: StartEvaluator, start_proposer: StartProposer, tmp_path: Path
) -> None:
    scan = make_scan(body="time.sleep(0.05)", bootstrap=100, iterations=1, batch=20)
    evaluators = [start_evaluator(scan.file, workers=2) for _ in range(2)]
    addresses = [evaluator.address for evaluator in evaluators]
    proposer = start_proposer("scan", scan.file, "--evaluator", *addresses, "--run", tmp_path / "run")
    scan.until_begun(30, proposer)
    evaluators[0].process.send_signal(signal.SIGTERM)
    assert proposer.wait() == 0, proposer.said
    assert evaluators[0].process.wait(20) == 0
    points = read_run(tmp_path / "run")
    assert set(points.status) == {"OK"} and set(evaluators_of(tmp_path / "run")) == set(addresses)
    assert len(scan.evaluated()) == len(set(scan.evaluated())) == len(points.ids)  # no point was evaluated twice


def one_sleeps(mark: str, seconds: float) -> str:
    """The body of a code that makes the folder `mark` at the first point with x < 0.05, and sleeps there."""
    return f"""
    mark = Path(__file__).with_name({mark!r})
    try:
        x < 0.05 and mark.mkdir() is None and time.sleep({seconds})
    except FileExistsError:
        pass
    time.sleep(0.01)
    """


@pytest.mark.slow
def test_a_stuck_point_is_raced(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    """The first evaluator that gets a point with x < 0.05 sleeps for a long time; another one answers the point."""
    scan = make_scan(body=one_sleeps("stuck", 250), bootstrap=60, iterations=1, batch=20, timeout=280)
    addresses = [start_evaluator(scan.file, workers=2).address for _ in range(2)]
    run, start = tmp_path / "run", time.monotonic()
    assert lodescan("scan", scan.file, "--evaluator", *addresses, "--run", run).code == 0
    assert time.monotonic() - start < 200
    assert set(read_run(run).status) == {"OK"} and meta(run)["raced"] >= 1
    twice = [params for params, times in Counter(scan.evaluated()).items() if times > 1]
    assert len(twice) == meta(run)["raced"] and any(params[0] < 0.05 for params in twice)
    assert "worked on by two evaluators" in lodescan("status", run).out


@pytest.mark.slow
def test_without_racing_a_slow_point_is_evaluated_once(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan = make_scan(body=one_sleeps("slow", 3), bootstrap=60, iterations=1, batch=20)
    addresses = [start_evaluator(scan.file, workers=2).address for _ in range(2)]
    run = tmp_path / "run"
    assert lodescan("scan", scan.file, "--evaluator", *addresses, "--run", run, "--no-race").code == 0
    assert scan.file.with_name("slow").is_dir() and meta(run).get("raced", 0) == 0
    assert set(read_run(run).status) == {"OK"} and max(Counter(scan.evaluated()).values()) == 1


@pytest.mark.slow
def test_evaluators_of_a_folder_come_and_go(
    make_scan: MakeScan, start_evaluator: StartEvaluator, start_proposer: StartProposer, tmp_path: Path
) -> None:
    scan, folder = make_scan(body="time.sleep(0.05)", bootstrap=150, iterations=1, batch=20), tmp_path / "announced"
    proposer = start_proposer("scan", scan.file, "--evaluator", f"dir:{folder}", "--run", tmp_path / "run")
    assert proposer.wait_for(f"waiting for an evaluator at dir:{folder}")
    folder.mkdir()
    started = []
    for number in range(2):
        started.append(start_evaluator(scan.file, workers=1))
        (folder / f"{number}.evaluator").write_text(started[-1].address + "\n")
        assert proposer.wait_for(f"the evaluator at {started[-1].address} takes part: 1 point at once")
    scan.until_begun(len(scan.evaluated()) + 20, proposer)
    started[0].kill()
    assert proposer.wait() == 0, proposer.said
    assert set(evaluators_of(tmp_path / "run")) == {evaluator.address for evaluator in started}


@pytest.mark.slow
def test_an_evaluator_with_another_physics_is_left_out_and_two_kinds_of_physics_are_refused(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan, run = make_scan(body="time.sleep(0.01)", iterations=1), tmp_path / "run"
    good = start_evaluator(scan.file)
    assert lodescan("scan", scan.file, "--evaluator", good.address, "--run", run).code == 0
    scan.write(iterations=2)
    other = start_evaluator(make_scan("other", body="x = x + 0.001", iterations=2).file)
    said = lodescan("scan", scan.file, "--evaluator", other.address, good.address, "--run", run)
    assert said.code == 0, said.err
    (line,) = [text for text in said.err.splitlines() if text.startswith("left out")]
    assert "computed something else: ball: file physics.py has changed" in line or "another physics" in line
    assert set(evaluators_of(run)) == {good.address}
    scan.write(iterations=3)
    said = lodescan("scan", scan.file, "--evaluator", other.address, "--run", run)
    assert said.code == 2 and "physics.py has changed" in said.err


@pytest.mark.slow
def test_faster_evaluators_get_more_points_and_each_point_has_four_times(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan = make_scan(
        body="time.sleep(0.1)", bootstrap=200, iterations=1, batch=40
    )  # long beside a busy machine's delays
    addresses = [start_evaluator(scan.file, workers=workers).address for workers in (1, 4)]
    assert lodescan("scan", scan.file, "--evaluator", *addresses, "--run", tmp_path / "run").code == 0
    counts = evaluators_of(tmp_path / "run")
    assert 2.0 < counts[addresses[1]] / counts[addresses[0]] < 8.0
    with Dataset(tmp_path / "run", read_only=True) as dataset:
        times = np.concatenate([part.times for part in dataset.results()])
    assert (np.diff(times, axis=1) >= -0.01).all()  # asked, sent, begun, returned; all on one machine with one clock
