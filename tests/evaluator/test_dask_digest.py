"""The digest by which machines of a Dask cluster find out whether they compute the same."""

import pytest

from evaluator.chain import Chain
from evaluator.description import digest_of
from evaluator.scan import read_scan

SCAN = """\
variables: {x: [0, 10]}
codes:
  toy:
    function: toy:f
    observables: {y: , z: }
likelihoods:
  both: {observables: [y, z], mean: [1, 2], covariance: numbers.txt}
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("numbers.txt", "4 1\n1 8\n"),
        ("toy.py", "def f(point):\n    return {'y': 1.5, 'z': 2.0}\n"),
        ("scan.yaml", SCAN.replace("function: toy:f", "function: toy:f\n    timeout: 5")),
    ],
)
def test_another_file_beside_the_same_scan_is_another_scan(scan_file, name, content):
    files = {"toy.py": "def f(point):\n    return {'y': 1.0, 'z': 2.0}\n", "numbers.txt": "4 1\n1 9\n"}
    path = scan_file(SCAN, **{file.replace(".", "__"): text for file, text in files.items()})
    before = digest_of(Chain(read_scan(path)))
    assert digest_of(Chain(read_scan(path))) == before
    (path.parent / name).write_text(content)
    assert digest_of(Chain(read_scan(path))) != before
