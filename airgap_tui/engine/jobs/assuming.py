"""What an update assumes, taken over by the bundle that it is imported into: reported before
anything is copied, and left out there too. A registry that has it completes it, or its bundle comes
later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle.closure import closure_below
from airgap_tui.engine.bundle.names import present, root_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentError, NotFound
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.jobs.lacking import as_it_is
from airgap_tui.engine.jobs.left_out import LeftOut, absent_of, in_words
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.manifest import Index, Manifest

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.receipts.assumption import Assumption


def take_over(
    reader: BundleReader, writer: BundleWriter, sink: Sink, token: CancelToken
) -> tuple[LeftOut, ...]:
    """What neither the media nor the kept bundle have, as far as manifests are here by now."""
    if not reader.inventory.assumes:
        return ()
    kept = as_it_is(writer)
    left_out = absent_of(
        reader, _closures(reader, kept, token), lambda _closure, layer: kept.holds(layer)
    )
    if not left_out:
        return ()
    text = f"{reader.storage.location} is an update of what {writer.path} does not hold"
    sink(Note(f"{text}: {in_words(left_out)}", Level.WARNING))
    absent = {digest for one in left_out for digest in one.digests}
    carried = (
        replace(one, layers={d: known for d, known in one.layers.items() if str(d) in absent})
        for one in reader.inventory.assumes
    )
    writer.assume(_joined(writer.inventory.assumes, carried))
    return left_out


def _closures(media: BundleReader, kept: BundleReader, token: CancelToken) -> Iterator[Closure]:
    """Of every item, where each of its manifests is on the media or came before: they may lie on
    different volumes, and discs are read one by one."""

    def load(descriptor: Descriptor) -> Manifest | Index:
        try:
            return media.document(descriptor.digest, descriptor.media_type)
        except (NotFound, ContentError):
            return kept.document(descriptor.digest, descriptor.media_type)

    for item in present(media.inventory):
        token.check()
        with suppress(NotFound, ContentError):
            yield closure_below(item.reference, root_of(item), load)


def _joined(before: Iterable[Assumption], carried: Iterable[Assumption]) -> tuple[Assumption, ...]:
    """One for each receipt that they go by: every volume may tell of more layers."""
    found = list(before)
    for one in carried:
        same = [n for n, other in enumerate(found) if replace(other, layers=one.layers) == one]
        if same:
            there = found[same[0]]
            found[same[0]] = replace(there, layers={**there.layers, **one.layers})
        elif one.layers:
            found.append(one)
    return tuple(found)
