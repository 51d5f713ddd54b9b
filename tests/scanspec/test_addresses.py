"""Addresses, which both sides read in the same way; and text with control characters, which no terminal may obey."""

import pytest

from scanspec import AddressError, read_address, visible
from scanspec.addresses import LONGEST_PATH

GOOD = [
    ("127.0.0.1:50051", "127.0.0.1:50051", "dns:///127.0.0.1:50051", True),
    ("127.8.8.8:1", "127.8.8.8:1", "dns:///127.8.8.8:1", True),
    ("localhost:65535", "localhost:65535", "dns:///localhost:65535", True),
    ("[::1]:50051", "[::1]:50051", "dns:///[::1]:50051", True),
    ("evaluator:50051", "evaluator:50051", "dns:///evaluator:50051", False),
    ("xds:50051", "xds:50051", "dns:///xds:50051", False),
    ("a_b.c-d.example.org:80", "a_b.c-d.example.org:80", "dns:///a_b.c-d.example.org:80", False),
    ("0.0.0.0:50051", "0.0.0.0:50051", "dns:///0.0.0.0:50051", False),
    ("[2001:db8::1]:50051", "[2001:db8::1]:50051", "dns:///[2001:db8::1]:50051", False),
    ("unix:/tmp/a/wire", "unix:/tmp/a/wire", "unix:/tmp/a/wire", True),
    ("unix:///tmp/a/wire", "unix:/tmp/a/wire", "unix:/tmp/a/wire", True),
    ("unix:wire", "unix:wire", "unix:wire", True),
    ("unix:/tmp/a b%20c/é", "unix:/tmp/a b%20c/é", "unix:/tmp/a%20b%2520c/%C3%A9", True),
]


@pytest.mark.parametrize(("text", "shown", "target", "local"), GOOD, ids=[line[0] for line in GOOD])
def test_addresses_are_read_in_every_spelling(text, shown, target, local):
    address = read_address(text)
    assert (str(address), address.target, address.is_local) == (shown, target, local)
    assert read_address(str(address)) == address


BAD = [
    ("127.0.0.1:117414", "the largest one is 65535"),
    ("127.0.0.1:99999", "the largest one is 65535"),
    ("127.0.0.1:65536", "the largest one is 65535"),
    ("127.0.0.1:" + "9" * 5000, "the largest one is 65535"),
    ("127.0.0.1:1,127.0.0.1:2", "several are separate arguments, without commas"),
    ("127.0.0.1:1 127.0.0.1:2", "several are separate arguments, without commas"),
    ("127.0.0.1:-1", "'-1' is not a port"),
    ("127.0.0.1:+1", "'+1' is not a port"),
    ("127.0.0.1:5_0", "'5_0' is not a port"),
    ("127.0.0.1:²", "'²' is not a port"),
    ("127.0.0.1:٣", "is not a port"),
    ("127.0.0.1: 50051", "' 50051' is not a port"),
    ("127.0.0.1:http", "'http' is not a port"),
    ("127.0.0.1:50051.0", "'50051.0' is not a port"),
    ("127.0.0.1:0", "port 0 is not a port"),
    ("127.0.0.1", "HOST:PORT"),
    ("127.0.0.1:", "HOST:PORT"),
    (":50051", "HOST:PORT"),
    ("50051", "HOST:PORT"),
    ("", "HOST:PORT"),
    ("http://127.0.0.1:50051", "write it without http://"),
    ("::1:50051", "in brackets"),
    ("[::1:50051", "in brackets|machine's name"),
    ("[nowhere]:50051", "cannot be a machine's name"),
    ("a b:50051", "cannot be a machine's name"),
    ("a/b:50051", "cannot be a machine's name"),
    ("a..b:50051", "cannot be a machine's name"),  # for these the system's look-up raises something other than OSError
    ("a" * 64 + ".example:50051", "cannot be a machine's name"),
    ("node-.example:50051", "cannot be a machine's name"),
    ("\x1b[2J:50051", "cannot be a machine's name"),
    ("unix:", "names no file"),
    ("unix:/tmp/", "names no file"),
    ("unix:/tmp/a\0b", "names no file"),
    ("unix:/" + "a" * LONGEST_PATH, "at most 107 bytes"),
    ("unix:/" + "é" * 60, "has 121"),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=[case[0][:30] for case in BAD])
def test_what_is_not_an_address_is_refused(text, words):
    with pytest.raises(AddressError) as caught:
        read_address(text)
    error = caught.value
    assert any(word in f"{error}; {error.next_step}" for word in words.split("|"))
    assert error.next_step not in error.message  # a caller prints both, so the message must not repeat the next step
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_port_0_is_accepted_only_for_listening():
    assert read_address("127.0.0.1:0", any_port=True).port == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: µ, ±, 漢字\n\tnext", "plain: µ, ±, 漢字\n\tnext"),
        ("\x1b[31;1mred\x1b[0m\x1b]0;title\x07\x1b]8;;x\x1b\\", "red"),
        ("\x1b[2J\x1b[999;1H", ""),
        ("a\rb\x08c\x9b31m\u202ed\x7f\r\n", "a\ufffdb\ufffdc\ufffd31m\ufffdd\ufffd\n"),
        ("\x1b(0\x1b#8\x1bc", "\ufffd(0\ufffd#8\ufffdc"),
        ("no\u00a0break", "no break"),
    ],
)
def test_control_sequences_are_removed_or_replaced(text, shown):
    assert visible(text) == shown
