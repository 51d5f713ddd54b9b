"""Every command of lodescan that a page shows is one that the program accepts. Other tests run most of them;
a list names these and the pages whose commands cannot run here.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

from proposer.commands.parser import make_parser
from tests.pair.processes import ROOT

OTHERS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "examples/README.md")
PAGES = [*(ROOT / page for page in OTHERS), *sorted((ROOT / "docs").glob("*.md"))]

RUN_BY = {
    "README.md": "docs_run",
    "examples/README.md": "docs_run",
    "backends.md": "backends_doc",
    "choosing.md": "docs_run",
    "evaluators.md": "docs_observers",
    "looking.md": "docs_commands",
    "many.md": "docs_commands",
    "observing.md": "docs_observers",
    "plots.md": "docs_commands",
    "report.md": "docs_commands",
    "runs.md": "docs_commands",
    "tutorial.md": "docs",
}
"""The test beside this one that runs the commands of a page."""
NOT_RUN = {
    "codes.md": "a Dask cluster on other machines; tests/evaluator/test_dask.py scans on one of this machine",
    "kubernetes.md": "the certificates of a cluster; the page on evaluators has the same command",
    "slurm.md": "a batch system; test_batch_system.py runs the scripts that the page submits",
}

EVALUATOR = """\
import json, sys
from evaluator.commands.main import make_parser
for command in json.load(sys.stdin):
    print(command, flush=True)
    make_parser().parse_args(command[1:])
"""


def shown() -> list[tuple[str, list[str]]]:
    """The commands behind a dollar, and those within a sentence that name a file or a run, with the page, as words."""
    found = []
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        within = [" ".join(span.split()) for span in re.findall(r"`(lodescan(?:-evaluator)? [a-z]+ [^-`][^`]*)`", text)]
        for line in [*re.findall(r"^\$ (.*)$", text, re.MULTILINE), *within]:
            command = re.sub(r"\$\(.*\)", "--host x", re.sub(r"\s+#\s.*", "", line))
            for part in re.split(r" [|&]+ ?| >", command):
                words = [word for word in shlex.split(part) if word != "..."]
                while words and re.match(r"\w+=", words[0]):
                    del words[0]
                if words and words[0].rpartition("/")[2] in ("lodescan", "lodescan-evaluator"):
                    found.append((page.name, [words[0].rpartition("/")[2], *words[1:]]))
    return found


def test_the_commands_of_each_page_are_run_or_it_is_said_why_not() -> None:
    shown = re.compile(r"^\$ (?:\S*/)?lodescan", re.MULTILINE)
    named = {str(page.relative_to(ROOT)).removeprefix("docs/"): page.read_text() for page in PAGES}
    pages = {page for page, text in named.items() if shown.search(text)}
    assert pages == RUN_BY.keys() | NOT_RUN.keys()
    for page, test in RUN_BY.items():
        assert page in (ROOT / f"tests/pair/test_{test}.py").read_text(), page


def test_the_proposer_accepts_its_commands_on_the_pages() -> None:
    mine = [(page, words) for page, words in shown() if words[0] == "lodescan"]
    assert len(mine) > 40 and len({page for page, _ in mine}) > 10
    for page, words in mine:
        try:
            make_parser().parse_args(words[1:])
        except SystemExit:
            pytest.fail(f"{page}: {shlex.join(words)}")


def test_the_evaluator_accepts_its_commands_on_the_pages() -> None:
    mine = [words for _, words in shown() if words[0] == "lodescan-evaluator"]
    assert len(mine) > 12
    done = subprocess.run(
        [ROOT / ".envs/evaluator/bin/python", "-c", EVALUATOR],
        input=json.dumps(mine),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-1:]
