"""The images that an object of Kubernetes specifies, wherever in it and in however many parts.

Operators take an image as one text, as `repository`, `image` and `version` (NVIDIA's), or as
`repository` and `tag` with or without `registry`. Of some, the operator makes the final name itself
from the node's system: these are told as unresolved, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airgap_tui.engine.discovery.sources.documents import Value, Written, line_of

_COMPLETED = (
    "the operator completes the version with the node's system, as in -ubuntu22.04: read the pods"
)
_NO_VERSION = "no version is given here: the operator chooses it, so read the pods"
_DRIVERS = {
    "ClusterPolicy": frozenset({"driver", "vgpuManager", "gds", "gdrcopy"}),
    "NVIDIADriver": frozenset({"spec", "gds", "gdrcopy"}),
    "NicClusterPolicy": frozenset({"ofedDriver"}),
}
"""Components whose images are built for one system each."""

_NOT_IMAGES = frozenset({"rbd", "status", "metadata", "managedFields"})
"""`image` below `rbd` is a block device; a status repeats what is specified."""
_RELATED = "RELATED_IMAGE_"
_MOST_OBJECTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name as it is put together; `unresolved` says why it is not final. `container` is the name
    of the container that takes it, where it is one."""

    written: str
    container: str = ""
    unresolved: str = ""


def candidates(thing: Mapping[str, Value]) -> Iterator[Candidate]:
    """Every image that an object specifies, in the order in which they stand there."""
    kind = thing.get("kind")
    drivers = _DRIVERS.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
    seen: set[int] = set()
    waiting: list[tuple[str, Value]] = [
        (key, thing[key]) for key in ("template", "spec") if key in thing
    ]
    while waiting:
        key, value = waiting.pop()
        if not isinstance(value, dict | list) or id(value) in seen or len(seen) > _MOST_OBJECTS:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            waiting += [(key, one) for one in reversed(value)]
            continue
        if value.get("enabled") in (False, "false"):
            continue
        yield from _of_mapping(value, completed=key in drivers)
        waiting += [(name, one) for name, one in reversed(value.items()) if name not in _NOT_IMAGES]


def _of_mapping(entry: Mapping[str, Value], *, completed: bool) -> Iterator[Candidate]:
    image, name, value = entry.get("image"), entry.get("name"), entry.get("value")
    if isinstance(image, str) and image:
        container = str(name) if isinstance(name, str) else ""
        yield _named_by(entry, image, container, completed=completed)
    elif isinstance(image, dict) and isinstance(reference := image.get("reference"), str):
        yield Candidate(reference)
    elif "image" not in entry and _has_parts(entry):
        yield _in_parts(entry)
    if isinstance(name, str) and name.startswith(_RELATED) and isinstance(value, str) and value:
        yield Candidate(value)


def _named_by(
    entry: Mapping[str, Value], image: str, container: str, *, completed: bool
) -> Candidate:
    repository = _part(entry, "repository")
    version = _part(entry, "version") or _part(entry, "tag")
    full = f"{repository.rstrip('/')}/{image}" if repository else image
    if version and not _is_final(full):
        full = _with_version(full, version)
    elif repository and not _is_final(full):
        return Candidate(_on_line(full, image), container, _NO_VERSION)
    # The operators leave a digest as it is.
    unresolved = _COMPLETED if completed and repository and "@" not in full else ""
    return Candidate(_on_line(full, image), container, unresolved)


def _has_parts(entry: Mapping[str, Value]) -> bool:
    """A chart and a git repository have an address as `repository`, an image has none."""
    repository = _part(entry, "repository")
    return bool(repository and _part(entry, "tag")) and "://" not in repository


def _in_parts(entry: Mapping[str, Value]) -> Candidate:
    """`repository`, `tag`, and perhaps `registry` and `digest`, as charts and NIM have it."""
    repository, registry = _part(entry, "repository"), _part(entry, "registry")
    full = f"{registry}/{repository}" if registry else repository
    full = _with_version(full, _part(entry, "digest") or _part(entry, "tag"))
    return Candidate(_on_line(full, repository))


def _with_version(name: str, version: str) -> str:
    return (
        f"{name}@{version}" if version.startswith(("sha256:", "sha512:")) else f"{name}:{version}"
    )


def _is_final(name: str) -> bool:
    """Whether the name has a tag or a digest already."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _part(entry: Mapping[str, Value], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _on_line(text: str, origin: str) -> str:
    line = line_of(origin)
    return Written(text, line) if line else str(text)
