"""Points as rows with plain columns: they are read back unchanged, and any SQLite can read them."""

import json
import math
import sqlite3
from contextlib import closing, nullcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proposer.run.checksums import Damaged
from proposer.run.columns import Columns, Quantity, TooManyColumns, most_columns
from proposer.run.dataset import Dataset
from proposer.run.points import answer_rows, ask_rows, read_rows
from proposer.types import Batch, Outcome, Status
from tests.proposer.datasets import columns, open_dataset

WIDTH, CODES = 3, 2
COLUMNS = columns(2, WIDTH, CODES)

numbers: st.SearchStrategy[list[float]] = st.lists(st.floats(width=64), min_size=WIDTH, max_size=WIDTH) | st.just([])
outcomes = st.builds(
    Outcome,
    id=st.just(1),
    status=st.sampled_from(Status),
    nll=st.none() | st.floats(allow_nan=False),
    observables=numbers,
    losses=numbers,
    seconds=st.lists(st.floats(allow_nan=False), max_size=CODES),
    failed_code=st.text(),
    message=st.text(),
    warnings=st.lists(st.text(), max_size=2),
    missing=st.lists(st.integers(0, WIDTH - 1), max_size=2),
    evaluator=st.text(),
    sent=st.floats(),
    begun=st.floats(),
    returned=st.floats(),
)
probabilities = st.just(math.nan) | st.floats(0, 1)
text = st.text().filter(lambda words: "\x1f" not in words)


@given(outcomes, st.lists(st.floats(allow_nan=False), min_size=2, max_size=2), text, probabilities)
@settings(max_examples=150, deadline=None)
def test_a_point_is_read_back_unchanged(outcome, values, origin, p):
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(COLUMNS.schema)
        rows, asked = ask_rows(1, 7, 3, [origin], np.array([values]) + 0.0, asked_at=1.0e9, probability=np.array([p]))
        db.executemany(COLUMNS.ask, rows)
        db.executemany(COLUMNS.answer, answer_rows([outcome], asked, COLUMNS))
        found, left = read_rows(db.execute("SELECT * FROM points").fetchall(), COLUMNS, np.zeros((1, 2)))
    assert left == []
    assert (found.ids[0], found.batches[0], found.iterations[0], found.origins[0]) == (1, 7, 3, origin)
    np.testing.assert_array_equal(found.params[0], values)
    assert found.status[0] == outcome.status
    nll = outcome.nll if outcome.status is Status.OK and outcome.nll is not None else np.nan
    np.testing.assert_array_equal(found.nll[0], nll)
    for name in ("observables", "losses"):
        padded = [*getattr(outcome, name), *[np.nan] * (WIDTH - len(getattr(outcome, name)))]
        np.testing.assert_array_equal(getattr(found, name)[0], padded)
    np.testing.assert_array_equal(found.seconds[0], outcome.seconds)
    assert (found.failed_code[0], found.message[0]) == (outcome.failed_code, outcome.message)
    assert found.warnings[0] == list(outcome.warnings)
    assert found.evaluator == [outcome.evaluator]
    np.testing.assert_array_equal(found.probability, [p])
    np.testing.assert_array_equal(found.times, [[1.0e9, outcome.sent, outcome.begun, outcome.returned]])
    assert found.missing[0] == (list(outcome.missing) if outcome.observables else list(range(WIDTH)))


def test_every_changed_value_is_found():
    """Changes each cell of a row with an answer and of a row without one in turn."""
    u = np.array([[0.25, 3.0], [0.5, 4.0]])
    rows, asked = ask_rows(1, 1, 0, ["a", "b"], u, asked_at=0.75, probability=np.array([0.125, math.nan]))
    said = Outcome(
        1,
        Status.FAILED,
        nll=None,
        observables=[1.0, math.nan, math.inf],
        losses=(),
        seconds=[0.5],
        failed_code="c0",
        message="why",
        warnings=["w"],
        missing=[1],
    )
    said = said._replace(evaluator="here", sent=1.5, begun=1.75, returned=2.25)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(COLUMNS.schema)
        db.executemany(COLUMNS.ask, rows)
        db.executemany(COLUMNS.answer, answer_rows([said], asked[:1], COLUMNS))
        whole = db.execute("SELECT * FROM points").fetchall()
    read_rows(whole, COLUMNS, np.zeros((2, 2)))
    for position, row in enumerate(whole):
        for cell, value in enumerate(row):
            others = (None, 0, 1, 2.5, "x", b"x", "OK", "[1]", "[", value + 1 if isinstance(value, int) else "why?")
            for other in others:
                damaged = list(whole)
                damaged[position] = (*row[:cell], other, *row[cell + 1 :])
                with nullcontext() if other == value else pytest.raises(Damaged):
                    read_rows(damaged, COLUMNS, np.zeros((2, 2)))


