"""A second month: what came back from the first makes the next bundle as large as what is new, and
the registry there puts the rest to it. Against a real registry, with digests compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.receipt import Holder, Receipt
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound, SignatureRefused, UsageError
from airgap_tui.engine.events import BlobPlanned, Event, ItemState, Note, discard
from airgap_tui.engine.jobs import (
    export,
    export_plan,
    importing,
    load,
    plan,
    push,
    receipts,
    save,
    seal,
    serve,
    verify,
)
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.jobs.load import LoadSpec
from airgap_tui.engine.jobs.push import PushSpec
from airgap_tui.engine.jobs.receipts import ReceiptsSpec
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.seal import SealSpec
from airgap_tui.engine.jobs.serve import ServeSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings, Trust
from tests.conftest import StartDistribution
from tests.images import SampleImage, build_image, layer, push_image, remote_digest
from tests.services import Distribution, DockerEngine, program
from tests.signing import make_key

pytestmark = pytest.mark.distribution
TOKEN = CancelToken()

BASE = layer("a base of both months", 300_000)
OLD = layer("what only the first month has", 50_000)
FIRST = build_image("lab/pytorch:25.06", [BASE, OLD])
SECOND = build_image("lab/pytorch:25.07", [BASE, layer("new in pytorch", 20_000)])
OTHER = build_image("lab/physicsnemo:25.07", [BASE, OLD, layer("new in physicsnemo", 10_000)])
NEW = (SECOND, OTHER)


@dataclass(frozen=True, slots=True)
class Sides:
    """The registry of the online side, that of the offline side, and the bundles between them."""

    online: Distribution
    offline: Distribution
    work: Path
    settings: Settings

    @property
    def naming(self) -> Naming:
        return Naming.parse(f"{self.offline.host}/ngc")

    def references(self, *images: SampleImage) -> tuple[Reference, ...]:
        return tuple(Reference.parse(f"{self.online.host}/{image.name}") for image in images)

    def save(self, name: str, *images: SampleImage, **options: object) -> save.SaveResult:
        spec = SaveSpec(
            self.references(*images), self.work / name, self.settings, **options  # type: ignore[arg-type]
        )  # fmt: skip
        result = save.run(spec, discard, TOKEN)
        assert result.exit_code == 0
        return result

    def push(self, name: str, **options: object) -> push.PushResult:
        spec = PushSpec(self.work / name, self.naming, self.settings, **options)  # type: ignore[arg-type]
        return push.run(spec, discard, TOKEN)


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    from tests.services import start_distribution

    registry = start_distribution()
    for image in (FIRST, *NEW):
        push_image(registry.host, image)
    yield registry
    registry.stop()


@pytest.fixture
def sides(online: Distribution, start_distribution: StartDistribution, tmp_path: Path) -> Sides:
    settings = Settings(state_dir=tmp_path / "state")
    sides = Sides(online, start_distribution(), tmp_path, settings)
    sides.save("first", FIRST)
    return sides


def stored(bundle: Path) -> set[str]:
    return {str(digest) for digest in BundleReader.open(bundle).stored()}


def there(sides: Sides, image: SampleImage) -> str:
    return remote_digest(sides.offline.host, f"ngc/{image.repository}", image.tag)


def new_content() -> set[str]:
    """Manifests and configs of the new images, and the layers that the first month had not."""
    known = set(FIRST.blobs)
    layers = {d.digest for image in NEW for d in image.document.layers}
    every = {digest for image in NEW for digest in image.blobs} | {i.digest for i in NEW}
    return every - {str(d) for d in layers if str(d) in known}


def test_a_delta_is_the_new_layers_only_and_arrives_whole(sides: Sides) -> None:
    receipt = sides.work / "receipt.json"
    assert sides.push("first", receipt=receipt).exit_code == 0
    planned = plan.run(
        SaveSpec(sides.references(*NEW), sides.work / "second", sides.settings, have=(receipt,)),
        discard,
        TOKEN,
    )
    saved = sides.save("second", *NEW, have=(receipt,))
    assert stored(sides.work / "second") == new_content()
    size = sum(path.stat().st_size for path in (sides.work / "second/blobs/sha256").iterdir())
    assert size == saved.downloaded == planned.to_fetch
    assert planned.left_out == saved.left_out == len(BASE.blob) + len(OLD.blob)
    assert verify.run(VerifySpec(sides.work / "second"), discard, TOKEN).ok
    pushed = sides.push("second")
    assert [item.state for item in pushed.items] == [ItemState.DONE] * 2
    for image in (FIRST, *NEW):
        assert there(sides, image) == image.digest
    assert pushed.sent < size, "what the registry has is mounted, not sent"


def test_verify_names_what_is_left_out(sides: Sides) -> None:
    receipt = sides.work / "receipt.json"
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW, have=(receipt,))
    told: list[Event] = []
    result = verify.run(VerifySpec(sides.work / "second"), told.append, TOKEN)
    (left_out,) = result.left_out
    assert left_out.base == "first"
    assert set(left_out.digests) == {str(BASE.digest), str(OLD.digest)}
    assert len(left_out.items) == 2
    assert f"{sides.offline.host}/ngc" in left_out.holder
    assert any("2 images need 2 layers" in n.text for n in told if isinstance(n, Note))
    assumes = json.loads((sides.work / "second" / layout.INVENTORY).read_bytes())["assumes"]
    assert [base["name"] for base in assumes[0]["bundles"]] == ["first"]


def test_a_side_that_lacks_the_base_is_told_before_anything_is_done(
    sides: Sides, start_distribution: StartDistribution
) -> None:
    receipt = sides.work / "receipt.json"
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW, have=(receipt,))
    empty = Sides(sides.online, start_distribution(), sides.work, sides.settings)
    with pytest.raises(NotFound) as refused:
        empty.push("second")
    said = refused.value.message
    assert str(BASE.digest) in said and str(OLD.digest) in said
    assert SECOND.name in said and OTHER.name in said and "of first" in said
    for repository in ("ngc/lab/pytorch", "ngc/lab/physicsnemo"):
        listed = list((empty.offline.root / "docker/registry/v2").rglob(f"{repository}/*"))
        assert listed == [], "not even a manifest was sent"
    with pytest.raises(NotFound, match="of first"):
        serve.check(ServeSpec((sides.work / "second",), port=0))
    serve.check(ServeSpec((sides.work / "second", sides.work / "first"), port=0))


def test_a_save_of_a_delta_goes_on_as_one(sides: Sides) -> None:
    """Given again, with the receipt or without it, it fetches nothing more."""
    receipt = sides.work / "receipt.json"
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW, have=(receipt,))
    for options in ({"have": (receipt,)}, {}):
        again = sides.save("second", *NEW, **options)
        assert (again.downloaded, {i.state for i in again.items}) == (0, {ItemState.HELD})
    assert stored(sides.work / "second") == new_content()


def test_a_delivery_code_is_enough(sides: Sides) -> None:
    seal.run(SealSpec(sides.work / "first", settings=sides.settings), discard, TOKEN)
    code = sides.push("first").code
    sides.save("second", *NEW, codes=(code,))
    assert stored(sides.work / "second") == new_content()
    assert sides.push("second").exit_code == 0
    assert there(sides, OTHER) == OTHER.digest


def test_a_code_of_a_bundle_from_elsewhere(sides: Sides) -> None:
    """Without the record of sealing: the bundle itself tells what the code stands for."""
    code = sides.push("first").code
    spec = SaveSpec(sides.references(*NEW), sides.work / "second", sides.settings, codes=(code,))
    with pytest.raises(NotFound, match="not of a bundle that was made ready"):
        save.run(spec, discard, TOKEN)
    receipt = sides.work / "from-code.json"
    made = receipts.run(
        ReceiptsSpec(sides.work / "first", receipt, code=code, settings=sides.settings),
        discard,
        TOKEN,
    )
    assert made.exit_code == 0
    assert Receipt.parse(receipt.read_bytes(), "r").holder is Holder.REGISTRY
    sides.save("second", *NEW, have=(receipt,))
    assert stored(sides.work / "second") == new_content()
    with pytest.raises(NotFound):
        receipts.run(
            ReceiptsSpec(sides.work / "second", receipt, code=code), discard, TOKEN
        )  # fmt: skip


def test_a_receipt_of_a_registry_lists_what_it_really_holds(sides: Sides) -> None:
    sides.save("first", SECOND)
    sides.push("first")
    blob = sides.offline.blob_path(str(SECOND.document.layers[1].digest))
    link = sides.offline.root / "docker/registry/v2/repositories/ngc/lab/pytorch/_layers/sha256"
    (link / blob.parent.name / "link").unlink()
    path = sides.work / "r.json"
    spec = ReceiptsSpec(sides.work / "first", path, sides.naming, settings=sides.settings)
    result = receipts.run(spec, discard, TOKEN)
    assert {item.reference: item.state for item in result.items} == {
        f"{sides.online.host}/{FIRST.name}": ItemState.DONE,
        f"{sides.online.host}/{SECOND.name}": ItemState.FAILED,
    }
    receipt = Receipt.parse(path.read_bytes(), "r")
    assert [image.name for image in receipt.images] == [f"{sides.online.host}/{FIRST.name}"]
    assert receipt.images[0].repository == f"{sides.offline.host}/ngc/lab/pytorch"


def test_a_receipt_of_a_kept_bundle_leaves_out_what_is_damaged(sides: Sides) -> None:
    sides.save("first", SECOND)
    (sides.work / "first" / f"blobs/sha256/{OLD.digest.partition(':')[2]}").unlink()
    path = sides.work / "r.json"
    wanted = (Reference.parse("nvcr.io/nvidia/nemo:25.07"),)
    spec = ReceiptsSpec(
        sides.work / "first", path, wanted=wanted, site="pod", settings=sides.settings
    )  # fmt: skip
    assert receipts.run(spec, discard, TOKEN).exit_code == 1
    receipt = Receipt.parse(path.read_bytes(), "r")
    assert [image.digest for image in receipt.images] == [SECOND.document.digest]
    assert (receipt.site, receipt.wanted) == ("pod", wanted)


def test_a_receipt_can_be_signed_and_is_refused_when_it_was_altered(sides: Sides) -> None:
    key = make_key(sides.work / "id")
    path = sides.work / "r.json"
    spec = ReceiptsSpec(sides.work / "first", path, key=key.file, settings=sides.settings)
    receipts.run(spec, discard, TOKEN)
    trust = Trust(key.allowed(sides.work / "allowed"), required=True)
    settings = Settings(state_dir=sides.settings.state_dir, trust=trust)
    asked = SaveSpec(sides.references(*NEW), sides.work / "second", settings, have=(path,))
    assert plan.run(asked, discard, TOKEN).left_out > 0
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(SignatureRefused, match="altered"):
        plan.run(asked, discard, TOKEN)
    path.with_name("r.json.sig").unlink()
    with pytest.raises(SignatureRefused, match="not signed"):
        plan.run(asked, discard, TOKEN)


def test_the_state_directory_keeps_every_receipt(sides: Sides) -> None:
    sides.push("first")
    (kept,) = (sides.settings.state_dir / "receipts").iterdir()
    receipt = Receipt.parse(kept.read_bytes(), "r")
    assert (receipt.holder, receipt.place) == (Holder.REGISTRY, f"{sides.offline.host}/ngc")
    assert receipt.roots == {FIRST.document.digest}


@pytest.mark.docker
def test_an_engine_is_spared_only_what_it_has_whole(
    sides: Sides, docker_engine: DockerEngine
) -> None:
    """Docker takes no part of an image: the shared layer goes along for the new one, and an image
    that is there whole needs none."""
    receipt = sides.work / "receipt.json"

    def load_of(*paths: Path, receipt: Path | None = None) -> load.LoadResult:
        spec = LoadSpec(
            paths, "docker", docker_engine.host, settings=sides.settings, receipt=receipt
        )
        return load.run(spec, discard, TOKEN)

    sides.save("first", OTHER)
    assert load_of(sides.work / "first", receipt=receipt).exit_code == 0
    assert Receipt.parse(receipt.read_bytes(), "r").holder is Holder.ENGINE
    sides.save("second", FIRST, have=(receipt,))
    assert not {BASE.digest, OLD.digest} & stored(sides.work / "second")
    again = load_of(sides.work / "second")
    assert [item.state for item in again.items] == [ItemState.HELD]
    sides.save("second", SECOND)
    assert {BASE.digest} <= stored(sides.work / "second"), "SECOND needs it, and is not there"
    assert OLD.digest not in stored(sides.work / "second")
    both = load_of(sides.work / "second")
    assert {item.state for item in both.items} == {ItemState.HELD, ItemState.DONE}
    docker_engine.remove_all_images()
    with pytest.raises(NotFound, match="of first"):
        load_of(sides.work / "second")
    assert docker_engine.client.api.images() == []
    beside = load_of(sides.work / "second", sides.work / "first")
    assert {item.state for item in beside.items} == {ItemState.DONE}


def test_an_update_is_imported_and_says_what_it_leaves_out_before_anything_is_copied(
    sides: Sides,
) -> None:
    receipt, kept = sides.work / "receipt.json", sides.work / "kept"
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW, have=(receipt,))
    told: list[Event] = []
    spec = ImportSpec((sides.work / "second",), kept, settings=sides.settings)
    result = importing.run(spec, told.append, TOKEN)
    assert result.exit_code == 0
    (left_out,) = result.left_out
    assert set(left_out.digests) == {str(BASE.digest), str(OLD.digest)}
    texts = [event.text for event in told if isinstance(event, Note)]
    said = next(n for n, event in enumerate(told) if isinstance(event, Note))
    assert "is an update of what" in texts[0] and "first" in texts[0]
    assert str(BASE.digest) in texts[0]
    assert said < next(n for n, event in enumerate(told) if isinstance(event, BlobPlanned))
    # The kept bundle leaves it out too, and the registry that has it puts it to the rest.
    assert verify.run(VerifySpec(kept), discard, TOKEN).ok
    assert sides.push("kept").exit_code == 0
    for image in NEW:
        assert there(sides, image) == image.digest


def test_the_base_may_come_into_the_kept_bundle_after_its_update(sides: Sides) -> None:
    receipt, kept = sides.work / "receipt.json", sides.work / "kept"
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW, have=(receipt,))
    for name in ("second", "first"):
        spec = ImportSpec((sides.work / name,), kept, settings=sides.settings)
        assert importing.run(spec, discard, TOKEN).exit_code == 0
    result = verify.run(VerifySpec(kept), discard, TOKEN)
    assert result.ok
    assert result.left_out == ()
    again = ImportSpec((sides.work / "second",), kept, settings=sides.settings)
    assert importing.run(again, discard, TOKEN).left_out == ()


def test_an_import_leaves_a_receipt_of_what_is_there(sides: Sides) -> None:
    receipt = sides.work / "imported.json"
    spec = ImportSpec(
        (sides.work / "first",), sides.work / "kept", settings=sides.settings, receipt=receipt
    )
    result = importing.run(spec, discard, TOKEN)
    assert result.receipts == (receipt,)
    assert len(result.codes) == 1
    written = Receipt.parse(receipt.read_bytes(), "here")
    assert written.holder is Holder.BUNDLE
    assert [base.name for base in written.bundles] == ["first"]
    assert {str(digest) for digest in written.digests} == {FIRST.digest, *FIRST.blobs}
    planned = plan.run(
        SaveSpec(sides.references(*NEW), sides.work / "second", sides.settings, have=(receipt,)),
        discard,
        TOKEN,
    )
    assert planned.left_out == len(BASE.blob) + len(OLD.blob)


@pytest.mark.parametrize("form", list(Form))
def test_an_export_leaves_out_what_the_offline_side_has(sides: Sides, form: Form) -> None:
    if form is Form.ISO:
        program("xorriso")
    receipt, medium = sides.work / "receipt.json", sides.work / "medium"
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW)
    whole = (sides.work / "second" / layout.INVENTORY).read_bytes()
    medium.mkdir()
    spec = ExportSpec(sides.work / "second", medium, form, settings=sides.settings, have=(receipt,))
    planned = export_plan.run(spec, discard, TOKEN)
    told: list[Event] = []
    result = export.run(spec, told.append, TOKEN)
    assert (planned.left_out, planned.bytes) == (result.left_out, result.bytes)
    assert result.left_out == len(BASE.blob) + len(OLD.blob)
    assert any("are left out" in event.text for event in told if isinstance(event, Note))
    (volume,) = (medium / item.reference for item in result.items)
    assert stored(volume) == new_content()
    checked = verify.run(VerifySpec(volume, sides.settings), discard, TOKEN)
    assert checked.ok
    assert [one.base for one in checked.left_out] == ["first"]
    again = export.run(spec, discard, TOKEN)
    assert [item.state for item in again.items] == [ItemState.HELD], "the same volume every time"
    pushed = push.run(PushSpec(volume, sides.naming, sides.settings), discard, TOKEN)
    assert pushed.exit_code == 0
    for image in NEW:
        assert there(sides, image) == image.digest
    assert (sides.work / "second" / layout.INVENTORY).read_bytes() == whole
    assert not list(sides.settings.state_dir.glob("lean-*"))


def test_what_is_left_out_of_a_signed_bundle_is_signed_anew(sides: Sides, tmp_path: Path) -> None:
    receipt, key = sides.work / "receipt.json", make_key(tmp_path / "key").file
    sides.push("first", receipt=receipt)
    sides.save("second", *NEW)
    seal.run(SealSpec(sides.work / "second", key, sides.settings), discard, TOKEN)
    spec = ExportSpec(
        sides.work / "second", sides.work / "medium", settings=sides.settings, have=(receipt,)
    )
    with pytest.raises(UsageError, match="signed as a whole"):
        export.run(spec, discard, TOKEN)
    result = export.run(replace(spec, key=key), discard, TOKEN)
    volume = sides.work / "medium" / result.items[0].reference
    checked = verify.run(VerifySpec(volume, sides.settings), discard, TOKEN)
    assert checked.signature.standing is Standing.UNKNOWN_KEY
