"""The digests change with everything that decides results, and with nothing else."""

import shutil

import numpy as np
import pytest

from evaluator.chain import Chain
from evaluator.description import describe
from scanspec import read_scan_file
from tests.evaluator.harness import DATA

SCAN = """
setup: {run_name: one, environment_variables: {OMP_NUM_THREADS: '1'}}
variables: {mode: [0, 10], x: [0, 1]}
derived_variables: {d: mode+1}
blocks: {MINPAR: {2: x}}
codes:
  program:
    command: ./spheno.sh
    input_file: in.slha
    timeout: 20
    conditions: mh > 0
    observables: {mh: {slha: [MASS, 25], mean: 125, sigma: 2, valid: [0, inf]}}
  script:
    command: sh more.sh {input} {output}
    input_file: more.slha
  python:
    function: model:f
    observables: {y: {scaling: UPPER, mean: 1, sigma: 2}}
observables: {z: {function: y+1}}
"""

FILES = {
    "in.slha": "BLOCK MINPAR\n 1 mode\n",
    "more.slha": "BLOCK A\n 1 x\n",
    "more.sh": "cp $1 $2\n",
    "model.py": "import helper\nfrom package.inner import g\ndef f(point):\n"
    "    return {'y': helper.h(point)}\ndef f2(point):\n    return {'y': 0}\n",
    "helper.py": "def h(point):\n    return point['x']\n",
    "package/__init__.py": "",
    "package/inner.py": "from . import more\ndef g():\n    return 1\n",
    "package/more.py": "one = 1\n",
    "unrelated.py": "x = 1\n",
}


@pytest.fixture
def described(tmp_path):
    def described(scan=SCAN, name="scan.yaml", **changed):
        (tmp_path / "package").mkdir(exist_ok=True)
        shutil.copy(DATA / "programs" / "spheno.sh", tmp_path)
        for file, content in FILES.items():
            (tmp_path / file).write_text(content)
        for file, extra in changed.items():
            path = tmp_path / file.replace("__", ".").replace("_in_", "/")
            path.write_text(path.read_text() + extra)
        (tmp_path / name).write_text(scan)
        found = describe(Chain(read_scan_file(tmp_path / name)), 1)
        assert len(found.physics_digest) == len(found.likelihood_digest) == 64
        return found

    return described


@pytest.fixture
def digests(described):
    def digests(*scan, **changed):
        found = described(*scan, **changed)
        return found.physics_digest, found.likelihood_digest

    return digests


