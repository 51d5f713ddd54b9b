"""Columns of a dataset for the description of an evaluator."""

import time

import pytest

from proposer.run.columns import Columns, TooManyColumns


def test_more_codes_of_one_name_than_columns_are_refused_at_once() -> None:
    start = time.perf_counter()
    with pytest.raises(TooManyColumns, match="need 20,021 columns"):
        Columns.named(["x"], ["y"], ["code"] * 20_000)
    assert time.perf_counter() - start < 5.0  # to find names for all of them would take minutes
