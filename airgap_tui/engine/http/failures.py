"""What an answer, or the lack of one, means: the map from statuses and exceptions to errors."""

from __future__ import annotations

import email.utils
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import requests
import urllib3

from airgap_tui.engine.errors import ConnectionFailure, TemporaryFailure
from airgap_tui.engine.http.endpoint import authority
from airgap_tui.engine.redaction import redact

RETRYABLE = frozenset({408, 425, 429, 499, 500, 502, 503, 504, 522})
TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""Reading a body raises urllib3's own errors, everything before it those of requests."""

REASONS = {
    400: "bad request",
    408: "request timeout",
    425: "too early",
    429: "too many requests",
    499: "connection closed by the server",
    500: "internal error",
    502: "bad gateway",
    503: "not available now",
    504: "gateway timeout",
    507: "no room left there",
    522: "the server behind it does not answer",
}
_DETAIL_LENGTH = 200
_LENGTH = re.compile(r"[0-9]{1,19}")
_PROXY = "It is set in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; NO_PROXY makes exceptions."
_BAD_PROXIES = {
    requests.exceptions.InvalidProxyURL: "its address is malformed",
    requests.exceptions.InvalidSchema: "it speaks SOCKS, for which PySocks is missing here",
    urllib3.exceptions.ProxySchemeUnknown: "its kind is unknown",
}
_NO_TLS = ("wrong version number", "http request", "packet length too long")


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of a refusal that decides what it means. `body` is bounded already."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str

    @property
    def codes(self) -> tuple[str, ...]:
        """The error codes of the distribution specification; none for HTML."""
        return tuple(code for code, _message in _errors(self.body))

    @property
    def detail(self) -> str:
        """What the server says about it, in one line; empty for HTML and the like."""
        texts = (message or code for code, message in _errors(self.body))
        line = " ".join("; ".join(texts).split())
        return redact("".join(c for c in line if c.isprintable()))[:_DETAIL_LENGTH]


def content_length(headers: Mapping[str, str]) -> int | None:
    """How many bytes the body has, or would have; None where the header is missing."""
    text = headers.get("Content-Length", "").strip()
    return int(text) if _LENGTH.fullmatch(text) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `Retry-After`, in either form (RFC 9110, 10.2.3); None where there is none."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text)) if float(text) < float("inf") else None
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def transport_failure(error: BaseException, url: str) -> ConnectionFailure:
    """The error for an exchange that broke; a failure of TLS is not temporary."""
    host = authority(url)
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _distrusted(cause, host)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            text = (cause.reason or str(cause)).lower().replace("_", " ")
            if any(sign in text for sign in _NO_TLS):
                return ConnectionFailure(
                    f"{host} does not speak TLS",
                    hint=f"If it is meant to be without: --plain-http {host}",
                )
            if "certificate required" in text or "bad certificate" in text:
                return ConnectionFailure(
                    f"{host} wants a client certificate", hint="Name one with --client-cert."
                )
            if "eof" not in text and "bad record mac" not in text:
                return ConnectionFailure(f"TLS with {host} fails: {text}")
    for cause in causes:
        if type(cause) in _BAD_PROXIES:
            return ConnectionFailure(
                f"the proxy on the way to {host} cannot be used: {_BAD_PROXIES[type(cause)]}",
                hint=_PROXY,
            )
        if isinstance(cause, (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)):
            return TemporaryFailure(
                f"the proxy on the way to {host} failed: {_reason(causes)}",
                hint=_PROXY,
            )
    invalid = (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError)
    if any(isinstance(cause, invalid) for cause in causes):
        return ConnectionFailure(f"{host} is not a valid address")
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return TemporaryFailure(
                f"the name {host} cannot be looked up", hint="Check the spelling and the DNS."
            )
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return TemporaryFailure(
            f"{host} cannot be reached: {_reason(causes)}",
            hint="Check the name and the port, and whether a firewall or a proxy is between.",
        )
    return TemporaryFailure(f"the connection with {host} broke: {_reason(causes)}")


def _distrusted(error: ssl.SSLCertVerificationError, host: str) -> ConnectionFailure:
    why = (error.verify_message or str(error)).strip()
    if "expired" in why or "not yet valid" in why:
        hint = "Check the clock of this machine, or have the certificate renewed."
    elif "match" in why or "mismatch" in why:
        hint = "Use a host name that the certificate was issued for."
    else:
        hint = "If it was issued by a private CA, name the CA's certificate with --ca FILE."
    return ConnectionFailure(f"the certificate of {host} cannot be trusted: {why}", hint=hint)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes: requests and urllib3 wrap them in three different ways."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [getattr(current, "reason", None), *current.args]
        queue += [current.__cause__, current.__context__]


def _reason(causes: tuple[BaseException, ...]) -> str:
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and cause.errno:
            return cause.strerror.lower()
    timeouts = (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
    if any(isinstance(cause, timeouts) for cause in causes):
        return "it did not answer in time"
    if any(isinstance(cause, urllib3.exceptions.IncompleteRead) for cause in causes):
        return "it ended too early"
    return redact(str(causes[-1]) or type(causes[-1]).__name__)[:_DETAIL_LENGTH]


def _errors(body: bytes) -> list[tuple[str, str]]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    listed = value.get("errors") if isinstance(value, dict) else None
    if isinstance(value, dict) and not isinstance(listed, list):
        # Token services answer {"details": …}, {"message": …} or {"error_description": …}.
        texts = (value.get(key) for key in ("message", "details", "error_description", "error"))
        return [("", text) for text in texts if isinstance(text, str)][:1]
    return [
        (str(item.get("code") or ""), str(item.get("message") or ""))
        for item in (listed or [])[:5]
        if isinstance(item, dict)
    ]
