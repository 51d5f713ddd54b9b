"""Bad input gives exit code 2 (3 without an evaluator) and one clear message, and nothing is written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.__main__ import main
from tests.pair.conftest import (
    EvaluatorProcess,
    Said,
    ScanFolder,
    contents,
    environment,
    meta,
    read_run,
    torch_as_before,
)
from tests.pair.processes import ProposerProcess, quickly

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
Shared = tuple[ScanFolder, EvaluatorProcess]


def refused(said: Said, *words: str, code: int = 2) -> None:
    """Checks that stderr has one message, which contains all `words`, and perhaps the next step."""
    lines = [line for line in said.err.strip().splitlines() if not line.startswith("next: ")]
    assert said.code == code, said.err
    assert said.out == ""
    (first,) = [number for number, line in enumerate(lines) if line.startswith("lodescan: ")]
    assert "Traceback" not in said.err
    message = "\n".join(lines[first:])  # the message with its next step
    for word in words:
        assert word in message, said.err


# Faults of the file itself: (a piece of it, its replacement, words of the message).
BAD_FILES = {
    "unknown key": ("bootstrap_points: 60", "bootstrap_point: 60", ["scan.yaml, line 19", "'bootstrap_points'"]),
    "unknown section": ("networks:", "network:", ["line 17", "'networks'"]),
    "wrong type": ("iterations: 3", "iterations: many", ["line 22", "iterations", "whole number"]),
    "wrong type of seed": ("seed: 1\n", "seed: 1.5\n", ["seed is 1.5", "whole number"]),
    "negative seed": ("seed: 1\n", "seed: -1\n", ["seed is -1", "at least 0"]),
    "wrong type of verbose": ("iterations: 3", "verbose: many", ["line 22", "verbose", "whole number"]),
    "wrong type of points": ("points: 100000", "points: [1, 2]", ["line 3", "points"]),
    "no good points": ("points: 100000", "points: 0", ["line 3", "at least 1"]),
    "empty range": (
        "x: {range: [0, 1]}",
        "x: {range: [0, 1], prior: {type: normal, mean: 0, sigma: 1, low: 2}}",
        ["line 7", "'x'", "range is empty"],
    ),
    "all fixed": ("range: [-2, 2]", "range: [2]", ["line 8", "y", "2 numbers"]),
    "NaN": ("x: {range: [0, 1]}", "x: {range: [0, .nan]}", ["line 7", "x", "numbers"]),
    "NaN threshold": ("threshold_value: 2", "threshold_value: .nan", ["line 18", "threshold_value", "number"]),
    "infinite threshold": (
        "threshold_value: 2",
        "threshold_value: .inf",
        ["line 18", "threshold_value is inf", "finite number"],
    ),
    "far from its prior": (
        "x: {range: [0, 1]}",
        "x: {range: [0, 1], prior: {type: normal, mean: 9, sigma: 1e-7}}",
        ["'x'", "standard deviations"],
    ),
    "log-uniform from zero": ("y: {range: [-2, 2]}", "y: {range: [0, 2], prior: log-uniform}", ["line 8", "above 0"]),
    "unknown prior": ("prior: log-uniform", "prior: jeffreys", ["line 9", "'jeffreys'"]),
    "unknown scaling": ("scaling: GAUSS", "scaling: GAUS", ["line 15", "'GAUS'", "did you mean 'GAUSS'"]),
    "LOGUSER": ("scaling: GAUSS", "scaling: LOGUSER", ["EXPUSER", "MINUSEXPUSER"]),
    "sigma of zero": ("sigma: 0.1", "sigma: 0", ["line 15", "sigma", "above 0"]),
    "no likelihood": ("scaling: GAUSS", "scaling: 'OFF'", ["no observable enters the likelihood"]),
    "duplicate variable": ("  y: {range", "  x: {range", ["line 8", "x"]),
    "duplicate key": ("  epochs: 4", "  epochs: 4\n  epochs: 5", ["line 25", "epochs"]),
    "a key in two spellings": ("  epochs: 4", "  epochs: 4\n  Epochs: 5", ["line 25", "same key"]),
    "share above one": ("  epochs: 4", "  random_fraction: 1.5", ["line 24", "random_fraction", "at most 1"]),
    "unknown type": ("type: MLS_DNNC", "type: MLS_DNNX", ["line 5", "'MLS_DNNX'", "MLS_DNNC"]),
    "another type of BSMArt": ("type: MLS_DNNC", "type: MCMC", ["'MCMC' is a scan of BSMArt", "type: LODE", "evenly"]),
    "a regressor of BSMArt": (
        "type: MLS_DNNC",
        "type: MLScanner.MLS_DNNR",
        ["'MLScanner.MLS_DNNR' is a scan of BSMArt", "type: MLS_DNNC"],
    ),
    "no hours": ("  seed: 1", "  max_hours: 0", ["line 4", "max_hours", "more than 0"]),
    "broken YAML": ("networks:", "networks: {", ["scan.yaml, line"]),
    "missing CSV": ("  seed: 1", "  init_csv: none.csv", ["line 4", "none.csv", "cannot be read"]),
    "a name that is a column": ("  x: {range", "  NLL: {range", ["line 7", "NLL"]),
    "a name that is a column in tables": ("  x: {range", "  message: {range", ["'message'"]),
}


@pytest.mark.parametrize(("old", "new", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_scan_file_is_refused(
    old: str, new: str, words: list[str], make_scan: MakeScan, shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan()
    scan.replace(old, new)
    run = tmp_path / "run"
    refused(lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run), str(scan.file), *words)
    assert not run.exists()
    refused(lodescan("check", scan.file), str(scan.file), *words)


def test_a_missing_scan_file_is_named(lodescan: Lodescan, tmp_path: Path) -> None:
    refused(lodescan("scan", tmp_path / "none.yaml", "--run", tmp_path / "run"), "none.yaml", "cannot be read")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [["--seed", "-1"], ["--seed", "x"], ["--wait", "-1"], ["--wait", "nan"], ["--fast"]], ids=" ".join
)
def test_bad_options_are_refused(options: list[str], shared: Shared, lodescan: Lodescan, tmp_path: Path) -> None:
    said = lodescan("scan", shared[0].file, "--run", tmp_path / "run", *options)
    assert (said.code, options[0] in said.err, (tmp_path / "run").exists()) == (2, True, False)


# Changes after which the file no longer fits the run: (a piece of the file, its replacement, words of the message).
OTHER_FILES = {
    "range": ("x: {range: [0, 1]}", "x: {range: [0.2, 0.8]}", ["variables: x: range is [0, 1], in this one [0.2"]),
    "prior": ("prior: log-uniform", "prior: uniform", ["variables: z: prior", "log-uniform", "uniform"]),
    "network setting": ("neurons: 12", "neurons: 13", ["networks: neurons", "12", "13"]),
    "threshold": ("threshold_value: 2", "threshold_value: 3", ["networks: threshold_value", "2", "3"]),
    "one more key": ("epochs: 4", "epochs: 4\n  k_initial: 3", ["does not have networks: k_initial, this one has (3)"]),
    "one key less": ("  epochs: 4\n", "", ["has networks: epochs (4), this one does not"]),
    "seed in the file": ("seed: 1", "seed: 2", ["seed is 1, not 2"]),
}

# Changes that leave the meaning as it is, are for people, or set how long a code may take.
SAME_FILES = {
    "a spelling": ("  epochs: 4", "  verbose: 1\n  Epochs: 4.0"),
    "a range alone": ("x: {range: [0, 1]}", "x: [0, 1]"),
    "a label and a unit": ("x: {range: [0, 1]}", 'x: {range: [0.0, 1e0], label: "$x$", unit: GeV, description: it}'),
    "words of an observable": ("r: {scaling", "r: {label: radius, unit: m, scaling"),
    "what holds anyway": ("  epochs: 4", "  epochs: 4\n  k_initial: 5"),
    "a time-out": ("timeout: 60", "timeout: 120"),
}


@pytest.fixture(scope="module")
def finished(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the shared scan. No test may change it."""
    run = tmp_path_factory.mktemp("finished") / "run"
    command = ("scan", shared[0].file, "--evaluator", shared[1].address, "--run", run)
    with torch_as_before():
        assert main(quickly(*command)) == 0
    return run


