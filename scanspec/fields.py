"""Bounds the memory that a message of protobuf takes, before it is parsed."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

SMALL = 2**18
"""A message of at most this many bytes needs no look, since it takes little memory in any case."""

MOST_FIELDS = 250_000
"""The most fields of a larger message, with those of the messages in it. A field of two bytes, such as an empty result,
takes over 300 bytes of memory in Python.
"""


_M = TypeVar("_M", bound=Message)


class TooManyFields(DecodeError):
    """A message has more than MOST_FIELDS fields."""


def parse(kind: type[_M], data: bytes) -> _M:
    """Parses a message. Raises DecodeError, and TooManyFields for a message that would take far more memory than it has
    bytes.
    """
    if len(data) > SMALL and _most_with_length(data, kind.DESCRIPTOR) > MOST_FIELDS:
        _count(data, 0, len(data), kind.DESCRIPTOR, MOST_FIELDS)
    return kind.FromString(data)


def _most_with_length(data: bytes, kind: Any) -> int:
    """An upper bound on the number of fields of texts, bytes and messages, which alone take much memory: the number of
    bytes that may begin one. This takes a hundredth of the time of counting fields.
    """
    return len(data) - len(data.translate(None, _first_bytes(kind)))


@cache
def _first_bytes(kind: Any) -> bytes:
    """The bytes with which such fields of a message, and of the messages in it, may begin."""
    found = set[int]()
    for number, field in kind.fields_by_number.items():
        first = (number << 3 | 2) & 127
        found |= {first, first | 128}  # a tag may be written with more bytes than it needs
        if field.message_type is not None:
            found.update(_first_bytes(field.message_type))
    return bytes(sorted(found))


def _count(data: bytes, at: int, end: int, kind: Any, left: int) -> int:
    """Counts the fields of the message from `at` to `end`. Returns how many more there may be; raises TooManyFields."""
    within = {
        number: field.message_type for number, field in kind.fields_by_number.items() if field.message_type is not None
    }
    while at < end:
        if left == 0:
            raise TooManyFields(f"a message of {len(data):,} bytes has more than {MOST_FIELDS:,} fields; send several")
        left -= 1
        tag, at = _varint(data, at, end)
        wire_type = tag & 7
        if wire_type == 0:
            _, at = _varint(data, at, end)
        elif wire_type == 2:
            size, at = _varint(data, at, end)
            if size and (inner := within.get(tag >> 3)) is not None:
                left = _count(data, at, min(at + size, end), inner, left)
            at += size
        elif wire_type in (1, 5):
            at += 8 if wire_type == 1 else 4
        else:  # a group, which proto3 does not have
            raise DecodeError(f"wire type {wire_type}")
    return left


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and the position behind it. Raises DecodeError."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise DecodeError("a number does not end")
