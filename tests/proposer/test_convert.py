"""`lodescan convert` writes a plain file of the same scan, and tells every change."""

import json
from pathlib import Path

import pytest

from proposer.commands.convert import converted
from proposer.commands.main import BAD_INPUT, main
from proposer.run.spectra import kept_below
from proposer.strategies.choice import read_settings
from proposer.target import Target
from scanspec import ScanFileError, read_scan_file
from scanspec.plotting import read_plotting
from scanspec.tools import needs_the_folder

DATA = Path(__file__).parent.parent / "data"
EVERYTHING = {
    "MPI": {"Size": 1},
    "Setup": {
        "RunName": "100",
        "Type": "MLScanner.MLS_DNNC",
        "Points": "50",
        "Seed": 3,
        "Cores": 4,
        "csv": "True",
        "Environment Variables": {"OMP_NUM_THREADS": "1"},
        "Skip SLHA Files": "False",
        "Max_Hours": "1e1",
    },
    "Variables": {
        "0": {"RANGE": ["200", 2500], "PRIOR": "LOG", "VARIANCE": 3, "Label": "$m_0$"},
        "ms2-mqp2": {"RANGE": [5, -5], "PRIOR": "INTERVAL"},
        "g": {"RANGE": [-5, 5], "PRIOR": {"TYPE": "GAUSS", "MEAN": "1", "SIGMA": 2}},
        "fixed": [3, 3],
    },
    "Derived Variables": {"m122": "VARIABLE[0]**2", "two": "2"},
    "Blocks": {"MINPAR": {"1": "g+1", "9": 3, "10,2": "1e3"}},
    "Fitting": {
        "Variables": {"LAM": {"RANGE": ["0", 1]}},
        "Observables": {"mh": {"TARGET": "125", "VARIANCE": 0.5}},
        "Method": "L-BFGS-B",
        "Options": {"eps": "1e-3", "disp": "False"},
    },
    "Codes": {
        "HiggsTools": {"Run": "False", "InputFile": "in.slha", "Observables": {"HB": {"SCALING": "USER"}}},
        "SPheno": {
            "Run": "True",
            "Command": "SPheno {input} {output}",
            "Timeout": "60",
            "Success": {"Exit_Codes": "any"},
            "Invalid_When": {"SPINFO": "False", "Stderr": "12"},
            "Flags": {"ok": ["FLAGS", [1]]},
            "Conditions": ["mh > 120"],
            "Observables": {
                "mh": {"SLHA": ["MASS", [25]], "MEAN": "125.2", "VARIANCE": "2", "VALID": ["-inf", "inf"], "TYPE": "x"},
                "br": {"SLHA": ["BR", [25, [5, -5]]], "SCALING": "UPPER", "RANGE": ["0.1", 0.3]},
                "c": {"SLHA": ["ALPHA", []], "SCALING": "CFUNCTION", "UPPER_BOUND": "1", "LOG_SCALING": "True"},
                "yes": {"FUNCTION": "1", "VALID": "1", "UNIT": "1"},
            },
        },
    },
    "Observables": {"late": {"FUNCTION": "mh*2"}},
    "Networks": {"Threshold_Value": "10", "Batch Size": 100, "Estimators": 3},
    "Plotting": {
        "Strategy": "csv",
        "Plots": {
            "a": {"Values": ["0", "mh"], "Labels": ["$0$", 1], "Ranges": [["0", "1e3"], [1, 2]], "Shortcuts": "x"},
            "b": {"Values": [["MASS", [25]], "yes", "Result"], "Scaling": ["LOG", "linear"], "Contours": ["1", 2]},
        },
    },
}


def meaning(scan):
    """The content of a scan file, without line numbers."""
    observables = [
        (
            observable.name,
            observable.code,
            observable.slha,
            observable.function,
            observable.valid,
            repr(observable.likelihood),
            observable.unit,
            observable.label,
        )
        for observable in scan.all_observables()
    ]
    codes = []
    for code in scan.codes:
        keys = sorted(key for key in code.section if key not in ("run", "observables"))
        values = [
            sorted((name.lower(), str(value).lower()) for name, value in code.section.raw(key).items())
            if isinstance(code.section.raw(key), dict)
            else str(code.section.raw(key)).lower()
            for key in keys
        ]
        codes.append((code.name, code.conditions, keys, values))
    numbers = ("type", "skip_slha_files", "max_hours", "keep_spectra")
    setup = {key: str(scan.setup.raw(key)) for key in scan.setup if key not in numbers}
    networks = {key: scan.networks.number(key) for key in scan.networks}
    return (
        repr(scan.variables),
        scan.derived,
        scan.blocks,
        codes,
        observables,
        scan.run_name,
        networks,
        repr(scan.fitting),
        repr(read_plotting(scan)),
        kept_below(scan, Target(10.0)),
        {**setup, "max_hours": scan.setup.number("max_hours", 0.0)},
    )


@pytest.fixture
def everything(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(EVERYTHING))
    return path


