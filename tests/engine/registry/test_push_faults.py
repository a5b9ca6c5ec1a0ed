"""Uploads that break at every phase, and registries that do it their own way."""

from __future__ import annotations

import json
import ssl
from dataclasses import replace

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AccessDenied,
    ConnectionFailure,
    ContentMismatch,
    NotFound,
    Stopped,
    TemporaryFailure,
)
from airgap_tui.engine.http.endpoint import Endpoint
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.upload import checked_address
from airgap_tui.engine.retry import RetryPolicy
from tests.engine.registry.conftest import OpenTarget, StartFake
from tests.engine.registry.exchange import (
    PATIENT,
    QUICK,
    closure_of,
    descriptor,
    logins,
    opener_of,
    push,
    send,
    stopped_when,
)
from tests.fakes import faults
from tests.fakes.registry import Answer, FakeRegistry, Fault, Seen, Tokens
from tests.images import SampleImages, build_artifact, digest_of, fallback_tag, noise
from tests.services import CertificateAuthority

DATA = noise("upload", 3_000_000)
BLOB = descriptor(DATA)


@pytest.fixture
def reference(fake: FakeRegistry) -> Reference:
    return Reference.parse(f"{fake.host}/a/b:1")


def held(fake: FakeRegistry) -> bytes | None:
    return fake.blobs.get("a/b", {}).get(str(BLOB.digest))


@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "PUT"])
@pytest.mark.parametrize(
    "fault",
    [
        faults.no_answer("reset", done=False),
        faults.no_answer("reset", done=True),
        faults.no_answer("close", done=True),
        faults.status(500),
        faults.status(503, ("Retry-After", "0")),
        faults.status(429),
    ],
)
def test_every_phase_may_break(
    method: str, fault: Fault,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
) -> None:  # fmt: skip
    fake.script(method, "blobs", fault)
    moved: list[int] = []
    send(open_target(fake.host), reference, DATA, token, report=moved.append)
    assert held(fake) == DATA
    assert sum(moved) == len(DATA)


