"""Every example is read by the proposer, and nothing in it needs a note."""

from pathlib import Path

import pytest

from proposer.__main__ import main

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_check(path, capsys):
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "good: NLL below" in said or "good: NLL less than" in said
    assert "note:" not in said
