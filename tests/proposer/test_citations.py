"""manifest.json and the report cite exactly the methods that a scan uses."""

import re

import pytest

from proposer.run.citations import bibtex, citations
from scanspec import read_scan_file

TEXT = """\
setup: {{{setup}}}
variables: {{x: [0, 1], y: {{range: [0, 1], steps: 2}}}}
codes: {{c: {{function: 'm:f', observables: {{o: {{mean: 1, sigma: 1}}}}}}}}
"""
ALWAYS = {"lodescan", "BSMArt"}


@pytest.mark.parametrize(
    ("setup", "cited"),
    [
        ("", {"PyTorch", "networks that begin again"}),
        ("goal: collect", {"PyTorch", "networks that begin again", "SMOTE"}),
        ("type: MLS_DNNC", {"MLscanner", "SMOTE", "imbalanced-learn", "PyTorch"}),
        ("type: RANDOM", set()),
        ("type: SOBOL", {"SciPy"}),
        ("type: CMAES", {"CMA-ES"}),
        ("type: CMAES_ND", {"CMA-ES", "CMA-ES with novelty", "HBOS"}),
        ("type: CMAES_ND, novelty: false", {"CMA-ES", "CMA-ES with novelty"}),
    ],
)
def test_exactly_the_methods_of_the_scan_are_cited(tmp_path, setup, cited):
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT.format(setup=setup))
    found = citations(read_scan_file(path))
    assert {reference.partition(",")[0].partition(":")[0] for reference in found} == ALWAYS | cited
    text = bibtex(read_scan_file(path))
    assert len(re.findall(r"^@", text, re.MULTILINE)) == len(found) + any("pycma" in line for line in text.splitlines())
    assert all(number in text for line in found for number in re.findall(r"arXiv:(\S+?)[;,]?(?:\s|$)", line))
    assert text.count("{") == text.count("}") and r"{\^i}" in text or "Lema" not in text
    assert all("journal" in entry for entry in text.split("\n@") if entry.lstrip("@").startswith("article"))
    assert set(re.findall(r"^@(\w+)", text, re.MULTILINE)) <= {"article", "inproceedings", "misc"}  # style `plain`
