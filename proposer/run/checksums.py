"""Checksums of the rows of a dataset."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from zlib import crc32


class Damaged(ValueError):
    """A row has changed since it was written. The message says which one."""


def text_crc(*words: str) -> int:
    """The checksum of a row of words."""
    return crc32("\x1f".join(words).encode())


def blob_crc(numbers: Sequence[int], blob: bytes) -> int:
    """The checksum of a row of whole numbers and a blob."""
    return crc32(blob, crc32(struct.Struct(f"<{len(numbers)}q").pack(*numbers)))
