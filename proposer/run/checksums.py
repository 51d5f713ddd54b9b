"""Checksums of what a dataset holds."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from zlib import crc32


class Damaged(ValueError):
    """A row is not as it was written; the message says which."""


def text_crc(*words: str) -> int:
    """The checksum of a row of words."""
    return crc32("\x1f".join(words).encode())


def blob_crc(numbers: Sequence[int], blob: bytes) -> int:
    """The checksum of a row of whole numbers and a blob."""
    return crc32(blob, crc32(struct.Struct(f"<{len(numbers)}q").pack(*numbers)))
