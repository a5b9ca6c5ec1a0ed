"""Tables and plain names as engines print them for people: columns told by their heading.

Docker's table of 29 and later has one name per line, further names of the same image above their
row, and its platforms below as branches of a tree.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources.engine_json import (
    NO_TAG,
    NONE,
    Row,
    by_tag,
    container,
    listed,
    repository_of,
    without_covered,
)
from airgap_tui.engine.discovery.sources.mention import apart

_COLUMN = re.compile(r"\S+(?: \S+)*")
_BRANCH = re.compile(r"\s*[├└│]")
_STEERING = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HEADING = re.compile(r"(?:REPOSITORY|IMAGE|REF|NAME|CONTAINER)\b")
_REFERENCES = re.compile(r"REF +TYPE +DIGEST\b")
_NOISE = re.compile(
    r"WARN(?:ING|N)?\b|i Info\b|time=\"|Emulate Docker CLI|[A-Z][0-9]{4} |\[WARN|Error"
    r"|\S*@\S.*[#$%>] |[$#] "
)
"""Warnings of programs, and the prompt of a shell whose session was saved."""
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_FIELD = re.compile(r"(ID|RepoTags|RepoDigests): (\S+)\s*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NO_IMAGE = "-"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a table, and its number in the file."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where each column begins; rows are aligned below the heading."""

    starts: dict[str, int]
    order: tuple[str, ...]

    def cell(self, line: str, title: str) -> str:
        """The first word below a heading, or nothing."""
        if title not in self.starts:
            return ""
        words = line[self.starts[title] :].split(maxsplit=1)
        index = self.order.index(title) + 1
        end = self.starts[self.order[index]] if index < len(self.order) else len(line)
        return words[0] if words and line[self.starts[title] : end].strip() else ""


_Reader: TypeAlias = Callable[[_Columns, Sequence[_Line], Place, Kind], Iterator[Finding | Remark]]


def rows(text: str, place: Place, kind: Kind) -> Iterator[Finding | Remark] | None:
    """What tables or a list of names hold, one below the other; None where it is neither."""
    lines = [
        _Line(number, _STEERING.sub("", line).rstrip())
        for number, line in enumerate(re.split(r"\r\n|\n", text), start=1)
        if line.strip()
    ]
    headings = [index for index, line in enumerate(lines) if _table_of(line.text)]
    if headings:
        ends = [*headings[1:], len(lines)]
        return itertools.chain.from_iterable(
            _section(lines[start:end], place, kind)
            for start, end in zip(headings, ends, strict=True)
        )
    lines = [line for line in lines if not _NOISE.match(line.text)]
    if lines and _FIELD.fullmatch(lines[0].text):
        return _fields(lines, place, kind)
    return _plain(lines, place, kind) if lines else None


def _section(lines: Sequence[_Line], place: Place, kind: Kind) -> Iterator[Finding | Remark]:
    heading, *below = lines
    reader = _table_of(heading.text)
    return reader(_columns(heading.text), below, place, kind) if reader else iter(())


def _table_of(line: str) -> _Reader | None:
    """How the table is read of which this line is the heading; None where it is none."""
    if not _HEADING.match(line):
        return None
    if _REFERENCES.match(line):
        return _references
    columns = _columns(line)
    first, second = (*columns.order, "")[:2]
    if (first, second) in (("REPOSITORY", "TAG"), ("IMAGE", "TAG")):
        return _table
    if first == "IMAGE" and "DISK USAGE" in columns.starts:
        return _tree
    if first == "NAME" and "IMAGE ID" in columns.starts:
        return _full_names
    if first in ("CONTAINER", "CONTAINER ID") and "IMAGE" in columns.starts:
        return _containers
    return None


def _columns(heading: str) -> _Columns:
    """Two blanks or more divide the columns."""
    starts = {title[0]: title.start() for title in _COLUMN.finditer(heading)}
    return _Columns(starts, tuple(starts))


def _at(place: Place, line: _Line) -> Place:
    return Place(place.path, line.number, place.host)


def _table(
    columns: _Columns, lines: Sequence[_Line], place: Place, kind: Kind
) -> Iterator[Finding | Remark]:
    """REPOSITORY and TAG (Docker, Podman, nerdctl), IMAGE and TAG (crictl)."""
    shown = "DIGEST" in columns.starts
    table: dict[Row, _Line] = {}
    for line in lines:
        words = [*line.text.split(), "", "", "", ""]
        digest, identity = (words[2], words[3]) if shown else ("", words[2])
        if _ID.fullmatch(identity):
            # nerdctl has a row for each platform.
            table.setdefault(Row(words[0], words[1], digest, identity), line)
    for one in without_covered(table):
        yield from one.findings(_at(place, table[one]), kind, digests_shown=shown)


