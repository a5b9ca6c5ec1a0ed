"""Reads manifests and indexes, checks them, and walks from a name to everything below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    ContentMismatch,
    InvalidDigest,
    NotFound,
    UnsafeContent,
)
from airgap_tui.engine.oci import image_config, media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.image_config import ImageConfig
from airgap_tui.engine.oci.manifest import MAX_BYTES, Index, Manifest, parse
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.auth import Scopes
from airgap_tui.engine.registry.request import Fetched, Request
from airgap_tui.engine.registry.session import Session

_MAX_DEPTH = 4
_MAX_DOCUMENTS = 1000
_MAX_TOTAL_BYTES = 64 * 1024 * 1024


def pull_scope(repository: str) -> Scopes:
    """The right to read one repository."""
    return frozenset({f"repository:{repository}:pull"})


def manifest_request(reference: Reference, locator: str, method: str = "GET") -> Request:
    """A request for a manifest by tag or digest; all four types are accepted."""
    path = f"{reference.repository}/manifests/{locator}"
    return Request(
        method,
        path,
        reference.repository,
        str(reference),
        pull_scope(reference.repository),
        {"Accept": media_types.ACCEPT},
    )


def read_document(
    session: Session,
    reference: Reference,
    locator: str,
    token: CancelToken,
    *,
    retry: bool = True,
) -> tuple[Manifest | Index, Fetched]:
    """A manifest or an index, by tag or digest, with its bytes checked.

    Raises `ContentMismatch` where the bytes differ twice in a row.
    """
    request = manifest_request(reference, locator)
    for last in (False, True):
        answer = session.fetch(request, MAX_BYTES, token, retry=retry)
        try:
            digest = _checked(answer, reference, locator)
        except ContentMismatch:
            if last:
                raise
            continue
        where = str(reference) if locator == reference.locator else f"{reference} ({locator})"
        document = parse(answer.body, answer.headers.get("Content-Type", ""), where)
        return replace(document, digest=digest), answer
    raise AssertionError("the second answer is returned or raised")


def _checked(answer: Fetched, reference: Reference, locator: str) -> Digest:
    """The digest of the bytes: the one asked for, or else the registry's kind, or SHA-256."""
    said = stated_digest(answer.headers)
    asked = _digest(locator)
    for expected, who in ((asked, "asked for"), (said, "announced")):
        if expected is not None:
            actual = Digest.of(answer.body, expected.algorithm)
            if actual != expected:
                raise ContentMismatch(
                    f"{reference}: the manifest received is {actual}, not {expected} as {who}",
                    hint="A proxy or a broken registry changes content; ask its administrator.",
                )
    return asked or said or Digest.of(answer.body)


def stated_digest(headers: Mapping[str, str]) -> Digest | None:
    """The digest that a registry states for a manifest; None without a usable one."""
    return _digest(headers.get("Docker-Content-Digest", ""))


def _digest(text: str) -> Digest | None:
    try:
        return Digest.parse(text.strip())
    except InvalidDigest:
        return None


@dataclass(slots=True)
class Walk:
    """Collects all documents below a root, children first, within bounds."""

    session: Session
    reference: Reference
    token: CancelToken
    documents: dict[Digest, Manifest | Index] = field(default_factory=dict)

    def add(self, document: Manifest | Index, depth: int = 0) -> None:
        """Raises `UnsafeContent` for documents nested too deeply, too many or too large."""
        if depth > _MAX_DEPTH:
            raise UnsafeContent(f"{self.reference}: indexes are nested too deeply")
        if document.digest in self.documents:
            return
        if isinstance(document, Index):
            for child in document.manifests:
                if child.digest not in self.documents:
                    self.add(self.child(child), depth + 1)
        self.documents[document.digest] = document
        total = sum(len(known.raw) for known in self.documents.values())
        if len(self.documents) > _MAX_DOCUMENTS or total > _MAX_TOTAL_BYTES:
            raise UnsafeContent(f"{self.reference}: it has too many manifests")

    def child(self, descriptor: Descriptor) -> Manifest | Index:
        """A manifest that an index names; raises `ContentMismatch` where its size differs."""
        document, _answer = read_document(
            self.session, self.reference, str(descriptor.digest), self.token
        )
        if len(document.raw) != descriptor.size:
            raise ContentMismatch(
                f"{self.reference}: {descriptor.digest} has {len(document.raw)} bytes,"
                f" not {descriptor.size} as its index says"
            )
        return document

    def choose(self, index: Index, wanted: Platform) -> tuple[Manifest, Platform]:
        """The image for one platform, through nested indexes. Raises `NotFound`."""
        for _depth in range(_MAX_DEPTH + 1):
            descriptor = index.choose(wanted, str(self.reference))
            document = self.child(descriptor)
            if isinstance(document, Manifest):
                return document, descriptor.platform or wanted
            index = document
        raise UnsafeContent(f"{self.reference}: indexes are nested too deeply")

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The distinct configs and layers of all manifests."""
        return tuple(
            {
                blob.digest: blob
                for document in self.documents.values()
                if isinstance(document, Manifest)
                for blob in document.blobs
            }.values()
        )


def image_platform(
    session: Session, reference: Reference, manifest: Manifest, token: CancelToken
) -> Platform | None:
    """What an image outside of any index runs on, from its config; None for artifacts."""
    config = manifest.config
    if not manifest.is_image:
        return None
    if config.size > image_config.MAX_BYTES:
        raise UnsafeContent(f"{reference}: a config of {config.size} bytes is refused")
    path = f"{reference.repository}/blobs/{config.digest}"
    scopes = pull_scope(reference.repository)
    request = Request("GET", path, reference.repository, str(reference), scopes)
    body = config.data
    for _attempt in range(2):
        if _is_content(config, body):
            break
        body = session.fetch(request, image_config.MAX_BYTES, token).body
    if body is None or not _is_content(config, body):
        raise ContentMismatch(f"{reference}: the config received is not {config.digest}")
    platform = ImageConfig.parse(body, str(reference)).platform
    return platform if platform.known else None


def _is_content(blob: Descriptor, data: bytes | None) -> bool:
    if data is None or len(data) != blob.size:
        return False
    return Digest.of(data, blob.digest.algorithm) == blob.digest


def check_platform(reference: Reference, platform: Platform | None, wanted: Platform) -> None:
    """Raise `NotFound` where an image of one platform is not for the wanted one."""
    if platform is not None and not platform.matches(wanted):
        raise NotFound(
            f"{reference} has no image for {wanted}; it has {platform} only",
            hint=f"Choose it with --platform {platform}, or all with --platform all.",
        )
