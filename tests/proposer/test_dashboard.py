"""`lodescan serve`: the list of runs, their reports, and protection against misuse."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proposer.__main__ import main
from proposer.dashboard import pages
from proposer.dashboard.runs import key_of
from proposer.dashboard.server import HEADERS, Dashboard
from proposer.show.state import State
from tests.evaluator.serving import wait_until
from tests.pair.processes import ROOT
from tests.proposer.dashboards import begin, get, grow, rows, serving
from tests.proposer.runs import make_run


def test_the_list_shows_each_run_with_its_state(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    make_run(tmp_path / "deep" / "er" / "ended", 30)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dataset.sqlite").write_bytes(b"no database" * 100)
    with begin(tmp_path / "killed") as dataset:
        grow(dataset, 3, 2)
    with begin(tmp_path / "merged") as dataset:
        grow(dataset, 4, 1)
        dataset.set_meta({"points": 0, "stopped": "merged from 2 runs"})
    (tmp_path / "empty").mkdir()
    shutil.copytree(tmp_path / "killed", tmp_path / "killed" / "files" / "inner")
    with begin(tmp_path / "running") as scan, serving(tmp_path) as server:
        grow(scan, 7, 3)
        state = State(at=0.0, good=7, wanted=50, target="NLL below 2", evaluated=10, hit_rate=0.7, doing="iteration 4")
        scan.set_meta({"live": state.to_json()})
        found = rows(get(server, "/")[1])
        assert set(found) == {"ended", "broken", "killed", "running", "merged"}, (
            "each run is listed once, without the folders inside of it"
        )
        assert "|ended|" in found["ended"] and "|30|" in found["ended"] and "|30 evaluations|" in found["ended"]
        assert "|unreadable|" in found["broken"] and "dataset.sqlite" in found["broken"]
        assert "|not finished|" in found["killed"] and "|3 of 50|" in found["killed"]
        assert "||4||5||" in found["merged"], "a merged run wants no number of good points"
        assert "|running|" in found["running"] and "|7 of 50|" in found["running"] and "|70 %|" in found["running"]
        assert "iteration 4" in found["running"] and "no news for" in found["running"]


def test_the_list_shows_the_age_of_results_and_is_sorted_by_each_column(tmp_path: Path) -> None:
    for name, good, minutes in (("b", 1, 5), ("a", 9, 60), ("c", 4, 600)):
        with begin(tmp_path / name) as dataset:
            grow(dataset, good, returned=time.time() - 60 * minutes)
    begin(tmp_path / "empty").close()

    def order(query: str) -> str:
        return " ".join(rows(get(server, f"/{query}")[1]))

    with serving(tmp_path) as server:
        found = rows(get(server, "/")[1])
        assert "|5 min ago|" in found["b"] and "|60 min ago|" in found["a"] and "|10.0 h ago|" in found["c"]
        assert " ago" not in found["empty"]
        assert order("") == order("?sort=nonsense") == "a b c empty" and order("?sort=-run") == "empty c b a"
        assert order("?sort=newest") == "b a c empty" and order("?sort=-newest") == "c a b empty"
        assert order("?sort=good") == "a c b empty" and order("?sort=-good").endswith("b c a")
        page = get(server, "/?sort=good")[1]
        assert 'aria-sort="descending"><a href="/?sort=-good">' in page and 'href="/?sort=newest"' in page


def test_counts_follow_a_scan_that_writes(tmp_path: Path) -> None:
    with begin(tmp_path / "run") as scan, serving(tmp_path) as server:
        grow(scan, 2)
        path = f"/state?run={key_of(tmp_path / 'run')}"
        before = json.loads(get(server, path)[1])
        assert json.loads(get(server, path)[1]) == before, "reading a run does not change its stamp"
        grow(scan, 3, 4)
        after = json.loads(get(server, path)[1])
    assert before["words"] == [f"{tmp_path}/run | running | 2 of 50 good | 2 evaluated"]
    assert after["words"] == [f"{tmp_path}/run | running | 5 of 50 good | 9 evaluated"]
    assert before["stamp"] != after["stamp"]


@pytest.mark.slow
def test_a_report_is_drawn_again_some_time_after_its_data_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LEAST", 0.0)
    monkeypatch.setattr(pages, "SHARE", 0.0)
    with begin(tmp_path / "run") as scan:
        reports, folders = pages.Reports(), [tmp_path / "run"]
        empty = reports.page(folders)
        assert b"no point has an answer yet" in empty and b"<section" not in empty
        grow(scan, 2)
        monkeypatch.setattr(pages, "SHARE", 1e9)
        drawn = reports.page(folders)
        assert b"2 good of 2 points" in drawn and b"data:image/png" not in drawn
        assert b"cannot be shown" not in drawn, "a code that never ran must not break the report"
        grow(scan, 3)
        assert reports.page(folders) is drawn, "the report is drawn again only after some time"
        monkeypatch.setattr(pages, "SHARE", 0.0)
        assert reports.page(folders) is drawn, "the pause is that of the last drawing"
        other = pages.Reports()
        assert b"5 good of 5 points" in (fresh := other.page(folders))
        assert other.page(folders) is fresh, "without new data the report is not drawn again"


@pytest.mark.slow
def test_runs_that_cannot_be_read_are_listed_with_the_reason(tmp_path: Path) -> None:
    whole, damaged = make_run(tmp_path / "whole", 40), make_run(tmp_path / "damaged", 40)
    content = bytearray((damaged / "dataset.sqlite").read_bytes())
    at = content.rindex(b"ValueError: math domain")
    content[at : at + 5] = b"Wrong"
    (damaged / "dataset.sqlite").write_bytes(content)
    keys = [key_of(whole), key_of(damaged)]
    with serving(tmp_path) as server:
        code, text, headers = get(server, f"/report?run={keys[0]}&run={keys[1]}")
        assert code == 200 and "is damaged" in text and f"{damaged}/dataset.sqlite" in text
        assert "of 40 points" in text and 'id="best"' in text
        assert headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
        shutil.rmtree(damaged)
        gone = {"stamp": "", "words": ["1 of the runs shown here: moved or removed."]}
        assert wait_until(lambda: json.loads(get(server, f"/state?run={keys[1]}")[1]) == gone, 20)
        code, text, _ = get(server, f"/report?run={keys[1]}")
        assert code == 404 and "moved or removed" in text
        shutil.rmtree(tmp_path)
        assert wait_until(lambda: "There is no run yet" in get(server, "/")[1], 20)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5080", "127.0.0.1.evil.example", "", "a b", "[::1"])
def test_a_foreign_host_is_refused(host: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert get(server, "/", Host=host)[0] == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "LOCALHOST", "[::1]:5080", "10.1.2.3"])
def test_names_and_addresses_of_this_machine_are_accepted_as_hosts(host: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert get(server, "/", Host=host)[0] == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/../../etc/passwd", 404),
        ("/%2e%2e/dataset.sqlite", 404),
        ("/run/dataset.sqlite", 404),
        ("/report?run=../../etc", 404),
        ("/report?run=%2fetc", 404),
        ("/report?run=run", 404),
        ("/report?run=%ff%00", 404),
        ("/report", 400),
        ("/report?" + "&".join(f"run={number}" for number in range(9)), 400),
        ("/?" + "a=1&" * 200, 400),
        ("//[", 404),
    ],
)
def test_no_path_leads_out_of_the_folders_of_runs(path: str, code: int, tmp_path: Path) -> None:
    begin(tmp_path / "run").close()
    with serving(tmp_path) as server:
        found, text, _ = get(server, path)
        assert found == code and "root:" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_only_get_is_allowed(method: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        code, _, headers = get(server, "/", method)
        assert code == 405 and headers["Allow"] == "GET"


def test_slow_clients_do_not_block_others(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        address = ("127.0.0.1", server.server_address[1])
        slow = [socket.create_connection(address) for _ in range(20)]
        try:
            for number, client in enumerate(slow):
                half = b"GET / HTTP/1.1\r\nHos"
                client.sendall(half if number % 2 else b"GET /bokeh.js HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert get(server, "/")[0] == 200
            slow[0].settimeout(10)
            assert slow[0].recv(12) == b"HTTP/1.0 200"
        finally:
            for client in slow:
                client.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET http://[/ HTTP/1.0\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x00\xff\xfe\r\n\r\n",
        b"GET /\x00\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.0\r\n\r\n",
        b"TEAPOT / HTTP/1.0\r\n\r\n",
    ],
)
def test_bytes_that_are_not_a_request_get_one_answer(
    sent: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.server_address[1]), 10) as client:
            client.sendall(sent)
            with client.makefile("rb") as answer:
                assert re.search(rb"HTTP/1.0 (4|501)|Error code: 4", answer.read())
        assert get(server, "/")[0] == 200
    assert caplog.text == ""


def test_names_are_escaped(tmp_path: Path) -> None:
    begin(tmp_path / "<script>alert(1)<" / "b&c").close()
    begin(tmp_path / "latin\udce9").close()
    with serving(tmp_path) as server:
        text = get(server, "/")[1]
        assert "<script>alert" not in text and "b&amp;c" in text and "latin?" in text


def test_a_run_may_be_named_directly_and_links_are_not_followed(tmp_path: Path) -> None:
    begin(tmp_path / "run").close()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "loop").symlink_to(tmp_path)
    with serving(tmp_path / "run", tmp_path / "more") as server:
        assert list(server.runs.found().values()) == [tmp_path / "run"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs"], "runs is not a folder"),
        ([".", "--listen", "0.0.0.0:0"], "is open to other machines"),
        ([".", "--listen", "[::]:0"], "is open to other machines"),
        ([".", "--listen", "unix:/tmp/x"], "is not HOST:PORT"),
        ([".", "--listen", "70000"], "no port 70000"),
    ],
)
def test_bad_options_are_refused_at_the_start(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as server:
        assert main(["serve", str(tmp_path), "--listen", str(server.server_address[1])]) == 2
    assert "choose another port" in capsys.readouterr().err


def test_other_machines_have_access_only_with_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(server: Dashboard) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Dashboard, "serve_forever", interrupted)
    assert main(["serve", str(tmp_path), "--listen", "0.0.0.0:0", "--insecure"]) == 0


@pytest.mark.slow
def test_ctrl_c_ends_it_in_order_even_while_it_draws(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    command = [sys.executable, "-m", "proposer", "serve", str(tmp_path), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().split()[0]
        port = int(url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"GET /report?run={key_of(run)} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            with socket.create_connection(
                ("127.0.0.1", port)
            ) as other:  # its thread starts after that of the first connection
                other.sendall(b"GET /state HTTP/1.0\r\nHost: localhost\r\n\r\n")
                assert other.recv(12) == b"HTTP/1.0 200"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        assert process.stderr.read() == ""
