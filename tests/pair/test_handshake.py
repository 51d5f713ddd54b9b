"""What a TLS handshake made by lodescan tells about the other side; servers with TLS are in test_security.py."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proposer.commands.certificates import certificates
from scanspec import read_address
from scanspec.handshake import Handshake


@pytest.fixture
def proxy() -> Iterator[int]:
    """A proxy without a server behind it, which accepts connections and closes them."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_proxy_that_waits_for_its_evaluator_is_not_a_fault(proxy: int, tmp_path: Path) -> None:
    address = read_address(f"127.0.0.1:{proxy}")
    assert Handshake().fault(address) == ""
    certificates(tmp_path / "pair", [], 30)
    assert Handshake(ca=tmp_path / "pair/proposer/ca.pem").fault(address) == ""
