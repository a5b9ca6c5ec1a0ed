"""The error tree. An error carries what failed, what to do about it, and the exit code.

AirgapError                       1
├── UsageError                    2  a wrong argument, name, setting or file of the user
│   ├── InvalidReference
│   ├── InvalidDigest
│   ├── InvalidPlatform
│   ├── InvalidImagesList
│   └── NameConflict                 two sources would get one name
├── ContentError                  3  content is damaged, malformed or not trusted
│   ├── ContentMismatch              a digest or a size differs
│   ├── MalformedContent             a manifest, an archive or an inventory cannot be read
│   ├── UnsafeContent                a path, a link or a size that is never accepted
│   └── SignatureRefused             altered after it was signed, or not signed by who is trusted
├── EnvironmentFailure            4  a host, a disk or a program refuses or fails
│   ├── NotFound                     no such image, tag, platform, bundle
│   ├── AccessDenied                 401, 402, 403, 412, 451: no login, wrong login, no right
│   ├── NoRoom                       disk full, or too small for what is asked
│   ├── WriteRefused                 a disk takes nothing: gone, failing, or not for this user
│   ├── BundleLocked                 another job writes the bundle
│   ├── UnsupportedBundle            a newer schema
│   ├── EngineFailure                Docker or Podman is absent, refuses or fails
│   └── ConnectionFailure            a host is unreachable, TLS fails, a server misbehaves
│       └── TemporaryFailure         worth trying again; the only kind that is retried
└── Stopped                     130  the user or a signal ended the job; it can be continued
"""

from __future__ import annotations

import errno
from typing import ClassVar

_DENIED = "Name a place where this user may read and write, or run this as one who may."
REMEDIES = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "It is mounted for reading only: choose another disk, or mount it for writing.",
    errno.ENOSPC: "Make room there and give the same command again.",
    errno.EDQUOT: "This user's quota there is used up: make room, or choose another disk.",
    errno.ENOTDIR: "Check the path: a part of it is a file.",
    errno.EISDIR: "Check the path: it is a directory.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "Check the path: its symbolic links lead in a circle.",
}
"""What helps where the system refuses a path, wherever that was noticed."""


class AirgapError(Exception):
    """Base of every error that a user can cause or meet.

    `str()` is the message: one or two sentences that name the thing and the reason. `hint` says
    what to do next and may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AirgapError):
    exit_code = 2


class InvalidReference(UsageError):
    """A text is not an image reference; `text` and `reason` are kept apart for lists of them."""

    def __init__(self, text: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"not an image name: {text!r}: {reason}", hint=hint)
        self.text = text
        self.reason = reason


class InvalidDigest(UsageError):
    pass


class InvalidPlatform(UsageError):
    pass


class InvalidImagesList(UsageError):
    pass


class NameConflict(UsageError):
    pass


class ContentError(AirgapError):
    exit_code = 3


class ContentMismatch(ContentError):
    pass


class MalformedContent(ContentError):
    pass


class UnsafeContent(ContentError):
    pass


class SignatureRefused(ContentError):
    pass


class EnvironmentFailure(AirgapError):
    exit_code = 4

    @classmethod
    def of(cls, error: OSError) -> EnvironmentFailure:
        """What the system refused, where nobody said it better: `/data/x: Permission denied`."""
        name = f"{error.filename}: " if error.filename else ""
        return cls(f"{name}{error.strerror or error}")


class NotFound(EnvironmentFailure):
    pass


class AccessDenied(EnvironmentFailure):
    """A registry refused. `registry` lets a front end ask for a login once for all its images;
    `login_refused` says that the login itself is wrong, revoked or expired, whatever it was for.
    """

    def __init__(
        self,
        message: str,
        *,
        registry: str = "",
        status: int = 0,
        hint: str = "",
        login_refused: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.registry = registry
        self.status = status
        self.login_refused = login_refused


class NoRoom(EnvironmentFailure):
    pass


class WriteRefused(EnvironmentFailure):
    pass


class BundleLocked(EnvironmentFailure):
    pass


class UnsupportedBundle(EnvironmentFailure):
    pass


class EngineFailure(EnvironmentFailure):
    pass


class ConnectionFailure(EnvironmentFailure):
    pass


class TemporaryFailure(ConnectionFailure):
    """Worth trying again. `retry_after` is in seconds where the server named a time."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, status: int = 0, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.status = status


class Stopped(AirgapError):
    exit_code = 130

    def __init__(self, message: str = "stopped", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
