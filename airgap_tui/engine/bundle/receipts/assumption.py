"""What a bundle leaves out because the offline side has it: `assumes` of `bundle.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle.fields import Fields, parse_value
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Base:
    """A bundle that the offline side has or had, by its ID and name."""

    id: str
    name: str

    @classmethod
    def from_json(cls, value: object, where: str) -> Base:
        fields = Fields(value, where)
        return cls(fields.text("id"), fields.text("name"))

    def to_json(self) -> dict[str, str]:
        return {"id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """A layer on the offline side: its size in bytes, the name at the source of an image that has
    it, and that image's repository there, if known."""

    size: int
    image: str = ""
    repository: str = ""

    @classmethod
    def from_json(cls, value: object) -> KnownLayer:
        fields = Fields(value, "assumes: layers")
        return cls(fields.count("size"), fields.text("image"), fields.text("repository"))

    def to_json(self) -> dict[str, Any]:
        place = {"repository": self.repository} if self.repository else {}
        return {"size": self.size, "image": self.image, **place}


@dataclass(frozen=True, slots=True)
class Assumption:
    """Layers that are left out because the offline side has them, going by one receipt.

    `holder` is where it has them, such as a registry's repository prefix; `bundles` brought them
    there. `whole_images` says that it takes images only whole, as an engine does.
    """

    site: str
    holder: str
    written: str
    bundles: tuple[Base, ...]
    layers: Mapping[Digest, KnownLayer]
    whole_images: bool = False

    @classmethod
    def from_json(cls, value: object) -> Assumption:
        fields = Fields(value, "assumes")
        layers: dict[Digest, KnownLayer] = {}
        listed = fields.take("layers", {})
        bundles = fields.take("bundles", [])
        if not isinstance(listed, dict) or not isinstance(bundles, list):
            raise MalformedContent("bundle.json: assumes: layers or bundles are of the wrong kind")
        for text, record in listed.items():
            digest = parse_value(text, Digest.parse, "assumes: layers")
            layers[digest] = KnownLayer.from_json(record)
        return cls(
            fields.text("site"),
            fields.text("holder"),
            fields.text("written"),
            tuple(Base.from_json(base, "assumes: bundles") for base in bundles),
            layers,
            bool(fields.take("wholeImages", False)),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "site": self.site,
            "holder": self.holder,
            "written": self.written,
            **({"wholeImages": True} if self.whole_images else {}),
            "bundles": [base.to_json() for base in self.bundles],
            "layers": {
                str(digest): self.layers[digest].to_json() for digest in sorted(self.layers)
            },
        }
