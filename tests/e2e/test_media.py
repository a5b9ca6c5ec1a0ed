"""A crossing on media, by commands: what was damaged or lost is made again alone, discs come in any
order, and the registry behind holds the digests of the one before. Then a second month."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import images, services
from tests.conftest import StartDistribution
from tests.e2e.command import Finished, airgap_tui
from tests.images import Layer, SampleImage, build_image, layer_of, tar_of

pytestmark = pytest.mark.distribution

SIZES = {"dir": "3.3MB", "tar": "3.1MB", "iso": "4.2MB"}
"""Three media hold it; an image takes a megabyte for itself."""


def dense(name: str, size: int) -> Layer:
    """A layer of about that size also when it is compressed."""
    return layer_of(tar_of({name: random.Random(name).randbytes(size)}))  # noqa: S311


LARGE = dense("weights", 5_300_000)
"""Larger than a medium."""

BASE = dense("base", 1_100_000)
OLD = dense("old", 1_000_000)
TORCH = build_image("nvidia/pytorch:25.06-py3", [BASE, LARGE])
TOOLS = build_image("library/tools:1", [BASE, OLD])
FIRST = (TORCH, TOOLS)
NEXT = build_image("nvidia/pytorch:25.07-py3", [BASE, LARGE, images.layer("july", 60_000)])


@dataclass(frozen=True, slots=True)
class Online:
    """The side with internet: its registry, and the first month's bundle."""

    host: str
    bundle: Path

    def name_of(self, image: SampleImage) -> str:
        return f"{self.host}/{image.name}"


@pytest.fixture(scope="module")
def online(distribution: services.Distribution, tmp_path_factory: pytest.TempPathFactory) -> Online:
    for image in (*FIRST, NEXT):
        images.push_image(distribution.host, image)
    here = Online(distribution.host, tmp_path_factory.mktemp("online") / "pod-2025-06")
    airgap_tui("save", *map(here.name_of, FIRST), "-b", here.bundle)
    return here


