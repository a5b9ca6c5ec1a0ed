"""What engines say in JSON of their images and containers: their APIs, `--format json`, crictl.

One reader for all, because an image is told by the same few keys: `RepoTags` and `RepoDigests`
(Docker's API and `inspect`, crictl in camel case), `Names` (Podman), `Repository`, `Tag` and
`Digest` (Docker's and nerdctl's lines), `Image` (containers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, State
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources.documents import Value
from airgap_tui.engine.discovery.sources.mention import apart, mention
from airgap_tui.engine.oci.reference import DOCKER_HUB

NONE = "<none>"
NO_TAG = "neither its tag nor its digest is shown: JSON output (Docker: with --digests) tells it"
CUT_OFF = "its name is cut off: save JSON output instead"
NOT_PULLED = "no registry gave it to that engine: it was built or loaded there"
_AMBIGUOUS = (
    "docker ps leaves a digest out, so this is latest or a digest: docker images --digests tells it"
)
_ONLY_ID = "a container whose image is shown by its ID only: list the images too"

_LISTS = ("images", "Images", "containers", "Containers")
_CRICTL_YAML = re.compile(r"\A\s*(?:images|containers):\s*(?:\[\]\s*)?$", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_DOCKER_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})(?:\.[0-9]+)? ([+-][0-9]{4})\b")


@dataclass(frozen=True, slots=True)
class Found:
    """What a document says of images; it may be that there are none."""

    findings: tuple[Finding, ...]


def is_yaml(text: str) -> bool:
    """Whether this is what `crictl images -o yaml` prints."""
    return _CRICTL_YAML.match(text) is not None


def lines(values: Iterable[Value]) -> frozenset[Row]:
    """Of the lines of `docker images --format json`, and nerdctl's, those that count."""
    found = (_row(value) for value in values if isinstance(value, dict))
    return frozenset(without_covered(row for row in found if row is not None))


def images(
    value: Value, place: Place, kind: Kind, rows: frozenset[Row] = frozenset()
) -> Found | None:
    """The images of a document, or None where it is none of an engine. `rows` are the `lines` of
    all documents of its file."""
    digests_shown = any(_DIGEST.fullmatch(row.digest) for row in rows)
    entries = _entries(value)
    if entries is None:
        return None
    findings: list[Finding] = []
    seen: set[str] = set()
    for entry in entries:
        if not isinstance(entry, dict):
            return None
        if _is_image(entry):
            # Podman tells an image once for each of its names.
            identity = _text(entry, "Id") or _text(entry, "id")
            if not identity or identity not in seen:
                findings += _names_of_image(entry, place, kind)
            seen.add(identity)
        elif (row := _row(entry)) is not None:
            if row.tagged or row in rows:
                findings += row.findings(place, kind, digests_shown=digests_shown)
        elif "Image" in entry or "image" in entry:
            findings += _container(entry, place, kind)
        else:
            return None
    return Found(tuple(findings))


def _entries(value: Value) -> Sequence[Value] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    for key in _LISTS:
        if isinstance(entries := value.get(key), list):
            return entries
    return [value]


def _row(entry: Mapping[str, Value]) -> Row | None:
    if not isinstance(repository := entry.get("Repository"), str):
        return None
    return Row(repository, _text(entry, "Tag"), _text(entry, "Digest"), _text(entry, "ID"))


def _is_image(entry: Mapping[str, Value]) -> bool:
    keys = ("RepoTags", "RepoDigests", "repoTags", "repoDigests")
    podman_1 = "names" in entry and "digest" in entry
    return podman_1 or any(key in entry for key in keys)


def _names_of_image(entry: Mapping[str, Value], place: Place, kind: Kind) -> Iterator[Finding]:
    names = _texts(entry.get("Names", entry.get("names")))
    names = names or _texts(entry.get("RepoTags", entry.get("repoTags")))
    digests = _texts(entry.get("RepoDigests", entry.get("repoDigests")))
    # Only Docker's classic store keeps no digest of what it did not pull or push.
    pulled = bool(digests) or kind is not Kind.DOCKER
    for name in by_tag([*names, *digests]):
        yield listed(name, place, kind, pulled=pulled)


def by_tag(names: Iterable[str]) -> list[str]:
    """Of the names of one image: those with a tag, and those with a digest whose repository has
    none among them."""
    named_so = [name for name in dict.fromkeys(names) if not name.startswith(NONE)]
    tagged = {repository_of(name) for name in named_so if "@" not in name}
    return [name for name in named_so if "@" not in name or repository_of(name) not in tagged]


