"""Writes the files that docs/backends.md shows, and runs its commands in order."""

import re

import pytest

from tests.pair.shells import ROOT, shell

__all__ = ["shell"]

BLOCK = re.compile(r"(?:^`(?P<file>[\w.]+)`\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_page_works(shell):
    folder, run = shell
    said = {}
    for block in BLOCK.finditer((ROOT / "docs" / "backends.md").read_text()):
        if block["file"]:
            (folder / block["file"]).write_text(block["text"])
        elif block["kind"] == "console":
            for line in block["text"].splitlines():
                assert line.startswith("$ "), line
                said[line[2:]] = run(line[2:])
    assert len(said) == 12
    assert "status OK" in said["lodescan-evaluator point width.yaml m=2 g=0.6 --keep debug"]
    assert (
        "status INVALID (code width): SPINFO 4: not perturbative"
        in said["lodescan-evaluator point width.yaml m=2 g=3.5"]
    )
    assert "of 50 good points" in said["lodescan status runs/width"]
    assert "stopped: " in said["lodescan scan width.yaml"]
    assert "3 passed" in said["pytest darkphoton"]
    assert "width passes" in said["lodescan-conformance 127.0.0.1:50051"]
