"""A dashboard on a free port of loopback, and a run to which a test adds points."""

from __future__ import annotations

import http.client
import math
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from proposer.dashboard.server import Dashboard
from proposer.run.dataset import Dataset
from proposer.types import Batch, Outcome, Status
from scanspec.addresses import Address
from tests.proposer.datasets import columns
from tests.proposer.stored_runs import META, SCAN


@contextmanager
def serving(*roots: Path, port: int = 0) -> Iterator[Dashboard]:
    with Dashboard(Address("127.0.0.1", port), roots) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def get(server: Dashboard, path: str, method: str = "GET", **headers: str) -> tuple[int, str, Mapping[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, dict(answer.getheaders())


def begin(folder: Path) -> Dataset:
    """Starts a run with two variables and no points, and holds its folder as a scan does."""
    dataset = Dataset(folder)
    dataset.start(columns(), META | {"points": 50})
    (folder / "scan.yaml").write_text(SCAN)
    return dataset


def grow(dataset: Dataset, good: int, bad: int = 0, returned: float = math.nan) -> None:
    """Adds points to the run, whose answers came at the time `returned`."""
    rng = np.random.default_rng(dataset.points)
    u = rng.random((good + bad, 2))
    added = dataset.add_batch(Batch(u, ["random"] * len(u), 1), u * 100, b"")
    nll = [1.0] * good + [5.0] * bad
    dataset.record(
        [
            Outcome(
                int(point),
                Status.OK,
                nll=loss,
                observables=[1.0, 2.0, 3.0],
                losses=[loss, 0, 0],
                seconds=[0.1],
                returned=returned,
            )
            for point, loss in zip(added.ids, nll, strict=True)
        ]
    )


def rows(text: str) -> dict[str, str]:
    """The text of each row of the list, by the name of the run's folder."""
    found = re.findall(r"<tr><td.*?</tr>", text)
    words = [re.sub(r"<[^>]*>", "|", row) for row in found]
    return {re.findall(r"([^|/]+)\|", row)[0]: row for row in words}
