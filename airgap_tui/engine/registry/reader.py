"""The bytes of one blob as they come from a registry, from an offset on."""

from __future__ import annotations

import contextlib
import http.client
import re
import time

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, TemporaryFailure
from airgap_tui.engine.http.reply import Reply
from airgap_tui.engine.oci.content import CHUNK
from airgap_tui.engine.oci.descriptor import Descriptor

_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,19})-([0-9]{1,19})/([0-9]+|\*)", re.IGNORECASE)
_LONGEST_FILL = 0.5
"""Seconds after which a partly filled buffer is handed on, so that progress can be seen."""

_FAST_RATE = 20_000_000
"""Bytes per second at which a whole piece is waited for at once."""

_PIECE = 256 * 1024
"""Bytes of a piece: what is lost at most where the connection breaks in the middle of one."""


class BlobReader:
    """Reads the body of an answer to a GET of a blob; whoever stores it verifies it.

    The buffer is filled straight from the socket, without the copies that `requests` and `urllib3`
    make, and without decoding: the digest is that of the bytes on the wire.
    """

    def __init__(self, reply: Reply, blob: Descriptor, offset: int, token: CancelToken) -> None:
        self._reply = reply
        self._blob = blob
        self._token = token
        self._left = blob.size - offset
        self._fast = False
        self._closed = False
        wire = getattr(reply.raw, "_original_response", None)
        plain = isinstance(wire, http.client.HTTPResponse) and not wire.chunked
        self._wire: http.client.HTTPResponse | None = wire if plain else None

    def readinto(self, buffer: memoryview, /) -> int:
        self._token.check()
        wanted = min(len(buffer), self._left)
        if wanted == 0:
            if self._left == 0:
                self._finish()
            return 0
        filled, began = 0, time.monotonic()
        while filled < wanted:
            try:
                count = self._receive(buffer[filled:wanted])
            except AirgapError:
                if not filled:
                    raise
                break  # what came is kept; the next call finds the connection as it is
            if count == 0:
                if filled:
                    break
                self._token.check()
                self._reply.raise_if_slow()
                raise TemporaryFailure(
                    f"the connection ended {self._left} bytes before the end of {self._blob.digest}"
                )
            filled += count
            self._left -= count
            if time.monotonic() - began > _LONGEST_FILL:
                break
        self._fast = filled > _FAST_RATE * (time.monotonic() - began)
        if self._left == 0:
            self._finish()
        return filled

    def skip(self, count: int) -> None:
        """Discard the bytes before those that were asked for."""
        buffer = memoryview(bytearray(min(CHUNK, max(count, 1))))
        while count > 0:
            count -= self.readinto(buffer[: min(count, len(buffer))])

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reply.close()

    def _receive(self, view: memoryview) -> int:
        exchange = self._reply.exchange
        exchange.waiting()
        count = 0
        try:
            with self._reply.translated():
                count = self._receive_now(view)
        finally:
            exchange.moved(count)
        return count

    def _receive_now(self, view: memoryview) -> int:
        wire = self._wire
        if wire is None:
            data = self._reply.raw.read(len(view), decode_content=False)
            view[: len(data)] = data
            return len(data)
        if wire.fp is None:
            return 0
        if wire.length is not None:
            view = view[: wire.length]
        # One call that fills a piece costs a fifth less over TLS, whose records have 16 KiB; but
        # what comes slowly has to be seen as it comes.
        fill, most = (wire.fp.readinto, _PIECE) if self._fast else (wire.fp.readinto1, len(view))
        count: int = fill(view[:most]) if len(view) else 0
        if wire.length is not None:
            wire.length -= count
        return count

    def _finish(self) -> None:
        """Keep the connection where the body ended with the blob."""
        wire, self._wire = self._wire, None
        if wire is not None and not self._closed and wire.length == 0:
            with contextlib.suppress(OSError):
                wire.read()  # marks the answer as read, so that the connection can be used again
            self._reply.release()


class MemoryReader:
    """Content that a manifest carries inline, or none at all: an empty blob needs no request."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    def close(self) -> None:
        self._data = memoryview(b"")


def content_range(text: str) -> tuple[int, int] | None:
    """First and last byte of a `Content-Range`; None where it is missing or malformed."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    return (int(match[1]), int(match[2])) if match else None