@pytest.mark.parametrize(
    "changed",
    [
        "in__slha",
        "more__slha",
        "more__sh",
        "spheno__sh",
        "model__py",
        "helper__py",
        "package_in_inner__py",
        "package_in_more__py",
    ],
)
def test_a_changed_file_changes_the_physics(described, changed):
    before, after = described(), described(**{changed: "# more\n"})
    assert after.physics_digest != before.physics_digest and after.likelihood_digest == before.likelihood_digest
    differing = {name for name in before.sources if after.sources[name] != before.sources[name]}
    assert differing and all(changed.replace("__", ".").replace("_in_", "/") in name for name in differing)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model:f", "model:f2"),
        ("d: mode+1", "d: mode+2"),
        ("{2: x}", "{2: x*2}"),
        ("{2: x}", "{3: x}"),
        ("mh > 0", "mh > 1"),
        ("function: y+1", "function: y+2"),
        ("[MASS, 25]", "[MASS, 35]"),
        ("sh more.sh {input} {output}", "sh more.sh {input} {output} -q"),
        ("OMP_NUM_THREADS: '1'", "OMP_NUM_THREADS: '2'"),
        ("timeout: 20", "invalid_when: {spinfo: false}"),
        ("timeout: 20", "success: {exit_codes: any}"),
        ("timeout: 20", "flags: {unitarity: [FLAGS, 2]}"),
        ("timeout: 20", "append: true"),
        ("timeout: 20", "data: [unrelated.py]"),
        ("{2: x}", "{2: 1.0 * x}"),
        ("d: mode+1", "d: mode+1.5"),
        ("sh more.sh {input} {output}", "sh more.sh {output} {input}"),
        ("sh more.sh {input} {output}", "sh more.sh '{input} {output}'"),
        ("sh more.sh {input} {output}", "sh more.sh {input} > {output}"),
        ("{mode: [0, 10], x: [0, 1]}", "{x: [0, 1], mode: [0, 10]}"),
    ],
)
def test_a_changed_setting_changes_the_physics(digests, old, new):
    assert SCAN.count(old) == 1
    assert digests()[0] != digests(SCAN.replace(old, new))[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mean: 125", "mean: 126"),
        ("sigma: 2, valid", "sigma: 3, valid"),
        ("UPPER", "LOWER"),
        ("valid: [0, inf]", "valid: [1, inf]"),
    ],
)
def test_a_changed_constant_changes_only_the_digest_of_the_likelihood(digests, old, new):
    assert SCAN.count(old) == 1
    physics, likelihood = digests()
    same, other = digests(SCAN.replace(old, new))
    assert same == physics and other != likelihood


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("run_name: one", "run_name: two, seed: 7"),
        ("timeout: 20", "timeout: 30\n    description: changed"),
        ("[0, 10]", "[0, 9]"),
        ("x: [0, 1]", "x: {range: [0, 1], prior: {type: normal, mean: 0, sigma: 1}}"),
        ("codes:", "networks: {threshold_value: 3}\n# a comment\ncodes:"),
        ("scaling: UPPER, mean: 1, sigma: 2", "SCALING: UPPER, VARIANCE: 2.0, MEAN: '1'"),
        ("timeout: 20", "append: false"),
        ("timeout: 20", "data: []"),
        ("timeout: 20", "success: {exit_codes: [0.0]}"),
        ("timeout: 20", "invalid_when: {spinfo: true}\n    success: {}"),
        ("d: mode+1", "d: (mode + 1.0)"),
        ("{2: x}", "{2: ( x )}"),
        ("mh > 0", "['mh>0.0']"),
        ("function: y+1", "function: 'y + 1'"),
        ("input_file: in.slha", "input_file: ./in.slha"),
        ("input_file: in.slha", "input_file: FOLDER/in.slha"),
        ("./spheno.sh", "FOLDER/spheno.sh"),
        ("./spheno.sh", "'./package/../spheno.sh'"),
        ("sh more.sh {input} {output}", "sh  './more.sh'  {input} \"{output}\""),
        ("sh more.sh {input} {output}", "sh FOLDER/more.sh {input} {output}"),
    ],
)
def test_other_changes_leave_both_digests_as_they_are(digests, tmp_path, old, new):
    assert SCAN.count(old) == 1
    new = new.replace("FOLDER", str(tmp_path))
    assert digests() == digests(SCAN.replace(old, new), "other.yaml", unrelated__py="y = 2\n")


def test_the_folder_of_a_python_environment_does_not_matter(digests, tmp_path):
    first = digests()
    original = (tmp_path / "spheno.sh").read_text()
    for head in ("#!/bin/sh\n", "#!/usr/bin/env sh\n"):
        (tmp_path / "spheno.sh").write_text(head + original.partition("\n")[2])
        assert describe(Chain(read_scan_file(tmp_path / "scan.yaml")), 1).physics_digest == first[0]


def test_the_description_names_the_versions_of_imported_packages(tmp_path, scan_file):
    scan = scan_file(
        "variables: {x: [0, 1]}\ncodes:\n  toy:\n    function: uses_numpy:f\n"
        "    observables: {y: {mean: 1, sigma: 1}}\n",
        uses_numpy__py="import numpy\ndef f(point):\n    return {'y': numpy.sqrt(point['x'])}\n",
    )
    assert f"numpy {np.__version__}" in describe(Chain(read_scan_file(scan)), 1).version
