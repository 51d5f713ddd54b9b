"""Every section and spelling of BSMArt's files, as its users write them: strict JSON with BSMArt's keys."""

import math

import pytest

from evaluator.chain import Chain, Status
from evaluator.codes.programs import Command
from evaluator.errors import ConfigurationError
from scanspec import ScanFileError
from tests.evaluator.bsmart_scans import OBS, SPHENO, TEMPLATE


def test_templates_may_use_expressions_and_derived_variables(point):
    outcome, found = point(
        {f"{OBS}{n}": {"SLHA": ["readback", [n]]} for n in (3, 4, 21)}
        | {
            f"{OBS}5": {"SLHA": ["READBACK2", [5]]},
            f"{OBS}two": {"FUNCTION": "half/musq + math.sqrt(abs(mode))"},
        }
    )
    assert outcome.status is Status.OK
    assert [found[key] for key in ("3", "4", "21", "5", "two")] == [2.5, 100.0, 4e4, 200.0, 1.5]
    assert (found["musq"], found["half"]) == (4e4, 2e4)  # both are computed, stored, and columns of the results


def test_blocks_of_the_file_override_and_add_entries(point):
    changes = {"Blocks": {"minpar": {"3": "musq+VARIABLE[0]", "9": 3, "10,2": "7.5"}, "NEW": {"1": "mode"}}}
    changes |= {f"{OBS}a{n}": {"SLHA": ["READBACK", index]} for n, index in enumerate(([3], [9], [10, 2], [21]))}
    outcome, found = point(changes | {f"{OBS}new": {"SLHA": ["NEW", [1]]}})
    assert outcome.status is Status.OK
    assert [found[f"a{n}"] for n in range(4)] + [found["new"]] == [40001.0, 3.0, 7.5, 4e4, 1.0]


@pytest.mark.parametrize(
    ("slha", "value"),
    [
        (["mass", [25]], 125.0),
        (["ALPHA", []], -0.11),
        (["WIDTH", 25], 4.1e-3),
        (["WIDTH", [25]], 4.1e-3),  # 0.0 in BSMArt
        (["BR", [25, [-5, 5]]], 0.58),
        (["WIDTH1L", 25], 4.2e-3),
        (["BR1L", [25, [5, -5]]], 0.55),
        (["XSECTION", [13000, 2212, 2212, 1000022, 1000024]], 0.025),
        (["PROCESS", ["ATLAS_1", "XS"]], 1.5),
    ],
)
def test_slha_observables_are_read_from_the_spectrum(point, slha, value):
    outcome, found = point({f"{OBS}x": {"SLHA": slha}})
    assert outcome.status is Status.OK and found["x"] == value


@pytest.mark.parametrize("where", [OBS, "Observables/"])
@pytest.mark.parametrize(
    "slha",
    [
        ["MASS", [99]],
        ["HMIX", [1]],
        ["WIDTH", 6],
        ["SPINFO", [1]],
        ["XSECTION", [13000, 2212, 2212, 6]],
        ["PROCESS", ["ATLAS_1", "EVENTS"]],
    ],
)
def test_a_missing_entry_is_never_zero(point, where, slha):
    outcome, found = point({f"{where}x": {"SLHA": slha}})
    assert outcome.status is Status.FAILED and math.isnan(found["x"]) and found["mh"] == 125.0


@pytest.mark.parametrize("where", [OBS, "Observables/"])
@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"SLHA": ["MASS", [25]], "VALID": [100, "inf"]}, Status.OK),
        ({"SLHA": ["MASS", [25]], "VALID": [125]}, Status.OK),  # one entry: equal
        ({"SLHA": ["MASS", [25]], "VALID": ["-infinity", 100]}, Status.INVALID),
        ({"SLHA": ["MASS", [25]], "VALID": [130, 128]}, Status.INVALID),
        ({"SLHA": ["MASS", [36]], "VALID": ["-inf", "inf"]}, Status.INVALID),  # NaN passes in BSMArt
        ({"FUNCTION": "abs(mh) - 125", "VALID": [0, 0]}, Status.OK),
        ({"SLHA": ["MASS", [36]]}, Status.OK),
    ],
)
def test_a_window_decides_whether_a_point_is_valid(point, where, settings, status):
    # a name with blanks, and a name that looks like an expression
    assert point({f"{where}g-2 of the muon": settings})[0].status is status


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (["mh > 120", "half < musq"], Status.OK),
        (["mh > 120", "mode == 2"], Status.INVALID),
        (["mA > 0"], Status.INVALID),  # NaN
    ],
)
def test_a_condition_decides_whether_a_point_is_valid(point, conditions, status):
    changes = {"Codes/SPheno/Conditions": conditions, f"{OBS}mA": {"SLHA": ["MASS", [36]]}}
    outcome, _ = point(changes)
    assert outcome.status is status
    if status is Status.INVALID:
        assert f"the condition {conditions[-1]} does not hold" in outcome.message


