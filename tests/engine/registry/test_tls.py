"""TLS: private authorities, client certificates, wrong hosts, and what is said about them."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ConnectionFailure, TemporaryFailure, UsageError
from airgap_tui.engine.http import connections, endpoint
from airgap_tui.engine.http.connections import proxies_for
from airgap_tui.engine.http.endpoint import Endpoint, check_redirect
from airgap_tui.engine.http.failures import transport_failure
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from tests.engine.registry.conftest import OpenSource, OpenTarget, StartFake
from tests.engine.registry.exchange import QUICK, descriptor, pull, push, read_whole
from tests.fakes import faults
from tests.fakes.registry import FakeRegistry
from tests.images import SampleImages, noise
from tests.services import CertificateAuthority

AMD64 = Platform("linux", "amd64")


@pytest.fixture
def secure(
    start_fake: StartFake, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> FakeRegistry:
    """A registry with TLS that is not taken for one on this machine."""
    monkeypatch.setattr(endpoint, "is_loopback", lambda _host: False)
    return start_fake(tls=server_tls)


def test_an_authority_that_is_named(
    secure: FakeRegistry, open_source: OpenSource, sample_images: SampleImages,
    authority: CertificateAuthority, token: CancelToken,
) -> None:  # fmt: skip
    reference = Reference.parse(secure.add(sample_images.base))
    source = open_source(replace(QUICK, ca_file=authority.certificate))
    closure = source.resolve(reference, AMD64, token)
    assert pull(source, closure, token) == sample_images.base.blobs


def test_an_authority_as_openssl_makes_it_without_being_told_more(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages,
    tmp_path: Path, token: CancelToken, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Harbor's own instructions lead to one: it does not say what its key is for."""
    monkeypatch.setattr(endpoint, "is_loopback", lambda _host: False)
    plain = CertificateAuthority.create(tmp_path, extensions=())
    pair = plain.issue()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(pair.certificate, pair.key)
    reference = Reference.parse(start_fake(tls=server_tls).add(sample_images.base))
    source = open_source(replace(QUICK, ca_file=plain.certificate))
    assert pull(source, source.resolve(reference, AMD64, token), token)


def test_tls_on_loopback_is_found_out(
    start_fake: StartFake, server_tls: ssl.SSLContext, open_source: OpenSource,
    open_target: OpenTarget, sample_images: SampleImages, authority: CertificateAuthority,
    token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tls=server_tls)
    reference = Reference.parse(fake.add(sample_images.base, "a/b:1"))
    network = replace(QUICK, ca_file=authority.certificate)
    source = open_source(network)
    assert list(source.tags(reference, token)) == ["1"]
    assert pull(source, source.resolve(reference, AMD64, token), token)
    push(open_target(fake.host, network), sample_images.docker, reference, token)
    with pytest.raises(ConnectionFailure, match="cannot be trusted") as refused:
        open_source().resolve(reference, AMD64, token)
    assert "--ca FILE" in refused.value.hint
    named = replace(network, plain_http=frozenset({fake.host}))
    with pytest.raises(ConnectionFailure):
        open_source(named).resolve(reference, AMD64, token)


