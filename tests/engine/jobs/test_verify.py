"""Verify names exactly what is wrong, and who needs it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from pathlib import Path

import pytest

from airgap_tui import __version__
from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, MalformedContent, NotFound, Stopped, UsageError
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    ItemChanged,
    ItemState,
    JobFinished,
    JobStarted,
)
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import SampleSource, reference_of, save
from tests.images import SampleImage, SampleImages, build_image, layer


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    save(tmp_path / "bundle", sample_images.everything, platform=None)
    return tmp_path / "bundle"


def check(bundle: Path, events: EventLog | None = None) -> VerifyResult:
    return verify.run(
        VerifySpec(bundle), events if events is not None else EventLog(), CancelToken()
    )


def blob(bundle: Path, digest: str) -> Path:
    return bundle / "blobs" / digest.replace(":", "/")


def name(sample: SampleImage) -> str:
    return reference_of(sample).tagged_name


def states(result: VerifyResult) -> dict[str, ItemState]:
    return {item.reference: item.state for item in result.items}


def test_a_whole_bundle_is_ok(bundle: Path, sample_images: SampleImages, events: EventLog) -> None:
    before = {p: p.stat().st_mtime_ns for p in bundle.rglob("*")}
    result = check(bundle, events)
    assert result.ok
    assert result.exit_code == 0
    blobs = [path for path in bundle.glob("blobs/*/*")]
    assert (result.blobs, result.bytes) == (len(blobs), sum(p.stat().st_size for p in blobs))
    assert set(states(result).values()) == {ItemState.DONE}
    assert result.unreferenced == ()
    assert {p: p.stat().st_mtime_ns for p in bundle.rglob("*")} == before
    json.dumps(result.to_json())


def test_a_report_in_text_and_json(
    bundle: Path, sample_images: SampleImages, tmp_path: Path
) -> None:
    shared = sample_images.base.content[0].digest
    blob(bundle, str(shared)).write_bytes(b"something else")
    text, document = tmp_path / "report.txt", tmp_path / "report.json"
    spec = VerifySpec(bundle, reports=(text, document))
    result = verify.run(spec, EventLog(), CancelToken())
    assert not result.ok
    told = json.loads(document.read_text())
    expected = json.loads(json.dumps(result.to_json()))
    assert {key: told[key] for key in expected} == expected
    assert (told["bundle"], told["places"]) == ("bundle", [str(bundle)])
    assert told["tool"]["version"] == __version__
    lines = text.read_text().splitlines()
    whole = sum(item.succeeded for item in result.items)
    assert f"Outcome    {whole} of {len(result.items)} images whole" in lines
    assert f"At         {bundle}" in lines
    at = lines.index("Files that are damaged or missing")
    assert lines[at + 2].startswith(f"blobs/{str(shared).replace(':', '/')}: it")
    assert f"  needed by {name(sample_images.base)}" in lines[at + 3 :]
    assert any(line.endswith("  whole") and "@" not in line for line in lines[:at])


def test_a_report_of_no_known_kind_is_refused_before_anything_is_read(
    bundle: Path, tmp_path: Path
) -> None:
    spec = VerifySpec(bundle, reports=(tmp_path / "report.pdf",))
    with pytest.raises(UsageError, match=r"ends in \.txt or \.json"):
        verify.run(spec, events := EventLog(), CancelToken())
    assert not events


def test_events_add_up(bundle: Path, events: EventLog) -> None:
    result = check(bundle, events)
    assert isinstance(events[0], JobStarted)
    assert isinstance(events[-1], JobFinished)
    assert sum(event.size for event in events.of(BlobPlanned)) == result.bytes
    assert sum(event.bytes for event in events.of(BlobProgress)) == result.bytes
    assert len(events.of(BlobDone)) == result.blobs
    last = {event.item: event.state for event in events.of(ItemChanged)}
    assert last == states(result)


def test_a_flipped_bit_is_named_with_the_images_that_need_it(
    bundle: Path, sample_images: SampleImages, events: EventLog
) -> None:
    shared = sample_images.base.content[0].digest
    content = bytearray(blob(bundle, shared).read_bytes())
    content[len(content) // 2] ^= 1
    blob(bundle, shared).write_bytes(content)
    result = check(bundle, events)
    (bad,) = result.bad
    assert bad.digest == shared
    damaged = {name(sample_images.base), name(sample_images.pytorch), name(sample_images.triton)}
    damaged.add(name(sample_images.zstd))
    assert set(bad.items) == damaged
    assert result.exit_code == 3
    assert {item for item, state in states(result).items() if state is ItemState.FAILED} == damaged
    assert {event.blob for event in events.of(BlobDropped)} == {shared}


def test_cut_off_and_missing_files_are_told_apart(
    bundle: Path, sample_images: SampleImages
) -> None:
    cut, gone = (sample_images.docker.content[n].digest for n in (0, 1))
    os.truncate(blob(bundle, cut), 5)
    blob(bundle, gone).unlink()
    result = check(bundle)
    assert [(f.digest, f.items) for f in result.bad] == [(cut, (name(sample_images.docker),))]
    assert [(f.digest, f.items) for f in result.missing] == [(gone, (name(sample_images.docker),))]
    (failed,) = [item for item in result.items if not item.succeeded]
    assert failed.error == "1 file damaged, 1 file missing"
    assert failed.exit_code == result.exit_code == 3


def test_a_damaged_manifest_fails_its_image_only(bundle: Path, sample_images: SampleImages) -> None:
    digest = sample_images.pytorch.digest
    blob(bundle, digest).write_bytes(sample_images.pytorch.manifest.replace(b"2", b"3", 1))
    result = check(bundle)
    assert [finding.digest for finding in result.bad] == [digest]
    failed = [item for item, state in states(result).items() if state is ItemState.FAILED]
    assert failed == [name(sample_images.pytorch)]
    own = sample_images.pytorch.content[2].digest
    assert own in result.unreferenced


def test_a_link_among_the_blobs_is_bad(
    bundle: Path, sample_images: SampleImages, tmp_path: Path
) -> None:
    digest = sample_images.docker.content[0].digest
    blob(bundle, digest).rename(tmp_path / "elsewhere")
    blob(bundle, digest).symlink_to(tmp_path / "elsewhere")
    (bad,) = check(bundle).bad
    assert bad.digest == digest
    assert "not a regular file" in bad.problem


def test_the_next_save_fetches_only_what_was_damaged(
    bundle: Path, sample_images: SampleImages
) -> None:
    wrong, gone = sample_images.base.content[0].digest, sample_images.docker.content[1].digest
    whole = blob(bundle, wrong).read_bytes()
    blob(bundle, wrong).write_bytes(bytes(len(whole)))
    blob(bundle, gone).unlink()
    assert check(bundle).exit_code == 3
    source = SampleSource(sample_images.everything)
    save(bundle, sample_images.everything, source=source, platform=None)
    assert {digest for digest, _offset in source.opened} == {wrong, gone}
    assert check(bundle).ok
    assert not (bundle / ".partial").exists()


def test_an_image_that_was_not_saved_to_its_end_fails_the_check(
    bundle: Path, sample_images: SampleImages
) -> None:
    waiting = Item(Reference.parse("nvcr.io/nvidia/later:1"))
    failed = Item(Reference.parse("nvcr.io/a/denied:1"), ItemState.FAILED, error="access denied")
    with BundleWriter.open(bundle, "save") as writer:
        writer.record(waiting)
        writer.record(failed)
        writer.finish(CancelToken())
    result = check(bundle)
    assert result.exit_code == 1
    assert not result.ok
    told = {item.reference: item.error for item in result.items if not item.succeeded}
    assert told == {waiting.name: "it was not saved completely", failed.name: "access denied"}


def test_content_that_nobody_needs_is_told_and_still_checked(bundle: Path) -> None:
    stray = Digest.of(b"stray")
    blob(bundle, str(stray)).write_bytes(b"stray")
    result = check(bundle)
    assert result.unreferenced == (str(stray),)
    assert result.ok
    blob(bundle, str(stray)).write_bytes(b"other")
    assert check(bundle).exit_code == 3


@pytest.mark.parametrize("name", ["oci-layout", "manifest.json"])
def test_a_changed_file_beside_the_blobs_is_found(bundle: Path, name: str) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes() + b"\n")
    (bad,) = check(bundle).bad
    assert (bad.file, bad.digest) == (name, "")


def test_a_list_of_checksums_that_lies_is_found(bundle: Path) -> None:
    path = bundle / "SHA256SUMS"
    lines = path.read_text().splitlines()
    blobs = [line for line in lines if "  blobs/" in line]
    lines.remove(blobs[0])
    lines[lines.index(blobs[1])] = "0" * 64 + blobs[1][64:]
    lines.append("1" * 64 + "  blobs/sha256/" + "1" * 64)
    path.write_text("\n".join(lines) + "\n")
    result = check(bundle)
    assert {finding.file for finding in result.bad} == {"SHA256SUMS"}
    assert len(result.bad) == 2
    assert [finding.file for finding in result.missing] == ["blobs/sha256/" + "1" * 64]


def test_names_that_disagree_are_refused(bundle: Path) -> None:
    path = bundle / "index.json"
    path.write_text(path.read_text().replace("nvidia/pytorch", "nvidia/pytorch2"))
    with pytest.raises(MalformedContent, match="pytorch2"):
        check(bundle)


def test_an_archive_twin_that_names_other_layers_is_found(
    bundle: Path, sample_images: SampleImages
) -> None:
    path = bundle / "manifest.json"
    entries = json.loads(path.read_text())
    (ours,) = [entry for entry in entries if name(sample_images.pytorch) in entry["RepoTags"]]
    ours["Layers"] = ours["Layers"][::-1]
    path.write_text(json.dumps(entries))
    sums = bundle / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if "manifest.json" not in line]
    lines.append(f"{Digest.of(path.read_bytes()).hex}  manifest.json")
    sums.write_text("\n".join(lines) + "\n")
    (bad,) = check(bundle).bad
    assert (bad.file, bad.items) == ("manifest.json", (name(sample_images.pytorch),))


def test_a_config_with_other_layers_than_the_manifest_is_found(
    bundle: Path, tmp_path: Path
) -> None:
    honest = build_image("library/odd:1", [layer("one"), layer("two")])
    layers = honest.document.layers[:1]
    manifest = Manifest.build(honest.document.config, layers)
    reference = Reference.parse("docker.io/library/odd:1")
    with BundleWriter.open(tmp_path / "odd", "test") as writer:
        writer.store(honest.config, "")
        writer.store(honest.content[0].blob, "")
        digest = manifest.digest
        item = Item(reference, ItemState.DONE, digest=digest, size=len(manifest.raw))
        writer.add_image(item, [manifest])
        writer.finish(CancelToken())
    (bad,) = check(tmp_path / "odd").bad
    assert bad.problem == f"{digest} names 1 layers, and its config 2"


def test_a_tar_and_an_iso_are_verified_in_place(bundle: Path, tmp_path: Path) -> None:
    tar = tmp_path / "bundle.tar"
    subprocess.run(["tar", "-cf", tar, "-C", bundle.parent, bundle.name], check=True, timeout=60)
    result = check(tar)
    assert result.ok
    assert result.bytes == check(bundle).bytes


def test_a_layer_that_may_not_be_passed_on_may_be_absent(tmp_path: Path) -> None:
    image = build_image("library/windows:1", [layer("base")])
    foreign = Descriptor(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Digest.of(b"base"), 4
    )
    config = image.config.replace(
        b'"diff_ids":[', b'"diff_ids":["' + str(foreign.digest).encode() + b'",'
    )
    with BundleWriter.open(tmp_path / "b", "test") as writer:
        described = writer.store(config, image.document.config.media_type)
        writer.store(image.content[0].blob, "")
        manifest = Manifest.build(described, [foreign, *image.document.layers])
        item = Item(
            Reference.parse("windows:1"),
            ItemState.DONE,
            digest=manifest.digest,
            size=len(manifest.raw),
        )
        writer.add_image(item, [manifest])
        writer.finish(CancelToken())
    assert check(tmp_path / "b").ok


def test_whatever_is_changed_is_found(bundle: Path, sample_images: SampleImages) -> None:
    """Any few bytes of any file: an error of ours, a finding, or an image that is not whole."""
    chance = random.Random(3)  # noqa: S311 - the same damage each time
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    for path in [
        *files,
        *[bundle / "index.json", bundle / "manifest.json", bundle / "bundle.json"] * 12,
    ]:
        whole = path.read_bytes()
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 3) if broken else 0):
            at = chance.randrange(len(broken))
            broken[at] = (broken[at] + chance.randrange(1, 256)) % 256
        path.write_bytes(broken)
        try:
            result = check(bundle)
        except AirgapError as error:
            assert error.exit_code in (2, 3, 4)
        else:
            assert broken == whole or not result.ok, path
        path.write_bytes(whole)
        (bundle / ".partial" / "damaged").unlink(missing_ok=True)
    assert check(bundle).ok


def test_nothing_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no bundle at"):
        check(tmp_path / "nothing")


def test_it_stops_when_told(bundle: Path) -> None:
    token = CancelToken()
    seen = threading.Event()

    def sink(event: object) -> None:
        if isinstance(event, BlobProgress):
            seen.set()
            token.cancel()

    with pytest.raises(Stopped):
        verify.run(VerifySpec(bundle), sink, token)
    assert seen.is_set()
