"""Every section and spelling of BSMArt's files, in files as its users have them: strict JSON, keys in its words."""

import json
import math
import re
import shutil

import pytest

from evaluator.chain import Chain, Status
from evaluator.codes.kinds.toy_targets import toy_targets
from evaluator.codes.programs import Command
from evaluator.errors import ConfigurationError
from scanspec import ScanFileError, read_scan_file
from tests.evaluator.harness import DATA, PROGRAMS

TEMPLATE = """Block MODSEL
 1 mode  # picks what the imitated program does
Block MINPAR
 3 2*VARIABLE[0]+VARIABLE[2]   # an expression
 4 1D2
 21 mu**2
Block EXTPAR
 5 math.sqrt(musq)
"""
# SPheno's call; what it was given comes back in the block of that name, so that tests see it
SPHENO = """#!/bin/sh
sed 's/MINPAR/READBACK/; s/EXTPAR/READBACK2/; /MODSEL/d' "$1" > read
cat - read > "$2" <<'END'
Block SPINFO
 1 SPheno
Block MASS
 25 1.25E+02
 36 NaN
 1000022 -9.7E+01
Block ALPHA
 -1.1E-01
DECAY 25 4.1E-03
 5.8E-01 2 5 -5
DECAY1L 25 4.2E-03
 5.5E-01 2 5 -5
XSECTION 1.30E+04 2212 2212 2 1000022 1000024
 0 0 0 0 0 10042 2.5E-02 somebody 1.0
BLOCK PROCESS ATLAS_1
 XS 1.5
END
"""
BASE = {
    "Setup": {"RunName": "old", "Type": "MLScanner.MLS_DNNC", "Cores": 4, "csv": "True", "StoreAllPoints": "False"},
    "Variables": {"mode": {"RANGE": [0, 9]}, "mu": {"RANGE": [1000, 100], "PRIOR": "LOG"}, "2-x": {"RANGE": [0, 1]}},
    "Derived Variables": {"musq": "mu**2", "half": "musq/2"},
    "Codes": {
        "SPheno": {
            "Run": "True",
            "InputFile": "in.slha",
            "OutputFile": "SPheno.spc",
            "Command": "./spheno",
            "Observables": {"mh": {"SLHA": ["MASS", [25]], "SCALING": "GAUSS", "MEAN": 125, "VARIANCE": "2"}},
        }
    },
    "Networks": {},
}


@pytest.fixture
def bsmart(tmp_path):
    """A file of BSMArt with changes: a path of keys to a value."""
    (tmp_path / "in.slha").write_text(TEMPLATE)
    (tmp_path / "spheno").write_text(SPHENO)
    (tmp_path / "spheno").chmod(0o755)
    for path in (*PROGRAMS.iterdir(), *(DATA / "profiles").iterdir()):
        shutil.copy(path, tmp_path)

    def read(changes=(), order=None):
        content = json.loads(json.dumps(BASE))
        for keys, value in dict(changes).items():
            at = content
            *path, last = keys.split("/")
            for key in path:
                at = at.setdefault(key, {})
            at[last] = value
        if order:
            content["Codes"] = {name: content["Codes"][name] for name in order}
        (tmp_path / "old.json").write_text(json.dumps(content, indent=1))
        return read_scan_file(tmp_path / "old.json")

    return read


@pytest.fixture
def point(bsmart, tmp_path):
    def evaluate(changes=(), values=(1.0, 200.0, 0.5), order=None):
        chain = Chain(bsmart(changes, order))
        outcome = chain.evaluate(values, tmp_path / "scratch")
        names = [spec.name for spec in chain.specs]
        return outcome, dict(zip(names, outcome.observables, strict=True))

    return evaluate


OBS = "Codes/SPheno/Observables/"


def test_templates_with_expressions_and_derived_variables(point):
    outcome, found = point(
        {f"{OBS}{n}": {"SLHA": ["readback", [n]]} for n in (3, 4, 21)}
        | {
            f"{OBS}5": {"SLHA": ["READBACK2", [5]]},
            f"{OBS}two": {"FUNCTION": "half/musq + math.sqrt(abs(mode))"},
        }
    )
    assert outcome.status is Status.OK
    assert [found[key] for key in ("3", "4", "21", "5", "two")] == [2.5, 100.0, 4e4, 200.0, 1.5]
    assert (found["musq"], found["half"]) == (4e4, 2e4)  # computed, kept, and columns of the results


