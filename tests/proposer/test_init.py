"""`lodescan init` and `lodescan doctor`."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proposer.__main__ import main
from proposer.commands import doctor
from scanspec import read_scan_file
from tests.proposer.terminal import Terminal

FUNCTION = """
def observables(point):
    mass = point["m0"] * point["lam"]
    point.folder
    if mass > point["m0"]:
        return {"mh": mass, "omega": 1.0}
    return {"mh": mass}
"""
SLHA = """\
Block MODSEL   # model
    1     1    # mSUGRA
Block MINPAR
    1   1.25D+02   # m0
    2   5.0E+02    # m12 (GeV)
    4   -1         # m0
    5   0.0        # A0
BLOCK EXTPAR
    23  100
"""


def test_init_writes_a_scan_file_from_flags(tmp_path, capsys):
    file = tmp_path / "my_model.yaml"
    flags = ["--function", "mine:f", "--variable", "m0=100,1000", "--observable", "mh=125,2", "--points", "50"]
    (tmp_path / "mine.py").write_text("def f(point):\n    return compute(point)\n")
    assert main(["init", str(file), *flags]) == 0
    scan = read_scan_file(file)
    assert (scan.run_name, [(variable.name, variable.low, variable.high) for variable in scan.variables]) == (
        "my_model",
        [("m0", 100.0, 1000.0)],
    )
    (observable,) = scan.all_observables()
    assert (observable.name, observable.likelihood.mean, observable.likelihood.sigma) == ("mh", 125.0, 2.0)
    assert scan.setup.integer("points") == 50 and scan.notes == ()
    first = file.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / named).read_text())["properties"]["setup"]
    assert file.read_text().count("CHECK") == 1  # only in the comment that explains the mark
    assert f"lodescan check {file}" in capsys.readouterr().out
    before = file.read_bytes()
    assert main(["init", str(file), *flags]) == 2
    assert file.read_bytes() == before


def test_init_names_the_file_for_which_the_disk_has_no_room(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(FUNCTION)
    file = tmp_path / "my_model.yaml"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        flags = ["--function", "mine:observables", "--variable", "m0=1,2", "--variable", "lam=1,2"]
        code = main(["init", str(file), *flags])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert code == 74
    assert f"lodescan: {file}: cannot be written (File too large); make room on the disk" in capsys.readouterr().err
    assert not file.exists()


def test_init_writes_a_scan_file_for_a_function(tmp_path):
    (tmp_path / "mine.py").write_text(FUNCTION)
    file = tmp_path / "scan.yaml"
    assert main(["init", str(file), "--function", "mine:observables", "--variable", "lam=1,2"]) == 0
    scan = read_scan_file(file)
    assert {variable.name: (variable.low, variable.high) for variable in scan.variables} == {
        "lam": (1, 2),
        "m0": (0, 1),
    }
    assert [observable.name for observable in scan.all_observables()] == ["mh", "omega"]
    marked = [line.split(":")[0].strip() for line in file.read_text().splitlines() if line.endswith("# CHECK")]
    assert marked == ["m0", "mh", "omega"]


@pytest.mark.parametrize(
    ("source", "flags", "variables"),
    [
        ("def f(m0, m12=400, *, tanb=-10.0, verbose=False): return dict(mh=m0)", [], ["m0", "m12", "tanb"]),
        ("def f(*, x): return {'mh': x}", [], ["x"]),
        ("def f(x): return {'mh': x['y'] + x['x']}", [], ["y", "x"]),
        ("def f(x): return {'mh': compute(x)}", ["--variable", "x=0,1", "--variable", "y=0,1"], ["x", "y"]),
        ("def f(p): return {'mh': compute(p)}", ["--variable", "x=0,1"], ["x"]),
        ("def f(point, *, scale=2.0):\n    return {'mh': scale * point['x']}", [], ["x"]),
    ],
)
def test_init_takes_variables_from_the_arguments_of_a_function(tmp_path, source, flags, variables):
    (tmp_path / "mine.py").write_text(source)
    assert main(["init", str(tmp_path / "scan.yaml"), "--function", "mine:f", "--threshold", "2.5", *flags]) == 0
    scan = read_scan_file(tmp_path / "scan.yaml")
    found = {variable.name: (variable.low, variable.high) for variable in scan.variables}
    assert list(found) == variables
    assert found.get("m12", (200, 800)) == (200, 800) and found.get("tanb", (-20, -5)) == (-20, -5)
    assert [observable.name for observable in scan.all_observables()] == ["mh"]
    assert scan.networks.raw("threshold_value") == 2.5


def test_init_writes_a_scan_file_and_a_template_from_an_slha_file(tmp_path):
    (tmp_path / "input.slha").write_text(SLHA)
    file = tmp_path / "scan.yaml"
    flags = ["--slha", str(tmp_path / "input.slha"), "--command", "spheno {input} {output}", "--observable", "mh=125,2"]
    assert main(["init", str(file), *flags]) == 0
    scan = read_scan_file(file)
    assert {variable.name: (variable.low, variable.high) for variable in scan.variables} == {
        "m0": (62.5, 250),
        "m12": (250, 1000),
        "m0_2": (-2, -0.5),
        "extpar23": (50, 200),
    }
    assert (tmp_path / "scan.in.slha").read_text() == SLHA.replace("1.25D+02", "m0").replace("5.0E+02", "m12").replace(
        "-1  ", "m0_2  "
    ).replace("  100", "  extpar23")


@pytest.mark.parametrize(
    "line",
    [
        "    4    1.000000e+00   # cos(phase_mu)",
        "    4    -1.0",
        "    4    1   # sign(mu)",
        "    4   -1   # SGN(mu)",
        "    6    1.0   # SignumMu",
        "    5    3   # N5, the messenger index",
        "    7    91.1876   # Renormalisation scale",
    ],
)
def test_signs_and_scales_of_an_slha_file_stay_as_they_are(tmp_path, line):
    """A sign is either 1 or -1, and the scale of the input is a choice that is not scanned."""
    text = f"Block MINPAR\n    1   125.0   # m0\n{line}\nBlock EXTPAR\n    0   1000.0   # MSUSY\n    1   200.0   # M1\n"
    (tmp_path / "input.slha").write_text(text)
    file = tmp_path / "scan.yaml"
    flags = ["--slha", str(tmp_path / "input.slha"), "--command", "spheno {input} {output}", "--observable", "mh=125,2"]
    assert main(["init", str(file), *flags]) == 0
    assert [variable.name for variable in read_scan_file(file).variables] == ["m0", "M1"]
    assert (tmp_path / "scan.in.slha").read_text() == text.replace("125.0", "m0").replace("200.0", "M1")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "missing: your code"),
        (["--function", "mine:f"], "missing: variables"),
        (["--function", "mine:g"], "has no function 'g'"),
        (["--function", "other:f"], "cannot be read"),
        (["--variable", "m0=1"], "'m0=1' is not NAME=NUMBER,NUMBER"),
        (["--command", "x", "--variable", "m0=1,2", "--observable", "a=1,2"], "name an SLHA input file with --slha"),
        (["--slha", "/nowhere"], "cannot be read"),
    ],
)
def test_missing_input_is_named_and_nothing_is_written(tmp_path, flags, words):
    (tmp_path / "mine.py").write_text("def f(point):\n    return 1\n")
    command = [sys.executable, "-m", "proposer", "init", str(tmp_path / "scan.yaml"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and words in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".py"] == []


def is_shown(words: str, shown: list[str]) -> bool:
    return any(words in line for line in shown)


def test_init_asks_questions_on_a_terminal(tmp_path):
    (tmp_path / "mine.py").write_text("def f(point):\n    return compute(point)\n")
    file = tmp_path / "scan.yaml"
    with Terminal("-m", "proposer", "init", str(file)) as terminal:
        turns = [
            ("your code", "mine:f"),
            ("variables, as", "x=0,1 y=-2,2"),
            ("observables, as", "a=1,0.5"),
            ("good points", "70"),
            ("a point is good", "2.5"),
        ]
        terminal.answer(is_shown, turns)
        assert terminal.wait() == 0
    scan = read_scan_file(file)
    assert [variable.name for variable in scan.variables] == ["x", "y"] and scan.setup.integer("points") == 70
    assert scan.networks.raw("threshold_value") == 2.5


def test_doctor_says_what_to_fix(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    where = ["--evaluator", f"unix:{tmp_path}/wire"]
    assert main(["doctor", *where]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok    torch: ") for line in lines)
    assert "ok    locks: this folder can be written and locked" in lines
    (wrong,) = [line for line in lines if line.startswith("mend  evaluator at")]
    assert "no evaluator answers" in wrong and "; start one with `lodescan-evaluator serve" in wrong
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", *where, *where])
    assert "error: --evaluator is given twice; name one\n" in capsys.readouterr().err


def test_doctor_says_why_an_announced_evaluator_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pool = tmp_path / "pool"
    pool.mkdir()
    (pool / "node1-1.evaluator").write_text("192.0.2.1:50051\n")
    assert main(["doctor", "--evaluator", f"dir:{pool}"]) == 1
    (wrong,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mend  evaluator at")]
    assert "192.0.2.1:50051 is another machine" in wrong and "give --tls-ca" in wrong


def test_doctor_starts_what_a_scan_needs(tmp_path, monkeypatch, capsys):
    """The packages and programs, because what is installed may nevertheless be damaged."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(doctor.PACKAGES, "cma", "broken")
    for name, script in (("fine", "exit 1"), ("spoiled", "echo grpc is missing >&2; exit 2")):
        program = tmp_path / f"envs/{name}/bin/lodescan-evaluator"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    (tmp_path / "envs/proposer").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "envs/proposer"))
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "ok    environments of evaluators: fine" in lines
    package, environment = (line for line in lines if line.startswith("mend"))
    assert "cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'; pip install" in package
    assert environment.startswith("mend  environment spoiled: its evaluator does not start: grpc is missing; remove ")
    assert environment.endswith("tools/environment.sh spoiled")


