"""The benchmark of SLHA readers, run for its values: what lodescan reads is what pyslha reads. Speed is not tested."""

import pytest

pytestmark = [pytest.mark.physics(environment="slha"), pytest.mark.slow]


@pytest.fixture
def printed(monkeypatch, capsys):
    """The lines of the table by file, and those about differences; one round each, since nobody reads the times."""
    from benchmarks import slha

    monkeypatch.setattr(slha, "REPEATS", 1)
    monkeypatch.setattr(slha, "ROUNDS", 1)

    def printed():
        slha.main()
        lines = capsys.readouterr().out.splitlines()[1:]
        differing = [line for line in lines if "differ from pyslha's" in line]
        rows = {line.split()[0]: line.split() for line in lines if line not in differing}
        assert set(rows) == set(slha.FILES)
        return rows, differing

    return printed


def test_every_number_of_pyslha_is_the_same(printed):
    rows, differing = printed()
    assert differing == []
    # how many numbers were compared; none where pyslha cannot read the file at all
    compared = {name: 0 if row[1] == "fails" else int(row[1]) for name, row in rows.items()}
    assert compared["softsusy_ok.out.slha"] > 100 and compared["simsusy_ok.out.slha"] > 100
    assert sum(count > 0 for count in compared.values()) >= 4


def test_another_number_is_found(printed, monkeypatch):
    from benchmarks import slha
    from scanspec.spectrum import to_float

    monkeypatch.setattr(slha, "to_float", lambda word: to_float(word) * (1 + 1e-15))
    _, differing = printed()
    assert differing and all(int(line.split()[0]) > 10 for line in differing)
