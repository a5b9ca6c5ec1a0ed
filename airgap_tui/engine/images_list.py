"""images_list.txt: which images to carry, as people write it down and share it.

One reference per line; blank lines; `#` comments on a line of their own or after white space;
several references on a line, separated by white space. UTF-8 with or without BOM, any line ends.
Every bad line is told at once: a list of hundreds is not corrected one error at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from airgap_tui.engine.errors import InvalidImagesList, InvalidReference, NotFound
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count

MAX_BYTES = 8 * 1024 * 1024
"""A larger file is not a list of images."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)
_LOOKS_FULL = re.compile(r"/|.:.|@")
_MOST_TOLD = 100
_LONGEST_TOLD = 120


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; `line` counts from 1, and is 0 where the name was typed."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Entry:
    """A reference, and every place that names it."""

    reference: Reference
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """The content of a list not read yet: `name` is what messages call it."""

    name: str
    content: bytes | str


@dataclass(frozen=True, slots=True)
class ImagesList:
    """Distinct references, in the order in which they were first named."""

    entries: tuple[Entry, ...] = ()

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(entry.reference for entry in self.entries)

    @property
    def repeated(self) -> tuple[Entry, ...]:
        """The entries that were named more than once."""
        return tuple(entry for entry in self.entries if len(entry.places) > 1)


def parse(texts: Iterable[Text], typed: Iterable[str] = ()) -> ImagesList:
    """Read several lists, and names typed beside them, as one list.

    Raises `InvalidImagesList` with every bad line of all of them. A bad name that was typed alone,
    without any list, raises its own `InvalidReference`.
    """
    places: dict[Reference, list[Place]] = {}
    bad: list[tuple[Place, InvalidReference]] = []
    for place, word in _words(tuple(texts), typed):
        try:
            reference = Reference.parse(word)
        except InvalidReference as error:
            bad.append((place, error))
        else:
            known = places.setdefault(reference, [])
            if place not in known:
                known.append(place)
    if len(bad) == 1 and not bad[0][0].line:
        raise bad[0][1]
    if bad:
        raise _invalid(bad)
    return ImagesList(tuple(Entry(reference, tuple(at)) for reference, at in places.items()))


def read(path: Path) -> Text:
    """The bytes of a list file; raises `NotFound` or `InvalidImagesList` naming it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(
            f"the list {path} cannot be read: {error.strerror}",
            hint="Name a text file with one image per line.",
        ) from None
    if len(content) > MAX_BYTES:
        raise InvalidImagesList(f"{path} is larger than {MAX_BYTES} bytes: not a list of images")
    return Text(str(path), content)


@dataclass(frozen=True, slots=True)
class Addition:
    """A reference for a list, and where it comes from: the comment behind it."""

    reference: Reference
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """A list with what was new to it. `left_out` are the additions that stand in it behind a `#`:
    somebody does not want them."""

    text: str
    added: tuple[Reference, ...] = ()
    known: tuple[Reference, ...] = ()
    left_out: tuple[Reference, ...] = ()


def updated(text: str, additions: Iterable[Addition], heading: str = "") -> Update:
    """The list with the additions that it has not, at its end below a heading.

    Every line that is there stays as it is. A name behind a `#` at the beginning of a line is left
    out for good; a name whose line was deleted is new again. A name that the list has with a digest
    beside its tag is known. Lines that cannot be read stay, too: `parse` tells them.
    """
    there, without = _references(text), _commented_out(text)
    added: dict[Reference, str] = {}
    known: dict[Reference, None] = {}
    left_out: dict[Reference, None] = {}
    for addition in additions:
        names = {addition.reference, replace(addition.reference, digest=None)}
        names = {name for name in names if name.tag or name.digest}
        if names & there:
            known[addition.reference] = None
        elif names & without:
            left_out[addition.reference] = None
        else:
            added.setdefault(addition.reference, addition.comment)
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [f"# {line}".rstrip() for line in heading.splitlines()] if added else []
    lines += [_with_comment(str(reference), comment) for reference, comment in added.items()]
    if lines and text and not text.endswith(("\n", "\r")):
        text += end
    if lines and text.strip():
        lines.insert(0, "")
    text += "".join(f"{line}{end}" for line in lines)
    return Update(text, tuple(added), tuple(known), tuple(left_out))


def update(path: Path, additions: Iterable[Addition], heading: str = "") -> Update:
    """Add to a list file, or begin one; a file to which nothing is new is not touched.

    Raises `InvalidImagesList` for a file that is not text, `NotFound` and `OSError`.
    """
    path = path.resolve()
    mark = ""
    text = ""
    if path.exists():
        content = read(path).content
        mark = "\ufeff" if isinstance(content, bytes) and content.startswith(BOM_UTF8) else ""
        text = _decoded(Text(str(path), content))
    result = updated(text, additions, heading)
    if result.added:
        _replace(path, mark + result.text)
    return result


def render(
    references: Iterable[Reference],
    comment: str = "",
    notes: Mapping[Reference, str] = MappingProxyType({}),
) -> str:
    """The list as text: the comment on top, then one full reference per line with its note."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [_with_comment(str(reference), notes.get(reference, "")) for reference in references]
    return "".join(f"{line}\n" for line in lines)


