"""Updates that come disc by disc: what one volume tells of an image is not yet all of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import Inventory
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.assumption import Base
from airgap_tui.engine.bundle.receipts.receipt import Holder, Receipt, Received
from airgap_tui.engine.bundle.saved_items import signature_of
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import ItemState, Note, discard
from airgap_tui.engine.jobs import export, importing, verify
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportResult, ImportSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.settings import Settings, Trust
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import SampleSource, reference_of, save
from tests.engine.bundle.volumes.volumes import SET, Contents, as_directory, cut, volume_of
from tests.images import build_image, build_index, layer
from tests.signing import make_key

TOKEN = CancelToken()
BASES = [layer(f"first month on {machine}", 30_000) for machine in ("amd64", "arm64")]
OLD = build_index(
    "lab/pytorch:25.06",
    [
        build_image("lab/pytorch:25.06", [base], platform=f"linux/{machine}")
        for base, machine in zip(BASES, ("amd64", "arm64"), strict=True)
    ],
)
CHILDREN = [
    build_image(
        "lab/pytorch:25.07",
        [base, layer(f"new on {machine}", 9_000)],
        platform=f"linux/{machine}",
    )
    for base, machine in zip(BASES, ("amd64", "arm64"), strict=True)
]
NEW = build_index("lab/pytorch:25.07", CHILDREN)
DOCUMENTS = [NEW.digest, *(child.digest for child in CHILDREN)]
"""The index, and the manifests that it names."""


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    """The offline registry has the first month."""
    needs = tuple(Digest.parse(base.digest) for base in BASES)
    root = Digest.parse(OLD.digest)
    image = Received(f"nvcr.io/{OLD.name}", root, (*needs, root), "ngc/lab/pytorch")
    bases = (Base("b" * 36, "first"),)
    made = Receipt("dgx", "2025-06-01T00:00:00Z", Holder.REGISTRY, "harbor/ngc", bases, (image,))
    path = tmp_path / "receipt.json"
    path.write_bytes(made.format())
    return path


@pytest.fixture
def update(receipt: Path, tmp_path: Path) -> Path:
    """What export --have writes of the second month, on one volume."""
    save(tmp_path / "second", [NEW], platform=None)
    settings = Settings(state_dir=tmp_path / "state")
    spec = ExportSpec(tmp_path / "second", tmp_path / "out", settings=settings, have=(receipt,))
    (item,) = export.run(spec, discard, TOKEN).items
    return tmp_path / "out" / item.reference


@pytest.fixture
def discs(update: Path, tmp_path: Path) -> list[Path]:
    """Three volumes, on each of them one of the documents and some of the layers."""
    made: list[Contents] = [{}, {}, {}]
    for volume, contents in cut(update, len([*update.glob("blobs/*/*")]), 1_000_000):
        own = next(name for name in contents if name.startswith("blobs/"))
        digest = str(layout.digest_of_path(own))
        number = DOCUMENTS.index(digest) if digest in DOCUMENTS else volume.number % 3
        made[number].update(contents)
    return [as_directory(tmp_path / "discs", *part) for part in numbered(update, made)]


def numbered(update: Path, made: Sequence[Contents]) -> list[tuple[Volume, Contents]]:
    inventory = Inventory.parse((update / layout.INVENTORY).read_bytes(), "here")
    return [
        (volume_of(inventory, SET, number, len(made), contents), contents)
        for number, contents in enumerate(made, 1)
    ]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def take(kept: Path, *media: Path, events: EventLog | None = None) -> ImportResult:
    settings = Settings(state_dir=kept.parent / "offline")
    sink = discard if events is None else events
    return importing.run(ImportSpec(media, kept, settings=settings), sink, TOKEN)


def assumed(bundle: Path) -> set[str]:
    return {str(digest) for digest in BundleReader.open(bundle).inventory.assumed}


def test_an_update_that_an_ecdsa_key_signs_is_one_set_each_time(
    receipt: Path, tmp_path: Path
) -> None:
    """Such a key never makes the same signature twice."""
    save(tmp_path / "second", [NEW], platform=None)
    key = make_key(tmp_path / "id", "ecdsa")
    settings = Settings(state_dir=tmp_path / "state", trust=Trust(key.allowed(tmp_path / "list")))
    medium = tmp_path / "out"
    spec = ExportSpec(tmp_path / "second", medium, key=key.file, settings=settings, have=(receipt,))
    first, again = (export.run(spec, discard, TOKEN) for _ in range(2))
    assert first.set_id == again.set_id
    assert [item.state for item in again.items] == [ItemState.HELD]
    (volume,) = (medium / item.reference for item in first.items)
    signature = verify.run(VerifySpec(volume, settings), discard, TOKEN).signature
    assert signature is not None and signature.standing is Standing.GOOD


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_an_index_whose_manifests_come_on_different_discs(
    discs: list[Path], kept: Path, events: EventLog, order: tuple[int, ...]
) -> None:
    for index in order[:-1]:
        result = take(kept, discs[index])
        assert result.waiting and not result.damaged
    result = take(kept, discs[order[-1]], events=events)
    assert [item.state for item in result.items] == [ItemState.DONE]
    assert result.exit_code == 0
    (left_out,) = result.left_out
    assert (left_out.base, left_out.items) == ("first", (f"nvcr.io/{NEW.name}",))
    assert set(left_out.digests) == {base.digest for base in BASES} == assumed(kept)
    assert any("is an update of what" in note.text for note in events.of(Note))
    assert len(BundleReader.open(kept).inventory.assumes) == 1
    checked = verify.run(VerifySpec(kept), discard, TOKEN)
    assert checked.ok and [one.base for one in checked.left_out] == ["first"]


def test_all_discs_at_once_say_the_same(discs: list[Path], kept: Path) -> None:
    result = take(kept, *discs)
    assert result.exit_code == 0
    assert set(result.left_out[0].digests) == {base.digest for base in BASES} == assumed(kept)


def test_what_the_kept_bundle_has_is_not_missed(
    discs: list[Path], kept: Path, tmp_path: Path
) -> None:
    save(tmp_path / "first", [OLD], platform=None)
    take(kept, tmp_path / "first")
    for disc in discs[:-1]:
        assert take(kept, disc).waiting
    result = take(kept, discs[-1])
    assert (result.exit_code, result.left_out) == (0, ())
    assert assumed(kept) == set()
    assert verify.run(VerifySpec(kept), discard, TOKEN).ok


def test_a_base_that_comes_later_disc_by_disc_is_waited_for(
    update: Path, kept: Path, tmp_path: Path
) -> None:
    """What the update leaves out is on the discs of its base: these do not leave it out."""
    base, layers = tmp_path / "first", {one.digest for one in BASES}
    save(base, [OLD], platform=None)
    assert take(kept, update).exit_code == 0
    assert assumed(kept) == layers
    made: list[Contents] = [{}, {}, {}]
    for _volume, contents in cut(base, len([*base.glob("blobs/*/*")]), 1_000_000):
        own = next(name for name in contents if name.startswith("blobs/"))
        digest = str(layout.digest_of_path(own))
        made[1 + sorted(layers).index(digest) if digest in layers else 0].update(contents)
    first, second, third = (as_directory(tmp_path / "base", *one) for one in numbered(base, made))
    for disc in (first, second):
        result = take(kept, disc)
        assert [item.state for item in result.items] == [ItemState.WAITING]
        assert result.exit_code == 1 and result.standing.endswith("insert any other")
    assert take(kept, third).exit_code == 0
    assert assumed(kept) == set(), "what is here is not left out any more"
    assert BundleReader.open(kept).inventory.assumes == ()
    assert verify.run(VerifySpec(kept), discard, TOKEN).ok


def test_a_layer_that_was_not_left_out_is_missed(discs: list[Path], kept: Path) -> None:
    for disc in discs:
        lost = disc / layout.blob_path(Digest.parse(CHILDREN[0].content[1].digest))
        if lost.exists():
            lost.unlink()
            number = discs.index(disc) + 1
    result = take(kept, *discs)
    assert [item.state for item in result.items] == [ItemState.FAILED]
    assert result.damaged == (number,)


def test_an_image_is_whole_before_its_signature_comes(kept: Path, tmp_path: Path) -> None:
    image = build_image("lab/signed:1", [layer("signed", 9_000)])
    signature = build_image("lab/signed:sig", [layer("a signature", 900)])
    bundle = tmp_path / "pod"
    save(bundle, [image])
    source = SampleSource([signature])
    closure = source.resolve(reference_of(signature), None, TOKEN)
    with BundleWriter.open(bundle, "save") as writer:
        for blob in closure.blobs:
            writer.receive(
                closure.reference,
                blob,
                lambda offset, blob=blob: source.open(closure.reference, blob, offset, TOKEN),  # type: ignore[misc]
                lambda _count: None,
                TOKEN,
            )
        writer.tag(closure.reference, closure, TOKEN)
        writer.record(signature_of(closure, Digest.parse(image.digest)))
        writer.finish(TOKEN)
    made: list[Contents] = [{}, {}]
    for _volume, contents in cut(bundle, len([*bundle.glob("blobs/*/*")]), 1_000_000):
        own = next(name for name in contents if name.startswith("blobs/"))
        last = str(layout.digest_of_path(own)) == str(closure.root.digest)
        made[int(last)].update(contents)
    first, second = (as_directory(tmp_path / "discs", *one) for one in numbered(bundle, made))
    result = take(kept, first)
    states = {item.reference: item.state for item in result.items}
    assert states.pop(f"nvcr.io/{image.name}") is ItemState.DONE
    assert set(states.values()) == {ItemState.WAITING}
    reader = BundleReader.open(kept)
    item = reader.inventory.named(reference_of(image))
    assert item is not None
    assert reader.closure(item).signatures == ()
    assert take(kept, second).exit_code == 0
    reader = BundleReader.open(kept)
    assert [one.root.digest for one in reader.closure(item).signatures] == [closure.root.digest]
