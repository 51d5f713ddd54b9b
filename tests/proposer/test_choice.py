"""Types and their settings in a scan file, and points to start from in spaces of every kind."""

import math

import pytest

from proposer.loop import Limits
from proposer.run.init_csv import read_init_csv
from proposer.space import Space
from proposer.strategies.choice import DEFAULT, TYPES, make_strategy, read_settings, type_name
from proposer.strategies.cmaes import CmaesSettings
from proposer.strategies.draws import DrawSettings
from proposer.target import Target
from scanspec import ScanFileError, read_scan_file

FILE = """\
setup: {SETUP}
variables: {VARIABLES}
codes: {toy: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}
networks: {points_per_iteration: 70, threshold_value: THRESHOLD}
"""


@pytest.fixture
def read(tmp_path):
    def read(setup, variables="x: [0, 1], n: {range: [1, 3], type: integer}, s: {values: [2, 8]}", threshold="3"):
        path = tmp_path / "scan.yaml"
        path.write_text(FILE.replace("SETUP", setup).replace("VARIABLES", variables).replace("THRESHOLD", threshold))
        return read_scan_file(path)

    return read


GRID = "x: {range: [0, 1], steps: 3}, n: {range: [1, 3], type: integer}, f: 2"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Random", "RANDOM"),
        ("RANDOM", "RANDOM"),
        ("SOBOL", "SOBOL"),
        ("Grid", "GRID"),
        ("GRID", "GRID"),
        ("CMAES", "CMAES"),
        ("CMAES_ND", "CMAES_ND"),
        ("MLS_DNNC", "MLS_DNNC"),
        ("MLScanner.MLS_DNNC", "MLS_DNNC"),
    ],
)
def test_a_type_in_every_spelling_makes_its_strategy(read, spelling, name):
    scan = read(f"type: {spelling}", GRID)
    assert type_name(scan) == name
    settings = read_settings(scan)
    assert settings.target.threshold == 3.0
    batch = make_strategy(name, Space(scan.variables), settings, 1).ask()
    assert batch.u.shape[1] == 3
    assert len(batch) == {"RANDOM": 70, "SOBOL": 70, "GRID": 9, "CMAES": 6, "CMAES_ND": 6, "MLS_DNNC": 100}[name]


def test_a_file_without_a_type_has_the_default(read):
    assert type_name(read("run_name: a")) == DEFAULT
    assert DEFAULT in TYPES


def test_draws_and_cmaes_read_their_settings(read):
    assert read_settings(read("type: Random")) == DrawSettings(70, Target(3.0))
    assert read_settings(read("type: CMAES")) == CmaesSettings(target=Target(3.0))
    bsmart = "type: CMAES, CMAESPopulationSize: '16', CMAESSigma: 0.2, Sigma Tolerance: 1e-3, CMAESEpisodes: 9"
    scan = read(bsmart)
    assert read_settings(scan) == CmaesSettings(16, 0.2, 1e-3, Target(3.0), episodes=9)
    assert scan.ignored == ()


@pytest.mark.parametrize(
    ("setup", "evaluations"),
    [
        ("{Type: Random, Points: 30}", 30.0),
        ("{Type: Random, Points: 30, Max_Evaluations: 40}", 40.0),
        ("{type: RANDOM, points: 30}", math.inf),
        ("{Type: Random}", math.inf),
        ("{Type: Grid, Points: 30}", math.inf),
        ("{Type: CMAES, Points: 30}", 30.0),
        ("{Type: CMAES, Points: 30, Max_Evaluations: 40}", 40.0),
        ("{Type: CMAES}", 10_000.0),
        ("{type: CMAES, points: 30}", math.inf),
        ("{Type: CMAES_ND, Points: 30}", math.inf),
    ],
)
def test_points_of_bsmarts_random_are_evaluations(tmp_path, setup, evaluations):
    path = tmp_path / "scan.yaml"
    path.write_text(
        f"setup: {setup}\nvariables: {{x: {{range: [0, 1], steps: 3}}}}\n"
        "codes: {c: {function: m:f, observables: {y: {mean: 0, sigma: 1}}}}\n"
    )
    assert Limits.read(read_scan_file(path)).evaluations == evaluations


@pytest.mark.parametrize(
    ("setup", "points"),
    [
        ("type: Grid", 9),
        ("type: GRID", 9),
        ("type: Grid, points: 4", 4),
        ("type: Sobol", 1000),
        ("Type: CMAES_ND, CMAESGoodPointsEarlyStop: 77, Points: 5", 77),
        ("Type: CMAES_ND, Points: 5", 5),
    ],
)
def test_points_in_the_file_end_a_scan_unless_it_is_a_grid(read, setup, points):
    """A grid ends when all of its points are evaluated, however many are good."""
    assert Limits.read(read(setup, GRID)).points == points


@pytest.mark.parametrize(
    ("setup", "variables", "words"),
    [
        ("type: Grid", "x: [0, 1], y: {range: [0, 1], steps: 2}, z: [0, 1]", ["steps", "x, z has none"]),
        ("type: Grid", ", ".join(f"x{n}: {{range: [0, 1], steps: 1000}}" for n in range(4)), ["1,000,000,000,000"]),
        ("type: CMAES, population_size: 3", "x: [0, 1]", ["population_size is 3", "at least 4"]),
        ("type: CMAES, sigma: 0", "x: [0, 1]", ["sigma is 0", "more than 0"]),
        ("type: RANDOMS", "x: [0, 1]", ["'RANDOMS' is not a scan", "did you mean 'RANDOM'?"]),
    ],
)
def test_bad_input_names_file_line_and_what_to_write(read, setup, variables, words):
    with pytest.raises(ScanFileError, match=r"scan\.yaml, line 1: ") as caught:
        read_settings(read(setup, variables))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("threshold", [".inf", "-.inf", "'inf'", ".nan"])
def test_a_threshold_is_finite(read, tmp_path, name, threshold):
    (tmp_path / "rows.csv").write_text("x,n,f\n0,1,2\n1,3,2\n")
    with pytest.raises(ScanFileError, match=r"scan\.yaml, line 4: networks: threshold_value is .*, but must be a "):
        read(f"type: {name}, init_csv: rows.csv", GRID, threshold)


def test_points_to_start_from_must_have_allowed_values(read, tmp_path):
    scan = read("init_csv: start.csv")
    start = tmp_path / "start.csv"
    start.write_text("s,n,x\n8,1,0.5\n2,3,1\n")
    batch, x, *_ = read_init_csv(scan, Space(scan.variables))
    assert x.tolist() == [[0.5, 1.0, 8.0], [1.0, 3.0, 2.0]]
    assert Space(scan.variables).to_physical(batch.u).tolist() == x.tolist()
    for row, word in (("8,1.5,0.5", "n = 1.5 is none of its values"), ("5,1,0.5", "s = 5 is none of its values")):
        start.write_text(f"s,n,x\n8,1,0.5\n{row}\n")
        with pytest.raises(ScanFileError, match=rf"start\.csv, line 3: {word}"):
            read_init_csv(scan, Space(scan.variables))
