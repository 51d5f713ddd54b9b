"""Each example at random points, through a real server: the shares of good and INVALID points are those in
examples/README.md.
"""

import math
import os
import re

import numpy as np
import pytest

from evaluator.commands.ranges import draw
from lodescan.v1 import evaluation_pb2 as pb
from scanspec import read_scan_file
from tests.evaluator.harness import EXAMPLES, Evaluator, environment_of

POINTS = {
    "toy3d": 5000,
    "joint3d": 5000,
    "desi_bao": 10000,
    "camb_w0wa": 1000,
    "classy_w0wa": 150,
    "flavio_bsmumu": 100,
    "eos_bsmumu": 2500,
    "simsusy_stau": 150,
    "hazma_darkphoton": 150,
    "flavio_s3": 20,
}
"""The number of points that take at most about twenty seconds of one core."""

SIGMAS = 4.0

pytestmark = pytest.mark.slow


def documented(name):
    """The row of an example in the table of shares: the number of points, the shares by NLL, and the share of INVALID
    points.
    """
    text = (EXAMPLES / "README.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}.yaml` | ") and "below" in line)
    points, invalid, *shares = (cell.strip() for cell in row.strip("|").split("|")[1:])
    below = [re.fullmatch(r"below ([\d.,]+): ([\d.]+) %", share).groups() for share in shares]
    number = [(float(nll.replace(",", "")), float(share) / 100) for nll, share in below]
    return int(points.replace(",", "")), float(invalid.removesuffix(" %")) / 100, number


def marked(name):
    environment = environment_of(EXAMPLES / f"{name}.yaml")
    marks = [] if environment == "evaluator" else [pytest.mark.physics(environment=environment)]
    return pytest.param(name, marks=marks, id=name)


def test_every_example_is_in_the_table_of_shares():
    assert sorted(POINTS) == sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
    for name in POINTS:
        path = EXAMPLES / f"{name}.yaml"
        scan = read_scan_file(path)
        assert environment_of(path) == scan.environment
        _, _, shares = documented(name)
        if "threshold_value" in scan.networks:  # other targets follow the best point, here that of the run in the table
            assert shares[0][0] == scan.networks.number("threshold_value")
        assert len(shares) == 2 and 0.08 < shares[1][1] < 0.7  # the second share is measurable with few points


def results(scan, folder, count):
    """Status and NLL of random points, which are the same in each run."""
    rng = np.random.default_rng(1)
    rows = [[draw(variable, rng) for variable in scan.variables] for _ in range(count)]
    workers = min(2, len(os.sched_getaffinity(0)))
    server = Evaluator(folder, scan.path, workers=workers, start=240.0, environment={"PYTHONDONTWRITEBYTECODE": "1"})
    try:
        assert server.names == [variable.name for variable in scan.variables]
        found = [k for start in range(0, count, 500) for k in server.evaluate(rows[start : start + 500], 280)]
        assert server.terminate() == 0
    finally:
        server.close()
    return [pb.Status.Name(result.status).removeprefix("STATUS_") for result in found], np.array([e.nll for e in found])


def near(count, of, share, points):
    """Whether a count agrees with a share that was itself measured with so many points."""
    spread = math.sqrt(share * (1 - share) * (1 / of + 1 / points))
    return abs(count / of - share) <= SIGMAS * spread + 1 / of


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [marked(name) for name in POINTS])
def test_the_shares_are_those_of_the_table(name, tmp_path):
    count = POINTS[name]
    scan = read_scan_file(EXAMPLES / f"{name}.yaml")
    status, nll = results(scan, tmp_path, count)
    points, invalid, shares = documented(name)
    said = {word: status.count(word) for word in set(status)}
    assert said.get("OK", 0) + said.get("INVALID", 0) >= 0.99 * count, said
    assert near(said.get("INVALID", 0), count, invalid, points), (said, invalid)
    ok = np.array([word == "OK" for word in status])
    for below, share in shares:
        good = int((nll[ok] < below).sum())
        assert near(good, count, share, points), f"{good} of {count} below {below:g}, and {share:.2%} are documented"