def write(
    path: Path,
    references: Iterable[Reference],
    comment: str = "",
    notes: Mapping[Reference, str] = MappingProxyType({}),
) -> None:
    """Replace the file at once, so that a reader never sees half a list. Raises `OSError`."""
    _replace(path, render(references, comment, notes))


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8", newline="")
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _references(text: str) -> set[Reference]:
    """What the list names, and that without the digest where it names both."""
    found: set[Reference] = set()
    for _, word in _words((Text("", text),), ()):
        with contextlib.suppress(InvalidReference):
            reference = Reference.parse(word)
            found.add(reference)
            if reference.tag:
                found.add(replace(reference, digest=None))
    return found


def _commented_out(text: str) -> set[Reference]:
    """The references that stand behind a `#` as they would without it.

    The line must begin with one, so that a sentence that mentions a name is only a comment; a name
    without a registry and a tag counts only where it stands alone.
    """
    words: list[str] = []
    for line in _LINE_END.split(text):
        comment = line.strip()
        if not comment.startswith("#"):
            continue
        of_line = _COMMENT.sub("", comment.lstrip("# \t")).split()
        if len(of_line) > 1:
            of_line = list(itertools.takewhile(_LOOKS_FULL.search, of_line))
        words += of_line
    return _references("\n".join(words))


def _with_comment(name: str, comment: str) -> str:
    comment = " ".join(harmless(comment).split())
    return f"{name}    # {comment}" if comment else name


def _words(texts: tuple[Text, ...], typed: Iterable[str]) -> Iterable[tuple[Place, str]]:
    for word in typed:
        yield Place("command line", 0), word
    for text in texts:
        for number, line in enumerate(_LINE_END.split(_decoded(text)), start=1):
            for word in _COMMENT.sub("", line).split():
                yield Place(text.name, number), word


def _decoded(text: Text) -> str:
    if isinstance(text.content, str):
        return text.content.removeprefix("\ufeff")
    try:
        decoded = text.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.content.count(b"\n", 0, error.start) + 1
        raise InvalidImagesList(
            f"{text.name}, line {line}: this is not UTF-8 text",
            hint="Save the list as UTF-8.",
        ) from None
    if "\0" in decoded:
        raise InvalidImagesList(f"{text.name} is not a text file")
    return decoded


def _invalid(bad: list[tuple[Place, InvalidReference]]) -> InvalidImagesList:
    lines = [
        f"{place}: {_shortened(error.text)!r}: {_shortened(error.reason)}"
        for place, error in bad[:_MOST_TOLD]
    ]
    if len(bad) > _MOST_TOLD:
        lines.append(f"and {len(bad) - _MOST_TOLD} more")
    return InvalidImagesList(
        "\n  ".join([f"{count(len(bad), 'image name')} cannot be read:", *lines]),
        hint="Write one name per line, like nvcr.io/nvidia/pytorch:25.06-py3; # begins a comment.",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]} .."
