"""All faults of a scan file are told at once, with file, line and key; files that are not scan files are refused."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from scanspec import ScanFileError, read_scan_file

ROOT = Path(__file__).parents[2]

BASE = """\
setup: {run_name: a, type: RANDOM}
variables:
  x: [0, 1]
codes:
  toy:
    function: toy:f
    observables:
      y: {mean: 1, sigma: 2}
"""


@pytest.fixture
def said(tmp_path):
    """Gives the lines of the message that refuses a file, without the name of the folder."""

    def said(text, name="scan.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        start = time.process_time()
        with pytest.raises(ScanFileError) as caught:
            read_scan_file(path)
        assert time.process_time() - start < 5
        message = str(caught.value)
        message.encode()  # the message can be printed
        return [line.removeprefix(f"{tmp_path}/") for line in message.split("\n")]

    return said


def test_all_faults_of_a_file_are_told_in_the_order_of_its_lines(said):
    text = """\
setup: {run_name: a, type: LOAD, points: -5, max_hours: 2h, seed: abc, sede: 1}
variables:
  x: [0, one]
  z: {rnage: [0, 1]}
codes:
  toy:
    function: toy.py:f
    timeout: -1
    observables:
      y: {mean: 1}
      w: {mean: 1, sigma: 0}
      id: {mean: 1, sigma: 1}
  prog:
    command: ./prog
    success: {exit_codes: [.inf]}
    output_file: ..
