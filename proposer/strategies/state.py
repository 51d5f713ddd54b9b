"""Stores the state of a strategy as bytes, without pickle: the position of its loop, and arrays."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from proposer.types import CheckpointError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOP = "place"
"""The name of the position in the file. Stored runs have it, so it stays."""


def pack(loop: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A file of numpy's format npz. `loop`: the position of the loop, as values for JSON. No array may be named
    "place".
    """
    file = io.BytesIO()
    data = np.frombuffer(json.dumps(dict(loop)).encode(), dtype=np.uint8)
    np.savez(file, allow_pickle=False, **{LOOP: data}, **arrays)
    return file.getvalue()


def unpack(data: bytes, what: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The loop and the arrays given to `pack`. Raises CheckpointError, which says that the data are not `what`."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        loop = json.loads(arrays.pop(LOOP).tobytes()) if LOOP in arrays else {}
        if not isinstance(loop, dict):
            raise TypeError("the state of the loop is not a mapping")
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"the checkpoint is not {what} ({error})") from error
    return loop, arrays
