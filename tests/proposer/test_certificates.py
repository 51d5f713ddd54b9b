"""`lodescan certificates`: the names in what it makes, who can read it, and a second call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from proposer.__main__ import main
from proposer.commands.certificates import NoCertificates, certificates


def subject_names(folder: Path, hosts: list[str]) -> set[str]:
    """The names and addresses in the certificate of an evaluator with these hosts."""
    certificates(folder, hosts, 30)
    cert = x509.load_pem_x509_certificate((folder / "evaluator" / "cert.pem").read_bytes())
    alternatives = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(alternative.value) for alternative in alternatives}


def test_only_their_owner_can_read_the_certificates_that_the_command_makes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pair"
    assert main(["certificates", str(folder), "--host", "node7", "--host", "10.0.0.7"]) == 0
    said = capfd.readouterr().out
    assert "--tls-ca" in said and f"{folder}/evaluator/cert.pem" in said
    for path in folder.rglob("*"):
        private = path.is_dir() or path.name in ("ca.key", "key.pem", "token")
        assert bool(path.stat().st_mode & 0o077) is not private
    token, authority = (folder / "proposer" / "token").read_bytes(), (folder / "ca.pem").read_bytes()
    assert main(["certificates", str(folder)]) == 0  # the second call makes new certificates of the same authority
    assert ((folder / "proposer" / "token").read_bytes(), (folder / "ca.pem").read_bytes()) == (token, authority)
    names = subject_names(folder, ["[fe80::1%eth0]", "*.example.org"])
    assert {"fe80::1", "*.example.org", "localhost"} <= names
    for wrong in ("node7:50051", "a host", "", "https://node7", "[node7]:5"):
        with pytest.raises(NoCertificates, match="not the name or address of a machine"):
            certificates(folder, [wrong], 30)
    (folder / "ca.key").write_text("nonsense")
    with pytest.raises(NoCertificates, match="cannot be read"):
        certificates(folder, [], 30)


def test_without_the_package_the_command_says_what_to_install() -> None:
    blocked = (
        "import sys; sys.modules['cryptography'] = None; from proposer.__main__ import main; "
        "sys.exit(main(['certificates', '/nonexistent/x']))"
    )
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 2 and "pip install '.[certificates]'" in done.stderr
