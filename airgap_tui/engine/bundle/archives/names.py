"""Files that hold an archive of images: their names, and how they are compressed.

The names are those of the scripts that such archives come from: slashes become underscores, colons
dashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap_tui.engine.bundle.encoding.codec import HEAD, Codec, detect
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.errors import InvalidReference, NotFound
from airgap_tui.engine.oci.reference import Reference

_EXTENSION = re.compile(
    r"\.(?:tar(?:\.(?:gz|xz|zst|bz2))?|tgz|txz|tbz2?|tpxz|tzst)$", re.IGNORECASE
)
_REPLICATOR = "docker_image_"


def is_archive_name(name: str) -> bool:
    """Whether a file's name says that it is an archive."""
    return _EXTENSION.search(name) is not None


def file_name(reference: Reference, codec: Codec) -> str:
    """`nvcr.io_nvidia_cuda-12.4.1-base-ubuntu22.04.tar.xz` for that image."""
    text = reference.tagged_name.replace("@", "-")
    return f"{text.replace('/', '_').replace(':', '-')}.tar{codec.extension}"


def reference_in_name(path: Path) -> Reference | None:
    """The image that NGC Replicator means by `docker_image_nvcr.io%%nvidia%%pytorch%%24.05.tar`.

    The last part is the tag, unless there is a colon. None for all other names.
    """
    stem = _EXTENSION.sub("", path.name)
    if not stem.startswith(_REPLICATOR) or "%%" not in stem:
        return None
    text = stem.removeprefix(_REPLICATOR).replace("%%", "/")
    if ":" not in text.rpartition("/")[2]:
        repository, _, tag = text.rpartition("/")
        text = f"{repository}:{tag}"
    try:
        return Reference.parse(text)
    except InvalidReference:
        return None


def archive_codec(path: Path) -> Codec:
    """How a file is compressed, by its first bytes. Raises `NotFound`."""
    with existing_archive(path), path.open("rb", buffering=0) as file:
        return detect(file.read(HEAD))


@contextmanager
def existing_archive(path: Path) -> Iterator[None]:
    """`NotFound` for a file that is not there, other errors as `reading` tells them."""
    with reading(path):
        try:
            yield
        except (FileNotFoundError, IsADirectoryError):
            raise NotFound(f"there is no archive {path}") from None
