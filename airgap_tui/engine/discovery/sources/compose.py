"""Compose files: the images of services, with variables resolved by their defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources import dockerfile
from airgap_tui.engine.discovery.sources.documents import Broken, Value, documents, line_of
from airgap_tui.engine.discovery.sources.mention import apart, mention
from airgap_tui.engine.discovery.sources.variables import expand

_BUILT = "built from a Dockerfile: read that file too"
_NO_SERVICE = "it has no services"
_OLD_KEYS = ("image", "build")


def read(content: bytes, place: Place) -> Iterator[Finding | Remark]:
    """The images of all services, whatever their profile."""
    known = False
    for document in documents(content):
        if isinstance(document, Broken):
            known = True
            at = Place(place.path, document.line, place.host)
            yield Remark(Kind.COMPOSE, at, "it cannot be read as YAML", "Check it, then try again.")
            continue
        if (services := _services(document.value)) is None:
            continue
        known = True
        seen: set[int] = set()
        for name, service in services.items():
            if isinstance(service, dict) and id(service) not in seen:
                seen.add(id(service))
                yield from _of_service(name, service, place)
    if not known:
        yield Remark(Kind.COMPOSE, place, _NO_SERVICE, "Check that it is a Compose file.")


def _services(value: Value) -> Mapping[str, Value] | None:
    if not isinstance(value, dict):
        return None
    if isinstance(services := value.get("services"), dict):
        return services
    # The first version of the format has services at the top.
    old = {
        name: one
        for name, one in value.items()
        if isinstance(one, dict) and any(isinstance(one.get(key), str) for key in _OLD_KEYS)
    }
    return old if old and "kind" not in value else None


def _of_service(name: str, service: Mapping[str, Value], place: Place) -> Iterator[Finding]:
    image, build = service.get("image"), service.get("build")
    if isinstance(image, str) and image:
        at = Place(place.path, line_of(image), place.host)
        if build:
            yield apart(image, Kind.COMPOSE, at, State.OTHER, _BUILT)
        else:
            yield mention(image, Kind.COMPOSE, at, meaning=named(_expanded(image)))
    elif build:
        at = Place(place.path, _line_below(build), place.host)
        yield apart(name, Kind.COMPOSE, at, State.OTHER, _BUILT)
    if isinstance(build, dict) and isinstance(text := build.get("dockerfile_inline"), str):
        yield from dockerfile.inline(text, Place(place.path, line_of(text) + 1, place.host))
    volumes = service.get("volumes")
    for volume in volumes if isinstance(volumes, list) else []:
        source = volume.get("source") if isinstance(volume, dict) else None
        if isinstance(volume, dict) and volume.get("type") == "image" and isinstance(source, str):
            at = Place(place.path, line_of(source), place.host)
            yield mention(source, Kind.COMPOSE, at, meaning=named(_expanded(source)))


def _expanded(text: str) -> str:
    """`$$` is a dollar sign; nothing of the environment is known here."""
    return "$".join(expand(part, {}) for part in text.split("$$"))


def _line_below(value: Value) -> int:
    """The line of a value or of the first text in it."""
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return line_of(value)
