"""Both sides refuse the same faults of a scan file; names of an evaluator that clash are refused."""

from dataclasses import replace

import pytest

from proposer.asked import ask_of
from proposer.evaluation.backend import Description
from proposer.strategies.choice import TYPES
from proposer.types import Observable
from proposer.wire.agreement import disagreements
from proposer.wire.messages import clean
from scanspec import Kind, Likelihood, ScanFileError, keys, read_scan_file
from scanspec import settings as shared
from scanspec.origins import origins_of

VALUES = [
    *("-5", "0", "1", "3.5", "abc", "2h", ".inf", "-.inf", ".nan", "[1, 2]", "[2, 1]", "true", "1e300", "''", "{a: 1}"),
]
READ_ELSEWHERE = {"init_csv", "seeds_csv", "start_csv", "environment_variables", "environment", "run_name", "type"}


def scan_text(kind, section, key, value):
    sections = {"setup": {"type": kind, "init_csv": "rows.csv"}, "networks": {}}
    if kind != "READ_CSV":
        del sections["setup"]["init_csv"]
    sections[section][key] = value
    lines = [f"{name}: {{{', '.join(f'{k}: {v}' for k, v in entries.items())}}}" for name, entries in sections.items()]
    return "\n".join(
        [
            *lines,
            "variables: {x: {range: [0, 1], steps: 3}}",
            "codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}",
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
def test_both_sides_refuse_the_same_settings(tmp_path, kind):
    (tmp_path / "rows.csv").write_text("x\n0\n1\n")
    path = tmp_path / "scan.yaml"
    refused = 0
    for section, known in (("setup", keys.SETUP.known), ("networks", keys.NETWORKS.known)):
        for key in known:
            for value in VALUES if key not in READ_ELSEWHERE else ():
                path.write_text(scan_text(kind, section, key, value))
                try:
                    scan = read_scan_file(path)
                except ScanFileError:
                    refused += 1
                    continue
                try:
                    ask_of(scan)
                except ScanFileError as error:
                    pytest.fail(f"only the proposer refuses {section}: {key}: {value}: {error}")
    assert refused > 50


def test_both_sides_know_the_same_types():
    assert set(TYPES) <= set(shared.TYPES)


def description(parameters=("x",), observables=("y",)):
    return Description(
        "b",
        "1",
        physics_digest="p",
        likelihood_digest="l",
        parameters=dict.fromkeys(parameters, (0.0, 1.0)),
        observables=tuple(
            Observable(name, "", "c", None, Likelihood(Kind.GAUSS, 1.0, 1.0) if name == "y" else Likelihood())
            for name in observables
        ),
        concurrency=1,
        max_batch=10,
        codes=("c",),
        sources={},
    )


def test_bounds_that_agree_in_only_six_digits_are_different():
    bounds = [Likelihood(Kind.CFUNCTION, lower=91.18751, upper=upper) for upper in (91.18769, 91.1877)]
    assert bounds[0].describe() != bounds[1].describe()


@pytest.mark.parametrize(
    ("observables", "words"),
    [
        (("y", "id"), "observable 'id' is a column of the results"),
        (("y", "nll"), "observable 'nll' is a column"),
        (("y", "x"), "two things the name 'x'"),
        (("y", "z", "z"), "two things the name 'z'"),
        (("y", "extra"), None),
    ],
)
def test_an_evaluator_whose_names_clash_is_refused(tmp_path, observables, words):
    path = tmp_path / "scan.yaml"
    path.write_text(scan_text("RANDOM", "setup", "points", 5))
    found = disagreements(read_scan_file(path), description(observables=observables))
    assert (not found) if words is None else any(words in message for message in found)


PROGRAM = """variables: {x: [0, 1]}
derived_variables: {m: x + 1}
blocks: {MINPAR: {1: x}}
codes:
  c:
    command: ./prog {input} {output}
    input_file: old/in.slha
    conditions: [y > 0]
    observables: {y: {slha: [MASS, 25], mean: 1, sigma: 1}, z: {function: y + 1}}
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("old/in", "other/in", None),
        ("in.slha", "out.slha", "the template of 'c' is in.slha in the scan file, out.slha at the evaluator"),
        ("[MASS, 25]", "[MASS, 35]", "the observable y is `slha: MASS 25` in the scan file, `slha: MASS 35` at"),
        ("slha: [MASS, 25]", "function: x", "the observable y is `slha: MASS 25` in the scan file, `function: x` at"),
        ("y + 1", "y + 2", "the observable z is `function: y + 1` in the scan file"),
        ("x + 1", "x + 2", "the observable m is `function: x + 1` in the scan file"),
        ("y > 0", "y > 1", "the set of conditions of c is `y > 0` in the scan file"),
        ("{1: x}", "{1: 2*x}", "the block MINPAR is `1: x` in the scan file, `1: 2*x` at the evaluator"),
    ],
)
def test_an_evaluator_that_finds_something_in_another_way_is_refused(tmp_path, old, new, words):
    for name, text in (("mine", PROGRAM), ("theirs", PROGRAM.replace(old, new))):
        (tmp_path / name).write_text(text)
    mine, theirs = (read_scan_file(tmp_path / name) for name in ("mine", "theirs"))
    template = theirs.codes[0].section.text("input_file").rpartition("/")[2]
    sources = origins_of(theirs) | {f"c: template {template}": "hash"}
    names = [spec.name for spec in mine.all_observables()]
    found = disagreements(mine, replace(description(observables=names), sources=sources))
    assert (not found) if words is None else len(found) == 1 and words in found[0], found


def test_an_evaluator_with_the_same_template_is_taken_however_long_its_names_are(tmp_path):
    """What an evaluator says is cut at a length, which no name of a scan file may reach."""
    code, template = "c" * 200, f"{'n' * 250}.slha"
    text = PROGRAM.replace("  c:", f"  {code}:").replace("in.slha", template)
    (tmp_path / "scan").write_text(text)
    scan = read_scan_file(tmp_path / "scan")
    names = [spec.name for spec in scan.all_observables()]
    sources = origins_of(scan) | {f"{code}: template {template}": "hash"}
    sources = {clean(what): clean(how) for what, how in sources.items()}
    assert disagreements(scan, replace(description(observables=names), sources=sources)) == []
    for old, new in ((f"  {code}:", f"  c{code}:"), (template, f"n{template}")):
        (tmp_path / "scan").write_text(text.replace(old, new))
        with pytest.raises(ScanFileError, match=r"a name has at most 200 characters|must be the name of a file"):
            read_scan_file(tmp_path / "scan")


@pytest.mark.parametrize("name", ["id", "ID", "NLL", "nll", "Status", "seconds", "Failed_Code", "x"])
def test_names_that_a_scan_file_may_not_give(tmp_path, name):
    path = tmp_path / "scan.yaml"
    path.write_text(scan_text("RANDOM", "setup", "points", 5).replace("y: {", f"{name}: {{"))
    with pytest.raises(ScanFileError, match=rf"line 4: '{name}' is already the name of"):
        read_scan_file(path)
