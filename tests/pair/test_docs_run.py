"""Runs the commands of some documents in order: your own code in README.md, the fit of examples/README.md, the choice
of a strategy, nested sampling, and the notebook of the tutorial. `test_docs.py`, `test_docs_commands.py` and
`test_backends_doc.py` run those of other pages.
"""

import json
import math
import re
import subprocess
import sys

import pytest

from tests.pair.shells import ROOT, shell

__all__ = ["shell"]

READERS = ROOT / ".envs" / "readers" / "bin"


def section(page, title=""):
    text = (ROOT / page).read_text()
    return text[text.index(f"\n## {title}\n") :].split("\n## ")[1] if title else text


def commands(text):
    """The commands in all blocks of code, without the comments behind them."""
    return [re.sub(r" +# .*", "", line) for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE)]


@pytest.mark.slow
def test_the_readmes_commands_for_your_own_code_work(shell):
    folder, run = shell
    text = section("README.md", "Your own code")
    code = re.search(r"```python\n# my_model.py\n(.*?)```", text, re.DOTALL)[1]
    for gap, value in {'"mh": ...': '"mh": 250 * point["lam"] ** 0.5', '"omega": ...': '"omega": point["m0"]'}.items():
        code = code.replace(gap, value)
    assert "..." not in code
    (folder / "my_model.py").write_text(code)
    init = re.search(r"`(lodescan init [^`]*)`", text)[1]
    ranges = "--variable m0=1,900 --variable lam=0.01,20 --observable mh=125,10 --observable omega=500,200"
    run(f"{init} {ranges} --points 20")
    said = {command: run(command) for command in commands(text) if command.startswith(("lodescan", "kill"))}
    assert [command.split()[1] for command in said] == ["check", "point", "serve", "scan", "%1"]
    check, point, _, scan, _ = said.values()
    assert "mh" in check and "status OK" in point and "20 good points found" in scan
    assert "not perturbative" in run("lodescan-evaluator point my_model.yaml m0=500 lam=13")
    assert (folder / "debug").is_dir()


def copy_example(folder, name, points):
    """Copies the files of an example below the folder; `points` are its number of good points, and the one to write."""
    (folder / "examples").mkdir()
    before, after = points
    for path in ROOT.glob(f"examples/{name}.*"):
        (folder / "examples" / path.name).write_text(path.read_text().replace(f"points: {before}", f"points: {after}"))


@pytest.mark.slow
def test_the_fit_on_the_page_of_examples_works(shell):
    folder, run = shell
    copy_example(folder, "desi_bao", points=(500, 100))
    text = section("examples/README.md", "desi_bao: a fit's 68 and 95 % regions without knowing its lowest NLL")
    (quoted,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert quoted in (folder / "examples/desi_bao.yaml").read_text()
    said = {command.split()[1]: run(command) for command in commands(text)}
    assert list(said)[:2] == ["run", "plot"] and list(said)[-1] == "rescore"
    assert "68 % with 2 degrees of freedom; before: " in said["rescore"]
    assert re.search(r"^good: NLL less than 2.99573 above the lowest: 95 % ", said["run"], re.MULTILINE)
    assert (folder / "desi_bao.svg").exists() and (folder / "runs/desi_bao_68/good_points.csv").exists()
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    regions = re.findall(r"with 2 degrees of freedom (\d+) (\S+) (\S+)$", done.stdout, re.MULTILINE)
    (near, *narrow), (far, *wide) = [[float(number) for number in region] for region in regions]
    assert 10 < near < far >= 100 and wide[0] <= narrow[0] < 0.303 < narrow[1] <= wide[1]  # the value on the page


@pytest.mark.slow
def test_both_methods_on_the_page_on_strategies_work(shell):
    folder, run = shell
    copy_example(folder, "toy3d", points=(1000, 5))
    found = commands(section("docs/choosing.md"))
    said = {command: run(command) for command in found}
    assert len(said) == 5
    compared = said["lodescan compare runs/mls runs/lode"]
    assert re.search(r"runs/mls: \d+ good \(NLL below 0.5\)", compared) and "runs/lode: " in compared
    with_type, without = (folder / "examples" / name for name in ("toy3d.yaml", "toy3d_lode.yaml"))
    assert "MLS_DNNC" in with_type.read_text() and "MLS_DNNC" not in without.read_text()
    methods = [json.loads(run(f"lodescan status runs/{name} --json"))["origins"] for name in ("mls", "lode")]
    assert "bootstrap" in methods[0] and "start" in methods[1]
    assert (folder / "both.html").exists()


@pytest.mark.slow
def test_the_page_on_nested_sampling_works():
    if not READERS.exists():
        pytest.skip("tools/environment.sh readers makes the environment of dynesty")
    script = re.search(r"```python\n(.*?)```", section("docs/nested.md"), re.DOTALL)[1]
    done = subprocess.run(
        [READERS / "python", "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    value, error = map(float, re.search(r"ln Z = (\S+) \+- (\S+)", done.stdout).groups())
    exact = math.log(2 * math.pi * 2 * 0.1 * math.sqrt(2 * math.pi) / 36)
    assert f"ln(2π · 2 · 0.1 √(2π) / 36) = −{-exact:.2f}" in section("docs/nested.md")
    assert abs(value - exact) < 3 * error < 1


@pytest.mark.slow
def test_the_notebook_of_the_tutorial_runs_in_the_kernel_of_the_page_on_python(shell, monkeypatch):
    """The kernel is installed from the environment, as the page says."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    folder, run = shell
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(folder / "home"))
    (install,) = [line for line in commands((ROOT / "docs/python.md").read_text()) if "ipykernel" in line]
    home = f"HOME={folder}/home JUPYTER_DATA_DIR={folder}/home"
    run(f"env {home} {ROOT}/{install}")
    cells = re.findall(r"```python\n(.*?)```", section("docs/tutorial.md", "6. The same in a notebook"), re.DOTALL)
    cells = [cell.replace("points=100", "points=10") for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=None, kernel_name="lodescan", resources=resources).execute()
    scanned, drawn, written = (cell.outputs[-1] for cell in notebook.cells)
    assert int(re.search(r"(\d+) good", scanned.data["text/plain"])[1]) >= 10
    assert drawn.data["image/png"] and "report.html" in written.data["text/plain"]
    assert (folder / "runs/notebook/report.html").exists()
