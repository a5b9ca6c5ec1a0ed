"""What a transfer has to move: the distinct blobs that its target lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, NoRoom, Stopped, TemporaryFailure
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.logins import Logins, Patience
from airgap_tui.engine.oci.content import Closure, Target
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import Attempts, RetryPolicy


@dataclass(frozen=True, slots=True)
class Delivery:
    """A closure on its way: `reference` is its name at the source, `name` the one it gets."""

    reference: Reference
    name: Reference
    closure: Closure

    @property
    def item(self) -> str:
        """How events name it."""
        return str(self.reference)


@dataclass(slots=True)
class Shipment:
    """One distinct blob, and for each scope that lacks it the deliveries that wait for it there.

    `arrived` says that one of its scopes has it already.
    """

    blob: Descriptor
    places: list[list[int]] = field(default_factory=list)
    arrived: bool = False

    @property
    def deliveries(self) -> set[int]:
        return {index for place in self.places for index in place}


def lacking(
    target: Target,
    deliveries: Sequence[Delivery],
    retry: RetryPolicy,
    threads: int,
    token: CancelToken,
    logins: Logins | None = None,
) -> tuple[list[Shipment], dict[int, AirgapError]]:
    """The blobs that the target lacks, biggest first, and the deliveries for which it could not
    tell, with the reason. Deliveries go by their index. With `logins`, a refused login is waited
    for: what is to be moved is known once all have answered. Raises `Stopped` and `NoRoom`."""
    needs: dict[tuple[str, Digest], list[int]] = {}
    blobs: dict[Digest, Descriptor] = {}
    for index, delivery in enumerate(deliveries):
        scope = target.scope(delivery.name)
        for blob in delivery.closure.needed:
            blobs.setdefault(blob.digest, blob)
            needs.setdefault((scope, blob.digest), []).append(index)

    def lacks(need: tuple[tuple[str, Digest], list[int]]) -> bool | AirgapError:
        (_scope, digest), indexes = need
        name, attempts = deliveries[indexes[0]].name, Attempts(retry)
        items = [deliveries[index].item for index in indexes]
        patience = Patience(name.registry, logins, token)
        try:
            while True:
                try:
                    return not patience.ask(lambda: target.has(name, blobs[digest], token), items)
                except TemporaryFailure as failure:
                    token.sleep(attempts.delay_after(failure))
        except (Stopped, NoRoom):
            raise
        except AirgapError as error:
            return error

    shipments: dict[Digest, Shipment] = {}
    failed: dict[int, AirgapError] = {}
    answers = in_parallel(lacks, needs.items(), threads, token)
    for ((_scope, digest), indexes), answer in zip(needs.items(), answers, strict=True):
        if isinstance(answer, AirgapError):
            for index in indexes:
                failed.setdefault(index, answer)
        elif answer:
            shipments.setdefault(digest, Shipment(blobs[digest])).places.append(indexes)
    return sorted(shipments.values(), key=lambda s: (-s.blob.size, s.blob.digest)), failed
