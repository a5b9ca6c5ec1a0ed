"""TLS and logins, as clients with and without them see it."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.serve.connection import Limits
from airgap_tui.engine.serve.htpasswd import Htpasswd
from airgap_tui.engine.serve.tls import server_context
from tests.engine.serve.conftest import Running, Serve, code_of
from tests.fakes.catalogue import FakeCatalogue
from tests.images import SampleImages
from tests.services import CertificateAuthority, KeyPair, run_program


@pytest.fixture(scope="session")
def pair(authority: CertificateAuthority) -> KeyPair:
    return authority.issue("embedded")


@pytest.fixture
def trusted(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.certificate))


@pytest.fixture
def secure(
    serve: Serve, catalogue: FakeCatalogue, pair: KeyPair, trusted: ssl.SSLContext
) -> Running:
    context = server_context(pair.certificate, pair.key)
    return serve(catalogue, context=context, trusted=trusted)


def test_blobs_and_stretches(secure: Running, sample_images: SampleImages) -> None:
    for digest, data in sample_images.pytorch.blobs.items():
        path = f"/v2/nvidia/pytorch/blobs/{digest}"
        assert secure.ask(path).body == data
        assert secure.ask(path, Range="bytes=5-").body == data[5:]


def test_a_blob_of_many_pieces(secure: Running, catalogue: FakeCatalogue, tmp_path: Path) -> None:
    data = bytes(range(251)) * 40_000
    (tmp_path / "big").write_bytes(data)
    catalogue.add_file(Digest.of(data), tmp_path / "big")
    assert secure.ask(f"/v2/nvidia/cuda/blobs/{Digest.of(data)}").body == data


def test_old_versions_are_refused(secure: Running, trusted: ssl.SSLContext) -> None:
    trusted.minimum_version = ssl.TLSVersion.TLSv1_2
    trusted.maximum_version = ssl.TLSVersion.TLSv1_2
    assert secure.ask("/v2/").status == 200
    with secure.connection() as connection:
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        assert connection.sock.version() == "TLSv1.2"


def test_clients_that_do_not_shake_hands_are_ended(
    serve: Serve, catalogue: FakeCatalogue, pair: KeyPair, trusted: ssl.SSLContext
) -> None:
    context = server_context(pair.certificate, pair.key)
    running = serve(catalogue, limits=Limits(handshake=0.3), context=context, trusted=trusted)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as plain:
        plain.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"200" not in plain.recv(4096)
    assert running.ask("/v2/").status == 200


def test_certificates_that_cannot_be_used(
    pair: KeyPair, authority: CertificateAuthority, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailure, match=r"absent\.pem cannot be read"):
        server_context(tmp_path / "absent.pem", pair.key)
    with pytest.raises(UsageError, match="cannot be used for TLS"):
        server_context(pair.certificate, authority.key)
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(UsageError, match="cannot be used for TLS"):
        server_context(tmp_path / "text")


def test_a_key_with_a_passphrase_is_refused_and_nothing_is_asked(
    pair: KeyPair, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    run_program(
        "openssl", "pkey", "-in", str(pair.key), "-aes256", "-passout", "pass:word",
        "-out", str(locked),
    )  # fmt: skip
    with pytest.raises(UsageError, match="passphrase"):
        server_context(pair.certificate, locked)


# --- logins ---------------------------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def logins(tmp_path: Path) -> Htpasswd:
    path = tmp_path / "htpasswd"
    run_program("htpasswd", "-c", "-b", "-B", "-C", "4", str(path), "reader", "pass:word")
    run_program("htpasswd", "-b", "-B", "-C", "4", str(path), "other", "längerer Text")
    path.write_text("# who may read\n\n" + path.read_text())
    return Htpasswd.load(path)


def test_only_the_right_password_is_let_in(logins: Htpasswd) -> None:
    for _ in range(2):  # the second time it is remembered
        assert logins.allows(basic("reader", "pass:word"))
        assert logins.allows(basic("other", "längerer Text"))
        assert not logins.allows(basic("reader", "pass"))
        assert not logins.allows(basic("other", "pass:word"))
        assert not logins.allows(basic("nobody", "pass:word"))
    for header in ("", "Basic", "Basic ???", "Bearer abc", "Basic " + "QQ==", basic("", "")):
        assert not logins.allows(header)
    assert not logins.allows(basic("reader", "x" * 10_000))
    assert not logins.allows(basic("reader", "pass:word\0"))


def test_the_server_asks_for_a_login(
    serve: Serve, catalogue: FakeCatalogue, logins: Htpasswd
) -> None:
    running = serve(catalogue, logins=logins)
    refused = running.ask("/v2/")
    assert (refused.status, code_of(refused)) == (401, "UNAUTHORIZED")
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert running.ask("/v2/_catalog", Authorization=basic("reader", "no")).status == 401
    assert running.ask("/v2/_catalog", Authorization=basic("reader", "pass:word")).status == 200


@pytest.mark.parametrize(
    "line",
    ["reader:plain", "reader:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "reader:$apr1$x$y", "reader"],
)
def test_weak_or_broken_entries_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "htpasswd"
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(UsageError, match="line 2") as raised:
        Htpasswd.load(path)
    assert "htpasswd -B" in raised.value.hint


def test_a_file_without_logins(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_text("\n")
    with pytest.raises(UsageError, match="holds no login"):
        Htpasswd.load(path)
    with pytest.raises(EnvironmentFailure):
        Htpasswd.load(tmp_path / "absent")
