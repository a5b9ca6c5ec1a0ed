"""Writes a receipt of what a kept bundle has, of what a registry really holds of it, or of what a
delivery code stands for; signed on request."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.inventory import SIGNATURE, Item, now
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.receipt import Holder, Receipt, Received
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signed_bundle import allowed_signers, check
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, NotFound, TemporaryFailure, UsageError
from airgap_tui.engine.events import ItemState, JobFinished, JobStarted, Note, Sink
from airgap_tui.engine.jobs.carried import base_of, images_of, only
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.known import receipt_for
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sign import signing
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class ReceiptsSpec:
    """`registry` asks that registry for each file of the bundle; `code` is a delivery code of it.
    `wanted` are images that the next bundle should bring; with `discover` also those that are in
    use on this machine, or in the files of `in_use`, and that the bundle does not hold. `site` is
    what to call the offline side, empty for this machine's name. `key` signs, see `SignSpec`."""

    bundle: Path
    output: Path
    registry: Naming | None = None
    code: str = ""
    wanted: tuple[Reference, ...] = ()
    site: str = ""
    key: Path | None = None
    settings: Settings = field(default_factory=Settings)
    discover: bool = False
    in_use: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptsResult:
    """Items are failed where they are not there whole: the receipt does not list them. `wanted` is
    what it asks for."""

    items: tuple[ItemResult, ...]
    output: Path
    digests: int
    signature: Signature
    seconds: float
    wanted: tuple[Reference, ...] = ()

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "receipt": str(self.output),
            "items": [item.to_json() for item in self.items],
            "digests": self.digests,
            "wanted": [str(reference) for reference in self.wanted],
            "signature": self.signature.to_json(),
            "seconds": round(self.seconds, 3),
        }


def run(
    spec: ReceiptsSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
) -> ReceiptsResult:
    """Write the receipt. Raises what opening the bundle raises, `NotFound` for a code that is not
    of it, and `TemporaryFailure` where nobody answers at the registry's address."""
    started = time.monotonic()
    if spec.registry is not None and spec.code:
        raise UsageError("a delivery code and a registry cannot both be asked")
    bundle = BundleReader.open(spec.bundle)
    with signing(spec.key, sink, token) as signer:
        if signer is not None:
            signer.make_ready()
        result = _receipt(spec, bundle, signer, started, credentials, sink, token)
    sink(JobFinished("receipt", result.exit_code))
    return result


def _receipt(
    spec: ReceiptsSpec,
    bundle: BundleReader,
    signer: Signer | None,
    started: float,
    credentials: CredentialStore | None,
    sink: Sink,
    token: CancelToken,
) -> ReceiptsResult:
    items = [i for i in bundle.items if i.kind != SIGNATURE]
    sink(JobStarted("receipt", str(spec.bundle), tuple(item.name for item in items)))
    if spec.registry is not None:
        credentials = credentials or CredentialStore.load()
        with closing(RegistrySource(spec.settings.network, credentials, sink)) as registry:
            receipt = _of_registry(spec, bundle, items, registry, token)
    else:
        receipt = _of_bundle(spec, bundle, token)
    receipt = replace(receipt, wanted=_wanted(spec, items, sink, token))
    results = _results(items, receipt, sink)
    signature = _write(spec, receipt, signer, sink, token)
    return ReceiptsResult(
        results,
        spec.output,
        len(receipt.digests),
        signature,
        time.monotonic() - started,
        receipt.wanted,
    )


def _wanted(
    spec: ReceiptsSpec, items: Sequence[Item], sink: Sink, token: CancelToken
) -> tuple[Reference, ...]:
    if not spec.discover:
        return spec.wanted
    # Discovery reads many formats: only who asks for it waits for them to be imported.
    from airgap_tui.engine.jobs.wanted_next import in_use, wanted_next

    found = wanted_next(in_use(spec.in_use, sink, token), items, spec.registry, sink)
    return tuple(dict.fromkeys((*spec.wanted, *found)))


