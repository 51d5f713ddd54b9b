"""A better order of the codes is advised only where it was tried and gave the same."""

import pytest

from evaluator.order import better_order

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
def advice(scan_file, chain, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def advice(text=SCAN, x=0.5):
        made = chain(scan_file(text, order_codes__py=CODES))
        return better_order(made, [x], made.evaluate([x], tmp_path / "point"), tmp_path)

    yield advice
    monkeypatch.delitem(__import__("sys").modules, "order_codes", raising=False)


def test_a_cheap_code_that_can_end_a_point_goes_first(advice):
    (line,) = advice()
    assert line.startswith("advice: second can end a point, takes ")
    assert "gave the same before first, which takes 0." in line
    assert line.endswith("let it run first: second, first")


def test_conditions_end_points_too(advice):
    text = SCAN.replace("observables: {c: {valid: [0, 9]}}", "observables: {c: }\n    conditions: ['c > 0']")
    assert advice(text)[0].endswith("let it run first: second, first")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{valid: [0, 9]}", "{mean: 1, sigma: 1}"),  # it ends no point
        ("order_codes:dear", "order_codes:quick"),  # as cheap
        (":cheap\n", ":cheap_of_dear\n"),  # needs the other's observable
        (":cheap\n", ":cheap_that_looks\n"),  # makes do without it, with another result
        ("c: {valid", "c: {function: d + 1, valid"),  # an expression of it
        (":dear\n", ":slow_to_start\n"),  # dear the first time alone
    ],
)
def test_no_advice(advice, old, new):
    assert SCAN.count(old) == 1
    assert advice(SCAN.replace(old, new)) == []


def test_no_advice_where_a_point_ends(advice):
    assert advice(SCAN.replace("[0, 1]", "[0, 30]"), 20.0) == []


def test_what_one_leaves_for_the_other_is_needed(advice):
    text = SCAN.replace(":dear\n", ":dear_that_leaves_a_file\n").replace(":cheap\n", ":cheap_of_a_file\n")
    assert advice(text) == []


def test_each_code_moves_as_far_as_it_may(advice):
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
