"""How scan files in YAML and JSON are read: line numbers, duplicate keys, types of values."""

import math

import pytest

from scanspec import ScanFileError, read_scan_file

YAML = """\
setup:
  run_name: tiny
variables:
  m0: {range: [0, 10]}
codes:
  toy:
    function: toy:f
    observables:
      x: {mean: 1, sigma: 2}
"""

JSON = """\
{
  "Setup": {"RunName": "tiny", "Type": "MLScanner.MLS_DNNC"},
  "Variables": {"m0": {"RANGE": [0, 10]}},
  "Codes": {
    "toy": {"Run": "True", "Function": "toy:f",
      "Observables": {"x": {"SCALING": "GAUSS", "MEAN": 1, "VARIANCE": 2}}
    }
  }
}
"""


@pytest.fixture
def read(tmp_path):
    def read(text, name="scan.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_scan_file(path)

    return read


@pytest.fixture
def fault(read, tmp_path):
    """The message with which a file is refused, without its folder."""

    def fault(text, name="scan.yaml"):
        with pytest.raises(ScanFileError) as caught:
            read(text, name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name))
        assert "\n" not in message
        return message.removeprefix(f"{tmp_path}/")

    return fault


def replaced(text, old, new):
    assert text.count(old) == 1
    return text.replace(old, new)


def test_yaml_and_json_are_read_alike(read):
    yaml, json = read(YAML), read(JSON, "scan.json")
    for scan in (yaml, json):
        assert scan.run_name == "tiny"
        assert [(variable.name, variable.low, variable.high) for variable in scan.variables] == [("m0", 0.0, 10.0)]
        assert [observable.name for observable in scan.all_observables()] == ["x"]
    assert yaml.all_observables()[0].likelihood == json.all_observables()[0].likelihood


def test_json_may_be_indented_by_tabs(read):
    assert read(JSON.replace("  ", "\t"), "scan.json").run_name == "tiny"


@pytest.mark.parametrize(
    ("text", "name", "line", "words"),
    [
        (replaced(YAML, "run_name", "runname"), "a.yaml", 2, ["'runname' in setup", "did you mean 'RunName'"]),
        (replaced(YAML, "variables:", "variable:"), "a.yaml", 3, ["unknown key 'variable'", "'variables'"]),
        (replaced(YAML, "sigma: 2", "sgima: 2"), "a.yaml", 9, ["'sgima'", "codes: toy: observables: x", "'sigma'"]),
        (replaced(JSON, '"VARIANCE"', '"VARIANZ"'), "a.json", 6, ["'VARIANZ'", "'VARIANCE'"]),
        (replaced(JSON, '"RunName"', '"runName"'), "a.json", 2, ["'runName'", "'RunName'"]),
        # BSMArt silently reads the last of two equal keys
        (YAML + "setup:\n  run_name: again\n", "a.yaml", 10, ["duplicate key"]),
        (replaced(YAML, "  m0: {range: [0, 10]}\n", "  m0: [0, 1]\n  m0: [0, 2]\n"), "a.yaml", 5, ["duplicate key"]),
        (replaced(JSON, '"MEAN": 1,', '"MEAN": 1, "MEAN": 3,'), "a.json", 6, ["duplicate key"]),
        (replaced(YAML, "{mean: 1,", "{mean: 1, MEAN: 1,"), "a.yaml", 9, ["'MEAN'", "'mean'", "same key"]),
        (replaced(YAML, "[0, 10]", "[0, ten]"), "a.yaml", 4, ["list of 2 numbers"]),
        (replaced(YAML, "[0, 10]", "[0, 10, 20]"), "a.yaml", 4, ["list of 2 numbers"]),
        (replaced(YAML, "[0, 10]", "7"), "a.yaml", 4, ["is 7", "list of 2 numbers"]),
        (replaced(YAML, "[0, 10]", "[0, .nan]"), "a.yaml", 4, ["list of 2 numbers"]),
        (replaced(YAML, "mean: 1", "mean: .nan"), "a.yaml", 9, ["nan", "must be a number"]),
        (replaced(YAML, "mean: 1", "mean: 'NaN'"), "a.yaml", 9, ["must be a number"]),
        (replaced(YAML, "mean: 1", "mean: true"), "a.yaml", 9, ["must be a number"]),
        (replaced(YAML, "mean: 1", f"mean: {10**400}"), "a.yaml", 9, ["must be a number"]),
        (replaced(YAML, "run_name: tiny", "run_name: [tiny]"), "a.yaml", 2, ["must be text"]),
        (replaced(YAML, "toy:f\n", "toy:f\n    run: maybe\n"), "a.yaml", 8, ["true or false"]),
        (replaced(YAML, "  run_name: tiny", "  - tiny"), "a.yaml", 1, ["setup", "mapping"]),
        (replaced(YAML, "  m0: {range: [0, 10]}", "\tm0: {range: [0, 10]}"), "a.yaml", 4, []),
        (replaced(JSON, '"VARIANCE": 2', '"VARIANCE": 2,'), "a.json", 6, ["JSON"]),
        (replaced(JSON, '"MEAN": 1', '"MEAN": NaN'), "a.json", 6, ["NaN is not JSON"]),
        (replaced(JSON, '"tiny"', '"NaN\\" Infinity"').replace("[0, 10]", "[0, Infinity]"), "a.json", 3, ["Infinity"]),
    ],
)
def test_a_fault_is_told_with_its_line(fault, text, name, line, words):
    message = fault(text, name)
    assert message.startswith(f"{name}, line {line}: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("run_name: tiny", "run_name:", 2, "setup: run_name"),
        ("run_name: tiny", "run_name: tiny\n  type: # LODE", 3, "setup: type"),
        ("run_name: tiny", "run_name: tiny\n  Points: ~", 3, "setup: Points"),
        ("{range: [0, 10]}", "{range: }", 4, "variables: m0: range"),
        ("function: toy:f", "function:", 7, "codes: toy: function"),
        ("mean: 1", "mean: ", 9, "codes: toy: observables: x: mean"),
        ("codes:", "networks:\n  threshold_value:\ncodes:", 6, "networks: threshold_value"),
    ],
)
def test_a_forgotten_value_is_refused(fault, old, new, line, key):
    wanted = f"scan.yaml, line {line}: {key} is empty; give it a value, or leave the line out"
    assert fault(replaced(YAML, old, new)) == wanted


