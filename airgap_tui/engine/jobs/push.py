"""Push a bundle into a registry: every name decided before anything is sent, every byte verified on
its way, and each image's digest compared with what the registry says it holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import remedies
from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.receipt import Holder, Received
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import (
    AirgapError,
    ContentError,
    ContentMismatch,
    NotFound,
    Stopped,
    TemporaryFailure,
)
from airgap_tui.engine.events import (
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Sink,
)
from airgap_tui.engine.jobs.archive_bundle import opened
from airgap_tui.engine.jobs.delivered import Left, Place, leave_receipt
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.left_out import refuse
from airgap_tui.engine.jobs.logins import Logins, Patience
from airgap_tui.engine.jobs.projects import create_missing
from airgap_tui.engine.jobs.registry_base import RegistryBase
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.jobs.sources import archives_in, volumes_in
from airgap_tui.engine.jobs.transfer import Delivered, transfer
from airgap_tui.engine.jobs.trust import check_signatures, refuse_archives
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.registry.target import RegistryTarget
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class PushSpec:
    """What goes where: a bundle, or `docker save` archives. `references` empty means all of it.

    `others` are further volumes of the set that `bundle` belongs to. `work` is where archives may
    be unpacked, None for beside them. `receipt` is where the receipt for the online side is
    written besides the state directory. `create_projects` has a Harbor make those that it lacks.
    """

    bundle: Path
    naming: Naming
    settings: Settings = field(default_factory=Settings)
    references: tuple[Reference, ...] = ()
    work: Path | None = None
    receipt: Path | None = None
    others: tuple[Path, ...] = ()
    create_projects: bool = False


@dataclass(frozen=True, slots=True)
class PushResult:
    """`sent` are the bytes that went over the wire: what the registry lacked. `code` is the
    delivery code, empty where too much is missing for one; `receipt` is where that lies."""

    items: tuple[ItemResult, ...]
    sent: int
    seconds: float
    code: str = ""
    receipt: Path | None = None

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "bytes": {"sent": self.sent},
            "deliveryCode": self.code or None,
            "receipt": None if self.receipt is None else str(self.receipt),
            "seconds": round(self.seconds, 3),
        }


def run(
    spec: PushSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
    logins: Logins | None = None,
) -> PushResult:
    """Push all or the chosen images, indexes with their children, signatures after their images.

    With `logins`, which bring their credentials, a registry that refuses a login is waited for,
    whatever it was asked; without, its images fail.
    Raises `NameConflict` before anything is sent where two sources would get one name,
    `SignatureRefused`, `AccessDenied` where a project is to be created and may not be, and
    `TemporaryFailure` where nobody answers at the registry's address.
    """
    started = time.monotonic()
    if spec.settings.trust.required:
        for path in (spec.bundle, *spec.others):
            if not volumes_in(path):
                refuse_archives(archives_in(path), spec.settings.trust)
    credentials = logins.credentials if logins else credentials or CredentialStore.load()
    with opened((spec.bundle, *spec.others), spec.work, sink, token) as (bundle, unreadable):
        check_signatures((bundle,), spec.settings.trust, sink, token)
        items, sent, left = _push(spec, bundle, sink, token, credentials, logins)
    result = PushResult(
        (*items, *unreadable), sent, time.monotonic() - started, left.code, left.receipt
    )
    sink(JobFinished("push", result.exit_code))
    return result


def _push(
    spec: PushSpec,
    bundle: BundleReader,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore,
    logins: Logins | None,
) -> tuple[tuple[ItemResult, ...], int, Left]:
    """The items' results, the bytes that were sent, and what there is for the online side."""
    items = chosen_items(bundle, spec.references)
    names = spec.naming.assign(item.reference for item in items)
    sink(JobStarted("push", spec.naming.registry, tuple(str(item.reference) for item in items)))
    network, registry = spec.settings.network, spec.naming.registry
    target = RegistryTarget(registry, network, credentials, sink)
    source = RegistrySource(network, credentials, sink)
    results: dict[Reference, ItemResult] = {}
    try:
        deliveries = []
        for item in items:
            opened = _open(bundle, item, names[item.reference], sink)
            if isinstance(opened, ItemResult):
                results[item.reference] = opened
            else:
                deliveries.append(opened)
        base = RegistryBase(bundle, spec.naming, source, token)
        patience, all_items = Patience(registry, logins, token), [d.item for d in deliveries]
        missing = patience.ask(lambda: base.missing(deliveries, target), all_items)
        refuse(str(spec.bundle), missing)
        if spec.create_projects:
            repositories = [d.name.repository for d in deliveries]
            patience.ask(lambda: create_missing(target, repositories, sink, token), all_items)
        there = in_parallel(
            lambda d: _is_there(d, source, patience), deliveries, spec.settings.transfers, token
        )
        for delivery, already in zip(deliveries, there, strict=True):
            if already:
                results[delivery.reference] = _held(delivery, sink)
        transferred = transfer(
            base,
            target,
            [delivery for delivery in deliveries if delivery.reference not in results],
            state=ItemState.PUSHING,
            transfers=spec.settings.transfers,
            retry=network.retry,
            sink=sink,
            token=token,
            logins=logins,
        )
        for delivered in transferred.deliveries:
            results[delivered.delivery.reference] = _result(delivered)
    finally:
        source.close()
        target.close()
    place = Place(Holder.REGISTRY, _place(spec.naming), spec.settings, spec.receipt)
    images = [
        Received(d.reference.tagged_name, d.closure.root.digest, d.closure.digests, d.name.name)
        for d in deliveries
        if results[d.reference].succeeded
    ]
    # What was unpacked from archives has no counterpart on the online side that knows its code.
    archived = not volumes_in(spec.bundle) and bool(archives_in(spec.bundle))
    left = leave_receipt(bundle, images, place, sink, code=not archived)
    return tuple(results[item.reference] for item in items), transferred.bytes, left