def round_trip(path, tmp_path):
    text, changes = converted(path)
    new = tmp_path / "new.yaml"
    new.write_text(text)
    assert read_scan_file(new).ignored == ()
    return new, changes


@pytest.mark.parametrize("name", ["toy3d", "camb_w0wa", "simsusy_stau"])
def test_every_example_is_converted_to_the_same_scan(tmp_path, name):
    new, changes = round_trip(DATA / f"{name}.json", tmp_path)
    old = read_scan_file(DATA / f"{name}.json")
    assert repr(read_scan_file(new).variables) == repr(old.variables)
    assert meaning(read_scan_file(new)) == meaning(old)
    assert changes[0].count(" is now ") > 10 and "left out MPI, which has no meaning here" in changes


def test_every_section_is_converted(everything, tmp_path):
    new, changes = round_trip(everything, tmp_path)
    old, scan = read_scan_file(everything), read_scan_file(new)
    assert meaning(scan) == meaning(old)
    assert scan.setup.text("type") == "MLS_DNNC" and scan.setup.boolean("skip_slha_files", True) is False
    for line in (
        "Setup: MLScanner.MLS_DNNC is now MLS_DNNC",
        "left out Setup: Cores, which has no meaning here",
        "Variables: 0: PRIOR: LOG is now log-uniform",
        "Codes: SPheno: Observables: mh: MEAN: '125.2' is now 125.2",
        "left out Run where it is true, the default",
        "left out Fitting: Options: disp, which has no meaning here",
    ):
        assert line in changes
    assert "RunName is now run_name" in changes[0]
    again, unchanged = converted(new)
    assert again == new.read_text() and unchanged == []


def test_keys_that_are_null_are_left_out(everything, tmp_path):
    setup = {"RunName": None, "Type": None, "Points": 50, "InitCSV": ""}
    everything.write_text(json.dumps(EVERYTHING | {"Setup": setup, "Networks": {"Neurons": None}, "Blocks": None}))
    new, changes = round_trip(everything, tmp_path)
    assert {"left out Setup: Type, which is empty", "left out Networks: Neurons, which is empty"} <= set(changes)
    scan, old = read_scan_file(new), read_scan_file(everything)
    assert list(scan.setup) == ["points", "init_csv"] and not list(scan.networks)
    assert (repr(scan.variables), scan.blocks) == (repr(old.variables), old.blocks)


@pytest.mark.parametrize(("given", "plain"), [("True", "valid"), ("1", "valid"), (0, "none"), ("False", "none")])
def test_settings_of_kept_spectra_become_one_word(everything, tmp_path, given, plain):
    everything.write_text(json.dumps(EVERYTHING | {"Setup": {"StoreAllPoints": given}}))
    new, changes = round_trip(everything, tmp_path)
    scan, old = read_scan_file(new), read_scan_file(everything)
    assert scan.setup.raw("keep_spectra") == plain
    assert kept_below(scan, Target(10.0)) == kept_below(old, Target(10.0))
    assert f"Setup: keep_spectra is {plain}" in changes


def test_kinds_of_variables_and_other_types_are_converted(tmp_path):
    """A grid written in Python becomes the range that was read."""
    old = tmp_path / "old.json"
    variables = {
        "a": "np.geomspace(1, 1000, 4)",
        "b": "np.linspace(5, 1, 3)",
        "c": "4.5",
        "d": {"RANGE": [0, 3], "TYPE": "INTEGER"},
        "e": {"RANGE": [0, 6.25], "PERIODIC": "True", "STEPS": "5"},
        "f": {"VALUES": ["2", 1]},
        "g": "np.array([3, 1.5])",
        "h": "range(2, 6)",
        "i": "range(0, 9, 4)",
        "j": "[4]",
        "k": {"RANGE": [1, 9], "PRIOR": "SYMLOG", "steps": 4},
        "l": {"RANGE": ["30", 180], "PRIOR": "SIN", "steps": 4},
        "m": {"RANGE": [30, 180], "PRIOR": {"TYPE": "Sin", "LOW": 60}, "steps": 4},
    }
    codes = {"c": {"Function": "m:f", "Observables": {"y": {"MEAN": 1, "VARIANCE": 1}}}}
    old.write_text(json.dumps({"Setup": {"Type": "Grid"}, "Variables": variables, "Codes": codes}))
    text, changes = converted(old)
    new = tmp_path / "new.yaml"
    new.write_text(text)
    scan = read_scan_file(new)
    assert repr(scan.variables) == repr(read_scan_file(old).variables)
    assert scan.setup.text("type") == "GRID"
    assert "np." not in text
    assert "Setup: Grid is now GRID" in changes
    assert "Variables: a: 'np.geomspace(1, 1000, 4)' is now a range with steps" in changes
    assert "Variables: g: 'np.array([3, 1.5])' is now a choice among values" in changes
    assert "Variables: k: PRIOR: SYMLOG is now symmetric-log" in changes
    assert "Variables: l: the range of SIN, in degrees, is now in radians" in changes
    assert "Variables: h: 'range(2, 6)' is now a range of whole numbers" in changes
    assert "Variables: j: '[4]' is now a range" in changes


