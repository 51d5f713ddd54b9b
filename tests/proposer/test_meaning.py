"""Scan files are compared by meaning: another spelling goes on with a run, another physics does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from proposer.run.manifest import another_run
from proposer.run.meaning import difference, meaning
from proposer.types import Observable
from proposer.wire.agreement import disagreements
from scanspec import read_scan_file
from scanspec.origins import origins_of
from scanspec.tools import call_of
from tests.proposer.test_both_sides import description

SCAN = """setup: {init_csv: points.csv}
variables: {x: [0, 1], y: [0, 1]}
derived_variables: {m: 2*x}
blocks: {MINPAR: {1: x, 2: 1}}
codes:
  spectrum:
    command: ./prog {input} {output} -t tables/t.dat
    input_file: in.slha
    data: tables
    success: {blocks: [MASS, NMIX]}
    invalid_when: {exit_codes: [3]}
    flags: {open: [BR, 25, 5, -5]}
    conditions: h > 0
    observables: {h: {slha: [MASS, 25], mean: 1, sigma: 1}, b: {slha: [BR, [25, [5, -5]]]}}
  micrOMEGAs:
    command: ./omega
    lsp: [1000022]
  toy_targets: {rosenbrock_a: 1}
observables: {z: {function: h+1}}
"""

SAME = [
    ("points.csv", "./points.csv"),
    ("points.csv", "FOLDER/points.csv"),
    ("m: 2*x", "m: 2 * x"),
    ("m: 2*x", "m: (2.0 * x)"),
    ("1: x, 2: 1", "1: '(x)', 2: '1'"),
    ("./prog {input}", "prog/../prog  '{input}'"),
    ("./prog", "FOLDER/prog"),
    ("-t tables/t.dat", "-t './tables/t.dat'"),
    ("-t tables/t.dat", "-t FOLDER/tables/t.dat"),
    ("input_file: in.slha", "input_file: ./in.slha"),
    ("input_file: in.slha", "input_file: FOLDER/in.slha"),
    ("input_file: in.slha", "append: false\n    input_file: 'in.slha'\n    cores: 2"),
    ("input_file: in.slha", "profile: none\n    input_file: in.slha"),
    ("data: tables", "data: [tables/]"),
    ("data: tables", "data: [./tables, FOLDER/tables]"),
    ("{blocks: [MASS, NMIX]}", "{exit_codes: 0, blocks: [nmix, mass]}".replace("0", "[0.0]")),
    ("{exit_codes: [3]}", "{spinfo: true, exit_codes: [3.0, 3]}"),
    ("[BR, 25, 5, -5]", "[br, [25,[-5,5]]]"),
    ("h > 0", "['h>0']"),
    ("[BR, [25, [5, -5]]]", "[BR, 25,-5, 5]"),
    ("./omega", "./omega\n    append: true\n    cross_sections: false"),
    ("micrOMEGAs:\n", "micrOMEGAs:\n    profile: micromegas\n"),
    ("lsp: [1000022]", "lsp: 1000022.0"),
    ("rosenbrock_a: 1", "rosenbrock_a: '1.0'"),
    ("h+1", "'h + 1e0'"),
]

OTHER = [
    ("points.csv", "FOLDER/tables/points.csv", "setup: init_csv"),
    ("2*x", "2*y", "derived_variables: m"),
    ("2*x", "x**2", "derived_variables: m"),
    ("2*x", "2*x + 1/3", "derived_variables: m"),
    ("2: 1", "2: 1.0", "blocks: MINPAR: 2"),
    ("./prog {input}", "./program {input}", "codes: spectrum: command"),
    ("{input} {output}", "'{input} {output}'", "codes: spectrum: command"),
    ("tables/t.dat", "/elsewhere/tables/t.dat", "codes: spectrum: command"),
    ("tables/t.dat", "tables/T.dat", "codes: spectrum: command"),
    ("input_file: in.slha", "input_file: tables/in.slha", "codes: spectrum: input_file"),
    ("input_file: in.slha", "append: true\n    input_file: in.slha", "codes: spectrum: append"),
    ("input_file: in.slha", "profile: SPheno\n    input_file: in.slha", "codes: spectrum: profile"),
    ("data: tables", "data: [tables, more]", "codes: spectrum: data"),
    ("[MASS, NMIX]", "[MASS, UMIX]", "codes: spectrum: success: blocks"),
    ("{blocks: [MASS, NMIX]}", "{blocks: [MASS, NMIX], exit_codes: any}", "codes: spectrum: success: exit_codes"),
    ("{exit_codes: [3]}", "{exit_codes: [3], spinfo: false}", "codes: spectrum: invalid_when: spinfo"),
    ("[BR, 25, 5, -5]", "[BR, 25, 4, -4]", "codes: spectrum: flags"),
    ("h > 0", "h >= 0", "codes: spectrum: conditions"),
    ("[MASS, 25]", "[MASS, 26]", "observables: h: slha"),
    ("./omega", "./omega\n    append: false", "codes: micrOMEGAs: append"),
    ("[1000022]", "[1000022, 1000023]", "codes: micrOMEGAs: lsp"),
    ("rosenbrock_a: 1", "rosenbrock_a: 1.5", "codes: toy_targets: rosenbrock_a"),
    ("h+1", "h-1", "observables: z: function"),
]


def written(folder: Path, old: str, new: str) -> tuple[Path, Path]:
    """The scan file, and the one with a change."""
    (folder / "tables").mkdir()
    for name in ("prog", "tables/t.dat", "in.slha", "points.csv", "tables/in.slha"):
        (folder / name).write_text("")
    assert SCAN.count(old) == 1
    before, now = folder / "scan.yaml", folder / "now.yaml"
    before.write_text(SCAN)
    now.write_text(SCAN.replace(old, new.replace("FOLDER", str(folder))))
    return before, now


@pytest.mark.parametrize(("old", "new"), SAME)
def test_another_spelling_means_the_same(tmp_path: Path, old: str, new: str) -> None:
    before, now = (meaning(read_scan_file(path)) for path in written(tmp_path, old, new))
    assert difference(before, now) is None


@pytest.mark.parametrize("spelling", ["./tables/t.dat", "FOLDER/run.log", "> ./run.log", "../tables/t.dat"])
def test_which_files_are_there_makes_no_difference_for_a_command(tmp_path: Path, spelling: str) -> None:
    _, now = written(tmp_path, "-t tables/t.dat", f"-t {spelling}")
    (tmp_path.parent / "tables").mkdir(exist_ok=True)
    logs = [tmp_path / "run.log", tmp_path.parent / "tables" / "t.dat"]
    for log in logs:
        log.touch()
    with_all = meaning(read_scan_file(now))
    for path in (*logs, tmp_path / "tables" / "t.dat", tmp_path / "prog"):
        path.unlink()
    assert meaning(read_scan_file(now)) == with_all


@pytest.mark.parametrize(("old", "new", "path"), OTHER)
def test_another_physics_is_named(tmp_path: Path, old: str, new: str, path: str) -> None:
    before, now = (meaning(read_scan_file(file)) for file in written(tmp_path, old, new))
    assert path in (difference(before, now) or ""), difference(before, now)
    assert path in (difference(now, before) or "")


def test_steps_make_no_difference_unless_the_scan_is_a_grid(tmp_path: Path) -> None:
    found = {}
    for kind in ("LODE", "GRID"):
        for steps in (3, 4):
            path = tmp_path / "scan.yaml"
            path.write_text(
                f"setup: {{type: {kind}}}\nvariables: {{x: {{range: [0, 1], steps: {steps}}}}}\n"
                "codes: {c: {function: 'm:f', observables: {y: {mean: 0, sigma: 1}}}}\n"
            )
            found[kind, steps] = meaning(read_scan_file(path))
    assert difference(found["LODE", 3], found["LODE", 4]) is None
    assert difference(found["GRID", 3], found["GRID", 4]) == "in its scan file variables: x: steps is 3, in this one 4"


@pytest.mark.parametrize(
    ("entry", "steps"), [("range: [-1, 3], type: integer", 5), ("values: [1, 2, 4]", 3), ("range: [2, 2]", 7)]
)
def test_the_steps_that_a_grid_takes_by_itself_may_be_written_out(tmp_path: Path, entry: str, steps: int) -> None:
    found = []
    for more in ("", f", steps: {steps}", ", steps: 2"):
        path = tmp_path / "scan.yaml"
        path.write_text(
            f"setup: {{type: GRID}}\nvariables: {{x: {{{entry}{more}}}, z: {{range: [0, 1], steps: 2}}}}\n"
            "codes: {c: {function: 'm:f', observables: {y: {mean: 0, sigma: 1}}}}\n"
        )
        found.append(meaning(read_scan_file(path)))
    assert difference(found[0], found[1]) is None
    assert difference(found[1], found[0]) is None
    fewer, is_fixed = "its scan file does not have variables: x: steps, this one has (2)", steps == 7
    assert difference(found[0], found[2]) == (None if is_fixed else fewer)


def test_another_environment_of_the_codes_is_named(tmp_path: Path) -> None:
    found = []
    for variables in ("{}", "{A: 1}", "{A: 2}"):
        path = tmp_path / "scan.yaml"
        path.write_text(SCAN.replace("{init_csv", f"{{environment_variables: {variables}, init_csv"))
        found.append(meaning(read_scan_file(path)))
    key = "setup: environment_variables: A"
    assert difference(found[0], found[1]) == f"its scan file does not have {key}, this one has (1)"
    assert difference(found[1], found[2]) == f"in its scan file {key} is 1, in this one 2"
    assert difference(found[1], found[0]) == f"its scan file has {key} (1), this one does not"


def test_an_open_window_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "scan.yaml").write_text(
        "variables: {x: [0, 1]}\n"
        "codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1, valid: [-.inf, 5]}}}}\n"
    )
    words = "the window of 'y' is [-inf, 5.0] in the scan file, open at the evaluator"
    assert disagreements(read_scan_file(tmp_path / "scan.yaml"), description()) == [words]


def test_json_and_another_order_of_the_keys_mean_the_same(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "2*x", "2*x")
    content = YAML(typ="safe").load(SCAN)
    content["codes"] = {name: dict(reversed(code.items())) for name, code in content["codes"].items()}
    other = tmp_path / "now.json"
    other.write_text(json.dumps(dict(reversed(content.items()))))
    assert difference(meaning(read_scan_file(path)), meaning(read_scan_file(other))) is None


def test_a_file_of_bsmart_means_the_same(tmp_path: Path) -> None:
    for name in ("in.slha", "prog"):
        (tmp_path / name).write_text("")
    (tmp_path / "mine.yaml").write_text(
        "setup: {type: RANDOM, points: 5}\n"
        "variables: {x: [0, 1]}\n"
        "codes: {SPheno: {command: ./prog, input_file: in.slha, observables: {h: {slha: [MASS, 25], mean: 1, "
        "sigma: 2}}}}\n"
    )
    theirs = {
        "Setup": {"Type": "Random", "Points": 5},
        "Variables": {"x": {"RANGE": [0, 1]}},
        "Codes": {
            "SPheno": {
                "Command": "./prog",
                "InputFile": "./in.slha",
                "Run": "True",
                "Observables": {"h": {"SLHA": ["MASS", [25]], "SCALING": "GAUSS", "MEAN": 1.0, "VARIANCE": 2}},
            }
        },
    }
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    mine, bsmarts = (meaning(read_scan_file(tmp_path / name)) for name in ("mine.yaml", "theirs.json"))
    assert difference(mine, bsmarts) is None


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("./prog {input}", './prog  "{input}"', False),
        ("2*x", "2 * x", False),
        ("h > 0", "[h>0.0]", False),
        ("1: x", "1: (x)", False),
        ("[BR, [25, [5, -5]]]", "[BR, 25, -5, 5]", False),
        ("./prog {input}", "./prog -q {input}", True),
        ("2*x", "3 * x", True),
        ("h > 0", "[h>1]", True),
        ("1: x", "1: y", True),
        ("2: 1", "2: 1.0", True),
        ("[BR, [25, [5, -5]]]", "[BR, 25, -4, 4]", True),
    ],
)
def test_an_evaluator_whose_file_is_written_in_another_way(tmp_path: Path, old: str, new: str, differs: bool) -> None:
    mine, theirs = (read_scan_file(path) for path in written(tmp_path, old, new))
    given = tuple(
        Observable(spec.name, "", spec.code or "", spec.valid, spec.likelihood) for spec in theirs.all_observables()
    )
    calls = tuple((code.name, *call_of(code.section, code.name)) for code in theirs.codes)
    told = replace(description(("x", "y")), observables=given, sources=origins_of(theirs), calls=calls)
    found = disagreements(mine, told)
    assert bool(found) is differs, found


@pytest.mark.parametrize(
    ("old", "new", "scored"),
    [("mean: 1, sigma: 1", "mean: 1, sigma: 2", True), ("function: h+1", "function: h+2", False)],
)
def test_a_run_with_other_constants_of_likelihoods_can_be_scored_anew(
    tmp_path: Path, old: str, new: str, scored: bool
) -> None:
    before, now = (meaning(read_scan_file(path)) for path in written(tmp_path, old, new))
    error = another_run(tmp_path / "my run", str(difference(before, now)))
    assert (f"`lodescan rescore '{tmp_path}/my run' --scan FILE`" in error.next_step) == scored
