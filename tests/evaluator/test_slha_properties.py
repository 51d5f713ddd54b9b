"""Spectrum files with random content, written in the styles of many programs, are read back as they were written."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scanspec import SlhaAddress
from scanspec.spectrum import EntryMissing, read_spectrum

NAMES = ["MASS", "NMIX", "GAUGE", "DMIX", "XINFO", "BETA_1", "HMIX"]
PDGS = st.integers(1, 3_000_000) | st.integers(-3_000_000, -1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def files(draw):
    """Makes a text, the values of its blocks by (name, scale, indices), and its decays by PDG number: the width and the
    ratios by daughters.
    """
    blocks, decays, lines = {}, {}, []

    def one_of(*choices):
        return draw(st.sampled_from(choices))

    def gap():
        return one_of(" ", "  ", "\t", "     ")

    def comment():
        return one_of("", " # h0", "# block MASS", "\t#DECAY 25 1", "  # 1 2 3 caf\ufffd")

    def line(*words):
        lines.append(one_of("", " ", "\t") + gap().join(words) + comment())
        if draw(st.booleans()):
            lines.append(one_of("", "#", "# 25 7.0", "   ", "#  BR  NDA ID1", "# Block of X", "# Decay: 25"))

    def number(value):
        """A number as C, C++, Python or Fortran write it, without loss of digits."""
        plain = f"{value:.17E}"
        mantissa, _, exponent = plain.partition("E")
        fortran = f"{mantissa}{exponent}" if len(exponent) == 4 else f"{mantissa}D{exponent}"
        return one_of(plain, plain.lower(), repr(value), fortran, plain.replace("E", "d"))

    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
        for scale in draw(st.lists(st.sampled_from([91.1876, 1000.0, 1.97e16]), min_size=1, max_size=3, unique=True)):
            header = one_of(f"Q= {scale!r}", f"Q={scale:.8E}", f"q = {scale!r}")
            line(one_of("Block", "BLOCK", "block"), one_of(name, name.lower()), header)
            length = draw(st.integers(0, 3))
            index = st.tuples(*[st.integers(0, 3_000_000)] * length)
            for indices, value in draw(st.dictionaries(index, NUMBERS, max_size=5)).items():
                blocks[name, scale, indices] = value
                line(*map(str, indices), number(value))
    for pdg in draw(st.lists(st.integers(1, 3_000_000), max_size=3, unique=True)):
        width = draw(st.floats(0, 1e3))
        line(one_of("DECAY", "Decay", "decay"), str(pdg), number(width))
        daughters = st.lists(PDGS, min_size=1, max_size=4).map(lambda pdgs: tuple(sorted(pdgs)))
        ratios = draw(st.dictionaries(daughters, st.floats(0, 1), max_size=4))
        decays[pdg] = width, ratios
        for channel, ratio in ratios.items():
            line(number(ratio), str(len(channel)), *map(str, draw(st.permutations(channel))))
    return one_of("\n", "\r\n").join(lines), blocks, decays


@given(files())
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read(written):
    text, blocks, decays = written
    spectrum = read_spectrum(text)
    for (name, scale, indices), value in blocks.items():
        assert spectrum.entry(SlhaAddress(name, indices, scale=scale)) == value
    assert {pdg: (decay.width, decay.branching_ratios) for pdg, decay in spectrum.decays.items()} == decays
    for pdg, (_, ratios) in decays.items():
        assert spectrum.entry(SlhaAddress("BR", (pdg, (7, 7, 7, 7, 7)))) == 0.0
        for channel, ratio in ratios.items():
            assert spectrum.entry(SlhaAddress("BR", (pdg, channel[::-1]))) == ratio


@given(st.text(alphabet="BLOCKDECAYXSECTION q=#\n\t 0123456789.eED+-*_MASBRpinf", max_size=300), st.data())
@settings(max_examples=300, deadline=None)
def test_any_text_gives_numbers_or_says_what_is_missing(text, data):
    spectrum = read_spectrum(data.draw(st.sampled_from(["", "Block MASS\n", "DECAY 25 1.0\n"])) + text)
    assert spectrum.spinfo is not None and spectrum.problems is not None and spectrum.decays is not None
    asked = [("MASS", (25,)), ("BR", (25, (5, -5))), ("WIDTH", (25,))]
    asked += [(block.name, indices) for block in spectrum.all_blocks for indices in block.entries]
    for name, indices in asked:
        for more in ({}, {"scale": 1.0}, {"column": 2}, {"under": ("XS",)}):
            try:
                assert isinstance(spectrum.entry(SlhaAddress(name, indices, **more)), float)
            except EntryMissing:
                continue


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_an_entry_has_a_value_only_if_all_its_lines_agree(lines):
    """Lines with the same index must agree."""
    spectrum = read_spectrum("Block A\n" + "".join(f" {index} {value}.0\n" for index, value in lines))
    for wanted in {index for index, _ in lines}:
        values = {value for index, value in lines if index == wanted}
        try:
            assert {spectrum["A", wanted]} == values
        except EntryMissing:
            assert len(values) > 1