def test_blocks_override_and_add(point):
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
def test_slha_observables(point, slha, value):
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
def test_windows(point, where, settings, status):
    # a name with blanks, and one that would be an expression
    assert point({f"{where}g-2 of the muon": settings})[0].status is status


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (["mh > 120", "half < musq"], Status.OK),
        (["mh > 120", "mode == 2"], Status.INVALID),
        (["mA > 0"], Status.INVALID),  # NaN
    ],
)
def test_conditions(point, conditions, status):
    changes = {"Codes/SPheno/Conditions": conditions, f"{OBS}mA": {"SLHA": ["MASS", [36]]}}
    outcome, _ = point(changes)
    assert outcome.status is status
    if status is Status.INVALID:
        assert f"the condition {conditions[-1]} does not hold" in outcome.message


def test_a_chain_in_bsmarts_words(point, tmp_path):
    """The template is that of the first code, which does not run; tools bring their profiles by their names."""
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
            ["'resummino' is a tool of BSMArt that lodescan does not bring along; `Profile: none` makes it a program"],
        ),
        ({"Blocks/MINPAR/1": "muu"}, ["old.json, line ", "'muu'", "did you mean 'mu'"]),
        ({"Blocks": {"DECAY": {"25": 1}}}, ["a DECAY table is no block"]),
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
        ({"Codes/SPheno/Command": "./sphen"}, ["the program './sphen' is not there"]),
        ({"Codes/SPheno/Conditions": ["mhh > 120"]}, ["'mhh'", "did you mean 'mh'"]),
        ({f"{OBS}f": {"FUNCTION": "cosh(mm)"}}, ["'mm'"]),
        (
            {"Fitting": {"Variables": {"z": {"RANGE": [0, 1]}}, "Observables": {"mh": {"TARGET": 125, "VARIANCE": 1}}}},
            ["needs scipy", "'.[fitting]'"],
        ),
    ],
)
def test_what_names_its_fault(bsmart, tmp_path, changes, words):
    (tmp_path / "Tools").mkdir()
    (tmp_path / "Tools" / "mytool.py").write_text("class NewTool(HepTool):\n    pass\n")
    changes = {key: value if value is not None else {"RANGE": [1, 2]} for key, value in changes.items()}
    if "Variables/mus" in changes:
        (tmp_path / "in.slha").write_text(TEMPLATE.replace("mu**2", "mu_**2"))
        words = [word.replace("'mu'", "'mu_'") for word in words]
    with pytest.raises((ConfigurationError, ScanFileError)) as caught:
        Chain(bsmart(changes))
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_in_the_plain_spelling_a_command_is_a_program_whatever_its_name(bsmart):
    scan = bsmart({"Codes/resummino": {"command": "cp", "Observables": {}}})
    assert [each.name for each in scan.codes] == ["SPheno", "resummino"]


