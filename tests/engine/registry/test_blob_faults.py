"""Blobs that come in pieces, late, wrong, or from elsewhere."""

from __future__ import annotations

import time
from contextlib import closing
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
from airgap_tui.engine.http import connections, watchdog
from airgap_tui.engine.oci.content import VerifyingReader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.source import RegistrySource
from tests.engine.registry.conftest import OpenSource, StartFake
from tests.engine.registry.exchange import (
    PATIENT,
    QUICK,
    descriptor,
    logins,
    read_once,
    read_whole,
    stopped_when,
)
from tests.fakes import faults
from tests.fakes.registry import Answer, FakeRegistry, Fault, Seen, Tokens
from tests.images import noise
from tests.services import wait_for

AMD64 = Platform("linux", "amd64")
DATA = noise("blob", 500_000)
BLOB = descriptor(DATA)
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.fixture
def reference(fake: FakeRegistry) -> Reference:
    fake.blobs["a/b"] = {str(BLOB.digest): DATA}
    return Reference.parse(f"{fake.host}/a/b:1")


@pytest.mark.parametrize(
    "fault",
    [
        faults.truncated(200_000),
        faults.truncated(200_000, length=False),
        faults.truncated(200_000, ending="reset"),
        faults.truncated(0),
    ],
)
def test_a_body_that_breaks_off_is_continued(
    fault: Fault,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "blobs", fault)
    data, offsets = read_whole(source, reference, BLOB, token)
    assert data == DATA
    assert len(offsets) == 2
    if offsets[1]:
        resumed = fake.seen("GET", "blobs")[1].headers["Range"]
        assert resumed == f"bytes={offsets[1]}-{len(DATA) - 1}", "the closed form"


