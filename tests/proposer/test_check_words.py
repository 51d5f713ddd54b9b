"""`lodescan check`: its text about variables, fitted variables and kept files."""

import json
import re
from typing import Any

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.commands.check import check
from proposer.wire.security import PLAIN
from scanspec import ScanFileError
from scanspec.keys import NETWORKS, SETUP
from tests.proposer.hostile import ONE, Honest, listening

TEXT = """\
setup: {type: RANDOM, keep_spectra: valid}
variables:
  a: 5
  x: [0, 1]
fitting:
  variables: {m0: [1, 2]}
  observables: {y: {target: 1}}
codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}
networks: {threshold_value: 10}
"""


def test_check_describes_variables_and_settings_in_words(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT)
    assert check(path, None, security=PLAIN) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "a: 5, fixed" in lines and "x: 0 to 1, uniform" in lines
    assert "m0: 1 to 2, solved for at each point" in lines
    assert not any("OFF" in line for line in lines)
    assert "keeps the spectrum files, if there are any, of all valid points" in lines
    path.write_text(TEXT.replace("valid}", "good}"))
    check(path, None, security=PLAIN)
    assert "of points with an NLL below 10" in capsys.readouterr().out


SETTINGS = """\
setup: {{{setup}}}
variables: {{x: {{range: [0, 1], steps: 2}}, y: {{range: [0, 1], steps: 2}}}}
codes: {{c: {{function: 'm:f', observables: {{o: {{mean: 1, sigma: 1}}}}}}}}
networks: {{threshold_value: [1, 10]}}
"""


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ("", "LODE: points_per_iteration 200, goal map"),
        ("goal: collect", "goal collect"),
        ("even_in: [x, o]", "even_in x and o"),
        ("type: MLS_DNNC", "random_fraction 0.2"),
        ("type: RANDOM", "RANDOM: points_per_iteration 300"),
        ("type: SOBOL", "points_per_iteration"),
        ("type: GRID", "points_per_iteration"),
        ("type: CMAES, mean: 0.5", "mean 0.5"),
        ("type: CMAES_ND, focus: [x]", "novelty HBOS, novelty_bins 100"),
    ],
)
def test_settings_have_the_names_of_the_scan_file(tmp_path, capsys, setup, words):
    path = tmp_path / "scan.yaml"
    path.write_text(SETTINGS.format(setup=setup))
    assert check(path, None, security=PLAIN) == 0
    line = capsys.readouterr().out.splitlines()[5].strip()
    assert words in line
    rest = line.partition(": ")[2]
    names = {part.split()[0].rstrip(":") for part in rest.split(", ")}
    assert names <= {*SETUP.known, *NETWORKS.known}


TOOLS = """\
variables: {{x: [0, 1]}}
codes:
  spectrum: {{command: ./prog, input_file: in.slha, observables: {{h: {{slha: [MASS, 25], mean: 1, sigma: 1}}}}}}
  {name}: {{command: ./tool, {setting}}}
"""


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("micrOMEGAs", "lsp: ~o1", "lsp is '~o1', but must be a list of PDG numbers"),
        ("micrOMEGAs", "lsp: [1000022, ~o1]", "a list of PDG numbers"),
        ("micrOMEGAs", "lsp: [1000022.5]", "a list of PDG numbers"),
        ("micrOMEGAs", "lsp: .inf", "a list of PDG numbers"),
        ("micrOMEGAs", "cross_sections: maybe", "true or false"),
        ("HiggsBounds", "neutral_higgs: three", "a whole number"),
        ("HiggsSignals", "charged_higgs: -1", "at least 0"),
    ],
)
def test_wrong_settings_of_tools_are_refused_with_their_line(tmp_path, name, setting, words):
    path = tmp_path / "scan.yaml"
    path.write_text(TOOLS.format(name=name, setting=setting))
    with pytest.raises(ScanFileError, match=re.escape(words)) as error:
        check(path, None, security=PLAIN)
    assert f"{path}, line 4" in str(error.value)