def test_a_chain_in_bsmarts_spelling_runs(point, tmp_path):
    """The first code has the template, although it does not run. Tools get their profiles by their names."""
    (tmp_path / "spheno").write_text(SPHENO.replace("Block ALPHA", " 1000023 1\nBlock ALPHA"))
    codes = {
        "Codes/HackAnalysis": {"Run": "False", "InputFile": "in.slha", "Observables": {}},
        "Codes/FlexibleSUSY": {
            "Run": "True",
            "Command": f"{tmp_path}/flexiblesusy.sh",
            "Observables": {"mh0": {"SLHA": ["MASS", [25]]}},
        },
        "Codes/MicrOmegas": {
            "Run": "True",
            "Command": "./dark.sh",
            "InputFile": "spc",
            "OutputFile": "omg.out",
            "LSP": [1000022],
            "Cross-sections": "True",
            "Observables": {"omega": {"SLHA": ["DARKMATTER", [1]]}},
        },
        "Codes/HiggsBounds": {
            "Run": "True",
            "Command": "./higgsbounds.sh",
            "Options": "LandH SLHA 3 1",
            "Observables": {"HBresult": {"SLHA": ["HiggsBoundsResults", [1, 2]], "VALID": [1]}},
        },
        "Codes/SPheno/InputFile": "again.slha",
    }
    order = ["HackAnalysis", "FlexibleSUSY", "SPheno", "MicrOmegas", "HiggsBounds"]
    outcome, found = point(codes, order=order)
    assert (outcome.status, outcome.message) == (Status.OK, "")
    assert (found["mh0"], found["mh"], found["omega"], found["HBresult"]) == (125.0, 125.0, 0.12, 1.0)
    assert outcome.warnings == ["SPINFO 3: warning: large scale"] and (tmp_path / "scratch" / "spc").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Variables/mus": {"RANGE": [0, 1]}, "Variables/mu": None}, ["in.slha, line 6", "'mu'"]),
        (
            {"Codes/HiggsTools": {"Run": "True", "HiggsBounds Dataset": "x", "Observables": {}}},
            ["'HiggsTools' is a tool of BSMArt", "docs/bsmart.md"],
        ),
        ({"Codes/mytool": {"Run": "True", "Observables": {}}}, ["'mytool' is a tool of your own (Tools/mytool.py)"]),
        ({"Codes/mytool": {"Command": "echo"}}, ["'mytool' is a tool of your own (Tools/mytool.py)"]),
        (
            {"Codes/resummino": {"Command": "cp", "Observables": {}}},
            ["'resummino' is a tool of BSMArt that lodescan does not contain; `Profile: none` makes it a program"],
        ),
        ({"Blocks/MINPAR/1": "muu"}, ["old.json, line ", "'muu'", "did you mean 'mu'"]),
        ({"Blocks": {"DECAY": {"25": 1}}}, ["a DECAY table is not a block"]),
        (
            {"Codes/off": {"Run": "False", "Observables": {"dark": {}}}, f"{OBS}f": {"FUNCTION": "dark"}},
            ["'dark' belongs to a code that does not run"],
        ),
        (
            {"Codes/off": {"Run": "False", "Observables": {"dark": {}}}, "Codes/SPheno/Conditions": ["dark > 0"]},
            ["'dark', which belongs to a code that does not run"],
        ),
        ({"Codes/SPheno/Command": "$HOME/spheno"}, ["'$' in", "needs a shell"]),
        ({"Codes/SPheno/Command": "spheno *.dat"}, ["'*' in", "needs a shell"]),
        ({"Codes/SPheno/Command": "cp {input} {output}; true"}, ["';' in", "needs a shell"]),
        ({"Codes/SPheno/Command": "spheno 2>err"}, ["'2>' in", "needs a shell"]),
        ({"Codes/SPheno/Command": "LIB=1 spheno"}, ["environment_variables in setup"]),
        ({"Codes/misspelt": {"Run": "True", "Observables": {}}}, ["'misspelt'", "neither function nor command"]),
        ({"Codes/SPheno/Command": "./sphen"}, ["the program './sphen' does not exist: there is no file "]),
        ({"Codes/SPheno/Conditions": ["mhh > 120"]}, ["'mhh'", "did you mean 'mh'"]),
        ({f"{OBS}f": {"FUNCTION": "cosh(mm)"}}, ["'mm'"]),
        (
            {"Fitting": {"Variables": {"z": {"RANGE": [0, 1]}}, "Observables": {"mh": {"TARGET": 125, "VARIANCE": 1}}}},
            ["needs scipy", "'.[fitting]'"],
        ),
    ],
)
def test_the_message_for_a_fault_names_it(bsmart, tmp_path, changes, words):
    (tmp_path / "Tools").mkdir()
    (tmp_path / "Tools" / "mytool.py").write_text("class NewTool(HepTool):\n    pass\n")
    changes = {key: value if value is not None else {"RANGE": [1, 2]} for key, value in changes.items()}
    if "Variables/mus" in changes:
        (tmp_path / "in.slha").write_text(TEMPLATE.replace("mu**2", "mu_**2"))
        words = [word.replace("'mu'", "'mu_'") for word in words]
    with pytest.raises((ConfigurationError, ScanFileError)) as caught:
        Chain(bsmart(changes))
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_in_the_plain_spelling_every_command_is_a_program(bsmart):
    scan = bsmart({"Codes/resummino": {"command": "cp", "Observables": {}}})
    assert [code.name for code in scan.codes] == ["SPheno", "resummino"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Variables/mu": "np.linspace(0,1,len('xx'))"}, ["but must be a mapping, [low, high], a number, or np."]),
        ({"Variables/mu/PRIOR": "SYMLOGG"}, ["'SYMLOGG' is not a prior that lodescan knows; did you mean 'symlog'"]),
        ({"Variables/mu/PRIOR": {"TYPE": "CAUCHY", "MEAN": 1, "SIGMA": 2}}, ["'CAUCHY'", "derived variable mean +"]),
        ({"Codes/SPheno/Observables": ["mh", "mA"]}, ["must be a mapping"]),
        ({"Codes/SPheno/Run": "perhaps"}, ["must be true or false"]),
        ({"Codes/SPheno/Comand": "x"}, ["unknown key 'Comand'", "did you mean 'command'"]),
        ({f"{OBS}mu": {"SLHA": ["MASS", [36]]}}, ["'mu' is already the name of a variable"]),
        ({"Observables/mh": {"SLHA": ["MASS", [36]]}}, ["'mh' is an observable of the code 'SPheno'", "another slha"]),
        ({"Observables/mh": {"SCALING": "GAUSS", "MEAN": 125, "VARIANCE": 3}}, ["with another likelihood", "move"]),
        ({"Observables/mh": {"SLHA": ["MASS", [25]], "VALID": [1, 2]}}, ["'mh'", "with another window", "or rename"]),
        (
            {"Codes/pass_tool": {"InputFile": "in.slha", "Observables": {"mh": {"SLHA": ["MASS", [25]]}}}},
            ["'mh' is already the name of an observable"],
        ),
        ({f"{OBS}mh/SCALING": "gauss"}, ["unknown scaling 'gauss'; did you mean 'GAUSS'"]),
        ({f"{OBS}mh/SCALING": "LOGUSER"}, ["EXPUSER"]),
        ({f"{OBS}mh/SCALING": "OFF"}, ["no observable enters the likelihood"]),
        ({"Blocks/MINPAR/1": None}, ["old.json, line ", "the entry '1' of block MINPAR has no value"]),
    ],
)
def test_faults_that_bsmart_ignores_silently_are_refused(bsmart, changes, words):
    with pytest.raises(ScanFileError) as caught:
        bsmart(changes)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"SLHA": ["MASS", [25]], "SCALING": "OFF"},
        {"SLHA": ["mass", [25]], "SCALING": "GAUSS", "MEAN": "125", "VARIANCE": 2},
    ],
)
def test_an_observable_repeated_at_the_top_level_is_that_of_the_code(bsmart, point, settings):
    changes = {"Observables/mh": settings, "Observables/late": {"FUNCTION": "2*mh"}}
    scan = bsmart(changes)
    assert [observable.name for observable in scan.all_observables()] == ["musq", "half", "mh", "late"]
    assert scan.notes == ("Observables: mh is the same as that of the code SPheno",)
    outcome, found = point(changes)
    assert outcome.status is Status.OK and (found["mh"], found["late"]) == (125.0, 250.0)


