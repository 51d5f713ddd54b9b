"""TLS and tokens between both sides: who has access, what each side is told, and certificates that are replaced."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.commands.certificates import certificates
from proposer.evaluation.backend import EvaluatorRefused, NoEvaluator
from proposer.wire.pool import Pool
from proposer.wire.security import NotSecure, Security
from scanspec import read_address
from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, ScanFolder
from tests.pair.processes import ROOT


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: `good` are those of the pair, `foreign` those of another authority, and `expired` ones are of the
    good authority.
    """
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("good", "foreign"):
        certificates(folder / name, [], 30)
    shutil.copytree(folder / "good", folder / "expired")
    certificates(folder / "expired", [], 0)
    return folder


def options(side: Path, *, ca: bool = True, token: bool = True) -> list[str]:
    """The options of an evaluator whose files are in this folder."""
    found = ["--tls-cert", str(side / "cert.pem"), "--tls-key", str(side / "key.pem")]
    return found + ["--tls-ca", str(side / "ca.pem")] * ca + ["--token-file", str(side / "token")] * token


def start(folder: Path, *more: str) -> EvaluatorProcess:
    """Starts an evaluator for the scan in a folder; writes the scan if it is missing."""
    scan = folder / "scan" / "scan.yaml"
    if not scan.exists():
        ScanFolder(folder / "scan")
    return EvaluatorProcess(scan, folder / "evaluator", before=f"import sys; sys.argv += {list(more)!r}", workers=1)


@pytest.fixture(scope="module")
def server(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluatorProcess]:
    """An evaluator that asks for client certificates and for a token."""
    evaluator = start(tmp_path_factory.mktemp("server"), *options(certs / "good" / "evaluator"))
    yield evaluator
    evaluator.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluatorProcess]:
    """An evaluator without TLS."""
    evaluator = start(tmp_path_factory.mktemp("plain"))
    yield evaluator
    evaluator.stop()


def client(side: Path, **changes: Any) -> Security:
    files = {"ca": side / "ca.pem", "cert": side / "cert.pem", "key": side / "key.pem", "token_file": side / "token"}
    return Security(**{**files, **changes})


