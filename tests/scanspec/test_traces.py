"""`--traces` without a collector, with the real exporter."""

from __future__ import annotations

import logging
import socket

import pytest

from scanspec.traces import sending_traces


@pytest.mark.slow
def test_a_collector_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1/traces"
    with caplog.at_level(logging.INFO), sending_traces(url, "test") as spans:
        assert spans is not None
        spans.point(1, 2, (1.0, 2.0), {"lodescan.run": "r"})
    (record,) = caplog.records
    assert record.name == "traces" and url in record.message and "Check the URL" in record.message