def test_a_grid_written_in_python_is_read_as_a_range_with_steps(bsmart):
    read = {variable.name: variable for variable in bsmart({"Variables/mu": "np.linspace(0,1,10)"}).variables}
    assert (read["mu"].low, read["mu"].high, read["mu"].steps) == (0.0, 1.0, 10)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TYPE": "UPPER", "MAX": 0.5}, ["mA: MAX is read by", '"SCALING": "UPPER", "MEAN": 0.5, "VARIANCE"']),
        ({"MIN": 7}, ["mA: MIN is read by", '"SCALING": "LOWER", "MEAN": 7, "VARIANCE"']),
        ({"TYPE": "USER"}, ["mA: TYPE is read by", "SCALING, MEAN and VARIANCE"]),
        ({"LOG SCALING": "True"}, ["mA: LOG SCALING has no meaning, not even in BSMArt", "write LOG_SCALING"]),
    ],
)
def test_settings_of_another_type_of_bsmart_are_named_with_their_lines(bsmart, tmp_path, settings, words):
    scan = bsmart({f"{OBS}mA": {"SLHA": ["MASS", [36]]} | settings})
    (note,) = scan.notes
    assert [word for word in words if word not in note] == []
    key = next(word for word in ("MAX", "MIN", "LOG SCALING", "TYPE") if word in settings)
    text = (tmp_path / "old.json").read_text().splitlines()
    assert f'"{key}"' in text[int(note.split("line ")[1].split(":")[0]) - 1]
    assert not any(key in ignored for ignored in scan.ignored)


