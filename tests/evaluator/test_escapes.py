"""What codes write, and what they do to standard output, does no harm to the terminal or to what is shown."""

import os
import pty
import subprocess
import sys

import pytest


def test_the_output_of_a_code_is_shown_by_point_without_control_sequences(scan_file):
    evil = (
        "def f(point):\n"
        "    (point.folder / 'log\\x1b[2J.txt').write_text('\\x1b[31mred\\x1b]0;title\\x07 \\u202eb\\n\\tnext\\n')\n"
        "    return {'y': point['x']}\n"
    )
    scan = scan_file(
        'variables: {"x": [0, 1]}\ncodes:\n  "c":\n    function: evil:f\n'
        "    observables: {y: {mean: 1, sigma: 2, unit: GeV}}\n",
        evil__py=evil,
    )
    command = [sys.executable, "-m", "evaluator", "point", str(scan)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "red \ufffdb\n" in done.stdout and "GeV" in done.stdout
    assert not any(char in done.stdout + done.stderr for char in "\x1b\x07\u202e")


def on_a_terminal(*words):
    """The exit code of a command, and what it writes on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "evaluator", *words], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while content := os.read(ours, 2**16):
            said += content
    except OSError:  # the command has ended
        pass
    os.close(ours)
    return process.wait(60), said.decode().replace("\r\n", "\n")


SCAN = "variables: {x: [0, 1]}\ncodes: {c: {function: evil:f, observables: {y: {mean: 1, sigma: 2}}}}\n"
PRINTS = """
import os, sys
print("\\x1b]0;title\\x07at import")
def f(point):
    print("\\x1b[2Jprinted\\x07", end="")
    print("one\\rtwo", file=sys.stderr, flush=True)
    os.system("printf '\\\\033[2Jof a program\\\\n'")
    HOW
    return {"y": point["x"]}
"""


@pytest.mark.parametrize("command", ["point", "check"])
def test_what_a_function_prints_is_shown_on_a_terminal_without_control_sequences(scan_file, command):
    code, said = on_a_terminal(command, str(scan_file(SCAN, evil__py=PRINTS.replace("HOW", ""))))
    assert code == 0
    assert "at import\n" in said and "of a program\n" in said and "printed\ufffd" in said and "one\ntwo\n" in said
    assert not any(sequence in said for sequence in ("\x1b]0", "\x1b[2J", "\x07"))


@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 11)"])
def test_the_output_of_a_function_that_ends_its_process_is_shown_before_the_message(scan_file, how):
    """There is more output than a pipe and a terminal hold, so some of it is left when the process ends."""
    ends = f"os.system('seq 20000; echo the end'); {how}"
    code, said = on_a_terminal("point", str(scan_file(SCAN, evil__py=PRINTS.replace("HOW", ends))))
    assert code == 1
    assert 0 < said.index("of a program") < said.index("the end") < said.index("a code ended its own process")
    assert "\x1b[2J" not in said


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_function_that_closes_standard_output_still_gets_its_point_shown(scan_file, options):
    scan = scan_file(
        "variables: {x: [0, 1]}\ncodes: {toy: {function: 'toy:f', observables: {y: {mean: 1, sigma: 1}}}}\n",
        toy__py="import os, sys\ndef f(point):\n    sys.stdout.close()\n    os.close(1)\n    return {'y': 1.5}\n",
    )
    command = [sys.executable, "-m", "evaluator", "point", str(scan), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stderr == ""
    assert ("1.5" in done.stdout) and ("OK" in done.stdout)


@pytest.mark.parametrize("words", [["check"], ["point"]], ids=lambda words: words[0])
def test_names_in_letters_that_the_terminal_lacks_are_shown_by_number(scan_file, words):
    scan = scan_file(SCAN.replace("x:", "θ:"), evil__py="def f(point):\n    print('β')\n    return {'y': point['θ']}\n")
    environment = {**os.environ, "PYTHONIOENCODING": "iso-8859-1"}
    command = [sys.executable, "-m", "evaluator", *words, str(scan)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert rb"\u03b8" in done.stdout and rb"\u03b2" in done.stdout
