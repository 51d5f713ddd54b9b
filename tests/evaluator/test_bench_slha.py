"""The benchmark of SLHA readers, run only for its values: lodescan reads the same numbers as pyslha."""

import pytest

pytestmark = [pytest.mark.physics(environment="slha"), pytest.mark.slow]


@pytest.fixture
def printed(monkeypatch, capsys):
    """The lines of the table by file, and the lines about differences; one round each, because the times are not
    tested.
    """
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


def test_lodescan_reads_the_same_numbers_as_pyslha(printed):
    rows, differing = printed()
    assert differing == []
    # how many numbers were compared; none if pyslha cannot read the file
    compared = {name: 0 if row[1] == "fails" else int(row[1]) for name, row in rows.items()}
    assert compared["softsusy_ok.out.slha"] > 100 and compared["simsusy_ok.out.slha"] > 100
    assert sum(count > 0 for count in compared.values()) >= 4


def test_a_number_that_differs_is_found(printed, monkeypatch):
    from benchmarks import slha
    from scanspec.spectrum import to_float

    monkeypatch.setattr(slha, "to_float", lambda word: to_float(word) * (1 + 1e-15))
    _, differing = printed()
    assert differing and all(int(line.split()[0]) > 10 for line in differing)
