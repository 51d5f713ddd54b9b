"""A message that would take far more memory than it has bytes is refused before it is parsed."""

import pytest
from google.protobuf.message import DecodeError

from lodescan.v1 import evaluation_pb2 as pb
from scanspec.fields import MOST_FIELDS, SMALL, TooManyFields, parse

MOST = b"\x1a\x00" * MOST_FIELDS


def within(field: bytes, content: bytes) -> bytes:
    """A field with this first byte and content."""
    size, length = len(content), []
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return field + bytes([*length, size]) + content


WARNINGS = within(b"\x1a", b"\x52\x01w" * MOST_FIELDS)
TOO_MANY = {
    "empty results": MOST + b"\x1a\x00",
    "tags of two bytes": b"\x9a\x00\x00" * (MOST_FIELDS + 1),
    "results with a message": b"\x1a\x02\x4a\x00" * (MOST_FIELDS // 2 + 1),
    "warnings": WARNINGS,
    "files": within(b"\x1a", b"\x5a\x00" * MOST_FIELDS),
}


@pytest.mark.parametrize("data", TOO_MANY.values(), ids=TOO_MANY)
def test_a_message_of_too_many_fields_is_refused(data):
    assert len(data) > SMALL
    with pytest.raises(TooManyFields, match="has more than 250,000 fields; send several"):
        parse(pb.EvaluateResponse, data)


def test_a_message_of_as_many_fields_as_allowed_is_read():
    assert len(parse(pb.EvaluateResponse, MOST).results) == MOST_FIELDS
    two = [pb.Result(point_id=point, warnings=["w"] * 20, observables=[1.0] * 200, nll=0.5) for point in range(4096)]
    response = pb.EvaluateResponse(results=two, concurrency=3)
    assert parse(pb.EvaluateResponse, response.SerializeToString()) == response


def test_large_texts_are_no_fields():
    """Every byte of the file may begin a field; only the exact count tells that none does."""
    response = pb.EvaluateResponse(results=[pb.Result(point_id=1, spectra=[b"\x1a" * 2**20])])
    assert parse(pb.EvaluateResponse, response.SerializeToString()) == response


def test_parts_of_a_description_count_too():
    inner = within(b"\x32", b"\x0a\x00" * (MOST_FIELDS // 2))
    with pytest.raises(TooManyFields):
        parse(pb.DescribeResponse, inner + inner)


@pytest.mark.parametrize("end", [b"\x1b", b"\x1a\xff", b"\x1a\xff\x7f", b"\xff" * 20, b"\x1a"])
def test_bytes_that_are_no_message_are_a_decode_error(end):
    with pytest.raises(DecodeError):
        parse(pb.EvaluateResponse, MOST[: -2 * 20] + end)
