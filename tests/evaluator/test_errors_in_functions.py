"""Messages about errors in a user's function: they show the user's line, and suggest the right name."""

import subprocess
import sys

import pytest

from evaluator.chain import Status
from evaluator.errors import ConfigurationError

SCAN = (
    "variables: {a: [1, 2], ms: [1, 2]}\ncodes:\n  toy:\n    function: mine:f\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("return {'y': point['A']}", "the point has no 'A'; did you mean 'a'? (FOLDER/mine.py, line 5)"),
        ("return {'y': point['mss']}", "the point has no 'mss'; did you mean 'ms'? (FOLDER/mine.py, line 5)"),
        ("return {'y': {}['b']}", "KeyError: 'b' (FOLDER/mine.py, line 5)"),
        ("return {'y': np.linalg.inv(np.zeros((2, 2)))}", "LinAlgError: Singular matrix (FOLDER/mine.py, line 5)"),
        ("return help_me(point)", "ValueError: no (FOLDER/helper.py, line 2)"),
        ("return json.loads('x')", "(FOLDER/mine.py, line 5)"),
        ("return {'y': point[0]}", "the point has no 0; known are: a, ms (FOLDER/mine.py, line 5)"),
        ("return {'y': point.ms}", "the point has no attribute 'ms'; write point['ms'] (FOLDER/mine.py, line 5)"),
        ("return {'y': point}", "the observable y is the point (a, ms), not a number"),
        ("return None", 'observables, but returned None; for an unphysical point: raise InvalidPoint("why")'),
        ("yield 'y', 1", "but returned a generator, because it has `yield`: write `return`"),
        ("sys.exit()", "it called sys.exit with exit code 0 (FOLDER/mine.py, line 5)"),
        ("sys.exit(3)", "it called sys.exit with exit code 3 (FOLDER/mine.py, line 5)"),
        ("sys.exit('enough')", "it called sys.exit: enough (FOLDER/mine.py, line 5)"),
    ],
)
def test_the_message_shows_the_users_own_line(scan_file, chain, tmp_path, monkeypatch, lines, message):
    for name in ("mine", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    scan = scan_file(
        SCAN,
        mine__py=f"import json, sys\nimport numpy as np\nfrom helper import help_me\ndef f(point):\n    {lines}\n",
        helper__py="def help_me(point):\n    raise ValueError('no')\n",
    )
    outcome = chain(scan).evaluate([1.5, 1.5], tmp_path / "s")
    assert outcome.status is Status.FAILED
    assert message.replace("FOLDER", str(tmp_path)) in outcome.message


def test_an_async_function_is_named_so(scan_file, chain, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    scan = scan_file(SCAN, mine__py="async def f(point):\n    return {'y': 1}\n")
    outcome = chain(scan).evaluate([1.5, 1.5], tmp_path / "s")
    assert outcome.status is Status.FAILED
    assert "mine:f must return a mapping of observables, but returned a coroutine, because it is" in outcome.message


@pytest.mark.parametrize("command", ["point", "check"])
@pytest.mark.parametrize("source", ["import sys\ndef f(point):\n    sys.exit(0)\n", "import sys\nsys.exit(0)\n"])
def test_sys_exit_is_an_error(scan_file, command, source):
    scan = scan_file(SCAN, mine__py=source)
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", command, str(scan)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "it called sys.exit" in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["point", "check"])
def test_a_keyboard_interrupt_that_a_function_raises_is_an_error(scan_file, command):
    scan = scan_file(SCAN, mine__py="def f(point):\n    raise KeyboardInterrupt('no')\n")
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", command, str(scan)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (1, 2)
    assert "KeyboardInterrupt: no" in done.stdout + done.stderr


def test_a_function_may_test_for_a_name_that_does_not_exist(scan_file, chain, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    scan = scan_file(SCAN, mine__py="def f(point):\n    return {'y': point.get('b', 7.0) + ('c' in point)}\n")
    assert chain(scan).evaluate([1.5, 1.5], tmp_path / "s").observables == [7.0]


HOSTILE = """
import signal, sys

import numpy as np

from evaluator import InvalidPoint


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


class Tachyon(InvalidPoint):
    pass


class Tensor:
    def __float__(self):
        raise RuntimeError("a tensor of two elements")

    def __repr__(self):
        raise RuntimeError


def f(point):
    LINES
"""


@pytest.mark.parametrize(
    ("lines", "status", "message"),
    [
        ("raise Mute", Status.FAILED, "Mute: its text cannot be printed: RuntimeError"),
        ("raise InvalidPoint(Mute())", Status.INVALID, "its text cannot be printed"),
        ("raise Tachyon('too light')", Status.INVALID, "too light"),
        ("raise BaseException('base')", Status.FAILED, "BaseException: base"),
        ("raise GeneratorExit", Status.FAILED, "GeneratorExit"),
        ("sys.stderr = open('/dev/null'); sys.stderr.close(); raise ValueError('no')", Status.FAILED, "ValueError: no"),
        (
            "return Tensor()",
            Status.FAILED,
            "must return a mapping of observables, but returned a Tensor that cannot be",
        ),
        (
            "return {'y': Tensor()}",
            Status.FAILED,
            "the observable y is a Tensor that cannot be shown (RuntimeError), not",
        ),
        (
            "return {'y': np.complex128(1.5 + 2j)}",
            Status.FAILED,
            "the observable y is np.complex128(1.5+2j), not a num",
        ),
        ("return {'y': np.complex64(1.5)}", Status.FAILED, "not a number"),
        ("return {'y': '1_0'}", Status.FAILED, "the observable y is '1_0', not a number"),
    ],
)
def test_an_exception_of_a_function_ends_only_its_point(scan_file, chain, monkeypatch, lines, status, message):
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setattr("sys.stderr", sys.stderr)
    outcome = chain(scan_file(SCAN, mine__py=HOSTILE.replace("LINES", lines))).evaluate([1.5, 1.5])
    assert (outcome.status, message in outcome.message) == (status, True), outcome.message


def test_an_interrupt_raised_by_a_function_ends_only_its_point(scan_file, evaluator):
    scan = scan_file(SCAN, mine__py=HOSTILE.replace("LINES", "raise KeyboardInterrupt"))
    (result,) = evaluator(scan).evaluate([[1.5, 1.5]])
    assert "KeyboardInterrupt: (" in result.message and "mine.py, line" in result.message


def test_a_fault_of_a_kind_of_code_ends_only_its_point(scan_file, chain, monkeypatch):
    from evaluator.codes.kinds.function import PythonFunction

    def breaks(self, point):
        raise KeyError("forgotten")

    monkeypatch.setattr(PythonFunction, "run", breaks)
    outcome = chain(scan_file(SCAN, mine__py="def f(point):\n    return {}\n")).evaluate([1.5, 1.5])
    assert (outcome.status, outcome.message) == (Status.FAILED, "KeyError: 'forgotten'")


@pytest.mark.parametrize(
    ("arguments", "line", "hint"),
    [
        ("a", "a + 1", "; a is the point with all values here: write a['a'], or `def f(*, a)` to get the value itself"),
        ("a", "a['a'].real()", "; a is the point with all values here"),
        ("a, k=2.0", "a['a']", "; a is a number here, and not the point"),
        ("a, ms", "a['a'] + ms", "; a, ms are numbers here, and not the point"),
        ("point", "point + 1", ""),
        ("a", "{}['b']", ""),  # the arguments are not to blame
    ],
)
def test_the_point_and_a_value_that_are_taken_for_each_other(scan_file, chain, monkeypatch, arguments, line, hint):
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    outcome = chain(scan_file(SCAN, mine__py=f"def f({arguments}):\n    {line}\n")).evaluate([1.5, 1.5])
    assert outcome.status is Status.FAILED
    assert outcome.message.partition("mine.py, line 2)")[2].startswith(hint)
    assert hint or outcome.message.endswith("mine.py, line 2)")


def test_a_module_that_is_not_there_is_told_apart_from_one_that_cannot_be_imported(scan_file, chain, monkeypatch):
    monkeypatch.setattr("sys.path", list(sys.path))
    scan = scan_file(SCAN.replace("mine:f", "minee:f"), mine__py="")
    with pytest.raises(ConfigurationError, match=r"there is no minee\.py in .*; did you mean 'mine'\?"):
        chain(scan).load()
    scan = scan_file(SCAN.replace("mine:f", "needs:f"), needs__py="import nowhere_at_all\n")
    with pytest.raises(ConfigurationError, match=r"No module named 'nowhere_at_all'; .*needs\.py, line 1"):
        chain(scan).load()


def test_the_message_names_a_file_that_hides_another_module(scan_file, chain, tmp_path):
    scan = scan_file(SCAN.replace("mine:f", "signal:signal"), signal__py="def signal(point):\n    return {}\n")
    with pytest.raises(
        ConfigurationError, match=rf"the module 'signal' is .*signal\.py and not {tmp_path}/signal\.py; re"
    ):
        chain(scan)
    scan = scan_file(SCAN.replace("mine:f", "time:f"))
    with pytest.raises(ConfigurationError, match="the module 'time' of Python itself has no function 'f'"):
        chain(scan)