def test_numbers_lose_no_digits(tmp_path):
    flags = ["--variable", "mt=172.690001,172.690002", "--observable", "mh=125.1000001,1D-7", "--function", "mine:f"]
    (tmp_path / "mine.py").write_text("def f(point):\n    return compute(point)\n")
    assert main(["init", str(tmp_path / "scan.yaml"), *flags]) == 0
    scan = read_scan_file(tmp_path / "scan.yaml")
    assert (scan.variables[0].low, scan.variables[0].high) == (172.690001, 172.690002)
    likelihood = scan.all_observables()[0].likelihood
    assert (likelihood.mean, likelihood.sigma) == (125.1000001, 1e-7)


def test_an_slha_file_may_have_any_encoding_and_indentation(tmp_path):
    text = "# Größe\r\n  block minpar\r\n 1 5.0 # m0\r\nDECAY 25 1.0\r\n 2 7.0\r\n".encode("latin-1")
    (tmp_path / "input.slha").write_bytes(text)
    flags = ["--slha", str(tmp_path / "input.slha"), "--command", "cp {input} {output}", "--observable", "mh=125,2"]
    assert main(["init", str(tmp_path / "scan.yaml"), *flags]) == 0
    assert [variable.name for variable in read_scan_file(tmp_path / "scan.yaml").variables] == ["m0"]
    expected = text.replace(b"\r", b"").replace(b"5.0", b"m0")
    assert (tmp_path / "scan.in.slha").read_bytes() == expected