def repository_of(name: str) -> str:
    """`registry/repository` as written, without tag and digest."""
    name = name.partition("@")[0]
    head, _, last = name.rpartition("/")
    return f"{head}/{last.partition(':')[0]}"


@dataclass(frozen=True, slots=True)
class Row:
    """A name and an image in a table: `<none>` or nothing stands for what the image has not."""

    repository: str
    tag: str
    digest: str
    identity: str

    @property
    def tagged(self) -> bool:
        return self.tag not in ("", NONE)

    def findings(self, place: Place, kind: Kind, *, digests_shown: bool) -> Iterator[Finding]:
        """At most one; `digests_shown` says that the table tells digests."""
        if self.repository in ("", NONE):
            return
        digest = "" if self.digest == NONE else self.digest
        if self.tagged:
            pulled = bool(digest) or not digests_shown or kind is not Kind.DOCKER
            yield listed(f"{self.repository}:{self.tag}", place, kind, pulled=pulled)
        elif _DIGEST.fullmatch(digest):
            yield listed(f"{self.repository}@{digest}", place, kind)
        else:
            yield apart(self.repository, kind, place, State.UNRESOLVED, NO_TAG)


def without_covered(rows: Iterable[Row]) -> list[Row]:
    """Without rows that have no tag where another row has one for the same image."""
    table = list(rows)
    covered = {(row.repository, row.identity) for row in table if row.tagged}
    return [row for row in table if row.tagged or (row.repository, row.identity) not in covered]


def listed(
    name: str, place: Place, kind: Kind, *, time: datetime | None = None, pulled: bool = True
) -> Finding:
    """A name from a listing. A name without a registry that no registry gave is a build's, and
    what Docker Hub has under it may be a stranger's."""
    if name.endswith("..."):
        return apart(name, kind, place, State.UNRESOLVED, CUT_OFF)
    meaning = named(name)
    if not pulled and meaning.reference and meaning.reference.registry == DOCKER_HUB:
        return apart(name, kind, place, State.OTHER, NOT_PULLED)
    return mention(name, kind, place, time=time, meaning=meaning)


def container(
    name: str,
    place: Place,
    kind: Kind,
    *,
    time: datetime | None = None,
    by_docker_ps: bool = False,
) -> Finding:
    """The image of a container, as its engine shows it."""
    if re.fullmatch(r"(?:sha256:)?[0-9a-f]{12,64}", name):
        return apart(name, kind, place, State.UNRESOLVED, _ONLY_ID)
    if by_docker_ps and "@" not in name and ":" not in name.rpartition("/")[2]:
        return apart(name, kind, place, State.UNRESOLVED, _AMBIGUOUS)
    return listed(name, place, kind, time=time)


def _container(entry: Mapping[str, Value], place: Place, kind: Kind) -> Iterator[Finding]:
    image = entry.get("Image", entry.get("image"))
    if isinstance(image, dict):  # crictl ps -o json
        said = (image.get("userSpecifiedImage"), entry.get("imageRef"), image.get("image"))
        names = [one for one in said if isinstance(one, str) and one]
        image = next((one for one in names if not one.startswith("sha256:")), *names[:1] or [""])
    config = entry.get("Config")
    if isinstance(config, dict) and isinstance(config.get("Image"), str):  # docker inspect
        image = config["Image"]
    if isinstance(image, str) and image:
        by_docker_ps = "RunningFor" in entry or "LocalVolumes" in entry
        yield container(image, place, kind, time=_created(entry), by_docker_ps=by_docker_ps)


def _created(entry: Mapping[str, Value]) -> datetime | None:
    """When a container was made: seconds in APIs, nanoseconds in crictl, a text in Docker's."""
    created, text = entry.get("Created", entry.get("createdAt")), entry.get("CreatedAt")
    try:
        if isinstance(created, str) and created.isdecimal():
            seconds = created[:-9] if len(created) > 11 else created
            if _SECONDS.fullmatch(seconds):
                return datetime.fromtimestamp(int(seconds), timezone.utc)
        if isinstance(text, str) and (found := _DOCKER_TIME.match(text)):
            return datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S %z")
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _text(entry: Mapping[str, Value], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _texts(value: Value) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
