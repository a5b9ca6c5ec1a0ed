"""Archives as the engines write them, built from sample images with nothing of the code under test.

The forms are those of Docker before 25, Docker since 25 (classic store), and Podman.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence

from tests.images import Layer, SampleImage, compact, digest_of


class Archive:
    """A tar that is put together member by member."""

    def __init__(self, tar_format: int = tarfile.USTAR_FORMAT) -> None:
        self._out = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._out, mode="w", format=tar_format)  # noqa: SIM115
        self._names: set[str] = set()

    def file(self, name: str, content: bytes) -> None:
        if name not in self._names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            self._tar.addfile(member, io.BytesIO(content))
            self._names.add(name)

    def other(self, name: str, kind: bytes, link: str = "") -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        self._tar.addfile(member)

    def directory(self, name: str) -> None:
        if name not in self._names:
            self.other(name, tarfile.DIRTYPE)
            self._names.add(name)

    def finish(self) -> bytes:
        self._tar.close()
        return self._out.getvalue()


def _hex(digest: str) -> str:
    return digest.partition(":")[2]


def _ids(image: SampleImage) -> list[str]:
    """Directory names that follow from the chain of layers, the topmost from the image too."""
    found = []
    chain = ""
    for number, layer in enumerate(image.content):
        top = image.image_id if number == len(image.content) - 1 else ""
        chain = hashlib.sha256(f"{chain} {layer.diff_id} {top}".encode()).hexdigest()
        found.append(chain)
    return found


def legacy(images: Sequence[SampleImage]) -> bytes:
    """Docker before 25: `<id>/layer.tar`; a layer that comes again is a link to the first one."""
    archive = Archive()
    first: dict[str, str] = {}
    written: set[str] = set()
    entries = []
    for image in images:
        names = []
        for identifier, layer in zip(_ids(image), image.content, strict=True):
            name = f"{identifier}/layer.tar"
            names.append(name)
            if name in written:
                continue
            written.add(name)
            archive.directory(identifier)
            archive.file(f"{identifier}/VERSION", b"1.0")
            archive.file(f"{identifier}/json", compact({"id": identifier, "os": "linux"}))
            if layer.diff_id in first:
                archive.other(name, tarfile.SYMTYPE, f"../{first[layer.diff_id]}")
            else:
                archive.file(name, layer.tar)
                first[layer.diff_id] = name
        config = f"{_hex(image.image_id)}.json"
        archive.file(config, image.config)
        entries.append({"Config": config, "RepoTags": [image.name], "Layers": names})
    archive.file("manifest.json", compact(entries) + b"\n")
    archive.file("repositories", compact({}))
    return archive.finish()


def since_25(images: Sequence[SampleImage], *, stored: bool = False) -> bytes:
    """Docker since 25: an OCI layout. Its layers are plain, or as pulled (`stored`: containerd)."""
    archive = Archive()
    archive.directory("blobs")
    archive.directory("blobs/sha256")
    entries, index = [], []
    for image in images:
        contents = [layer.blob if stored else layer.tar for layer in image.content]
        for content in (*contents, image.config):
            archive.file(f"blobs/sha256/{_hex(digest_of(content))}", content)
        manifest = image.manifest if stored else _plain_manifest(image)
        archive.file(f"blobs/sha256/{_hex(digest_of(manifest))}", manifest)
        entries.append(
            {
                "Config": f"blobs/sha256/{_hex(image.image_id)}",
                "RepoTags": [image.name],
                "Layers": [f"blobs/sha256/{_hex(digest_of(content))}" for content in contents],
                "LayerSources": {},
            }
        )
        index.append(
            {
                "mediaType": json.loads(manifest)["mediaType"],
                "digest": digest_of(manifest),
                "size": len(manifest),
                "annotations": {
                    "io.containerd.image.name": f"docker.io/{image.name}",
                    "org.opencontainers.image.ref.name": image.tag,
                },
            }
        )
    archive.file("index.json", compact({"schemaVersion": 2, "manifests": index}))
    archive.file("manifest.json", compact(entries))
    archive.file("oci-layout", compact({"imageLayoutVersion": "1.0.0"}))
    archive.file("repositories", compact({}))
    return archive.finish()


def _plain_manifest(image: SampleImage) -> bytes:
    return compact(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": image.image_id,
                "size": len(image.config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": layer.diff_id,
                    "size": len(layer.tar),
                }
                for layer in image.content
            ],
        }
    )


def podman(images: Sequence[SampleImage]) -> bytes:
    """Podman: `<diff id>.tar`, with links of the old names to it that nobody needs."""
    archive = Archive()
    entries = []
    for image in images:
        for identifier, layer in zip(_ids(image), image.content, strict=True):
            archive.file(f"{_hex(layer.diff_id)}.tar", layer.tar)
            if identifier not in archive._names:
                link = f"../{_hex(layer.diff_id)}.tar"
                archive.other(f"{identifier}/layer.tar", tarfile.SYMTYPE, link)
                archive._names.add(identifier)
        archive.file(f"{_hex(image.image_id)}.json", image.config)
        entries.append(
            {
                "Config": f"{_hex(image.image_id)}.json",
                "RepoTags": [image.name],
                "Layers": [f"{_hex(layer.diff_id)}.tar" for layer in image.content],
            }
        )
    archive.file("manifest.json", compact(entries))
    return archive.finish()


def with_compressed_layers(image: SampleImage, layers: Iterable[tuple[Layer, bytes]]) -> bytes:
    """Some tools leave layers compressed under the old names."""
    archive = Archive()
    names = []
    for number, (_, content) in enumerate(layers):
        names.append(f"{number}/layer.tar")
        archive.file(names[-1], content)
    config = f"{_hex(image.image_id)}.json"
    archive.file(config, image.config)
    entry = {"Config": config, "RepoTags": [image.name], "Layers": names}
    archive.file("manifest.json", compact([entry]))
    return archive.finish()
