"""The documents: their Python code runs, the dataset can be read while a scan writes it, and every command of lodescan
has valid options. docs/backends.md is tested elsewhere.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evaluator.commands.main import make_parser as evaluators
from proposer.commands.parser import make_parser
from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess
from tests.proposer.datasets import count

ROOT = Path(__file__).parents[2]
OTHERS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "examples/README.md")
PAGES = [*(ROOT / page for page in OTHERS), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
READERS = ROOT / ".envs" / "readers" / "bin"

WRITER = """
import math, time, proposer

def ring(point):
    time.sleep(0.002)
    return {"radius": math.hypot(point["x"], point["y"])}

problem = proposer.Problem(
    variables={"x": (-3, 3), "y": (-3, 3)}, observables={"radius": (2.0, 0.1)}, code=ring, threshold=2.0,
    points=10**6, setup={"type": "RANDOM"},
)
proposer.scan(problem, folder="runs/ring", seed=1, workers=1, quiet=True)
"""


def blocks(page: str) -> list[tuple[str, str]]:
    return [(block["kind"], block["text"]) for block in BLOCK.finditer((ROOT / page).read_text())]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_code_on_the_page_on_python_works(
    tmp_path: Path, start_evaluator: Callable[..., EvaluatorProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ROOT.glob("examples/toy3d.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    file = (tmp_path / "toy3d.yaml").rename(tmp_path / "scan.yaml")
    file.write_text(re.sub(r"points: \d+", "points: 5", file.read_text()).replace("type: MLS_DNNC", "type: RANDOM"))
    evaluator = start_evaluator(file)
    script = "\n".join(text for kind, text in blocks("docs/python.md") if kind == "python")
    (tmp_path / "page.py").write_text(script.replace("127.0.0.1:50051", evaluator.address))
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Run\('runs/ring'\): \d+ points, [5-9]\d good", done.stdout, re.MULTILINE)
    assert (tmp_path / "runs/ring/report.html").exists() and (tmp_path / "runs/ring/plots/x-y.pdf").exists()
    assert (tmp_path / "runs/toy3d/good_points.csv").exists()


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A scan that is running in runs/ring."""
    (tmp_path / "writer.py").write_text(WRITER)
    process = subprocess.Popen([sys.executable, "writer.py"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    dataset = tmp_path / "runs/ring/dataset.sqlite"
    assert wait_until(lambda: count(dataset, "NLL < 2") >= 5 or process.poll() is not None)
    assert process.poll() is None
    yield process
    process.send_signal(signal.SIGINT)
    process.wait()


@pytest.mark.slow
def test_the_dataset_is_read_while_a_scan_writes_it(tmp_path: Path, writing: subprocess.Popen[bytes]) -> None:
    if not READERS.exists():
        pytest.skip("tools/environment.sh readers makes the environment of DuckDB and datasette")
    environment = {**os.environ, "PATH": f"{READERS}:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"}
    said = []
    for kind, text in blocks("docs/dataset.md"):
        commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        if kind == "python":
            python = READERS / "python" if "import duckdb" in text else sys.executable
            commands = [shlex.join([str(python), "-c", text])]
        assert commands
        for command in commands:
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0 and done.stdout, f"{command}\n{done.stderr}"
            said.append(done.stdout)
    assert writing.poll() is None, "the scan goes on"
    best, statuses, columns, ranges, first, table, duckdb, datasette = said
    assert len(best.splitlines()) == 5 and statuses.startswith("status,points\n") and "\nOK," in statuses
    assert "x|variable||" in columns and "radius|observable||GAUSS 2 +- 0.1" in columns
    assert ranges == "x|[-3.0,3.0]\ny|[-3.0,3.0]\n"
    assert first.startswith("(") and "random" in table and "random" in duckdb and '"NLL"' in datasette


@pytest.mark.parametrize("old", ["run", "timed"])
def test_the_query_on_descriptions_works_for_a_run_of_an_older_version(tmp_path: Path, old: str) -> None:
    shutil.copytree(ROOT / "tests/data/format3" / old, tmp_path / "run")
    (command,) = re.findall(r"^\$ (sqlite3 .*description.*)$", (ROOT / "docs/dataset.md").read_text(), re.MULTILINE)
    with closing(sqlite3.connect(tmp_path / "run/dataset.sqlite")) as db:
        assert db.execute(shlex.split(command)[-1]).fetchall() == [("m0", None), ("M0_2", None)]


@pytest.mark.slow
def test_the_commands_of_the_tutorial_work(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    for path in ROOT.glob("examples/toy3d.*"):
        (tmp_path / "examples" / path.name).write_text(path.read_text().replace("points: 1000", "points: 50"))
    text = (ROOT / "docs/tutorial.md").read_text()
    for file, content in re.findall(r"^`(\S+)`\n```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content)
    programs = dict(re.findall(r"^\$ alias (\S+)=\$PWD/(\S+)$", text, re.MULTILINE))
    assert len(programs) == 2
    said = {}
    for kind, block in blocks("docs/tutorial.md"):
        for command in [line[2:] for line in block.splitlines() if kind == "console" and line.startswith("$ lodescan")]:
            words = shlex.split(command)
            if words[-1] == "runs/toy" and words[1] == "run":
                words.append("--no-report")  # only the report of the second scan is checked
            done = subprocess.run(
                [ROOT / programs[words[0]], *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            said[command] = done.stdout + done.stderr
    assert len(said) == 7
    assert "50 good points found" in said["lodescan run examples/toy3d.yaml --run runs/toy"]
    assert "100 good points found" in said["lodescan run mymodel/scan.yaml --run runs/higgs"]
    with sqlite3.connect(tmp_path / "runs/higgs/dataset.sqlite") as db:
        mu2, lam = db.execute("SELECT avg(mu2), avg(lam) FROM points WHERE NLL < 3").fetchone()
    assert lam == pytest.approx(0.13, abs=0.01) and mu2 == pytest.approx(7800, abs=300)  # the values in the text
    assert (tmp_path / "runs/higgs/region.png").exists() and (tmp_path / "runs/higgs/report.html").exists()


def commands(program: str) -> list[tuple[str, str]]:
    """Every command of this program in the documents, with its place."""
    found = []
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text()):
            text = block["text"].replace("\\\n", " ")
            found += [(page.name, line) for line in text.splitlines() if re.match(rf"(\$|  ) ?\S*{program} ", line)]
    return found


def arguments(command: str) -> list[str]:
    """The arguments that a shell would pass to the program."""
    command = re.sub(r"\$\(.*\)", "", command.lstrip("$ "))  # the shell would replace this
    words = [word for word in shlex.split(command, comments=True) if word not in ("&", "...")]
    return [word for word in words[1:] if not word.startswith(">")]


@pytest.mark.parametrize(("page", "command"), commands("lodescan"))
def test_every_command_of_lodescan_in_the_documents_is_valid(page: str, command: str) -> None:
    words = arguments(command)
    assert make_parser().parse_args(words).chosen == words[0], page


@pytest.mark.parametrize(("page", "command"), commands("lodescan-evaluator"))
def test_every_command_of_the_evaluator_in_the_documents_is_valid(page: str, command: str) -> None:
    words = arguments(command)
    assert evaluators().parse_args(words).run.__name__ == f"_{words[0]}", page


def test_python_blocks_compile() -> None:
    found = [
        (page.name, block["text"])
        for page in PAGES
        for block in BLOCK.finditer(page.read_text())
        if block[1] == "python"
    ]
    assert len(found) > 8
    for name, text in found:
        compile(text, name, "exec")
