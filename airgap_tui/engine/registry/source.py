"""Registries as a source: any number of hosts, each with a session of its own."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NotFound, TemporaryFailure
from airgap_tui.engine.events import Sink, discard
from airgap_tui.engine.http.endpoint import check_redirect
from airgap_tui.engine.http.failures import content_length
from airgap_tui.engine.http.reply import Reply
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure, Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry import signatures, tags
from airgap_tui.engine.registry.documents import (
    Walk,
    check_platform,
    image_platform,
    manifest_request,
    pull_scope,
    read_document,
    stated_digest,
)
from airgap_tui.engine.registry.reader import BlobReader, MemoryReader, content_range
from airgap_tui.engine.registry.request import Fetched, Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.settings import Network

_LIMIT = re.compile(r"([0-9]{1,15})(?:\s*;\s*w=([0-9]{1,15}))?")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many pulls a registry still allows; `window_seconds` is 0 where it does not say."""

    registry: str
    limit: int
    remaining: int
    window_seconds: int


class RegistrySource:
    """Implements `content.Source`. With `signatures`, `resolve` looks for those too."""

    def __init__(
        self,
        network: Network,
        credentials: CredentialStore,
        sink: Sink = discard,
        signatures: bool = False,
    ) -> None:
        self._network = network
        self._credentials = credentials
        self._sink = sink
        self._signatures = signatures
        self._sessions: dict[str, Session] = {}
        self._limits: dict[str, RateLimit] = {}
        self._lock = threading.Lock()

    def session(self, registry: str) -> Session:
        """The session with a registry, opened at its first use."""
        with self._lock:
            known = self._sessions.get(registry)
            if known is None:
                known = Session(registry, self._network, self._credentials, self._sink)
                self._sessions[registry] = known
            return known

    def resolve(
        self, reference: Reference, platform: Platform | None, token: CancelToken
    ) -> Closure:
        """See `content.Source.resolve`. Of an index, one platform gives the manifest for it, and
        None the index with all below it, BuildKit's attestations included."""
        session = self.session(reference.registry)
        root, answer = read_document(session, reference, reference.locator, token)
        self._note_limit(reference.registry, answer)
        walk = Walk(session, reference, token)
        index_digest: Digest | None = None
        platforms: tuple[Platform, ...]
        if isinstance(root, Index) and platform is not None:
            index_digest = root.digest
            root, chosen = walk.choose(root, platform)
            platforms = (chosen,)
        elif isinstance(root, Index):
            platforms = root.platforms
        else:
            own = image_platform(session, reference, root, token)
            if platform is not None:
                check_platform(reference, own, platform)
            platforms = (own,) if own is not None else ()
        walk.add(root)
        documents = tuple(walk.documents.values())
        found: tuple[Closure, ...] = ()
        if self._signatures:
            found = signatures.follow(session, reference, documents, token)
        return Closure(reference, root, documents, walk.blobs, platforms, index_digest, found)

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        """See `content.Source.open`. A layer that its publisher does not let registries hold is
        asked for there all the same, and at the publisher's addresses if it is missing: without
        it the image would be useless on the offline side."""
        if blob.data is not None and len(blob.data) == blob.size:
            return MemoryReader(blob.data[offset:])
        if offset >= blob.size:
            return MemoryReader(b"")
        session = self.session(reference.registry)
        path = f"{reference.repository}/blobs/{blob.digest}"
        try:
            return self._open(session, path, reference, blob, offset, token)
        except NotFound as missing:
            if not (blob.urls and media_types.is_foreign_layer(blob.media_type)):
                raise NotFound(
                    f"{reference}: its blob {blob.digest} is not in the registry (404)",
                    hint="The image is broken there; its publisher has to push it again.",
                ) from None
            failure: AirgapError = missing
            for url in blob.urls:
                try:
                    check_redirect(session.endpoint.base, url)
                    return self._open(session, url, reference, blob, offset, token)
                except TemporaryFailure:
                    raise
                except AirgapError as error:
                    failure = error
            raise failure from None

    def head(self, reference: Reference, token: CancelToken) -> Descriptor:
        """What the name points at now, by HEAD where the registry supports it."""
        session = self.session(reference.registry)
        request = manifest_request(reference, reference.locator, "HEAD")
        expect = frozenset({200, 400, 405, 501})
        answer = session.fetch(replace(request, expect=expect), 0, token)
        self._note_limit(reference.registry, answer)
        length = content_length(answer.headers)
        digest = stated_digest(answer.headers)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if answer.status == 200 and length is not None and digest is not None and media_type:
            return Descriptor(media_type, digest, length)
        document, _answer = read_document(session, reference, reference.locator, token)
        return document.descriptor

    def has(self, reference: Reference, blob: Descriptor, token: CancelToken) -> bool:
        """Whether the reference's repository has a blob; asked with the right to read alone."""
        request = Request(
            "HEAD",
            f"{reference.repository}/blobs/{blob.digest}",
            reference.repository,
            f"{reference} ({blob.digest})",
            pull_scope(reference.repository),
            expect=frozenset({200, 307, 404}),
        )
        with self.session(reference.registry).send(request, token) as reply:
            whole = reply.status == 307 or content_length(reply.headers) in (None, blob.size)
            return reply.status in (200, 307) and whole

    def tags(self, reference: Reference, token: CancelToken) -> Iterator[str]:
        """All tags of the reference's repository, as the registry lists them."""
        return tags.listed(self.session(reference.registry), reference, token)

    def rate_limits(self) -> tuple[RateLimit, ...]:
        """The limits that the registries asked so far have stated."""
        with self._lock:
            return tuple(self._limits.values())

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            sessions = tuple(self._sessions.values())
        for session in sessions:
            session.close()

    def _open(
        self,
        session: Session,
        path: str,
        reference: Reference,
        blob: Descriptor,
        offset: int,
        token: CancelToken,
    ) -> Reader:
        """Every opening begins at the registry: the addresses that it redirects to expire."""
        request = Request(
            "GET",
            path,
            reference.repository,
            f"{reference} ({blob.digest})",
            pull_scope(reference.repository),
        )
        if offset > 0:
            # The closed form: some registries answer the open one with 416.
            ranged = {"Range": f"bytes={offset}-{blob.size - 1}"}
            expect = frozenset({200, 206, 416})
            reply = session.send(
                replace(request, headers=ranged, expect=expect), token, retry=False
            )
            if reply.status == 206 and _begins_at(reply, offset):
                return BlobReader(reply, blob, offset, token)
            if reply.status == 200:
                return self._skipping(reply, blob, offset, token)
            reply.close()  # another part than asked for, or none
        return self._skipping(session.send(request, token, retry=False), blob, offset, token)

    def _skipping(
        self, reply: Reply, blob: Descriptor, offset: int, token: CancelToken
    ) -> BlobReader:
        """For a server that ignores ranges: discards the first `offset` bytes."""
        length = content_length(reply.headers)
        if length not in (None, blob.size):
            reply.close()
            encoding = reply.headers.get("Content-Encoding", "")
            raise ContentMismatch(
                f"{blob.digest} has {blob.size} bytes, but {length} are sent"
                + (f" ({encoding}-encoded)" if encoding else "")
            )
        reader = BlobReader(reply, blob, 0, token)
        try:
            reader.skip(offset)
        except BaseException:
            reader.close()
            raise
        return reader

    def _note_limit(self, registry: str, answer: Fetched) -> None:
        limit = _LIMIT.match(answer.headers.get("ratelimit-limit", "").strip())
        left = _LIMIT.match(answer.headers.get("ratelimit-remaining", "").strip())
        if limit is not None and left is not None:
            window = int(limit[2] or left[2] or 0)
            with self._lock:
                self._limits[registry] = RateLimit(registry, int(limit[1]), int(left[1]), window)


def _begins_at(reply: Reply, offset: int) -> bool:
    found = content_range(reply.headers.get("Content-Range", ""))
    return found is not None and found[0] == offset