def _of_bundle(spec: ReceiptsSpec, bundle: BundleReader, token: CancelToken) -> Receipt:
    place = f"the bundle {bundle.name}"
    base = base_of(bundle.inventory)
    if spec.code:
        # A code speaks of what went over, whatever has become of the bundle here since.
        shipped = Receipt("", now(), Holder.BUNDLE, place, base, images_of(bundle, token))
        return replace(receipt_for(spec.code, (shipped,)), site=spec.site)
    site = spec.site or socket.gethostname()
    whole = [item.name for item in bundle.items if _is_whole(bundle, item, token)]
    receipt = Receipt(site, now(), Holder.BUNDLE, place, base, _finished(bundle, token))
    return only(receipt, whole)


def _finished(bundle: BundleReader, token: CancelToken) -> tuple[Received, ...]:
    """The images of a bundle whose manifests can be read."""
    found = []
    for item in bundle.items:
        if item.kind == SIGNATURE or item.state is not ItemState.DONE or item.digest is None:
            continue
        token.check()
        try:
            needs = bundle.closure(item).digests
        except AirgapError:
            continue
        found.append(Received(item.name, item.digest, needs))
    return tuple(found)


def _is_whole(bundle: BundleReader, item: Item, token: CancelToken) -> bool:
    """Whether every file of an item is here; one that was left out on purpose is not."""
    token.check()
    try:
        closure = bundle.closure(item) if item.state is ItemState.DONE else None
    except AirgapError:
        return False
    return closure is not None and all(bundle.holds(blob) for blob in closure.needed)


def _of_registry(
    spec: ReceiptsSpec,
    bundle: BundleReader,
    items: Sequence[Item],
    registry: RegistrySource,
    token: CancelToken,
) -> Receipt:
    """What the registry has now under the names that a push gives; it is asked for every file."""
    assert spec.registry is not None  # noqa: S101 - asked for by the caller
    names = spec.registry.assign(item.reference for item in items)

    def received(image: Received) -> Received | None:
        name = names[Reference.parse(image.name)]
        item = bundle.inventory.named(Reference.parse(image.name))
        assert item is not None  # noqa: S101 - it came from there
        try:
            registry.head(replace(name, digest=image.digest), token)
            blobs = bundle.closure(item).blobs
            if not all(registry.has(name, blob, token) for blob in blobs):
                return None
        except TemporaryFailure as failure:
            if not failure.status:
                raise
            return None
        except AirgapError:
            return None
        return replace(image, repository=name.name)

    found = in_parallel(received, _finished(bundle, token), spec.settings.transfers, token)
    prefix = f"/{spec.registry.prefix}" if spec.registry.prefix else ""
    return Receipt(
        spec.site or socket.gethostname(),
        now(),
        Holder.REGISTRY,
        f"{spec.registry.registry}{prefix}",
        base_of(bundle.inventory),
        tuple(image for image in found if image is not None),
    )


def _results(items: Sequence[Item], receipt: Receipt, sink: Sink) -> tuple[ItemResult, ...]:
    there = {image.name for image in receipt.images}
    results = []
    for item in items:
        result = ItemResult(item.name, ItemState.DONE, str(item.digest or ""), item.bytes)
        if item.name not in there:
            absent = NotFound(
                f"{item.name} is not whole in {receipt.place}",
                hint="The receipt does not list it, so the next bundle brings all of it.",
            )
            result = ItemResult.failed(item.name, absent)
        results.append(result.told(sink))
    return tuple(results)


def _write(
    spec: ReceiptsSpec, receipt: Receipt, signer: Signer | None, sink: Sink, token: CancelToken
) -> Signature:
    content, path = receipt.format(), spec.output
    beside = path.with_name(f"{path.name}.sig")
    made = b"" if signer is None else signer.sign(content)
    with writing(path):
        beside.unlink(missing_ok=True)
    replace_file(path, content, path.with_name(f".{path.name}.new"))
    sink(Note(f"{path} lists {count(len(receipt.digests), 'digest')} of {receipt.place}"))
    if not made:
        return Signature()
    replace_file(beside, made, path.with_name(f".{beside.name}.new"))
    return check(content, made, allowed_signers(spec.settings.trust), token)
