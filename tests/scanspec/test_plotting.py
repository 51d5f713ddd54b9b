"""The section `plotting` in both spellings, and its faults."""

import pytest

from scanspec import ScanFileError, SlhaAddress, read_scan_file
from scanspec.plotting import Plot, read_plotting

BASE = """variables: {x: [1, 2], "0": [0, 1]}
derived_variables: {half: x/2}
codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}, off: {run: false, observables: {gone: }}}
"""
BSMART = """Plotting:
  Strategy: SLHA
  Plots:
    m0 vs mh: {Values: [[MINPAR, [1]], [MASS, [25]]], Labels: [$m_0$, $m_h$], Ranges: [[100, 3000], [118, 122]]}
    lines: {Values: [x, '0', y], Contours: [3, 1], Scaling: [LOG, linear], Shortcuts: "['MASS']"}
"""


def read(tmp_path, text):
    (tmp_path / "scan.yaml").write_text(BASE + text)
    scan = read_scan_file(tmp_path / "scan.yaml")
    return scan, read_plotting(scan)


def test_bsmarts_spelling_is_read(tmp_path):
    scan, plotting = read(tmp_path, BSMART)
    assert plotting.plots == (
        Plot(
            "m0_vs_mh",
            (SlhaAddress("MINPAR", (1,)), SlhaAddress("MASS", (25,))),
            ("$m_0$", "$m_h$"),
            ((100.0, 3000.0), (118.0, 122.0)),
        ),
        Plot("lines", ("x", "0", "y"), scales=("log", "linear"), contours=(1.0, 3.0)),
    )
    assert list(scan.ignored) == ["Plotting: Plots: lines: Shortcuts"]


@pytest.mark.parametrize(
    ("strategy", "unphysical", "corner"),
    [("", False, False), ("valid", False, False), ("SLHA", False, False), ("All", True, False), ("csv", False, True)],
)
def test_every_strategy_of_bsmarts_plots_is_read(tmp_path, strategy, unphysical, corner):
    _, plotting = read(tmp_path, f"plotting: {{strategy: '{strategy}'}}\n" if strategy else BSMART)
    assert (plotting.unphysical, plotting.corner) == (unphysical, corner)


def test_a_file_without_the_section_asks_for_no_picture(tmp_path):
    assert read(tmp_path, "")[1] is None and read(tmp_path, "plotting: \n")[1] is None


@pytest.mark.parametrize("name", ["half", "NLL", "Result", "RESULT", "RESULT[0]", "y"])
def test_any_column_can_be_drawn(tmp_path, name):
    _, plotting = read(tmp_path, f"plotting: {{plots: {{a: {{values: [x, '{name}']}}}}}}\n")
    assert plotting.plots[0].values[1] == ("NLL" if name.upper().startswith("RESULT") else name)


def test_an_observable_may_have_bsmarts_name_of_the_nll(tmp_path):
    base = BASE.replace("{y: {", "{Result: , y: {")
    (tmp_path / "scan.yaml").write_text(base + "plotting: {plots: {a: {values: [x, Result]}}}\n")
    assert read_plotting(read_scan_file(tmp_path / "scan.yaml")).plots[0].values == ("x", "Result")


def test_a_picture_of_a_code_that_does_not_run_is_left_out_with_a_note(tmp_path):
    _, plotting = read(tmp_path, "plotting: {plots: {a: {values: [x, gone]}, b: {values: [x, y]}}}\n")
    assert [plot.name for plot in plotting.plots] == ["b"]
    where = f"{tmp_path}/scan.yaml, line 4"
    assert list(plotting.notes) == [
        f"{where}: plotting: plots: a is not drawn: gone belongs to a code that does not run"
    ]


def test_a_picture_of_an_unknown_column_does_not_stop_a_scan(tmp_path):
    _, plotting = read(tmp_path, "plotting:\n  plots:\n    a: {values: [x, half_]}\n    b: {values: [x, y]}\n")
    assert [plot.name for plot in plotting.plots] == ["b"]
    (note,) = plotting.notes
    assert "scan.yaml, line 6: plotting: plots: a is not drawn: 'half_' is not a variable or observable" in note
    assert "did you mean 'half'?" in note


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("SLHA", "best", 5, "Strategy is 'best', but must be one of valid, all, csv"),
        ("Values: [x, '0', y]", "Values: [x]", 8, "must be [x, y], names or [BLOCK, [indices]]"),
        ("Values: [x, '0', y], ", "", 8, "has no 'Values'"),
        ("[MASS, [25]]]", "[MASS, [h]]]", 7, "must be [BLOCK, [indices]]"),
        ("'0', y]", "'0']", 8, "contours need three values"),
        ("[3, 1]", "[three]", 8, "Contours is ['three'], but must be a list of numbers"),
        ("[$m_0$, $m_h$]", "[$m_0$]", 7, "Labels"),
        ("[118, 122]", "[122]", 7, "must be [[low, high], [low, high]]"),
        ("[118, 122]", "[118, inf]", 7, "must be [[low, high], [low, high]]"),
        ("[LOG, linear]", "[LOG]", 8, "must be a list of two of linear, log, symlog"),
        ("[LOG, linear]", "[LOG, lin]", 8, "must be a list of two of linear, log, symlog"),
        ("Shortcuts", "Shortcut", 8, "unknown key 'Shortcut'"),
        ("Plots:", "Plot:", 6, "unknown key 'Plot' in Plotting; did you mean 'plots'?"),
        ("lines:", "m0_vs_mh:", 8, "is not a name for a file, or another picture has it"),
        ("lines:", "corner:", 8, "is not a name for a file, or another picture has it"),
        ("lines:", "'':", 8, "is not a name for a file"),
        ("[LOG, linear]", "[LOG, linear], Ranges: [[0, 1], [1, 2]]", 8, "a logarithmic axis needs a range above 0"),
        ("[3, 1]", "[3, 3]", 8, "a list of different levels"),
        ("[3, 1]", "100000", 8, "at most 100 lines"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, old, new, line, words):
    assert BSMART.count(old) == 1
    with pytest.raises(ScanFileError) as error:
        read(tmp_path, BSMART.replace(old, new))
    assert f"scan.yaml, line {line}: " in str(error.value)
    assert words in str(error.value)


def test_faults_of_this_section_are_told_with_those_of_the_others(tmp_path):
    text = BSMART.replace("SLHA", "best").replace("[3, 1]", "[three]")
    with pytest.raises(ScanFileError) as error:
        read(tmp_path, "networks: {threshold_value: good}\n" + text)
    assert [words in str(error.value) for words in ("'good'", "'best'", "'three'")] == [True, True, False]
    with pytest.raises(ScanFileError) as error:
        read(tmp_path, "networks: {threshold_value: good}\n" + text.replace("best", "all").replace("[118, 122]", "[1]"))
    assert str(error.value).count("\n") == 2