def test_names_of_columns_are_unique_for_sqlite():
    """For SQLite, m0 and M0 are the same name, and some names are reserved."""
    made = Columns.named(["m0", "M0", "M0_2", "NLL", 'a "b"'], ["M0", "nll", "loss x", "x"], ["spheno", ""])
    assert made.names[6:-12] == [
        "m0",
        "M0_3",
        "M0_2",
        "NLL_2",
        'a "b"',
        "M0_4",
        "nll_3",
        "loss x",
        "x",
        "loss M0",
        "loss nll",
        "loss loss x",
        "loss x_2",
        "seconds spheno",
        "seconds",
    ]
    assert len({name.lower() for name in made.names}) == len(made.names)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(made.schema)
        assert [row[1] for row in db.execute("PRAGMA table_info(points)")] == made.names


def test_any_reader_of_sqlite_can_read_a_run_while_it_goes_on(tmp_path):
    made = Columns(
        [Quantity("m0", "GeV", description='{"range": [0, 90]}'), Quantity("M0")],
        [Quantity("mh", "GeV", "spheno", "GAUSS 125 +- 1"), Quantity("w")],
        [Quantity("spheno")],
    )
    with Dataset(tmp_path) as dataset:
        dataset.start(made)
        u = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
        dataset.add_batch(Batch(u, ["start", "exploit", "x", "y"], 4), u * 100, b"state")
        dataset.record(
            [
                Outcome(
                    1,
                    Status.OK,
                    nll=0.5,
                    observables=[125.0, math.nan],
                    losses=[0.5, 0.0],
                    seconds=[2.0],
                    warnings=["SPINFO 3"],
                )._replace(evaluator="127.0.0.1:50051", sent=1e9)
            ]
        )
        dataset.record(
            [
                Outcome(
                    2,
                    Status.FAILED,
                    nll=None,
                    observables=[math.inf, math.nan],
                    losses=(),
                    seconds=[2.5],
                    failed_code="spheno",
                    message="no mh",
                    warnings=(),
                    missing=[1],
                )
            ]
        )
        dataset.record([Outcome(3, Status.TIMED_OUT, message="late")])
        with closing(sqlite3.connect(f"file:{tmp_path / 'dataset.sqlite'}?mode=ro", uri=True)) as other:
            table = pd.read_sql("SELECT * FROM points", other)
            other.row_factory = sqlite3.Row
            about = {row["name"]: row for row in other.execute("SELECT * FROM columns")}
    assert table["id"].tolist() == [1, 2, 3, 4]
    assert table["origin"].tolist() == ["start", "exploit", "x", "y"]
    assert table["status"].tolist()[:3] == ["OK", "FAILED", "TIMED_OUT"] and pd.isna(table["status"][3])
    assert table["m0"].tolist() == [10.0, 30.0, 50.0, 70.0] and table["M0_2"].tolist() == (u[:, 1] * 100).tolist()
    assert table["mh"][0] == 125.0 and table["mh"][1] == math.inf and table["loss mh"][0] == 0.5
    assert table["seconds spheno"].tolist()[:2] == [2.0, 2.5] and table["NLL"][0] == 0.5
    assert table["evaluator"][0] == "127.0.0.1:50051"
    assert json.loads(table["warnings"][0]) == ["SPINFO 3"]
    # SQLite turns NaN into NULL: the column `missing` tells which observables were missing
    assert [None if pd.isna(cell) else json.loads(cell) for cell in table["missing"]] == [None, ["w"], ["*"], None]
    assert (about["M0_2"]["kind"], about["M0_2"]["quantity"]) == ("variable", "M0")
    assert about["m0"]["description"] == '{"range": [0, 90]}' and about["M0_2"]["description"] == ""
    assert tuple(about["mh"])[2:7] == ("observable", "mh", "GeV", "spheno", "GAUSS 125 +- 1")
    assert (about["loss mh"]["kind"], about["loss mh"]["quantity"]) == ("loss", "mh")
    assert about["attempts"]["description"].startswith("how often")


def test_hundreds_of_observables_are_stored_and_too_many_are_refused(tmp_path):
    wide = [f"o{k}" for k in range(900)]
    with Dataset(tmp_path) as dataset:
        dataset.start(Columns.named(["x"], wide, ["c"]))
        u = np.array([[0.5]])
        dataset.add_batch(Batch(u, ["a"], 0), u, b"")
        dataset.record(
            [Outcome(1, Status.OK, nll=1.0, observables=[*map(float, range(900))], losses=[0.5] * 900, seconds=[1.0])]
        )
        assert next(dataset.results()).observables[0].tolist() == [*map(float, range(900))]
    most = most_columns()
    assert most == 2000
    with pytest.raises(TooManyColumns, match=r"1,000 observables.* need 2,02\d columns, .* at most 2,000; leave out"):
        Columns.named(["x"], [f"o{k}" for k in range(1000)], ["c"])


def test_the_last_code_gets_the_seconds_beyond_the_named_codes(tmp_path):
    for codes, expected in ((0, []), (1, [0.75]), (2, [0.5, 0.25]), (3, [0.5, 0.25])):
        with open_dataset(tmp_path / str(codes), 1, 0, codes) as dataset:
            u = np.array([[0.5]])
            dataset.add_batch(Batch(u, ["a"], 0), u, b"")
            dataset.record([Outcome(1, Status.OK, nll=1.0, observables=(), losses=(), seconds=[0.5, 0.25])])
            assert next(dataset.results()).seconds[0].tolist() == expected
