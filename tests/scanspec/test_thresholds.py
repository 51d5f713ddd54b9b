"""What the section `networks` says of good points, and its faults with their lines."""

import math
from pathlib import Path

import pytest

from scanspec import ScanFileError, read_scan_file
from scanspec.thresholds import Threshold, read_threshold

TEXT = """\
variables: {x: [0, 1]}
codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}
networks:
"""


def read(folder: Path, *lines: str) -> Threshold:
    path = folder / "scan.yaml"
    path.write_text(TEXT + "".join(f"  {line}\n" for line in lines))
    return read_threshold(read_scan_file(path).networks, 100.0)


def test_the_target_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "verbose: 0") == Threshold(100.0)
    assert read(tmp_path, "threshold_value: 2e0") == Threshold(2.0)
    assert read(tmp_path, "threshold_value: [1, 2]") == Threshold(2.0, 1.0)
    assert read(tmp_path, "threshold_value: {above_best: 3}") == Threshold(-math.inf, above_best=3.0)
    assert read(tmp_path, "confidence: 0.95") == Threshold(100.0, confidence=0.95)
    found = read(tmp_path, "confidence: '0.68'", "degrees_of_freedom: 2")
    assert (found.confidence, found.degrees_of_freedom) == (0.68, 2)


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (
            ["threshold_value: {above_best: 0}"],
            4,
            "threshold_value: above_best is 0, but must be a finite number above 0",
        ),
        (["threshold_value: {above_best: -3}"], 4, "must be a finite number above 0"),
        (["verbose: 0", "threshold_value:", "    above_best: .inf"], 6, "must be a finite number"),
        (["threshold_value: {above_best: .nan}"], 4, "above_best is nan, but must be a number"),
        (["threshold_value: {above_best: [1, 3]}"], 4, "must be a number"),  # a band does not follow the best point
        (["threshold_value: {above_best: three}"], 4, "must be a number"),
        (["threshold_value: {above_best: }"], 4, "above_best is empty"),
        (["threshold_value: {above_bset: 3}"], 4, "did you mean 'above_best'?"),
        (["threshold_value: {}"], 4, "has no 'above_best'"),
        (["above_best: 3"], 4, "unknown key 'above_best' in networks; write `threshold_value: {above_best: ...}`"),
        (["threshold_value: best"], 4, "must be a number, [low, high]"),
        (["threshold_value: [{above_best: 3}, 2]"], 4, "must be a number, [low, high]"),
        (["confidence: 0"], 4, "confidence is 0, but must be more than 0 and less than 1"),
        (["confidence: 1"], 4, "must be more than 0 and less than 1"),
        (["confidence: 95"], 4, "0.95 for 95 %"),
        (["confidence: .nan"], 4, "must be a number"),
        (["confidence: 0.9", "degrees_of_freedom: 0"], 5, "degrees_of_freedom is 0, but must be at least 1"),
        (["confidence: 0.9", "degrees_of_freedom: 1.5"], 5, "must be a whole number"),
        (["degrees_of_freedom: 2"], 4, "degrees_of_freedom needs `confidence`"),
        (["threshold_value: 3", "confidence: 0.9"], 5, "threshold_value and confidence both say"),
        (["threshold_value: {above_best: 3}", "confidence: 0.9"], 5, "threshold_value and confidence both say"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path: Path, lines: list[str], line: int, words: str) -> None:
    with pytest.raises(ScanFileError) as raised:
        read(tmp_path, *lines)
    assert f"{tmp_path / 'scan.yaml'}, line {line}: " in str(raised.value) and words in str(raised.value)
