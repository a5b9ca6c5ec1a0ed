"""Bundles as the embedded registry sees them: which name of which bundle is which content.

`nvcr.io/nvidia/pytorch` is `nvidia/pytorch`, the name that a push would give it, and also goes by
its full name. Where a short name and tag stand for different images it is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.media.extent import Place
from airgap_tui.engine.bundle.names import present, root_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.errors import (
    AirgapError,
    InvalidReference,
    MalformedContent,
    NameConflict,
    NotFound,
    UnsafeContent,
)
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.naming import as_path
from airgap_tui.engine.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Held:
    """One item, and the bundle that has it."""

    bundle: BundleReader
    item: Item


class BundleCatalogue:
    """Implements `serve.catalogue.Catalogue` over the finished items of opened bundles."""

    def __init__(self, bundles: Sequence[BundleReader]) -> None:
        self._bundles = tuple(bundles)
        self._repositories: dict[str, dict[str, list[Held]]] = {}
        self._items: dict[str, list[Held]] = {}
        self._full_names: set[str] = set()
        for bundle in bundles:
            for item in present(bundle.inventory):
                self._add(Held(bundle, item))

    @property
    def held(self) -> tuple[Held, ...]:
        """Every item that is served, once, sorted by its name."""
        every = {id(held): held for items in self._items.values() for held in items}
        return tuple(sorted(every.values(), key=lambda held: held.item.name))

    def conflicts(self) -> tuple[str, ...]:
        """One sentence with a remedy for each name that stands for different images."""
        return tuple(
            _conflict(name, tag, items)
            for name, tags in sorted(self._repositories.items())
            for tag, items in sorted(tags.items())
            if _differ(items)
        )

    def repositories(self) -> Sequence[str]:
        """The short names, and the full names of what only they tell apart."""
        clear = set()
        for name, tags in self._repositories.items():
            ambiguous = [items for items in tags.values() if _differ(items)]
            if name not in self._full_names:
                if not tags or len(ambiguous) < len(tags):
                    clear.add(name)
                clear.update(_full_name(held.item) for items in ambiguous for held in items)
        return sorted(clear)

    def tags(self, repository: str) -> Sequence[str]:
        tags = self._known(repository)
        return sorted(tag for tag, items in tags.items() if not _differ(items))

    def manifest(self, repository: str, tag: str) -> Manifest | Index:
        items = self._known(repository).get(tag)
        if not items:
            raise NotFound(f"the bundle does not hold {repository}:{tag}")
        if _differ(items):
            raise NameConflict(_conflict(repository, tag, items))
        root = root_of(items[0].item)
        return items[0].bundle.document(root.digest, root.media_type)

    def document(self, repository: str, digest: Digest) -> Manifest | Index:
        self._known(repository)
        for bundle in self._bundles:
            if bundle.extent(digest) is not None:
                try:
                    return bundle.document(digest)
                except (MalformedContent, UnsafeContent):
                    break  # a layer or a config, asked for as a manifest
        for held in self._items[repository]:
            if held.item.index_digest == digest:
                raise NotFound(
                    f"of the index {digest} the bundle holds only the image for"
                    f" {held.item.platform}, {held.item.digest}"
                )
        raise NotFound(f"the bundle holds no manifest {digest} of {repository}")

    def blob(self, repository: str, digest: Digest) -> Place:
        self._known(repository)
        for bundle in self._bundles:
            extent = bundle.extent(digest)
            if extent is not None:
                return extent
        raise NotFound(f"the bundle holds no {digest}")

    def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        self._known(repository)
        return self._referrers.get(digest, ())

    @cached_property
    def _referrers(self) -> dict[Digest, list[Descriptor]]:
        found: dict[Digest, dict[Digest, Descriptor]] = {}
        for held in self.held:
            root = root_of(held.item)
            if root.media_type not in media_types.MANIFESTS:
                continue
            try:
                document = held.bundle.document(root.digest, root.media_type)
            except AirgapError:
                continue  # whoever asks for it by name is told
            if document.subject is not None:
                found.setdefault(document.subject.digest, {})[root.digest] = _described(document)
        return {subject: list(children.values()) for subject, children in found.items()}

    def _add(self, held: Held) -> None:
        reference, full = held.item.reference, _full_name(held.item)
        names = [reference.repository]
        if _is_repository(full):
            self._full_names.add(full)
            names.append(full)
        for name in names:
            tags = self._repositories.setdefault(name, {})
            self._items.setdefault(name, []).append(held)
            if reference.tag:
                tags.setdefault(reference.tag, []).append(held)

    def _known(self, repository: str) -> dict[str, list[Held]]:
        tags = self._repositories.get(repository)
        if tags is None:
            raise NotFound(f"the bundle holds nothing of {repository}")
        return tags


def _full_name(item: Item) -> str:
    return f"{as_path(item.reference.registry)}/{item.reference.repository}"


def _is_repository(name: str) -> bool:
    try:
        return Reference.parse(f"localhost/{name}").repository == name
    except InvalidReference:  # an IPv6 address, or too long
        return False


def _differ(items: Sequence[Held]) -> bool:
    return len({held.item.digest for held in items}) > 1


def _conflict(name: str, tag: str, items: Sequence[Held]) -> str:
    full = sorted({f"{_full_name(held.item)}:{tag}" for held in items})
    if len(full) > 1:
        return f"{name}:{tag} stands for different images; ask for {' or '.join(full)}"
    where = sorted({str(held.bundle.storage.location) for held in items})
    return f"{name}:{tag} differs between {' and '.join(where)}; serve only one of them"


def _described(document: Manifest | Index) -> Descriptor:
    """A referrer's descriptor (distribution spec, "Listing Referrers")."""
    kind = document.artifact_type
    if not kind and isinstance(document, Manifest):
        kind = document.config.media_type
    return Descriptor(
        document.media_type,
        document.digest,
        len(document.raw),
        annotations=document.annotations,
        artifact_type=kind,
    )
