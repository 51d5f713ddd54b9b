"""Only the spectrum files of points that are good enough come with the results."""

import grpc
import pytest

from evaluator import chain as chains
from evaluator.chain import Status
from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc

COPY = """
variables: {x: [-5, 5]}
codes:
  one: {command: "cp {input} {output}", input_file: in.slha, output_file: one.slha}
  two:
    command: cat {input} more.txt > {output}
    observables: {y: {slha: [A, 1], mean: 0, sigma: 1, valid: [-4, 4]}}
"""


@pytest.fixture
def copies(scan_file):
    return scan_file(COPY, in__slha="BLOCK A\n   1  x  # kept\n", more__txt="BLOCK B\n  1  7\n")


def spectra(server, points, below):
    request = server.request(points)
    if below is not None:
        request.spectra_below_nll = below
    results = [result for reply in server.stub.Evaluate(iter([request]), timeout=60) for result in reply.results]
    return {result.point_id: list(result.spectra) for result in results}


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_files_of_points_below_an_nll_come_back(copies, evaluator, workers):
    server = evaluator(copies, workers=workers)
    points = [[0.5], [2.0], [4.5]]  # NLL 0.125, 2, INVALID
    found = spectra(server, points, 1.0)
    assert (found[1], found[2]) == ([], [])
    assert found[0] == [b"BLOCK A\n   1  5.00000000E-01  # kept\n", found[0][0] + b"BLOCK B\n  1  7\n"]
    everything = spectra(server, points, float("inf"))
    assert [len(everything[k]) for k in range(3)] == [2, 2, 0]
    assert spectra(server, points, None) == {0: [], 1: [], 2: []}


def test_files_that_are_too_large_are_left_out_with_a_warning(copies, chain, tmp_path, monkeypatch):
    found = chain(copies)
    outcome = found.evaluate([0.5], tmp_path / "1", None, 1.0)
    size = sum(map(len, outcome.spectra))
    monkeypatch.setattr(chains, "LARGEST_SPECTRA", size)
    assert found.evaluate([0.5], tmp_path / "2", None, 1.0) == outcome._replace(seconds=pytest.approx([0, 0], abs=20))
    monkeypatch.setattr(chains, "LARGEST_SPECTRA", size - 1)
    outcome = found.evaluate([0.5], tmp_path / "3", None, 1.0)
    assert (outcome.status, outcome.spectra, outcome.missing) == (Status.OK, [], [])
    assert outcome.warnings == ["its spectrum files are larger than 0 MiB and were not kept"]


@pytest.mark.slow
def test_large_files_are_spread_over_messages(scan_file, evaluator):
    scan = scan_file(
        "variables: {x: [-5, 5]}\ncodes:\n  one:\n"
        "    command: sh -c 'cp {input} {output}; head -c 900000 /dev/zero >> {output}'\n"
        "    input_file: in.slha\n    observables: {y: {slha: [A, 1], mean: 0, sigma: 1}}\n",
        in__slha="BLOCK A\n 1 x\n",
    )
    server = evaluator(scan, workers=2)
    request = server.request([[n / 100] for n in range(40)])
    request.spectra_below_nll = 10.0
    options = [("grpc.max_receive_message_length", 64 * 2**20)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        replies = list(pb_grpc.EvaluationServiceStub(channel).Evaluate(iter([request]), timeout=120))
    results = [result for reply in replies for result in reply.results]
    assert sorted(result.point_id for result in results) == list(range(40))
    assert all(result.status == pb.STATUS_OK and len(result.spectra[0]) > 900_000 for result in results)
    assert max(reply.ByteSize() for reply in replies) < 20 * 2**20


def test_a_file_that_a_later_code_removed_is_left_out(copies, chain, tmp_path):
    copies.write_text(copies.read_text().replace("cat {input} more.txt > {output}", "mv one.slha {output}"))
    outcome = chain(copies).evaluate([0.5], tmp_path / "1", None, 1.0)
    assert (outcome.status, len(outcome.spectra)) == (Status.OK, 1)