@pytest.mark.parametrize(("old", "new", "words"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_the_folder_of_another_scan_file_is_refused(
    old: str, new: str, words: list[str], finished: Path, shared: Shared, make_scan: MakeScan, lodescan: Lodescan
) -> None:
    scan, before = make_scan(), contents(finished)
    scan.replace(old, new)
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", finished)
    refused(said, str(finished), "holds another run", *words)
    assert contents(finished) == before


@pytest.mark.parametrize(("old", "new"), SAME_FILES.values(), ids=SAME_FILES)
def test_a_file_with_the_same_meaning_goes_on(
    old: str, new: str, finished: Path, shared: Shared, make_scan: MakeScan, lodescan: Lodescan
) -> None:
    scan, before = make_scan(), read_run(finished).history()
    scan.replace(old, new)
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", finished)
    assert said.code == 0, said.err
    assert read_run(finished).history() == before


def test_another_seed_is_refused(finished: Path, shared: Shared, lodescan: Lodescan) -> None:
    before = contents(finished)
    said = lodescan("scan", shared[0].file, "--evaluator", shared[1].address, "--run", finished, "--seed", 7)
    refused(said, "seed is 1, not 7")
    assert contents(finished) == before


def test_another_physics_is_refused(
    finished: Path, shared: Shared, make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan
) -> None:
    scan, before = make_scan(body="x = x + 0.0"), contents(finished)
    other = start_evaluator(scan.file)
    said = lodescan("scan", shared[0].file, "--evaluator", other.address, "--run", finished)
    refused(said, str(finished), "computed something else: ball: file physics.py has changed;")
    assert contents(finished) == before


def test_with_same_physics_a_run_goes_on_although_a_file_changed(
    shared: Shared, make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    """Only a comment changed. With --same-physics the run goes on, and keeps a record of this."""
    run, before = tmp_path / "run", make_scan("before", setup="  seed: 1\n  type: RANDOM\n  max_evaluations: 20")
    after = make_scan("after", body="# a comment\npass", setup="  seed: 1\n  type: RANDOM\n  max_evaluations: 30")
    assert lodescan("scan", before.file, "--evaluator", shared[1].address, "--run", run).code == 5
    other = start_evaluator(after.file)
    command = ("scan", after.file, "--evaluator", other.address, "--run", run)
    refused(lodescan(*command), "file physics.py has changed", "--same-physics goes on")
    assert '"same_physics"' not in (run / "manifest.json").read_text()
    said = lodescan(*command, "--same-physics")
    assert said.code == 0, said.err
    assert len(read_run(run).ids) == 30
    for stored in (json.loads((run / "manifest.json").read_text()), meta(run)):
        (accepted,) = stored["same_physics"]
        assert accepted["changed"] == ["ball: file physics.py has changed"]
        assert accepted["now"] == stored["physics_digest"] != accepted["before"]
    assert lodescan(*command).code == 0  # it has to be said only once
    refused(lodescan("scan", after.file, "--evaluator", shared[1].address, "--run", run), "has changed")


def test_another_likelihood_is_refused(
    finished: Path, make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan
) -> None:
    scan, before = make_scan(sigma=0.2), contents(finished)
    other = start_evaluator(scan.file)
    said = lodescan("scan", scan.file, "--evaluator", other.address, "--run", finished)
    refused(said, str(finished), "sigma is 0.1, in this one 0.2")
    assert contents(finished) == before


# Differences between the proposer's scan file and that of the evaluator, which is the shared one.
DISAGREEMENTS = {
    "other parameter": ("  y: {range", "  w: {range", ["does not know the variable 'w'", "needs the variable 'y'"]),
    "missing parameter": ("  y: {range: [-2, 2]}\n", "", ["needs the variable 'y'"]),
    "wider range": ("y: {range: [-2, 2]}", "y: {range: [-3, 2]}", ["range of 'y'", "[-3, 2]", "[-2, 2]"]),
    "other sigma": ("sigma: 0.1", "sigma: 0.3", ["likelihood of 'r'", "GAUSS 0 +- 0.3", "GAUSS 0 +- 0.1"]),
    "other scaling": ("scaling: GAUSS", "scaling: UPPER", ["likelihood of 'r'", "UPPER", "GAUSS"]),
    "window": ("sigma: 0.1", "sigma: 0.1, valid: [0, 1]", ["window of 'r'", "[0.0, 1.0]", "open"]),
    "another function": (
        "physics:observables",
        "physics:others",
        ["the code 'ball' is `function: physics:others` in the scan file, `function: physics:observables` at the"],
    ),
    "a command": (
        "function: physics:observables",
        "command: /opt/ball -x {input} {output}",
        ["the code 'ball' is `command: ball -x {input} {output}` in the scan file"],
    ),
    "another code": ("  ball:\n", "  bowl:\n", ["the codes are bowl in the scan file, ball at the evaluator"]),
    "other observable": ("      r: {", "      q: {", ["does not give the observable 'q'", "scores the observable 'r'"]),
}


@pytest.mark.parametrize(("old", "new", "words"), DISAGREEMENTS.values(), ids=DISAGREEMENTS)
def test_an_evaluator_with_another_scan_file_is_refused(
    old: str, new: str, words: list[str], shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan()
    scan.replace(old, new)
    for command in ("scan", scan.file, "--run", tmp_path / "run"), ("check", scan.file):
        said = lodescan(*command, "--evaluator", shared[1].address)
        assert said.code == 2
        for word in [shared[1].address, "start it with the same scan file", *words]:
            assert word in said.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_check_accepts_an_evaluator_that_fits(shared: Shared, lodescan: Lodescan) -> None:
    said = lodescan("check", shared[0].file, "--evaluator", shared[1].address)
    assert (said.code, said.err) == (0, "")
    for word in ("run 'ball'", "z: 10 to 1000, log-uniform", "r: GAUSS 0 +- 0.1", "NLL below 2", "agree"):
        assert word in said.out


@pytest.mark.slow
def test_a_folder_in_use_is_refused(
    make_scan: MakeScan,
    start_evaluator: StartEvaluator,
    start_proposer: Callable[..., ProposerProcess],
    lodescan: Lodescan,
    tmp_path: Path,
) -> None:
    scan = make_scan(body="time.sleep(0.05)")
    evaluator = start_evaluator(scan.file)
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    first = start_proposer(*command)
    assert first.wait_for("good: NLL below")
    refused(lodescan(*command), "in use by process", str(first.process.pid))
    assert first.process.poll() is None
    first.process.terminate()
    assert first.wait() == 143


def test_a_folder_that_cannot_be_written_is_named(shared: Shared, lodescan: Lodescan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = tmp_path / "file" / "run"
    said = lodescan("scan", shared[0].file, "--evaluator", shared[1].address, "--run", run)
    refused(said, str(run), "cannot be written")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("50051", ["'50051' is not an address", "HOST:PORT"]),
        ("localhost", ["'localhost' is not an address"]),
        ("localhost:http", ["is not an address"]),
        ("127.0.0.1:117414", ["117414", "65535"]),  # this port is 51878 in 16 bits
        ("127.0.0.1:99999", ["99999", "65535"]),
        ("127.0.0.1:-1", ["'-1' is not a port"]),
        ("127.0.0.1:0", ["port 0 is not a port"]),
        ("unix:" + "/long" * 30, ["at most 107 bytes"]),
        ("192.0.2.1:50051", ["192.0.2.1:50051 is another machine", "--insecure"]),
        ("example.invalid:50051", ["another machine", "--insecure"]),
        ("[2001:db8::1]:50051", ["another machine", "--insecure"]),
    ],
)
def test_bad_addresses_are_refused(
    address: str, words: list[str], shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    start = time.monotonic()
    refused(lodescan("scan", shared[0].file, "--evaluator", address, "--run", tmp_path / "run"), *words)
    refused(lodescan("check", shared[0].file, "--evaluator", address), *words)
    assert not (tmp_path / "run").exists()
    assert time.monotonic() - start < 5


def test_a_missing_evaluator_gives_exit_code_3(shared: Shared, lodescan: Lodescan, tmp_path: Path) -> None:
    address, run = "127.0.0.1:9", tmp_path / "run"
    said = lodescan("scan", shared[0].file, "--evaluator", address, "--run", run, "--wait", 1)
    command = f"`lodescan-evaluator serve {shared[0].file} --listen {address}`"
    refused(said, address, f"start one with {command}", code=3)
    assert said.err.startswith(f"waiting for an evaluator at {address} (up to 1 s)\n")
    assert not run.exists()


def test_a_run_name_is_shown_without_control_sequences(make_scan: MakeScan, lodescan: Lodescan) -> None:
    scan = make_scan()
    scan.replace("run_name: ball", 'run_name: "a\\e[2Jb"')
    scan.file.write_text(scan.file.read_text().replace("r: {scaling", '"r\\e[31m": {scaling'))
    said = lodescan("check", scan.file)
    assert said.code == 2 and "line 2: '\\x1b' " in said.err
    assert "\x1b" not in said.out + said.err


@pytest.mark.slow
def test_evaluators_are_reached_without_the_web_proxy(
    shared: Shared, start_proposer: Callable[..., ProposerProcess], tmp_path: Path
) -> None:
    scan, evaluator = shared
    with environment(http_proxy="http://127.0.0.1:9", no_proxy=""):
        proposer = start_proposer("check", scan.file, "--evaluator", evaluator.address)
    assert proposer.wait() == 0, proposer.said


@pytest.mark.slow
def test_an_evaluator_that_vanishes_gives_exit_code_3(
    make_scan: MakeScan, start_evaluator: StartEvaluator, start_proposer: Callable[..., ProposerProcess], tmp_path: Path
) -> None:
    scan = make_scan(body="time.sleep(0.01)", iterations=1)
    evaluator, run = start_evaluator(scan.file), tmp_path / "run"
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", run, "--wait", 2)
    proposer = start_proposer(*command)
    assert proposer.wait_for("| ")  # by then results have come
    evaluator.kill()
    assert proposer.wait() == 3, proposer.said
    assert f"lost the evaluator at {evaluator.address}" in proposer.said
    assert proposer.said.count("lost the evaluator") == 1
    assert proposer.said.splitlines()[-1].startswith(f"lodescan: no evaluator answers at {evaluator.address}")
    stored = read_run(run).history()
    evaluator.restart()
    proposer = start_proposer(*command)
    assert proposer.wait() == 0, proposer.said
    assert set(stored) < set(read_run(run).history())


@pytest.mark.parametrize(("changed", "word"), [("physics", "physics"), ("sigma", "likelihood")])
@pytest.mark.slow
def test_an_evaluator_that_comes_back_with_another_physics_is_refused(
    changed: str,
    word: str,
    make_scan: MakeScan,
    start_evaluator: StartEvaluator,
    lodescan: Lodescan,
    start_proposer: Callable[..., ProposerProcess],
    tmp_path: Path,
) -> None:
    scan, evaluators = make_scan(body="time.sleep(0.02)"), make_scan("evaluator", body="time.sleep(0.02)")
    evaluator, run = start_evaluator(evaluators.file), tmp_path / "run"
    proposer = start_proposer("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    assert proposer.wait_for("| ")
    evaluator.kill()
    if changed == "physics":
        evaluators.physics("time.sleep(0.021)")
    else:
        evaluators.write(sigma=0.2)
    stored = read_run(run).history()
    evaluator.restart()
    assert proposer.wait() == 2, proposer.said
    assert re.search(rf"now has another {word}( \(.*\))? than this run started with", proposer.said)
    assert set(stored) <= set(read_run(run).history())
    assert "Traceback" not in proposer.said
