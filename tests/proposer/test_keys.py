"""Keys of points: points that agree to twelve digits are the same point."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from proposer.keys import KeySet, row_keys


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3))
def test_values_that_agree_to_12_digits_share_a_key(value, ulps):
    printed = float(f"{value:.15g}") if value else 0.0
    if not math.isfinite(printed):
        return
    near = printed
    for _ in range(abs(ulps)):
        near = math.nextafter(near, math.copysign(math.inf, ulps))
    halfway = f"{abs(value):.15e}"[13:16] in ("499", "500", "501")  # may round up or down
    if not halfway and math.isfinite(near) and abs(value) > 1e-290:
        keys = row_keys(np.array([[value], [printed], [near]]))
        assert keys[0] == keys[1] == keys[2]


@given(st.floats(1e-290, 1e290), st.sampled_from([-1, 1]))
def test_values_that_differ_in_the_11th_digit_have_other_keys(value, sign):
    keys = row_keys(sign * np.array([[value], [value * (1 + 1e-11)], [-value]]))
    assert len(set(keys.tolist())) == 3


def test_a_point_printed_with_12_digits_keeps_its_key():
    values = np.random.default_rng(0).lognormal(0, 30, (2000, 3)) * [1, -1, 1]
    printed = np.array([[float(f"{value:.12g}") for value in row] for row in values])
    assert np.array_equal(row_keys(values), row_keys(printed))


def test_keys_depend_on_order_and_sign_and_treat_both_zeros_alike():
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [-1.0, 2.0], [0.0, 2.0], [1.0, 0.0], [1.0, 20.0], [0.0, 0.0]])
    assert len(set(row_keys(rows).tolist())) == len(rows)
    assert row_keys(np.array([[0.0, 1.0]])) == row_keys(np.array([[-0.0, 1.0]]))
    assert len(set(row_keys(np.random.default_rng(0).random((100_000, 2))).tolist())) == 100_000


def test_a_key_set_behaves_like_a_set_of_python():
    rng = np.random.default_rng(0)
    keys, plain = KeySet(), set()
    for _ in range(60):
        new = rng.integers(0, 60_000, 1000).astype(np.uint64)
        expected: list[bool] = []
        for key in new.tolist():
            expected.append(key not in plain and key not in new[: len(expected)].tolist())
        assert keys.first_of_each(new).tolist() == expected
        keys.add(new)
        plain.update(new.tolist())
    assert len(plain) > 10_000
