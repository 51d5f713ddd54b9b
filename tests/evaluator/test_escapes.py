"""Text of programs, files and clients is shown without control sequences that a terminal would obey."""

import subprocess
import sys


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
