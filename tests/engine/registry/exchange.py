"""What a copy loop does with a registry, as short as tests need it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import TemporaryFailure
from airgap_tui.engine.oci.content import Closure, Opener
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import parse
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.registry.target import RegistryTarget
from airgap_tui.engine.retry import Attempts, RetryPolicy
from airgap_tui.engine.settings import Network
from tests.images import SampleImage, SampleIndex
from tests.services import PATIENCE, wait_for

QUICK = Network(
    connect_timeout=5.0,
    read_timeout=5.0,
    retry=RetryPolicy(attempts=4, first_wait=0.01, longest_backoff=0.05, longest_wait=5.0),
)
PATIENT = replace(
    QUICK, read_timeout=PATIENCE, retry=replace(QUICK.retry, longest_wait=PATIENCE * 3)
)
"""Waits for a host that says nothing for so long that nobody would wait for it."""
ATTEMPTS = 12


def descriptor(data: bytes, media_type: str = "application/octet-stream") -> Descriptor:
    return Descriptor(media_type, Digest.of(data), len(data))


class BytesReader:
    """A reader of bytes in memory, a little at a time."""

    def __init__(self, data: bytes, at_once: int = 65536) -> None:
        self._data = memoryview(data)
        self._at_once = at_once

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._data), self._at_once)
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    def close(self) -> None:
        self._data = memoryview(b"")


def opener_of(data: bytes) -> Opener:
    return lambda offset, _held=0, /: BytesReader(data[offset:])


def logins(registry: str, username: str, secret: str) -> CredentialStore:
    """A store with one login, given for this run."""
    return CredentialStore({registry: Credential(username, secret, "the test")})


@contextmanager
def stopped_when(token: CancelToken, begun: Callable[[], bool]) -> Iterator[None]:
    """What is done meanwhile is stopped as soon as it has begun, and ends long before the host's
    time is over."""

    def stop() -> None:
        wait_for(begun)
        token.cancel()

    thread = threading.Thread(target=stop)
    started = time.monotonic()
    thread.start()
    yield
    thread.join()
    assert time.monotonic() - started < PATIENT.read_timeout / 2


def read_once(
    source: RegistrySource, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
) -> bytes:
    """One opening, read to its end; what comes is not checked."""
    parts = bytearray()
    buffer = memoryview(bytearray(50_000))
    with closing(source.open(reference, blob, offset, token)) as reader:
        while count := reader.readinto(buffer):
            parts += buffer[:count]
    return bytes(parts)


def read_whole(
    source: RegistrySource, reference: Reference, blob: Descriptor, token: CancelToken
) -> tuple[bytes, list[int]]:
    """The blob, resumed where it breaks, and the offsets at which it was opened."""
    parts, offsets = bytearray(), list[int]()
    buffer = memoryview(bytearray(50_000))
    while len(offsets) < ATTEMPTS:
        offsets.append(len(parts))
        try:
            with closing(source.open(reference, blob, len(parts), token)) as reader:
                while count := reader.readinto(buffer):
                    parts += buffer[:count]
            return bytes(parts), offsets
        except TemporaryFailure:
            continue
    raise AssertionError(f"{blob.digest} never came whole: {offsets}")


def pull(source: RegistrySource, closure: Closure, token: CancelToken) -> dict[str, bytes]:
    """Every blob of a closure by digest."""
    return {
        str(blob.digest): read_whole(source, closure.reference, blob, token)[0]
        for blob in closure.blobs
    }


def closure_of(sample: SampleImage | SampleIndex, reference: Reference) -> Closure:
    """What a bundle would give for a sample."""
    documents = tuple(parse(raw, media_type) for media_type, raw in sample.documents)
    blobs = tuple(descriptor(data) for data in sample.blobs.values())
    return Closure(reference, documents[-1], documents, blobs)


def send(
    target: RegistryTarget,
    reference: Reference,
    data: bytes,
    token: CancelToken,
    *,
    blob: Descriptor | None = None,
    policy: RetryPolicy = QUICK.retry,
    report: Callable[[int], None] = lambda _count: None,
) -> None:
    """One blob, tried again as a copy loop does."""
    wanted = blob or descriptor(data)
    attempts = Attempts(policy)
    while True:
        try:
            target.receive(reference, wanted, opener_of(data), report, token)
            return
        except TemporaryFailure as failure:
            token.sleep(attempts.delay_after(failure))


def push(
    target: RegistryTarget,
    sample: SampleImage | SampleIndex,
    reference: Reference,
    token: CancelToken,
    *,
    signatures: Mapping[str, SampleImage] | None = None,
) -> Digest:
    """A sample with its signatures (by their references)."""
    closure = closure_of(sample, reference)
    content = dict(sample.blobs)
    for name, signature in (signatures or {}).items():
        content |= signature.blobs
        own = closure_of(signature, Reference.parse(name))
        closure = replace(closure, signatures=(*closure.signatures, own))
    for data in content.values():
        if not target.has(reference, descriptor(data), token):
            send(target, reference, data, token)
    return target.tag(reference, closure, token)