@pytest.mark.parametrize("name", ["my #scan.yaml", "a: b.yaml", "größe 😀.yaml"])
def test_texts_that_are_not_utf_8_and_odd_names_give_a_good_file(tmp_path, capsys, name):
    """The comment of an entry that stays stands in the scan file and in a message."""
    text = b"Block MINPAR\n    1   125.0    # m0\n    4 1 # sign f\xfcr\x85mu\nBlock \xfc\n    1  2.0  # a\n"
    (tmp_path / "in.slha").write_bytes(text)
    flags = ["--slha", str(tmp_path / "in.slha"), "--command", "cp {input} {output}", "--observable", "mh=125,2"]
    assert main(["init", str(tmp_path / name), *flags]) == 0
    stays = "MINPAR,4 (sign f\N{REPLACEMENT CHARACTER}r\N{REPLACEMENT CHARACTER}mu) = 1: a sign"
    assert stays in (tmp_path / name).read_text(encoding="utf-8") and stays in capsys.readouterr().out
    template = (tmp_path / name).with_suffix(".in.slha")
    assert template.read_bytes() == text.replace(b"125.0", b"m0")
    scan = read_scan_file(tmp_path / name)
    assert [variable.name for variable in scan.variables] == ["m0"]
    assert scan.codes[0].section.path_text("input_file") == template.name


@pytest.mark.parametrize("flags", [["--name", "m\udcfc"], ["--command", "c\udcfcp {input} {output}"]])
def test_names_that_are_not_utf_8_are_refused_before_anything_is_written(tmp_path, capsys, flags):
    (tmp_path / "in.slha").write_text(SLHA)
    given = ["--command", "cp {input} {output}", "--slha", str(tmp_path / "in.slha"), "--observable", "mh=125,2"]
    assert main(["init", str(tmp_path / "scan.yaml"), *given, *flags]) == 2
    assert "is not UTF-8" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.slha"]


def test_the_source_of_a_function_may_name_its_encoding(tmp_path):
    source = "# -*- coding: latin-1 -*-\ndef f(m0, m1):\n    return {'mh': m0}  # Größe\n"
    (tmp_path / "mine.py").write_bytes(source.encode("latin-1"))
    assert main(["init", str(tmp_path / "scan.yaml"), "--function", "mine:f"]) == 0
    assert [variable.name for variable in read_scan_file(tmp_path / "scan.yaml").variables] == ["m0", "m1"]
