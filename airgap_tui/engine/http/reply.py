"""A host's answer, and the translation of errors while its body is read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import TracebackType

import requests
import urllib3

from airgap_tui.engine.errors import AirgapError, TemporaryFailure
from airgap_tui.engine.http.endpoint import authority
from airgap_tui.engine.http.failures import TRANSPORT_ERRORS, transport_failure
from airgap_tui.engine.http.watchdog import Exchange, Watchdog

watchdog = Watchdog()
"""Looks after every exchange of this process."""


class Reply:
    """An answer whose body is still to be read. Use as a context manager."""

    def __init__(self, response: requests.Response, exchange: Exchange, url: str) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url = url
        self.exchange = exchange
        self._response = response
        self._closed = False

    def __enter__(self) -> Reply:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def raw(self) -> urllib3.HTTPResponse:
        raw: urllib3.HTTPResponse = self._response.raw
        return raw

    def header_values(self, name: str) -> list[str]:
        """Every header of that name, separately."""
        return list(self.raw.headers.getlist(name))

    def read(self, limit: int, *, decode: bool = True) -> bytes:
        """The body; of one longer than `limit`, `limit` + 1 bytes."""
        parts: list[bytes] = []
        left = limit + 1
        with self.translated():
            while left > 0:
                self.exchange.waiting()
                part = self.raw.read(min(left, 65536), decode_content=decode)
                self.exchange.moved(len(part))
                if not part:
                    break
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of the wire become `Stopped` or `ConnectionFailure`."""
        try:
            yield
        except TRANSPORT_ERRORS as error:
            raise broken(error, self.url, self.exchange) from None

    def raise_if_slow(self) -> None:
        """Raise the `TemporaryFailure` for a connection that the watchdog has dropped."""
        if self.exchange.too_slow:
            raise too_slow(self.url)

    def release(self) -> None:
        """The body was read to its end: the connection can be used again."""
        self.exchange.disconnected()
        self.raw.release_conn()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            watchdog.end(self.exchange)
            with contextlib.suppress(*TRANSPORT_ERRORS):
                if self.raw.length_remaining == 0:
                    self.raw.read()  # nothing is left (HEAD, 204): the connection can be kept
                self._response.close()


def broken(error: BaseException, url: str, exchange: Exchange) -> AirgapError:
    """Raises `Stopped` where the token was cancelled: that is why the connection broke."""
    exchange.token.check()
    if exchange.too_slow:
        return too_slow(url)
    return transport_failure(error, url)


def too_slow(url: str) -> TemporaryFailure:
    return TemporaryFailure(
        f"{authority(url)} transfers data too slowly; the connection was dropped"
    )
