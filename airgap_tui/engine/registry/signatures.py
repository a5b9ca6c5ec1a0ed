"""What refers to an image: referrers (distribution spec, "Listing Referrers"), cosign's tags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AccessDenied, MalformedContent, NotFound
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import MAX_BYTES, Index, Manifest, parse
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.documents import Walk, pull_scope, read_document
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.tags import next_address

_COSIGN_KINDS = ("sig", "att", "sbom")
_MAX_DEPTH = 2
_MAX_SIGNATURES = 500


def fallback_tag(digest: Digest) -> str:
    """The tag that holds the referrers where a registry has no referrers API; cut as the
    distribution spec says ("Referrers Tag Schema")."""
    return f"{digest.algorithm[:32]}-{digest.hex[:64]}"


def follow(
    session: Session,
    reference: Reference,
    documents: Iterable[Manifest | Index],
    token: CancelToken,
) -> tuple[Closure, ...]:
    """Closures of everything that refers to one of the documents, and of what refers to those."""
    found: dict[Digest, Closure] = {}
    todo = [(document.digest, 0) for document in documents]
    asked: set[Digest] = set()
    while todo and len(found) < _MAX_SIGNATURES:
        digest, depth = todo.pop(0)
        if digest in asked:
            continue
        asked.add(digest)
        closures = [
            _closure(session, reference.pinned(r.digest), token, tag=None)
            for r in referrers(session, reference, digest, token)
        ]
        if depth == 0:
            closures += _cosign(session, reference, digest, token)
        for closure in closures:
            if closure is not None and closure.root.digest not in found:
                found[closure.root.digest] = closure
                if depth + 1 < _MAX_DEPTH:
                    todo.append((closure.root.digest, depth + 1))
    return tuple(found.values())


def referrers(
    session: Session, reference: Reference, digest: Digest, token: CancelToken
) -> tuple[Descriptor, ...]:
    """Descriptors of the manifests whose subject is `digest`: of all pages, within bounds."""
    path = f"{reference.repository}/referrers/{digest}"
    request = Request(
        "GET",
        path,
        reference.repository,
        f"the referrers of {reference.name}@{digest}",
        pull_scope(reference.repository),
        {"Accept": media_types.OCI_INDEX},
        expect=frozenset({200, 400, 403, 404, 405}),
    )
    answer = session.fetch(request, MAX_BYTES, token)
    if answer.status != 200:
        return _by_tag(session, reference, digest, token)
    found: dict[Digest, Descriptor] = {}
    while True:
        before = len(found)
        try:
            page = parse(answer.body, where=request.name)
        except MalformedContent:
            return ()  # a registry that answers every address with a page
        found.update((d.digest, d) for d in _listed(page))
        url = next_address(answer)
        if url is None or not before < len(found) < _MAX_SIGNATURES:
            return tuple(found.values())
        following = replace(request, url=url, expect=frozenset({200}))
        answer = session.fetch(following, MAX_BYTES, token)


def _by_tag(
    session: Session, reference: Reference, digest: Digest, token: CancelToken
) -> tuple[Descriptor, ...]:
    """As `referrers`, where the registry has no list of its own."""
    try:
        document, _answer = read_document(session, reference, fallback_tag(digest), token)
    except NotFound:
        return ()
    except AccessDenied as denied:
        if denied.status != 403:
            raise
        return ()
    return _listed(document)


def _listed(document: Manifest | Index) -> tuple[Descriptor, ...]:
    return document.manifests if isinstance(document, Index) else ()


def _cosign(
    session: Session, reference: Reference, digest: Digest, token: CancelToken
) -> list[Closure | None]:
    result: list[Closure | None] = []
    if digest.algorithm != "sha256":
        return result  # the tag would be too long for one
    for kind in _COSIGN_KINDS:
        tag = f"{digest.algorithm}-{digest.hex}.{kind}"
        result.append(_closure(session, replace(reference, digest=None), token, tag=tag))
    return result


def _closure(
    session: Session, reference: Reference, token: CancelToken, *, tag: str | None
) -> Closure | None:
    """None where it does not exist (any more): some registries answer that with 403."""
    named = replace(reference, tag=tag)
    try:
        root, _answer = read_document(session, named, named.locator, token)
        walk = Walk(session, named, token)
        walk.add(root)
    except NotFound:
        return None
    except AccessDenied as denied:
        if denied.status != 403:
            raise
        return None
    pinned = named.pinned(root.digest) if tag else named
    return Closure(pinned, root, tuple(walk.documents.values()), walk.blobs)
