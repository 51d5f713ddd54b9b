"""The state of a strategy as bytes: where its loop is, and arrays; without pickle."""

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


def pack(loop: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A file of numpy's format npz; `loop`: where the loop is, in what JSON can say; no array is named "place"."""
    file = io.BytesIO()
    data = np.frombuffer(json.dumps(dict(loop)).encode(), dtype=np.uint8)
    np.savez(file, allow_pickle=False, **{LOOP: data}, **arrays)
    return file.getvalue()


def unpack(data: bytes, what: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Loop and arrays of `pack`; raises CheckpointError, which says that this is not `what`."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        loop = json.loads(arrays.pop(LOOP).tobytes()) if LOOP in arrays else {}
        if not isinstance(loop, dict):
            raise TypeError("the state of the loop is not a mapping")
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"the checkpoint is not {what} ({error})") from error
    return loop, arrays
