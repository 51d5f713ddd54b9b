"""docs/json.md names every key of the JSON that lodescan's commands write, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documented_keys import documented, keys_of
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder


@pytest.mark.slow
def test_the_page_names_the_keys_of_each_command(
    start_evaluator: Callable[..., EvaluatorProcess], lodescan: Callable[..., Said], tmp_path: Path
) -> None:
    scan = ScanFolder(tmp_path / "scan", {"setup": "  seed: 1\n  type: RANDOM\n  max_evaluations: 60"})
    scan.physics("if z > 700: raise ValueError('a fault')")
    at = ["--evaluator", start_evaluator(scan.file).address]
    a, b, lines = tmp_path / "a", tmp_path / "b", list[str]()
    for run in (a, b):
        lines += lodescan("scan", scan.file, "--run", run, *at, "--json", "--no-report").out.splitlines()
    lines += lodescan("watch", a, "--json").out.splitlines()
    lines += lodescan("watch", tmp_path / "nowhere", "--json").out.splitlines()
    events = [json.loads(line) for line in lines]
    first, _, watched = (event for event in events if event["event"] == "end")
    assert {**watched, "seconds": first["seconds"]} == first
    found = {
        name: [{key: event[key] for key in event if key != "event"} for event in events if event["event"] == name]
        for name in ("progress", "end", "error")
    }
    for words in (["status", a], ["check", scan.file, *at], ["point", a, "1"], ["point", a, "60"], ["compare", a, b]):
        one = json.loads(lodescan(*words, "--json").out)
        found.setdefault(f"lodescan {words[0]} --json", []).append(one)
    for title, objects in found.items():
        assert objects and keys_of(objects, documented(title)) == documented(title), title
