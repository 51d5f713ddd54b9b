"""The settings of MLS_DNNC as a scan file gives them."""

from pathlib import Path

import pytest

from proposer.strategies.mls_dnnc_settings import FitSettings, MlsDnncSettings
from proposer.target import Target
from scanspec import ScanFileError, read_scan_file

FILE = """
setup: {type: MLS_DNNC}
variables: {x: [0, 1]}
codes: {toy: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}
networks: %s
"""


def settings_of(tmp_path: Path, networks: str) -> MlsDnncSettings:
    path = tmp_path / "scan.yaml"
    path.write_text(FILE % networks)
    return MlsDnncSettings.read(read_scan_file(path))


def test_defaults_are_those_of_the_documents(tmp_path):
    assert settings_of(tmp_path, "{}") == MlsDnncSettings(
        100,
        500,
        points_per_iteration=300,
        random_fraction=0.2,
        k_initial=5,
        target=Target(100.0),
        iterations=10,
        fit=FitSettings(neurons=100, batch_size=500, epochs=250, learning_rate=1e-2),
    )


def test_bsmart_spellings_and_numeric_strings_are_read(tmp_path):
    assert settings_of(
        tmp_path,
        """{Bootstrap_Points: "7", Candidate_Points: 1e3, Points_Per_Iteration: "2e1", Random_Fraction: "0.5",
        Kinitial: 3, Threshold_Value: "-1.5", Batch Size: "32", Neurons: 8, Epochs: "9", LearningRate: "1e-3",
        Iterations: "4"}""",
    ) == MlsDnncSettings(
        7,
        1000,
        points_per_iteration=20,
        random_fraction=0.5,
        k_initial=3,
        target=Target(-1.5),
        iterations=4,
        fit=FitSettings(8, 32, 9, 1e-3),
    )


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ("{Bootstrap_Points: 0}", "Bootstrap_Points is 0, but must be at least 1"),
        ("{Candidate_Points: 1.5}", "Candidate_Points is 1.5, but must be a whole number"),
        ("{Points_Per_Iteration: -3}", "must be at least 1"),
        ("{Random_Fraction: 1.01}", "Random_Fraction is 1.01, but must be at least 0 and at most 1"),
        ("{Kinitial: 0}", "must be at least 1"),
        ("{Threshold_Value: low}", "Threshold_Value is 'low', but must be a number"),
        ("{Batch Size: 0}", "must be at least 1"),
        ("{Neurons: 1}", "must be at least 2"),
        ("{Epochs: 0}", "must be at least 1"),
        ("{LearningRate: 0}", "must be more than 0 and at most 1"),
        ("{Iterations: 0}", "must be at least 1"),
    ],
)
def test_values_out_of_range_name_file_line_and_key(tmp_path, networks, message):
    with pytest.raises(ScanFileError, match=r"scan\.yaml, line 5: ") as caught:
        settings_of(tmp_path, networks)
    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["bootstrap_points", "candidate_points", "points_per_iteration", "neurons"])
def test_settings_that_need_more_memory_than_any_machine_has_are_refused(tmp_path, key):
    with pytest.raises(ScanFileError, match=f"line 5: networks: {key} is .*, but must be at most"):
        settings_of(tmp_path, f"{{{key}: 1e12}}")
