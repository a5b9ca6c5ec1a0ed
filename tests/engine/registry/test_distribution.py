"""A real Distribution with logins, tokens and TLS: what the contract suite leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AccessDenied, ConnectionFailure, TemporaryFailure
from airgap_tui.engine.oci.content import CHUNK
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import Run, StartDistribution
from tests.engine.registry.conftest import OpenSource, OpenTarget
from tests.engine.registry.exchange import QUICK, descriptor, logins, opener_of, pull, push, send
from tests.images import SampleImages, noise
from tests.services import CertificateAuthority, TokenService, free_port

pytestmark = pytest.mark.distribution
AMD64 = Platform("linux", "amd64")
SECRET = "password-of-a-real-registry"


def test_htpasswd(
    start_distribution: StartDistribution, open_source: OpenSource, open_target: OpenTarget,
    sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    registry = start_distribution(htpasswd={"user": SECRET})
    reference = Reference.parse(f"{registry.host}/a/b:1")
    right = logins(registry.host, "user", SECRET)
    push(open_target(registry.host, credentials=right), sample_images.base, reference, token)
    closure = open_source(credentials=right).resolve(reference, AMD64, token)
    assert str(closure.root.digest) == sample_images.base.digest
    wrong = logins(registry.host, "user", "wrong")
    with pytest.raises(AccessDenied, match="refused the login"):
        open_source(credentials=wrong).resolve(reference, AMD64, token)
    with pytest.raises(AccessDenied, match="needs a login"):
        open_source().resolve(reference, AMD64, token)


@pytest.mark.parametrize("lifetime", [300, 2])
def test_tokens(
    lifetime: int,
    start_distribution: StartDistribution,
    start_token_service: Callable[..., TokenService],
    open_source: OpenSource,
    open_target: OpenTarget,
    sample_images: SampleImages,
    token: CancelToken,
) -> None:
    service = start_token_service({"user": SECRET}, anonymous=True, lifetime=lifetime)
    registry = start_distribution(token_service=service)
    right = logins(registry.host, "user", SECRET)
    target = open_target(registry.host, credentials=right)
    for repository in ("a/b", "c/d"):
        reference = Reference.parse(f"{registry.host}/{repository}:1")
        push(target, sample_images.multi, reference, token)
    closure = open_source().resolve(reference, AMD64, token)
    assert pull(open_source(), closure, token) == sample_images.multi.images[0].blobs
    with pytest.raises(AccessDenied, match="needs a login"):
        push(open_target(registry.host), sample_images.base, reference, token)


def test_a_mount_with_tokens_sends_nothing(
    start_distribution: StartDistribution,
    start_token_service: Callable[..., TokenService],
    open_target: OpenTarget,
    token: CancelToken,
) -> None:
    service = start_token_service({"user": SECRET})
    registry = start_distribution(token_service=service)
    target = open_target(registry.host, credentials=logins(registry.host, "user", SECRET))
    data, moved = noise("mounted", 50_000), list[int]()
    for repository in ("a/b", "c/d"):
        reference = Reference.parse(f"{registry.host}/{repository}:1")
        send(target, reference, data, token, report=moved.append)
        assert target.has(reference, descriptor(data), token)
    assert sum(moved) == len(data)


def test_tls_with_a_client_certificate(
    start_distribution: StartDistribution, authority: CertificateAuthority,
    open_source: OpenSource, open_target: OpenTarget, sample_images: SampleImages,
    token: CancelToken,
) -> None:  # fmt: skip
    server, client = authority.issue("distribution"), authority.issue("distribution-client")
    registry = start_distribution(tls=server, client_authority=authority.certificate)
    reference = Reference.parse(f"{registry.host}/a/b:1")
    named = replace(QUICK, ca_file=authority.certificate)
    known = replace(named, client_certificate=client.certificate, client_key=client.key)
    push(open_target(registry.host, known), sample_images.base, reference, token)
    closure = open_source(known).resolve(reference, AMD64, token)
    assert pull(open_source(known), closure, token) == sample_images.base.blobs
    with pytest.raises(ConnectionFailure):
        open_source(named).resolve(reference, AMD64, token)


def test_a_registry_that_restarts_in_the_middle_of_an_upload(
    start_distribution: StartDistribution, open_target: OpenTarget, tmp_path: Path,
    token: CancelToken,
) -> None:  # fmt: skip
    """Distribution 2.8 takes up no upload that broke inside a PATCH: it begins again, and ends."""
    registry = start_distribution(root=tmp_path, port=free_port())
    target = open_target(registry.host)
    reference = Reference.parse(f"{registry.host}/a/b:1")
    data = noise("restarted", 20_000_000)
    blob, sent = descriptor(data), list[int]()

    def report(count: int) -> None:
        sent.append(count)
        if sum(sent) == 10 * CHUNK:
            registry.stop()

    with pytest.raises(TemporaryFailure):
        target.receive(reference, blob, opener_of(data), report, token)
    again = start_distribution(port=registry.port, root=tmp_path)
    send(target, reference, data, token, report=sent.append)
    assert again.blob_path(str(blob.digest)).read_bytes() == data
    assert sum(sent) == len(data), "what is thrown away is taken off the count"


@pytest.mark.skopeo
def test_skopeo_reads_what_was_pushed(
    start_distribution: StartDistribution, open_target: OpenTarget, sample_images: SampleImages,
    skopeo: Run, token: CancelToken,
) -> None:  # fmt: skip
    registry = start_distribution()
    reference = Reference.parse(f"{registry.host}/a/b:1")
    push(open_target(registry.host), sample_images.nested, reference, token)
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}").stdout
    assert raw.encode() == sample_images.nested.manifest
