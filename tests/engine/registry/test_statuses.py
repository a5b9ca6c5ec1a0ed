"""What each status means, and which of them are worth trying again."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from dataclasses import replace

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ConnectionFailure,
    ContentMismatch,
    MalformedContent,
    NotFound,
    Stopped,
    TemporaryFailure,
    UnsafeContent,
)
from airgap_tui.engine.events import HostPaused, Level, Note
from airgap_tui.engine.http.failures import Answer, retry_after
from airgap_tui.engine.oci.manifest import MAX_BYTES
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.failures import Subject, refusal
from airgap_tui.engine.registry.source import RateLimit, RegistrySource
from airgap_tui.engine.retry import RetryPolicy
from tests.conftest import EventLog
from tests.engine.registry.conftest import OpenSource, OpenTarget
from tests.engine.registry.exchange import PATIENT, QUICK, descriptor, send, stopped_when
from tests.fakes import faults
from tests.fakes.registry import FakeRegistry
from tests.images import OCI_INDEX, OCI_MANIFEST, SampleImages, digest_of
from tests.services import PATIENCE, wait_for

AMD64 = Platform("linux", "amd64")
TEMPORARY = (408, 425, 429, 499, 500, 502, 503, 504, 522)


@pytest.fixture
def reference(fake: FakeRegistry, sample_images: SampleImages) -> Reference:
    return Reference.parse(fake.add(sample_images.base))


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (400, ConnectionFailure, "400"),
        (402, AccessDenied, "your account may not use .*402, entitlement"),
        (403, AccessDenied, "no access, or no such image .403"),
        (404, NotFound, "404"),
        (412, AccessDenied, "accept its licence first, at .*412"),
        (418, ConnectionFailure, "418"),
        (451, AccessDenied, "withheld for legal reasons .451"),
    ],
)
def test_refusals_are_named_and_final(
    status: int, kind: type[AirgapError], text: str,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "manifests", faults.status(status), forever=True)
    with pytest.raises(kind, match=text) as refused:
        source.resolve(reference, AMD64, token)
    assert not isinstance(refused.value, TemporaryFailure)
    assert "html" not in str(refused.value).lower()
    assert refused.value.exit_code == 4
    assert len(fake.requests) == 1


@pytest.mark.parametrize("status", TEMPORARY)
def test_what_may_pass_is_tried_again(
    status: int,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "manifests", faults.status(status), faults.status(status))
    assert source.resolve(reference, AMD64, token).blobs
    assert len(fake.seen("GET", "manifests")) == 3


@pytest.mark.parametrize("status", TEMPORARY)
def test_what_does_not_pass_is_said_in_the_end(
    status: int,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "manifests", faults.status(status), forever=True)
    with pytest.raises(TemporaryFailure, match=str(status)):
        source.resolve(reference, AMD64, token)
    assert len(fake.requests) == QUICK.retry.attempts


def test_connections_that_break_are_tried_again(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script(
        "GET",
        "manifests",
        faults.no_answer("reset"),
        faults.no_answer("close"),
        faults.truncated(100),
    )
    assert source.resolve(reference, AMD64, token).blobs


def test_a_host_that_is_not_there(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.stop()
    with pytest.raises(TemporaryFailure, match="cannot be reached: connection refused"):
        source.resolve(reference, AMD64, token)


def test_a_host_that_says_nothing(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken
) -> None:
    fake.script("GET", "manifests", faults.no_answer("stall"), forever=True)
    network = replace(QUICK, read_timeout=0.2, retry=RetryPolicy(attempts=1))
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        open_source(network).resolve(reference, AMD64, token)


def test_a_job_that_is_stopped_while_a_host_says_nothing(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken
) -> None:
    fake.script("GET", "manifests", faults.no_answer("stall"), forever=True)
    with stopped_when(token, lambda: bool(fake.seen("GET", "manifests"))), pytest.raises(Stopped):
        open_source(PATIENT).resolve(reference, AMD64, token)


# --- pauses ---


def test_retry_after_in_both_forms() -> None:
    assert retry_after({}) is None
    assert retry_after({"Retry-After": "7"}) == 7.0
    assert retry_after({"Retry-After": "-7"}) == 0.0
    assert retry_after({"Retry-After": "inf"}) is None
    assert retry_after({"Retry-After": "nan"}) is None
    assert retry_after({"Retry-After": "soon"}) is None
    date = email.utils.formatdate(time.time() + 90, usegmt=True)
    found = retry_after({"Retry-After": date})
    assert found is not None
    assert 85 < found < 91
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


def test_a_pause_holds_for_every_worker(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, events: EventLog,
    token: CancelToken,
) -> None:  # fmt: skip
    fake.script("HEAD", "manifests", faults.status(429, ("Retry-After", "1")))
    source = open_source(sink=events)
    source.tags(reference, token)
    ended: list[float] = []

    def look() -> None:
        source.head(reference, token)
        ended.append(time.monotonic())

    started = time.monotonic()
    first = threading.Thread(target=look)
    first.start()
    wait_for(lambda: bool(events.of(HostPaused)))
    others = [threading.Thread(target=look) for _ in range(3)]
    for thread in others:
        thread.start()
    for thread in (first, *others):
        thread.join(PATIENCE)
    assert len(ended) == 4
    assert min(ended) - started >= 0.95
    pause = events.of(HostPaused)
    assert len(pause) == 1
    assert pause[0].host == fake.host
    assert pause[0].seconds == 1.0


def test_a_pause_ends_when_the_job_is_stopped(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, events: EventLog,
    token: CancelToken,
) -> None:  # fmt: skip
    fake.script("HEAD", "manifests", faults.status(429, ("Retry-After", "300")), forever=True)
    source = open_source(PATIENT, sink=events)
    with stopped_when(token, lambda: bool(events.of(HostPaused))), pytest.raises(Stopped):
        source.head(reference, token)


def test_a_pause_that_is_too_long_is_a_failure(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "manifests", faults.status(429, ("Retry-After", "3600")), forever=True)
    with pytest.raises(TemporaryFailure, match="allows no more requests") as refused:
        source.resolve(reference, AMD64, token)
    assert refused.value.retry_after == 3600
    assert "airgap-tui login" in refused.value.hint
    assert len(fake.requests) == 1


def test_what_a_registry_says_is_passed_on_once(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, events: EventLog,
    token: CancelToken,
) -> None:  # fmt: skip
    warning = faults.with_header("Warning", '299 - "this tag is going \\"away\\" soon"')
    fake.script("GET", "manifests", warning, forever=True)
    source = open_source(sink=events)
    for _round in range(2):
        source.resolve(reference, AMD64, token)
    notes = events.of(Note)
    assert [note.text for note in notes] == [f'{fake.host} says: this tag is going "away" soon']
    assert notes[0].level is Level.WARNING


def test_rate_limits_are_remembered(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("HEAD", "manifests", faults.with_header("ratelimit-limit", "100;w=21600"))
    source.head(reference, token)
    assert source.rate_limits() == ()

    def both(seen: object, answer: object) -> object:
        left = faults.with_header("ratelimit-remaining", "71;w=21600")
        limit = faults.with_header("ratelimit-limit", "100;w=21600")
        return limit(seen, lambda: left(seen, answer))  # type: ignore[arg-type]

    fake.script("HEAD", "manifests", both)  # type: ignore[arg-type]
    source.head(reference, token)
    assert source.rate_limits() == (RateLimit(fake.host, 100, 71, 21600),)


# --- manifests ---


def test_head_that_a_registry_does_not_know(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    for fault in (
        faults.status(405),
        faults.without("Docker-Content-Digest"),
        faults.without("Content-Type"),
        faults.with_header("Docker-Content-Digest", f"blake3:{'0' * 64}"),
        faults.with_header("Docker-Content-Digest", "none"),
    ):
        fake.script("HEAD", "manifests", fault)
        found = source.head(reference, token)
        assert str(found.digest) == sample_images.base.digest
        assert found.size == len(sample_images.base.manifest)
    assert len(fake.seen("GET", "manifests")) == 5


def test_a_manifest_that_is_not_the_one_asked_for(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    repository = fake.manifests[reference.repository]
    asked = reference.pinned(descriptor(sample_images.base.manifest).digest)
    repository[str(asked.digest)] = (OCI_MANIFEST, sample_images.zstd.manifest)
    with pytest.raises(ContentMismatch, match=sample_images.base.digest):
        source.resolve(asked, AMD64, token)
    assert len(fake.requests) == 2, "one fresh try, and no more"


def test_a_manifest_that_is_not_the_one_announced(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    said = faults.with_header("Docker-Content-Digest", digest_of(b"something else"))
    fake.script("GET", "manifests", said)
    assert source.resolve(reference, AMD64, token), "once may be a slip"
    fake.script("GET", "manifests", said, forever=True)
    with pytest.raises(ContentMismatch, match="announced"):
        source.resolve(reference, AMD64, token)


def test_a_config_that_came_wrong_gets_one_fresh_try(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.wrong_bytes)
    assert source.resolve(reference, AMD64, token).platforms
    assert len(fake.seen("GET", "blobs")) == 2
    fake.script("GET", "blobs", faults.wrong_bytes, forever=True)
    with pytest.raises(ContentMismatch, match="the config received is not sha256:"):
        source.resolve(reference, AMD64, token)
    assert len(fake.seen("GET", "blobs")) == 4


def test_a_body_without_a_length_that_breaks_off(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "manifests", faults.truncated(200, length=False))
    assert source.resolve(reference, AMD64, token).blobs


@pytest.mark.parametrize(
    ("content_type", "right"),
    [
        (f"{OCI_MANIFEST}; charset=utf-8", True),
        ("application/json", True),
        ("text/plain", True),
        (OCI_INDEX, False),
    ],
)
def test_content_types(
    content_type: str, right: bool,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "manifests", faults.with_header("Content-Type", content_type), forever=True)
    if right:
        assert source.resolve(reference, AMD64, token).blobs
    else:
        with pytest.raises(MalformedContent, match="sent as"):
            source.resolve(reference, AMD64, token)


def test_manifests_of_schema_1_are_refused_in_plain_words(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    old = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
    media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    fake.manifests[reference.repository][str(reference.tag)] = (media_type, old)
    with pytest.raises(MalformedContent, match="old schema 1"):
        source.resolve(reference, AMD64, token)


def test_a_manifest_without_end(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    huge = b"{" + b" " * MAX_BYTES + b"}"
    fake.manifests[reference.repository][str(reference.tag)] = (OCI_MANIFEST, huge)
    with pytest.raises(UnsafeContent, match="more than"):
        source.resolve(reference, AMD64, token)


def test_indexes_nested_without_end(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    held = fake.manifests[reference.repository]
    child = sample_images.base.descriptor()
    for _level in range(8):
        raw = json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}
        ).encode()
        held[digest_of(raw)] = held["deep"] = (OCI_INDEX, raw)
        child = {
            "mediaType": OCI_INDEX,
            "digest": digest_of(raw),
            "size": len(raw),
            "platform": {"os": "linux", "architecture": "amd64"},
        }
    deep = replace(reference, tag="deep")
    for platform in (None, AMD64):
        with pytest.raises(UnsafeContent, match="nested too deeply"):
            source.resolve(deep, platform, token)


def test_an_index_that_lies_about_a_size(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    child = {**sample_images.base.descriptor(), "size": 5}
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    fake.manifests[reference.repository]["lies"] = (OCI_INDEX, raw)
    with pytest.raises(ContentMismatch, match="not 5"):
        source.resolve(replace(reference, tag="lies"), AMD64, token)


def test_a_missing_project_is_named(
    fake: FakeRegistry, open_target: OpenTarget, token: CancelToken
) -> None:
    fake.script(
        "POST",
        "uploads",
        faults.refused(401, "UNAUTHORIZED", "unauthorized to access repository: a/b, action: push"),
    )
    with pytest.raises(AccessDenied, match="action: push") as refused:
        send(open_target(fake.host), Reference.parse(f"{fake.host}/a/b:1"), b"data", token)
    assert "Create the project" in refused.value.hint


def test_the_licence_page_of_ngc() -> None:
    answer = Answer(412, {}, b"", "nvcr.io")
    for name, page in (
        ("nvidia/pytorch:24.05-py3", "nvidia/containers/pytorch"),
        ("nvidia/k8s/dcgm-exporter:3", "nvidia/teams/k8s/containers/dcgm-exporter"),
    ):
        subject = Subject("nvcr.io", name, f"nvcr.io/{name}")
        assert f"catalog.ngc.nvidia.com/orgs/{page} (412)" in refusal(answer, subject).message


def test_a_rule_of_another_registry_is_told_in_its_words() -> None:
    """As Harbor's, that images have to be signed or free of known weaknesses."""
    said = "current image with 12 vulnerabilities cannot be pulled"
    body = json.dumps({"errors": [{"code": "PROJECTPOLICYVIOLATION", "message": said}]}).encode()
    refused = refusal(Answer(412, {}, body, "h.lan"), Subject("h.lan", "a", "h.lan/a:1"))
    assert isinstance(refused, AccessDenied) and refused.status == 412
    assert refused.message == f"a rule of h.lan does not allow h.lan/a:1 (412): {said}"


def test_errors_of_a_server_are_one_short_line() -> None:
    body = json.dumps(
        {"errors": [{"code": "DENIED", "message": "a\n\x1b[31mb " + "x" * 1000}]}
    ).encode()
    message = refusal(Answer(403, {}, body, "h"), Subject("h", "a", "h/a:1")).message
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 300
