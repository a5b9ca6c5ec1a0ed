"""A registry as a target: layers first, then manifests, children before their index."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ConnectionFailure,
    ContentMismatch,
    NotFound,
)
from airgap_tui.engine.events import Sink, discard
from airgap_tui.engine.http.endpoint import authority
from airgap_tui.engine.http.failures import Answer, content_length
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure, Opener, Report
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import MAX_BYTES, Index, Manifest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.auth import Scopes
from airgap_tui.engine.registry.documents import read_document, stated_digest
from airgap_tui.engine.registry.harbor import Harbor
from airgap_tui.engine.registry.request import Fetched, Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.signatures import fallback_tag
from airgap_tui.engine.registry.upload import Upload
from airgap_tui.engine.settings import Network

_RECHECK_AFTER = 2.0
"""Seconds until a registry that has just taken a layer should also know it."""

_Key = tuple[str, Digest]


@dataclass(slots=True)
class _Memory:
    """What is known of the registry: where each blob is, and uploads that broke."""

    holders: dict[Digest, str] = field(default_factory=dict)
    uploads: dict[_Key, Upload] = field(default_factory=dict)


class RegistryTarget:
    """Implements `content.Target` for one registry. References are the names in that registry.

    Nothing is retried here: `TemporaryFailure` goes to the copy loop, which calls again.
    """

    def __init__(
        self,
        registry: str,
        network: Network,
        credentials: CredentialStore,
        sink: Sink = discard,
    ) -> None:
        self.session = Session(registry, network, credentials, sink)
        self.harbor = Harbor(self.session, network, credentials)
        self._memory = _Memory()
        self._lock = threading.Lock()
        self._referrers_lock = threading.Lock()

    def scope(self, reference: Reference) -> str:
        """Blobs belong to a repository."""
        return reference.repository

    def has(self, reference: Reference, blob: Descriptor, token: CancelToken) -> bool:
        """See `content.Target.has`. Raises `AccessDenied` where the login may not push, and
        `NotFound` where a Harbor lacks the project."""
        try:
            there = self._there(reference, blob, token)
        except AccessDenied as refused:
            raise self.harbor.explained(reference.repository, refused, token) from None
        if not there:
            return False
        self._held(reference, blob)
        return True

    def receive(
        self,
        reference: Reference,
        blob: Descriptor,
        opener: Opener,
        report: Report,
        token: CancelToken,
    ) -> None:
        """See `content.Target.receive`. Mounts the blob from another repository of this registry
        that is known to have it; no bytes are reported then."""
        key = (reference.repository, blob.digest)
        with self._lock:
            upload = self._memory.uploads.get(key)
            elsewhere = self._memory.holders.get(blob.digest, "")
        offset = 0
        if upload is None:
            upload = Upload(self.session, reference, blob, push_scope(reference.repository))
            with self._lock:
                self._memory.uploads[key] = upload
        elif self._there(reference, blob, token):
            # The answer to the commit was lost, not the commit.
            report(blob.size - upload.reported)
            self._finished(key, reference, blob)
            return
        elif upload.location:
            offset = upload.offset(token)
        if not upload.location:
            other = elsewhere if elsewhere != reference.repository else ""
            if upload.start(token, other):
                self._finished(key, reference, blob)
                return
        try:
            upload.stream(offset, opener, report, token)
        except ContentMismatch:
            upload.location = ""  # what was sent of it is wrong
            raise
        upload.commit(token)
        self._finished(key, reference, blob)

    def tag(self, reference: Reference, closure: Closure, token: CancelToken) -> Digest:
        """See `content.Target.tag`. Where a document has a subject and the registry has no
        referrers API, the fallback tag's index is updated (distribution spec, "Pushing Manifests
        with Subject")."""
        for document in closure.documents:
            named = document.digest == closure.root.digest and reference.tag
            locator = str(named or document.digest)
            answer = self._put(reference, document, locator, token)
            if document.subject is not None and "OCI-Subject" not in answer.headers:
                self._refer(reference, document, document.subject, token)
        for signature in closure.signatures:
            own = signature.reference
            self.tag(replace(reference, tag=own.tag, digest=own.digest), signature, token)
        return closure.root.digest

    def close(self) -> None:
        """Close all connections."""
        self.harbor.close()
        self.session.close()

    def _there(self, reference: Reference, blob: Descriptor, token: CancelToken) -> bool:
        request = Request(
            "HEAD",
            f"{reference.repository}/blobs/{blob.digest}",
            reference.repository,
            reference.name,
            push_scope(reference.repository),
            # A redirect to where the bytes are says enough; its address may be for GET only.
            expect=frozenset({200, 307, 404, 405}),
        )
        with self.session.send(request, token, retry=False) as reply:
            whole = reply.status == 307 or content_length(reply.headers) in (None, blob.size)
            return reply.status in (200, 307) and whole

    def _held(self, reference: Reference, blob: Descriptor) -> None:
        with self._lock:
            self._memory.holders[blob.digest] = reference.repository

    def _finished(self, key: _Key, reference: Reference, blob: Descriptor) -> None:
        with self._lock:
            self._memory.uploads.pop(key, None)
        self._held(reference, blob)

    def _put(
        self, reference: Reference, document: Manifest | Index, locator: str, token: CancelToken
    ) -> Fetched:
        """Store one document's exact bytes and check the digest that the registry states."""
        request = Request(
            "PUT",
            f"{reference.repository}/manifests/{locator}",
            reference.repository,
            reference.tagged_name,
            push_scope(reference.repository),
            {"Content-Type": document.media_type},
            document.raw,
            frozenset({200, 201, 202, 204, 400, 404}),
            fresh=True,
        )
        answer = self.session.fetch(request, MAX_BYTES, token, retry=False)
        if answer.status in (400, 404) and "MANIFEST_BLOB_UNKNOWN" in _refused(answer).codes:
            token.sleep(_RECHECK_AFTER)
            answer = self.session.fetch(request, MAX_BYTES, token, retry=False)
        if answer.status in (400, 404):
            raise self._rejected(reference, document, _refused(answer), token)
        self._compare(reference, document, locator, answer, token)
        return answer

    def _compare(
        self,
        reference: Reference,
        document: Manifest | Index,
        locator: str,
        answer: Fetched,
        token: CancelToken,
    ) -> None:
        there = stated_digest(answer.headers)
        if there is None:
            request = Request(
                "HEAD",
                f"{reference.repository}/manifests/{locator}",
                reference.repository,
                reference.tagged_name,
                push_scope(reference.repository),
                {"Accept": media_types.ACCEPT},
                expect=frozenset({200, 400, 405, 501}),
            )
            seen = self.session.fetch(request, 0, token, retry=False)
            there = stated_digest(seen.headers) if seen.status == 200 else None
        if there is None:
            held, _answer = read_document(self.session, reference, locator, token, retry=False)
            there = Digest.of(held.raw, document.digest.algorithm)
        if there.algorithm != document.digest.algorithm:
            there = document.digest if there == Digest.of(document.raw, there.algorithm) else there
        if there != document.digest:
            raise ContentMismatch(
                f"{reference.tagged_name}: the registry made {there} of {document.digest}",
                hint="It rewrites manifests; images cannot be carried there unchanged.",
            )

    def _rejected(
        self,
        reference: Reference,
        document: Manifest | Index,
        answer: Answer,
        token: CancelToken,
    ) -> AirgapError:
        if "MANIFEST_BLOB_UNKNOWN" in answer.codes and isinstance(document, Manifest):
            missing = [b for b in document.blobs if not self._there(reference, b, token)]
            with self._lock:
                for blob in missing:
                    self._memory.holders.pop(blob.digest, None)
            if missing:
                names = ", ".join(str(blob.digest) for blob in missing[:3])
                return ConnectionFailure(
                    f"{reference.tagged_name}: the registry lost blobs that it accepted: {names}",
                    hint="Push again: only what is missing is sent.",
                )
        said = f": {answer.detail}" if answer.detail else ""
        if answer.status == 404:
            return NotFound(
                f"{reference.tagged_name}: the registry has no place for it (404){said}",
                hint="Create the project or repository there first.",
            )
        return ConnectionFailure(
            f"{reference.tagged_name}: the registry does not take its manifest (400){said}"
        )

    def _refer(
        self,
        reference: Reference,
        document: Manifest | Index,
        subject: Descriptor,
        token: CancelToken,
    ) -> None:
        """Add a document to the index of its subject's referrers, under the fallback tag."""
        tag = fallback_tag(subject.digest)
        named = replace(reference, tag=tag, digest=None)
        config_type = document.config.media_type if isinstance(document, Manifest) else ""
        entry = replace(
            document.descriptor,
            artifact_type=document.artifact_type or config_type,
            annotations=document.annotations,
        )
        with self._referrers_lock:
            listed: tuple[Descriptor, ...] = ()
            try:
                known, _answer = read_document(self.session, named, tag, token, retry=False)
                listed = known.manifests if isinstance(known, Index) else ()
            except NotFound:
                pass
            if all(known.digest != document.digest for known in listed):
                self._put(named, Index.build((*listed, entry)), tag, token)


def push_scope(repository: str) -> Scopes:
    """The right to read and write one repository."""
    return frozenset({f"repository:{repository}:pull,push"})


def _refused(answer: Fetched) -> Answer:
    return Answer(answer.status, answer.headers, answer.body, authority(answer.url))
