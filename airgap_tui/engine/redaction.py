"""One redactor, applied where text leaves the engine: logs, journals, errors, tables."""

from __future__ import annotations

import re
import threading

_MASK = "********"
_NO_DIGEST = r"(?=@(?!sha(?:256|512):[0-9a-f]{64}))"  # docker://ubuntu@sha256:… holds no login
_PATTERNS = (
    re.compile(r"nvapi-[A-Za-z0-9_-]+"),
    re.compile(r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]+"),
    re.compile(r"(?i)(?<=\bbasic )[A-Za-z0-9+/=]{6,}"),
    re.compile(rf"(?<=://)(?<!ssh://)[^/@\s]+{_NO_DIGEST}"),
    re.compile(rf"(?<=://)[^/@\s]*:[^/@\s]+{_NO_DIGEST}"),  # ssh://user@host holds no secret
    re.compile(
        r"(?i)(?<=[?&])(?:x-(?:amz|goog)-[a-z-]+|signature|sig|token|access_token)=[^&\s\"']+"
    ),
)
_SHORTEST = 4

_lock = threading.Lock()
_secrets: set[str] = set()


def remember(secret: str) -> None:
    """Mask this text from now on wherever it turns up; very short texts are ignored."""
    if len(secret) >= _SHORTEST:
        with _lock:
            _secrets.add(secret)


def redact(text: str) -> str:
    """The text without known secrets, keys, tokens, logins in URLs and signed query parts."""
    with _lock:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, _MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(_MASK, text)
    return text
