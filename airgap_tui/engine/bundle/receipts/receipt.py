"""Receipts: what the offline side says it has, so that the next bundle leaves it out.

Schema 1. A receipt may come from a kept bundle, from a registry or from an engine: an engine takes
images only whole, so of its receipt only whole images count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from airgap_tui import __version__
from airgap_tui.engine.bundle.fields import Fields, parse_value
from airgap_tui.engine.bundle.receipts.assumption import Base
from airgap_tui.engine.errors import MalformedContent, UnsupportedBundle
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference

SCHEMA = 1
MAX_BYTES = 64 * 1024 * 1024


class Holder(str, Enum):
    """What kind of place has the content."""

    BUNDLE = "bundle"
    REGISTRY = "registry"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Received:
    """An image that is there: its name at the source, its root, all that it needs, and the
    repository there that has it (empty in a bundle)."""

    name: str
    digest: Digest
    needs: tuple[Digest, ...]
    repository: str = ""


@dataclass(frozen=True)
class Receipt:
    """`site` names the offline side, `place` the registry, engine or bundle there. `written` is UTC
    in ISO 8601. `wanted` are images that the next bundle should bring."""

    site: str
    written: str
    holder: Holder
    place: str
    bundles: tuple[Base, ...]
    images: tuple[Received, ...]
    wanted: tuple[Reference, ...] = ()
    tool: str = __version__

    @cached_property
    def digests(self) -> tuple[Digest, ...]:
        """Everything that is there, sorted."""
        return tuple(sorted({digest for image in self.images for digest in image.needs}))

    @cached_property
    def having(self) -> Mapping[Digest, Received]:
        """For each digest, an image there that has it."""
        found: dict[Digest, Received] = {}
        for image in self.images:
            for digest in image.needs:
                found.setdefault(digest, image)
        return found

    @cached_property
    def roots(self) -> frozenset[Digest]:
        return frozenset(image.digest for image in self.images)

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Receipt:
        """Read a receipt; raises `UnsupportedBundle` for a newer schema, `MalformedContent`."""
        try:
            return cls._parse(parse_json(raw, where), where)
        except ValueError:
            raise MalformedContent(f"{where} is not a receipt: it is not JSON") from None
        except MalformedContent as error:
            reason = error.message.removeprefix("bundle.json: ")
            raise MalformedContent(
                f"{where} is not a receipt: {reason}",
                hint="Name a file that  airgap-tui receipt  wrote.",
            ) from None

    @classmethod
    def _parse(cls, value: object, where: str) -> Receipt:
        fields = Fields(value, "the receipt")
        schema = fields.count("receiptVersion")
        if schema > SCHEMA:
            raise UnsupportedBundle(
                f"{where} has schema {schema}; this version reads receipts up to {SCHEMA}",
                hint="Use the airgap-tui that wrote it, or a newer one.",
            )
        kind = fields.text("holder")
        if schema < 1 or kind not in set(Holder):
            raise MalformedContent("it has no receiptVersion or holder")
        lists = {key: fields.take(key, []) for key in ("digests", "images", "bundles")}
        for key, found in lists.items():
            if not isinstance(found, list):
                raise MalformedContent(f"{key} is not a list")
        digests = tuple(
            parse_value(str(text), Digest.parse, "digests") for text in lists["digests"]
        )
        return cls(
            fields.text("site"),
            fields.text("written"),
            Holder(kind),
            fields.text("place"),
            tuple(Base.from_json(base, "bundles") for base in lists["bundles"]),
            tuple(_image(image, digests) for image in lists["images"]),
            tuple(parse_value(t, Reference.parse, "wanted") for t in fields.texts("wanted")),
            Fields(fields.take("tool", {}), "tool").text("version"),
        )

    def format(self) -> bytes:
        """The file; equal receipts give equal bytes."""
        numbers = {digest: number for number, digest in enumerate(self.digests)}
        value: dict[str, Any] = {
            "receiptVersion": SCHEMA,
            "site": self.site,
            "written": self.written,
            "tool": {"name": "airgap-tui", "version": self.tool},
            "holder": self.holder.value,
            "place": self.place,
            "bundles": [base.to_json() for base in self.bundles],
            "images": [
                {
                    "reference": image.name,
                    "digest": str(image.digest),
                    **({"repository": image.repository} if image.repository else {}),
                    "needs": sorted(numbers[digest] for digest in image.needs),
                }
                for image in sorted(self.images, key=lambda image: (image.name, image.digest))
            ],
            "wanted": sorted(str(reference) for reference in self.wanted),
            "digests": [str(digest) for digest in self.digests],
        }
        return json.dumps(value, indent=1).encode() + b"\n"


def _image(value: object, digests: tuple[Digest, ...]) -> Received:
    fields = Fields(value, "images")
    needs = fields.take("needs", [])
    if not isinstance(needs, list):
        raise MalformedContent("images: needs is not a list")
    for number in needs:
        if type(number) is not int or not 0 <= number < len(digests):
            raise MalformedContent(f"images: needs names no digest: {str(number)[:20]}")
    digest = fields.parsed("digest", Digest.parse)
    if digest is None:
        raise MalformedContent("images: one has no digest")
    name = parse_value(fields.text("reference"), Reference.parse, "images: reference")
    found = tuple(sorted({digests[number] for number in needs} | {digest}))
    return Received(name.tagged_name, digest, found, fields.text("repository"))
