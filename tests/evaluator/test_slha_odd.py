"""SLHA files that violate the format: repeated entries, odd channels, prose. Nothing in them may be read as a wrong
number.
"""

import pytest

from scanspec import SlhaAddress
from scanspec.spectrum import EntryMissing, read_spectrum


def entry(text, block, *indices, **more):
    return read_spectrum(text).entry(SlhaAddress(block, indices, **more))


def missing(text, block, *indices, words=None, **more):
    with pytest.raises(EntryMissing, match=words):
        entry(text, block, *indices, **more)
    return True


# NMSSMTools, which makes the first line of a block a comment
GUTRUN = """BLOCK GUTRUN Q= 1.0E+16
   1  0.31   # lambda
   2  0.22   # kappa
   3  7
# BLOCK FINETUNING
   1  13.4   # tuning of mhu
   3  7.0
"""


def test_an_index_twice_in_a_block_has_a_value_only_if_both_agree():
    missing(GUTRUN, "GUTRUN", 1, words="GUTRUN 1 more than once, and not the same: 0.31, 13.4; a block")
    assert (entry(GUTRUN, "GUTRUN", 2), entry(GUTRUN, "GUTRUN", 3)) == (0.22, 7.0)
    assert missing(GUTRUN, "GUTRUN", 1, scale=1e16)
    with pytest.raises(EntryMissing, match="not the same"):
        read_spectrum(GUTRUN).text("GUTRUN", 1)
    with pytest.raises(EntryMissing, match="not the same"):
        _ = read_spectrum(GUTRUN)["gutrun", 1]


@pytest.mark.parametrize("head", ["# BLOCK FINETUNING", "  ##block HMIX Q= 1.0E+03  # (SUSY scale)", "#Block yu Q=91"])
def test_entries_behind_a_first_line_that_is_a_comment_are_not_read(head):
    text = f"Block A\n 1 5\n 2 6\n{head}\n 2 6.0\n 3 7\nBlock B\n 3 8\n"
    assert (entry(text, "A", 1), entry(text, "A", 2), entry(text, "B", 3)) == (5.0, 6.0, 8.0)
    assert missing(text, "A", 3, words=f"A 3 behind '{head.strip()[:8]}.*, the first line of another block, written")
    text = text.replace(head, "# Block A goes on, with numbers of low weight")  # does not begin a block
    assert entry(text, "A", 3) == 7.0


def test_channels_behind_a_first_line_that_is_a_comment_are_not_read():
    text = "DECAY 24 2.0\n 0.1 2 11 -12\n#DECAY 25 4.0E-03 # h\n 0.5 2 5 -5\n"
    assert entry(text, "BR", 24, (-12, 11)) == 0.1 and missing(text, "BR", 24, (5, -5))
    assert entry(text.replace(" 0.5", "# 0.5"), "BR", 24, (5, -5)) == 0.0  # here the whole table is a comment


def test_a_line_may_have_several_numbers():
    """FLHA writes masses as value, scheme and scale."""
    text = "Block FMASS\n 5 4.68 3 0\n"
    assert missing(text, "FMASS", 5, words="'4.68 3 0', not a number; `column` says where")
    assert entry(text, "FMASS", 5, column=2) == 4.68


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ("1 0.3\n 1 3.0D-01\n 1 +.3", 0.3),  # the same number
        ("1 0.3\n 1 nan", None),
        ("1 0.3\n 1 ******", None),
        ("1 nan\n 1 NaN", "nan"),
        ("1 0.3\n 2 0.4\n === Results ===\n 1 event, at 13 TeV", 0.3),  # prose is not a value
        ("1-9.9E-01\n 1 5", None),  # this also holds where columns touch
        ("1-9.9E-01\n 2 5", -0.99),
        ("0.3", None),
    ],
)
def test_which_entries_are_the_same(lines, value):
    text = f"Block A\n {lines}\n"
    if value is None:
        assert missing(text, "A", 1)
    else:
        assert str(entry(text, "A", 1)) == str(value)


