"""Files with secrets: read within bounds, replaced in one step, readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path

from airgap_tui.engine.errors import EnvironmentFailure

MAX_BYTES = 4 * 1024 * 1024
"""A larger file holds no logins."""


def read(path: Path, limit: int = MAX_BYTES) -> bytes | None:
    """The whole file, None where there is none. Raises `EnvironmentFailure`, also for a file of
    more bytes than `limit`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EnvironmentFailure(f"{short(path)} cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in the name, out of the environment
        raise EnvironmentFailure(f"{str(path)!r} is not the name of a file") from None
    if len(data) > limit:
        most = f"{limit // 1024**2} MiB"
        raise EnvironmentFailure(f"{short(path)} is larger than {most}, so it is not read")
    return data


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Give the file this content, atomically; its directory is made with mode 0700.

    A link stays a link, into a folder of dotfiles say. Raises `EnvironmentFailure`.
    """
    import tempfile  # most runs only read

    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:40]}-", dir=target.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), mode)
                if os.geteuid() == 0 and target.exists():  # sudo: the file stays its owner's
                    os.fchown(file.fileno(), target.stat().st_uid, target.stat().st_gid)
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentFailure(
            f"{short(path)} cannot be written: {error.strerror}",
            hint="Make it writable for this user, or name another file.",
        ) from None


def short(path: Path) -> str:
    """The path as people write it: `~/.docker/config.json`."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
