"""The Python function of docs/bsmart.md, which takes the place of a tool of BSMArt's, works as the page says."""

import re
import subprocess
import sys

import pytest

from tests.evaluator.serving import ROOT

SCAN = """\
setup: {run_name: tool, type: RANDOM}
variables: {mu: [-2000, 2000]}
codes:
  spectrum:
    command: cp {input} {output}
    input_file: in.slha
    observables: {m: {slha: [MASS, 1000022]}}
  mytool:
    function: mytool:run
    observables: {ratio: {mean: 1, sigma: 1}}
"""


@pytest.mark.parametrize(("mu", "words"), [("500", r"ratio[^\n]* 0\.5\b"), ("-500", "INVALID.*mu is negative")])
def test_the_function_in_place_of_a_tool_works(tmp_path, mu, words):
    page = (ROOT / "docs/bsmart.md").read_text()
    (code,) = re.findall(r"```python\n(from evaluator import .*?)```", page, re.DOTALL)
    (tmp_path / "mytool.py").write_text(code)
    (tmp_path / "in.slha").write_text("Block MASS\n 1000022 250*mu/abs(mu)\n")
    (tmp_path / "scan.yaml").write_text(SCAN)
    command = [sys.executable, "-m", "evaluator", "point", tmp_path / "scan.yaml", f"mu={mu}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert re.search(words, done.stdout, re.DOTALL), done
