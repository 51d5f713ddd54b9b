"""`check` warns of a variable that no code can read."""

from pathlib import Path

import pytest

from evaluator.commands.main import main

SCAN = """
setup: {run_name: w}
variables:
  m: {range: [0.5, 5]}
  g: {range: [0.01, 4]}
  g2: {range: [1, 1]}
codes:
  w:
    command: cp {input} {output}
    input_file: w.in.slha
    observables:
      mass: {slha: [MASS, 32], mean: 2, sigma: 1}
"""
FUNCTION = """
  other:
    function: other:f
    observables: {o: {}}
"""


@pytest.mark.parametrize(
    ("template", "more", "warned"),
    [
        ("Block MASS\n 32 m*g2\n", "", True),
        ("Block MASS\n 32 m*g\n", "", False),
        ("Block MASS\n 32 5\n", "", False),  # the template has a warning of its own
        ("Block MASS\n 32 VARIABLE[0]*VARIABLE[1]\n", "", False),
        ("Block MASS\n 32 m\n", "      double: {function: 2*g}\n", False),
        ("Block MASS\n 32 m\n", FUNCTION, False),
    ],
)
def test_a_variable_that_no_code_reads_is_told(
    template: str, more: str, warned: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.in.slha").write_text(template)
    (tmp_path / "w.yaml").write_text(SCAN + more)
    (tmp_path / "other.py").write_text("def f(point):\n    return {'o': point['g']}\n")
    assert main(["check", str(tmp_path / "w.yaml")]) == 0
    said = capfd.readouterr().out
    told = "warning: no code reads g: write it into an expression of a template" in " ".join(said.split())
    assert told is warned and said.count("no code reads") == warned