def _place(naming: Naming) -> str:
    return f"{naming.registry}/{naming.prefix}" if naming.prefix else naming.registry


def chosen_items(bundle: BundleReader, references: Sequence[Reference]) -> tuple[Item, ...]:
    """The items of the given names, or all that are done; signatures go along with their images.

    Raises `NotFound`, which names what the bundle does not hold and what it does.
    """
    items = [item for item in bundle.items if item.kind != SIGNATURE]
    if references:
        known = {item.name: item for item in items}
        absent = [str(r) for r in references if r.tagged_name not in known]
        if absent:
            raise NotFound(
                f"{bundle.storage.location} does not hold {', '.join(absent)}",
                hint="It holds " + ", ".join(sorted(known)) + ".",
            )
        wanted = {reference.tagged_name for reference in references}
        items = [item for item in items if item.name in wanted]
    if not any(item.state is ItemState.DONE for item in items):
        raise NotFound(
            f"{bundle.storage.location} holds no finished image",
            hint="Save or import images into it first.",
        )
    return tuple(items)


def _open(bundle: BundleReader, item: Item, name: Reference, sink: Sink) -> Delivery | ItemResult:
    """The item's closure, or why it cannot be pushed: told before anything is sent."""
    reference = str(item.reference)
    try:
        if item.state is not ItemState.DONE:
            raise NotFound(
                f"{reference} is not complete in the bundle:"
                f" {item.error or 'it was not saved completely'}",
                hint=remedies.UNFINISHED,
            )
        closure = bundle.closure(item)
        absent = bundle.lacking(closure)
        for image in closure.images:
            if bundle.holds(image.config):
                bundle.check_config(image)
        if absent:
            raise ContentMismatch(
                f"{reference}: {count(len(absent), 'file')} missing or damaged in the bundle, as"
                f" {absent[0].digest}",
                hint=remedies.VERIFY,
            )
    except AirgapError as error:
        sink(ItemChanged(reference, ItemState.FAILED, error.message))
        return replace(ItemResult.failed(reference, error), target=name.tagged_name)
    return Delivery(item.reference, name, closure)


def _is_there(delivery: Delivery, registry: RegistrySource, patience: Patience) -> bool:
    """Whether the registry has this very content under this name already."""
    if delivery.name.tag is None:
        return False
    tag = replace(delivery.name, digest=None)
    try:
        named = patience.ask(lambda: registry.head(tag, patience.token), [delivery.item])
    except TemporaryFailure as failure:
        if not failure.status:
            raise  # nobody answers there: that is so for all images, and told once
        return False
    except Stopped:
        raise
    except AirgapError:
        return False  # whatever is wrong will be said where it matters: when content is sent
    return named.digest == delivery.closure.root.digest


def _held(delivery: Delivery, sink: Sink) -> ItemResult:
    digest, size = str(delivery.closure.root.digest), delivery.closure.size
    sink(ItemSized(delivery.item, size, 0))
    sink(ItemChanged(delivery.item, ItemState.HELD, "the registry has it", digest))
    return ItemResult(
        delivery.item,
        ItemState.HELD,
        digest,
        size,
        target=delivery.name.tagged_name,
        target_digest=digest,
    )


def _result(delivered: Delivered) -> ItemResult:
    delivery, name = delivered.delivery, delivered.delivery.name.tagged_name
    if delivered.error is not None:
        failed = ItemResult.failed(delivery.item, delivered.error)
        hint = failed.hint
        if not hint and isinstance(delivered.error, ContentError):
            hint = remedies.VERIFY
        return replace(failed, target=name, hint=hint)
    return ItemResult(
        delivery.item,
        ItemState.DONE,
        str(delivery.closure.root.digest),
        delivery.closure.size,
        target=name,
        target_digest=str(delivered.digest),
    )