def test_whole_numbers_are_read_where_columns_touch():
    text = "Block MODSEL\n 1 5\n 1000037-200.0\n 3 -7\n"
    assert [entry(text, "MODSEL", index) for index in (1, 1000037, 3)] == [5.0, -200.0, -7.0]


def test_an_entry_may_have_no_index():
    assert entry("Block ALPHA\n -0.11\n === Results Summary ===\n Nb of events : 10\n", "ALPHA") == -0.11
    assert missing("Block ALPHA\n -0.11\n -0.12\n", "ALPHA", words="-0.11, -0.12")


SPHENO = """Block SPhenoCrossSections  # cross sections
XS 11 -11  500.0  0.00  0.00  1  # e+ e-  XS, Pe-, Pe+, including ISR
#      Sigma [fb]    NDA        ID1     ID2
     1.5E+01          2     2000011  -2000011 # ~e_R- ~e_R+
     4.0E+00          2     1000022   1000023
     7.0E+00          2          25        23
XS 11 -11  500.0  0.80 -0.30  1
     3.0E+01          2     2000011  -2000011
     4.0E+00          2     1000022   1000023
XS 11 -11  1000.0  0.00  0.00  1
     0.9E+01          2     2000011  -2000011
     4.0E+00          2     1000022   1000023
Block MASS
  25 125
"""


def test_tables_within_a_block_are_read():
    def value(under="", *daughters):
        indices = (len(daughters), *daughters)
        return entry(SPHENO, "SPHENOCROSSSECTIONS", *indices, column=1, under=tuple(under.split()))

    selectrons = (2000011, -2000011)
    assert value("XS 11 -11 1000", *selectrons) == 9.0
    assert value("xs 11 -11 1.0E+03 0", *selectrons) == 9.0
    assert value("XS 11 -11 500 0 0", *selectrons) == 15.0
    assert value("XS 11 -11 500 0.8 -0.3 1", *selectrons) == 30.0
    assert value("", 1000022, 1000023) == 4.0  # every table has the same value
    assert value("", 25, 23) == 7.0
    for under, words in (
        ("", "not the same: 1.5E.01, 3.0E.01, 0.9E.01; `under` selects a table .*: XS 11 -11 500.0 0.00 0.00 1; XS"),
        ("XS 11 -11 500", "not the same: 1.5E.01, 3.0E.01; `under`"),
        ("XS 11 -11 800", "no table under 'XS 11 -11 800'; lines that head one: XS 11 -11 500.0 0.00 0.00 1; XS"),
        ("XS 11 -11 500.0 0.00 0.00 1 1", "no table under"),
    ):
        with pytest.raises(EntryMissing, match=words):
            value(under, *selectrons)
    with pytest.raises(EntryMissing, match="no entry SPHENOCROSSSECTIONS 2 25 23 in column 1 under XS 11 -11 1000"):
        value("XS 11 -11 1000", 25, 23)
    table = "Block A\nT1\n 1 5\nT2\n 1 6\n"
    assert [entry(table, "A", 1, under=(name,)) for name in ("T1", "t2")] == [5.0, 6.0]


def test_of_two_close_scales_the_nearest_is_read():
    text = "Block G Q= 1000.0\n 1 5\nBlock G Q= 1000.5\n 1 6\n"
    assert [entry(text, "G", 1, scale=scale) for scale in (1000.0, 1000.4)] == [5.0, 6.0]
    text += "Block G Q= 1000.0\n 1 7\n"
    assert entry(text, "G", 1, scale=1000.0) == 7.0  # of two blocks at the same scale, the later one counts
    text = "XSECTION 13000 1 2 1 3\n 0 0 0 0 0 0 5\nXSECTION 13010 1 2 1 3 [pb]\n 0 0 0 0 0 0 6\n"
    assert [entry(text, "XSECTION", 1, 2, 3, scale=scale) for scale in (13e3, 13010.0)] == [5.0, 6.0]