def test_what_arrived_before_a_reset_is_not_sent_again(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    fake.upload_cuts += [1_000_000, 500_000]
    moved: list[int] = []
    send(open_target(fake.host), reference, DATA, token, report=moved.append)
    assert held(fake) == DATA
    assert sum(moved) == len(DATA)
    resumed = [r.headers.get("Content-Range") for r in fake.seen("PATCH")]
    assert resumed == [None, f"1000000-{len(DATA) - 1}", f"1500000-{len(DATA) - 1}"]


def test_a_lost_answer_to_the_commit(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    fake.script("PUT", "uploads", faults.no_answer("reset", done=True))
    send(open_target(fake.host), reference, DATA, token)
    assert held(fake) == DATA
    assert len(fake.seen("PATCH")) == 1, "it is there: nothing is sent again"


@pytest.mark.parametrize("method", ["PATCH", "PUT", "GET"])
def test_an_upload_that_the_registry_forgot(
    method: str,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
) -> None:  # fmt: skip
    if method == "GET":
        fake.upload_cuts.append(1_000_000)
    fake.script(method, "uploads", faults.refused(404, "BLOB_UPLOAD_UNKNOWN"))
    moved: list[int] = []
    send(open_target(fake.host), reference, DATA, token, report=moved.append)
    assert held(fake) == DATA
    assert sum(moved) == len(DATA)
    assert len(fake.seen("POST")) == 2


def test_a_stale_offset(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    """`Range: 0-0` stands for none or for one byte, so the upload begins again."""
    fake.upload_cuts.append(1_000_000)
    fake.script("GET", "uploads", faults.with_header("Range", "0-0"))
    send(open_target(fake.host), reference, DATA, token)
    assert held(fake) == DATA
    assert len(fake.seen("POST")) == 2


@pytest.mark.parametrize("status", [400, 416])
def test_a_registry_that_is_out_of_step(
    status: int,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("PATCH", "uploads", faults.status(status), faults.status(status))
    moved: list[int] = []
    send(open_target(fake.host), reference, DATA, token, report=moved.append)
    assert held(fake) == DATA
    assert sum(moved) == len(DATA)
    fake.script("PATCH", "uploads", faults.status(status), forever=True)
    with pytest.raises(ConnectionFailure, match=str(status)):
        send(open_target(fake.host), reference, noise("other", 100_000), token,
             policy=RetryPolicy(10, 0.01, 0.02))  # fmt: skip


@pytest.mark.parametrize("code", [200, 201, 204])
def test_registries_that_answer_with_another_success(
    code: int,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("PATCH", "uploads", faults.changed(lambda a: replace(a, status=code)))
    fake.script("PUT", "uploads", faults.changed(lambda a: replace(a, status=code, body=b"")))
    send(open_target(fake.host), reference, DATA, token)
    assert held(fake) == DATA


def test_addresses_of_uploads(
    start_fake: StartFake, fake: FakeRegistry, reference: Reference, open_target: OpenTarget,
    token: CancelToken,
) -> None:  # fmt: skip
    target = open_target(fake.host)

    def absolute(answer: Answer) -> Answer:
        location = fake.url + answer.header("Location")
        return replace(answer, headers=[("Location", location)])

    fake.script("POST", "uploads", faults.changed(absolute))
    send(target, reference, DATA, token)
    assert held(fake) == DATA
    put = fake.seen("PUT", "uploads")[0]
    assert put.query == {"_state": ["a/b"], "digest": [str(BLOB.digest)]}

    missing = noise("without", 1000)
    fake.script("POST", "uploads", faults.without("Location"))
    with pytest.raises(ConnectionFailure, match="without a Location"):
        send(target, reference, missing, token)

    fake.script("PATCH", "uploads", faults.without("Location"))
    send(target, reference, missing, token)

    fake.script("POST", "uploads", faults.with_header("Location", "http://[::1/up"))
    with pytest.raises(ConnectionFailure, match="is not valid"):
        send(target, reference, noise("elsewhere", 1000), token)


def test_an_upload_to_another_host_gets_no_login(
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken
) -> None:
    storage = start_fake()
    fake = start_fake(tokens=Tokens(users={"user": "password"}))
    storage.uploads["session"] = bytearray()

    def elsewhere(answer: Answer) -> Answer:
        if answer.status != 202:
            return answer
        location = f"{storage.url}/v2/a/b/blobs/uploads/session"
        return replace(answer, headers=[("Location", location)])

    fake.script("POST", "uploads", faults.changed(elsewhere), forever=True)
    target = open_target(fake.host, credentials=logins(fake.host, "user", "password"))
    send(target, Reference.parse(f"{fake.host}/a/b:1"), DATA, token)
    assert storage.blobs["a/b"][str(BLOB.digest)] == DATA
    assert all("Authorization" not in request.headers for request in storage.requests)


def test_a_registry_behind_a_proxy_that_ends_tls_is_meant_itself() -> None:
    endpoint = Endpoint.of("harbor.lan")
    for named in ("http://harbor.lan/up?_state=1", "http://harbor.lan:80/up?_state=1"):
        assert checked_address(named, endpoint) == "https://harbor.lan/up?_state=1"


@pytest.mark.parametrize(
    "address", ["http://other.lan/up", "https://127.0.0.1:9/up", "https://169.254.169.254/up"]
)
def test_an_upload_to_an_address_of_this_machine_or_without_tls_is_refused(address: str) -> None:
    with pytest.raises(ConnectionFailure, match="is refused"):
        checked_address(address, Endpoint.of("harbor.lan"))


@pytest.mark.parametrize("code", [301, 302, 303, 307])
def test_an_upload_that_is_redirected_never_becomes_a_get(
    code: int,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("PATCH", "uploads", faults.redirected(fake.url + "/v2/", code), forever=True)
    with pytest.raises(ConnectionFailure, match="redirects an upload"):
        send(open_target(fake.host), reference, DATA, token)
    assert not [r for r in fake.seen("GET") if r.path == "/v2/"]


def test_a_proxy_that_takes_no_large_bodies(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    fake.script("PATCH", "uploads", faults.status(413), forever=True)
    with pytest.raises(ConnectionFailure, match="413") as refused:
        send(open_target(fake.host), reference, DATA, token)
    assert "client_max_body_size" in refused.value.hint


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_proxy_that_does_not_even_read_them(
    secure: bool,
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken,
    server_tls: ssl.SSLContext, authority: CertificateAuthority,
) -> None:  # fmt: skip
    """It answers by the length alone and closes, while the bytes are still being sent."""
    fake = start_fake(tls=server_tls if secure else None)
    fake.upload_refusals += [413]
    data = bytes(30_000_000)
    target = open_target(fake.host, replace(QUICK, ca_file=authority.certificate))
    with pytest.raises(ConnectionFailure, match=r"of this size \(413\)") as refused:
        send(target, Reference.parse(f"{fake.host}/a/b:1"), data, token)
    assert not isinstance(refused.value, TemporaryFailure)
    assert fake.upload_refusals == []


# --- tokens in the middle ---


def test_a_token_that_ends_while_the_bytes_go(
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken
) -> None:
    tokens = Tokens(users={"user": "password"})
    fake = start_fake(tokens=tokens)

    def expiring(seen: Seen, honest: object) -> Answer:
        answer: Answer = honest()  # type: ignore[operator]
        tokens.expire()
        return answer

    fake.script("PATCH", "uploads", expiring)
    target = open_target(fake.host, credentials=logins(fake.host, "user", "password"))
    send(target, Reference.parse(f"{fake.host}/a/b:1"), DATA, token)
    assert held(fake) == DATA
    assert len(fake.seen("PATCH")) == 1, "a new login needs no new bytes"
    assert len(fake.seen("PUT", "uploads")) == 2


def test_a_token_that_is_refused_after_the_bytes(
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens(users={"user": "password"}))
    challenge = f'Bearer realm="{fake.url}/token",service="fake"'
    fake.script("PATCH", "uploads", faults.status(401, ("WWW-Authenticate", challenge)))
    target = open_target(fake.host, credentials=logins(fake.host, "user", "password"))
    reference = Reference.parse(f"{fake.host}/a/b:1")
    send(target, reference, DATA, token)
    assert held(fake) == DATA

    fake.script("PATCH", "uploads", faults.status(401, ("WWW-Authenticate", challenge)),
                forever=True)  # fmt: skip
    with pytest.raises(ConnectionFailure, match="every login") as refused:
        send(target, reference, noise("other", 10_000), token, policy=RetryPolicy(10, 0.01, 0.02))
    assert not isinstance(refused.value, TemporaryFailure)


def test_short_tokens_and_long_pushes(
    start_fake: StartFake, open_target: OpenTarget, sample_images: SampleImages,
    token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tokens=Tokens(users={"user": "password"}, lifetime=1))
    target = open_target(fake.host, credentials=logins(fake.host, "user", "password"))
    push(target, sample_images.base, Reference.parse(f"{fake.host}/a/b:1"), token)
    assert fake.manifests["a/b"]["1"][1] == sample_images.base.manifest


# --- mounts ---


def test_a_mount_asks_for_both_repositories_at_once(
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens(users={"user": "password"}))
    target = open_target(fake.host, credentials=logins(fake.host, "user", "password"))
    send(target, Reference.parse(f"{fake.host}/a/b:1"), DATA, token)
    send(target, Reference.parse(f"{fake.host}/c/d:1"), DATA, token)
    assert fake.blobs["c/d"][str(BLOB.digest)] == DATA
    assert len(fake.seen("PATCH")) == 1
    scopes = [request.query["scope"] for request in fake.seen("GET", "/token")]
    assert ["repository:a/b:pull", "repository:c/d:pull,push"] in scopes


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(404),
        faults.status(405),
        faults.status(403),
        faults.status(500),
        faults.status(400),
        faults.no_answer(),
    ],
)
def test_a_mount_that_is_refused_becomes_an_upload(
    fault: Fault,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
) -> None:  # fmt: skip
    target = open_target(fake.host)
    send(target, reference, DATA, token)
    fake.script("POST", "mount=", fault)
    send(target, Reference.parse(f"{fake.host}/c/d:1"), DATA, token)
    assert fake.blobs["c/d"][str(BLOB.digest)] == DATA


def test_a_mount_that_opens_an_upload_uses_that_one(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    target = open_target(fake.host)
    send(target, reference, DATA, token)
    del fake.blobs["a/b"][str(BLOB.digest)]
    send(target, Reference.parse(f"{fake.host}/c/d:1"), DATA, token)
    assert fake.blobs["c/d"][str(BLOB.digest)] == DATA
    assert len(fake.seen("POST")) == 2


# --- manifests ---


@pytest.fixture
def sent(fake: FakeRegistry, reference: Reference, sample_images: SampleImages) -> None:
    """All layers of the base image are there."""
    fake.blobs["a/b"] = dict(sample_images.base.blobs)


@pytest.mark.usefixtures("sent")
def test_a_manifest_is_compared_without_the_header(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    closure = closure_of(sample_images.base, reference)
    fake.script("PUT", "manifests", faults.without("Docker-Content-Digest"), forever=True)
    target = open_target(fake.host)
    assert target.tag(reference, closure, token) == closure.root.digest
    assert len(fake.seen("HEAD", "manifests")) == 1
    fake.script("HEAD", "manifests", faults.without("Docker-Content-Digest"))
    assert target.tag(reference, closure, token) == closure.root.digest
    assert len(fake.seen("GET", "manifests")) == 1
    fake.script("HEAD", "manifests", faults.status(405))
    assert target.tag(reference, closure, token) == closure.root.digest
    assert len(fake.seen("GET", "manifests")) == 2


@pytest.mark.usefixtures("sent")
def test_a_registry_that_rewrites_manifests(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    other = digest_of(b"rewritten")
    fake.script("PUT", "manifests", faults.with_header("Docker-Content-Digest", other))
    with pytest.raises(ContentMismatch, match="the registry made"):
        open_target(fake.host).tag(reference, closure_of(sample_images.base, reference), token)


@pytest.mark.usefixtures("sent")
def test_a_layer_that_the_registry_does_not_know_yet(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
    sample_images: SampleImages, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("airgap_tui.engine.registry.target._RECHECK_AFTER", 0.01)
    closure = closure_of(sample_images.base, reference)
    target = open_target(fake.host)
    fake.script("PUT", "manifests", faults.refused(400, "MANIFEST_BLOB_UNKNOWN"))
    target.tag(reference, closure, token)
    assert len(fake.seen("PUT", "manifests")) == 2

    lost = str(closure.blobs[0].digest)
    del fake.blobs["a/b"][lost]
    with pytest.raises(
        ConnectionFailure, match=f"registry lost blobs that it accepted: {lost}"
    ) as refused:
        target.tag(reference, closure, token)
    assert "Push again" in refused.value.hint
    assert len(fake.seen("PUT", "manifests")) == 4, "one more try, and no more"


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (faults.refused(404, "NAME_UNKNOWN", "project x not found"), NotFound, "project x"),
        (faults.refused(400, "MANIFEST_INVALID", "too many layers"), ConnectionFailure,
         "too many layers"),
        (faults.refused(400, "MANIFEST_INVALID", "not with nvapi-0123abc"), ConnectionFailure,
         r"not with \*+$"),
        (faults.refused(403, "DENIED", "read only"), AccessDenied, "may not be written.*read only"),
        (faults.refused(412, "DENIED", "quota"), AccessDenied, "412"),
        (faults.status(413), ConnectionFailure, "413"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_refused(
    fault: Fault, kind: type[Exception], text: str,
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    fake.script("PUT", "manifests", fault)
    with pytest.raises(kind, match=text):
        open_target(fake.host).tag(reference, closure_of(sample_images.base, reference), token)


def test_children_come_before_their_index(
    fake: FakeRegistry, open_target: OpenTarget, token: CancelToken, sample_images: SampleImages
) -> None:
    reference = Reference.parse(f"{fake.host}/a/b:1")
    push(open_target(fake.host), sample_images.nested, reference, token)
    order = [request.path.rpartition("/")[2] for request in fake.seen("PUT", "manifests")]
    assert order[-1] == "1"
    assert order[:-1] == [digest_of(raw) for _, raw in sample_images.nested.documents[:-1]]


def test_referrers_of_a_registry_without_their_list(
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    fake = start_fake(referrers_api=False)
    sample, target = sample_images.base, open_target(fake.host)
    name = f"{fake.host}/a/b"
    referrers = [build_artifact("a/b:x", {"sbom": bytes([n])}, subject=sample) for n in range(2)]
    for _round in range(2):
        for referrer in referrers:
            push(
                target, sample, Reference.parse(f"{name}:1"), token,
                signatures={f"{name}@{referrer.digest}": referrer},
            )  # fmt: skip
    _type, raw = fake.manifests["a/b"][fallback_tag(sample.digest)]
    listed = json.loads(raw)["manifests"]
    assert [entry["digest"] for entry in listed] == [r.digest for r in referrers]
    assert {entry["artifactType"] for entry in listed} == {"application/vnd.example.sample"}


def test_one_repository_that_is_denied_does_not_stop_another(
    fake: FakeRegistry, open_target: OpenTarget, token: CancelToken, sample_images: SampleImages
) -> None:
    fake.script("POST", "/v2/denied/", faults.refused(403, "DENIED"), forever=True)
    target = open_target(fake.host)
    with pytest.raises(AccessDenied):
        push(target, sample_images.base, Reference.parse(f"{fake.host}/denied/a:1"), token)
    push(target, sample_images.base, Reference.parse(f"{fake.host}/a/b:1"), token)
    assert "1" in fake.manifests["a/b"]


def test_head_that_is_redirected_or_unknown(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    target = open_target(fake.host)
    fake.script("HEAD", "blobs", faults.redirected("https://storage.invalid/signed"))
    assert target.has(reference, BLOB, token)
    fake.script("HEAD", "blobs", faults.status(405))
    assert not target.has(reference, BLOB, token)
    fake.blobs["a/b"] = {str(BLOB.digest): DATA[:-1]}
    assert not target.has(reference, BLOB, token), "a blob of another size is not the blob"


def test_stopping_does_not_wait_for_the_commit(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    fake.script("PUT", "uploads", faults.no_answer("stall"))
    target = open_target(fake.host, PATIENT)
    with stopped_when(token, lambda: bool(fake.seen("PUT", "uploads"))), pytest.raises(Stopped):
        target.receive(reference, BLOB, opener_of(DATA), lambda _n: None, token)


def test_a_host_that_takes_too_little(
    fake: FakeRegistry, reference: Reference, open_target: OpenTarget, token: CancelToken
) -> None:
    """Nothing reads over there: the buffers fill, and the minimum rate ends it."""
    network = replace(QUICK, read_timeout=20.0, minimum_rate=10_000, minimum_rate_window=0.5)
    data = bytes(30_000_000)
    fake.upload_cuts.append(-1)
    with pytest.raises(TemporaryFailure, match="too slowly"):
        open_target(fake.host, network).receive(
            reference, descriptor(data), opener_of(data), lambda _n: None, token
        )
