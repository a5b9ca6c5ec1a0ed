"""JSON and YAML documents from outside, as plain values that cannot take the machine down.

YAML is built from the parser's events rather than loaded: no tag makes an object, aliases are
shared and not expanded, depth and size are bounded, `version: 1.10` stays the text that was
written, and each text knows its line. One broken document does not hide the others of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from airgap_tui.engine.discovery.text import decoded

MAX_DEPTH = 100
MAX_NODES = 3_000_000
"""Of one YAML document: what a list of ten thousand pods has."""

MAX_BROKEN = 100
"""After so many broken documents a file is read no further: it is something else."""

Value: TypeAlias = "dict[str, Value] | list[Value] | str | bool | None"

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%.*$", re.MULTILINE)
_NOTES = re.compile(r"^NOTES:[ \t]*$", re.MULTILINE)
"""What Helm prints below the last document of a chart."""
_SPACE = re.compile(r"[ \t\r\n]*")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}


class Written(str):
    """A text and the line of the file on which it stands."""

    __slots__ = ("line",)
    line: int

    def __new__(cls, text: str, line: int) -> Written:
        self = super().__new__(cls, text)
        self.line = line
        return self


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `line` is where it begins, or 0 where the file is this document alone."""

    value: Value
    line: int = 0


@dataclass(frozen=True, slots=True)
class Broken:
    """A document that cannot be read, with the line where that was noticed. `template` says that
    it is none yet, but a template such as Helm's."""

    line: int
    template: bool = False


def documents(content: bytes) -> Iterator[Document | Broken]:
    """The documents of a file: JSON, JSON lines or several JSON documents in a row, or YAML.

    Never raises for what it reads.
    """
    text = decoded(content)
    in_json = text.lstrip()[:1] in ("{", "[")
    broken = 0
    for one in _json_documents(text) if in_json else _yaml_documents(text):
        yield one
        broken += isinstance(one, Broken)
        if broken >= MAX_BROKEN:
            return


def line_of(value: object) -> int:
    """The line on which a value stands, 0 where that is not known."""
    return value.line if isinstance(value, Written) else 0


def _json_documents(text: str) -> Iterator[Document | Broken]:
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
    position = _after_space(text, 0)
    alone = True
    line, counted = 1, 0
    while position < len(text):
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            if alone and (as_yaml := list(_yaml_documents(text))) and _readable(as_yaml):
                yield from as_yaml
                return
            yield Broken(line, "{{" in text[position : position + 100_000])
            position = _next_document(text, position)
        else:
            end = _after_space(text, end)
            yield Document(value, 0 if alone and end == len(text) else line)
            position = end
        alone = False


def _readable(read: list[Document | Broken]) -> bool:
    return all(isinstance(one, Document) and isinstance(one.value, dict | list) for one in read)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _next_document(text: str, position: int) -> int:
    """Where the next line begins that may begin a document."""
    found = re.compile(r"^[{\[]", re.MULTILINE).search(text, position + 1)
    return found.start() if found else len(text)


def _yaml_documents(text: str) -> Iterator[Document | Broken]:
    """A `---` at the beginning of a line ends a document wherever it stands, even in a text."""
    starts = [0, *(found.start() for found in _SEPARATOR.finditer(text))]
    line, counted = 1, 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        line, counted = line + text.count("\n", counted, start), start
        piece = text[start:end]
        piece = _NOTES.split(piece, maxsplit=1)[0]
        if piece.startswith("%") or "\n%" in piece:
            piece = _DIRECTIVE.sub("", piece)
        try:
            for value in _values(piece, line):
                yield Document(value, line if len(starts) > 1 else 0)
        except yaml.MarkedYAMLError as error:
            noticed = line + (error.problem_mark.line if error.problem_mark else 0)
            yield Broken(noticed, "{{" in piece)
        except (yaml.YAMLError, _TooLarge, ValueError):
            yield Broken(line, "{{" in piece)


class _TooLarge(Exception):
    """A document deeper or larger than any that people write."""


def _values(text: str, first_line: int) -> Iterator[Value]:
    """The documents of a piece of YAML that has at most one, and none where it is empty."""
    building: _Building | None = None
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            building = _Building(first_line)
        elif isinstance(event, yaml.DocumentEndEvent):
            if building is not None and not building.empty:
                yield building.value
            building = None
        elif building is not None:
            building.take(event)


class _Building:
    """The value of a document as its events come in; without recursion."""

    def __init__(self, first_line: int) -> None:
        self.value: Value = None
        self.empty = True
        self._first_line = first_line
        self._anchors: dict[str, Value] = {}
        self._open: list[dict[str, Value] | list[Value]] = []
        self._keys: list[str | None] = []
        self._nodes = 0

    def take(self, event: Any) -> None:
        value: Value
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
            return
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._anchors.get(str(event.anchor)))
            return
        else:
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._add(value)
        if isinstance(value, dict | list):
            self._open.append(value)
            self._keys.append(None)
            if len(self._open) > MAX_DEPTH:
                raise _TooLarge

    def _scalar(self, event: Any) -> Value:
        text = event.value
        if event.implicit[0]:
            if text in _NULL:
                return None
            if text in _BOOLEANS:
                return _BOOLEANS[text]
        return Written(text, self._first_line + event.start_mark.line)

    def _add(self, value: Value) -> None:
        self._count(1)
        if not self._open:
            self.value, self.empty = value, value is None
        elif isinstance(parent := self._open[-1], list):
            parent.append(value)
        elif (key := self._keys[-1]) is None:
            # A key that is not text is one that nobody asks for.
            self._keys[-1] = str(value) if isinstance(value, str | bool) else ""
        else:
            parent[key] = value
            self._keys[-1] = None

    def _close(self) -> None:
        closed = self._open.pop()
        self._keys.pop()
        if isinstance(closed, dict) and "<<" in closed:
            merged = closed.pop("<<")
            for one in merged if isinstance(merged, list) else [merged]:
                if isinstance(one, dict) and one is not closed:
                    self._count(len(one))
                    for key, value in one.items():
                        closed.setdefault(key, value)

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _TooLarge
