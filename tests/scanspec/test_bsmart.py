"""The translation of BSMArt's spelling into the plain one: line numbers are kept, and messages name the user's own
words.
"""

import json
import re

import pytest

from scanspec import ScanFileError, read_scan_file

CODE = {"Function": "m:f", "Observables": {"y": {"MEAN": 1, "VARIANCE": 2}}}
FILE = {"Setup": {"RunName": "a"}, "Variables": {"x": {"RANGE": [0, 1]}}, "Codes": {"c": CODE}}


@pytest.fixture
def read(tmp_path):
    def read(**sections):
        path = tmp_path / "old.json"
        path.write_text(
            json.dumps({key.replace("_", " "): value for key, value in (FILE | sections).items()}, indent=1)
        )
        return read_scan_file(path)

    return read


def plain(scan):
    return json.loads(json.dumps(scan.document))


def test_the_translation_leaves_only_the_plain_spelling(read):
    scan = read(
        Setup={"RunName": "a", "Type": "Random", "Points": "20", "StoreAllPoints": "True", "Cores": 4},
        Variables={"x": {"RANGE": ["0", 1], "PRIOR": "LINEAR"}, "g": "np.linspace(0,1,3)"},
        Networks={"Threshold_Value": "3", "Verbose": "False"},
    )
    assert plain(scan) == {
        "setup": {"run_name": "a", "type": "RANDOM", "points": 20, "keep_spectra": "valid", "max_evaluations": 20},
        "variables": {"x": {"range": [0, 1], "prior": "uniform"}, "g": {"range": [0.0, 1.0], "steps": 3}},
        "codes": {"c": {"function": "m:f", "observables": {"y": {"mean": 1, "sigma": 2}}}},
        "networks": {"threshold_value": 3, "verbose": False},
    }
    assert scan.ignored == ("Setup: Cores",)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"Setup": {"Points": "many"}}, "Setup: Points is 'many', but must be a whole number"),
        ({"Setup": {"CMAESSigma": 3, "Type": "CMAES"}}, "Setup: CMAESSigma is 3, but must be"),
        ({"Setup": {"Type": "Random", "Points": -1}}, "Setup: Points is -1, but must be at least 1"),
        ({"Variables": {"x": {"RANGE": [0]}}}, "Variables: x: RANGE is [0], but must be a list of 2 numbers"),
        ({"Networks": {"Kinitial": 0}, "Setup": {"Type": "MLScanner.MLS_DNNC"}}, "Networks: Kinitial is 0"),
        ({"Codes": {"c": CODE | {"Timeout": "long"}}}, "Codes: c: Timeout is 'long'"),
        ({"Codes": {"c": CODE | {"Append": "perhaps"}}}, "Codes: c: Append is 'perhaps', but must be true or false"),
        ({"Plotting": {"Plot": {}}}, "unknown key 'Plot' in Plotting; did you mean 'plots'?"),
        ({"Setup": {"CMAESEpisode": 1}}, "unknown key 'CMAESEpisode' in Setup; did you mean 'CMAESEpisodes'?"),
        ({"Setup": {"PointsToFind": 1}}, "unknown key 'PointsToFind' in Setup"),
        (
            {"Variables": {"x": {"RANGE": [0, 1], "PRIOR": "LOGG"}}},
            "'LOGG' is not a prior that lodescan knows; did you mean",
        ),
    ],
)
def test_messages_name_the_users_own_words_and_lines(read, tmp_path, sections, words):
    with pytest.raises(ScanFileError) as caught:
        read(**sections)
    message = str(caught.value)
    line = int(re.search(r"old\.json, line (\d+): ", message)[1])
    assert words in message
    assert re.search(r"'(\w+)'|: (\w+) is ", words)[0].strip("': is") in lines(tmp_path)[line - 1]


def lines(folder):
    return (folder / "old.json").read_text().splitlines()


def test_the_message_for_an_unknown_key_lists_only_plain_spellings(read):
    with pytest.raises(ScanFileError) as caught:
        read(Setup={"qqq": 1})
    message = str(caught.value)
    assert "; known are: " in message and "run_name" in message
    assert "RunName" not in message and "CMAES" not in message and len(message) < 800


def test_the_template_goes_to_the_code_that_fills_it_in(read):
    observables = {"y": {"SLHA": ["MASS", [25]], "MEAN": 1, "VARIANCE": 2}}
    codes = {
        "Vevacious": {"Run": "False", "InputFile": "in.slha"},
        "first": {"Command": "./a", "Profile": "none", "Observables": observables},
        "later": {"Command": "./b", "Profile": "none", "InputFile": "in.slha"},
        "other": {"Command": "./c", "Profile": "none", "InputFile": "spc"},
        "tool": CODE | {"InputFile": "in.slha", "OutputFile": "x", "Observables": {}},
    }
    scan = read(Codes=codes)
    first, later, other, tool = (code.section for code in scan.codes)
    assert first.raw("input_file") == "in.slha"
    assert "input_file" not in later and later.raw("input_name") == "in.slha"
    assert other.raw("input_file") == "spc" and "input_name" not in other
    assert list(tool) == ["function", "observables"]
    assert scan.ignored == ("Codes: tool: InputFile", "Codes: tool: OutputFile")


@pytest.mark.parametrize("command", ["./hb", "./hb {input} x"])
def test_options_of_higgsbounds_stay_in_its_call(read, command):
    observables = {"y": {"SLHA": ["HIGGSBOUNDS", [101]], "MEAN": 1, "VARIANCE": 2}}
    code = {"Command": command, "InputFile": "in.slha", "Options": "LandH 3 1", "Observables": observables}
    (found,) = read(Codes={"HiggsBounds": code}).codes
    if "{" in command:
        assert found.section.raw("command") == command
    else:
        assert found.section.raw("command") == "./hb LandH 3 1 {folder}/" and "options" not in found.section


def test_names_of_columns_may_be_a_list(read, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,5\n")
    scan = read(Setup={"Type": "read_csv", "Input_CSV_File": "rows.csv"}, Variables=["b", "a"])
    assert [(variable.name, variable.low, variable.high) for variable in scan.variables] == [
        ("b", 2.0, 5.0),
        ("a", 1.0, 3.0),
    ]


@pytest.mark.parametrize("word", ["infty", "+infty", "-infty", "inf", "+infinity"])
def test_infinities_are_read_as_bsmart_writes_them(read, word):
    window = read(Codes={"c": CODE | {"Observables": {"y": {"MEAN": 1, "VARIANCE": 2, "VALID": [0, word]}}}})
    assert float("inf") in map(abs, window.all_observables()[0].valid)


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ({"Type": "Random", "Points": 5}, ["points are evaluations, as for BSMArt's Random; with `type: RANDOM`"]),
        ({"Type": "CMAES"}, ["points are evaluations, as for BSMArt's CMAES; .* the file gives none: 10,000 holds"]),
        ({"Type": "CMAES_ND"}, ["the file gives no CMAESMaxGenerations: 100 holds, as in BSMArt"]),
        ({"type": "CMAES_ND"}, []),
        ({"type": "CMAES", "points": 5}, []),
    ],
)
def test_side_effects_of_bsmarts_settings_are_noted(read, setup, said):
    notes = read(Setup=setup).notes
    assert len(notes) == len(said) and all(map(re.search, said, notes))
