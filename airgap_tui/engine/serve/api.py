"""The OCI distribution API (spec 1.1, read-only): from a request's target and headers to a reply.

Nothing here touches a socket, and no path is built from what was asked: names and digests are
checked against their grammar and then looked up in the catalogue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlencode

from airgap_tui.engine.errors import (
    InvalidDigest,
    InvalidReference,
    NameConflict,
    NotFound,
)
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index
from airgap_tui.engine.oci.naming import as_path
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.serve import ranges
from airgap_tui.engine.serve.catalogue import Catalogue

METHODS = ("GET", "HEAD")
_RESOURCE = re.compile(r"/v2/(.+)/(manifests|blobs|tags|referrers)/([^/]+)")
_ABSOLUTE = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")
_FOREVER = "max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class FileBody:
    """Bytes of files that make the body of a reply, one stretch after the other."""

    parts: tuple[Stretch, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def cut(self, first: int, count: int) -> FileBody:
        """`count` bytes from the byte `first` on."""
        parts = []
        for part in self.parts:
            taken = min(part.size - first, count)
            if taken > 0:
                parts.append(Stretch(part.path, part.offset + first, taken))
                count -= taken
            first = max(0, first - part.size)
        return FileBody(tuple(parts))


@dataclass(frozen=True, slots=True)
class Reply:
    """`name` is the image that a manifest was asked for by tag; empty for all other requests."""

    status: HTTPStatus
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileBody = b""
    name: str = ""

    @property
    def length(self) -> int:
        return self.body.size if isinstance(self.body, FileBody) else len(self.body)


class Headers(Protocol):
    """A request's headers; names are looked up whatever their case."""

    def get(self, name: str, failobj: str, /) -> str: ...


class Refusal(Exception):
    """A request that cannot be met, with its OCI error code (spec, "Error codes")."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def reply(self, headers: Mapping[str, str] | None = None, name: str = "") -> Reply:
        body = json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode()
        return Reply(
            self.status, {"Content-Type": "application/json", **(headers or {})}, body, name
        )


_T = TypeVar("_T")
Query = Mapping[str, Sequence[str]]


class Api:
    """Answers for one catalogue. Errors of the catalogue other than `NotFound` pass through."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def answer(self, method: str, target: str, headers: Headers) -> Reply:
        """The reply to a request; for HEAD the caller leaves out the body."""
        path, _, query_text = _origin_form(target).partition("?")
        path = unquote(path)
        try:
            if method not in METHODS:
                raise Refusal(
                    HTTPStatus.METHOD_NOT_ALLOWED,
                    "UNSUPPORTED",
                    "this registry is read-only: it serves a bundle",
                )
            return self._route(path, parse_qs(query_text, max_num_fields=16), headers)
        except Refusal as refusal:
            allow = {"Allow": ", ".join(METHODS)}
            return refusal.reply(allow if refusal.code == "UNSUPPORTED" else None)
        except ValueError:
            return Refusal(HTTPStatus.BAD_REQUEST, "UNSUPPORTED", "the query is too long").reply()

    def _route(self, path: str, query: Query, headers: Headers) -> Reply:
        if path in ("/v2/", "/v2"):
            return _json({})
        if path == "/v2/_catalog":
            names, more = _page(self._catalogue.repositories(), path, query)
            return _json({"repositories": names}, more)
        match = _RESOURCE.fullmatch(path)
        if match is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is nothing at this address")
        name, kind, locator = match.groups()
        repository = _repository(name, query)
        if kind == "manifests":
            return self._manifest(repository, locator, headers)
        if kind == "blobs":
            return self._blob(repository, _digest(locator), headers)
        if kind == "referrers":
            return self._referrers(repository, _digest(locator), query)
        if locator != "list":
            raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is nothing at this address")
        tags = _found("NAME_UNKNOWN", lambda: self._catalogue.tags(repository))
        names, more = _page(tags, path, query)
        return _json({"name": name, "tags": names}, more)

    def _manifest(self, repository: str, locator: str, headers: Headers) -> Reply:
        name = ""
        try:
            if ":" in locator:
                digest = _digest(locator)
                document = _found(
                    "MANIFEST_UNKNOWN", lambda: self._catalogue.document(repository, digest)
                )
            else:
                name = _tagged(repository, locator)
                document = _found(
                    "MANIFEST_UNKNOWN", lambda: self._catalogue.manifest(repository, locator)
                )
        except Refusal as refusal:
            return refusal.reply(name=name)
        return _content(
            headers,
            document.digest,
            document.media_type,
            document.raw,
            immutable=not name,
            name=name,
        )

    def _blob(self, repository: str, digest: Digest, headers: Headers) -> Reply:
        place = _found("BLOB_UNKNOWN", lambda: self._catalogue.blob(repository, digest))
        body = FileBody(tuple(Stretch(p.path, p.offset, p.size) for p in place.parts))
        return _content(headers, digest, "application/octet-stream", body, immutable=True)

    def _referrers(self, repository: str, digest: Digest, query: Query) -> Reply:
        found = _found("NAME_UNKNOWN", lambda: self._catalogue.referrers(repository, digest))
        wanted = query.get("artifactType")
        headers = {}
        if wanted:
            found = [child for child in found if child.artifact_type == wanted[0]]
            headers["OCI-Filters-Applied"] = "artifactType"
        index = Index.build(found)
        return Reply(HTTPStatus.OK, {"Content-Type": media_types.OCI_INDEX, **headers}, index.raw)


