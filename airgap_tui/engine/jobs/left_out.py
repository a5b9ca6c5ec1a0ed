"""Layers that a bundle leaves out because this side has them: what they are, who needs them, which
bundle had them, and whether they are really here before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airgap_tui.engine.bundle.needs import Need
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.errors import NotFound
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count, size

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.receipts.assumption import Assumption

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The layers of one base: `digests` with `bytes` in all, needed by `items`. `base` names the
    bundles that had them, `holder` where this side should have them."""

    base: str
    holder: str
    digests: tuple[str, ...]
    bytes: int
    items: tuple[str, ...]

    @property
    def sentence(self) -> str:
        verb = "needs" if len(self.items) == 1 else "need"
        layers = count(len(self.digests), "layer")
        where = f", which {self.holder} should have" if self.holder else ""
        images = count(len(self.items), "image")
        return f"{images} {verb} {layers} ({size(self.bytes)}) of {self.base}{where}"

    def to_json(self) -> dict[str, Any]:
        return {
            "base": self.base,
            "holder": self.holder or None,
            "digests": list(self.digests),
            "bytes": self.bytes,
            "items": list(self.items),
        }


def left_out(bundle: BundleReader, needs: Mapping[Digest, Need]) -> tuple[LeftOut, ...]:
    """What a bundle leaves out, by the base that had it."""
    absent = {need.digest: (need.size, need.items) for need in needs.values() if need.assumed}
    return _by_base(bundle, absent)


def absent_of(
    bundle: BundleReader,
    closures: Iterable[Closure],
    has: Callable[[Closure, Descriptor], bool] = lambda _closure, _layer: False,
) -> tuple[LeftOut, ...]:
    """What these closures need of a base and neither their bundle nor, as `has` says, the place
    that they go to has."""
    assumed = bundle.inventory.assumed if bundle.inventory.assumes else {}
    absent: dict[Digest, tuple[int, set[str]]] = {}
    for closure in closures:
        for layer in closure.needed:
            if layer.digest not in assumed or bundle.holds(layer) or has(closure, layer):
                continue
            _size, items = absent.setdefault(layer.digest, (layer.size, set()))
            items.add(closure.reference.tagged_name)
    return _by_base(bundle, absent)


def refuse(where: str, absent: Iterable[LeftOut]) -> None:
    """Raise `NotFound`, which names digests, images and bundles, where anything is absent."""
    missing = tuple(absent)
    if not missing:
        return
    bases = ", ".join(dict.fromkeys(one.base for one in missing))
    raise NotFound(
        f"{where} is an update of what is not here: {in_words(missing)}",
        hint=f"Bring {bases} here first, or save without --have. verify --json lists all digests.",
    )


def in_words(missing: Iterable[LeftOut]) -> str:
    """Images, digests and the bundles that had them."""
    told = []
    for one in missing:
        digests = ", ".join(one.digests[:_MOST_NAMED])
        digests += f" and {len(one.digests) - _MOST_NAMED} more" if len(one.digests) > 3 else ""
        images = ", ".join(one.items[:_MOST_NAMED])
        images += f" and {len(one.items) - _MOST_NAMED} more" if len(one.items) > 3 else ""
        told.append(
            f"{images} {'needs' if len(one.items) == 1 else 'need'}"
            f" {count(len(one.digests), 'layer')} of {one.base}: {digests}"
        )
    return "; ".join(told)


def _by_base(
    bundle: BundleReader, absent: Mapping[Digest, tuple[int, set[str]]]
) -> tuple[LeftOut, ...]:
    assumed = bundle.inventory.assumed if bundle.inventory.assumes else {}
    groups: dict[int, tuple[Assumption, list[Digest]]] = {}
    for digest in sorted(absent):
        assumption = assumed[digest]
        groups.setdefault(id(assumption), (assumption, []))[1].append(digest)
    return tuple(
        LeftOut(
            ", ".join(base.name or base.id for base in assumption.bundles) or assumption.site,
            assumption.holder,
            tuple(map(str, digests)),
            sum(absent[digest][0] for digest in digests),
            tuple(sorted(set().union(*(absent[digest][1] for digest in digests)))),
        )
        for assumption, digests in groups.values()
    )
