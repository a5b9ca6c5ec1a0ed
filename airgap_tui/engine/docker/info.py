"""What an engine is: its kind and version, where it stores images, what it can read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import InvalidDigest
from airgap_tui.engine.oci.digest import Digest

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_CONTAINERD_ROOT = Path("/var/lib/containerd")
_FIRST_ZSTD = (23, 0)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """`root` is where the engine keeps its images, None unless that is on this machine.

    `containerd_store`: images are content of containerd, and an image ID is the digest of a
    manifest or index; in the classic store it is the config's.
    """

    kind: Kind
    version: str
    api_version: str
    host: str
    local: bool
    root: Path | None = None
    containerd_store: bool = False

    @property
    def name(self) -> str:
        """`Docker 20.10.24`."""
        return f"{'Podman' if self.kind == 'podman' else 'Docker'} {self.version}".strip()

    @property
    def can_read_zstd(self) -> bool:
        """Whether layers may be zstd: Docker since 23.0, any Podman with this API."""
        return self.kind == "podman" or _numbers(self.version) >= _FIRST_ZSTD

    @property
    def untars_to_disk(self) -> bool:
        """Whether a load first writes the whole archive beside the images (the classic store)."""
        return not self.containerd_store

    def free(self) -> int | None:
        """Bytes free on the engine's disk; None where it is not on this machine."""
        if self.root is None:
            return None
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize


def read_info(
    version: Mapping[str, Any], info: Mapping[str, Any], host: str, local: bool
) -> EngineInfo:
    """From the replies of `/version` and `/info`."""
    names = {str(part.get("Name", "")) for part in version.get("Components") or ()}
    kind: Kind = "podman" if any("Podman" in name for name in names) else "docker"
    status = {
        str(pair[0]): str(pair[1]) for pair in info.get("DriverStatus") or () if len(pair) > 1
    }
    containerd = status.get("driver-type") == _CONTAINERD_STORE
    root = Path(str(info.get("DockerRootDir") or "/nonexistent"))
    if containerd and _CONTAINERD_ROOT.is_dir():
        root = _CONTAINERD_ROOT
    return EngineInfo(
        kind,
        str(version.get("Version", "")),
        str(version.get("ApiVersion", "")),
        host,
        local,
        root if local and root.is_dir() else None,
        containerd,
    )


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image in an engine. `id` is its image ID, `names` its tags as the engine writes them,
    `digests` names with the digest under which a registry gave it; `diff_ids` only where asked for
    one image. `size` in bytes is of the unpacked layers."""

    id: Digest
    names: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    diff_ids: tuple[Digest, ...] = ()
    platform: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EngineImage:
        """From an entry of `/images/json` or the reply of `/images/NAME/json`."""
        identifier = str(value.get("Id", ""))
        layers = (value.get("RootFS") or {}).get("Layers") or ()
        system, architecture = value.get("Os"), value.get("Architecture")
        return cls(
            Digest.parse(identifier if ":" in identifier else f"sha256:{identifier}"),
            _known(value.get("RepoTags")),
            _known(value.get("RepoDigests")),
            int(value.get("Size") or 0),
            tuple(found for text in layers if (found := _digest(str(text))) is not None),
            f"{system}/{architecture}" if system and architecture else "",
        )


def _known(names: object) -> tuple[str, ...]:
    """Without the `<none>:<none>` that older engines say."""
    if not isinstance(names, list):
        return ()
    return tuple(str(name) for name in names if "<none>" not in str(name))


def _digest(text: str) -> Digest | None:
    try:
        return Digest.parse(text)
    except InvalidDigest:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """`20.10.24+dfsg1` as (20, 10, 24)."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
