"""One login for one registry, and where it came from. Its secret never shows in a repr."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.redaction import remember

NGC_REGISTRY = "nvcr.io"
NGC_USERNAME = "$oauthtoken"
_OLD_NGC_KEY_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Credential:
    """`identity_token` is an OAuth refresh token; it is there instead of a name and a secret.

    `origin` says where the login was found, for people: a path, a variable, a helper program.
    """

    username: str
    secret: str = field(repr=False)
    origin: str
    identity_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        remember(self.secret)
        remember(self.identity_token)


def basic(username: str, secret: str) -> str:
    """The value of `Authorization` that tells name and secret, masked in messages from now on.

    What was not text in the environment goes as the bytes that it was; what JSON can write and no
    bytes can be never makes a login.
    """
    text = f"{username}:{secret}"
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "replace")
    encoded = base64.b64encode(raw).decode()
    remember(encoded)
    return f"Basic {encoded}"


def without_line_breaks(secret: str) -> str:
    """A key or password as it was meant: pasted text brings line breaks and blanks along."""
    return "".join(secret.split("\n")).replace("\r", "").strip().strip("\x00")


def check_ngc_key(key: str, origin: str) -> None:
    """Raise `AccessDenied` for a key of the retired DGX registry."""
    if len(key) == _OLD_NGC_KEY_LENGTH and key.isalnum():
        raise AccessDenied(
            f"{origin}: this is an old 40-character key, which NGC no longer takes",
            registry=NGC_REGISTRY,
            hint="Make a new key at ngc.nvidia.com under Setup; it begins with nvapi-.",
        )
