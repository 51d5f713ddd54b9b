"""The files, targets of make, and objects of Kubernetes that the pages name exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pair.processes import ROOT

OTHERS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "examples/README.md")
PAGES = [*(ROOT / page for page in OTHERS), *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "benchmarks|docs|evaluator|examples|kubernetes|locks|proposer|proto|scanspec|tests|tools"
MANIFESTS = "\n".join(path.read_text() for path in sorted((ROOT / "kubernetes").rglob("*.yaml")))


def code(page: Path) -> Iterator[str]:
    """The blocks of code of a page, and the code within its sentences."""
    block = re.compile(r"^```.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    text = page.read_text()
    yield from block.findall(text)
    yield from re.findall(r"`([^`\n]+)`", block.sub("", text))


def commands(program: str) -> list[list[str]]:
    """The words of every command of a program on the pages."""
    shown = re.compile(rf"^(?:\$ )?({program} [^#\n]*)", re.MULTILINE)
    lines = [line for page in PAGES for text in code(page) for line in shown.findall(text)]
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_paths_on_a_page_exist(page: Path) -> None:
    path = re.compile(rf"(?<![\w/.$}}-])(?:{FOLDERS})/[\w./*-]*")
    made = set(re.findall(r">\s*(\S+)", page.read_text()))  # a command of the page writes them
    named = {name.rstrip("./") for text in code(page) for name in path.findall(text)} - made
    if page.name == "kubernetes.md":
        short = re.compile(r"(?<![\w/.-])(?:base|(?:overlays|components)/[\w-]+)(?![\w/-])")
        named |= {f"kubernetes/{name}" for text in code(page) for name in short.findall(text)}
        assert len(named) >= 10
    missing = [name for name in sorted(named) if not list(ROOT.glob(name.replace("NAME", "*")))]
    assert missing == []


def test_the_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for words in commands("make") for word in words[1:] if "=" not in word and word != "-n"}
    assert len(named) > 8 and named <= targets


def test_the_objects_of_kubernetes_exist() -> None:
    before = re.compile(r"(?:job/|-c |configmap |secret generic |patch job |delete job )([a-z-]+)")
    named = {name for words in commands("kubectl") for name in before.findall(" ".join(words))}
    assert {"lodescan", "evaluators", "proposer", "lodescan-scan", "lodescan-evaluator-tls"} <= named
    for name in named:
        assert re.search(rf"\b(?:name|secretName): {name}\b(?!-)", MANIFESTS), name


def kubectl_options(*words: str) -> set[str]:
    """The options that kubectl lists for a command, and those of all commands."""
    texts = [
        subprocess.run(["kubectl", *asked], capture_output=True, text=True, timeout=60, check=True).stdout
        for asked in ([*words, "--help"], ["options"])
    ]
    return {option for text in texts for option in re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)(?=[=, ])", text)}


@pytest.mark.slow
def test_kubectl_knows_the_options_of_its_commands() -> None:
    if shutil.which("kubectl") is None:
        pytest.fail("there is no kubectl: install it (https://kubernetes.io/docs/tasks/tools)", pytrace=False)
    shown = commands("kubectl")
    assert len(shown) > 12
    for _, command, *rest in shown:
        words = [command, *rest[: {"secret": 2, "configmap": 1}[rest[0]] if command == "create" else 0]]
        given = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert given <= kubectl_options(*words), words


def test_batch_systems_get_what_their_scripts_read() -> None:
    submitted = [words for words in commands("sbatch") if words[1].startswith("examples/")]
    assert len(submitted) == 2
    for _, script, *arguments in submitted:
        numbers = re.findall(r"\$\{?([1-9])", (ROOT / script).read_text())
        assert len(arguments) == max(map(int, numbers)), script
    (condor,) = commands("condor_submit")
    read = set(re.findall(r"\$\((\w+)\)", (ROOT / condor[1]).read_text()))
    given = {word.partition("=")[0] for word in condor[2:]}
    assert given <= read and {"scan", "pool", "pair"} <= given


def test_the_map_of_the_rooms_has_every_package_and_names_nothing_that_is_gone() -> None:
    """A subfolder is named in the row of its room."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\|(.*?)\|", page[page.index("## The rooms") : page.index("## How to add")], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w/.]+)`", row)}
    packages = {
        str(file.parent.relative_to(ROOT)) + "/"
        for side in ("proposer", "evaluator")
        for file in (ROOT / side).glob("*/__init__.py")
    }
    assert packages <= named
    assert [name for name in named if "/" in name and not (ROOT / name).exists()] == []