networks: {threshold_value: good}
plotting: {plots: {a: {values: [x]}}, plts: 1}
"""
    lines = said(text)
    wanted = [
        (1, "unknown key 'sede'"),
        (1, "type 'LOAD' is not a scan"),
        (1, "points is -5"),
        (1, "seed is 'abc'"),
        (1, "max_hours is '2h'"),
        (3, "a list of 2 numbers"),
        (4, "unknown key 'rnage'"),
        (7, "without .py"),
        (8, "timeout is -1"),
        (10, "mean without a sigma"),
        (11, "sigma is 0"),
        (12, "'id' is already the name of a column"),
        (15, "a list of whole numbers"),
        (16, "the name of a file"),
        (17, "threshold_value is 'good'"),
        (18, "unknown key 'plts'"),
        (18, "values is ['x'], but must be [x, y]"),
    ]
    for line, words in wanted:
        assert any(fault.startswith(f"scan.yaml, line {line}: ") and words in fault for fault in lines), (line, words)
    assert len(lines) == len(wanted), lines
    numbers = [int(re.match(r"scan.yaml, line (\d+): ", fault)[1]) for fault in lines]
    assert numbers == sorted(numbers)


def test_a_fault_causes_no_further_messages(said):
    assert len(said(BASE.replace("variables:", "variable:"))) == 1
    assert len(said(BASE.replace("mean: 1", "maen: 1"))) == 1
    assert len(said(BASE.replace("[0, 1]", "{range: }"))) == 1


def test_a_long_list_of_faults_is_cut_short(said):
    text = BASE.replace("  x: [0, 1]\n", "".join(f"  x{n}: [0, one]\n" for n in range(50)))
    lines = said(text)
    assert len(lines) == 21 and lines[-1] == "... and 30 more"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("settings.json", '{"Setup": {}, "Included_Codes": {"SPheno": {}}, "Variables": {}}', ["xBIT", "codes: NAME"]),
        ("settings.json", '{"Included_Codes": {"SPheno": {},}', ["xBIT"]),
        ("f.py", "import math\n\ndef f(point):\n    return {}\n", ["a Python file", "function: f:FUNCTION"]),
        ("f.yaml", "from math import pi\ndef f(point):\n    return {'y': 1}\n", ["a Python file"]),
        ("run.ini", "[Setup]\nname = a\n[Variables]\nm0: 1, 2\n", ["an INI file"]),
        ("run.ini", "; a comment\n[Setup]\nname=a\n", ["an INI file"]),
        ("in.slha", "Block MODSEL # model\n 1 1\nBlock MINPAR\n 1 m0 # m0\n", ["an SLHA file", "input_file: in.slha"]),
        ("in.yaml", "BLOCK MINPAR # a: b\n    1    m0   # m0\n", ["an SLHA file"]),
        ("points.csv", "x,y,NLL\n1,2,3\n", ["a table", "init_csv: points.csv"]),
        ("scan.ini", "[scan]\nScan method: multinest\nInput parameters: x, Flat, 0, 1\n", ["an INI file"]),
        ("easy.ini", "# mine\n[DEFAULT]\npoints: 100\n[Scan]\nm0: 100,1000\n", ["an INI file of xBIT or of another"]),
        ("scan.toml", 'title = "a"\n[setup]\nrun_name = "a"\n', ["a TOML file"]),
        ("a.html", "<!DOCTYPE html><html><body>404</body></html>", ["is HTML or XML"]),
        ("a.xml", '<?xml version="1.0"?>\n<scan/>', ["is HTML or XML"]),
        ("a.json", "[1, 2]", ["is a list, whose entries stand in [ ]", "write them in { }"]),
        ("a.json", '{"a": 1}{"b": 2}', ["line 1: not valid JSON (the text goes on behind the bracket"]),
        ("a.json", '{"a": "b\n"}', ["line 1: not valid JSON (a text is one line"]),
        ("a.json", '{"a": "\\q"}', ["line 1: not valid JSON (a backslash in a text is written twice"]),
        ("a.json", '{"a', ["line 1: not valid JSON (the quote that opens here is not closed"]),
        ("a.yaml", "- setup: {run_name: a}\n- variables: {x: [0, 1]}\n", ["is a list", "without the dashes"]),
        ("g.yaml", "Parameters: {CMSSM: {M0: {range: [1, 2]}}}\nScanner: {use_scanner: de}\n", ["a file of GAMBIT"]),
        ("c.yaml", "params: {a: 1}\nsampler: {mcmc: }\n", ["a file of Cobaya", "params as variables"]),
        ("card.dat", "import model MSSM\ngenerate p p > go go\n", ["a table"]),
        ("a.yaml", "# setup\n#variables:\n", ["holds nothing but comments"]),
        ("f.yaml", "import numpy as np, math\nx = 1\n", ["a Python file"]),
        ("dataset.sqlite", b"SQLite format 3\0\x10", ["a SQLite database"]),
        ("a.yaml", b"\x1f\x8b\x08\0", ["compressed by gzip"]),
        ("a.xlsx", b"PK\x03\x04\x14", ["a ZIP archive"]),
        ("a.pdf", b"%PDF-1.4\n", ["a PDF document"]),
        ("a.yaml", "setup: {}".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("a.json", "{'Setup': {}}", ["texts and keys stand in double quotes"]),
        ("a.json", '{"Setup": {"RunName": "t",},}', ["a comma stands behind the last entry"]),
        ("a.json", '{\n // a comment\n "Setup": {}}', ["line 2", "a comment, which JSON does not have"]),
        ("a.json", '{"Setup": {"csv": True}}', ["True stands without quotes"]),
        ("a.json", '{"Setup": {"csv": 1}', ["the file ends too early"]),
        ("a.json", '{"Setup": {"csv": 1 "Points": 2}}', ["is a comma or a quote missing before"]),
        ("a.yaml", "just some words", ["mapping of sections", "README"]),
        ("a.yaml", "", ["is empty", "mapping of sections"]),
        ("a.yaml", "a: 1\nb: 2\n", ["unknown key 'a'"]),
    ],
)
def test_the_message_names_the_kind_of_a_file_that_is_not_a_scan_file(said, name, text, words):
    lines = said(text, name)
    assert all(word in lines[0] for word in words), lines
    assert len(lines) == 1 or "unknown key" in lines[1]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("mean: 1", 'mean: 1, label: "$\\lambda$"', 8, ["single quotes", "'$\\lambda$'"]),
        ("mean: 1", 'mean: 1, label: "$m_\\tau$"', 8, ["'\\t' in double quotes", "single quotes"]),
        ("mean: 1", 'mean: 1, label: "$\\nu$"', 8, ["'\\n' in double quotes", "single quotes"]),
        ("mean: 1", 'mean: 1, label: "$\\beta$"', 8, ["in double quotes", "single quotes"]),
        ("  x: [0, 1]\n", "  x: [0, 1]\n    z: [0, 1]\n", 4, ["the indentation is wrong", "line 3"]),
        ("toy:f", "toy: f", 6, ["a colon stands where no key can be", "quotes"]),
        ("  x: [0, 1]\n", "  x: [0, 1]\n z: [0, 1]\n", 4, ["the indentation is wrong"]),
        ("    observables:", "   observables:", 7, ["the indentation is wrong"]),
        ("  x: [0, 1]", "\tx: [0, 1]", 3, ["a tab", "blanks"]),
        ("[0, 1]", "[0, 1", 4, ["bracket", "line 3"]),
        ("run_name: a", "run_name: 'a", None, ["quote"]),
        ("[0, 1]", "[0, 1]\nnonsense", 4, ["colon"]),
        ("mean: 1", "mean: 1_0", 8, ["mean is '1_0', but must be a number"]),
        ("mean: 1", "mean: 0x1F", 8, ["mean is '0x1F', but must be a number"]),
        ("mean: 1", "mean: 1e400", 8, ["must be a number"]),
        ("mean: 1", f"mean: {'1' * 5000}", 8, ["must be a number"]),
        ("mean: 1", "mean: 2024-02-30", 8, ["mean is '2024-02-30', but must be a number"]),
        ("mean: 1", "mean: 2024-02-20", 8, ["must be a number"]),
        ("mean: 1", "mean: !!int abc", 8, ["the tag !!int", "write the value alone"]),
        ("mean: 1", "mean: !!python/object:os.system x", 8, ["the tag !!python"]),
        ("[0, 1]", "&self {<<: *self}", 3, ["alias *self stands within what it repeats"]),
        ("[0, 1]", "&self [*self]", 3, ["alias *self"]),
        ("[0, 1]", "*nothing", 3, ["alias", "quotes"]),
        ("[0, 1]", "[" * 300 + "]" * 300, 3, ["more than 30 levels"]),
        ("[0, 1]", "{[1, 2]: 3}", 3, ["where a key should"]),
        ("mean: 1", 'mean: 1, label: "\\ud800"', 8, ["half of a character"]),
        ("mean: 1", "mean: 1, label: a\x07b", 8, ["control character '\\x07'"]),
        ("mean: 1", "mean: 1, label: a\x00b", 8, ["control character '\\x00'"]),
        ("x: [0, 1]", f"{'x' * 300}: [0, 1]", 3, ["at most 200 characters"]),
        ("x: [0, 1]", "x: {values: [" + ", ".join(map(str, range(30_000))) + "]}", 3, ["more than 10,000 values"]),
        ("x: [0, 1]", "x: {range: [0, 1], steps: 1e300}", 3, ["steps", "at most"]),
        ("run_name: a", "environment_variables: {A=B: 1}", 1, ["'A=B' cannot be the name of an environment"]),
        ("run_name: a", "environment_variables: [A, B]", 1, ["a mapping"]),
        ("toy:f", "toy", 6, ["must be module:name"]),
        ("toy:f", "sub/toy.py:f", 6, ["without .py", "function: toy:f"]),
        ("toy:f\n", "toy:f\n    invalid_when: {exit_codes: [1.5]}\n", 7, ["a list of whole numbers"]),
        ("toy:f\n", "toy:f\n    invalid_when: {stderr: '('}\n", 7, ["not a regular expression"]),
        ("toy:f\n", "toy:f\n    flags: {a: 3}\n", 7, ["[BLOCK, [indices]]"]),
        ("toy:f\n", f"toy:f\n    output_file: {'a' * 300}\n", 7, ["the name of a file"]),
        ("toy:f\n", 'toy:f\n    output_file: "a/.."\n', 7, ["the name of a file"]),
        ("toy:f\n", f"toy:f\n    input_file: {'a' * 300}\n", 7, ["the name of a file"]),
        ("run_name: a", "seed: 12345678901234567890", 1, ["seed", "at most"]),
        ("type: RANDOM", "type: LOAD", 1, ["did you mean 'LODE'?; the types are LODE,"]),
        ("type: RANDOM", "type: zzz", 1, ["type 'zzz' is not a scan that lodescan knows; the types are LODE,"]),
    ],
)
def test_hostile_and_careless_files_are_refused(said, old, new, line, words):
    assert BASE.count(old) == 1
    lines = said(BASE.replace(old, new))
    assert len(lines) == 1, lines
    assert line is None or lines[0].startswith(f"scan.yaml, line {line}: "), lines
    assert all(word in lines[0] for word in words), lines


def test_the_list_of_types_is_told_once(said):
    (line,) = said(BASE.replace("RANDOM", "zzz"))
    assert line.count("READ_CSV") == 1


def test_yaml_aliases_that_grow_without_bound_are_refused(said):
    laughs = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (line,) = said(laughs + BASE)
    assert "more than 200,000 values" in line
    config = BASE.replace("function: toy:f", "umbridge: {address: 'http://a', model: m, outputs: [y], config: {c: 1}}")
    shared = "x-shared: &s [1, 2]\n"
    assert "unknown key 'x-shared'" in said(shared + config)[0]


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_only_regular_files_are_read(tmp_path, suffix):
    path = tmp_path / f"scan.{suffix}"
    os.mkfifo(path)
    with pytest.raises(ScanFileError, match="named pipe, not a file"):
        read_scan_file(path)
    with pytest.raises(ScanFileError, match="a folder"):
        read_scan_file(tmp_path)
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ScanFileError, match="cannot be read"):
        read_scan_file(tmp_path / "loop.yaml")
    with pytest.raises(ScanFileError, match="larger than"):
        read_scan_file(Path("/dev/shm") / _large(tmp_path))
    with pytest.raises(ScanFileError, match="cannot be read"):
        read_scan_file("a\0b")


def _large(folder):
    path = folder / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    return path


def test_json_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "scan.json"
    content = (
        '{"setup": {"type": "RANDOM"}, "variables": {"a": [0, 1]}, '
        '"codes": {"c": {"function": "f:f", "observables": {"y": {"mean": 1, "sigma": 1}}}}}'
    )
    path.write_text(content, encoding="utf-8-sig")
    assert read_scan_file(path).variables[0].name == "a"
    path.write_text(content.replace('"f:f"', '"f:f", "OutputFile": ""'), encoding="utf-8-sig")
    assert read_scan_file(path).codes


@pytest.mark.parametrize("mutations", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_mutated_examples_are_read_or_refused_with_a_place(tmp_path, mutations):
    """Mutated examples, the same in each run, give only errors that name file and line, and give them quickly."""
    files = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "tests" / "data").glob("*.json")])
    texts = [(path.name, path.read_text()) for path in files]
    rng = random.Random(1)

    def late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, late)
    refused = 0
    try:
        for _ in range(mutations):
            name, text = rng.choice(texts)
            for _ in range(rng.choice([1, 1, 2, 3])):
                text = _mutated(text, rng)
            (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
            signal.setitimer(signal.ITIMER_PROF, 5.0)
            try:
                read_scan_file(tmp_path / name)
            except ScanFileError as error:
                refused += 1
                for line in str(error).split("\n"):
                    placed = re.match(rf"{re.escape(str(tmp_path / name))}(, line \d+)?: |\.\.\. and ", line)
                    assert placed, (line, text)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        signal.signal(signal.SIGPROF, before)
    assert refused > mutations / 30


_VALUES = [
    *("-1", "0", "1e400", "nan", ".inf", "[.inf]", "null", "''", "[]", "{}", "[[1]]", "{a: 1}", "2024-02-30", "µ"),
    *("1_0", "!!int abc", "*self", "&s [*s]", '"\\ud800"', "..", "1D+00", "round(12345, -10**9)", "a: b: c"),
    *("%", "range(10**30)", "`", "|", "'", '"', "#", "\t", "[MASS, [1e30]]", "[XSECTION, [1e309, 1]]", "LOAD", "GRID"),
    *("READ_CSV", "CMAES", "1e308", "5e-324", "9007199254740993", "(((((", "[[[[", "{{{{", "np.linspace(0,1,1e9)"),
]


def _mutated(text, rng):
    spots = list(re.finditer(r"(?<=[:\[,{] )[^,\]}\n{\[]+|[\[{][^\[\]{}\n]*[\]}]", text))
    keys = list(re.finditer(r"[\w \"]+(?=:)", text))
    chance = rng.random()
    if chance < 0.6 and spots:
        spot = rng.choice(spots)
        return text[: spot.start()] + rng.choice(_VALUES) + text[spot.end() :]
    if chance < 0.75 and keys:
        spot = rng.choice(keys)
        return text[: spot.start()] + rng.choice([*_VALUES, spot[0] + "x", "id", "nll"]) + text[spot.end() :]
    lines = text.split("\n")
    position = rng.randrange(len(lines))
    lines[position] = rng.choice(
        ["", " " + lines[position], lines[position][1:], lines[position] + rng.choice(_VALUES), "\t"]
    )
    return "\n".join(lines)


def test_characters_that_json_writes_as_surrogate_pairs_are_read(tmp_path):
    path = tmp_path / "scan.json"
    label = "\U0001d706, \\, \u00e9"
    content = {
        "variables": {"a": {"range": [0, 1], "label": label}},
        "codes": {"c": {"function": "f:f", "observables": {"y": {"mean": 1, "sigma": 1}}}},
    }
    path.write_text(json.dumps(content))
    assert "\\ud835" in path.read_text()
    assert read_scan_file(path).variables[0].label == label


@pytest.mark.parametrize(
    "text",
    [
        "description: >\n      folded\n      text\n\n      more\n",
        'description: "a\\nb \u00e9\u00a0c"\n',
        "label: '$\\tau$'\n",
    ],
)
def test_unusual_texts_that_are_allowed_are_read(tmp_path, text):
    path = tmp_path / "scan.yaml"
    path.write_text(BASE.replace("  x: [0, 1]\n", f"  x:\n    range: [0, 1]\n    {text}"))
    variable = read_scan_file(path).variables[0]
    assert "\a" not in variable.description and (variable.description or variable.label)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "  x: [0, 1]\n",
            "x: [0, 1]\n",
            "unknown key 'x'; variables above it is empty: is this one of its entries? indent",
        ),
        ("[0, 1]", "{min: 0}", "unknown key 'min' in variables: x; write range: [low, high]"),
        ("[0, 1]", "0 to 1", "x is '0 to 1', but must be a mapping, [low, high]"),
        ("variables:\n  x: [0, 1]", "variables: [x]", "(name: value), for example variables: {NAME: [100, 1000]}"),
        (
            "run_name: a",
            "points: 1,000",
            "'000' in setup; is it a part of the number before it? write that",
        ),
        ("codes:", "derived_variables: {a: b, b: 2*a}\ncodes:", "'b' is computed from 'a': a circle"),
        ("codes:", "derived_variables: {a: a + x}\ncodes:", "'a + x' uses 'a', which is this one itself"),
        ("codes:", "derived_variables: {a: b, b: 2*x}\ncodes:", "'b' is computed only later; move this behind it"),
    ],
)
def test_the_message_for_a_typical_mistake_shows_what_to_write(said, old, new, words):
    assert old in BASE and any(words in line for line in said(BASE.replace(old, new)))


@pytest.mark.parametrize("entry", ["125 +- 3", "[125, 3]", "125"])
def test_the_message_for_an_observable_that_is_not_a_mapping_shows_one(said, entry):
    text = BASE.replace("{mean: 1, sigma: 2}", entry)
    assert any("must be a mapping (name: value), for example {mean: 125, sigma: 3}" in line for line in said(text))