@pytest.mark.parametrize(
    "head", ["G (Q= 1.0E+03)", "G(Q=1.0E+03) # SUSY scale", "G [ Q = 1.0D+03 ]", "G Q= 1000., DRbar"]
)
def test_a_scale_may_stand_in_brackets(head):
    text = f"Block {head}\n 1 5\nBlock G (Q= 91.19)\n 1 6\n"
    assert [entry(text, "G", 1, scale=scale) for scale in (1000.0, 91.19)] == [5.0, 6.0]


def test_a_line_with_more_daughters_than_it_says_is_not_read():
    """An old SPheno wrote 2 1000022 24 5."""
    text = "DECAY 1000006 1.0\n 4.2E-06 2 1000022 24 5 # BR(~t_1 -> chi_10 W b)\n 0.4 2 1000024 5 b\n"
    for daughters in ((1000022, 24, 5), (1000022, 24)):
        assert missing(text, "BR", 1000006, daughters, words="is ambiguous .* '4.2E-06 2 1000022 24 5'")
    assert entry(text, "BR", 1000006, (5, 1000024)) == 0.4
    assert entry(text, "BR", 1000006, (6, 1000022)) == 0.0  # that line is about another channel
    assert read_spectrum(text).decays[1000006].branching_ratios == {(5, 1000024): 0.4}


def test_a_channel_with_two_values_has_none():
    text = "DECAY 36 1.0\n 3.0E-02 2 1000006 2000006\n 2.0E-02 2 2000006 1000006\n 0.1 2 5 -5\n"
    assert missing(text, "BR", 36, (1000006, 2000006), words="is ambiguous")
    assert entry(text, "BR", 36, (5, -5)) == 0.1


PROSE = """DECAY 2000005 1.5
   1.0E+00  2  1000022  5
  === Results Summary ===
     Nb of events :  10
  10 events at 13 TeV
  - 3 of them pass
  0.5  2  22  22
"""


def test_a_channel_repeated_with_the_same_value_has_it():
    spectrum = read_spectrum("DECAY 25 4.0E-03\n 5.0E-01 2 5 -5\n 5.0E-01 2 5 -5\n")
    assert spectrum.entry(SlhaAddress("BR", (25, 5, -5))) == 0.5


def test_prose_behind_the_last_decay_is_not_read():
    assert entry(PROSE, "BR", 2000005, (1000022, 5)) == 1.0
    assert entry(PROSE, "BR", 2000005, (5, 22)) == 0.0
    assert missing(PROSE, "BR", 2000005, (22, 22))  # the line could be a channel or a result
    assert list(read_spectrum(PROSE).decays[2000005].branching_ratios) == [(5, 1000022)]


def test_prose_within_a_table_ends_it():
    text = "DECAY 25 4e-3\n BR NDA ID1 ID2\n 0.5 2 5 -5\n to leptons:\n 0.1 2 15 -15\n"
    assert entry(text, "BR", 25, (5, -5)) == 0.5
    assert missing(text, "BR", 25, (15, -15))
    text = "DECAY 25 4e-3\n 0.5 2 5 -5\nDecay to leptons\n 0.1 2 15 -15\n"  # this line does not begin a decay
    assert missing(text, "BR", 25, (15, -15)) and entry(text, "BR", 25, (5, -5)) == 0.5
    text = "DECAY 1000022 0.0\nDECAY ~chi_20 1.0\n 0.5 2 5 -5\n"
    assert missing(text, "BR", 1000022, (5, -5))


@pytest.mark.parametrize("line", [" 0.5 2 5_0 5", " 0.5 0 5 -5", " 0.5 -1 5 -5", " 0.5 2. 5 -5", " 0_5 2 5 -5"])
def test_no_channel_counts_as_closed_beside_a_line_that_is_not_a_channel(line):
    assert missing(f"DECAY 25 1.0\n{line}\n", "BR", 25, (5, -5))
    assert missing(f"DECAY 25 1.0\n{line}\n", "BR", 25, (50, 5))


