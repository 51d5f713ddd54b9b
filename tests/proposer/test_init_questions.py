"""`lodescan init`: what its questions propose and refuse, and the names and entries that it takes from a code."""

from __future__ import annotations

from functools import partial

import pytest

from proposer.__main__ import main
from scanspec import read_scan_file
from tests.proposer.terminal import Terminal

MODEL = """
def model(m0, lam=0.1, nuisance=0.0):
    return {"mh": lam * m0, "rel": nuisance}
"""
OF_A_POINT = """
def model(point):
    point.folder
    return {"mh": point["lam"] * point["m0"]}
"""
SLHA = """\
Block MINPAR
    1   125.0    # m0
    4   -1.0     # sign(mu)
    5   0.0      # A0
Block YUKAWAS
    3  3   0.9   # yt
"""
PROGRAM = ["--command", "spheno {input} {output}", "--observable", "mh=125,2"]


def is_shown(words: str, shown: list[str]) -> bool:
    """Whether the words are shown, perhaps broken over lines of 80 columns."""
    return words.replace(" ", "") in "".join(shown).replace(" ", "")


def test_questions_propose_what_the_function_has_and_ask_again_after_a_bad_answer(tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    file = tmp_path / "higgs.yaml"
    with Terminal("-m", "proposer", "init", str(file)) as terminal:
        for question, answer in (
            ("your code", "mine"),
            ("'mine' is neither a function nor a command", "mine:other"),
            ("has no function 'other'", "mine:model"),
            ("(Enter keeps m0=0,1 lam=0.05,0.2 nuisance=-1,1;", "m0=300,100 lam = 0.2, 0.4 m12=1,2 m0"),
            ("the range of m0 ends at or below its begin", ""),
            ("no variable 'm12'; it has: m0, lam, nuisance", None),
            ("'m0' is not NAME=NUMBER,NUMBER; write for example m0=100,1000", None),
            ("kept: lam=0.2,0.4", None),
            ("(Enter keeps mh=0,1 rel=0,1;", "mh=125,0"),
            ("the sigma of mh is not above 0", "mh=125,2 rel=0,1"),
            ("good points to stop at (Enter: 1000)", "many"),
            ("'many' is not a whole number above 0", "70"),
            ("a point is good with an NLL below (Enter: 3)", ""),
        ):
            terminal.wait_for(partial(is_shown, question))
            if answer is not None:
                terminal.enter(answer)
        assert terminal.wait() == 0
    scan = read_scan_file(file)
    ranges = {variable.name: (variable.low, variable.high) for variable in scan.variables}
    assert ranges == {"m0": (0, 1), "lam": (0.2, 0.4), "nuisance": (-1, 1)}
    constants = {found.name: (found.likelihood.mean, found.likelihood.sigma) for found in scan.all_observables()}
    assert constants == {"mh": (125, 2), "rel": (0, 1)}
    assert scan.setup.integer("points") == 70 and scan.networks.raw("threshold_value") == 3
    assert [line.split(":")[0].strip() for line in file.read_text().splitlines() if line.endswith("# CHECK")] == [
        "m0",
        "nuisance",
    ]


def test_answers_that_end_are_given_back_as_a_command(tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    file = tmp_path / "higgs.yaml"
    command = ["proposer", "init", str(file), "--function", "mine:model"]
    with Terminal("-m", *command) as terminal:
        terminal.wait_for(partial(is_shown, "Enter keeps m0=0,1"))
        terminal.enter("m0=100,300")
        terminal.wait_for(partial(is_shown, "Enter keeps mh=0,1"))
        terminal.enter("\x04")
        assert terminal.wait() == 2
        assert is_shown(f"lodescan init {file} --function mine:model --variable m0=100.0,300.0", terminal.shown)
    assert not file.exists()


@pytest.mark.parametrize(
    ("source", "flags", "words"),
    [
        (MODEL, ["--variable", "m0=3,1"], "the range of m0 ends at or below its begin"),
        (MODEL, ["--variable", "m=1,3"], "the code has no variable 'm'; it has: m0, lam, nuisance"),
        (OF_A_POINT, ["--variable", "m=1,3"], "the code has no variable 'm'; it has: lam, m0"),
        (MODEL, ["--observable", "x=1,1"], "the code has no observable 'x'; it has: mh, rel"),
        (MODEL, ["--observable", "mh=1,-1"], "the sigma of mh is not above 0"),
        (MODEL, ["--entry", "MINPAR,5"], "name the file with --slha"),
    ],
)
def test_flags_that_do_not_fit_the_function_are_refused(tmp_path, capsys, source, flags, words):
    (tmp_path / "mine.py").write_text(source)
    assert main(["init", str(tmp_path / "scan.yaml"), "--function", "mine:model", *flags]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    "source",
    [
        "def model(point):\n    return {**compute(point), 'mh': point['m0']}\n",
        "def model(**values):\n    return compute(values)\n",
        "def model(point):\n    found = {'mh': point.get('m')}\n    return found\n",
    ],
)
def test_names_that_the_source_does_not_show_are_accepted(tmp_path, source):
    (tmp_path / "mine.py").write_text(source)
    flags = ["--function", "mine:model", "--variable", "m=1,3", "--observable", "x=1,1"]
    assert main(["init", str(tmp_path / "scan.yaml"), *flags]) == 0
    assert "m" in [variable.name for variable in read_scan_file(tmp_path / "scan.yaml").variables]


def test_names_of_the_run_and_of_the_code(tmp_path):
    folder = tmp_path / "higgs"
    folder.mkdir()
    (folder / "potential.py").write_text(MODEL)
    assert main(["init", str(folder / "scan.yaml"), "--function", "potential:model"]) == 0
    scan = read_scan_file(folder / "scan.yaml")
    assert (scan.run_name, [code.name for code in scan.codes]) == ("higgs", ["potential"])
    (folder / "in.slha").write_text(SLHA)
    program = ["--command", "/opt/spheno-4.0/bin/SPheno {input} {output}", "--observable", "mh=125,2"]
    assert main(["init", str(folder / "cmssm.yaml"), "--slha", str(folder / "in.slha"), *program]) == 0
    scan = read_scan_file(folder / "cmssm.yaml")
    assert (scan.run_name, [code.name for code in scan.codes]) == ("cmssm", ["SPheno"])


def test_numbers_of_an_slha_file_that_stay_are_said(tmp_path, capsys):
    (tmp_path / "in.slha").write_text(SLHA)
    assert main(["init", str(tmp_path / "scan.yaml"), "--slha", str(tmp_path / "in.slha"), *PROGRAM]) == 0
    shown, written = capsys.readouterr().out, (tmp_path / "scan.yaml").read_text()
    for words in (
        "MINPAR,4 (sign(mu)) = -1.0: a sign",
        "MINPAR,5 (A0) = 0.0: 0, so no range can be guessed",
    ):
        assert words in shown and words in written
    assert "--entry BLOCK,NUMBER" in shown and "variable m0: MINPAR,1\n" in shown


def test_entries_of_an_slha_file_that_become_variables_can_be_named(tmp_path, capsys):
    (tmp_path / "in.slha").write_text(SLHA)
    slha = ["--slha", str(tmp_path / "in.slha"), *PROGRAM]
    entries = ["--entry", "MINPAR,5", "--entry", "yukawas,3,3", "--variable", "yt=0.8,1"]
    assert main(["init", str(tmp_path / "scan.yaml"), *slha, *entries]) == 0
    scan = read_scan_file(tmp_path / "scan.yaml")
    assert {found.name: (found.low, found.high) for found in scan.variables} == {"A0": (-1, 1), "yt": (0.8, 1)}
    assert (tmp_path / "scan.in.slha").read_text() == SLHA.replace("0.0 ", "A0 ").replace("0.9 ", "yt ")
    assert "not a variable: MINPAR,1 (m0) = 125.0: not named by --entry\n" in capsys.readouterr().out
    assert main(["init", str(tmp_path / "x.yaml"), *slha, "--entry", "MINPAR,7"]) == 2
    assert "no number at MINPAR,7; it has: MINPAR,1, MINPAR,4, MINPAR,5, YUKAWAS,3,3" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "x.yaml"), *slha, "--variable", "m12=1,2"]) == 2
    assert "no variable 'm12'; it has: m0; name one of these" in capsys.readouterr().err


