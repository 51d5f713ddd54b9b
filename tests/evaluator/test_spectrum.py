"""SLHA files are read: recorded files of real programs, and odd ones."""

import math
from dataclasses import replace

import pytest

from scanspec import SlhaAddress
from scanspec.spectrum import EntryMissing, read_spectrum
from tests.evaluator.harness import DATA


def entry(text, block, *indices):
    return read_spectrum(text).entry(SlhaAddress(block, indices))


def test_a_recorded_file_of_simsusy_is_read():
    spectrum = read_spectrum((DATA / "simsusy_ok.out.slha").read_text())
    lines = {line.split("#")[0].strip() for line in (DATA / "simsusy_ok.out.slha").read_text().splitlines()}
    mass = next(float(line.split()[1]) for line in lines if line.split() and line.split()[0] == "1000022")
    assert spectrum["MASS", 1000022] == mass
    assert spectrum["mass", 25] > 0
    assert abs(sum(spectrum["NMIX", 1, i] ** 2 for i in range(1, 5)) - 1) < 1e-6
    assert math.isfinite(spectrum["ALPHA",])
    assert not [text for number, text in spectrum.spinfo if number == 4]


def test_a_recorded_file_of_softsusy_is_read():
    spectrum = read_spectrum((DATA / "softsusy_ok.out.slha").read_text())
    assert 120 < spectrum["MASS", 25] < 130
    assert spectrum["HMIX", 2] > 0
    assert math.isfinite(spectrum["ALPHA",])
    tachyon = read_spectrum((DATA / "softsusy_tachyon.out.slha").read_text())
    assert [text for number, text in tachyon.spinfo if number == 4] == ["[ stau tachyon ]"]
    with pytest.raises(EntryMissing, match="no block MASS"):
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


def test_all_kinds_of_entries_are_read():
    assert entry(TEXT, "MASS", 25) == 125.0
    assert entry(TEXT, "MASS", 35) == -1000.0
    assert math.isnan(entry(TEXT, "MASS", 36))
    assert entry(TEXT, "ALPHA") == -0.11
    assert entry(TEXT, "GAUGE", 1) == 0.2  # the later block counts
    assert entry(TEXT, "NMIX", 1, 2) == -0.1
    assert entry(TEXT, "WIDTH", 25) == 0.004
    assert entry(TEXT, "WIDTH", 35) == 1.0
    for daughters in ((5, -5), (-5, 5)):
        assert entry(TEXT, "BR", 25, daughters) == 0.58
        assert entry(TEXT, "BR", 25, *daughters) == 0.58
    assert entry(TEXT, "BR", 25, (11, 24, -12)) == 0.1
    assert entry(TEXT, "BR", 25, (22, 22)) == 0.0  # a closed channel


def test_the_indices_may_stand_behind_several_values():
    """Couplings for HiggsBounds have two values, the number of particles, and the particles."""
    block = "Block HiggsBoundsInputHiggsCouplingsFermions\n 0.99 0.01 3 25 5 5\n 0.98 2.0E-02 3 25 4 4\n"

    def value(text, column, *indices):
        return read_spectrum(text).entry(SlhaAddress("HIGGSBOUNDSINPUTHIGGSCOUPLINGSFERMIONS", indices, column=column))

    assert [value(block, column, 3, 25, 4, 4) for column in (1, 2)] == [0.98, 0.02]
    assert value(block, 2, 3, 25, 5) == 0.01
    assert value(block + " 3 25 7.0 4 4\n", 3, 3, 25, 4) == 7.0  # if the indices come first, they are used
    with pytest.raises(EntryMissing):
        value(block, 1, 3, 25, 6)


def channel(line, daughters=(5, -5)):
    return entry(f"DECAY 25 4.0E-03\n 1.0E-01 2 24 -24\n{line}\n", "BR", 25, daughters)


@pytest.mark.parametrize("line", [" 5.8E-01 2-5 5", " 5.8D-01\t2 5-5 # h", " 5.8E-01 2 5 -5 b bbar"])
def test_channels_are_read_where_columns_touch(line):
    assert channel(line) == 0.58


@pytest.mark.parametrize("line", [" ******** 2 5 -5", " 5.8E-012 5 -5", " 0.5 2 b bbar", " 0.5 3 5 -5", " 0.5"])
def test_a_channel_that_cannot_be_read_does_not_count_as_closed(line):
    with pytest.raises(EntryMissing, match="the DECAY of 25 has a line that cannot be read: "):
        channel(line)
    assert channel(line, (24, -24)) == 0.1  # the readable channels are read


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
    with pytest.raises(EntryMissing, match=words):
        entry(TEXT, block, *indices)


CROSS_SECTIONS = """
Block MASS
 1000022 97
XSECTION  1.30E+04  2212 2212 2 1000022 1000024 # 10-13 TeV
 0  0  0  0  0  10042  2.5D-02  Prospino 2.1  # the first line, as BSMArt takes it
 0  1  0  0  0  10042  3.1E-02  Prospino 2.1
XSECTION  8.00E+03  2212 2212 2 1000022 1000024
 0  0  0  0  0  10042  1.0E-02  Prospino 2.1
XSECTION  1.30E+04  2212 2212 1 32
 short line
XSECTION  1.30E+04  2212 2212 1 32
 0  0  0  0  0  10042  7.0
XSECTION
XSECTION  1.30E+04  p p 1 31
 0  0  0  0  0  10042  9.0
BLOCK PROCESS ATLAS_1
 XS    1.5E+00   # (fb)
 MU95EXP 0.9
BLOCK EFFICIENCIES ATLAS_1
 SR1   2.0E-03  1.0E-04
BLOCK PROCESS CMS_1
 XS    2.5
BLOCK PROCESS
"""


