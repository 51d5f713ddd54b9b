"""A run that goes on with a changed default, or with a changed table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proposer.run.init_csv import init_digest
from proposer.run.manifest import scan_difference
from proposer.run.meaning import meaning
from proposer.run.record import RunRecord, ScanMeaning
from scanspec import ScanFile, read_scan_file

FILE = """\
setup: {run_name: a, seed: 1, type: KIND SETUP}
variables: {x: [0, 1]}
codes: {a: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}
networks: {NETWORKS}
"""


def write(folder: Path, setup: str = "", networks: str = "threshold_value: 3", kind: str = "RANDOM") -> ScanFile:
    path = folder / "scan.yaml"
    path.write_text(FILE.replace(" SETUP", setup).replace("NETWORKS", networks).replace("KIND", kind))
    return read_scan_file(path)


def begun(scan: ScanFile) -> RunRecord:
    """The record of a run that an older version started with this file."""
    return RunRecord(
        started=True, seed=1, meaning=meaning(scan), init_csv=init_digest(scan), versions={"lodescan": "0.0.7"}
    )


def with_default(record: RunRecord, path: str, value: object) -> RunRecord:
    values, given = record.meaning
    assert path in values and path not in given
    return replace(record, meaning=ScanMeaning({**values, path: value}, given))


def test_the_message_names_a_changed_default_which_can_be_written_into_the_file(tmp_path: Path) -> None:
    older = with_default(begun(write(tmp_path)), "networks: points_per_iteration", 77)
    said = scan_difference(tmp_path, older, write(tmp_path), None)
    assert said.startswith("neither scan file gives networks: points_per_iteration, and the default was 77 in lodescan")
    assert "0.0.7 and is 300 in this one" in said and "`points_per_iteration: 77` in the section networks" in said
    cure = write(tmp_path, networks="threshold_value: 3, points_per_iteration: 77")
    assert scan_difference(tmp_path, older, cure, None) is None


def test_a_setting_that_only_one_version_knows_changes_nothing(tmp_path: Path) -> None:
    scan = write(tmp_path)
    values, given = meaning(scan)
    gone = {name: value for name, value in values.items() if name != "networks: points_per_iteration"}
    assert scan_difference(tmp_path, replace(begun(scan), meaning=ScanMeaning(gone, given)), scan, None) is None
    more = {**values, "networks: of_then": 3}
    assert scan_difference(tmp_path, replace(begun(scan), meaning=ScanMeaning(more, given)), scan, None) is None


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ("4", "5", "threshold_value is 4, in this one 5"),
        ("4", None, "has networks: threshold_value (4)"),
    ],
)
def test_settings_in_the_file_are_compared(tmp_path: Path, before: str, now: str | None, words: str) -> None:
    record = begun(write(tmp_path, networks=f"threshold_value: {before}"))
    scan = write(tmp_path, networks=f"threshold_value: {now}" if now else "points_per_iteration: 300")
    assert words in scan_difference(tmp_path, record, scan, None)


@pytest.mark.parametrize("kind", ["RANDOM", "READ_CSV"])
def test_a_table_that_has_changed_is_another_run(tmp_path: Path, kind: str) -> None:
    table = tmp_path / "start.csv"
    table.write_text("x,NLL\n0.5,1\n")
    scan = write(tmp_path, ", init_csv: start.csv", kind=kind)
    record = begun(scan)
    assert record.init_csv and scan_difference(tmp_path, record, scan, None) is None
    table.write_text("x,NLL\n0.5,2\n")
    said = scan_difference(tmp_path, record, scan, None)
    assert said == f"the table that it started from, {table}, has changed since then"
    table.write_text("x,NLL\n0.5,1\n")
    assert scan_difference(tmp_path, record, scan, None) is None


FITTING = """
fitting:
  variables: {s: [0, 9]}
  observables: {o: {target: 1, sigma: 0.1}}
"""


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ("options: {eps: 1e-3}", "options: {eps: 1e-5}", "fitting: options: eps is 0.001, in this one 1e-05"),
        ("options: {eps: 1e-3}", "", "fitting: options: eps is 0.001, in this one 0.0001"),
        ("", "options: {max_evaluations: 20}", "fitting: options: max_evaluations is 200, in this one 20"),
        ("", "options: {eps: 0.0001, max_evaluations: 200}", None),
        ("method: hybr", "method: lm", "fitting: method is hybr, in this one lm"),
        ("method: Nelder-Mead", "method: nelder-mead", None),
    ],
)
def test_an_option_of_the_fit_that_has_changed_is_named(
    tmp_path: Path, before: str, now: str, words: str | None
) -> None:
    def of(line: str) -> ScanFile:
        path = write(tmp_path).path
        path.write_text(path.read_text() + FITTING + (f"  {line}\n" if line else ""))
        return read_scan_file(path)

    record = begun(of(before))
    said = scan_difference(tmp_path, record, of(now), None)
    assert said is None if words is None else said is not None and words in said
    values, given = record.meaning
    less = {name: value for name, value in values.items() if "fitting: options" not in name}
    older = replace(record, meaning=ScanMeaning(less, given))  # the digest of the physics includes these options
    assert words is not None and "method" in words or scan_difference(tmp_path, older, of(now), None) is None
