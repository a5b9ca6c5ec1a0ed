"""The descriptions of repositories as files beside the bundle, named as the replicator did."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.plain_text import harmless


def file_name(name: RepositoryName) -> str:
    """`description_nvidia%%pytorch.md`."""
    return f"description_{name.path.replace('/', '%%')}.md"


def write(directory: Path, name: RepositoryName, readme: str) -> Path:
    """Write one, in the place of an earlier one, and return its path; raises
    `EnvironmentFailure`. It is Markdown of the publisher's, without what steers a terminal."""
    path = directory / file_name(name)
    draft = directory / f".{path.name}.{os.getpid()}"
    lines = readme.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        draft.write_text(f"{harmless(lines)}\n", "utf-8", "backslashreplace", newline="\n")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise EnvironmentFailure(f"{path} cannot be written: {error.strerror}") from None
    return path
