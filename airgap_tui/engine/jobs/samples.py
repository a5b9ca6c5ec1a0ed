"""Sample images for a rehearsal, built from the library of the running Python.

Four images of tens of megabytes in all share one base layer; one of them has two platforms. The
same Python gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sysconfig
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.encoding.compression import encoder
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference

REGISTRY = "registry.example"
_MOST = 48 * 1024 * 1024
_PARTS = 4
_LEFT_OUT = {"__pycache__", "site-packages", "dist-packages", "test", "tests"}
_PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64", "v8"))
_GZIP = Compression(Codec.GZIP, 1)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A made-up layer, and the digest of what it unpacks to."""

    descriptor: Descriptor
    diff_id: Digest


def make_samples(bundle: Path, token: CancelToken) -> tuple[Reference, ...]:
    """Write the sample images into a new bundle; returns their names.

    Raises as `BundleWriter.open` does, and `Stopped`."""
    base, middle, upper, top = _shares(list(_library()))
    with BundleWriter.open(bundle, "rehearse", None) as writer:
        ground = _layer(writer, "base", base, token, compressed=True)
        trainer = _layer(writer, "trainer", middle, token)
        server = _layer(writer, "server", upper, token)
        tools = _layer(writer, "tools", top, token, compressed=True)
        own = {p: _layer(writer, f"tools for {p}", (), token) for p in _PLATFORMS}
        images = _Images(writer, token)
        names = (
            images.add("samples/base:1", [ground]),
            images.add("samples/trainer:1", [ground, trainer]),
            images.add("samples/server:1", [ground, server]),
            images.add_for_all(
                "samples/tools:1", {p: [ground, tools, layer] for p, layer in own.items()}
            ),
        )
        writer.finish(token)
    return names


def _library() -> Iterator[tuple[Path, str, int]]:
    """Path, name in a layer and size of the library's files, in a fixed order and within bounds."""
    root, total = Path(sysconfig.get_paths()["stdlib"]), 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
                continue
            size = path.stat().st_size
            if total + size > _MOST:
                continue
            total += size
            yield path, f"usr/lib/python3/{path.relative_to(root)}", size


_File = tuple[Path, str, int]


def _shares(files: Sequence[_File]) -> list[list[_File]]:
    """The files in `_PARTS` parts of about the same size."""
    whole, done = sum(size for *_, size in files) + 1, 0
    parts: list[list[_File]] = [[] for _ in range(_PARTS)]
    for file in files:
        parts[done * _PARTS // whole].append(file)
        done += file[2]
    return parts


class _Hashed:
    """What `tarfile` writes to: hashes the plain tar on its way to `write`."""

    def __init__(self, write: Callable[[bytes], object], token: CancelToken) -> None:
        self.hasher = hashlib.sha256()
        self.size = 0
        self._write = write
        self._token = token

    def write(self, data: bytes) -> int:
        self._token.check()
        self.hasher.update(data)
        self._write(data)
        self.size += len(data)
        return len(data)


def _layer(
    writer: BundleWriter,
    name: str,
    files: Sequence[_File],
    token: CancelToken,
    *,
    compressed: bool = False,
) -> _Layer:
    with writer.begin_blob() as blob:
        packed = encoder(_GZIP, blob.write, None, os.cpu_count() or 1) if compressed else None
        out = _Hashed(blob.write if packed is None else packed.write, token)
        with tarfile.open(
            fileobj=cast("IO[bytes]", out), mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20
        ) as tar:
            _add_file(tar, "etc/sample", f"{name}\n".encode())
            for path, inside, _ in files:
                _add_file(tar, inside, path.read_bytes())
        if packed is not None:
            packed.finish()
        kind = media_types.OCI_LAYER_GZIP if compressed else media_types.OCI_LAYER
        return _Layer(blob.commit(kind), Digest.from_hasher(out.hasher))


def _add_file(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


class _Images:
    """Puts layers together into named images of a bundle."""

    def __init__(self, writer: BundleWriter, token: CancelToken) -> None:
        self._writer = writer
        self._token = token

    def add(self, name: str, layers: Sequence[_Layer]) -> Reference:
        """An image for one platform."""
        image = self._image(layers, _PLATFORMS[0])
        return self._tag(name, image, [image], _PLATFORMS[:1])

    def add_for_all(self, name: str, layers: Mapping[Platform, Sequence[_Layer]]) -> Reference:
        """An index with an image for each platform."""
        images = {platform: self._image(own, platform) for platform, own in layers.items()}
        index = Index.build([replace(image.descriptor, platform=p) for p, image in images.items()])
        return self._tag(name, index, list(images.values()), tuple(layers))

    def _image(self, layers: Sequence[_Layer], platform: Platform) -> Manifest:
        config = {
            "architecture": platform.architecture,
            "os": platform.os,
            **({"variant": platform.variant} if platform.variant else {}),
            "created": "2000-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        }
        raw = json.dumps(config, separators=(",", ":")).encode()
        stored = self._writer.store(raw, media_types.OCI_CONFIG)
        return Manifest.build(stored, [layer.descriptor for layer in layers])

    def _tag(
        self,
        name: str,
        root: Manifest | Index,
        images: Sequence[Manifest],
        platforms: tuple[Platform, ...],
    ) -> Reference:
        reference = Reference.parse(f"{REGISTRY}/{name}")
        documents = tuple({d.digest: d for d in (*images, root)}.values())
        blobs = {blob.digest: blob for image in images for blob in image.blobs}
        closure = Closure(reference, root, documents, tuple(blobs.values()), platforms)
        self._writer.tag(reference, closure, self._token)
        return reference
