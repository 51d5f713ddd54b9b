"""Another order of the codes is advised only if a trial gave the same results."""

import math

import numpy as np
import pytest

from evaluator.chain import Status
from evaluator.commands import random_points as tries
from evaluator.commands.by_hand import ByHand
from evaluator.commands.order import better_order
from evaluator.commands.random_points import BUDGET, Tried, try_points
from evaluator.commands.ranges import draw, middle
from scanspec import PriorKind, Variable

CODES = """import time
from pathlib import Path

def dear(point):
    time.sleep(0.1)
    return {"d": 2 * point["x"]}

def quick(point):
    return {"d": 2 * point["x"]}

def cheap(point):
    return {"c": point["x"] + 1}

def cheap_of_dear(point):
    return {"c": point["d"] + 1}

def cheap_that_looks(point):
    return {"c": point.get("d", 0.0) + 1}

def cheap_of_a_file(point):
    return {"c": float((point.folder / "left").exists())}

def dear_that_leaves_a_file(point):
    (point.folder / "left").write_text("here")
    return dear(point)

def cheap_that_sometimes_looks(point):
    return {"c": point["x"] + (point.get("d", 0.0) if point["x"] > 0.7 else 1)}

def cheap_that_must_look_at_what_it_ends(point):
    if point["x"] > 0.7:
        return {"c": 99.0 if point.get("d", 0.0) else 0.0}
    return {"c": 1.0}

def hangs_at_random_points(point):
    if point["x"] != 0.5:
        time.sleep(1000)
    return {"c": 1.0}

def slow_to_start(point, seen=[]):
    if not seen:
        seen.append(1)
        time.sleep(0.05)
    return {"d": 2 * point["x"]}
"""
SCAN = """variables: {x: [0, 1]}
codes:
  first:
    function: order_codes:dear
    observables: {d: {mean: 1, sigma: 1}}
  second:
    function: order_codes:cheap
    observables: {c: {valid: [0, 9]}}
"""