def test_a_refused_answer_changes_nothing(tmp_path):
    """The next answer gives a good file; the variables that flags gave are compared with it alone."""
    (tmp_path / "mine.py").write_text("def f(a, b):\n    return {'c': a}\n\n\ndef g(x, y):\n    return {'mh': x * y}\n")
    file = tmp_path / "scan.yaml"
    command = ["proposer", "init", str(file), "--variable", "x=0,1", "--variable", "y=0,2"]
    with Terminal("-m", *command) as terminal:
        turns = [
            ("your code", "mine:f"),
            ("no variable 'x'; it has: a, b", "mine:g"),
            ("(Enter keeps mh=0,1;", "mh=125,2"),
            ("good points", ""),
            ("a point is good", ""),
        ]
        terminal.answer(is_shown, turns)
        assert terminal.wait() == 0
    scan = read_scan_file(file)
    assert {found.name: (found.low, found.high) for found in scan.variables} == {"x": (0, 1), "y": (0, 2)}
    assert [observable.name for observable in scan.all_observables()] == ["mh"]


def test_a_refused_slha_file_changes_nothing(tmp_path):
    other, good = tmp_path / "other.slha", tmp_path / "in.slha"
    other.write_text("Block MINPAR\n    1   125.0    # tanb\n    4   -1.0     # sign(mu)\n")
    good.write_text("Block MINPAR\n    1   125.0    # m0\n")
    file = tmp_path / "scan.yaml"
    command = ["proposer", "init", str(file), *PROGRAM, "--variable", "m0=100,200"]
    with Terminal("-m", *command) as terminal:
        turns = [
            ("an SLHA input file", str(other)),
            ("no variable 'm0'; it has: tanb", str(good)),
            ("good points", ""),
            ("a point is good", ""),
        ]
        terminal.answer(is_shown, turns)
        assert terminal.wait() == 0
    assert [(found.name, found.low, found.high) for found in read_scan_file(file).variables] == [("m0", 100, 200)]
    assert "MINPAR,4" not in file.read_text()
