"""Sends requests to one host: paused, watched, and with redirects followed explicitly."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Protocol

import requests

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ConnectionFailure
from airgap_tui.engine.events import Sink
from airgap_tui.engine.http import connections
from airgap_tui.engine.http.endpoint import (
    Endpoint,
    authority,
    check_redirect,
    joined,
    origin,
)
from airgap_tui.engine.http.failures import TRANSPORT_ERRORS
from airgap_tui.engine.http.pause import HostPause
from airgap_tui.engine.http.reply import Reply, broken, watchdog
from airgap_tui.engine.http.watchdog import Exchange
from airgap_tui.engine.settings import Network

_MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_PAGE = 16 * 1024
_USER_AGENT = "airgap-tui"


class Body(Protocol):
    """A body that is streamed; `exchange` is told of its progress."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[memoryview]: ...
    def begin(self, exchange: Exchange) -> None: ...


class Message(Protocol):
    """A request. `expect` are the statuses that are not failures, `name` is what messages call the
    thing, `patience` is how many seconds longer than usual the answer may take. A `confidential`
    body is not sent to another host."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes | Body | None: ...
    @property
    def expect(self) -> frozenset[int]: ...
    @property
    def patience(self) -> float: ...
    @property
    def confidential(self) -> bool: ...


class Client:
    """For one host and where it redirects to. Safe for several threads; keeps connections."""

    def __init__(self, endpoint: Endpoint, settings: Network, sink: Sink) -> None:
        self.pause = HostPause(endpoint.authority, settings.retry, sink)
        self._endpoint = endpoint
        self._settings = settings
        self._wire: requests.Session | None = None
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @endpoint.setter
    def endpoint(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def exchange(self, message: Message, authorization: str, token: CancelToken) -> Reply:
        """Send one request, follow its redirects, and return the last answer, whatever its status.
        The authorization is not sent to other hosts."""
        url, seen = message.url, set[str]()
        while True:
            reply = self._once(message, url, authorization, token)
            if reply.status not in _REDIRECTS or reply.status in message.expect:
                return reply
            with reply:
                location = reply.headers.get("Location", "")
                # A page that is read to its end leaves its connection for the next request.
                with contextlib.suppress(ConnectionFailure):
                    reply.read(_LONGEST_PAGE)
            if not location:
                raise ConnectionFailure(
                    f"{authority(url)} redirects ({reply.status}) without a Location"
                )
            target = joined(url, location)
            if message.method not in ("GET", "HEAD") and (
                _streams(message.body) or reply.status not in (307, 308)
            ):
                raise ConnectionFailure(
                    f"{authority(url)} redirects an upload ({reply.status}), which cannot be"
                    f" followed: {message.name}"
                )
            check_redirect(url, target)
            seen.add(url)
            if target in seen or len(seen) > _MAX_REDIRECTS:
                raise ConnectionFailure(
                    f"{authority(url)} redirects in a loop or too often: {message.name}"
                )
            if origin(target) != origin(url):
                authorization = ""
                if message.confidential:
                    raise ConnectionFailure(
                        f"{authority(url)} redirects a login to another host; that is refused"
                    )
            url = target

    def _once(self, message: Message, url: str, authorization: str, token: CancelToken) -> Reply:
        self.pause.wait(token)
        token.check()
        settings, body = self._settings, message.body
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **message.headers}
        if authorization:
            headers["Authorization"] = authorization
        rate, window = settings.minimum_rate, settings.minimum_rate_window
        send_timeout = None if _streams(body) else settings.read_timeout
        exchange = Exchange(token, rate, window, send_timeout)
        if body is not None and not isinstance(body, bytes):
            body.begin(exchange)
        watchdog.begin(exchange)
        connections.announce(exchange)
        try:
            wire = self._opened()
            prepared = wire.prepare_request(
                requests.Request(message.method, url, headers=headers, data=body)
            )
            response = wire.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(settings.connect_timeout, settings.read_timeout + message.patience),
                proxies=dict(connections.proxies_for(url)),
            )
        except TRANSPORT_ERRORS as error:
            watchdog.end(exchange)
            raise broken(error, url, exchange) from None
        except BaseException:
            watchdog.end(exchange)
            raise
        finally:
            connections.announce(None)
        return Reply(response, exchange, url)

    def _opened(self) -> requests.Session:
        with self._lock:
            if self._wire is None:
                self._wire = connections.open_session(self._endpoint, self._settings)
            return self._wire


def _streams(body: bytes | Body | None) -> bool:
    return body is not None and not isinstance(body, bytes)
