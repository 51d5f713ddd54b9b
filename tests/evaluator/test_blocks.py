"""The proposer's check of `blocks` and the evaluator's template accept the same names."""

import pytest

from evaluator.chain import Chain
from evaluator.errors import ConfigurationError
from evaluator.scan import read_scan
from scanspec import ScanFileError, read_scan_file
from scanspec.checking import check_blocks
from tests.evaluator.harness import install_kind

PRE = "pre: {function: 'pre:f', observables: {scale: }}"
KIND = "rows: {nearest_row: {file: rows.csv, column: x}, observables: {near: }}"
MAIN = "main: {command: './prog {input} {output}', input_file: in.slha, observables: {m: {slha: [MASS, 1]}}}"
POST = "post: {function: 'pre:f', observables: {late: {mean: 1, sigma: 1}}}"
PASS = "pass_tool: {input_file: in.slha, observables: {n: {slha: [MINPAR, 1]}}}"


@pytest.mark.parametrize(
    ("codes", "value", "accepted"),
    [
        ([PRE, MAIN, POST], "2*scale", True),
        ([PRE, MAIN, POST], "2*double", True),
        ([PRE, PASS, POST], "2*scale", True),
        ([MAIN, PRE, POST], "2*scale", False),
        ([PRE, MAIN, PASS, POST], "2*m", False),
        ([PRE, MAIN, POST], "2*m", False),
        ([PRE, MAIN, POST], "2*late", False),
        (["toy_targets: {observables: {}}", MAIN, POST], "2*Ackley", True),
        ([MAIN, "toy_targets: {observables: {}}", POST], "2*Ackley", False),
        ([KIND, MAIN, POST], "2*distance + near", True),
        ([MAIN, KIND, POST], "2*distance", False),
    ],
)
def test_both_sides_accept_the_same_names_in_blocks(scan_file, tmp_path, monkeypatch, codes, value, accepted):
    install_kind(tmp_path / "packages")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    path = scan_file(
        "setup: {type: RANDOM}\nvariables: {x: [0, 1], y: [0, 1]}\nderived_variables: {double: 2*x}\n"
        f"blocks: {{MINPAR: {{1: {value}}}}}\ncodes:\n" + "".join(f"  {code}\n" for code in codes),
        pre__py="def f(point):\n    return {'scale': 1.0, 'late': 1.0}\n",
        in__slha="BLOCK MINPAR\n 2 x\n",
        rows__csv="x,near\n1,2\n",
        prog="#!/bin/sh\n",
    )
    (tmp_path / "prog").chmod(0o755)
    refusals = [_refusal(lambda: read_scan_file(path, also=check_blocks)), _refusal(lambda: Chain(read_scan(path)))]
    fault = "is not a variable, derived variable or earlier observable"
    assert [fault in refusal for refusal in refusals] == [not accepted] * 2
    assert [refusal == "" for refusal in refusals] == [accepted] * 2


def _refusal(read):
    try:
        read()
    except (ScanFileError, ConfigurationError) as error:
        return str(error)
    return ""
