"""The two flavour scans through a real server and flavio, against recorded rows; the fork server shares flavio."""

import csv
import math
import shutil
from pathlib import Path

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.harness import DATA, EXAMPLES, Evaluator

pytestmark = [pytest.mark.physics(environment="flavio"), pytest.mark.slow]

NAMES = ("flavio_bsmumu", "flavio_s3")
ROWS = {name: list(csv.DictReader((DATA / f"{name}.csv").read_text().splitlines())) for name in NAMES}


@pytest.fixture(scope="module", params=NAMES)
def answers(request, tmp_path_factory):
    """Rows, results, the names of the observables, and the memory of each worker in kB: its private part, and all of
    it.
    """
    folder = tmp_path_factory.mktemp("flavio")
    for name in (f"{request.param}.yaml", "s3_leptoquark.py"):
        shutil.copy(EXAMPLES / name, folder)
    server = Evaluator(folder, folder / f"{request.param}.yaml", workers=2, start=240.0)
    rows = ROWS[request.param]
    try:
        names = [observable.name for observable in server.describe().observables]
        results = server.evaluate([[float(row[name]) for name in server.names] for row in rows], timeout=250)
        memory = [_memory(pid) for pid in server.workers()]
        assert server.terminate() == 0
        assert server.nothing_left()
    finally:
        server.close()
    return rows, results, names, memory


def _memory(pid):
    lines = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return [int(lines[key].split()[0]) for key in ("Private_Dirty", "Rss")]


def test_the_recorded_rows_are_reproduced(answers):
    rows, results, names, _ = answers
    assert len(rows) == len(results) == 20
    for row, result in zip(rows, results, strict=True):
        assert pb.Status.Name(result.status) == "STATUS_OK", result.message
        found = dict(zip(names, result.observables, strict=True))
        compared = set(names) & set(row)
        assert compared >= {"BR_Bs_mumu", "RK", "RKst", "P5p_4_6", "dBR_BKmumu", "dBR_Bsphimumu"}
        for name in compared:
            assert found[name] == pytest.approx(float(row[name]), rel=1e-6, abs=0), name
        # the loss z^2/2 has twice the relative error of z, and z has that of x times x / (x - m)
        assert result.nll == pytest.approx(float(row["nll"]), rel=1e-4)
        assert result.nll == pytest.approx(math.fsum(result.losses), rel=1e-12)


def test_the_workers_share_flavio(answers):
    *_, memory = answers
    assert len(memory) == 2
    for own, resident in memory:
        assert own < 0.6 * resident, memory