def test_an_authority_of_the_environment(
    secure: FakeRegistry, open_source: OpenSource, sample_images: SampleImages,
    authority: CertificateAuthority, token: CancelToken, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    reference = Reference.parse(secure.add(sample_images.base))
    assert open_source().resolve(reference, AMD64, token)


def test_an_authority_that_docker_was_told(
    secure: FakeRegistry, open_source: OpenSource, sample_images: SampleImages,
    authority: CertificateAuthority, token: CancelToken, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(connections, "CERTIFICATE_FOLDERS", (tmp_path,))
    folder = tmp_path / secure.host
    folder.mkdir()
    (folder / "ca.crt").write_bytes(authority.certificate.read_bytes())
    (folder / "broken.crt").write_text("nothing")
    reference = Reference.parse(secure.add(sample_images.base))
    assert open_source().resolve(reference, AMD64, token)


def test_an_authority_that_nobody_knows(
    secure: FakeRegistry, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    reference = Reference.parse(secure.add(sample_images.base))
    with pytest.raises(ConnectionFailure, match="cannot be trusted") as refused:
        open_source().resolve(reference, AMD64, token)
    assert not isinstance(refused.value, TemporaryFailure)
    assert "--ca FILE" in refused.value.hint
    assert not secure.requests, "nothing was sent, not even once more without a check"


def test_a_certificate_for_another_host(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages,
    authority: CertificateAuthority, token: CancelToken, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(endpoint, "is_loopback", lambda _host: False)
    pair = authority.issue("elsewhere", ["DNS:elsewhere.example"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    fake = start_fake(tls=context)
    reference = Reference.parse(fake.add(sample_images.base))
    source = open_source(replace(QUICK, ca_file=authority.certificate))
    with pytest.raises(ConnectionFailure, match="cannot be trusted") as refused:
        source.resolve(reference, AMD64, token)
    assert "host name" in refused.value.hint


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("certificate has expired", "clock of this machine"),
        ("certificate is not yet valid", "clock of this machine"),
        ("IP address mismatch, certificate is not valid for '10.0.0.1'", "a host name"),
        ("unable to get local issuer certificate", "--ca FILE"),
    ],
)
def test_what_helps_against_a_certificate_that_cannot_be_trusted(reason: str, remedy: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = reason
    wrapped = requests.exceptions.SSLError(error)
    failure = transport_failure(wrapped, "https://harbor.lan:8443/v2/")
    assert not isinstance(failure, TemporaryFailure)
    told = f"the certificate of harbor.lan:8443 cannot be trusted: {reason}"
    assert failure.message == told
    assert remedy in failure.hint


def test_a_client_certificate(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages,
    authority: CertificateAuthority, token: CancelToken, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(endpoint, "is_loopback", lambda _host: False)
    server, client = authority.issue("mutual"), authority.issue("client")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server.certificate, server.key)
    fake = start_fake(tls=context)
    reference = Reference.parse(fake.add(sample_images.base))
    network = replace(QUICK, ca_file=authority.certificate)
    known = replace(network, client_certificate=client.certificate, client_key=client.key)
    assert open_source(known).resolve(reference, AMD64, token)
    with pytest.raises(ConnectionFailure):
        open_source(network).resolve(reference, AMD64, token)


def test_files_that_hold_no_certificates(
    secure: FakeRegistry, open_source: OpenSource, tmp_path: Path, token: CancelToken
) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    reference = Reference.parse(f"{secure.host}/a/b:1")
    for path in (nothing, tmp_path / "absent.pem"):
        with pytest.raises(UsageError, match=path.name):
            open_source(replace(QUICK, ca_file=path)).resolve(reference, AMD64, token)
        with pytest.raises(UsageError, match=path.name):
            open_source(replace(QUICK, client_certificate=path)).resolve(reference, AMD64, token)


def test_a_key_with_a_pass_phrase_is_refused_and_never_asked_for(
    secure: FakeRegistry, open_source: OpenSource, authority: CertificateAuthority,
    tmp_path: Path, token: CancelToken,
) -> None:  # fmt: skip
    client, locked = authority.issue("locked"), tmp_path / "locked.key"
    lock = ["openssl", "rsa", "-aes256", "-passout", "pass:opal-lantern-42"]
    subprocess.run(
        [*lock, "-in", client.key, "-out", locked], check=True, capture_output=True, timeout=30
    )
    network = replace(QUICK, client_certificate=client.certificate, client_key=locked)
    with pytest.raises(UsageError, match="its key has a pass phrase") as refused:
        open_source(network).resolve(Reference.parse(f"{secure.host}/a/b:1"), AMD64, token)
    assert "openssl pkey" in refused.value.hint


def test_a_registry_without_tls_is_not_asked_without_being_told_so(
    fake: FakeRegistry, open_source: OpenSource, sample_images: SampleImages, token: CancelToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(endpoint, "is_loopback", lambda _host: False)
    reference = Reference.parse(fake.add(sample_images.base))
    with pytest.raises(ConnectionFailure, match="does not speak TLS") as refused:
        open_source().resolve(reference, AMD64, token)
    assert f"--plain-http {fake.host}" in refused.value.hint
    assert not fake.requests
    named = replace(QUICK, plain_http=frozenset({fake.host}))
    assert open_source(named).resolve(reference, AMD64, token)


def test_no_redirect_away_from_tls(
    secure: FakeRegistry, start_fake: StartFake, open_source: OpenSource,
    sample_images: SampleImages, authority: CertificateAuthority, token: CancelToken,
) -> None:  # fmt: skip
    plain = start_fake()
    reference = Reference.parse(secure.add(sample_images.base))
    plain.add(sample_images.base)
    secure.script("GET", "manifests", faults.redirected(plain.url + "{path}"), forever=True)
    source = open_source(replace(QUICK, ca_file=authority.certificate))
    with pytest.raises(ConnectionFailure, match="from TLS to plain HTTP"):
        source.resolve(reference, AMD64, token)
    assert not plain.requests


def test_large_blobs_over_tls(
    secure: FakeRegistry, open_source: OpenSource, authority: CertificateAuthority,
    token: CancelToken,
) -> None:  # fmt: skip
    data = noise("tls", 5_000_000)
    secure.blobs["a/b"] = {str(descriptor(data).digest): data}
    secure.script("GET", "blobs", faults.truncated(2_000_000, ending="reset"))
    source = open_source(replace(QUICK, ca_file=authority.certificate))
    reference = Reference.parse(f"{secure.host}/a/b:1")
    assert read_whole(source, reference, descriptor(data), token)[0] == data


# --- addresses ---


@pytest.mark.parametrize(
    ("registry", "plain", "base"),
    [
        ("docker.io", [], "https://registry-1.docker.io"),
        ("nvcr.io", [], "https://nvcr.io"),
        ("localhost:5000", [], "http://localhost:5000"),
        ("127.0.0.1:5000", [], "http://127.0.0.1:5000"),
        ("127.9.9.9", [], "http://127.9.9.9"),
        ("[::1]:5000", [], "http://[::1]:5000"),
        ("10.0.0.1:5000", [], "https://10.0.0.1:5000"),
        ("localhost.example:5000", [], "https://localhost.example:5000"),
        ("reg.lan:5000", ["reg.lan:5000"], "http://reg.lan:5000"),
        ("reg.lan:5000", ["reg.lan"], "http://reg.lan:5000"),
        ("reg.lan:5000", ["reg.lan:5001", "lan"], "https://reg.lan:5000"),
    ],
)
def test_where_a_registry_is(registry: str, plain: list[str], base: str) -> None:
    assert Endpoint.of(registry, plain).base == base


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("https://nvcr.io/a", "https://cdn.example/b", True),
        ("https://nvcr.io/a", "https://10.1.2.3/b", True),
        ("https://nvcr.io/a", "http://cdn.example/b", False),
        ("http://reg.lan:5000/a", "http://storage.lan/b", True),
        ("https://nvcr.io/a", "https://127.0.0.1/b", False),
        ("https://nvcr.io/a", "https://localhost/b", False),
        ("https://nvcr.io/a", "https://[::1]/b", False),
        ("https://nvcr.io/a", "https://169.254.169.254/latest", False),
        ("https://nvcr.io/a", "https://[fe80::1]/b", False),
        ("https://nvcr.io/a", "https://[::ffff:127.0.0.1]/b", False),
        ("https://nvcr.io/a", "https://0.0.0.0/b", False),
        ("http://127.0.0.1:5000/a", "http://127.0.0.1:5001/b", True),
    ],
)
def test_where_a_redirect_may_lead(source: str, target: str, allowed: bool) -> None:
    if allowed:
        check_redirect(source, target)
    else:
        with pytest.raises(ConnectionFailure):
            check_redirect(source, target)


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.lan:3128")
    monkeypatch.setenv("NO_PROXY", "reg.lan,.inside.example")
    assert proxies_for("https://nvcr.io/v2/")["https"] == "http://proxy.lan:3128"
    assert not proxies_for("https://reg.lan/v2/")
    assert not proxies_for("https://a.inside.example/v2/")
    assert not proxies_for("http://127.0.0.1:5000/v2/"), "a proxy does not know our own loopback"


def test_a_proxy_is_asked_for_what_is_behind_it(
    fake: FakeRegistry, open_source: OpenSource, sample_images: SampleImages, token: CancelToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HTTP_PROXY", fake.url)
    fake.add(sample_images.base, "a/b:1")
    source = open_source(replace(QUICK, plain_http=frozenset({"reg.invalid"})))
    closure = source.resolve(Reference.parse("reg.invalid/a/b:1"), AMD64, token)
    assert pull(source, closure, token) == sample_images.base.blobs
    assert fake.requests[0].path == "http://reg.invalid/v2/a/b/manifests/1"


def test_a_proxy_that_is_not_there(
    open_source: OpenSource, monkeypatch: pytest.MonkeyPatch, token: CancelToken
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(TemporaryFailure, match=r"proxy on the way to reg\.invalid") as refused:
        open_source().resolve(Reference.parse("reg.invalid/a/b:1"), AMD64, token)
    assert "HTTPS_PROXY" in refused.value.hint


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [("http://", "address is malformed"), ("ftp://proxy.lan:1", "kind is unknown")],
)
def test_a_proxy_that_cannot_be_used_is_told_at_once(
    proxy: str, reason: str,
    open_source: OpenSource, monkeypatch: pytest.MonkeyPatch, token: CancelToken,
) -> None:  # fmt: skip
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConnectionFailure, match=f"proxy on the way to .*{reason}") as refused:
        open_source().resolve(Reference.parse("reg.invalid/a/b:1"), AMD64, token)
    assert not isinstance(refused.value, TemporaryFailure)
    assert "HTTPS_PROXY" in refused.value.hint


def test_a_socks_proxy_is_named_where_it_cannot_be_used() -> None:
    error = requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")
    failure = transport_failure(error, "https://nvcr.io/v2/")
    assert not isinstance(failure, TemporaryFailure)
    assert "SOCKS" in failure.message and "PySocks" in failure.message


def test_netrc_never_takes_the_place_of_a_login(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages,
    private_home: Path, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake()
    reference = Reference.parse(fake.add(sample_images.base))
    netrc = private_home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    try:
        open_source().resolve(reference, AMD64, token)
    finally:
        netrc.unlink()
    assert all("Authorization" not in request.headers for request in fake.requests)
