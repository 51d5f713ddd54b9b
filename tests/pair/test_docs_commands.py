"""Runs the commands of the pages on a run: its state, its report, its pictures and exports, its further use, and many
evaluators. The runs have the names of the pages, and a small code in place of theirs.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.evaluator.serving import ServeProcess
from tests.pair.processes import ROOT

PROGRAM = ROOT / ".envs" / "proposer" / "bin" / "lodescan"

STAU = """\
setup: {run_name: simsusy_stau, type: RANDOM, seed: 1, points: 20}
variables: {tanb: [2, 60], M1: [50, 1000]}
codes:
  stau:
    function: stau:observables
    observables: {mchi10: {unit: GeV}, mstau1: {mean: 300, sigma: 50, unit: GeV}}
networks: {threshold_value: 10}
"""
STAU_CODE = """\
def observables(point):
    return {"mchi10": 0.98 * point["M1"], "mstau1": point["M1"] + point["tanb"]}
"""


def commands(page: str) -> list[str]:
    """The commands of lodescan on a page, without the comments behind them."""
    text = (ROOT / "docs" / page).read_text()
    return [re.sub(r" +# .*", "", line) for line in re.findall(r"^\$ (lodescan .*)$", text, re.MULTILINE)]


class Reader:
    """A folder in which the commands of a page run, with the evaluators that they name at other addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses: dict[str, str] = {}

    def __call__(self, command: str) -> str:
        for named, actual in self.addresses.items():
            command = command.replace(named, actual)
        command = re.sub(r"^lodescan", str(PROGRAM), command)
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    for path in ROOT.glob("examples/toy3d.*"):
        text = path.read_text().replace("points: 1000", "points: 5").replace("type: MLS_DNNC", "type: RANDOM")
        (tmp_path / path.name).write_text(text)
    return Reader(tmp_path)


@pytest.fixture
def serve(reader: Reader) -> Iterator[Callable[..., str]]:
    """Starts an evaluator of a scan file, with more options. Returns its address."""
    started: list[ServeProcess] = []

    def start(file: str, *options: str) -> str:
        log, python = reader.folder / f"evaluator{len(started)}", ROOT / ".envs/evaluator/bin/python"
        process = ServeProcess(reader.folder / file, log, python=python, options=["--grace", "0.5", *options])
        started.append(process)
        return process.address

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def stau(reader: Reader, serve: Callable[..., str]) -> Reader:
    """A run in runs/simsusy_stau."""
    (reader.folder / "stau.yaml").write_text(STAU)
    (reader.folder / "stau.py").write_text(STAU_CODE)
    reader(f"lodescan scan stau.yaml --evaluator {serve('stau.yaml')} --no-report")
    return reader


@pytest.mark.slow
def test_the_commands_on_the_page_on_pictures_and_exports_work(stau: Reader) -> None:
    done = commands("plots.md")
    said = {command: stau(command) for command in done}
    assert len(said) == 8
    folder = stau.folder / "runs/simsusy_stau"
    for path in ("plots/mchi10-mstau1.pdf", "points.csv", "points.h5", "chains/simsusy_stau.txt"):
        assert (folder / path).stat().st_size > 0
    for path in ("chains/simsusy_stau.csv", "chains/simsusy_stau.nc", "../../strip.pdf", "../../pictures.png"):
        assert (folder / path).stat().st_size > 0
    page = (ROOT / "docs/plots.md").read_text()
    for line in re.findall(r"^(?:drawn|written): .*$", page, re.MULTILINE):
        assert any(line in text for text in said.values()), line


@pytest.mark.slow
def test_the_commands_on_the_pages_on_a_run_and_its_report_work(stau: Reader) -> None:
    (status,) = commands("runs.md")
    said = stau(status)
    assert re.search(r"^runs/simsusy_stau: \d+ of 20 good points \(NLL below 10\)$", said, re.MULTILINE)
    for name in ("lode", "mls"):
        shutil.copytree(stau.folder / "runs/simsusy_stau", stau.folder / "runs" / name)
    one, two, serve = commands("report.md")
    page = (ROOT / "docs/report.md").read_text()
    assert stau(one) == "\n".join(re.findall(r"^(?:written|pictures): .*$", page, re.MULTILINE)) + "\n"
    assert "written: both.html" in stau(two) and (stau.folder / "both.html").exists()
    with subprocess.Popen(
        [PROGRAM, *serve.split()[1:], "--listen", "127.0.0.1:0"], cwd=stau.folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert re.sub(r":\d+/", ":5080/", line) in page


@pytest.mark.slow
def test_the_commands_on_the_page_on_a_run_s_further_use_work(
    reader: Reader, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(reader.folder / "home"))
    address = serve("toy3d.yaml")
    reader.addresses = {"127.0.0.1:50051": address}
    text = (reader.folder / "toy3d.yaml").read_text()
    (reader.folder / "tighter.yaml").write_text(
        text.replace("run_name: toy3d", "run_name: tighter").replace("sigma: 10", "sigma: 5")
    )
    reader(f"lodescan scan toy3d.yaml --evaluator {address} --no-report")
    reader(f"lodescan scan toy3d.yaml --run runs/second --seed 2 --evaluator {address} --no-report")
    (reader.folder / "home/.config/fish/completions").mkdir(parents=True)  # the line with mkdir
    done = commands("looking.md")
    said = {command.split()[1]: reader(command) for command in done}
    assert list(said) == ["check", "point", "retry", "rescore", "compare", "merge", "doctor", "completion"]
    assert "which is finished" in said["check"] and "point 17: OK" in said["point"]
    assert "nothing to do" in said["retry"] and "runs/tighter" in said["rescore"]
    assert "runs/second: " in said["compare"] and "runs/both: " in said["merge"]
    assert address in said["doctor"]
    assert "complete" in (reader.folder / "home/.config/fish/completions/lodescan.fish").read_text()
    watched = reader("lodescan watch runs/toy3d")  # named in the text
    assert "5 good points found" in watched


@pytest.mark.slow
def test_the_commands_on_the_page_on_many_evaluators_work(reader: Reader, serve: Callable[..., str]) -> None:
    shared = reader.folder / "shared"
    addresses = [serve("toy3d.yaml", "--announce", str(shared)) for _ in range(2)]
    ports = [address.rpartition(":")[2] for address in addresses]
    reader.addresses = dict(zip(("node1:50051", "node2:50051"), addresses, strict=True))
    reader.addresses |= {"dns:///evaluators:50051": f"dns:///localhost:{ports[0]}", "/shared/evaluators": str(shared)}
    for number, command in enumerate(commands("many.md")):
        (reader.folder / "scan.yaml").write_text(
            (reader.folder / "toy3d.yaml").read_text().replace("run_name: toy3d", f"run_name: run{number}")
        )
        assert "5 good points found" in reader(f"{command} --no-report")
        used = json.loads(reader(f"lodescan status runs/run{number} --json"))["evaluators"]
        assert {entry["address"].rpartition(":")[2] for entry in used} <= set(ports)
    assert number == 2
