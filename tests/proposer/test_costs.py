"""`lodescan status` shows the time of each code and the calls that the order saved, for a real dataset."""

import re

import numpy as np
import pytest

from proposer.commands.status import status
from proposer.run.dataset import Dataset
from proposer.show.costs import Cost, costs
from proposer.types import Batch, Outcome, Status
from tests.proposer.datasets import open_dataset

OUTCOMES = [
    Outcome(1, Status.OK, nll=1.0, observables=[3.0, 4.0], losses=[0.5, 0.5], seconds=[0.25, 2.0]),
    Outcome(2, Status.OK, nll=2.0, observables=[3.0, 4.0], losses=[1.0, 1.0], seconds=[0.75, 4.0]),
    Outcome(
        3,
        Status.INVALID,
        nll=None,
        observables=[3.0, np.nan],
        losses=(),
        seconds=[0.5],
        failed_code="cheap",
        message="outside",
        warnings=(),
        missing=[1],
    ),
    Outcome(
        4, Status.INVALID, nll=None, observables=(), losses=(), seconds=[0.5], failed_code="cheap", message="outside"
    ),
    Outcome(
        5,
        Status.INVALID,
        nll=None,
        observables=(),
        losses=(),
        seconds=[0.5, 3.0],
        failed_code="dear",
        message="a tachyon",
    ),
    Outcome(
        6,
        Status.INVALID,
        nll=None,
        observables=(),
        losses=(),
        seconds=[],
        failed_code="",
        message="a derived variable is not finite",
    ),
    Outcome(
        7, Status.FAILED, nll=None, observables=(), losses=(), seconds=[0.5], failed_code="cheap", message="a crash"
    ),
]
META = {
    "points": 10,
    "threshold": 1.5,
    "seconds": 7.0,
    "seed": 1,
    "backend": "cheap + dear",
    "variables": ["x"],
    "observables": ["a", "b"],
}


@pytest.fixture
def run(tmp_path):
    with open_dataset(tmp_path, 1, 2) as dataset:
        u = np.linspace(0.1, 0.9, 8)[:, np.newaxis]
        dataset.add_batch(Batch(u, ["bootstrap"] * 8, 0), u, b"")
        dataset.record(OUTCOMES)
        dataset.set_meta(META)
    return tmp_path


def test_each_code_has_its_seconds_and_its_spared_points(run):
    with Dataset(run, read_only=True) as dataset:
        found = costs(dataset.seconds(), ["cheap", "dear"])
    # the order did not save the calls after a failure, nor those of points that ended before any code
    assert found == [Cost("cheap", 6, 3.0, 0), Cost("dear", 3, 9.0, 2)]
    assert [cost.mean for cost in found] == [0.5, 3.0]


def test_a_code_that_never_ran_has_no_time():
    invalid = [(Status.INVALID, np.array([0.5]))]
    assert costs(invalid, ["cheap", "dear"]) == [Cost("cheap", 1, 0.5, 0), Cost("dear", 0, 0.0, 1)]


@pytest.mark.parametrize("names", [["cheap", "dear"], None])
def test_status_shows_the_codes(run, names, capsys):
    if names is not None:  # runs of older versions have no names of codes
        with Dataset(run) as dataset:
            dataset.set_meta({"codes": names})
    cheap, dear = names or ["code 1", "code 2"]
    assert status(run) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{cheap}: 0.5 s a point, 6 runs, 3 s (25 %)" in lines
    assert f"{dear}: 3 s a point, 3 runs, 9 s (75 %)" in lines
    assert f"the order of the codes saved about 6 s: {dear} was skipped at 2 points that were already invalid" in lines


def test_a_run_without_answers_has_no_costs(tmp_path, capsys):
    with open_dataset(tmp_path, 1, 2) as dataset:
        dataset.set_meta(META | {"codes": ["cheap"]})
    assert status(tmp_path) == 0
    assert not re.search(r"cheap:|saved", capsys.readouterr().out)
