"""The example scans in BSMArt's spelling are read as the plain ones, and keys without a meaning here are named once."""

import shutil
import subprocess
import sys

import pytest

from evaluator.chain import Chain
from evaluator.description import describe
from scanspec import read_scan_file
from tests.evaluator.harness import DATA, EXAMPLES

COMMON = [
    "MPI",
    *(f"Setup: {key}" for key in ("Cores", "csv", "Use TQDM", "Store Inputs", "Merge Results", "debug")),
]
TOOL = ("HiggsBounds Dataset", "HiggsSignals Dataset", "Neutral Higgs", "Charged Higgs")
IGNORED = {
    "toy3d": [
        *COMMON,
        "Setup: SLHA_Output",
        "Setup: LogLike",
        "Networks: Estimators",
        "Variables: x: VARIANCE",
        "Codes: toy: Observables: o3d: TYPE",
    ],
    "camb_w0wa": [
        *COMMON,
        "Setup: Temporary Directory",
        "Networks: Estimators",
        "Variables: H0: VARIANCE",
        "Codes: camb: Observables: theta100: TYPE",
    ],
    "simsusy_stau": [
        *COMMON,
        "Setup: Short",
        "Networks: Estimators",
        "Variables: tanb: VARIANCE",
        "Codes: simsusy: Observables: mchi10: TYPE",
        *(f"Codes: HiggsTools: {key}" for key in TOOL),
    ],
}


def both(name, tmp_path):
    """Both files in one folder, with the codes that they name."""
    for path in EXAMPLES.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    shutil.copy(DATA / f"{name}.json", tmp_path)
    return read_scan_file(tmp_path / f"{name}.yaml"), read_scan_file(tmp_path / f"{name}.json")


@pytest.mark.parametrize("name", ["toy3d", "camb_w0wa", "simsusy_stau"])
def test_both_spellings_give_the_same_scan(name, tmp_path):
    yaml, json = both(name, tmp_path)
    assert list(json.ignored) == IGNORED[name]
    assert yaml.ignored == () and yaml.notes == json.notes == ()
    assert yaml.run_name == json.run_name
    assert [(v.name, v.low, v.high, v.prior) for v in json.variables] == [
        (v.name, v.low, v.high, v.prior) for v in yaml.variables
    ]
    described = [
        [(o.name, o.code, o.slha, o.function, o.valid, repr(o.likelihood)) for o in scan.all_observables()]
        for scan in (yaml, json)
    ]
    assert described[0] == described[1]


@pytest.mark.parametrize("name", ["toy3d", "camb_w0wa"])
def test_both_spellings_give_the_same_digests(name, tmp_path):
    yaml, json = (describe(Chain(scan), 1) for scan in both(name, tmp_path))
    assert (yaml.physics_digest, yaml.likelihood_digest) == (json.physics_digest, json.likelihood_digest)


@pytest.mark.physics(environment="simsusy")
def test_both_spellings_give_the_same_digests_for_simsusy(tmp_path):
    test_both_spellings_give_the_same_digests("simsusy_stau", tmp_path)


def test_both_spellings_give_the_same_point_of_the_toy(tmp_path):
    yaml, json = (Chain(scan) for scan in both("toy3d", tmp_path))
    row = [1.0, -20.0, 7.5]
    assert yaml.evaluate(row).observables == json.evaluate(row).observables


def test_check_names_keys_without_a_meaning_once(tmp_path):
    both("toy3d", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", "check", str(tmp_path / "toy3d.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [line for line in done.stdout.splitlines() if "without meaning" in line] == [
        f"note: without meaning here: {', '.join(IGNORED['toy3d'])}"
    ]
