"""What `plan` and `save` are asked: which images, from where, into which bundle, in what form."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings


class Origin(str, Enum):
    """Where images are taken from."""

    REGISTRY = "registry"
    DOCKER = "docker"
    PODMAN = "podman"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class SaveSpec:
    """What `plan` and `save` are asked.

    `compression` None keeps what a registry sent. `archives` are the files of origin `archive`.
    `host` is an engine's address, None for the usual one. `refresh` forgets what the bundle had of
    these. `force` starts although there is not enough room. `archive_dir` also takes one file per
    image, compressed with `archive_codec`. `have` are receipts of the offline side and `codes`
    delivery codes from there: layers that it has are left out.
    """

    references: tuple[Reference, ...]
    bundle: Path
    settings: Settings = field(default_factory=Settings)
    compression: Compression | None = None
    origin: Origin = Origin.REGISTRY
    archives: tuple[Path, ...] = ()
    host: str | None = None
    with_signatures: bool = False
    refresh: tuple[Reference, ...] = ()
    force: bool = False
    archive_dir: Path | None = None
    archive_codec: Codec = Codec.XZ
    have: tuple[Path, ...] = ()
    codes: tuple[str, ...] = ()
