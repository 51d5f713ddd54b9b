"""The JSON Schema of scan files is up to date, accepts every example, and refuses unknown keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from scanspec import read_scan_file
from scanspec.schema import schema
from tests.scanspec.schema_files import load

ROOT = Path(__file__).parents[2]
PLAIN = [path for path in sorted((ROOT / "examples").glob("*.yaml")) if "bsmart" not in path.name]


def faults(document):
    return [iter_error.message for iter_error in jsonschema.Draft202012Validator(schema()).iter_errors(document)]


def test_the_published_schema_is_up_to_date():
    published = (ROOT / "docs/scan.schema.json").read_text()
    assert published == json.dumps(schema(), indent=1) + "\n", "make schema"
    jsonschema.Draft202012Validator.check_schema(json.loads(published))


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_every_example_is_valid(path):
    assert faults(load(path.read_text())) == []


def patterns(of):
    """All regular expressions of a schema."""
    if isinstance(of, dict):
        yield from (of["pattern"],) if isinstance(of.get("pattern"), str) else ()
        yield from of.get("patternProperties", ())
    for part in of.values() if isinstance(of, dict) else of if isinstance(of, list) else ():
        yield from patterns(part)


def test_editors_can_read_its_patterns():
    """They are regular expressions of JavaScript, which with its flag u refuses an escape that is not needed."""
    found = {escaped for pattern in patterns(schema()) for escaped in re.findall(r"\\(.)", pattern)}
    assert {"s", "."} <= found <= {*r"dDwWsSbBx^$\.*+?()[]{}|/"}


TEXT = """\
setup: {type: LODE, points: 10}
variables: {x: [0, 1], y: {range: [1, 2], prior: {type: normal, mean: 1, sigma: 0.1}}, z: 5}
codes: {c: {function: 'm:f', timeout: 5, observables: {o: {mean: 1, sigma: 1}, p: }}}
networks:
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("points: 10", "pionts: 10"),
        ("type: LODE", "type: LOED"),
        ("sigma: 0.1", "sgima: 0.1"),
        ("timeout: 5", "timeout: [[[1]]], timeoot: 5"),
        ("mean: 1, sigma: 1}", "meen: 1, sigma: 1}"),
        ("networks:", "network:"),
        ("points: 10", "points: {a: 1}"),
    ],
)
def test_misspelt_keys_are_faults_in_the_schema_as_in_a_scan(tmp_path, old, new):
    assert faults(load(TEXT)) == []
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT)
    read_scan_file(path)
    assert faults(load(TEXT.replace(old, new)))
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match=r"scan\.yaml"):
        read_scan_file(path)


def test_a_kind_of_code_of_another_package_is_valid():
    text = "variables: {x: [0, 1]}\ncodes: {rows: {nearest_row: VALUE, observables: {y: {mean: 1, sigma: 1}}}}\n"
    assert faults(load(text.replace("VALUE", "{file: rows.csv}"))) == []
    assert faults(load(text.replace("VALUE", "rows.csv")))


def sections(part):
    """The keys of each section, wherever it is."""
    if isinstance(part, dict):
        if part.get("type") == "object" and "properties" in part and "additionalProperties" in part:
            yield part["properties"]
        for inner in part.values():
            yield from sections(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from sections(inner)


def test_an_editor_can_say_what_each_key_means():
    found = [keys for keys in sections(schema()) if "toy_targets" not in keys and "n_bins" not in keys]
    assert len(found) > 15
    for keys in found:
        assert [key for key, value in keys.items() if not value.get("description")] == []
    assert "good points" in schema()["properties"]["setup"]["anyOf"][0]["properties"]["points"]["description"]
