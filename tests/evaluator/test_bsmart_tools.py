"""BSMArt's tools in its scan files: the toys, the tools that lodescan lacks, and what they do not do here."""

import math
import re
from dataclasses import fields

import pytest

from evaluator.chain import Chain, Status
from evaluator.codes.kinds.toy_targets import ToySettings, toy_targets
from scanspec import ScanFileError
from scanspec.keys import OF_TOYS
from tests.evaluator.bsmart_scans import OBS


@pytest.mark.parametrize("settings", [{"Alpha": 1}, {"Command": "echo", "Alpha": 1}])
def test_a_tool_of_the_user_is_refused_before_its_settings(bsmart, tmp_path, settings):
    (tmp_path / "Tools").mkdir()
    (tmp_path / "Tools" / "mytool.py").write_text("class NewTool(HepTool):\n    pass\n")
    with pytest.raises(ScanFileError, match=r"line \d+: code 'mytool' is a tool of your own \(Tools/mytool.py\)"):
        bsmart({"Codes/mytool": settings | {"Observables": {}}})


def test_toys_have_the_values_of_their_formulas(point):
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


def test_toys_of_one_variable_are_those_of_bsmart(point, bsmart):
    """In BSMArt, Rosenbrock of one variable is (a - x)^2; Himmelblau and Easom need two variables."""
    observables: dict[str, object] = {"R": {"FUNCTION": "Rosenbrock", "SCALING": "MINUSEXPUSER"}, "Rastrigin": {}}
    tool = {"Run": "True", "Rosenbrock a": 3, "Observables": observables}
    one = {"Variables": {"x": {"RANGE": [-5, 5]}}, "Derived Variables": {}, "Setup/Skip SLHA Files": "True"}
    outcome, found = point(one | {"Codes": {"toy_targets": tool}}, (1.0,))
    assert outcome.status is Status.OK and found["R"] == 4.0 and found["Rastrigin"] == pytest.approx(1.0)
    observables["E"] = {"FUNCTION": "Easom"}
    with pytest.raises(ScanFileError, match="'Easom' is not a variable, derived variable or earlier observable"):
        bsmart(one | {"Codes": {"toy_targets": tool}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Easom center": [1]}, "Easom center is [1], but must be a list of 2 numbers"),
        ({"Ackley a": "2*pi"}, "Ackley a is '2*pi', but must be a number"),
        ({"Rosenbrock b": "inf"}, "Rosenbrock b is inf, but must be a finite number"),
        ({"Command": ""}, "Codes: toy_targets: the Command is empty; name a program"),
        ({"Rastrigin a": 5}, "did you mean 'Rastrigin A'?"),
    ],
)
def test_wrong_constants_of_the_toys_are_refused_on_both_sides(bsmart, settings, words):
    """They are refused when the file is read, because the proposer never makes the code."""
    with pytest.raises(ScanFileError) as caught:
        bsmart({"Codes": {"toy_targets": {"Run": "True", "Observables": {}, **settings}}})
    assert words in str(caught.value) and "a tool of BSMArt or of your own" not in str(caught.value)


def test_the_documented_toys_are_functions_of_names_that_the_tool_gives(point):
    """BSMArt's documents write FUNCTION: Rosenbrock in an observable of any name. A later code may do so too."""
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
    ripple = sum(math.cos(3 * value) for value in x) / 3
    assert found["Ackley"] == pytest.approx(-10 * math.exp(-0.1 * math.sqrt(1.75)) - math.exp(ripple) + 10 + math.e)
    assert found["Himmelblau"] == pytest.approx((1 + 2 - 10) ** 2 + (1 + 4 - 6) ** 2)
    assert found["Easom"] == pytest.approx(-math.cos(1) * math.cos(2))
    assert found["sum"] == pytest.approx(found["Ackley"] + found["Rosen"])


def test_a_toy_is_known_only_from_its_code_on(bsmart):
    with pytest.raises(ScanFileError, match=r"'Rosenbrok'.*did you mean 'Rosenbrock'"):
        Chain(bsmart({"Codes/toy_targets": {"Observables": {"x": {"FUNCTION": "Rosenbrok"}}}}))
    with pytest.raises(ScanFileError, match="'Rosenbrock' is not a variable"):
        Chain(bsmart({f"{OBS}f": {"FUNCTION": "Rosenbrock"}}))


def test_one_message_names_all_tools_that_lodescan_lacks(bsmart):
    """The message comes before any about their keys."""
    names = ("VacStab", "SModelS2", "HackAnalysis_LO", "MadGraph")
    tools: dict[str, dict[str, object]] = {name: {"Command": "x", "Observables": {}} for name in names}
    tools |= {"ZPEED": {"Path": "x", "Nonsense": 1}, "Zprime": {"Run": "False"}, "resummino": {"command": "cp"}}
    with pytest.raises(ScanFileError) as caught:
        bsmart({f"Codes/{name}": settings for name, settings in tools.items()})
    message = str(caught.value)
    named = re.findall(r"'(\w+)' \(line \d+\)", message)
    assert named == ["VacStab", "SModelS2", "HackAnalysis_LO", "MadGraph", "ZPEED"]
    assert "tools of BSMArt that lodescan does not contain" in message and "docs/bsmart.md" in message


def test_that_message_names_tools_of_the_user_too(bsmart, tmp_path):
    (tmp_path / "Tools").mkdir()
    for name in ("mytool", "another"):
        (tmp_path / "Tools" / f"{name}.py").write_text("class NewTool(HepTool):\n    pass\n")
    codes: dict[str, dict[str, object]] = {name: {"Observables": {}} for name in ("mytool", "another", "Zprime")}
    with pytest.raises(ScanFileError) as caught:
        bsmart({f"Codes/{name}": settings for name, settings in codes.items()})
    message = str(caught.value)
    assert re.findall(r"'(\w+)' \(line \d+\)", message) == ["mytool", "another", "Zprime"]
    assert "of your own (Tools/mytool.py, Tools/another.py), which lodescan does not load" in message


def test_a_note_says_what_direct_detection_does_not_do(bsmart):
    dark = {"Command": "./dark.sh", "InputFile": "spc", "DD_Limits": "True", "Observables": {}}
    (note,) = bsmart({"Codes/MicrOmegas": dark}).notes
    assert "Codes: MicrOmegas: DD_Limits: the entry DARKMATTER 501" in note and "is not made here" in note
    assert bsmart({"Codes/MicrOmegas": dark | {"DD_Limits": "False"}}).notes == ()


def test_toys_have_their_minima_where_the_literature_has_them():
    assert toy_targets([1.0] * 4)["Rosenbrock"] == 0.0
    zero = toy_targets([0.0] * 3)
    assert zero["Rastrigin"] == 0.0 and abs(zero["Ackley"]) < 1e-12
    assert toy_targets([3.0, 2.0])["Himmelblau"] == 0.0
    assert toy_targets([math.pi, math.pi])["Easom"] == -1.0
    assert toy_targets([1e200, 1e200])["Rosenbrock"] == math.inf


def test_the_tool_pass_gives_its_constants(point):
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


def test_the_keys_of_the_toys_are_the_fields_of_their_settings():
    assert [field.name for field in fields(ToySettings)] == list(OF_TOYS)