@pytest.fixture
def more(tmp_path: Path) -> dict[str, str]:
    """Each side keeps its own records."""
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def content(path: Path) -> dict[str, bytes]:
    """Every file of a volume, or the one that it is."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def damage(volume: Path) -> None:
    """One byte in the middle of the largest file."""
    if volume.is_dir():
        files = (f for f in volume.rglob("*") if f.is_file())
        volume = max(files, key=lambda f: f.stat().st_size)
    data = bytearray(volume.read_bytes())
    data[len(data) // 2] ^= 1
    volume.write_bytes(data)


def exported(bundle: Path, target: Path, form: str, *only: str) -> list[Path]:
    options = [word for number in only for word in ("--only-volume", number)]
    told = airgap_tui(
        "export", bundle, target, "--format", form, "--volume-size", SIZES[form], *options, "--json"
    ).document
    assert told["count"] == 3
    return [target / volume["reference"] for volume in told["volumes"]]


def carried_as(kinds: str, volumes: Sequence[Path], target: Path) -> list[Path]:
    """Directories as an officer carries them: one as it is, one packed by tar, one burned."""
    if kinds != "mixed":
        return list(volumes)
    target.mkdir(exist_ok=True)
    tar, iso = target / "second.tar", target / "third.iso"
    services.run_program("tar", "-C", str(volumes[1]), "-cf", str(tar), ".")
    burn = [services.program("xorriso"), "-as", "mkisofs", "-quiet", "-R", "-J", "-o", str(iso)]
    subprocess.run([*burn, str(volumes[2])], check=True, timeout=60, capture_output=True)
    return [volumes[0], tar, iso]


def arrived(host: str, prefix: str, *expected: SampleImage) -> None:
    for image in expected:
        repository = f"{prefix}/{image.repository}"
        assert images.remote_digest(host, repository, image.tag) == image.digest
        with images.registry_session() as session:
            for digest, data in image.blobs.items():
                url = f"http://{host}/v2/{repository}/blobs/{digest}"
                assert session.get(url, timeout=30).content == data


@pytest.mark.parametrize("kinds", ["dir", "tar", "iso", "mixed"])
def test_three_media_of_which_one_is_damaged_and_one_lost(
    online: Online,
    start_distribution: StartDistribution,
    tmp_path: Path,
    more: dict[str, str],
    kinds: str,
) -> None:
    form = "dir" if kinds == "mixed" else kinds
    volumes = exported(online.bundle, tmp_path / "disks", form)
    before = [content(path) for path in volumes]
    assert any("pieces/" in name for name in before[0]) or form != "dir"

    # At the gate: the second one has a bad spot, the third one is nowhere.
    damage(volumes[1])
    if volumes[2].is_dir():
        shutil.rmtree(volumes[2])
    else:
        volumes[2].unlink()
    told = airgap_tui("verify", *volumes[:2], code=3)
    assert "volume 2 (" in told.err
    assert "number 3 of pod-2025-06 is missing" in " ".join(told.err.split())

    # Both are made again alone.
    made = exported(online.bundle, tmp_path / "again", form, "2", "3")
    assert [content(path) for path in made] == before[1:]

    # Behind it they come in the wrong order, the damaged one first.
    media = carried_as(kinds, [volumes[0], *made], tmp_path / "carried")
    kept = tmp_path / "kept" / "pod-2025-06"
    bad = airgap_tui("import", volumes[1], "-b", kept, code=None, more=more)
    assert bad.code in (1, 3)
    assert "0 of 3 read" in bad.err
    for number, medium in enumerate((media[2], media[0]), 1):
        one = airgap_tui("import", medium, "-b", kept, code=1, more=more)
        assert f"{number} of 3 read, insert any other" in one.err
    last = airgap_tui("import", media[1], "-b", kept, "--json", more=more).document
    assert {item["state"] for item in last["items"]} <= {"done", "held"}
    assert airgap_tui("verify", kept, "--json").document["ok"] is True
    for name, data in content(online.bundle / "blobs").items():
        assert (kept / "blobs" / name).read_bytes() == data

    registry = start_distribution()
    airgap_tui("push", kept, f"{registry.host}/ngc", more=more)
    arrived(registry.host, "ngc", *FIRST)

    # Also straight from the media, in place.
    other = start_distribution()
    airgap_tui("push", *media, f"{other.host}/ngc", more=more)
    arrived(other.host, "ngc", *FIRST)


def test_what_start_here_tells_puts_the_volumes_together(online: Online, tmp_path: Path) -> None:
    """Nothing of ours is there: cp, cat and sha256sum do."""
    volumes = exported(online.bundle, tmp_path / "disks", "dir")
    text = (volumes[0] / "START-HERE.txt").read_text()
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index("for d in pieces/*/*; do")
    joining = "\n".join(lines[start : start + 3])
    copying = next(line for line in lines if line.startswith("cp -rn VOLUME/"))
    script = "set -e\nmkdir whole\n"
    for volume in volumes:
        script += copying.split("  ")[0].replace("VOLUME", f"disks/{volume.name}") + "\n"
    script += f"cd whole\n{joining}\n"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, timeout=60)
    for name, data in content(online.bundle / "blobs").items():
        assert (tmp_path / "whole/blobs" / name).read_bytes() == data


def new_in(image: SampleImage, *known: SampleImage) -> set[str]:
    """What of an image no known one has: its manifest, config and own layers."""
    return {image.digest, *image.blobs} - {digest for one in known for digest in one.blobs}


def test_a_second_month_is_as_large_as_what_is_new(
    online: Online, start_distribution: StartDistribution, tmp_path: Path, more: dict[str, str]
) -> None:
    offline = start_distribution()
    prefix = f"{offline.host}/ngc"
    receipt = tmp_path / "receipt.json"
    airgap_tui("push", online.bundle, prefix, "--receipt", receipt, more=more)

    # The receipt came back: what it lists stays away.
    delta, name = tmp_path / "pod-2025-07", online.name_of(NEXT)
    planned = airgap_tui("plan", name, "-b", delta, "--have", receipt, "--json").document
    saved = airgap_tui("save", name, "-b", delta, "--have", receipt, "--json").document
    stored = {path.name: path.stat().st_size for path in (delta / "blobs/sha256").iterdir()}
    assert {f"sha256:{hexadecimal}" for hexadecimal in stored} == new_in(NEXT, *FIRST)
    assert sum(stored.values()) == planned["bytes"]["toFetch"] == saved["bytes"]["downloaded"]
    assert sum(stored.values()) < 100_000

    # It goes onto one medium, which is imported, and pushed beside the first month.
    (volume,) = one_volume(delta, tmp_path / "usb")
    kept = tmp_path / "kept"
    airgap_tui("import", volume, "-b", kept, more=more)
    for source in (kept, volume):
        airgap_tui("push", source, prefix, more=more)
        arrived(offline.host, "ngc", *FIRST, NEXT)

    # Elsewhere nobody has the first month: told before anything is done.
    empty = start_distribution()
    for source in (delta, volume, kept):
        refused = airgap_tui("push", source, f"{empty.host}/ngc", code=4, more=more)
        assert_base_is_named(refused)
        assert list((empty.root / "docker/registry/v2").rglob("ngc/*")) == []
        assert_base_is_named(
            airgap_tui("serve", source, "--listen", "127.0.0.1:0", code=4, more=more)
        )
    both = start_distribution()
    airgap_tui("push", online.bundle, f"{both.host}/ngc", more=more)
    airgap_tui("push", kept, f"{both.host}/ngc", more=more)
    arrived(both.host, "ngc", *FIRST, NEXT)


def one_volume(bundle: Path, target: Path) -> list[Path]:
    told = airgap_tui("export", bundle, target, "--format", "tar", "--json").document
    return [target / volume["reference"] for volume in told["volumes"]]


def assert_base_is_named(refused: Finished) -> None:
    said = " ".join(refused.err.split())
    assert NEXT.name in said
    assert BASE.digest in said and LARGE.digest in said
    assert "of pod-2025-06" in said


def test_a_receipt_of_media_that_never_arrived_lists_nothing(
    online: Online, tmp_path: Path, more: dict[str, str]
) -> None:
    """A lost disc: the receipt of what was kept has the images that are whole, and no other."""
    volumes = exported(online.bundle, tmp_path / "disks", "dir")
    kept, receipt = tmp_path / "kept", tmp_path / "receipt.json"
    airgap_tui("import", *volumes[:2], "-b", kept, code=1, more=more)
    airgap_tui("receipt", "-b", kept, "-o", receipt, code=None, more=more)
    named = {image["digest"] for image in json.loads(receipt.read_text())["images"]}
    assert TORCH.digest not in named
    airgap_tui("import", volumes[2], "-b", kept, more=more)
    airgap_tui("receipt", "-b", kept, "-o", receipt, more=more)
    named = {image["digest"] for image in json.loads(receipt.read_text())["images"]}
    assert named == {TORCH.digest, TOOLS.digest}
