"""The base of an update, in the registry that the update goes to: what the bundle leaves out is
found there, in whatever repository has it, and is copied to where it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    InvalidReference,
    Stopped,
    TemporaryFailure,
    UsageError,
)
from airgap_tui.engine.jobs.left_out import LeftOut, absent_of
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.oci.content import Closure, Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.registry.target import RegistryTarget


class RegistryBase:
    """Implements `content.Source`: a bundle, and for what it leaves out the registry itself, where
    that does not pass it on between its repositories of its own."""

    def __init__(
        self, bundle: BundleReader, naming: Naming, registry: RegistrySource, token: CancelToken
    ) -> None:
        self._bundle = bundle
        self._naming = naming
        self._registry = registry
        self._token = token
        self._places: dict[Digest, Reference] = {}

    def missing(
        self, deliveries: Sequence[Delivery], target: RegistryTarget
    ) -> tuple[LeftOut, ...]:
        """What is left out and the registry has nowhere. Raises `TemporaryFailure`, `Stopped`, and
        `AccessDenied` for a login that is refused: nothing can be said of what it has then."""
        if not self._bundle.inventory.assumes:
            return ()
        names = {delivery.reference: delivery.name for delivery in deliveries}
        needing: dict[Digest, list[Reference]] = {}
        for delivery in deliveries:
            for blob in delivery.closure.needed:
                needing.setdefault(blob.digest, []).append(delivery.name)

        def has(closure: Closure, layer: Descriptor) -> bool:
            if layer.digest in self._places:
                return True
            for place in self._candidates(layer, names[closure.reference], needing):
                self._token.check()
                if self._is_at(place, layer, target):
                    self._places[layer.digest] = place
                    return True
            return False

        return absent_of(self._bundle, (delivery.closure for delivery in deliveries), has)

    def resolve(
        self, reference: Reference, platform: Platform | None, token: CancelToken
    ) -> Closure:
        return self._bundle.source.resolve(reference, platform, token)

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        place = self._places.get(blob.digest)
        if place is None:
            return self._bundle.source.open(reference, blob, offset, token)
        return self._registry.open(place, blob, offset, token)

    def _candidates(
        self, layer: Descriptor, own: Reference, needing: dict[Digest, list[Reference]]
    ) -> Iterator[Reference]:
        """Where the layer may be: where it goes to, where the receipt says that it is, where this
        push would put the image that had it, where else it goes."""
        known = self._bundle.inventory.assumed[layer.digest].layers[layer.digest]
        places = [own, _parsed(known.repository)]
        if (image := _parsed(known.image)) is not None:
            with suppress(UsageError):  # a name that this push's rules cannot place
                places.append(self._naming.target(image))
        seen = set()
        for place in (*places, *needing.get(layer.digest, ())):
            if place is None or place.registry != own.registry or place.name in seen:
                continue
            seen.add(place.name)
            yield replace(place, tag=None, digest=layer.digest)

    def _is_at(self, place: Reference, layer: Descriptor, target: RegistryTarget) -> bool:
        """Whether a repository has the layer; the target remembers it, and mounts it from there."""
        for asked in (target.has, self._registry.has):
            try:
                return asked(place, layer, self._token)
            except Stopped:
                raise
            except TemporaryFailure as failure:
                if not failure.status:
                    raise  # nobody answers there: that is so for all layers, and told once
            except AirgapError as error:
                if isinstance(error, AccessDenied) and error.login_refused:
                    raise
                # A login that may not push there may still read.
        return False


def _parsed(text: str) -> Reference | None:
    """A name out of a receipt; None for what is none."""
    try:
        return Reference.parse(text) if text else None
    except InvalidReference:
        return None
