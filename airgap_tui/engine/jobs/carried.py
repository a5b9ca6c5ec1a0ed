"""Records of what was made ready to carry here, in the state directory: without them a delivery
code from the other side would mean nothing. And the receipts of what was delivered here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.inventory import SIGNATURE, Inventory
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.assumption import Base
from airgap_tui.engine.bundle.receipts.receipt import MAX_BYTES, Holder, Receipt, Received
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure
from airgap_tui.engine.events import ItemState, Level, Note, Sink
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.plain_text import harmless

_CARRIED = "carried"
_RECEIPTS = "receipts"
_MOST = 10_000
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


def base_of(inventory: Inventory) -> tuple[Base, ...]:
    """The bundle as a receipt names it; nothing for what another tool wrote."""
    return (Base(inventory.id, inventory.name),) if inventory.id else ()


def images_of(bundle: BundleReader, token: CancelToken) -> tuple[Received, ...]:
    """The finished images of a bundle with all that they need, left out or not."""
    found = []
    for item in bundle.items:
        token.check()
        if item.state is ItemState.DONE and item.digest is not None and item.kind != SIGNATURE:
            needs = bundle.closure(item).digests
            found.append(Received(item.name, item.digest, needs))
    return tuple(found)


def record(bundle: BundleReader, state_dir: Path, sink: Sink, token: CancelToken) -> None:
    """Write down what is carried, for the delivery code that may come back. A bundle that is made
    ready again replaces its own record, one that has changed since gets another. Carrying goes on
    without it."""
    inventory = bundle.inventory
    written = inventory.updated or inventory.created
    place = str(bundle.storage.location)
    record = Receipt(
        "", written, Holder.BUNDLE, place, base_of(inventory), images_of(bundle, token)
    )
    content = "".join(f"{image.name} {image.digest}\n" for image in record.images)
    name = f"{_fit(inventory.id)}-{Digest.of(content.encode()).short}.json"
    try:
        _write(state_dir / _CARRIED / name, record)
    except EnvironmentFailure as error:
        text = f"A delivery code will not be understood here: {error.message}"
        sink(Note(text, Level.WARNING))


def records(state_dir: Path) -> Iterator[Receipt]:
    """What was made ready to carry here, the latest first; what cannot be read is none of it."""
    try:
        paths = sorted((state_dir / _CARRIED).glob("*.json"), key=_age)[:_MOST]
    except OSError:
        return
    for path in paths:
        try:
            with path.open("rb") as file:
                yield Receipt.parse(file.read(MAX_BYTES), str(path))
        except (OSError, AirgapError):
            continue


def was_carried(bundle: Path, since: float, state_dir: Path) -> bool:
    """Whether the bundle was made ready to carry here after that moment, in seconds since 1970.

    Raises as `BundleReader.open`."""
    identity = BundleReader.open(bundle).inventory.id
    try:
        found = [*(state_dir / _CARRIED).glob(f"{_fit(identity)}-*.json")]
    except OSError:
        return False
    return any(-_age(path) >= since for path in found)


def keep_receipt(receipt: Receipt, state_dir: Path, beside: Path | None, sink: Sink) -> Path | None:
    """Keep a receipt in the state directory, and where it was asked for; where it lies then.

    Raises `EnvironmentFailure` only for the latter: the delivery itself has succeeded."""
    bundle = receipt.bundles[0].name if receipt.bundles else "bundle"
    name = f"{_fit(receipt.written)}-{_fit(bundle)}.json"
    kept: Path | None = state_dir / _RECEIPTS / name
    try:
        _write(state_dir / _RECEIPTS / name, receipt)
    except AirgapError as error:
        kept = None
        sink(Note(f"The receipt could not be kept: {error.message}", Level.WARNING))
    if beside is not None:
        _write(beside, receipt)
        sink(Note(f"The receipt for the online side is {beside}"))
    return beside or kept


def only(receipt: Receipt, names: Iterable[str]) -> Receipt:
    """The receipt for a part of its images."""
    wanted = set(names)
    return replace(receipt, images=tuple(i for i in receipt.images if i.name in wanted))


def _write(path: Path, receipt: Receipt) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, receipt.format(), path.with_name(f".{path.name}.new"))


def _fit(text: str) -> str:
    return _UNFIT.sub("-", harmless(text))[:60] or "bundle"


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
