"""Files of many generators, recorded or written in their style, with their columns, scales and tables."""

import csv
import math

import pytest

from scanspec import SlhaAddress
from scanspec.spectrum import EntryMissing, read_spectrum, to_float
from tests.evaluator.harness import DATA

FILES = DATA / "slha"


def spectrum(name):
    return read_spectrum((FILES / f"{name}.slha").read_bytes().decode())


@pytest.mark.parametrize(
    ("name", "address", "value"),
    [
        ("spheno_style", SlhaAddress("GAUGE", (1,)), 3.60986e-1),  # the last of several, with the exponent D
        ("spheno_style", SlhaAddress("GAUGE", (3,)), 1.09667),  # with the exponent d
        ("spheno_style", SlhaAddress("GAUGE", (1,), 91.1876), 3.57444e-1),
        ("spheno_style", SlhaAddress("GAUGE", (2,), 467.034), 6.46378e-1),
        ("spheno_style", SlhaAddress("YU", (3, 3)), 8.88194e-101),  # an exponent without the letter E
        ("spheno_style", SlhaAddress("MASS", (1000025,)), -363.829),
        ("spheno_style", SlhaAddress("HIGGSBOUNDSINPUTHIGGSCOUPLINGSFERMIONS", (0, 3, 25, 5, 5), None, 1), 1.02),
        ("spheno_style", SlhaAddress("WIDTH", (25,)), 4.12e-3),
        ("spheno_style", SlhaAddress("WIDTH1L", (25,)), 4.07e-3),
        ("spheno_style", SlhaAddress("BR", (25, (-5, 5))), 0.77),
        ("spheno_style", SlhaAddress("BR1L", (25, (5, -5))), 0.76),
        ("spheno_style", SlhaAddress("BR", (25, (11, 24, -12))), 2.1e-2),
        ("flexiblesusy_style", SlhaAddress("ALPHA", ()), -0.10491796),
        ("flexiblesusy_style", SlhaAddress("MSOFT", (21,), 864.39), 1.0921814e5),
        ("flexiblesusy_style", SlhaAddress("MSOFT", (21,), 1.97e16), 1.5625e4),
        ("flexiblesusy_style", SlhaAddress("FLEXIBLESUSYOUTPUT", (0,)), 1.97e16),
        ("flexiblesusy_style", SlhaAddress("FOBS", (521, 4), None, 3), 0.225),
        ("flexiblesusy_style", SlhaAddress("FOBS", (531, 1, 0, 2, 13, -13), None, 3), 3.41e-9),
        ("flexiblesusy_style", SlhaAddress("FOBS", (531, 1, 0, 2, 11), None, 3), 7.9e-14),
        ("susyhit_style", SlhaAddress("MASS", (25,)), 115.137179),  # with a NUL byte and tabs
        ("susyhit_style", SlhaAddress("MASS", (1000037,)), -200.0),  # the columns touch
        ("susyhit_style", SlhaAddress("NMIX", (1, 2)), -0.0531103553),
        ("susyhit_style", SlhaAddress("NMIX", (2, 1)), -0.0993),
        ("susyhit_style", SlhaAddress("HMIX", (1,), 464.23), 352.164861),  # HMIXQ=
        ("susyhit_style", SlhaAddress("BR", (1000023, (23, 1000022))), 2.95071995e-2),
        ("susyhit_style", SlhaAddress("BR", (1000023, (1000011, -1000013))), 2.66666667e-1),
        ("susyhit_style", SlhaAddress("BR", (1000023, (1000022, 11, -11))), 0.1),
        ("susyhit_style", SlhaAddress("WIDTH", (25,)), 3.1e-3),  # the last line has no line end
    ],
)
def test_an_entry_of_each_file_is_read(name, address, value):
    assert spectrum(name).entry(address) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("spheno_style", SlhaAddress("GAUGE", (1,), 1000.0), "at Q = 1000; its scales: 91.1876, 467.034"),
        ("spheno_style", SlhaAddress("MASS", (25,), 1000.0), "its scales: none at all"),
        ("spheno_style", SlhaAddress("GAUGE", (3,), 91.1876), "no entry GAUGE 3 at Q = 91.1876"),
        ("flexiblesusy_style", SlhaAddress("FOBS", (531, 1)), "not the same: .*; `column` says"),
        ("flexiblesusy_style", SlhaAddress("FOBS", (531, 1), None, 3), "same: 3.4100E-09, 7.9000E-14; give more"),
        ("spheno_style", SlhaAddress("HIGGSBOUNDSINPUTHIGGSCOUPLINGSFERMIONS", (3, 25), None, 1), "1.02.*, 9.90"),
        ("flexiblesusy_style", SlhaAddress("FOBS", (531, 9), None, 3), "no entry FOBS 531 9 in column 3"),
        ("flexiblesusy_style", SlhaAddress("FOBS", (531, 1), None, 9), "no entry FOBS 531 1 in column 9"),
        ("spheno_style", SlhaAddress("WIDTH1L", (6,)), "no DECAY1L of 6"),
    ],
)
def test_the_message_names_what_is_missing(name, address, words):
    with pytest.raises(EntryMissing, match=words):
        spectrum(name).entry(address)


def test_texts_and_warnings_are_read():
    assert spectrum("spheno_style").text("spinfo", 1) == "SPheno"
    assert [text for number, text in spectrum("spheno_style").spinfo if number == 3] == [
        "Warning: the 2-loop part of the Higgs mass did not converge"
    ]
    assert spectrum("susyhit_style").text("DCINFO", 1) == "SDECAY/HDECAY"
    with pytest.raises(EntryMissing, match="no entry DCINFO 2"):
        spectrum("susyhit_style").text("DCINFO", 2)


@pytest.mark.parametrize("word", ["1.0E+02", "1.0D+02", "1.0d2", "100", "+100.", "1.0+002"])
def test_numbers_of_fortran_are_read(word):
    assert to_float(word) == 100.0


@pytest.mark.parametrize("word", ["", "D", "1.0-", "********", "1-9.9E-01", "abc", "1.0DD2"])
def test_entries_that_are_not_numbers_are_named(word):
    with pytest.raises(ValueError, match="float"):
        to_float(word)


def test_the_recorded_spectrum_of_softsusy_has_the_masses_of_the_table():
    """The recorded spectrum has the masses in its row of the table of the same scan."""
    found = read_spectrum((DATA / "softsusy_ok.out.slha").read_text())
    with (DATA / "softsusy_cmssm.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["mh"] and math.isclose(float(row["m0"]), found["MINPAR", 1])]
    assert len(rows) == 1
    assert found["MASS", 25] == pytest.approx(float(rows[0]["mh"]), rel=1e-7)