@pytest.fixture
def tried(scan_file, chain, tmp_path, monkeypatch):
    """Makes the chain of a file; gives the outcomes of its trial points."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def tried(text=SCAN, x=0.5):
        made = chain(scan_file(text, order_codes__py=CODES))
        return made, try_points(ByHand(made), Tried([x], made.evaluate([x], tmp_path / "point")), tmp_path)

    yield tried
    monkeypatch.delitem(__import__("sys").modules, "order_codes", raising=False)


@pytest.fixture
def advice(tried, tmp_path):
    def advice(text=SCAN, x=0.5):
        made, points = tried(text, x)
        return better_order(made, points, tmp_path)

    return advice


def test_a_cheap_code_that_can_end_a_point_is_advised_first(advice):
    (line,) = advice()
    assert line.startswith("advice: second can end a point and takes ")
    assert "gave the same results before first, which takes 0." in line and ", at 7 points. " in line
    assert line.endswith("let it run first: second, first")


def test_a_code_whose_condition_can_end_a_point_is_advised_first(advice):
    text = SCAN.replace("observables: {c: {valid: [0, 9]}}", "observables: {c: }\n    conditions: ['c > 0']")
    assert advice(text)[0].endswith("let it run first: second, first")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{valid: [0, 9]}", "{mean: 1, sigma: 1}"),  # it never ends a point
        ("order_codes:dear", "order_codes:quick"),  # it is not cheaper
        (":cheap\n", ":cheap_of_dear\n"),  # it needs an observable of the other code
        (":cheap\n", ":cheap_that_sometimes_looks\n"),  # the results agree at the middle, but not elsewhere
        (":cheap\n", ":cheap_that_must_look_at_what_it_ends\n"),
        (":cheap\n", ":cheap_that_looks\n"),  # it runs without the other's observable, but with another result
        ("c: {valid", "c: {function: d + 1, valid"),  # an expression uses the other's observable
        (":dear\n", ":slow_to_start\n"),  # it is expensive only the first time
    ],
)
def test_no_other_order_is_advised_without_a_reason(advice, old, new, capfd):
    assert SCAN.count(old) == 1
    assert advice(SCAN.replace(old, new)) == []
    assert capfd.readouterr().err == ""  # the output of a code in a failed trial is not shown


def test_random_points_are_tried_if_the_middle_is_invalid(advice, tried):
    text = SCAN.replace("[0, 1]", "[0, 30]")
    _, points = tried(text, 20.0)
    assert [point.outcome.status is Status.INVALID for point in points] == [point.values[0] > 8 for point in points]
    assert 1 < sum(point.values[0] > 8 for point in points) < len(points) == 7
    assert len({point.values[0] for point in points}) == 7
    (line,) = advice(text, 20.0)
    assert line.endswith("let it run first: second, first") and "at 7 points" in line
    _, again = tried(text, 20.0)
    assert [repeated.values for repeated in again] == [point.values for point in points]


def test_no_advice_if_every_point_is_invalid(advice, monkeypatch):
    monkeypatch.setattr(tries, "MOST_TRIES", 10)
    assert advice(SCAN.replace("valid: [0, 9]", "valid: [50, 51]")) == []


def test_the_time_for_random_points_is_bounded(tried, monkeypatch):
    """A code that hangs away from the middle takes no more than the budget, and its point is ignored."""
    monkeypatch.setattr(tries, "BUDGET", 0.5)
    _, points = tried(SCAN.replace(":cheap\n", ":hangs_at_random_points\n"))
    assert [point.outcome.status for point in points] == [Status.OK, Status.TIMED_OUT]
    assert BUDGET <= 20


KINDS = [
    Variable("a", -3, 5),
    Variable("b", 1e-3, 1e3, PriorKind.LOG_UNIFORM),
    Variable("c", 2, 6, integer=True),
    Variable("d", 1, 9, values=(9.0, 1.0, 4.0)),
    Variable("e", -100, 100, PriorKind.SYMMETRIC_LOG, inner=1),
    Variable("f", -4, 4, PriorKind.SYMMETRIC, inner=2),
    Variable("g", 0, math.pi, PriorKind.SINE),
    Variable("h", 7, 7),
    Variable("i", -math.inf, high=math.inf, prior=PriorKind.NORMAL, mean=1.0, sigma=2.0),
    Variable("j", 2, high=3, prior=PriorKind.NORMAL, mean=9.0, sigma=1.0),
]


@pytest.mark.parametrize("variable", KINDS, ids=[kind.name for kind in KINDS])
def test_middles_and_draws_lie_in_the_range(variable):
    rng = np.random.default_rng(0)
    drawn = [draw(variable, rng) for _ in range(200)]
    for value in (middle(variable), *drawn):
        assert variable.low <= value <= variable.high and math.isfinite(value) and abs(value) >= variable.inner
        assert not variable.values or value in variable.values
        assert not variable.integer or value.is_integer()
    assert variable.fixed or variable.name == "j" or len(set(drawn)) > 2
    if variable.prior.symmetric:
        assert 50 < sum(value < 0 for value in drawn) < 150
    if variable.name in "be":  # equally many in each decade
        half = math.sqrt(variable.high * max(variable.inner, variable.low))
        assert np.mean([abs(value) < half for value in drawn]) > 0.3


def test_a_code_stays_behind_one_whose_files_it_reads(advice):
    text = SCAN.replace(":dear\n", ":dear_that_leaves_a_file\n").replace(":cheap\n", ":cheap_of_a_file\n")
    assert advice(text) == []


def test_each_code_moves_as_far_forward_as_possible(advice):
    more = """  third:
    function: order_codes:quick
    observables: {e: {function: c + d, valid: [0, 99]}}
  fourth:
    function: order_codes:dear
    observables: {f: {function: x}}
  fifth:
    function: order_codes:cheap
    observables: {g: {function: x + c, valid: [0, 99]}}
"""
    assert [line.split(": ")[-1] for line in advice(SCAN + more)] == [
        "second, first, third, fourth, fifth",
        "second, fifth, first, third, fourth",
    ]
