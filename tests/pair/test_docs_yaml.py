"""Each block of YAML or JSON on a page is a scan file, or becomes one with the parts that the page leaves out."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from proposer.strategies.choice import read_settings
from scanspec import ScanFile, ScanFileError, read_scan_file
from scanspec.keys import SECTIONS
from tests.pair.processes import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples/README.md"]

NO_SCAN_FILES = {("kubernetes.md", "resources"): "a kustomization.yaml, which tests/manifests renders"}
"""Blocks that are not parts of a scan file, by page and first key, with what they are."""

VARIABLES = ["x", "a", "b", "g", "C9mu", "C10re", "C10im", "M1", "mu", "tanb"]
OBSERVABLES = ["S", "T", "U", "mdm", "sigma_si", "y", "mh", "mchi10", "mstau1"]
FILES = {"lz.csv": "1,1e-46\n1000,1e-45\n"}
"""What the fragments use from the rest of a file."""

Block = tuple[str, str, str]


def blocks() -> list[Block]:
    """The page, the kind and the text of each block, and of each observable within a sentence."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for kind, block in re.findall(r"^```(yaml|json)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            found.append((page.name, kind, block))
        found += [(page.name, "yaml", f"of_a_sentence: {span}") for span in re.findall(r"`(\{slha: [^`]*\})`", text)]
    return found


def parse(kind: str, text: str) -> dict[str, Any]:
    if kind == "json":
        return json.loads(text if text.lstrip().startswith("{") else f"{{{text}}}")
    return YAML(pure=True).load(text)


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with variables, a code, and observables, as far as they are missing."""
    if {"variables", "codes"} <= set(document):
        return document
    if not {name.lower() for name in document} & set(SECTIONS.known):
        program = {"command": "run {input}", "input_file": "in.slha", "observables": document}
        document = {"codes": {"program": program}}
    codes = document.setdefault("codes", {})
    given = {name for code in codes.values() for name in code.get("observables", ())}
    document.setdefault("variables", {name: {"range": [0.5, 2]} for name in VARIABLES if name not in given})
    rest = {name: {"mean": 1, "sigma": 1} for name in OBSERVABLES if name not in given}
    for code in codes.values():
        if "command" in code:
            code.setdefault("input_file", "in.slha")
            code.setdefault("observables", {"higgs": {"slha": ["MASS", 25]}})
        elif "observables" not in code:
            code["observables"], rest = rest, {}
    if rest:
        codes["rest"] = {"function": "rest:f", "observables": rest}
    return document


def read(folder: Path, kind: str, text: str) -> ScanFile:
    """The scan file that a block becomes. Raises ScanFileError."""
    for name, content in FILES.items():
        (folder / name).write_text(content)
    document, out = parse(kind, text), io.StringIO()
    if kind == "json":
        json.dump(complete(document), out)
    else:
        YAML(pure=True).dump(complete(document), out)
    path = folder / f"scan.{kind}"
    path.write_text(out.getvalue())
    return read_scan_file(path, also=read_settings)


def test_each_block_is_a_scan_file_or_becomes_one(tmp_path: Path) -> None:
    left_out = set()
    found = blocks()
    for page, kind, text in found:
        key = (page, next(iter(parse(kind, text))))
        if key in NO_SCAN_FILES:
            left_out.add(key)
            continue
        try:
            read(tmp_path, kind, text)
        except ScanFileError as error:
            pytest.fail(f"{page}: {error}\n{text}")
    assert left_out == set(NO_SCAN_FILES) and len(found) > 15