def test_json_is_one_object_with_what_the_scan_would_do(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT)
    assert check(path, [], security=PLAIN, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == str(path) and found["run"] == "scan" and found["codes"] == ["c"]
    fixed, free = found["variables"]
    assert (fixed["name"], fixed["fixed"], fixed["low"]) == ("a", True, 5.0)
    assert (free["name"], free["low"], free["high"], free["prior"]) == ("x", 0.0, 1.0, "uniform")
    (scored,) = [observable for observable in found["observables"] if observable["name"] == "y"]
    assert scored["likelihood"].startswith("GAUSS 1") and found["type"] == "RANDOM"


BLOCKS = """\
setup: {type: RANDOM}
variables: {x: [0, 1]}
codes:
  {c: {command: 'prog {input} {output}', input_file: in.slha, observables: {y: {slha: [MASS, 25], mean: 1, sigma: 1}}}}
blocks: {MINPAR: {1: abc, 2: x +, 3: x, 4: 5, 5: '"text"', 6: 1d3}}
"""


def test_values_of_blocks_are_checked_here_too(tmp_path):
    path = tmp_path / "scan.yaml"
    path.write_text(BLOCKS)
    with pytest.raises(ScanFileError) as caught:
        check(path, None, security=PLAIN)
    faults = str(caught.value).splitlines()
    assert len(faults) == 2
    assert "scan.yaml, line 5: 'abc' is not a variable" in faults[0] and "written in quotes: 'abc'" in faults[0]
    assert "line 5: 'x +' is not an expression" in faults[1]
    path.write_text(BLOCKS.replace("1: abc, 2: x +, ", ""))
    assert check(path, None, security=PLAIN) == 0
    earlier = "pre: {function: 'm:f', observables: {scale: }}, "
    path.write_text(BLOCKS.replace("1: abc, 2: x +, ", "1: 2*scale, ").replace("{c:", f"{{{earlier}c:"))
    assert check(path, None, security=PLAIN) == 0


def test_a_name_that_resembles_a_known_program_gets_a_note(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    text = BLOCKS.replace("1: abc, 2: x +, ", "").replace("prog {input} {output}", "bin/x").replace("{c:", "{SPhen:")
    path.write_text(text)
    assert check(path, None, security=PLAIN) == 0
    assert "SPhen is called as `bin/x INPUT OUTPUT`; if it is SPheno, write profile: SPheno" in capsys.readouterr().out
    path.write_text(text.replace("command:", "profile: none, command:"))
    assert check(path, None, security=PLAIN) == 0
    assert "SPhen is called" not in capsys.readouterr().out


NEWER = """\
setup: {type: RANDOM}
variables: {x: [0, 1]}
codes: {c: {function: 'm:f', observables: {y: }}}
likelihoods: {t: {observables: y, mean: 0, sigma: 1, scaling: GAUSS_UPPER}}
networks: {threshold_value: 10}
"""


def test_a_likelihood_of_a_kind_that_only_the_evaluator_knows_gets_a_note(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    path.write_text(NEWER)
    off, nll = pb.LIKELIHOOD_KIND_OFF, pb.LIKELIHOOD_KIND_MINUSEXPUSER
    observables = [pb.Observable(name=n, likelihood=pb.Likelihood(kind=k)) for n, k in (("y", off), ("t", nll))]
    notes = {}
    kinds: list[Any] = [pb.JOINT_KIND_GAUSS_UPPER, 99]
    for kind in kinds:
        term = pb.JointTerm(observable=1, arguments=[0], kind=kind, mean=[0.0], plus=1.0)
        described = {"backend": "b", "parameters": ONE, "observables": observables, "joint_terms": [term]}
        with listening(Honest(lambda *_: [], described)) as address:
            assert check(path, [address], security=PLAIN) == 0
        said = capsys.readouterr().out
        assert "the scan file and the evaluator agree" in said
        words = "'t' is of a kind that this lodescan does not know"
        notes[kind] = [line for line in said.splitlines() if words in line]
    assert not notes[pb.JOINT_KIND_GAUSS_UPPER]
    assert len(notes[99]) == 1 and "its numbers are not compared" in notes[99][0]


TERMS = """\
setup: {type: RANDOM, points: 5}
variables: {x: [0, 1]}
codes: {c: {function: 'm:f', observables: {y: OWN, z: }}}
likelihoods: {t: TERM}
networks: {threshold_value: LIMIT}
"""
JOINT = "{observables: [y, z], mean: [0, 0], covariance: [[1, 0.5], [0.5, 1]]}"


def notes_of(path, capsys, own, term, limit="10"):
    path.write_text(TERMS.replace("OWN", own).replace("TERM", term).replace("LIMIT", limit))
    assert check(path, None, security=PLAIN) == 0
    return "".join(line for line in capsys.readouterr().out.splitlines() if "note:" in line)


def test_an_observable_that_is_measured_twice_gets_a_note(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    said = notes_of(path, capsys, "{mean: 0, sigma: 1}", JOINT)
    assert "'y' counts in its own mean and sigma and in the likelihood 't'" in said and "'z'" not in said
    (tmp_path / "t.txt").write_text("0 1\n1 2\n")
    assert "'y' counts" in notes_of(path, capsys, "{mean: 0, sigma: 1}", "{observables: y, table: t.txt}")
    assert "counts" not in notes_of(path, capsys, "", JOINT)
    assert "counts" not in notes_of(path, capsys, "{mean: 0, sigma: 1, scaling: UPPER}", JOINT)
    one_sided = "{observables: y, mean: 1, sigma: 1, scaling: GAUSS_UPPER}"
    assert "counts" not in notes_of(path, capsys, "{mean: 0, sigma: 1}", one_sided)


def test_a_threshold_that_no_point_meets_gets_a_note_also_for_a_table(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    (tmp_path / "t.csv").write_text("0 -2\n1 5\n")
    assert "the NLL of these likelihoods is never below 0" in notes_of(path, capsys, "", JOINT, "-1")
    table = "{observables: y, table: t.csv}"
    assert "never below" not in notes_of(path, capsys, "", table, "-1")
    assert "never below -2" in notes_of(path, capsys, "", table, "-2")
