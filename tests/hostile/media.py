"""Media that somebody prepared to do harm: each maker turns a good bundle into one kind of them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import Inventory
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.oci.digest import Digest
from tests.engine.bundle.volumes import volumes
from tests.services import program

CANARY = b"what lies outside of the medium"
PIECE = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a medium is made: beside `outside`, a file that it must not reach."""

    good: Path
    work: Path

    @property
    def outside(self) -> Path:
        return self.work / "outside"

    def copy(self, name: str = "pod") -> Path:
        """The good bundle as a directory that may be changed."""
        target = self.work / "medium" / name
        shutil.copytree(self.good, target)
        return target

    def cut(self, count: int = 2) -> list[tuple[Volume, volumes.Contents]]:
        return volumes.cut(self.good, count, PIECE)

    @property
    def media(self) -> Path:
        path = self.work / "medium"
        path.mkdir(parents=True, exist_ok=True)
        return path


Make = Callable[[Place], list[Path]]
Change = Callable[[Path], object]


# --- forms ----------------------------------------------------------------------------------------


def in_directory(change: Change) -> Make:
    def make(place: Place) -> list[Path]:
        bundle = place.copy()
        change(bundle)
        return [bundle]

    return make


def in_tar(change: Change) -> Make:
    """GNU tar of a directory, as anybody would make it."""

    def make(place: Place) -> list[Path]:
        bundle = place.copy("tree")
        change(bundle)
        path = place.media / "pod.tar"
        subprocess.run(
            ["tar", "-cf", path, "--format=posix", "-C", bundle, "."], check=True, timeout=60
        )
        shutil.rmtree(bundle)
        return [path]

    return make


def in_iso(change: Change) -> Make:
    def make(place: Place) -> list[Path]:
        bundle = place.copy("tree")
        change(bundle)
        path = place.media / "pod.iso"
        command = [program("xorriso"), "-as", "mkisofs", "-quiet", "-R", "-o", str(path)]
        subprocess.run([*command, str(bundle)], check=True, timeout=60, capture_output=True)
        shutil.rmtree(bundle)
        return [path]

    return make


def with_members(*members: tuple[tarfile.TarInfo, bytes]) -> Make:
    """The good bundle in a tar, with these members behind it."""

    def make(place: Place) -> list[Path]:
        path = place.media / "pod.tar"
        with tarfile.open(path, "w") as tar:
            for file in sorted(place.good.rglob("*")):
                if file.is_file():
                    tar.add(file, str(file.relative_to(place.good)))
            for member, content in members:
                member.size = member.size or len(content)
                tar.addfile(member, io.BytesIO(content))
        return [path]

    return make


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


# --- parts of a bundle ----------------------------------------------------------------------------


