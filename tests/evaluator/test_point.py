"""One point through a chain of codes: order, windows, conditions, and what is stored."""

import itertools
import math
import sys

import pytest

from evaluator.chain import Status
from evaluator.errors import ConfigurationError
from scanspec import ScanFileError
from tests.evaluator.harness import DATA

NAN = math.nan

CHAIN = """
variables: {a: [0, 10], b: [0, 10]}
derived_variables: {ab: a*b, ab2: ab**2}
codes:
  first:
    function: steps:first
    observables:
      one: {mean: 1, sigma: 1}
      sum1: {function: one + a}
  second:
    function: steps:second
    observables:
      two: {mean: 1, sigma: 1}
observables:
  total: {function: 'two + sum1 + ab2 + VARIABLE[1]'}
"""

STEPS = """
def first(point):
    assert dict(point) == {"a": point["a"], "b": point["b"], "ab": point["ab"], "ab2": point["ab2"]}
    assert list(point) == ["a", "b", "ab", "ab2"]
    return {"one": point["ab"]}

def second(point):
    if point["a"] == 9:
        raise RuntimeError("second must not run")
    return {"two": point["sum1"] * 2}
"""


@pytest.fixture
def evaluate(scan_file, chain, tmp_path):
    count = itertools.count()

    def evaluate(scan, point, steps=STEPS):
        name = f"steps{abs(hash((str(tmp_path), next(count))))}"
        return chain(scan_file(scan.replace("steps:", f"{name}:"), **{f"{name}__py": steps})).evaluate(
            point, tmp_path / "s"
        )

    before = list(sys.path)
    yield evaluate
    sys.path[:] = before


def same(found, expected):
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, expected, strict=True))


def test_codes_run_in_order_and_give_named_observables(evaluate):
    found = evaluate(CHAIN, [2.0, 3.0])
    assert (found.status, found.message, found.failed_code, found.missing) == (Status.OK, "", "", [])
    #                        ab   ab2   one  sum1  two   total
    assert found.observables == [6.0, 36.0, 6.0, 8.0, 16.0, 16 + 8 + 36 + 3.0]
    assert len(found.seconds) == 2


def test_a_window_ends_the_chain_and_earlier_observables_are_kept(evaluate):
    scan = CHAIN.replace("one: {", "one: {valid: [0, 20], ")
    found = evaluate(scan, [9.0, 3.0])
    assert (found.status, found.failed_code) == (Status.INVALID, "first")
    assert found.message == "one = 27 is outside [0, 20]"
    assert same(found.observables, [27.0, 729.0, 27.0, 36.0, NAN, NAN]) and found.missing == [4, 5]
    assert len(found.seconds) == 1


@pytest.mark.parametrize(
    ("value", "status"), [(4.0, Status.OK), (2.0, Status.OK), (1.9, Status.INVALID), (4.1, Status.INVALID)]
)
def test_the_limits_of_a_window_are_inside(evaluate, value, status):
    scan = CHAIN.replace("one: {", "one: {valid: [4, 2], ").replace("codes:\n  first", "codes:\n  first")
    assert evaluate(scan, [1.0, value]).status is status


def test_nan_is_outside_every_window(evaluate):
    steps = STEPS.replace('{"one": point["ab"]}', '{"one": float("nan")}')
    found = evaluate(CHAIN.replace("one: {", "one: {valid: ['-inf', inf], "), [1.0, 1.0], steps)
    assert found.status is Status.INVALID and "one = nan" in found.message
    assert found.missing == [4, 5]  # a NaN that a code returns is a value and does not count as missing
    assert evaluate(CHAIN, [1.0, 1.0], steps).status is Status.OK


def test_an_observable_at_the_top_level_may_have_a_window(evaluate):
    scan = CHAIN.replace("total: {", "total: {valid: [0, 5], ")
    found = evaluate(scan, [2.0, 3.0])
    assert (found.status, found.failed_code, found.missing) == (Status.INVALID, "", [])
    assert found.observables[-1] == 63.0


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("one > 5", Status.OK),
        ("one > 7", Status.INVALID),
        ("['one > 5', 'a > 1 and ab2 > 30']", Status.OK),
        ("['one > 5', 'not a > 1']", Status.INVALID),
        ("'sqrt(-one) > -1'", Status.INVALID),
        ("'sqrt(-one)'", Status.INVALID),
        ("'one'", Status.OK),
    ],
)
def test_conditions_decide_whether_a_code_runs_on(evaluate, condition, status):
    found = evaluate(
        CHAIN.replace("    observables:\n      one", f"    conditions: {condition}\n    observables:\n      one"),
        [2.0, 3.0],
    )
    assert found.status is status
    if status is Status.INVALID:
        why = "is not a number here" if "sqrt" in condition else "does not hold"
        assert why in found.message and len(found.seconds) == 1 and found.missing == [4, 5]