def test_cross_sections_are_read():
    spectrum = read_spectrum(CROSS_SECTIONS)
    chargino = (2212, 2212, 1000022, 1000024)
    assert spectrum.entry(SlhaAddress("XSECTION", chargino, 13000.0)) == 0.025
    assert spectrum["xsection", 13000, 2212, 2212, 1000024, 1000022] == 0.025  # the particles may come in any order
    assert spectrum["XSECTION", 8000, *chargino] == 0.01
    assert spectrum["XSECTION", 13000, 2212, 2212, 32] == 7.0  # the last table counts
    assert spectrum["MASS", 1000022] == 97
    for address in ((7000, *chargino), (13000, 2212, 2212, 31), (13000, 2212, 2212, 1000022), ()):
        with pytest.raises(EntryMissing):
            spectrum["XSECTION", *address]


ORDERS = """
XSECTION  13000 2212 2212 2 1000021 1000021  # SModelS
 0 0 0 0 0 0 1.0E-02 SModelSv2
XSECTION  13000 2212 2212 2 1000021 1000021
 0 1 0 0 0 0 1.5E-02 SModelSv2
 0 2 0 1.0 1.0 10042 1.7D-02 SModelSv2
XSECTION  8000 2212 2212 2 1000021 1000021
 0 0 0 0 0 0 3.0E-03 SModelSv2
"""


def test_a_line_of_a_cross_section_is_selected_by_its_first_numbers():
    spectrum, gluinos = read_spectrum(ORDERS), SlhaAddress("XSECTION", (2212, 2212, 1000021, 1000021), 13000.0)
    lines: dict[tuple[float, ...], float] = {(): 0.015, (0, 0): 0.01, (0, 1): 0.015, (0, 2, 0, 1): 0.017}
    for line, value in lines.items():
        assert spectrum.entry(replace(gluinos, line=line)) == value
    missing: list[tuple[float, ...]] = [(0, 3), (1,), (0, 2, 0, 1, 1, 10043)]
    for line in missing:
        with pytest.raises(EntryMissing, match=r"in the line .*; there are: 0 0 0 0 0 0 = 1.0E-02, 0 1 0 0 0 0 = 1.5E"):
            spectrum.entry(replace(gluinos, line=line))
    warning = spectrum.other_values(gluinos)
    assert (
        "in several lines with different values: 0 0 0 0 0 0 = 1.0E-02, 0 1 0" in warning
        and "without `line`" in warning
    )
    assert not spectrum.other_values(replace(gluinos, line=(0, 1)))
    assert spectrum.other_values(replace(gluinos, line=(0,))).endswith(
        "0 0 0 0 0 0 = 1.0E-02, 0 1 0 0 0 0 = 1.5E-02, 0 2 0 1.0 1.0 10042 = 1.7D-02; the last one counts"
    )
    again = ORDERS.replace("1.5E-02 SModelSv2", "1.5E-02 SModelSv2\n 0 1 0 2 2 0 0.015 SModelSv2")
    assert not read_spectrum(again).other_values(replace(gluinos, line=(0, 1)))  # the same value
    assert not spectrum.other_values(replace(gluinos, scale=8000.0))
    assert not spectrum.other_values(replace(gluinos, scale=7000.0))


def test_values_of_analyses_are_read():
    def value(block, *words):
        return read_spectrum(CROSS_SECTIONS).entry(SlhaAddress(block, (), words=words))

    assert (value("PROCESS", "atlas_1", "XS"), value("PROCESS", "CMS_1", "xs")) == (1.5, 2.5)
    assert value("PROCESS", "ATLAS_1", "MU95EXP") == 0.9
    assert [value("EFFICIENCIES", "ATLAS_1", "SR1", which) for which in "01"] == [2e-3, 1e-4]
    for words in (("CMS_1", "MU95EXP"), ("CMS_2", "XS")):
        with pytest.raises(EntryMissing, match=rf"no entry PROCESS {words[0]} {words[1]}"):
            value("PROCESS", *words)


def test_any_bytes_can_be_read_without_a_crash():
    noise = bytes(range(256)).decode("utf-8", errors="replace")
    assert not read_spectrum(noise).blocks
    assert entry("\ufeffBlock MASS\n 25 125.5\n", "MASS", 25) == 125.5
    many = "7" * 5000  # digits, more than Python turns into an integer
    spectrum = read_spectrum(f"Block MASS\n {many} 1\n 25 125.5\nBlock SPINFO\n {many} x\nDECAY {many} 1\n")
    assert spectrum["MASS", 25] == 125.5 and not spectrum.problems
    assert entry("\0Block\0 MASS\n 2\x005 1\x002\0.5\0\n", "MASS", 25) == 12.5
    assert not read_spectrum("Block\nDECAY\nDECAY 25\n 1 2\n").blocks
