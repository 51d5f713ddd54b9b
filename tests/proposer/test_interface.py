"""The Python interface: runs as tables, and LODE by ask and tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import proposer
from proposer.run.dataset import Dataset, DatasetError
from scanspec import Kind, Likelihood, UsageError, Variable
from scanspec.terms import Term, TermKind
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("interface") / "run", 300)


def test_the_import_loads_no_slow_library() -> None:
    code = "import sys, proposer; print(sorted({'torch', 'pandas', 'numpy', 'bokeh', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert {"Lode", "Run", "open_run"} <= set(dir(proposer))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = proposer.nonsense


def test_the_table_of_points_is_that_of_the_dataset(folder: Path) -> None:
    run = proposer.open_run(folder)
    points, good = run.points(), run.good()
    with Dataset(folder, read_only=True) as dataset:
        parts = list(dataset.results())
    nll = np.concatenate([part.nll for part in parts])
    np.testing.assert_array_equal(points["NLL"], nll)
    np.testing.assert_array_equal(points["x"], np.concatenate([part.params[:, 0] for part in parts]))
    assert points.index.tolist() == list(range(1, 301)) and len(good) == (nll < 3).sum() > 50
    best = run.best(5)
    assert best["NLL"].tolist() == sorted(nll[np.isfinite(nll)])[:5]


def test_a_run_is_shown_in_notebooks_and_as_text(folder: Path) -> None:
    run = proposer.open_run(folder)
    assert repr(run).endswith(f"300 points, {len(run.good())} good (NLL below 3)")
    assert "<table" in run._repr_html_() and "radius" in run._repr_html_()


def test_a_run_draws_pictures(folder: Path, tmp_path: Path) -> None:
    run = proposer.open_run(folder)
    assert run.plot("x", "mass", tmp_path / "a.png") == tmp_path / "a.png"
    assert run.plot("x", "mass").exists() and run.plot("x", "mass").with_suffix(".png").exists()
    shown = run.plot("x", "mass", tmp_path / "a.pdf")._repr_mimebundle_()
    assert shown is not None
    assert shown[0]["image/png"] == (tmp_path / "a.png").read_bytes()
    assert shown[1] == {"image/png": {"alt": "picture of a", "width": 640}}
    assert run.plot("x", "mass", tmp_path / "b.pdf")._repr_mimebundle_() is None
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"no variable or observable 'mas'.*mass"):
        run.plot("x", "mas")


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        proposer.open_run(tmp_path)


def test_lode_refuses_what_it_did_not_ask_for() -> None:
    search = proposer.Lode({"x": (0, 1)}, threshold=1.0)
    points = search.ask()
    with pytest.raises(UsageError, match="was not asked for"):
        search.tell([[0.123]], nll=[1.0])
    with pytest.raises(UsageError, match="NLLs of shape"):
        search.tell(points, nll=[1.0])
    search.tell(points, nll=np.zeros(len(points)))
    with pytest.raises(UsageError, match="told already"):
        search.tell(points[:1], nll=[0.0])
    assert np.isnan(search.probability(points)).all() and search.good_count == len(points)
    with pytest.raises(UsageError, match="range"):
        proposer.Lode({"x": (1, 0)}, threshold=1.0)


def test_each_point_of_discrete_variables_is_asked_for_once() -> None:
    """A Sobol sequence repeats whole numbers, but each point is asked for once, and in the end all are."""
    variables = {"n": Variable("n", 0.0, 9.0, integer=True), "c": Variable("c", 1.0, 4.0, values=(4.0, 1.0))}
    search = proposer.Lode(variables, threshold=2.0, seed=3)
    search.add([[3.0, 4.0]], nll=[3.0])
    first, second = search.ask(12), search.ask(6)
    with pytest.raises(UsageError, match="told already"):
        search.tell(first[[0, 1, 0]], nll=[1.0, 1.0, 1.0])
    search.tell(first, nll=first[:, 0])
    search.tell(second, nll=second[:, 0])
    asked = np.concatenate([first, second, search.ask(20)])
    assert len(np.unique(asked, axis=0)) == len(asked) == 19 and search.ask().shape == (0, 2)
    assert not (asked == [3.0, 4.0]).all(axis=1).any()
    assert search.good_count == (np.concatenate([first, second])[:, 0] < 2).sum()


def test_points_from_elsewhere_may_be_told_once_and_must_lie_in_the_space() -> None:
    variables = {"x": Variable("x", -3.0, 3.0), "c": Variable("c", 1.0, 4.0, values=(1.0, 2.0, 4.0))}
    search = proposer.Lode(variables, threshold=2.0)
    asked = search.ask()
    search.add(np.concatenate([asked[:3], asked[:1], [[0.5, 2.0], [0.5, 2.0]]]), nll=np.zeros(6))
    assert search.good_count == search.good == 4
    search.add([[0.5, 2.0]], nll=[0.0])
    with pytest.raises(UsageError, match="told already"):
        search.tell(asked[:1], nll=[0.0])
    search.tell(asked[3:], nll=np.zeros(len(asked) - 3))
    assert search.good_count == len(asked) + 1
    for point, words in [([np.nan, 1.0], "not finite"), ([0.0, 3.0], "outside the ranges"), ([0.0], r"shape \(1, 1\)")]:
        with pytest.raises(UsageError, match=words):
            search.add([point], nll=[0.0])
    with pytest.raises(UsageError, match="not finite"):
        search.tell([[np.nan, 1.0]], nll=[0.0])


def test_observables_give_the_nll_and_parts_may_come_in_any_order() -> None:
    search = proposer.Lode({"x": (0, 1)}, threshold=2.0, observables={"o": Likelihood(Kind.GAUSS, 0.5, 0.1)}, seed=4)
    points = search.ask()
    for rows in (slice(None, None, -2), slice(-2, None, -2)):
        part = points[rows]
        search.tell(part, observables={"o": part[:, 0]})
    assert search.good_count == int((np.abs(points[:, 0] - 0.5) < 0.2).sum())


@pytest.mark.usefixtures("quick")
def test_lode_works_with_a_target_that_follows_the_best_point() -> None:
    target = proposer.Target.within(0.95, 2)
    search = proposer.Lode({"x": (-3, 3), "y": (-3, 3)}, target=target, seed=1)
    told = np.empty(0)
    for _ in range(4):
        points = search.ask()
        nll = 40 + ((points - [1.0, -0.5]) ** 2).sum(axis=1) / (2 * 0.3**2)
        search.tell(points, nll=nll)
        told = np.concatenate([told, nll])
    assert search.good_count == (told < told.min() + 2.995732).sum() > 20 and told.min() < 40.5
    with pytest.raises(UsageError, match="a threshold or a target"):
        proposer.Lode({"x": (0, 1)})
    with pytest.raises(UsageError, match="a threshold or a target"):
        proposer.Lode({"x": (0, 1)}, threshold=1.0, target=target)


def test_lode_learns_the_observables_behind_a_joint_term(caplog: pytest.LogCaptureFixture) -> None:
    """The likelihood is a joint Gaussian of a and b times that of c. The NLL is that of the formula, and LODE learns
    the observables.
    """
    m = np.log(np.finfo(float).max) + 1  # the largest loss (docs/method.md)
    root = np.linalg.cholesky([[0.01, 0.006], [0.006, 0.01]])
    term = Term(TermKind.JOINT_GAUSS, ("a", "b"), mean=(0.3, 0.6), root=tuple(map(tuple, root.tolist())))
    likelihoods: dict[str, Likelihood | Term] = {
        "a": Likelihood(),
        "b": Likelihood(),
        "ab": term,
        "c": Likelihood(Kind.GAUSS, 0.5, 0.1),
    }
    search = proposer.Lode({"x": (0, 1), "y": (0, 1)}, threshold=3.0, seed=1, batch=40, observables=likelihoods)
    good = 0
    for _ in range(5):
        points = search.ask()
        x, y = points.T
        search.tell(points, observables={"a": x, "b": y**2, "c": x * y})
        z = np.linalg.solve(root, np.stack([x - 0.3, y**2 - 0.6]))
        joint, single = (z**2).sum(axis=0) / 2, ((x * y - 0.5) / 0.1) ** 2 / 2
        good += int((sum(m * (1 - np.exp(-loss / m)) for loss in (joint, single)) < 3.0).sum())
    assert search.good_count == good > 20
    assert "the NLL alone" not in caplog.text
    with pytest.raises(UsageError, match="there are no values of b"):
        search.tell(search.ask(), observables={"a": 1.0, "c": 1.0})
    with pytest.raises(UsageError, match="the term ab is a function of b, which observables lacks"):
        proposer.Lode({"x": (0, 1)}, threshold=3.0, observables={"a": Likelihood(), "ab": term})