@pytest.mark.parametrize("settings", [{"Alpha": 1}, {"Command": "echo", "Alpha": 1}])
def test_a_tool_of_the_users_own_is_named_before_its_settings(bsmart, tmp_path, settings):
    (tmp_path / "Tools").mkdir()
    (tmp_path / "Tools" / "mytool.py").write_text("class NewTool(HepTool):\n    pass\n")
    with pytest.raises(ScanFileError, match=r"line \d+: code 'mytool' is a tool of your own \(Tools/mytool.py\)"):
        bsmart({"Codes/mytool": settings | {"Observables": {}}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Variables/mu": "np.linspace(0,1,len('xx'))"}, ["but must be a mapping, [low, high], a number, or np."]),
        ({"Variables/mu/PRIOR": "SYMLOGG"}, ["'SYMLOGG' is no prior that lodescan knows; did you mean 'symlog'"]),
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
def test_what_bsmart_would_go_on_with_in_silence(bsmart, changes, words):
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
def test_an_observable_of_a_code_once_more_at_the_top_is_the_codes(bsmart, point, settings):
    changes = {"Observables/mh": settings, "Observables/late": {"FUNCTION": "2*mh"}}
    scan = bsmart(changes)
    assert [each.name for each in scan.all_observables()] == ["musq", "half", "mh", "late"]
    assert scan.notes == ("Observables: mh is the same as that of the code SPheno",)
    outcome, found = point(changes)
    assert outcome.status is Status.OK and (found["mh"], found["late"]) == (125.0, 250.0)


def test_the_python_text_of_a_grid_is_a_range_with_steps(bsmart):
    read = {each.name: each for each in bsmart({"Variables/mu": "np.linspace(0,1,10)"}).variables}
    assert (read["mu"].low, read["mu"].high, read["mu"].steps) == (0.0, 1.0, 10)


def test_toy_targets(point):
    changes = {
        "Codes": {
            "toy_targets": {
                "Run": "True",
                "Rosenbrock a": 1,
                "Rosenbrock b": "10",
                "Observables": {
                    "Rosenbrock": {"MEAN": 0, "VARIANCE": 1},
                    "Ackley": {},
                    "H": {"SLHA": ["TOYTARGETS", [4]]},
                },
            }
        },
        "Setup/Skip SLHA Files": "True",
    }
    outcome, found = point(changes, (1.0, 1.0, 1.0))
    assert outcome.status is Status.OK and found["Rosenbrock"] == 0.0 and found["H"] == 106.0
    outcome, found = point(changes, (0.0, 2.0, 0.0))
    assert found["Rosenbrock"] == pytest.approx(10 * 4 + 1 + 10 * 16 + 1)


def test_the_documented_toys_are_functions_of_names_that_the_tool_gives(point):
    """The documents write FUNCTION: Rosenbrock, under any name, the function's own too; also later codes may."""
    settings = {
        "Rosenbrock a": "1.5",
        "Rastrigin A": 5,
        "Ackley a": 10,
        "Ackley b": 0.1,
        "Ackley c": 3,
        "Himmelblau a": 10,
        "Himmelblau b": 6,
        "Easom center": [1, "2"],
    }
    names = ["Rosenbrock", "Rastrigin", "Ackley", "Himmelblau", "Easom"]
    observables = {
        "Rosen": {"FUNCTION": "Rosenbrock", "SCALING": "MINUSEXPUSER"},
        **{name: {"FUNCTION": f"1*{name}"} for name in names[1:]},
    }
    changes = {
        "Codes": {
            "toy_targets": {"Run": "True", **settings, "Observables": observables, "Conditions": ["Easom < Rosenbrock"]}
        },
        "Observables": {"sum": {"FUNCTION": "Ackley + Rosenbrock"}},
    }
    outcome, found = point(changes, (1.0, 2.0, 0.5))
    assert (outcome.status, outcome.message) == (Status.OK, "")
    x = (1.0, 2.0, 0.5)
    assert found["Rosen"] == pytest.approx(100 * (1 + 3.5**2) + 0.5**2 + 0.5**2)
    assert found["Rastrigin"] == pytest.approx(15 + 1 + 4 + 0.25 - 5 - 5 + 5)
    ripple = sum(math.cos(3 * each) for each in x) / 3
    assert found["Ackley"] == pytest.approx(-10 * math.exp(-0.1 * math.sqrt(1.75)) - math.exp(ripple) + 10 + math.e)
    assert found["Himmelblau"] == pytest.approx((1 + 2 - 10) ** 2 + (1 + 4 - 6) ** 2)
    assert found["Easom"] == pytest.approx(-math.cos(1) * math.cos(2))
    assert found["sum"] == pytest.approx(found["Ackley"] + found["Rosen"])


def test_a_toy_is_known_from_its_code_on(bsmart):
    with pytest.raises(ScanFileError, match=r"'Rosenbrok'.*did you mean 'Rosenbrock'"):
        Chain(bsmart({"Codes/toy_targets": {"Observables": {"x": {"FUNCTION": "Rosenbrok"}}}}))
    with pytest.raises(ScanFileError, match="'Rosenbrock' is no variable"):
        Chain(bsmart({f"{OBS}f": {"FUNCTION": "Rosenbrock"}}))


def test_all_tools_that_are_not_here_in_one_message(bsmart):
    """Before any of their keys: one who writes a file of them reads of all at once."""
    names = ("VacStab", "SModelS2", "HackAnalysis_LO", "MadGraph")
    tools: dict[str, dict[str, object]] = {name: {"Command": "x", "Observables": {}} for name in names}
    tools |= {"ZPEED": {"Path": "x", "Nonsense": 1}, "Zprime": {"Run": "False"}, "resummino": {"command": "cp"}}
    with pytest.raises(ScanFileError) as caught:
        bsmart({f"Codes/{name}": settings for name, settings in tools.items()})
    message = str(caught.value)
    named = re.findall(r"'(\w+)' \(line \d+\)", message)
    assert named == ["VacStab", "SModelS2", "HackAnalysis_LO", "MadGraph", "ZPEED"]
    assert "tools of BSMArt that lodescan does not bring along" in message and "docs/bsmart.md" in message


def test_tools_of_the_users_own_are_in_that_message_too(bsmart, tmp_path):
    (tmp_path / "Tools").mkdir()
    for name in ("mytool", "another"):
        (tmp_path / "Tools" / f"{name}.py").write_text("class NewTool(HepTool):\n    pass\n")
    codes: dict[str, dict[str, object]] = {name: {"Observables": {}} for name in ("mytool", "another", "Zprime")}
    with pytest.raises(ScanFileError) as caught:
        bsmart({f"Codes/{name}": settings for name, settings in codes.items()})
    message = str(caught.value)
    assert re.findall(r"'(\w+)' \(line \d+\)", message) == ["mytool", "another", "Zprime"]
    assert "of your own (Tools/mytool.py, Tools/another.py), which lodescan does not load" in message


def test_what_direct_detection_does_not_do_is_said(bsmart):
    dark = {"Command": "./dark.sh", "InputFile": "spc", "DD_Limits": "True", "Observables": {}}
    (note,) = bsmart({"Codes/MicrOmegas": dark}).notes
    assert "Codes: MicrOmegas: DD_Limits: the entry DARKMATTER 501" in note and "is not made here" in note
    assert bsmart({"Codes/MicrOmegas": dark | {"DD_Limits": "False"}}).notes == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TYPE": "UPPER", "MAX": 0.5}, ["mA: MAX is read by", '"SCALING": "UPPER", "MEAN": 0.5, "VARIANCE"']),
        ({"MIN": 7}, ["mA: MIN is read by", '"SCALING": "LOWER", "MEAN": 7, "VARIANCE"']),
        ({"TYPE": "USER"}, ["mA: TYPE is read by", "SCALING, MEAN and VARIANCE"]),
        ({"LOG SCALING": "True"}, ["mA: LOG SCALING is read by nothing", "write LOG_SCALING"]),
    ],
)
def test_what_only_another_scan_of_bsmart_reads_is_said_with_its_line(bsmart, tmp_path, settings, words):
    scan = bsmart({f"{OBS}mA": {"SLHA": ["MASS", [36]]} | settings})
    (note,) = scan.notes
    assert [word for word in words if word not in note] == []
    key = next(word for word in ("MAX", "MIN", "LOG SCALING", "TYPE") if word in settings)
    text = (tmp_path / "old.json").read_text().splitlines()
    assert f'"{key}"' in text[int(note.split("line ")[1].split(":")[0]) - 1]
    assert not any(key in each for each in scan.ignored)


