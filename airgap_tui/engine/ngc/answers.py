"""Takes the catalogue's JSON apart: any value may be missing, of another kind, or endless."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from airgap_tui.engine.errors import AirgapError, ConnectionFailure, UsageError
from airgap_tui.engine.ngc.repository import Repository, RepositoryName, TaggedImage
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform

_LINE_LENGTH = 300
_DIGITS = 15
_WHOLE = re.compile(r"[0-9]+")


def document(body: bytes, host: str) -> dict[str, Any]:
    """The object that an answer is; raises `ConnectionFailure` for anything else (HTML, ..)."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ConnectionFailure(f"{host} answered with something other than its catalogue")
    return value


def objects(value: object) -> Iterator[dict[str, Any]]:
    """The objects of a list."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def text(value: dict[str, Any], key: str) -> str:
    """A text as one line."""
    found = value.get(key)
    if not isinstance(found, str):
        return ""
    return " ".join(found[: 4 * _LINE_LENGTH].split())[:_LINE_LENGTH]


def count(value: dict[str, Any], key: str) -> int:
    """A number of bytes or of things, also where it is written as text; 0 where it is none."""
    found = value.get(key)
    if isinstance(found, str) and len(found) <= _DIGITS and _WHOLE.fullmatch(found):
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        return 0
    return found if 0 <= found < 10**_DIGITS else 0


def moment(value: dict[str, Any], key: str) -> datetime | None:
    """A time as in `2024-10-22T18:14:56.808Z`, with up to nine digits of a second."""
    found = text(value, key)
    whole, _, _fraction = found.removesuffix("Z").partition(".")
    try:
        return datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def repository(value: dict[str, Any]) -> Repository | None:
    """An entry of an organisation's list, or a repository's own answer."""
    name = _name(f"{text(value, 'namespace')}/{text(value, 'name')}")
    if name is None:
        return None
    readme = value.get("description")
    public = value.get("isPublic")
    return Repository(
        name,
        text(value, "displayName") or name.name,
        text(value, "shortDescription"),
        text(value, "latestTag"),
        moment(value, "updatedDate"),
        count(value, "latestImageSize"),
        public if isinstance(public, bool) else None,
        readme if isinstance(readme, str) else "",
    )


def resource(value: dict[str, Any], *, public: bool | None) -> Repository | None:
    """An entry of a search: its attributes are a list of keys and texts."""
    name = _name(text(value, "resourceId"))
    if name is None:
        return None
    attributes = {text(item, "key"): item for item in objects(value.get("attributes"))}

    def attribute(key: str) -> dict[str, Any]:
        return attributes.get(key, {})

    return Repository(
        name,
        text(value, "displayName") or name.name,
        text(value, "shortDescription") or text(value, "description"),
        text(attribute("latestTag"), "value"),
        moment(attribute("latestTagPushedDate"), "value") or moment(value, "dateModified"),
        count(attribute("size"), "value"),
        public,
    )


def image(value: dict[str, Any]) -> TaggedImage | None:
    """An entry of a repository's images."""
    tag = text(value, "tag")
    if not tag:
        return None
    variants = list(objects(value.get("architectureVariants")))
    platforms = (_platform(variant) for variant in variants)
    sizes = (count(variant, "compressedSize") for variant in variants)
    return TaggedImage(
        tag,
        moment(value, "updatedDate"),
        moment(value, "pushedDate"),
        count(value, "size") or next(sizes, 0),
        tuple(dict.fromkeys(platform for platform in platforms if platform is not None)),
        _digest(value),
        value.get("isSigned") is True,
    )


def _name(path: str) -> RepositoryName | None:
    try:
        return RepositoryName.parse(path)
    except UsageError:
        return None


def _platform(variant: dict[str, Any]) -> Platform | None:
    parts = [text(variant, "os") or "linux", text(variant, "architecture")]
    if text(variant, "variant"):
        parts.append(text(variant, "variant"))
    try:
        platform = Platform.parse("/".join(parts))
    except AirgapError:
        return None
    return platform if platform.known else None


def _digest(value: dict[str, Any]) -> Digest | None:
    try:
        return Digest.parse(text(value, "digest"))
    except AirgapError:
        return None
