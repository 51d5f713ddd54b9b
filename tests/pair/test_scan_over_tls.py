"""A scan over TLS with certificates and a token, and the message of each command if one of these is wrong."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.commands.certificates import certificates
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run
from tests.pair.processes import ROOT, ProposerProcess
from tests.pair.test_security import certs, options, plain, server, start

__all__ = ["certs", "plain", "server"]  # fixtures

Lodescan = Callable[..., Said]
StartProposer = Callable[..., ProposerProcess]


def test_a_scan_works_over_mutual_tls(
    server: EvaluatorProcess, certs: Path, lodescan: Lodescan, tmp_path: Path
) -> None:
    shutil.copytree(server.file.parent, tmp_path / "scan")
    file = tmp_path / "scan" / server.file.name
    file.write_text(file.read_text().replace("iterations: 3", "iterations: 1"))
    side = options(certs / "good" / "proposer")
    said = lodescan("scan", file, "--evaluator", server.address, "--run", tmp_path / "run", *side)
    assert said.code == 0, said.err
    points = read_run(tmp_path / "run")
    assert len(points.ids) >= 60 and set(points.status) == {"OK"}


@pytest.mark.slow
def test_a_scan_goes_on_when_all_certificates_are_replaced(start_proposer: StartProposer, tmp_path: Path) -> None:
    """The new certificates are those of another authority, with which the evaluator restarts. gRPC's channel cannot
    read its files again, so the link makes a new one.
    """
    folder = tmp_path / "pair"
    certificates(folder, [], 30)
    scan = ScanFolder(tmp_path / "scan", {"iterations": 1}, "time.sleep(0.05)")
    evaluator = start(tmp_path, *options(folder / "evaluator"))
    try:
        more = ["--evaluator", evaluator.address, "--run", tmp_path / "run", *options(folder / "proposer")]
        proposer = start_proposer("scan", scan.file, *more)
        scan.until_begun(20, proposer)
        (folder / "ca.key").unlink()
        certificates(folder, [], 30)
        evaluator.kill()
        evaluator.restart()
        assert proposer.wait() == 0, proposer.said
    finally:
        evaluator.stop()
    assert set(read_run(tmp_path / "run").status) == {"OK"}


FAULTS: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "no certificate": (
        lambda certs: ["--tls-ca", str(certs / "good/proposer/ca.pem"), *options(certs / "good/proposer")[-2:]],
        "it asks for a client certificate; give --tls-cert and --tls-key",
    ),
    "a foreign certificate": (
        lambda certs: [*options(certs / "foreign/proposer"), "--tls-ca", str(certs / "good/proposer/ca.pem")],
        "it refuses the certificate",
    ),
    "an expired certificate": (lambda certs: options(certs / "expired/proposer"), "it refuses the certificate"),
    "a foreign authority": (
        lambda certs: [*options(certs / "good/proposer"), "--tls-ca", str(certs / "foreign/proposer/ca.pem")],
        "its certificate is not of the authority in",
    ),
    "no token": (lambda certs: options(certs / "good/proposer", token=False), "refuses the token"),
    "a wrong token": (
        lambda certs: [*options(certs / "good/proposer"), "--token-file", str(certs / "foreign/proposer/token")],
        "refuses the token",
    ),
    "plain text": (lambda _: [], "it speaks TLS, but is asked in plain text; give --tls-ca"),
}


@pytest.mark.parametrize("command", ["scan", "check"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_handshake_is_named_at_once(
    server: EvaluatorProcess, certs: Path, lodescan: Lodescan, tmp_path: Path, fault: str, command: str
) -> None:
    make, words = FAULTS[fault]
    more = ["--run", tmp_path / "run"] if command == "scan" else []
    said = lodescan(command, server.file, "--evaluator", server.address, *more, *make(certs))
    assert said.code == 2 and words in said.err and server.address in said.err
    assert "certificates or the token" in said.err and "of this version" not in said.err
    assert not (tmp_path / "run").exists()


def test_a_wrong_host_name_and_plain_text_are_named(
    server: EvaluatorProcess, plain: EvaluatorProcess, certs: Path, lodescan: Lodescan, tmp_path: Path
) -> None:
    side = options(certs / "good" / "proposer")
    other_name = server.address.replace("127.0.0.1", "127.1")  # another name of the same machine
    for address, words in (
        (other_name, "its certificate is not for 127.1"),
        (plain.address, "it speaks plain text, but is asked by TLS"),
    ):
        said = lodescan("scan", server.file, "--evaluator", address, "--run", tmp_path / "run", *side)
        assert said.code == 2 and words in said.err


@pytest.mark.parametrize(
    "fault",
    [
        "no certificate",
        *(pytest.param(fault, marks=pytest.mark.slow) for fault in ("a foreign authority", "plain text")),
    ],
)
def test_the_evaluators_own_commands_name_the_fault(server: EvaluatorProcess, certs: Path, fault: str) -> None:
    make, words = FAULTS[fault]
    for module, command, code in (("evaluator", ["healthy"], 1), ("evaluator.conformance", [], 2)):
        done = subprocess.run(
            [ROOT / ".envs/evaluator/bin/python", "-m", module, *command, server.address, *make(certs)],
            cwd=ROOT,
            timeout=60,
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
        assert f"{server.address} does not answer" in done.stderr