@pytest.mark.parametrize("settings", [{"TYPE": "OFF"}, {"TYPE": "GAUSS", "MEAN": 1, "VARIANCE": 2}])
def test_a_type_of_an_observable_without_effect_is_only_named(bsmart, settings):
    scan = bsmart({f"{OBS}mA": {"SLHA": ["MASS", [36]]} | settings})
    assert scan.notes == () and "Codes: SPheno: Observables: mA: TYPE" in scan.ignored


@pytest.mark.parametrize(
    ("command", "words", "files"),
    [
        ("prog <{input} >{output}", ("prog",), ("{input}", "{output}")),
        ("prog < {input}>out", ("prog",), ("{input}", "out")),
        ("sh -c 'cat \"$0\" *.dat > x; y' {input}", ("sh", "-c", 'cat "$0" *.dat > x; y', "{input}"), (None, None)),
        ('prog "a|b&c?*" #1', ("prog", "a|b&c?*", "#1"), (None, None)),
        ("prog --x=1 -y 2", ("prog", "--x=1", "-y", "2"), (None, None)),
    ],
)
def test_a_command_is_split_into_words_as_a_shell_does(command, words, files):
    """Characters that a shell would expand may stand in quotes; < and > need no blank before a file."""
    found = Command.read(command, "here")
    assert (found.words, (found.stdin, found.stdout)) == (words, files)


def test_blocks_without_a_template_are_refused(bsmart, tmp_path):
    (tmp_path / "code.py").write_text("def f(point):\n    return {'y': 1.0}\n")
    code = {"function": "code:f", "Observables": {"y": {"MEAN": 1, "VARIANCE": 1}}}
    with pytest.raises(ConfigurationError, match=r"line \d+: blocks are written into a template, but no code"):
        Chain(bsmart({"Codes": {"mine": code}, "Blocks": {"MINPAR": {"1": "muu"}}}))


def test_a_later_code_with_the_templates_name_gets_the_spectrum(point):
    """BSMArt copies the spectrum under the name InputFile, even if the scan file has a file of this name beside it."""
    later = {
        "Run": "True",
        "Command": "cp {input} {output}",
        "InputFile": "in.slha",
        "OutputFile": "copy.slha",
        "Profile": "none",
        "Observables": {"again": {"SLHA": ["MASS", [25]]}},
    }
    outcome, found = point({"Codes/later": later}, order=["SPheno", "later"])
    assert outcome.status is Status.OK and found["again"] == found["mh"] == 125.0


@pytest.mark.parametrize("observables", [["BR(B->mumu)"], "BR(B->mumu)", {"x": 3}, None])
def test_a_code_that_is_switched_off_is_not_checked(bsmart, observables):
    scan = bsmart({"Codes/flavio": {"Run": "False", "Observables": observables}})
    assert [code.name for code in scan.codes] == ["SPheno"]


def test_a_template_with_line_ends_of_windows_is_read(point, tmp_path):
    (tmp_path / "in.slha").write_bytes(b"\xef\xbb\xbf" + TEMPLATE.encode())
    assert point()[0].status is Status.OK
