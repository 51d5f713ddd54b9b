"""The proposer reads every example. The only note that may come says that priors are honoured."""

from pathlib import Path

import pytest

from proposer.__main__ import main

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_read_with_at_most_a_note_on_priors(path, capsys):
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "good: NLL below" in said or "good: NLL less than" in said
    notes = [line.strip() for line in said.splitlines() if "note:" in line]
    assert all(note.startswith("note: priors are honoured") for note in notes), notes
