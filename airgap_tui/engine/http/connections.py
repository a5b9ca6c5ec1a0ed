"""The transport below the sessions: CAs, proxies, and sockets that the watchdog can reach.

`requests` does the HTTP. Three things it cannot do by itself are added to its adapter: private
CAs beside the default ones, no `~/.netrc` (which would replace a registry's token), and
telling which socket a request uses.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airgap_tui.engine.errors import ConnectionFailure, UsageError
from airgap_tui.engine.http.endpoint import Endpoint, is_loopback, origin, split
from airgap_tui.engine.http.watchdog import Exchange
from airgap_tui.engine.settings import Network

CERTIFICATE_FOLDERS = (Path("/etc/docker/certs.d"), Path("/etc/containers/certs.d"))
_POOL_SIZE = 16
_PROBE_TIMEOUT = 1.0
_current = threading.local()


def announce(exchange: Exchange | None) -> None:
    """The exchange that this thread does from now on."""
    _current.exchange = exchange


def _announced(connection: HTTPConnection) -> None:
    exchange: Exchange | None = getattr(_current, "exchange", None)
    if exchange is not None:
        exchange.connected(connection.sock)


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _announced(self)

    def request(self, *args: Any, **keywords: Any) -> None:
        _announced(self)
        super().request(*args, **keywords)


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _announced(self)

    def request(self, *args: Any, **keywords: Any) -> None:
        _announced(self)
        try:
            super().request(*args, **keywords)
        except ssl.SSLEOFError as error:
            # As without TLS: who refuses a body in the middle has said why, and that is read then.
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _PlainPool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Takes a ready TLS context instead of a file of CAs per request."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(
            pool_connections=_POOL_SIZE, pool_maxsize=_POOL_SIZE, max_retries=0, pool_block=False
        )

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        super().init_poolmanager(*args, **keywords, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> urllib3.ProxyManager:
        keywords.setdefault("ssl_context", self._context)
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **keywords)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to add: the context holds the CAs and the client certificate."""


class _Wire(requests.Session):
    """Reads the CAs, which takes some 50 ms, at the first request that needs them."""

    def __init__(self, endpoint: Endpoint, network: Network) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._network = network
        self._lock = threading.Lock()
        self._own: _Adapter | None = None
        self._any: _Adapter | None = None
        self.trust_env = False
        # With a session cookie some registries demand a CSRF token.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.clear()
        self.mount("http://", _Adapter(None))

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        if split(url).scheme == "http":
            return super().get_adapter(url)
        own = self._network.client_certificate and origin(url) == origin(self._endpoint.base)
        with self._lock:
            if own:
                if self._own is None:
                    self._own = _Adapter(_with_client(self._context(), self._network))
                return self._own
            if self._any is None:
                self._any = _Adapter(self._context())
            return self._any

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None for all: `http.client` follows them. Asked not to, `requests` would still read a
        redirect's page without bounds, and fail on malformed addresses."""
        return None

    def close(self) -> None:
        super().close()
        for adapter in (self._own, self._any):
            if adapter is not None:
                adapter.close()

    def _context(self) -> ssl.SSLContext:
        return _context(self._endpoint.registry, self._network)


def open_session(endpoint: Endpoint, network: Network) -> requests.Session:
    """A session for one registry. The client certificate is shown to that host alone.

    Its requests raise `UsageError` for certificate files that cannot be read.
    """
    return _Wire(endpoint, network)


def _with_client(context: ssl.SSLContext, network: Network) -> ssl.SSLContext:
    assert network.client_certificate is not None  # noqa: S101 - the caller has looked
    wanted = False

    def no_phrase() -> str:
        """Without this, OpenSSL would ask for a passphrase on the terminal, over the screen."""
        nonlocal wanted
        wanted = True
        return ""

    try:
        context.load_cert_chain(network.client_certificate, network.client_key, no_phrase)
    except OSError as error:
        reason = "its key has a pass phrase" if wanted else error.strerror or error
        raise UsageError(
            f"the client certificate {network.client_certificate} cannot be used: {reason}",
            hint="Name a key without one: openssl pkey -in KEY -out COPY"
            if wanted
            else "It is a PEM file; name its key too if that is in another file.",
        ) from None
    return context


def _context(registry: str, network: Network) -> ssl.SSLContext:
    """The system's CAs, those of certifi, those that docker and podman hold for this
    registry, and the ones that user and environment name."""
    context = ssl.create_default_context()
    # From Python 3.13 on it refuses what Docker and skopeo take: private authorities that say not
    # everything RFC 5280 wants them to.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    named = [Path(os.environ.get(name, "/")) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")]
    known = [path for folder in CERTIFICATE_FOLDERS for path in (folder / registry).glob("*.crt")]
    for path in (*named, *known):
        if path.is_file():
            with contextlib.suppress(OSError):
                context.load_verify_locations(path)
    if network.ca_file is not None:
        try:
            context.load_verify_locations(network.ca_file)
        except OSError as error:
            raise UsageError(
                f"the CA file {network.ca_file} cannot be used: {error.strerror or error}",
                hint="It holds one or more certificates in PEM form.",
            ) from None
    return context


def speaks_tls(endpoint: Endpoint) -> bool:
    """Whether a handshake succeeds there. Nothing is sent, so the certificate does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _scheme, host, port = origin(endpoint.base)
    try:
        with (
            socket.create_connection((host, port), timeout=_PROBE_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False


def proxies_for(url: str) -> Mapping[str, str]:
    """The proxies of the environment for this address; none for loopback or `no_proxy`."""
    if is_loopback(split(url).hostname or ""):
        return {}
    try:
        return get_environ_proxies(url)
    except ValueError as error:
        raise ConnectionFailure(f"the proxy settings cannot be read: {error}") from None
