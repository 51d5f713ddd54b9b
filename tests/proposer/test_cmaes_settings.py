"""Settings of CMAES and CMAES_ND in BSMArt's spelling and in the plain one, and the tables that they name."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from proposer.space import Space
from proposer.strategies.choice import make_strategy, read_settings
from proposer.strategies.cmaes import Cmaes, CmaesSettings
from proposer.strategies.cmaes_nd import ALL_WITHIN, CmaesNd, CmaesNdSettings
from proposer.strategies.shortfall import Shortfall
from proposer.types import CheckpointError, Observable, Status, Told
from scanspec import Kind, Likelihood, ScanFileError, read_scan_file
from scanspec.likelihoods import LARGEST_LOSS
from tests.proposer.test_cmaes import flats, play, within

ROOT = Path(__file__).parents[2]

FILE = """\
Setup: {SETUP}
Variables: {a: {RANGE: [0, 1]}, b: {RANGE: [-4, 4]}, f: {RANGE: [2, 2]}}
Codes: {toy: {function: "m:f", Observables: {o: {SCALING: KIND, MEAN: 1, VARIANCE: 0.5}, p: {}}}}
"""


@pytest.fixture
def read(tmp_path):
    def read(setup, kind="CFUNCTION"):
        (tmp_path / "scan.yaml").write_text(FILE.replace("SETUP", setup).replace("KIND", kind))
        return read_scan_file(tmp_path / "scan.yaml")

    return read


def nd_settings(scan) -> CmaesNdSettings:
    settings = read_settings(scan)
    assert isinstance(settings, CmaesNdSettings)
    return settings


def test_bsmarts_settings_of_cmaes_nd_are_read(read, tmp_path):
    (tmp_path / "seeds.csv").write_text("b,f,a,NLL\n-3,2,0.25,0\n3,2,0.75,0\n")
    setup = """Type: CMAES_ND, CMAESPopulationSize: '16', CMAESMean: 0.3, CMAESSigma: 0.2, CMAESMaxGenerations: '50',
      CMAESPathSeeds: seeds.csv, CMAESNoveltyDetection: HBOS, CMAESNoveltyDetectionParams: {n_bins: 40},
      CMAESHBOSNBins: 60, CMAESFocus: {Variables: [b], Observables: [p]}, CMAESHierarchy: [o],
      CMAESNoGoodPointsPatience: 10, CMAESGoodPointsEarlyStop: 300, CMAESBestLossPatience: 20,
      CMAESBestNValidConstraintsPatience: 30, CMAES MaxLoss: 700"""
    scan = read(setup)
    settings = nd_settings(scan)
    assert settings == CmaesNdSettings(
        16,
        0.2,
        1e-4,
        ALL_WITHIN,
        generations=50,
        mean=0.3,
        novelty="HBOS",
        bins=40,
        focus=("b", "p"),
        hierarchy=("o",),
        no_good_points_patience=10,
        best_loss_patience=20,
        best_valid_constraints_patience=30,
        seeds=((0.25, -3.0, 2.0), (0.75, 3.0, 2.0)),
        max_loss=700.0,
    )
    assert scan.ignored == ()
    strategy = make_strategy("CMAES_ND", Space(scan.variables), settings, 1, [within(0, 1), within(0, 1, "p")])
    first = strategy.ask()
    assert (first.u[:, 2] == 0.5).all()  # fixed
    wide = CmaesNdSettings(16, 1e-3, 1e-4, seeds=settings.seeds)
    start = make_strategy("CMAES_ND", Space(scan.variables), wide, 1).ask().u[:, :2]
    assert min(np.abs(start - seed).max() for seed in ([0.25, 0.125], [0.75, 0.875])) < 0.02


def test_cmaes_nd_has_its_own_defaults(read):
    settings = nd_settings(read("type: CMAES_ND"))
    assert settings == CmaesNdSettings(sigma=1 / math.sqrt(2), target=ALL_WITHIN)
    assert nd_settings(read("type: CMAES_ND", "GAUSS")).target.threshold == 100.0
    assert nd_settings(read("Type: CMAES_ND")).generations == 100  # the default of BSMArt
    settings_of_cmaes = read_settings(read("Type: CMAES, CMAESMaxGenerations: 20"))
    assert settings_of_cmaes == CmaesSettings(generations=20, episodes=1)
    for word in ("'False'", "false"):
        assert nd_settings(read(f"type: CMAES_ND, CMAESNoveltyDetection: {word}")).novelty == "none"
    assert nd_settings(read("type: CMAES_ND, CMAESFocus: [a, o]")).focus == ("a", "o")


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ("CMAESNoveltyDetection: LOF", "must be true, false, HBOS or Optimiser"),
        ("CMAESFocus: {Variables: [c]}", "'c' is not a variable or observable"),
        ("CMAESFocus: {Variable: [a]}", "two lists, Variables and Observables, but no 'Variable'"),
        ("CMAESHierarchy: [p]", "'p' is not an observable with the scaling CFUNCTION; known are: o"),
        ("CMAESNoveltyDetectionParams: {bins: 3}", "unknown key 'bins' in Setup: CMAESNoveltyDetectionParams"),
        ("CMAESHBOSNBins: 1", "at least 2"),
        ("CMAESPathSeeds: nothing.csv", "cannot be read as CSV"),
        ("CMAESPathSeeds: gap.csv", "gap.csv, line 3: a is"),
        ("CMAESPathSeeds: less.csv", "no numbers in a column 'b'"),
        ("CMAESMean: 2", "at most 1"),
    ],
)
def test_settings_without_effect_are_named(read, tmp_path, setup, words):
    (tmp_path / "gap.csv").write_text("a,b,f\n1,2,2\n,3,2\n")
    (tmp_path / "less.csv").write_text("a,f\n1,2\n")
    with pytest.raises(ScanFileError, match=r"scan\.yaml, line 1") as caught:
        read_settings(read(f"Type: CMAES_ND, {setup}"))
    assert words in str(caught.value)


def test_a_checkpoint_of_another_strategy_is_refused():
    with pytest.raises(CheckpointError, match="not one of CMAES_ND"):
        CmaesNd(Space(flats(2)), CmaesNdSettings(), 1).restore(b"{}")


@pytest.mark.parametrize("kind", ["CMAES", "CMAES_ND"])
@pytest.mark.parametrize(
    "table",
    [
        "a,b,f,o\n0.1,1,2,9\n0.5,-2,2,1.1\n0.9,3,2,1.9\n",  # scored by the likelihood of the scan file: o is 1 +- 0.5
        "ID,b,a,f,o,Result\n1,1,0.1,2,9,0\n2,-2,0.5,2,1,7\n",
        "a,b,f,Result\n0.1,1,2,5\n0.5,-2,2,0.1\n",
        "a,b,f,NLL\n0.1,1,2,\n0.5,-2,2,3\n",
    ],
)
def test_the_first_search_starts_at_the_best_row_of_a_table(read, tmp_path, kind, table):
    """BSMArt calls this table Initial Sample."""
    (tmp_path / "sample.csv").write_text(table)
    settings = read_settings(read(f"Type: {kind}, Initial Sample: sample.csv, CMAESSigma: 0.001", "GAUSS"))
    assert isinstance(settings, CmaesSettings) and settings.start == (0.5, -2.0, 2.0)
    space = Space(read(f"Type: {kind}").variables)
    first = make_strategy(kind, space, settings, 1).ask()
    assert np.abs(first.u[:, :2] - [0.5, 0.25]).max() < 0.02


def test_a_table_whose_best_row_cannot_be_known(read, tmp_path):
    (tmp_path / "sample.csv").write_text("a,b,f\n0.1,1,2\n")
    with pytest.raises(ScanFileError, match=r"line 1: .*the table does not say which row is best.* column NLL"):
        read_settings(read("Type: CMAES, Initial Sample: sample.csv"))
    (tmp_path / "sample.csv").write_text("a,b,f,o\n")
    with pytest.raises(ScanFileError, match="no numbers in a column 'a'"):
        read_settings(read("Type: CMAES, Initial Sample: sample.csv"))


def test_max_loss_caps_losses_as_in_bsmart():
    """BSMArt's CMAES MaxLoss M turns l = -ln L into M (1 - exp(-l / M)). Here l follows from the loss that the
    evaluator caps at 710.
    """
    gauss = Observable("o", "", "c", None, Likelihood(Kind.GAUSS, 0.0, 1.0))
    z = np.array([0.5, 3.0, 20.0, 1e200, np.nan])
    status = np.full(5, Status.OK, dtype=np.int8)
    told = Told(
        np.arange(5),
        np.zeros((5, 1)),
        status=status,
        nll=np.zeros(5),
        observables=z[:, None],
        origins=["a"] * 5,
        batches=np.ones(5, dtype=int),
    )
    with np.errstate(over="ignore"):
        expected = [*(10.0 * (1.0 - np.exp(-(z[:3] ** 2) / 2 / 10.0))), 10.0, 10.0]
    assert Shortfall([gauss], 10.0).columns(told)[:, 0] == pytest.approx(expected, rel=1e-9)
    assert Shortfall([gauss]).columns(told)[:3, 0] == pytest.approx(gauss.likelihood.loss(z)[:3])


def test_a_search_ranks_by_the_capped_losses():
    """With a cap of 0.5, a point with losses 4 and 0 ranks before a point with losses 3 and 3."""
    names = [Observable(name, "", "c", None, Likelihood(Kind.MINUSEXPUSER)) for name in "ab"]

    def physics(x):
        far = x[:, 0] < 0.5
        return np.full(len(x), Status.OK), np.column_stack([np.where(far, 8.0, 3.0), np.where(far, 0.0, 3.0)])

    ends = []
    for cap in (LARGEST_LOSS, 0.5):
        own = CmaesSettings(population_size=8, sigma=0.2, mean=0.5, max_loss=cap, episodes=1, generations=25)
        run = play(Cmaes, flats(2), own, physics, names)
        ends.append(run.run(200)[-8:, 0].mean())
    assert ends[0] > 0.5 > ends[1]


def test_a_parquet_table_says_what_reads_it(read, tmp_path):
    (tmp_path / "seeds.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(
        ScanFileError, match=r"seeds.parquet cannot be read as CSV \(it is a Parquet file.*'\.\[parquet\]'"
    ):
        read_settings(read("Type: CMAES_ND, CMAESPathSeeds: seeds.parquet"))


@pytest.mark.slow
def test_seeds_may_come_from_a_parquet_table(tmp_path, with_pyarrow):
    (tmp_path / "scan.yaml").write_text(
        FILE.replace("SETUP", "Type: CMAES_ND, CMAESPathSeeds: seeds.parquet").replace("KIND", "GAUSS")
    )
    program = """import sys, pyarrow as pa, pyarrow.parquet as pq
from proposer.strategies.choice import read_settings
from scanspec import read_scan_file
folder = sys.argv[1]
table = pa.table({"b": [0.1, -3.0], "f": [2, 2], "note": ["x", None], "a": [1 / 3, 1.0]})
pq.write_table(table, folder + "/seeds.parquet")
print(read_settings(read_scan_file(folder + "/scan.yaml")).seeds)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    found = subprocess.run(command, cwd=ROOT, env=with_pyarrow, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert found == "((0.3333333333333333, 0.1, 2.0), (1.0, -3.0, 2.0))\n"
