"""Sends one blob to a registry: a session, one streamed PATCH, and the PUT that commits it.

One PATCH for everything is what docker and skopeo do, so it is what registries and the proxies in
front of them know best; the PUT that carries the digest is small then, gets a fresh login, and can
be repeated without the bytes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlunsplit

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AccessDenied, ConnectionFailure, NotFound, TemporaryFailure
from airgap_tui.engine.http.endpoint import Endpoint, check_redirect, joined, origin, split
from airgap_tui.engine.http.reply import Reply
from airgap_tui.engine.http.watchdog import Exchange
from airgap_tui.engine.oci.content import Opener, Report, VerifyingReader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.auth import Scopes
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})")
_MAX_MISFITS = 3
_SLOWEST_COMMIT = 10_000_000
"""Bytes per second at which a registry may copy an upload to its place before it answers."""


class UploadBody:
    """The rest of a blob after `offset`, as the body of a request; it can be sent once.

    The whole blob is read and hashed here, and its last piece sent only if the digest is right: the
    registry never gets all of a wrong blob.
    """

    def __init__(
        self, blob: Descriptor, offset: int, opener: Opener, report: Report, token: CancelToken
    ) -> None:
        self._blob = blob
        self._offset = offset
        self._opener = opener
        self._report = report
        self._token = token
        self._exchange: Exchange | None = None
        self.sent = 0

    def __len__(self) -> int:
        return self._blob.size - self._offset

    def begin(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[memoryview]:
        position = 0
        content = self._opener(0, self._offset)
        with contextlib.closing(VerifyingReader(content, self._blob)) as reader:
            while True:
                self._token.check()
                count = reader.readinto(buffer())
                if count == 0:
                    return
                begin = max(0, min(count, self._offset - position))
                position += count
                if begin < count:
                    yield from self._piece(buffer()[begin:count])

    def _piece(self, piece: memoryview) -> Iterator[memoryview]:
        if self._exchange is not None:
            self._exchange.waiting()
        yield piece
        if self._exchange is not None:
            self._exchange.moved(len(piece))
        self.sent += len(piece)
        self._report(len(piece))


@dataclass(slots=True)
class Upload:
    """An upload session of a registry. `reported` is how many bytes the copy loop was told of."""

    session: Session
    reference: Reference
    blob: Descriptor
    scopes: Scopes
    location: str = ""
    reported: int = 0
    refused: int = 0
    misfits: int = 0

    def start(self, token: CancelToken, mount_from: str = "") -> bool:
        """Open a session; True if the registry took the blob from its repository `mount_from`."""
        path = f"{self.reference.repository}/blobs/uploads/"
        if mount_from:
            mount = f"{path}?mount={self.blob.digest}&from={quote(mount_from, safe='/')}"
            scopes = self.scopes | {f"repository:{mount_from}:pull"}
            expect = frozenset({201, 202, *range(400, 429), *range(430, 512)} - {401})
            asked = Request("POST", mount, *self._names, scopes, expect=expect)
            refusals = (AccessDenied, ConnectionFailure)
            with contextlib.suppress(*refusals), self._send(asked, token) as reply:
                if reply.status == 201:
                    return True
                if reply.status == 202:
                    self.location = self._next(reply)
                    return False
        request = Request("POST", path, *self._names, self.scopes, expect=frozenset({202}))
        with self._send(request, token) as reply:
            self.location = self._next(reply)
        return False

    def offset(self, token: CancelToken) -> int:
        """How many bytes the registry holds of a broken upload. Where it does not say, the location
        is forgotten and the upload begins anew."""
        expect = frozenset({200, 204, 202, 404, 405, 400, 410, 416})
        request = Request("GET", self.location, *self._names, self.scopes, expect=expect)
        with self._send(request, token) as reply:
            match = _RANGE.fullmatch(reply.headers.get("Range", "").strip())
            # 0-0 stands for none or for one byte.
            if reply.status in (200, 202, 204) and match is not None and match[1] != "0":
                held = int(match[1]) + 1
                if held <= self.blob.size:
                    self.location = self._next(reply)
                    return held
        self.location = ""
        return 0

    def stream(self, offset: int, opener: Opener, report: Report, token: CancelToken) -> None:
        """Send everything from `offset` on. Raises `ContentMismatch` if local bytes differ."""

        def reported(count: int) -> None:
            self.reported += count
            report(count)

        if self.reported != offset:
            reported(offset - self.reported)
        body = UploadBody(self.blob, offset, opener, reported, token)
        if len(body) == 0:
            for _piece in body:  # nothing to send, but the local bytes are still checked
                pass
            return
        headers = {"Content-Type": "application/octet-stream"}
        if offset:
            headers["Content-Range"] = f"{offset}-{self.blob.size - 1}"
        request = Request(
            "PATCH",
            self.location,
            *self._names,
            self.scopes,
            headers,
            body,
            frozenset({200, 201, 202, 204, 400, 416}),
            fresh=True,
            patience=self._patience,
        )
        try:
            with self._send(request, token) as reply:
                if reply.status in (400, 416):
                    self._out_of_step(reply.status)
                self.location = self._next(reply)
        except NotFound:
            raise self._forgotten() from None
        except TemporaryFailure as failure:
            if failure.status == 401:
                self.refused += 1
                if self.refused > 1:
                    raise ConnectionFailure(
                        f"{self.session.registry} refuses every login in the middle of an upload"
                    ) from None
            raise

    def commit(self, token: CancelToken) -> None:
        """Close the upload with its digest, which the registry verifies."""
        joint = "&" if "?" in self.location else "?"
        url = f"{self.location}{joint}digest={self.blob.digest}"
        request = Request(
            "PUT",
            url,
            *self._names,
            self.scopes,
            {"Content-Type": "application/octet-stream"},
            b"",
            frozenset({200, 201, 204, 400, 416}),
            fresh=True,
            patience=self._patience,
        )
        try:
            with self._send(request, token) as reply:
                status = reply.status
        except NotFound:
            raise self._forgotten() from None
        if status in (400, 416):
            self.location = ""
            raise TemporaryFailure(
                f"{self.session.registry} did not receive {self.blob.digest} as sent ({status})",
                status=status,
            )

    def _out_of_step(self, status: int) -> None:
        """The registry has another offset than we do; an answer 416 may say which."""
        if status != 416:
            self.location = ""
        self.misfits += 1
        failure = ConnectionFailure if self.misfits > _MAX_MISFITS else TemporaryFailure
        raise failure(f"{self.session.registry} does not continue an upload ({status})")

    @property
    def _names(self) -> tuple[str, str]:
        return self.reference.repository, f"{self.reference.name} ({self.blob.digest})"

    @property
    def _patience(self) -> float:
        return self.blob.size / _SLOWEST_COMMIT

    def _send(self, request: Request, token: CancelToken) -> Reply:
        return self.session.send(request, token, retry=False)

    def _forgotten(self) -> TemporaryFailure:
        self.location = ""
        return TemporaryFailure(
            f"{self.session.registry} has forgotten the upload of {self.blob.digest} (404)",
            status=404,
        )

    def _next(self, reply: Reply) -> str:
        location = reply.headers.get("Location", "")
        if not location:
            if self.location:
                return self.location
            raise ConnectionFailure(f"{self.session.registry} opens an upload without a Location")
        return checked_address(joined(reply.url, location), self.session.endpoint)


def checked_address(url: str, endpoint: Endpoint) -> str:
    """Where a registry wants an upload to go. One behind a proxy that terminates TLS often
    names itself with http://, which is corrected; what `check_redirect` refuses is refused."""
    parts = split(url)
    secure = endpoint.scheme == "https" and parts.scheme == "http"
    if (
        secure
        and parts.hostname == endpoint.host
        and parts.port in (None, 80, origin(endpoint.base)[2])
    ):
        return urlunsplit((endpoint.scheme, endpoint.authority, parts.path, parts.query, ""))
    check_redirect(endpoint.base, url)
    return url