def test_a_condition_cannot_use_what_comes_later(evaluate):
    with pytest.raises(ScanFileError, match=r"line 7: 'two > 1' uses 'two', which is computed only later"):
        evaluate(
            CHAIN.replace("    observables:\n      one", "    conditions: two > 1\n    observables:\n      one"),
            [2.0, 3.0],
        )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("function: one + a", "function: one + c", ["line 9", "'c'"]),
        ("ab: a*b", "ab: a*ab2", ["line 3", "'ab2'"]),
        ("two + sum1", "tow + sum1", ["line 15", "'tow'", "'two'"]),
        ("function: steps:second", "function: steps", ["line 11", "module:name"]),
        ("function: steps:second", "function: steps:third", ["line 11", "no function 'third'"]),
        (
            "function: steps:second",
            "function: nowhere:third",
            ["line 11", "'nowhere' cannot be imported", "ModuleNotFoundError"],
        ),
        ("function: steps:second", "timeout: 3", ["line 10", "neither function nor command"]),
        ("function: steps:second", "function: steps:second\n    command: ls", ["function and command; keep one"]),
        ("function: steps:second", "command: nosuchprogram {input}", ["line 11", "'nosuchprogram' does not exist"]),
        ("function: steps:second", "command: ./nosuchprogram", ["line 11", "does not exist"]),
        ("function: steps:second", "command: cat a | grep b", ["line 11", "needs a shell"]),
        ("function: steps:second", "command: cat <", ["line 11", "followed by one file"]),
        ("function: steps:second", 'command: "cat \'a"', ["line 11", "cannot be split"]),
        ("function: steps:second", "command: cat", ["needs an input_file"]),
        ("function: steps:second", "command: cat\n    input_file: none.slha", ["none.slha cannot be read"]),
        ("function: steps:second", "function: steps:second\n    timeout: 0", ["timeout", "more than 0"]),
        ("function: steps:second", "function: steps:second\n    timeout: soon", ["timeout", "a number"]),
    ],
)
def test_faults_are_found_before_anything_runs(evaluate, old, new, words):
    assert old in CHAIN
    with pytest.raises((ConfigurationError, ValueError)) as caught:
        evaluate(CHAIN.replace(old, new), [2.0, 3.0], STEPS.replace("    assert", "    raise SystemExit\n    assert"))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "status", "message"),
    [
        (0, Status.OK, ""),
        (2, Status.OK, ""),
        (3, Status.INVALID, "the potential is unbounded"),
        (4, Status.FAILED, "RuntimeError: no convergence [31mafter 50 steps ("),
        (5, Status.FAILED, "y is declared, but the code did not give it"),
        (6, Status.FAILED, "y is 'many', not a number"),
        (7, Status.FAILED, "must return a mapping of observables, but returned 7"),
        (10, Status.TIMED_OUT, "deadline of 0.4 s"),
        (18, Status.FAILED, "MemoryError"),
        (22, Status.OK, ""),
        (23, Status.FAILED, "not a number"),
    ],
)
def test_python_functions_give_observables_or_failures(python_scan, chain, tmp_path, mode, status, message):
    scan = python_scan("misbehave", "x: [-5, 5], mode: [0, 30]", "timeout: 0.4")
    found = chain(scan).evaluate([3.0, float(mode)], tmp_path / "s")
    assert (found.status, found.failed_code) == (status, "toy" if found.message else "")
    assert message in found.message and found.message.isprintable() and len(found.message) <= 500


def test_a_nan_observable_has_the_largest_loss_and_is_ok(python_scan, chain, tmp_path):
    found = chain(python_scan("misbehave", "x: [-5, 5], mode: [0, 30]")).evaluate([3.0, 2.0], tmp_path / "s")
    assert found.status is Status.OK and math.isnan(found.observables[0]) and found.missing == []


def test_derived_variables_that_are_not_finite_make_the_point_invalid(evaluate):
    found = evaluate(CHAIN.replace("ab: a*b", "ab: a/b"), [2.0, 0.0])
    assert found.status is Status.INVALID and "derived variable ab = a/b" in found.message


def test_a_python_code_reads_the_spectrum_of_a_program(scan_file, chain, tmp_path):
    steps = "def read(point):\n    return {'half': point.spectrum['MASS', 25] / 2}\n"
    scan = scan_file(
        "variables: {m: [0, 10]}\ncodes:\n"
        f"  copy:\n    command: cp {DATA}/softsusy_ok.out.slha {{output}}\n    input_file: in.slha\n"
        "    observables: {mh: {SLHA: [MASS, 25], VALID: [100, 200], MEAN: 125, VARIANCE: 2}}\n"
        "  reader:\n    function: reader_of_spectra:read\n    observables: {half: , size: {function: half*2}}\n"
        "observables: {mstau: {SLHA: [MASS, 1000015]}}\n",
        in__slha="BLOCK MINPAR\n 1 m\n",
        reader_of_spectra__py=steps,
    )
    found = chain(scan).evaluate([3.0], tmp_path / "s")
    assert found.status is Status.OK, found.message
    mh, half, size, mstau = found.observables
    assert size == mh == 2 * half and mstau > 0


def test_a_second_program_works_on_the_spectrum_of_the_first(scan_file, chain, tmp_path):
    scan = scan_file(
        "variables: {m: [0, 10]}\nblocks: {MINPAR: {2: m*2}}\ncodes:\n"
        "  one:\n    command: cp\n    input_file: in.slha\n"
        "    observables: {x: {slha: [MINPAR, 1], mean: 1, sigma: 1}}\n"
        "  two:\n    command: sh add.sh {input} {output}\n    input_file: point.slha\n"
        "    observables: {y: {slha: [MASS, 1]}, z: {slha: [MINPAR, 2]}}\n",
        in__slha="BLOCK MINPAR\n 1 m\n",
        add__sh="test $1 = point.slha && { cat $1; echo Block MASS; echo 1 7; } > $2\n",
    )
    found = chain(scan).evaluate([3.0], tmp_path / "s")
    assert (found.status, found.observables) == (Status.OK, [3.0, 7.0, 6.0]), found.message


def test_a_program_that_needs_an_earlier_spectrum_is_refused_without_one(scan_file, chain, tmp_path):
    found = chain(
        scan_file(
            "variables: {x: [0, 1]}\ncodes:\n  toy:\n    function: codes:square\n    observables: {y: }\n"
            "observables: {mh: {SLHA: [MASS, 25], MEAN: 1, VARIANCE: 1}}\n"
        )
    ).evaluate([1.0], tmp_path / "s")
    assert found.status is Status.FAILED and "no code before this one has written a spectrum" in found.message
    assert found.missing == [1]