def test_the_command_prints_the_plain_file_and_the_changes(everything, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest keeps its own handlers
    assert main(["convert", str(everything)]) == 0
    done = capsys.readouterr()
    assert done.out.startswith("setup:\n  run_name: '100'\n")
    assert "VARIANCE is now sigma" in done.err
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ScanFileError):
        converted(tmp_path / "bad.json")
    assert main(["convert", str(tmp_path / "bad.json")]) == BAD_INPUT


def test_the_file_keeps_signs_that_a_terminal_would_not_show(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    path.write_text(
        "setup: {type: RANDOM}\nvariables: {x: {range: [0, 1], label: 'm\u00a0\u200d\ue000'}}\n"
        "codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}\n"
    )
    assert main(["convert", str(path)]) == 0
    (tmp_path / "new.yaml").write_text(capsys.readouterr().out)
    labels = [read_scan_file(file).document["variables"]["x"]["label"] for file in (path, tmp_path / "new.yaml")]
    assert labels == ["m\u00a0\u200d\ue000"] * 2


@pytest.mark.parametrize("code", ["resummino", "mytool"])
def test_a_tool_that_lodescan_lacks_does_not_become_a_program_of_that_name(everything, tmp_path, code):
    """In the plain spelling, `command` would run that program."""
    (tmp_path / "Tools").mkdir()
    (tmp_path / "Tools" / "mytool.py").write_text("class NewTool(HepTool):\n    pass\n")
    content = json.loads(everything.read_text())
    content["Codes"][code] = {"Command": "echo", "Observables": {}}
    everything.write_text(json.dumps(content))
    with pytest.raises(ScanFileError, match=f"'{code}' is a tool of .*`Profile: none` makes it a program"):
        converted(everything)
    content["Codes"][code]["Profile"] = "none"
    everything.write_text(json.dumps(content))
    assert "    profile: none\n" in converted(everything)[0]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({}, "command: ./hb.sh {folder}/"),
        ({"Options": "LandH effC 3 1"}, "options: LandH effC 3 1"),
        ({"Options": "LandH SLHA 3 1"}, "options: LandH SLHA 3 1"),
        ({"Neutral Higgs": 3, "Charged Higgs": "1"}, "neutral_higgs: 3"),
    ],
)
def test_higgsbounds_is_called_in_the_same_way(everything, tmp_path, given, plain):
    content = json.loads(everything.read_text())
    observables = {"r": {"SLHA": ["HIGGSBOUNDS", [101]]}}
    content["Codes"]["HiggsBounds"] = {"Command": "./hb.sh", **given, "Observables": observables}
    everything.write_text(json.dumps(content))
    text, _ = converted(everything)
    assert plain in text
    (tmp_path / "new.yaml").write_text(text)
    before, after = (read_scan_file(path).codes[-1].section for path in (everything, tmp_path / "new.yaml"))
    assert needs_the_folder(before) == needs_the_folder(after) == ("SLHA" not in str(given))


def test_defaults_of_bsmarts_cmaes_are_written_down(tmp_path):
    old = {
        "Setup": {"RunName": "r", "Type": "CMAES", "CMAESNoveltyDetection": "False"},
        "Variables": {"x": [0, 1]},
        "Codes": {"c": {"Function": "m:f", "Observables": {"y": {"MEAN": 1, "VARIANCE": 1}}}},
    }
    (tmp_path / "old.json").write_text(json.dumps(old))
    text, said = converted(tmp_path / "old.json")
    assert "  points: 10000\n  max_evaluations: 10000\n" in text
    assert any("points of CMAES are evaluations" in line for line in said)
    old["Setup"] |= {"Type": "CMAES_ND", "CMAESFocus": {"Variables": ["x"]}}  # type: ignore[operator]
    (tmp_path / "old.json").write_text(json.dumps(old))
    text, _ = converted(tmp_path / "old.json")
    assert "  type: CMAES_ND\n" in text and "  generations: 100\n" in text and "points" not in text
    (tmp_path / "new.yaml").write_text(text)
    before, after = (read_settings(read_scan_file(tmp_path / name)) for name in ("old.json", "new.yaml"))
    assert before == after


def test_points_of_bsmarts_random_become_evaluations(tmp_path):
    old = {
        "Setup": {"RunName": "r", "Type": "Random", "Points": 30},
        "Variables": {"x": [0, 1]},
        "Codes": {"toy_targets": {"Observables": {"Himmelblau": {"SCALING": "OFF"}}}},
    }
    (tmp_path / "old.json").write_text(json.dumps(old))
    text, said = converted(tmp_path / "old.json")
    assert "  type: RANDOM\n  points: 30\n  max_evaluations: 30\n" in text
    assert any("max_evaluations is 30" in line for line in said)
