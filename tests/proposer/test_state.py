"""The state of a strategy is stored as bytes, and restoring it runs no code."""

import io

import numpy as np
import pytest

from proposer.strategies.state import pack, unpack
from proposer.types import CheckpointError


def test_the_state_of_the_loop_and_arrays_are_restored():
    arrays = {"model/weights": np.arange(6.0).reshape(2, 3), "seen": np.array(True)}
    loop, found = unpack(pack({"asks": 3, "why": "é"}, arrays), "one of LODE")
    assert loop == {"asks": 3, "why": "é"}
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:100], lambda data: b"no" + data[2:]])
def test_damage_is_an_error_that_says_what_was_expected(damage):
    with pytest.raises(CheckpointError, match="the checkpoint is not one of LODE"):
        unpack(damage(pack({}, {"x": np.zeros(3)})), "one of LODE")


def test_a_pickle_is_not_loaded():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    file = io.BytesIO()
    np.savez(file, large=np.array(Trap(), dtype=object))
    with pytest.raises(CheckpointError):
        unpack(file.getvalue(), "one of LODE")
