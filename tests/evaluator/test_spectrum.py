"""Reading SLHA: recorded files of real programs, and what odd programs write."""

import math

import pytest

from evaluator.errors import CodeFailed
from evaluator.spectrum import read_spectrum
from scanspec import SlhaAddress
from tests.evaluator.harness import DATA


def entry(text, block, *indices):
    return read_spectrum(text).entry(SlhaAddress(block, indices))


def test_simsusy():
    spectrum = read_spectrum((DATA / "simsusy_ok.out.slha").read_text())
    lines = {line.split("#")[0].strip() for line in (DATA / "simsusy_ok.out.slha").read_text().splitlines()}
    mass = next(float(line.split()[1]) for line in lines if line.split() and line.split()[0] == "1000022")
    assert spectrum["MASS", 1000022] == mass
    assert spectrum["mass", 25] > 0
    assert abs(sum(spectrum["NMIX", 1, i] ** 2 for i in range(1, 5)) - 1) < 1e-6
    assert math.isfinite(spectrum["ALPHA",])
    assert not [text for number, text in spectrum.spinfo if number == 4]


def test_softsusy():
    spectrum = read_spectrum((DATA / "softsusy_ok.out.slha").read_text())
    assert 120 < spectrum["MASS", 25] < 130
    assert spectrum["HMIX", 2] > 0
    assert math.isfinite(spectrum["ALPHA",])
    tachyon = read_spectrum((DATA / "softsusy_tachyon.out.slha").read_text())
    assert [text for number, text in tachyon.spinfo if number == 4] == ["[ stau tachyon ]"]
    with pytest.raises(CodeFailed, match="no block MASS"):
        tachyon["MASS", 25]


TEXT = """
Block MASS  # masses
   25   1.25D+02   # Fortran
   35   -1.0e3
   36   NaN
   37   ******
Block ALPHA
  -1.1E-01
BLOCK GAUGE Q= 1.0E+03
 1 0.1
BLOCK GAUGE Q= 2.0E+03
 1 0.2
block  nmix
 1 1 0.9
 1 2 -0.1
Block YU 1
 3 3 0.8 trailing
DECAY 25 4.0E-03 # h
#  BR  NDA  ID1 ID2
 5.8E-01 2 5 -5 # b bbar
 1.0D-01 3 24 -12 11
 bad line
DECAY 6 nonsense
DECAY 35 1
"""


def test_all_kinds_of_entries():
    assert entry(TEXT, "MASS", 25) == 125.0
    assert entry(TEXT, "MASS", 35) == -1000.0
    assert math.isnan(entry(TEXT, "MASS", 36))
    assert entry(TEXT, "ALPHA") == -0.11
    assert entry(TEXT, "GAUGE", 1) == 0.2  # the later block wins
    assert entry(TEXT, "NMIX", 1, 2) == -0.1
    assert entry(TEXT, "WIDTH", 25) == 0.004
    assert entry(TEXT, "WIDTH", 35) == 1.0
    for daughters in ((5, -5), (-5, 5)):
        assert entry(TEXT, "BR", 25, daughters) == 0.58
        assert entry(TEXT, "BR", 25, *daughters) == 0.58
    assert entry(TEXT, "BR", 25, (11, 24, -12)) == 0.1
    assert entry(TEXT, "BR", 25, (22, 22)) == 0.0  # a closed channel


@pytest.mark.parametrize(
    ("block", "indices", "words"),
    [
        ("MASS", (1,), "no entry MASS 1"),
        ("MASS", (), "no entry MASS"),
        ("MASS", (37,), r"'\*{6}', not a number"),
        ("HMIX", (1,), "no block HMIX"),
        ("WIDTH", (24,), "no DECAY of 24"),
        ("WIDTH", (6,), "'nonsense', not a number"),
        ("BR", (24, (11, -12)), "no DECAY of 24"),
        ("YU", (3, 3), "not a number"),
    ],
)
def test_missing_entries_are_failures(block, indices, words):
    with pytest.raises(CodeFailed, match=words):
        entry(TEXT, block, *indices)


def test_any_bytes_can_be_read():
    noise = bytes(range(256)).decode("utf-8", errors="replace")
    assert not read_spectrum(noise).blocks
    assert entry("\ufeffBlock MASS\n 25 125.5\n", "MASS", 25) == 125.5
    assert entry("\0Block\0 MASS\n 2\x005 1\x002\0.5\0\n", "MASS", 25) == 12.5
    assert not read_spectrum("Block\nDECAY\nDECAY 25\n 1 2\n").blocks
