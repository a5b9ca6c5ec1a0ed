"""What the offline side has, by its receipts and delivery codes: `--have` of plan and save."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.bundle.receipts.assumption import Assumption, KnownLayer
from airgap_tui.engine.bundle.receipts.delivery_code import Shipped
from airgap_tui.engine.bundle.receipts.receipt import MAX_BYTES, Holder, Receipt
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signed_bundle import (
    MAX_SIGNATURE_BYTES,
    allowed_signers,
    check,
)
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, NotFound, UnsafeContent
from airgap_tui.engine.events import Note, Sink
from airgap_tui.engine.jobs import trust as trusting
from airgap_tui.engine.jobs.carried import records
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Settings, Trust


class Known:
    """The layers that need not be carried. Manifests and configs always are: they are small, and
    without them nobody could tell what a bundle holds."""

    def __init__(self, receipts: Sequence[Receipt] = ()) -> None:
        self._receipts = tuple(receipts)

    def assumptions(
        self, closures: Iterable[Closure], before: tuple[Assumption, ...] = ()
    ) -> tuple[Assumption, ...]:
        """What may be left out of these closures, added to what was left out before."""
        needed: dict[Digest, tuple[Descriptor, set[Digest]]] = {}
        for closure in closures:
            for layer in _layers(closure):
                needed.setdefault(layer.digest, (layer, set()))[1].add(closure.root.digest)
        kept = tuple(self._still(assumption, needed) for assumption in before)
        taken = {digest for assumption in kept for digest in assumption.layers}
        found: dict[int, dict[Digest, KnownLayer]] = {}
        for digest in needed.keys() - taken:
            layer, roots = needed[digest]
            number = self._holder(digest, roots)
            if number is not None:
                image = self._receipts[number].having[digest]
                known = KnownLayer(layer.size, image.name, image.repository)
                found.setdefault(number, {})[digest] = known
        new = (_assumption(self._receipts[number], found[number]) for number in sorted(found))
        return (*(assumption for assumption in kept if assumption.layers), *new)

    def _holder(self, digest: Digest, roots: set[Digest]) -> int | None:
        """The first receipt by which the images of these roots may leave a layer out. An engine's
        layers count only where it has the whole image: it loads no part of one."""
        for number, receipt in enumerate(self._receipts):
            whole = receipt.holder is not Holder.ENGINE or roots <= receipt.roots
            if digest in receipt.having and whole:
                return number
        return None

    def _still(
        self, assumption: Assumption, needed: Mapping[Digest, tuple[Descriptor, set[Digest]]]
    ) -> Assumption:
        """What was left out before; less what an image needs now that an engine has not whole."""
        if not assumption.whole_images:
            return assumption
        roots = {root for r in self._receipts if r.holder is Holder.ENGINE for root in r.roots}
        layers = {
            digest: known
            for digest, known in assumption.layers.items()
            if digest not in needed or needed[digest][1] <= roots
        }
        return replace(assumption, layers=layers)


def known_of(
    have: Sequence[Path], codes: Sequence[str], settings: Settings, sink: Sink, token: CancelToken
) -> Known:
    """Read receipts, and look up what delivery codes stand for.

    Raises `MalformedContent`, `SignatureRefused`, and `NotFound` for a code that is of no bundle
    made ready here."""
    receipts = [read_receipt(path, settings.trust, sink, token) for path in have]
    receipts += [receipt_for(code, records(settings.state_dir)) for code in codes]
    for receipt in receipts:
        images = count(len(receipt.images), "image")
        text = f"{receipt.site} has {images} in {receipt.place}, by a receipt of"
        sink(Note(f"{text} {receipt.written[:10]}"))
        if receipt.wanted:
            names = ", ".join(str(reference) for reference in receipt.wanted)
            sink(Note(f"{receipt.site} asks for: {names}"))
    return Known(receipts)


def read_receipt(path: Path, trust: Trust, sink: Sink, token: CancelToken) -> Receipt:
    """A receipt in a file, with the signature beside it checked if there is one."""
    raw = _read(path, MAX_BYTES)
    beside = path.with_name(f"{path.name}.sig")
    signature = Signature()
    if beside.exists():
        made = _read(beside, MAX_SIGNATURE_BYTES)
        signature = check(raw, made, allowed_signers(trust), token)
        sink(Note(f"{path.name}: {signature.sentence}"))
    trusting.refuse(signature, trust, str(path))
    return Receipt.parse(raw, str(path))


def receipt_for(code: str, carried: Iterable[Receipt]) -> Receipt:
    """The receipt that a delivery code stands for, of the bundles that were carried."""
    for record in carried:
        arrived = Shipped.as_recorded(record).arrived(code)
        if arrived is not None:
            holder, names = arrived
            there = tuple(image for image in record.images if image.name in names)
            return replace(record, holder=holder, images=there, place="the offline side")
    raise NotFound(
        f"the delivery code {code} is not of a bundle that was made ready to carry here",
        hint="Compare it with the other side: a slip of one character is enough. A code of a bundle"
        " from another machine: airgap-tui receipt --code CODE -b BUNDLE -o FILE there.",
    )


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no receipt {path}",
            hint="Name a file that  airgap-tui receipt  wrote, or a delivery code.",
        ) from None
    except OSError as error:
        raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > limit:
        raise UnsafeContent(f"{path} has more than {limit} bytes, which are refused")
    return raw


def _layers(closure: Closure) -> Iterable[Descriptor]:
    configs = {d.config.digest for d in closure.documents if isinstance(d, Manifest)}
    return (blob for blob in closure.blobs if blob.digest not in configs)


def _assumption(receipt: Receipt, layers: dict[Digest, KnownLayer]) -> Assumption:
    place = f"{receipt.place} of {receipt.site}" if receipt.site else receipt.place
    whole_images = receipt.holder is Holder.ENGINE
    return Assumption(receipt.site, place, receipt.written, receipt.bundles, layers, whole_images)
