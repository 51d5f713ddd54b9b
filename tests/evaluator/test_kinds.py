"""Kinds of physics code: what each declares, kinds of other packages, and messages for missing ones."""

import sys

import pytest

from evaluator.chain import Chain, Status
from evaluator.description import describe
from evaluator.errors import ConfigurationError
from scanspec import ScanFileError, read_scan_file
from tests.evaluator.harness import DATA, install_kind

SCAN = """\
variables: {x: [0, 10]}
codes:
  rows:
    nearest_row: {file: rows.csv, column: x}
    observables: {y: {mean: 20, sigma: 5}}
"""
ROWS = {"rows__csv": "x,y\n1,10\n4,20\n"}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Installs packages that this process finds until the end of the test."""
    monkeypatch.setattr("sys.path", [str(tmp_path / "packages"), *sys.path])

    def install(**options):
        install_kind(tmp_path / "packages", **options)

    yield install
    for module in [name for name in sys.modules if name.startswith("lodescan_")]:
        del sys.modules[module]


def test_a_kind_of_an_installed_package_evaluates_points(scan_file, chain, packages):
    packages()
    found = chain(scan_file(SCAN, **ROWS))
    assert found.evaluate([3.0]).observables == [20.0]
    sources = dict(describe(found, 1).sources)
    assert sources["rows: package lodescan-rows"] == "1.2.3"
    assert sources["rows: nearest_row"] == '{"column": "x", "file": "rows.csv"}'
    assert [(call.way, call.called) for call in describe(found, 1).calls] == [
        ("nearest_row", '{"column": "x", "file": "rows.csv"}')
    ]


def test_the_kind_shown_in_the_documents_works(scan_file, chain, packages):
    document = (DATA.parents[1] / "docs" / "backends.md").read_text()
    packages(text=document.partition("`lodescan_rows.py`\n```python\n")[2].partition("```")[0])
    assert chain(scan_file(SCAN, **ROWS)).evaluate([3.0]).observables == [20.0]


def test_without_the_package_the_message_names_the_kind(scan_file):
    scan = read_scan_file(scan_file(SCAN, **ROWS))  # the proposer reads the file without the package
    with pytest.raises(ConfigurationError, match=r"line 4: .*'rows' has the kind 'nearest_row', which no package"):
        Chain(scan)


def test_its_settings_are_checked_by_the_kind(scan_file, packages):
    packages()
    scan = read_scan_file(scan_file(SCAN.replace("column: x", "colum: x"), **ROWS))
    with pytest.raises(ConfigurationError, match=r"line 4: unknown key 'colum'.*did you mean 'column'"):
        Chain(scan)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("fuction", "function"),
        ("comand", "command"),
        ("flavo", "flavio"),
        ("umbrige", "umbridge"),
        ("um_bridge", "umbridge"),
        ("observable", "observables"),
    ],
)
@pytest.mark.parametrize("value", ["{address: here, model: m}", "text"])
def test_a_misspelt_key_is_refused_beside_an_unknown_kind(scan_file, key, hint, value):
    text = SCAN.replace("nearest_row: {file: rows.csv, column: x}", f"{key}: {value}")
    with pytest.raises(ScanFileError, match=rf"line 4: unknown key '{key}'.*did you mean '{hint}'"):
        read_scan_file(scan_file(text))


@pytest.mark.parametrize("more", ["script: run.sh", "other_kind: {a: 1}", "NearestRow: {a: 1}"])
def test_a_code_may_have_only_one_kind(scan_file, more):
    with pytest.raises(ScanFileError, match=r"line \d: .*unknown key"):
        read_scan_file(scan_file(SCAN.replace("    observables", f"    {more}\n    observables")))


def test_a_package_cannot_replace_a_built_in_kind(scan_file):
    text = SCAN.replace("    observables", "    function: codes:square\n    observables")
    with pytest.raises(ScanFileError, match="unknown key 'nearest_row'"):
        read_scan_file(scan_file(text))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("class NearestRow(Code)", "class NearestRow"), "must name a subclass of evaluator.codes.protocol.Code"),
        (('key = "nearest_row"', 'key = "row"'), "must give this class the key 'nearest_row', not 'row'"),
        (("import csv", "import csv, not_installed_anywhere"), "ModuleNotFoundError: No module named 'not_inst"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(scan_file, packages, changed, said):
    packages(text=(DATA / "kind_of_a_package.py").read_text().replace(*changed))
    with pytest.raises(ConfigurationError, match=f"lodescan-rows.*nearest_row.*{said}"):
        Chain(read_scan_file(scan_file(SCAN, **ROWS)))


def test_two_packages_with_the_same_kind_are_refused(scan_file, packages):
    packages()
    packages(package="lodescan-lines")
    with pytest.raises(ConfigurationError, match="'nearest_row': lodescan-lines, lodescan-rows; uninstall all but one"):
        Chain(read_scan_file(scan_file(SCAN, **ROWS)))


@pytest.mark.parametrize("setting", ["invalid_when: {exit_codes: [3]}", "append: yes", "profile: SPheno", "lsp: [5]"])
def test_a_setting_of_another_kind_is_refused(python_scan, setting):
    scan = python_scan(settings=setting)
    name = setting.partition(":")[0]
    with pytest.raises(ConfigurationError, match=f"line 5: codes: toy: {name} has no meaning for `function`"):
        Chain(read_scan_file(scan))


@pytest.mark.parametrize("setting", ["InputFile: x.in", "Append: 'True'", "Profile: SPheno", "LSP: [5]"])
def test_bsmarts_spelling_of_such_a_setting_is_ignored(python_scan, chain, setting):
    scan = python_scan(settings=setting)
    assert chain(scan).evaluate([2.0]).status is Status.OK
    said = " ".join([*read_scan_file(scan).changes, *read_scan_file(scan).notes])
    assert setting.partition(":")[0] in said or "lsp" in said
