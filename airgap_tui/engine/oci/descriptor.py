"""Descriptors (OCI image spec, descriptor.md): type, digest and size of some content."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from airgap_tui.engine.errors import InvalidDigest, MalformedContent
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform

_LARGEST = 2**63 - 1
_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """`size` is in bytes; `data` is the content itself where a manifest carries it inline."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: _EMPTY, hash=False)
    platform: Platform | None = None
    artifact_type: str = ""
    urls: tuple[str, ...] = ()
    data: bytes | None = None

    @classmethod
    def from_json(cls, value: object, where: str) -> Descriptor:
        """Read a descriptor object; `where` names the document in the `MalformedContent` raised."""
        if not isinstance(value, dict):
            raise MalformedContent(f"{where}: a descriptor is not an object")
        try:
            digest = Digest.parse(_text(value, "digest", where))
        except InvalidDigest as error:
            raise MalformedContent(f"{where}: {error.message}", hint=error.hint) from None
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
            raise MalformedContent(f"{where}: the size of {digest} is {repr(size)[:40]}")
        return cls(
            _text(value, "mediaType", where),
            digest,
            size,
            MappingProxyType(_annotations(value.get("annotations"), where)),
            _platform(value.get("platform"), where),
            _text(value, "artifactType", where),
            _urls(value.get("urls"), where),
            _data(value.get("data"), where),
        )

    def to_json(self) -> dict[str, Any]:
        """The object as it stands in a manifest; empty fields are left out."""
        result: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.artifact_type:
            result["artifactType"] = self.artifact_type
        if self.platform is not None:
            result["platform"] = {
                "architecture": self.platform.architecture,
                "os": self.platform.os,
                **({"variant": self.platform.variant} if self.platform.variant else {}),
                **({"os.version": self.platform.os_version} if self.platform.os_version else {}),
            }
        if self.annotations:
            result["annotations"] = dict(sorted(self.annotations.items()))
        if self.urls:
            result["urls"] = list(self.urls)
        if self.data is not None:
            result["data"] = base64.b64encode(self.data).decode()
        return result


def _text(value: dict[str, Any], key: str, where: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str):
        raise MalformedContent(f"{where}: {key} is not a text")
    return text


def _urls(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MalformedContent(f"{where}: urls are not a list")
    return tuple(str(url) for url in value)


def _annotations(value: object, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedContent(f"{where}: annotations are not an object")
    return {str(key): str(text) for key, text in value.items()}


def _platform(value: object, where: str) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise MalformedContent(f"{where}: a platform is not an object")
    return Platform(
        _text(value, "os", where),
        _text(value, "architecture", where),
        _text(value, "variant", where),
        _text(value, "os.version", where),
    )


def _data(value: object, where: str) -> bytes | None:
    if value is None:
        return None
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedContent(f"{where}: data is not base64") from None