def _references(
    columns: _Columns, lines: Sequence[_Line], place: Place, kind: Kind
) -> Iterator[Finding | Remark]:
    """`ctr images ls`: containerd keeps up to three names of an image."""
    by_digest: dict[str, list[_Line]] = {}
    for line in lines:
        words = line.text.split()
        digest = next((word for word in words[1:] if _DIGEST.fullmatch(word)), "")
        if digest:
            by_digest.setdefault(digest, []).append(_Line(line.number, words[0]))
    for names in by_digest.values():
        yield from _same_image(names, place, kind)


def _same_image(names: Sequence[_Line], place: Place, kind: Kind) -> Iterator[Finding]:
    wanted = set(by_tag(line.text for line in names if not _DIGEST.fullmatch(line.text)))
    for line in names:
        if line.text in wanted:
            yield listed(line.text, _at(place, line), kind)


def _tree(
    columns: _Columns, lines: Sequence[_Line], place: Place, kind: Kind
) -> Iterator[Finding | Remark]:
    for line in lines:
        word, *details = line.text.split()
        # A further name stands alone on its line; all others have an ID.
        row_of_image = not details or _ID.fullmatch(details[0])
        if row_of_image and not _BRANCH.match(line.text) and word != "<untagged>":
            yield listed(word, _at(place, line), kind)


def _full_names(
    columns: _Columns, lines: Sequence[_Line], place: Place, kind: Kind
) -> Iterator[Finding | Remark]:
    """`nerdctl images --names`."""
    names: dict[str, _Line] = {}
    for line in lines:
        word, identity, *_ = (*line.text.split(), "")
        if _ID.fullmatch(identity) and not _DIGEST.fullmatch(word) and NONE not in word:
            names.setdefault(word, _Line(line.number, word))
    yield from _without_doubles(list(names.values()), place, kind)


def _containers(
    columns: _Columns, lines: Sequence[_Line], place: Place, kind: Kind
) -> Iterator[Finding | Remark]:
    """`docker ps`, `podman ps`, `nerdctl ps`, `crictl ps`, `ctr containers ls`."""
    for line in lines:
        name = columns.cell(line.text, "IMAGE")
        by_ctr = "RUNTIME" in columns.starts
        if name not in ("", _NO_IMAGE) and (by_ctr or _ID.fullmatch(line.text.split()[0])):
            by_docker_ps = kind is Kind.DOCKER
            yield container(name, _at(place, line), kind, by_docker_ps=by_docker_ps)


def _fields(lines: Sequence[_Line], place: Place, kind: Kind) -> Iterator[Finding | Remark]:
    """`crictl images -v`: a few lines for each image."""
    names: list[_Line] = []
    for line in [*lines, _Line(0, "ID: end")]:
        found = _FIELD.fullmatch(line.text)
        if found and found[1] == "ID":
            yield from _same_image(names, place, kind)
            names = []
        elif found:
            names.append(_Line(line.number, found[2]))


def _plain(lines: Sequence[_Line], place: Place, kind: Kind) -> Iterator[Finding | Remark] | None:
    """One name on each line (`--format '{{.Repository}}:{{.Tag}}'`, `ctr images ls -q`), or a
    table without its heading. None where a line is not a name."""
    names: list[_Line] = []
    for line in lines:
        words = line.text.split()
        name = words[0]
        if len(words) >= 4 and _ID.fullmatch(words[2]):
            name = f"{words[0]}:{words[1]}"
        elif len(words) > 1:
            return None
        names.append(_Line(line.number, name))
    nameless = [line for line in names if _ID.fullmatch(line.text)]
    if len(nameless) == len(names):
        return iter([Remark(kind, place, "it shows only IDs of images", "Save it without -q.")])
    for line in names:
        known = NONE in line.text or line in nameless or line.text.endswith("...")
        if not known and named(line.text).state is State.OTHER:
            return None
    return _without_doubles(
        [line for line in names if line not in nameless and not line.text.startswith(NONE)],
        place,
        kind,
    )


def _without_doubles(
    names: Sequence[_Line], place: Place, kind: Kind
) -> Iterator[Finding | Remark]:
    """Names without what tells which are of one image: containerd has a name with the digest for
    each with a tag, so as many of a repository are doubles as it has tags."""
    digests: dict[str, int] = {}
    tags: dict[str, int] = {}
    for line in names:
        counts = digests if "@" in line.text else tags
        repository = repository_of(line.text)
        counts[repository] = counts.get(repository, 0) + 1
    for line in names:
        repository = repository_of(line.text)
        if line.text.endswith((f":{NONE}", f"@{NONE}")):
            name = line.text[: -len(NONE) - 1]
            yield apart(name, kind, _at(place, line), State.UNRESOLVED, NO_TAG)
        elif "@" not in line.text or digests[repository] > tags.get(repository, 0):
            by_docker_ps = kind is Kind.DOCKER
            yield container(line.text, _at(place, line), kind, by_docker_ps=by_docker_ps)