def inventory_of(bundle: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((bundle / "bundle.json").read_bytes())
    return value


def first_manifest(bundle: Path) -> Path:
    digest: str = inventory_of(bundle)["items"][0]["digest"]
    return bundle / "blobs" / digest.replace(":", "/")


def blobs_of(bundle: Path) -> list[Path]:
    """The layers and whatever else is large, the largest last."""
    return sorted((bundle / "blobs/sha256").iterdir(), key=lambda p: (p.stat().st_size, p.name))


def rewritten(change: Callable[[Any], object], name: str = "bundle.json") -> Change:
    """One of the lists, changed as JSON."""

    def apply(bundle: Path) -> None:
        value = json.loads((bundle / name).read_bytes())
        change(value)
        (bundle / name).write_text(json.dumps(value))

    return apply


def item(**fields: Any) -> Change:
    """The first item of the inventory with other fields."""
    return rewritten(lambda value: value["items"][0].update(fields))


def sparse(name: str, size: int) -> Change:
    def apply(bundle: Path) -> None:
        os.truncate(bundle / name, size)

    return apply


def replaced(name: str, content: bytes) -> Change:
    def apply(bundle: Path) -> None:
        (bundle / name).write_bytes(content)

    return apply


def linked(name: str) -> Change:
    """A file of the bundle is a link to the same content outside of it."""

    def apply(bundle: Path) -> None:
        path = bundle / name
        outside = bundle.parents[1] / "outside"
        outside.write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to(outside)

    return apply


def as_pipe(name: str) -> Change:
    """Opening it waits until somebody writes into it."""

    def apply(bundle: Path) -> None:
        (bundle / name).unlink(missing_ok=True)
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(bundle / name)

    return apply


def image_with(change: Callable[[Any], object]) -> Change:
    """The first image has another manifest; its digest is right everywhere."""

    def apply(bundle: Path) -> None:
        path = first_manifest(bundle)
        value = json.loads(path.read_bytes())
        change(value)
        put_manifest(bundle, json.dumps(value).encode())

    return apply


def put_manifest(bundle: Path, raw: bytes, media_type: str = "") -> None:
    """Let the first item of all lists name this manifest."""
    digest = Digest.of(raw)
    (bundle / layout.blob_path(digest)).write_bytes(raw)
    inventory = inventory_of(bundle)
    first = inventory["items"][0]
    old = first["digest"]
    first.update(digest=str(digest), size=len(raw))
    if media_type:
        first["mediaType"] = media_type
    (bundle / "bundle.json").write_text(json.dumps(inventory))
    index = json.loads((bundle / "index.json").read_bytes())
    for entry in index["manifests"]:
        if entry["digest"] == old:
            entry.update(digest=str(digest), size=len(raw))
            if media_type:
                entry["mediaType"] = media_type
    (bundle / "index.json").write_text(json.dumps(index))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def largest(change: Callable[[Path], object]) -> Change:
    """Change the largest blob: the base layer, which every image has."""

    def apply(bundle: Path) -> None:
        change(blobs_of(bundle)[-1])

    return apply


def base_as(make: Callable[[Path], object]) -> Change:
    """Something else than a file in the place of the base layer."""

    def apply(bundle: Path) -> None:
        path = blobs_of(bundle)[-1]
        path.unlink()
        make(path)

    return apply


def base_linked(bundle: Path) -> None:
    linked(str(blobs_of(bundle)[-1].relative_to(bundle)))(bundle)


def two_exchanged(bundle: Path) -> None:
    first, second = blobs_of(bundle)[-2:]
    aside = bundle / "blobs" / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def directory_linked(name: str) -> Change:
    def apply(bundle: Path) -> None:
        elsewhere = bundle.parents[1] / "elsewhere"
        (bundle / name).rename(elsewhere)
        (bundle / name).symlink_to(elsewhere)

    return apply


def nested(depth: int, width: int) -> Change:
    """Indexes of indexes, each naming `width` manifests of the same kind below it."""

    def apply(bundle: Path) -> None:
        raw = first_manifest(bundle).read_bytes()
        kind = json.loads(raw)["mediaType"]
        for _ in range(depth):
            entries = []
            for number in range(width):
                child = raw + b" " * number
                digest = Digest.of(child)
                (bundle / layout.blob_path(digest)).write_bytes(child)
                platform = {"os": "linux", "architecture": "amd64"}
                entries.append(
                    {
                        "mediaType": kind,
                        "digest": str(digest),
                        "size": len(child),
                        "platform": platform,
                    }
                )
            kind = "application/vnd.oci.image.index.v1+json"
            raw = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
        put_manifest(bundle, raw, kind)

    return apply


# --- volumes --------------------------------------------------------------------------------------


def as_volumes(change: Change = lambda _first: None) -> Make:
    """Two volumes as directories, the first one changed."""

    def make(place: Place) -> list[Path]:
        made = [volumes.as_directory(place.media, *part) for part in place.cut()]
        change(made[0])
        return made

    return make


def listed(change: Callable[[Any], object]) -> Make:
    """Two volumes as directories; the list of the first one is changed."""
    return as_volumes(rewritten(change, "volume.json"))


def tar_listed(change: Callable[[Any], object]) -> Make:
    """Two volumes as tars; the list in the first one is changed, and keeps its length."""

    def make(place: Place) -> list[Path]:
        made = [volumes.as_tar(place.media, *part) for part in place.cut()]
        image = bytearray(made[0].read_bytes())
        size = int(image[124:135], 8)
        value = json.loads(image[512 : 512 + size])
        change(value)
        raw = json.dumps(value, separators=(",", ":")).encode()
        assert len(raw) <= size
        image[512 : 512 + size] = raw + b" " * (size - len(raw))
        made[0].write_bytes(image)
        return made

    return make


def file_of(value: dict[str, Any], start: str) -> dict[str, Any]:
    """The first file of a list whose path begins so."""
    found: dict[str, Any] = next(f for f in value["files"] if f["path"].startswith(start))
    return found


def base_piece(volume: Path) -> Path:
    """A piece of the base layer on a volume."""
    return next(max(volume.glob("pieces/*/*"), key=_rank).iterdir())


def _rank(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def piece_elsewhere(offset: int) -> Make:
    """A piece that says of itself, in all lists alike, that it begins at another byte."""

    def make(place: Place) -> list[Path]:
        (first, contents), second = place.cut()
        name = max(n for n in contents if n.startswith("pieces/"))
        folder = name.rpartition("/")[0]
        contents = {**contents, f"{folder}/{offset}": contents[name]}
        del contents[name]
        inventory = Inventory.parse(contents["bundle.json"], "here")
        lying = volumes.volume_of(inventory, first.set_id, 1, 2, contents)
        return [
            volumes.as_directory(place.media, lying, contents),
            volumes.as_directory(place.media, *second),
        ]

    return make


def of_another_set(place: Place) -> list[Path]:
    first = volumes.as_directory(place.media, *place.cut()[0])
    other = volumes.cut(place.good, 2, PIECE, "f" * 32)[1]
    return [first, volumes.as_directory(place.media / "other", *other)]


def with_another_inventory(place: Place) -> list[Path]:
    """Both lists are right about what lies beside them, and do not agree."""
    first, (second, contents) = place.cut()
    contents = {**contents, "bundle.json": contents["bundle.json"].replace(b"lab/app", b"lab/apq")}
    inventory = Inventory.parse(contents["bundle.json"], "here")
    forged = volumes.volume_of(inventory, second.set_id, 2, 2, contents)
    return [
        volumes.as_directory(place.media, *first),
        volumes.as_directory(place.media, forged, contents),
    ]
