"""The NLL below which spectrum files are kept."""

import math

import pytest

from proposer.commands.main import main
from proposer.run.spectra import kept_below
from proposer.target import Target
from scanspec import ScanFileError, read_scan_file
from tests.proposer.runs import make_run

FILE = """\
setup: {SETUP}
variables: {x: [0, 1]}
codes: {toy: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}
"""


@pytest.mark.parametrize(
    ("setup", "below"),
    [
        ("run_name: a", 3.0),
        ("keep_spectra: good", 3.0),
        ("keep_spectra: valid", math.inf),
        ("keep_spectra: none", -math.inf),
        ("StoreAllPoints: 'True'", math.inf),
        ("StoreAllPoints: '1'", math.inf),
        ("StoreAllPoints: 0", -math.inf),
        ("Store Output Files: 'no'", -math.inf),
    ],
)
def test_the_setting_gives_the_nll_below_which_files_are_kept(tmp_path, setup, below):
    (tmp_path / "scan.yaml").write_text(FILE.replace("SETUP", setup))
    assert kept_below(read_scan_file(tmp_path / "scan.yaml"), Target(3.0)) == below


def test_another_word_is_an_error(tmp_path):
    (tmp_path / "scan.yaml").write_text(FILE.replace("SETUP", "keep_spectra: some"))
    with pytest.raises(ScanFileError, match="keep_spectra is 'some', but must be good, valid"):
        kept_below(read_scan_file(tmp_path / "scan.yaml"), Target(3.0))


def test_no_evaluator_is_named_where_no_code_writes_files(tmp_path, capsys):
    make_run(tmp_path / "run", 50)
    assert main(["export", str(tmp_path / "run"), "--format", "slha"]) == 0
    said = capsys.readouterr().out
    assert "the codes of this scan write no SLHA files" in said and "PLACE" not in said