def ask(address: str, security: Security) -> str:
    """The status code with which Describe ends."""
    with security.channel(read_address(address), [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            pb_grpc.EvaluationServiceStub(channel).Describe(pb.DescribeRequest(), timeout=20.0)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def test_a_client_with_certificate_and_token_is_served(server: EvaluatorProcess, certs: Path) -> None:
    security = client(certs / "good" / "proposer")
    assert ask(server.address, security) == "OK"
    assert security.fault(read_address(server.address)) == ""


@pytest.mark.parametrize("how", ["none", "another", "another by hand"])
def test_without_the_token_nobody_is_served(server: EvaluatorProcess, certs: Path, how: str) -> None:
    token = None if how == "none" else certs / "foreign" / "proposer" / "token"
    security = client(certs / "good" / "proposer", token_file=token)
    assert ask(server.address, security) == "UNAUTHENTICATED"
    with security.channel(read_address(server.address), []) as channel:
        stub = pb_grpc.EvaluationServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="requires a token: give --token-file"):
            list(stub.Evaluate(iter([pb.EvaluateRequest(parameters=["x"])]), timeout=20.0))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Finish(pb.FinishRequest(), timeout=20.0)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


FAULTS: dict[str, tuple[Callable[[Path], Security], str]] = {
    "no certificate": (
        lambda certs: client(certs / "good" / "proposer", cert=None, key=None),
        "it asks for a client certificate; give --tls-cert and --tls-key",
    ),
    "a foreign certificate": (
        lambda certs: client(certs / "foreign" / "proposer", ca=certs / "good" / "proposer" / "ca.pem"),
        "it refuses the certificate",
    ),
    "an expired certificate": (lambda certs: client(certs / "expired" / "proposer"), "it refuses the certificate"),
    "a foreign authority": (
        lambda certs: client(certs / "good" / "proposer", ca=certs / "foreign" / "proposer" / "ca.pem"),
        "its certificate is not of the authority in",
    ),
    "plain text": (lambda _: Security(), "it speaks TLS, but is asked in plain text; give --tls-ca"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_handshake_is_named(server: EvaluatorProcess, certs: Path, fault: str) -> None:
    """gRPC only says that the evaluator is UNAVAILABLE."""
    make, words = FAULTS[fault]
    security = make(certs)
    assert ask(server.address, security) == "UNAVAILABLE"
    assert words in security.fault(read_address(server.address))


def test_a_host_name_that_is_not_in_the_certificate_is_named(server: EvaluatorProcess, certs: Path) -> None:
    address = server.address.replace("127.0.0.1", "127.1")  # another name of the same machine
    security = client(certs / "good" / "proposer")
    assert ask(address, security) == "UNAVAILABLE"
    assert "its certificate is not for 127.1" in security.fault(read_address(address))


def test_the_certificate_of_a_pool_is_for_its_name_and_not_for_its_addresses(
    certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate cannot have the addresses of containers, which are not known before they start."""
    evaluator = start(tmp_path, *options(certs / "good" / "evaluator"), "--listen", "127.0.0.2:0")
    port = evaluator.address.rpartition(":")[2]
    addresses = socket.getaddrinfo
    there = {"evaluators.test": "127.0.0.2", "localhost": "127.0.0.2"}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **to: addresses(there.get(host, host), *more, **to))
    try:
        good = client(certs / "good" / "proposer")
        with closing(Pool([f"dns:///localhost:{port}"], say=print, security=good)) as pool:
            assert pool.describe(20.0).observables
        for place, security, words in (
            (f"dns:///localhost:{port}", client(certs / "good" / "proposer", cert=None, key=None), "asks for a client"),
            (f"dns:///evaluators.test:{port}", good, "its certificate is not for evaluators.test"),
        ):
            with closing(Pool([place], say=print, security=security)) as pool:
                assert wait_until(partial(is_refused, pool, words))
    finally:
        evaluator.stop()


def is_refused(pool: Pool, words: str) -> bool:
    """Whether a pool says within a second that its evaluator cannot be used, for this reason."""
    try:
        pool.describe(1.0)
    except EvaluatorRefused as error:
        return words in str(error)
    except NoEvaluator:  # it has not answered yet
        pass
    return False


def test_tls_on_one_side_alone_is_named(plain: EvaluatorProcess, certs: Path) -> None:
    security = client(certs / "good" / "proposer")
    assert ask(plain.address, security) == "UNAVAILABLE"
    assert "it speaks plain text, but is asked by TLS" in security.fault(read_address(plain.address))
    assert Security().fault(read_address(plain.address)) == ""


def test_certificates_that_do_not_match_do_not_end_a_scan(
    server: EvaluatorProcess, certs: Path, tmp_path: Path
) -> None:
    """Somebody may be replacing the files one after the other. The link names the fault and tries again."""
    side = shutil.copytree(certs / "good" / "proposer", tmp_path / "side")
    security = Security(ca=side / "ca.pem", cert=side / "cert.pem", key=side / "key.pem")
    shutil.copy(certs / "foreign" / "proposer" / "key.pem", side)
    assert "no certificate that goes with" in security.fault(read_address(server.address))
    (side / "key.pem").unlink()
    assert f"{side / 'key.pem'}: No such file" in security.fault(read_address(server.address))
    with pytest.raises(NotSecure, match="No such file"):
        security.channel(read_address(server.address), [])


def test_an_address_where_nobody_listens_is_named(certs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert client(certs / "good" / "proposer").fault(read_address(f"127.0.0.1:{port}")) == ""


@pytest.mark.slow
def test_replaced_certificates_are_used_at_once_under_load(certs: Path, tmp_path: Path) -> None:
    """An open stream goes on. New connections are checked with the new files, and no longer with the old ones."""
    folder = tmp_path / "pair"
    certificates(folder, [], 30)
    shutil.copytree(folder / "proposer", tmp_path / "old")
    evaluator = start(tmp_path, *options(folder / "evaluator"))
    try:
        old = client(tmp_path / "old")
        with old.channel(read_address(evaluator.address), []) as channel:
            stub = pb_grpc.EvaluationServiceStub(channel)
            names = [parameter.name for parameter in stub.Describe(pb.DescribeRequest(), timeout=20).parameters]
            ids = iter(range(1, 10**6))
            go = True

            def requests() -> Iterator[pb.EvaluateRequest]:
                while go:
                    values = [0.5, 0.0, 100.0]
                    yield pb.EvaluateRequest(parameters=names, point_ids=[next(ids)], values=values)

            call = stub.Evaluate(requests(), timeout=120)
            answers = (result for reply in call for result in reply.results)
            assert all(next(answers).status == pb.STATUS_OK for _ in range(50))
            before = client(folder / "proposer").stamp()
            for name in ("ca.key", "evaluator/token"):
                (folder / name).unlink()
            certificates(folder, [], 30)
            new = client(folder / "proposer")
            assert new.stamp() != before
            assert ask(evaluator.address, new) == "OK"
            assert ask(evaluator.address, old) == "UNAVAILABLE"
            assert all(next(answers).status == pb.STATUS_OK for _ in range(50))
            go = False
            call.cancel()
        certificates(folder, [], 0)
        assert ask(evaluator.address, new) == "UNAVAILABLE"
        assert "its certificate has expired" in new.fault(read_address(evaluator.address))
    finally:
        evaluator.stop()


@pytest.mark.slow
def test_no_client_can_block_an_evaluator(server: EvaluatorProcess, certs: Path) -> None:
    """Clients send 200 MB, open a thousand silent connections, or never read. Others get their points all the same."""
    security, address = client(certs / "good" / "proposer"), read_address(server.address)
    with security.channel(address, [("grpc.max_send_message_length", -1)]) as channel:
        stub = pb_grpc.EvaluationServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.Evaluate(iter([pb.EvaluateRequest(parameters=["x" * 200_000_000])]), timeout=60))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    names = ["x", "y", "z"]
    requests = [
        pb.EvaluateRequest(parameters=names, point_ids=range(start, start + 1000), values=[0.5, 0.0, 100.0] * 1000)
        for start in range(0, 20_000, 1000)
    ]
    idle: list[socket.socket] = []
    try:
        while len(idle) < 1000:
            idle.append(socket.create_connection((address.host, address.port), 10))
        own_connection = [("grpc.use_local_subchannel_pool", 1)]
        with security.channel(address, own_connection) as channel, security.channel(address, own_connection) as other:
            never_read = pb_grpc.EvaluationServiceStub(channel).Evaluate(iter(requests), timeout=120)
            few = pb.EvaluateRequest(parameters=names, point_ids=range(100), values=[0.5, 0.0, 100.0] * 100)
            answers = pb_grpc.EvaluationServiceStub(other).Evaluate(iter([few]), timeout=60)
            assert sum(len(answer.results) for answer in answers) == 100
            never_read.cancel()
    finally:
        for connection in idle:
            connection.close()
    statuses = [ask(server.address, security)]
    while statuses[-1] != "OK" and len(statuses) < 20:  # the evaluator is still closing a thousand connections
        statuses.append(ask(server.address, security))
    assert statuses[-1] == "OK"


def refusal(more: list[str], folder: Path) -> str:
    """The message with which an evaluator refuses to start."""
    scan = ScanFolder(folder / "scan")
    done = subprocess.run(
        [ROOT / ".envs/evaluator/bin/python", "-m", "evaluator", "serve", scan.file, *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2
    return done.stderr


@pytest.mark.slow
def test_an_evaluator_for_other_machines_needs_valid_and_private_files(certs: Path, tmp_path: Path) -> None:
    side, open_to_all = certs / "good" / "evaluator", ["--listen", "0.0.0.0:0"]
    assert "in plain text and without a password" in refusal(open_to_all, tmp_path)
    assert "next: correct that, then give the same command again" in refusal(open_to_all, tmp_path)
    assert "neither --tls-ca" in refusal([*open_to_all, *options(side, ca=False, token=False)], tmp_path)
    assert "--token-file needs --tls-cert and --tls-key" in refusal(["--token-file", str(side / "token")], tmp_path)
    foreign = ["--tls-cert", str(side / "cert.pem"), "--tls-key", str(certs / "foreign" / "evaluator" / "key.pem")]
    assert "no certificate that goes with" in refusal(foreign, tmp_path)
    token = tmp_path / "my token"
    shutil.copy(side / "token", token)
    token.chmod(0o640)
    more = [*options(side, token=False), "--token-file", str(token)]
    assert f"others can read it; `chmod 600 '{token}'`" in refusal(more, tmp_path)
    token.chmod(0o600)
    for text in ("short\n", "a-word-with-a-bell-\a-in-it\n"):  # no header of HTTP/2 can carry the second one
        token.write_text(text)
        assert "at least 16 ASCII characters" in refusal(more, tmp_path)


def test_the_proposer_refuses_insecure_options(certs: Path, tmp_path: Path) -> None:
    side = certs / "good" / "proposer"
    elsewhere, here = read_address("node7:50051"), read_address("127.0.0.1:50051")
    for security in (client(side), client(side, cert=None, key=None), client(side, token_file=None)):
        security.require_for(elsewhere)
    Security(insecure=True).require_for(elsewhere)
    Security().require_for(here)
    with pytest.raises(NotSecure, match="plain text without a password"):
        Security().require_for(elsewhere)
    with pytest.raises(NotSecure, match="cannot know who asks"):
        client(side, cert=None, key=None, token_file=None).require_for(elsewhere)
    with pytest.raises(NotSecure, match="go together"):
        client(side, key=None)
    with pytest.raises(NotSecure, match="--tls-ca is missing"):
        Security(token_file=side / "token")
    with pytest.raises(NotSecure, match="no certificate that goes with"):
        client(side, key=certs / "foreign" / "proposer" / "key.pem")
    token = tmp_path / "token"
    shutil.copy(side / "token", token)
    token.chmod(0o604)
    with pytest.raises(NotSecure, match="others can read it"):
        client(side, token_file=token)
    token.chmod(0o600)
    for text in ("two words", "two\nlines", "", "caf\xe9-and-more-of-it", "a-\x7f-character", "nul-\0-character"):
        token.write_bytes(text.encode("latin-1"))
        with pytest.raises(NotSecure, match="one word of ASCII characters"):
            client(side, token_file=token)
    token.write_bytes(b"a-word-and-the-end-of-a-line\r\n")
    client(side, token_file=token)


def own_pair(folder: Path, key: Any, encryption: Any) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key, in a new folder."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "own")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    folder.mkdir()
    cert, file = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(builder.sign(key, algorithm).public_bytes(Encoding.PEM))
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return cert, file


PAIRS: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "a pass phrase": (
        lambda: ec.generate_private_key(ec.SECP256R1()),
        BestAvailableEncryption(b"secret"),
        r"--tls-key .* has a pass phrase.*openssl pkey -in",
    ),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, NoEncryption(), "a kind of key that gRPC does not take"),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), NoEncryption(), "a kind of key that gRPC does not take"),
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), NoEncryption(), ""),
    "RSA": (lambda: rsa.generate_private_key(65537, 2048), NoEncryption(), ""),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_a_key_that_grpc_cannot_use_is_named_at_the_start(certs: Path, tmp_path: Path, kind: str) -> None:
    """gRPC only says that the evaluator is UNAVAILABLE, or that it cannot listen at the address."""
    make, encryption, words = PAIRS[kind]
    cert, key = own_pair(tmp_path / "own", make(), encryption)
    side = certs / "good" / "proposer"
    if not words:
        client(side, cert=cert, key=key)
        return
    with pytest.raises(NotSecure, match=words):
        client(side, cert=cert, key=key)
    if kind == "Ed25519":
        assert "it takes RSA and ECDSA" in refusal(["--tls-cert", str(cert), "--tls-key", str(key)], tmp_path)


@pytest.mark.parametrize("with_token", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_health_probe_needs_a_certificate_and_no_token(
    server: EvaluatorProcess, certs: Path, with_token: bool
) -> None:
    side = certs / "good" / "proposer"
    command = [str(ROOT / ".envs/evaluator/bin/python"), "-m", "evaluator", "healthy", server.address]
    done = subprocess.run([*command, *options(side, token=with_token)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
    refused = subprocess.run(command, cwd=ROOT, timeout=60, check=False, capture_output=True, text=True)
    assert (refused.returncode, "does not answer (UNAVAILABLE)" in refused.stderr) == (1, True)