def _origin_form(target: str) -> str:
    """The target without scheme and host, which HTTP/1.1 allows a client to send."""
    match = _ABSOLUTE.match(target)
    return target[match.end() :] if match else target


def _json(value: object, headers: Mapping[str, str] | None = None) -> Reply:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(HTTPStatus.OK, {"Content-Type": "application/json", **(headers or {})}, body)


def _found(code: str, look: Callable[[], _T]) -> _T:
    try:
        return look()
    except (NotFound, NameConflict) as error:
        text = f"{error.message}. {error.hint}" if error.hint else error.message
        raise Refusal(HTTPStatus.NOT_FOUND, code, text) from None


def _repository(name: str, query: Query) -> str:
    """The repository asked for; containerd names the registry that it mirrors as `ns`."""
    namespace = query.get("ns", [""])[0]
    repository = f"{as_path(namespace)}/{name}" if namespace else name
    try:
        # Behind a registry the grammar of a repository holds as it stands.
        if Reference.parse(f"localhost/{repository}").repository == repository:
            return repository
    except InvalidReference:
        pass
    raise Refusal(HTTPStatus.BAD_REQUEST, "NAME_INVALID", "this is not a repository name")


def _tagged(repository: str, tag: str) -> str:
    try:
        return Reference.parse(f"localhost/{repository}:{tag}").tagged_name.partition("/")[2]
    except InvalidReference:
        raise Refusal(HTTPStatus.BAD_REQUEST, "TAG_INVALID", "this is not a tag") from None


def _digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except InvalidDigest:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", "this is not a sha256 or sha512 digest"
        ) from None


def _page(
    names: Sequence[str], path: str, query: Query
) -> tuple[Sequence[str], Mapping[str, str] | None]:
    """One page of sorted names, and the Link header where there are more of them."""
    last = query.get("last", [""])[0]
    rest = [name for name in names if name > last] if last else list(names)
    text = query.get("n", [""])[0]
    if not text:
        return rest, None
    if _NUMBER.fullmatch(text) is None:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "PAGINATION_NUMBER_INVALID", "n is a count of entries"
        )
    page = rest[: int(text)]
    if not page or len(page) == len(rest):
        return page, None
    kept = {"ns": query["ns"][0]} if "ns" in query else {}
    follow = urlencode({"n": text, "last": page[-1], **kept})
    return page, {"Link": f'<{quote(path)}?{follow}>; rel="next"'}


def _content(
    headers: Headers,
    digest: Digest,
    media_type: str,
    body: bytes | FileBody,
    *,
    immutable: bool,
    name: str = "",
) -> Reply:
    """A document or a blob, whole or the stretch asked for, or the word that it is unchanged."""
    tag = f'"{digest}"'
    about = {
        "Content-Type": media_type,
        "Docker-Content-Digest": str(digest),
        "ETag": tag,
        "Cache-Control": _FOREVER if immutable else "no-cache",
    }
    known = headers.get("If-None-Match", "")
    if known and (known.strip() == "*" or tag in known):
        return Reply(HTTPStatus.NOT_MODIFIED, about, name=name)
    if not isinstance(body, FileBody):
        return Reply(HTTPStatus.OK, about, body, name)
    about["Accept-Ranges"] = "bytes"
    wanted = headers.get("Range", "")
    if not wanted or headers.get("If-Range", tag).strip() != tag:
        return Reply(HTTPStatus.OK, about, body)
    try:
        stretch = ranges.parse(wanted, body.size)
    except ranges.Unsatisfiable:
        refusal = Refusal(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "RANGE_INVALID",
            f"the blob has {body.size} bytes",
        )
        return refusal.reply({"Content-Range": f"bytes */{body.size}"})
    if stretch is None:
        return Reply(HTTPStatus.OK, about, body)
    first, count = stretch
    about["Content-Range"] = f"bytes {first}-{first + count - 1}/{body.size}"
    return Reply(HTTPStatus.PARTIAL_CONTENT, about, body.cut(first, count))
