"""Image configs (OCI image spec, config.md): the few fields that are used, read with bounds."""

from __future__ import annotations

from dataclasses import dataclass

from airgap_tui.engine.errors import InvalidDigest, MalformedContent
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform

MAX_BYTES = 16 * 1024 * 1024
"""The largest config that is read; real ones have some kilobytes."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """`diff_ids` are the digests of the unpacked layers, from the base up; `created` is RFC 3339
    text, empty where the config does not say."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    created: str = ""

    @classmethod
    def parse(cls, raw: bytes, where: str = "config") -> ImageConfig:
        """Read a config; `where` names it in the `MalformedContent` raised."""
        try:
            value = parse_json(raw, where)
        except ValueError:
            raise MalformedContent(f"{where}: the config is not JSON") from None
        rootfs = value.get("rootfs") if isinstance(value, dict) else None
        if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids") or [], list):
            raise MalformedContent(f"{where}: the config of an image has no list of layers")
        try:
            diff_ids = tuple(Digest.parse(str(text)) for text in rootfs.get("diff_ids") or [])
        except InvalidDigest as error:
            raise MalformedContent(f"{where}: {error.message}") from None
        platform = Platform(
            str(value.get("os") or ""),
            str(value.get("architecture") or ""),
            str(value.get("variant") or ""),
            str(value.get("os.version") or ""),
        )
        return cls(platform, diff_ids, str(value.get("created") or ""))