def test_a_later_table_that_cannot_be_read_does_not_bring_back_the_earlier():
    assert missing("DECAY 25 1.0\n 0.5 2 5 -5\nDECAY 25\n 0.4 2 5 -5\n", "BR", 25, (5, -5), words="width in DECAY 25")


@pytest.mark.parametrize("head", ["Block", "BLOCK # MASS", "Block\t"])
def test_a_block_without_a_name_ends_the_one_before(head):
    text = f"Block MASS\n 25 125\n{head}\n 35 500\n"
    assert entry(text, "MASS", 25) == 125.0 and missing(text, "MASS", 35)


@pytest.mark.parametrize("word", ["1_0", "1.5-10", "1-10", "(1.0,0.0)", "1,5", "0x10", "1.0E 02"])
def test_entries_that_are_not_numbers_have_no_value(word):
    assert missing(f"Block A\n 1 {word}\n", "A", 1, words="not a number")


def test_a_result_of_an_analysis_with_two_values_has_none():
    text = "BLOCK PROCESS A\n XS 1.5\n XS 2.5\n"
    with pytest.raises(EntryMissing, match=r"not the same: 1\.5, 2\.5"):
        read_spectrum(text).entry(SlhaAddress("PROCESS", (), words=("A", "XS")))


def test_problems_of_the_spectrum_are_named():
    text = """BLOCK SPINFO   # program
     1   MYCODE # calculator
     3   # relic density too large
     3   doubtful # as written
     4
BLOCK RDINFO
     3 # Relic density too large (WMAP)
BLOCK OBSINFO
    1   3   a_muon: non-perturbative running
    0   3   # exception thrown
    4   by itself
Block SPhenoINFO
    3   5
"""
    spectrum = read_spectrum(text)
    assert [str(problem) for problem in spectrum.problems] == [
        "SPINFO 3: relic density too large",
        "SPINFO 3: doubtful",
        "SPINFO 4: no reason is given",
        "RDINFO 3: Relic density too large (WMAP)",
        "OBSINFO 3: a_muon: non-perturbative running",
        "OBSINFO 3: exception thrown",
        "OBSINFO 4: by itself",
    ]
    assert spectrum.spinfo == [(1, "MYCODE"), (3, "relic density too large"), (3, "doubtful"), (4, "")]


# SARAH, FeynRules: a block for each new particle, all of one name
QNUMBERS = """BLOCK QNUMBERS 9000005  # ~S
 1 0
 2 1
Block QNumbers 9000006 # ~P
 1 3
 2 1
"""


def test_blocks_that_differ_in_the_number_behind_their_name_are_not_taken_for_one():
    assert missing(QNUMBERS, "QNUMBERS", 1, words="0 in QNUMBERS 9000005, 3 in QNUMBERS 9000006; write 'QNUMBERS 90")
    assert entry(QNUMBERS, "QNUMBERS", 2) == 1.0
    assert (entry(QNUMBERS, "QNUMBERS 9000005", 1), entry(QNUMBERS, "QNUMBERS 9000006", 1)) == (0.0, 3.0)
    assert missing(QNUMBERS, "QNUMBERS 7", 1, words="no block QNUMBERS 7")
    assert entry("BLOCK A 1\n 1 5.0\nBLOCK A 2\n 1 5.00E+00\n", "A", 1) == 5.0
    assert entry("BLOCK A 1\n 1 5\nBLOCK A # 2\n 1 6\n", "A", 1) == 6.0  # a later code wrote it


@pytest.mark.parametrize("word", ["-nan(ind)", "nan(0x8000000000000)", "NaN", "-nan"])
def test_every_spelling_of_nan_is_nan(word):
    assert str(entry(f"BLOCK MASS\n 25 {word}\n", "MASS", 25)) == "nan"


def test_a_form_feed_before_a_block_does_not_hide_it():
    text = "BLOCK MASS\n 25 125\n\fBLOCK X\n 25 2\n"
    assert (entry(text, "MASS", 25), entry(text, "X", 25)) == (125.0, 2.0)