def test_sections_that_may_be_empty(read):
    assert read(YAML + "      y:\n      z: {}\nderived_variables:\nnetworks: # none\n").run_name == "tiny"
    assert read(replaced(YAML, "mean: 1", "unit: , label: , mean: 1")).run_name == "tiny"
    assert read(replaced(YAML, "    function", "    conditions:\n    function")).run_name == "tiny"
    scan = read(replaced(JSON, '"RunName": "tiny"', '"RunName": null, "Seed": null, "InitCSV": ""'), "scan.json")
    assert scan.run_name == "scan"


@pytest.mark.parametrize("text", ["", "[1, 2]", "just words", "# a comment\n"])
def test_a_file_that_is_not_a_mapping_is_refused(fault, text):
    assert "mapping of sections" in fault(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ScanFileError, match="No such file"):
        read_scan_file(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("setup: {run_name: M\xfcnchen}".encode("latin-1"))
    with pytest.raises(ScanFileError, match="not UTF-8"):
        read_scan_file(tmp_path / "latin.yaml")


def test_yaml_tags_make_no_python_objects(fault):
    assert fault(replaced(YAML, "run_name: tiny", "run_name: !!python/object/apply:os.system [echo]"))


@pytest.mark.parametrize("word", ["True", "true", "TRUE", "1", "yes", '"True"', '"true"', "'1'"])
def test_true_is_read_in_any_spelling(read, word):
    assert len(read(replaced(YAML, "function: toy:f", f"function: toy:f\n    run: {word}")).codes) == 1


@pytest.mark.parametrize("word", ["False", "false", "FALSE", "0", "no", '"False"', "'0'"])
def test_false_is_read_in_any_spelling(fault, word):
    assert "no code runs" in fault(replaced(YAML, "function: toy:f", f"function: toy:f\n    run: {word}"))


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e3", 1000.0),
        ("'1e3'", 1000.0),
        ("'  7 '", 7.0),
        ("-.5", -0.5),
        ("1E-2", 0.01),
        ("'+2.5E+01'", 25.0),
        ("12", 12.0),
    ],
)
def test_numbers_may_be_strings(read, word, value):
    assert read(replaced(YAML, "mean: 1", f"mean: {word}")).all_observables()[0].likelihood.mean == value


@pytest.mark.parametrize("word", ["inf", '"inf"', "'infinity'", ".inf", "'Inf'"])
def test_infinities_may_be_text(read, word):
    scan = read(replaced(YAML, "{mean: 1,", f"{{valid: [-3, {word}], mean: 1,"))
    assert scan.all_observables()[0].valid == (-3.0, math.inf)


def test_names_and_texts_are_taken_as_written(read):
    variables = "1e3: {range: [0, 1], unit: 007}\n  010: [0, 2]"
    text = replaced(replaced(YAML, "tiny", "1.10"), "m0: {range: [0, 10]}", variables)
    scan = read(text)
    assert scan.run_name == "1.10"
    assert [(variable.name, variable.unit) for variable in scan.variables] == [("1e3", "007"), ("010", "")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%YAML 1.1\n---\n" + YAML, ["line 1", "YAML 1.2"]),
        (YAML.replace("[0, 10]", "[&low 0, 1]}\n  m1: {range: [&low 3, *low]"), ["line 5", "&low is there twice"]),
        (YAML.replace("m0: {range", "m0:{range"), ["line 4", "a blank is missing behind a colon"]),
        (YAML.replace("range: [0", "range:[0"), ["line 4", "a blank is missing behind a colon"]),
        (YAML.replace("[0, 10]", "[- 5, 10]"), ["line 4", "needs quotes"]),
        (YAML.replace("sigma: 2}", "sigma: 2, unit: !GeV}"), ["line 9", "needs quotes"]),
        (YAML.replace("  m0:", '  " m0":'), ["line 4", "must not begin or end with a blank"]),
        (YAML.replace("mean: 1, sigma: 2", "function: max(m0, 2)"), ["line 9", "a text with a comma needs quotes"]),
    ],
)
def test_values_that_yaml_would_read_as_something_else_are_refused(fault, text, words):
    message = fault(text)
    assert all(word in message for word in words)
