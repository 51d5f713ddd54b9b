"""A small HTTP server for the dashboard. It only reads, answers only GET, and uses a thread for each client."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import socketserver
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from proposer.dashboard.pages import Reports, list_page, missing_page
from proposer.dashboard.runs import Runs
from proposer.report.page import BOKEH
from scanspec.addresses import Address

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds for which a client may neither send nor receive data."""

MOST_COMPARED = 8
"""The largest number of runs side by side."""

CHUNK = 65536
"""Bytes that are sent at once, within PATIENCE."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers by which the browser loads nothing from other sites, and shows nothing to other sites."""

HTML = "text/html; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"


class Dashboard(socketserver.ThreadingTCPServer):
    """Serves the runs in some folders at an address. Raises OSError if it cannot listen there."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: Address, roots: Sequence[Path]) -> None:
        self.roots, self.runs, self.reports = roots, Runs(roots), Reports()
        self.names = {"localhost", address.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
        host = address.host.strip("[]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, address.port), _Answer)
        self.url = f"http://{address.host}:{self.server_address[1]}/"

    def server_close(self) -> None:
        """Closes the socket, and waits for the report that is being drawn."""
        super().server_close()
        self.reports.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs an error of the server, which costs one answer. Broken connections are ignored."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            log.error("an answer failed: %r", error)


class _Answer(BaseHTTPRequestHandler):
    server: Dashboard
    timeout = PATIENCE
    server_version, sys_version = "lodescan", ""

    def do_GET(self) -> None:
        if not _is_own(self.headers.get_all("Host") or [], self.server.names):
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "The request names another host; use the printed address.")
            return
        try:
            asked = urlsplit(self.path)
            query = parse_qs(asked.query, max_num_fields=10 * MOST_COMPARED)
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST, "This is not an address of the dashboard.")
            return
        keys = list(dict.fromkeys(query.get("run", [])))
        if asked.path == "/":
            found = self.server.runs.found().values()
            looks = [self.server.runs.look(folder) for folder in found]
            self._send(HTML, list_page(looks, self.server.roots, "".join(query.get("sort", [])[:1])))
        elif asked.path == "/report":
            self._report(keys)
        elif asked.path == "/state":
            self._send("application/json", json.dumps(self._state(keys[:MOST_COMPARED])).encode())
        elif asked.path == "/bokeh.js":
            self._send(SCRIPT, _bokeh(), "max-age=3600")
        elif asked.path == "/follow.js":
            self._send(SCRIPT, (files("proposer.report") / "follow.js").read_bytes())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _report(self, keys: Sequence[str]) -> None:
        found = self.server.runs.found()
        if not 1 <= len(keys) <= MOST_COMPARED:
            self._refuse(HTTPStatus.BAD_REQUEST, f"Choose 1 to {MOST_COMPARED} runs.")
        elif missing := [key for key in keys if key not in found]:
            self._refuse(HTTPStatus.NOT_FOUND, f"No run there has the key {missing[0]}: it was moved or removed.")
        else:
            self._send(HTML, self.server.reports.page([found[key] for key in keys]))

    def _state(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """The answer for a report's page: a line for each run, and the stamp of the report ("" if a run is missing)."""
        found = self.server.runs.found()
        if missing := [key for key in keys if key not in found]:
            return {"stamp": "", "words": [f"{len(missing)} of the runs shown here: moved or removed."]}
        folders = [found[key] for key in keys]
        looks = [self.server.runs.look(folder) for folder in folders]
        return {
            "stamp": self.server.reports.stamp(folders),
            "words": [look.line for look in looks],
        }

    def _refuse(self, code: HTTPStatus, words: str) -> None:
        self._send(HTML, missing_page(words), code=code)

    def _refuse_method(self) -> None:
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse_method

    def _send(self, kind: str, body: bytes, keep: str = "no-store", code: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(code)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", keep)
        self.end_headers()
        for start in range(0, len(body), CHUNK):
            self.wfile.write(body[start : start + CHUNK])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log.debug(format, *args)


@cache
def _bokeh() -> bytes:
    return "\n".join(BOKEH.js_raw).encode()


def _is_own(hosts: Sequence[str], names: set[str]) -> bool:
    """Whether the header Host names this machine. Otherwise a page of another site whose name points to this machine
    could read the runs (DNS rebinding). The address of such a page has a host name instead of an IP address.
    """
    if len(hosts) != 1:
        return False
    try:
        host = urlsplit(f"//{hosts[0]}").hostname or ""
        if host in names:
            return True
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