@pytest.mark.parametrize("settings", [{"TYPE": "OFF"}, {"TYPE": "GAUSS", "MEAN": 1, "VARIANCE": 2}])
def test_a_type_of_an_observable_that_changes_nothing_is_only_named(bsmart, settings):
    scan = bsmart({f"{OBS}mA": {"SLHA": ["MASS", [36]]} | settings})
    assert scan.notes == () and "Codes: SPheno: Observables: mA: TYPE" in scan.ignored


def test_least_values_of_the_toys():
    assert toy_targets([1.0] * 4)["Rosenbrock"] == 0.0
    zero = toy_targets([0.0] * 3)
    assert zero["Rastrigin"] == 0.0 and abs(zero["Ackley"]) < 1e-12
    assert toy_targets([3.0, 2.0])["Himmelblau"] == 0.0
    assert toy_targets([math.pi, math.pi])["Easom"] == -1.0
    assert toy_targets([1e200, 1e200])["Rosenbrock"] == math.inf


def test_pass_tool(point):
    changes = {
        "Codes": {
            "pass_tool": {
                "Run": "True",
                "InputFile": "in.slha",
                "Observables": {"tanb": {"SLHA": ["MINPAR", [3]], "SCALING": "USER"}},
            },
            "dark": {
                "Run": "True",
                "Command": "sh -c 'cat $0; echo \" 22 5\"' {input} > {output}",
                "Observables": {"later": {"SLHA": ["EXTPAR", [22]]}},
            },
        }
    }
    outcome, found = point(changes)
    assert (outcome.status, found["tanb"], found["later"]) == (Status.OK, 2.5, 5.0)


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
def test_words_of_a_command(command, words, files):
    """What a shell would expand may stand in quotes; files may be glued to < and >."""
    found = Command.read(command, "here")
    assert (found.words, (found.stdin, found.stdout)) == (words, files)


def test_blocks_without_a_template_are_refused(bsmart, tmp_path):
    (tmp_path / "code.py").write_text("def f(point):\n    return {'y': 1.0}\n")
    code = {"function": "code:f", "Observables": {"y": {"MEAN": 1, "VARIANCE": 1}}}
    with pytest.raises(ConfigurationError, match=r"line \d+: blocks are written into a template, but no code"):
        Chain(bsmart({"Codes": {"mine": code}, "Blocks": {"MINPAR": {"1": "muu"}}}))


def test_a_later_code_with_the_templates_name_gets_the_spectrum(point):
    """BSMArt copies the spectrum under the name InputFile, whatever lies beside the scan file."""
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
def test_a_code_that_is_off_may_hold_anything(bsmart, observables):
    scan = bsmart({"Codes/flavio": {"Run": "False", "Observables": observables}})
    assert [each.name for each in scan.codes] == ["SPheno"]


def test_a_template_of_windows(point, tmp_path):
    (tmp_path / "in.slha").write_bytes(b"\xef\xbb\xbf" + TEMPLATE.encode())
    assert point()[0].status is Status.OK
