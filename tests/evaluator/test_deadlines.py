"""How long the first points of a process and later ones may take; every kind of code has the same rule."""

import sys

import pytest

from evaluator.chain import Status
from evaluator.codes.deadline import DEFAULT_TIMEOUT, Deadline
from scanspec import read_scan_file
from tests.evaluator.harness import values

FUNCTION = """
import time
from evaluator import InvalidPoint

def f(point):
    if point["x"] > 3:
        raise InvalidPoint("too high")
    if point["x"] > 2:
        raise ValueError("much")
    time.sleep(1000 if point["x"] > 1 else 0)
    return {"mh": 1.0}
"""
PROGRAM = """#!/bin/sh
case $(tail -1 "$1") in *4*) exit 3;; *3*) exit 1;; *2*) sleep 1000;; esac
printf 'Block MASS\\n 25 1.0\\n' > "$2"
"""
SCANS = {
    "function": "function: mine:f",
    "program": "command: ./program.sh {input} {output}\n    input_file: in.slha\n    invalid_when: {exit_codes: [3]}",
}


@pytest.fixture
def code_of(scan_file, chain, monkeypatch, tmp_path):
    """Makes the chain of one code of a kind. It does not end at x = 2, fails at x = 3, and is INVALID at x = 4."""
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)

    def make(kind, settings):
        slha = ", slha: [MASS, 25]" if kind == "program" else ""
        scan = scan_file(
            f"variables: {{x: [0, 5]}}\ncodes:\n  c:\n    {SCANS[kind]}\n    {settings}\n"
            f"    observables: {{mh: {{mean: 1, sigma: 1{slha}}}}}\n",
            mine__py=FUNCTION,
            program__sh=PROGRAM,
            in__slha="Block MINPAR\n 1 x\n",
        )
        (tmp_path / "program.sh").chmod(0o755)
        return chain(scan)

    return make


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize(("first", "status"), [(1.0, Status.OK), (3.0, Status.FAILED), (4.0, Status.INVALID)])
def test_the_later_deadline_holds_after_a_run_that_ended_by_itself(code_of, tmp_path, kind, first, status):
    made = code_of(kind, "timeout: 0.3\n    first_timeout: 20")
    assert made.evaluate([first], tmp_path / "1").status is status
    assert made.evaluate([2.0], tmp_path / "2").status is Status.TIMED_OUT


@pytest.mark.parametrize("kind", SCANS)
def test_the_first_deadline_still_holds_after_a_run_that_was_killed(code_of, tmp_path, kind):
    """What a code does at its first point, such as compiling, is not finished."""
    made = code_of(kind, "timeout: 4\n    first_timeout: 3")
    assert made.evaluate([2.0], tmp_path / "1").status is Status.TIMED_OUT
    assert made.steps[0].code.next_timeout() == 3.0
    assert made.evaluate([1.0], tmp_path / "2").status is Status.OK
    assert made.steps[0].code.next_timeout() == 4.0


@pytest.mark.parametrize(
    ("usual", "keys", "first", "later"),
    [
        (Deadline(), "", DEFAULT_TIMEOUT, DEFAULT_TIMEOUT),
        (Deadline(), "timeout: 5", 5.0, 5.0),
        (Deadline(), "timeout: 5, first_timeout: 2", 2.0, 5.0),
        (
            Deadline(first=DEFAULT_TIMEOUT),
            "timeout: 5",
            DEFAULT_TIMEOUT,
            5.0,
        ),  # the first points have the same limit as later ones, and a note says so
        (Deadline(first=1800.0), "", 1800.0, DEFAULT_TIMEOUT),
        (Deadline(first=1800.0), "timeout: 5", 1800.0, 5.0),
        (Deadline(first=1800.0), "timeout: 3000", 3000.0, 3000.0),
        (Deadline(first=DEFAULT_TIMEOUT, later=60.0), "first_timeout: 7", 7.0, 60.0),
    ],
)
def test_deadlines_come_from_keys_and_profiles(scan_file, usual, keys, first, later):
    section = f"function: m:f, {keys}, observables: {{o: {{mean: 1, sigma: 1}}}}".replace(", ,", ",")
    scan = read_scan_file(scan_file(f"variables: {{x: [0, 1]}}\ncodes: {{c: {{{section}}}}}\n"))
    found = usual.read(scan.codes[0].section)
    assert (found.seconds(first=True), found.seconds(first=False)) == (first, later)
    assert found.longest == max(first, later)
    assert found.at_most(6.0).longest == min(6.0, max(first, later))


STOPS = '#!/bin/sh\ncase $(tail -1 "$1") in *2*) kill -STOP {};; esac\nprintf \'Block MASS\\n 25 1.0\\n\' > "$2"\n'


@pytest.mark.parametrize("whom", ["$$", pytest.param("$PPID $$", marks=pytest.mark.slow)])
def test_a_program_that_stops_itself_or_its_worker_is_timed_out(code_of, evaluator, tmp_path, whom):
    """Processes that are stopped notice no deadline."""
    scan = code_of("program", "timeout: 0.5").scan.path
    (tmp_path / "program.sh").write_text(STOPS.format(whom))
    server = evaluator(scan)
    assert server.statuses([[0.0], [2.0], [1.0], [2.0], [0.0]]) == ["OK", "TIMED_OUT", "OK", "TIMED_OUT", "OK"]


@pytest.mark.parametrize("whom", ["os.getpid()", pytest.param("os.getppid()", marks=pytest.mark.slow)])
def test_a_function_that_stops_its_worker_or_the_fork_server_costs_its_point_at_most(evil, evaluator, whom):
    server = evaluator(evil(f"os.kill({whom}, signal.SIGSTOP)", timeout=0.5))
    own = "TIMED_OUT" if whom == "os.getpid()" else "OK"
    assert server.statuses([[1, 0], [2, 1], [3, 0]]) == ["OK", own, "OK"]
    assert values(server, [[x, 0] for x in range(5)]) == list(range(5))
