"""Results as arrays in one row: whatever goes in comes out, by id."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from proposer.packing import (
    pack_places,
    pack_results,
    unpack_ids,
    unpack_nll,
    unpack_places,
    unpack_results,
    unpack_seconds,
)
from proposer.rows import Outcome
from proposer.strategies.base import Status

WIDTH = 3

numbers = st.lists(st.floats(width=64), max_size=WIDTH)
outcomes = st.builds(
    Outcome, id=st.integers(1, 2**62), status=st.sampled_from(Status), nll=st.none() | st.floats(allow_nan=False),
    observables=numbers, losses=numbers, seconds=numbers, failed_code=st.text(), message=st.text(),
    warnings=st.lists(st.text(), max_size=2), missing=st.lists(st.integers(0, WIDTH - 1), max_size=2),
)  # fmt: skip
messages = st.lists(st.lists(outcomes, min_size=1, max_size=4), max_size=4).filter(
    lambda rows: len({each.id for row in rows for each in row}) == sum(map(len, rows))
)


@given(messages)
def test_results_come_back_by_id(rows):
    packed = [pack_results(each) for each in rows]
    found = unpack_results(packed, WIDTH)
    expected = sorted((each for row in rows for each in row), key=lambda each: each.id)
    assert found.ids.tolist() == [each.id for each in expected]
    assert found.status.tolist() == [each.status for each in expected]
    nll = [each.nll if each.status is Status.OK and each.nll is not None else np.nan for each in expected]
    np.testing.assert_array_equal(found.nll, np.array(nll, dtype=float))
    for name in ("observables", "losses"):
        padded = [[*getattr(each, name), *[np.nan] * (WIDTH - len(getattr(each, name)))] for each in expected]
        np.testing.assert_array_equal(getattr(found, name), np.array(padded).reshape(-1, WIDTH))
    for ran, remarks, each in zip(found.seconds, found.remarks, expected, strict=True):
        np.testing.assert_array_equal(ran, each.seconds)
        for name in ("failed_code", "message", "warnings", "missing"):
            assert remarks.get(name, type(getattr(each, name))()) == getattr(each, name)
    # and each part on its own
    for row, given_ones in zip(packed, rows, strict=True):
        assert unpack_ids(row.ids) == [each.id for each in given_ones]
        assert len(unpack_nll(row.nll)) == len(given_ones)
        ran_ones = [each for each in given_ones if each.seconds]
        for (status, ran), each in zip(unpack_seconds(row), ran_ones, strict=True):
            assert status is each.status
            np.testing.assert_array_equal(ran, each.seconds)


@given(st.lists(st.integers(0, 3), max_size=4), st.integers(1, 3))
def test_places_come_back_in_order(sizes, dim):
    rng = np.random.default_rng(len(sizes))
    batches = [rng.random((2, n, dim)) for n in sizes]
    u, params = unpack_places([pack_places(*each) for each in batches], sum(sizes))
    if sum(sizes):
        assert np.array_equal(u, np.concatenate([each[0] for each in batches]))
        assert np.array_equal(params, np.concatenate([each[1] for each in batches]))
    else:
        assert u.shape == params.shape == (0, 0)