def test_many_breaks(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", *[faults.truncated(80_000)] * 6)
    data, offsets = read_whole(source, reference, BLOB, token)
    assert data == DATA
    assert offsets == sorted(offsets)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_host_that_is_down_for_a_moment(
    status: int,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "blobs", faults.status(status), faults.no_answer())
    assert read_whole(source, reference, BLOB, token)[0] == DATA


@pytest.mark.parametrize(
    "fault",
    [
        faults.range_ignored,
        faults.range_shifted(-1000),
        faults.range_shifted(1000),
        faults.without("Content-Range"),
        faults.with_header("Content-Range", "bytes */500000"),
        faults.status(416),
    ],
)
@pytest.mark.parametrize("offset", [1, 250_000, 499_999])
def test_ranges_that_are_not_what_was_asked_for(
    fault: Fault, offset: int,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "blobs", fault)
    assert read_once(source, reference, BLOB, offset, token) == DATA[offset:]


def test_wrong_bytes_of_the_right_length(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.wrong_bytes)
    buffer = memoryview(bytearray(50_000))
    reader = VerifyingReader(source.open(reference, BLOB, 0, token), BLOB)
    with closing(reader), pytest.raises(ContentMismatch, match="the digest should be"):
        while reader.readinto(buffer):
            pass
    assert read_once(source, reference, BLOB, 0, token) == DATA


def test_an_encoding_is_not_taken_off(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.encoded)
    with pytest.raises(ContentMismatch, match="gzip-encoded"):
        source.open(reference, BLOB, 0, token)
    assert fake.seen("GET", "blobs")[0].headers["Accept-Encoding"] == "identity"


def test_more_bytes_than_there_should_be(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.blobs["a/b"][str(BLOB.digest)] = DATA + b"more"
    with pytest.raises(ContentMismatch, match="500004"):
        source.open(reference, BLOB, 0, token)
    fake.script("GET", "blobs", faults.truncated(600_000, length=False))
    assert read_once(source, reference, BLOB, 0, token) == DATA, "what is beyond is not read"


def test_a_stall(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.stalled(100_000))
    source = open_source(replace(QUICK, read_timeout=0.3))
    assert read_whole(source, reference, BLOB, token)[0] == DATA


def test_a_drip_is_cut_by_the_minimum_rate(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken
) -> None:
    """Each byte comes in time, so that no timeout of a socket ever sees it."""
    fake.script("GET", "blobs", faults.dripping(1, 0.05))
    source = open_source(replace(QUICK, minimum_rate=10_000, minimum_rate_window=0.6))
    with pytest.raises(TemporaryFailure, match="too slowly"):
        read_once(source, reference, BLOB, 0, token)
    assert read_once(open_source(QUICK), reference, BLOB, 0, token) == DATA


class Clock:
    """The watchdog's: goes on as usual, and by an hour at `leap`; counts its looks."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.looks = 0

    def leap(self) -> None:
        self._ahead = 3600.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        self.looks += 1
        time.sleep(seconds)


def test_a_slow_disk_is_no_slow_host(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    clock = Clock()
    monkeypatch.setattr(watchdog, "time", clock)
    source = open_source(replace(QUICK, minimum_rate=10_000_000, minimum_rate_window=60.0))
    buffer = memoryview(bytearray(100_000))
    with closing(source.open(reference, BLOB, 0, token)) as reader:
        count = reader.readinto(buffer)
        clock.leap()
        before = clock.looks
        wait_for(lambda: clock.looks > before + 2)
        while more := reader.readinto(buffer):
            count += more
    assert count == len(DATA)


def test_stopping_does_not_wait_for_the_host(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.stalled(100_000))
    with stopped_when(token, lambda: bool(fake.seen("GET", "blobs"))), pytest.raises(Stopped):
        read_whole(open_source(PATIENT), reference, BLOB, token)


def test_what_came_before_a_reset_is_handed_on(
    fake: FakeRegistry, reference: Reference, open_source: OpenSource, token: CancelToken
) -> None:
    """A buffer that is partly filled when the connection breaks is not lost."""
    fake.script("GET", "blobs", faults.truncated(100_000, ending="reset"))
    buffer = memoryview(bytearray(len(DATA)))
    with closing(open_source(QUICK).open(reference, BLOB, 0, token)) as reader:
        count = 0
        while count < 100_000:
            count += reader.readinto(buffer[count:])
        assert buffer[:count] == DATA[:100_000]
        with pytest.raises(TemporaryFailure):
            reader.readinto(buffer)


def test_nothing_and_inline_content_need_no_request(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    inline = replace(descriptor(b"{}"), data=b"{}")
    assert read_once(source, reference, descriptor(b""), 0, token) == b""
    assert read_once(source, reference, inline, 0, token) == b"{}"
    assert read_once(source, reference, inline, 1, token) == b"}"
    assert not fake.requests


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that were connected to."""
    ports: list[int] = []
    connect = connections._PlainConnection.connect

    def counted(connection: connections._PlainConnection) -> None:
        ports.append(connection.port or 0)
        connect(connection)

    monkeypatch.setattr(connections._PlainConnection, "connect", counted)
    return ports


def test_connections_are_used_again(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
    made: list[int],
) -> None:  # fmt: skip
    for _round in range(3):
        assert read_once(source, reference, BLOB, 0, token) == DATA
        assert source.session(fake.host)
    assert len(made) == 1


@pytest.mark.parametrize("length", [True, False])
def test_connections_are_used_again_after_redirects(
    length: bool,
    start_fake: StartFake, fake: FakeRegistry, reference: Reference, source: RegistrySource,
    token: CancelToken, made: list[int],
) -> None:  # fmt: skip
    """The page that says where to is read: else each layer would begin with a new handshake."""
    storage = start_fake()
    storage.blobs["a/b"] = {str(BLOB.digest): DATA}

    def elsewhere(seen: Seen, _honest: object) -> Answer:
        page, chunked = faults.HTML, [("Transfer-Encoding", "chunked")]
        if not length:
            page = b"%x\r\n%s\r\n0\r\n\r\n" % (len(page), page)
        headers = [("Location", storage.url + seen.path), *([] if length else chunked)]
        return Answer(307, headers, page, length=length, keep=True)

    fake.script("GET", "blobs", elsewhere, forever=True)
    for _round in range(3):
        assert read_once(source, reference, BLOB, 0, token) == DATA
    assert sorted(made) == sorted(int(host.host.rpartition(":")[2]) for host in (fake, storage))


def test_a_connection_that_was_closed_between_two_requests(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", *[faults.truncated(len(DATA))] * 3)
    for _round in range(4):
        assert read_once(source, reference, BLOB, 0, token) == DATA
        fake.wait_for_closed(1)


# --- redirects ---


def test_the_page_of_a_redirect_is_not_waited_for(
    start_fake: StartFake, fake: FakeRegistry, reference: Reference, source: RegistrySource,
    token: CancelToken,
) -> None:  # fmt: skip
    storage = start_fake()
    storage.blobs["a/b"] = {str(BLOB.digest): DATA}
    headers = [("Location", f"{storage.url}/v2/a/b/blobs/{BLOB.digest}")]
    page = Answer(307, headers, bytes(100_000), cut=50_000, ending="stall")
    fake.script("GET", "blobs", lambda _seen, _honest: page)
    assert read_once(source, reference, BLOB, 0, token) == DATA


def test_storage_elsewhere_gets_no_login(
    start_fake: StartFake, open_source: OpenSource, token: CancelToken
) -> None:
    storage, fake = start_fake(), start_fake(tokens=Tokens(users={"user": "password"}))
    storage.blobs["a/b"] = {str(BLOB.digest): DATA}
    fake.blobs["a/b"] = {str(BLOB.digest): DATA}
    fake.manifests["a/b"] = {}
    fake.script("GET", "blobs", faults.status(401, ("WWW-Authenticate",
                f'Bearer realm="{fake.url}/token"')), faults.redirected(storage.url + "{path}"),
                forever=True)  # fmt: skip
    source = open_source(credentials=logins(fake.host, "user", "password"))
    reference = Reference.parse(f"{fake.host}/a/b:1")
    assert read_once(source, reference, BLOB, 1000, token) == DATA[1000:]
    assert "Authorization" in fake.seen("GET", "blobs")[-1].headers
    (got,) = storage.requests
    assert "Authorization" not in got.headers
    assert got.headers["Range"] == "bytes=1000-499999"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_signed_address_that_has_expired(
    status: int,
    start_fake: StartFake, fake: FakeRegistry, reference: Reference, source: RegistrySource,
    token: CancelToken,
) -> None:  # fmt: skip
    storage = start_fake()
    storage.blobs["a/b"] = {str(BLOB.digest): DATA}
    storage.script("GET", "blobs", faults.truncated(100_000), faults.status(status))
    fake.script("GET", "blobs", faults.redirected(storage.url + "{path}"), forever=True)
    data, offsets = read_whole(source, reference, BLOB, token)
    assert data == DATA
    assert len(offsets) == 3
    assert len(fake.seen("GET", "blobs")) == 3, "each time from the registry"


def test_a_loop(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.redirected(fake.url + "{path}"), forever=True)
    with pytest.raises(ConnectionFailure, match="loop") as refused:
        source.open(reference, BLOB, 0, token)
    assert not isinstance(refused.value, TemporaryFailure)


def test_a_chain_without_end(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.redirected("{path}x"), forever=True)
    with pytest.raises(ConnectionFailure, match="too often"):
        source.open(reference, BLOB, 0, token)
    assert len(fake.requests) < 20


@pytest.mark.parametrize(
    "target",
    [
        "",
        "http://a..b/",
        "ftp://127.0.0.1/x",
        "http://",
        "//",
        "http://127.0.0.1:99999/",
        "http://[",
        "http://[1::2::3]/",
        "file:///etc",
    ],
)
def test_addresses_that_cannot_be_asked(
    target: str,
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken,
) -> None:  # fmt: skip
    fake.script("GET", "blobs", faults.redirected(target.replace("{", "{{")), forever=True)
    with pytest.raises(ConnectionFailure) as refused:
        source.open(reference, BLOB, 0, token)
    assert not isinstance(refused.value, TemporaryFailure)


def test_a_login_in_an_address_is_not_told(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    """Some storage is asked with a login in the address that the registry gives out."""
    keyed = fake.url.replace("://", "://reader:opal-lantern-42@")
    fake.script("GET", "blobs", faults.redirected(keyed + "{path}"))
    fake.script("GET", "blobs", faults.redirected(""))
    with pytest.raises(ConnectionFailure, match="without a Location") as refused:
        source.open(reference, BLOB, 0, token)
    assert refused.value.message.startswith(fake.host)


# --- layers that registries may not hold ---


def test_a_foreign_layer_is_taken_from_the_registry_first(
    start_fake: StartFake, fake: FakeRegistry, reference: Reference, source: RegistrySource,
    token: CancelToken,
) -> None:  # fmt: skip
    publisher = start_fake()
    layer = Descriptor(FOREIGN, BLOB.digest, BLOB.size, urls=(f"{publisher.url}/v2/x",))
    assert read_once(source, reference, layer, 0, token) == DATA
    assert not publisher.requests


def test_a_foreign_layer_from_its_publisher(
    start_fake: StartFake, fake: FakeRegistry, reference: Reference, source: RegistrySource,
    token: CancelToken,
) -> None:  # fmt: skip
    publisher = start_fake()
    publisher.blobs["a/b"] = {str(BLOB.digest): DATA}
    del fake.blobs["a/b"][str(BLOB.digest)]
    urls = (f"{publisher.url}/v2/absent", f"{publisher.url}/v2/a/b/blobs/{BLOB.digest}")
    layer = Descriptor(FOREIGN, BLOB.digest, BLOB.size, urls=urls)
    assert read_once(source, reference, layer, 10, token) == DATA[10:]
    with pytest.raises(NotFound):
        source.open(reference, replace(layer, media_type="application/x"), 0, token)
    with pytest.raises(ConnectionFailure):
        source.open(reference, replace(layer, urls=("file:///etc/passwd",)), 0, token)


def test_sha512(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    digest = Digest.of(DATA, "sha512")
    fake.blobs["a/b"][str(digest)] = DATA
    blob = Descriptor("application/octet-stream", digest, len(DATA))
    buffer = memoryview(bytearray(len(DATA)))
    with closing(VerifyingReader(source.open(reference, blob, 0, token), blob)) as reader:
        assert reader.readinto(buffer) == len(DATA)


def test_denied(
    fake: FakeRegistry, reference: Reference, source: RegistrySource, token: CancelToken
) -> None:
    fake.script("GET", "blobs", faults.status(403))
    with pytest.raises(AccessDenied):
        source.open(reference, BLOB, 0, token)
