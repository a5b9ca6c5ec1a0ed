"""Reads the objects of `bundle.json` field by field, and checks the type of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from airgap_tui.engine.errors import AirgapError, MalformedContent

T = TypeVar("T")

_LARGEST = 2**63 - 1

_UNPAIRED = re.compile(r"[\ud800-\udfff]")
"""Half of a character, which JSON can write and no file or terminal takes."""


def parse_value(text: str, parse: Callable[[str], T], where: str) -> T:
    try:
        return parse(text)
    except AirgapError as error:
        raise MalformedContent(f"bundle.json: {where}: {error.message}") from None


class Fields:
    """Reads the fields of a JSON object, each of which must have its type."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise MalformedContent(f"bundle.json: {where}: an object is missing")
        self._left: dict[str, Any] = dict(value)
        self._where = where

    def take(self, key: str, default: object) -> Any:
        return self._left.pop(key, default)

    def text(self, key: str, default: str = "") -> str:
        value = self.take(key, default)
        if not isinstance(value, str) or _UNPAIRED.search(value):
            raise MalformedContent(f"bundle.json: {self._where}: {key} is not a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.take(key, [])
        if not isinstance(value, list):
            raise MalformedContent(f"bundle.json: {self._where}: {key} is not a list")
        if any(_UNPAIRED.search(str(text)) for text in value):
            raise MalformedContent(f"bundle.json: {self._where}: {key} is not a list of texts")
        return tuple(str(text) for text in value)

    def count(self, key: str) -> int:
        value = self.take(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
            raise MalformedContent(f"bundle.json: {self._where}: {key} is not a count")
        return value

    def parsed(self, key: str, parse: Callable[[str], T]) -> T | None:
        text = self.text(key)
        return parse_value(text, parse, f"{self._where}: {key}") if text else None

    def rest(self) -> dict[str, Any]:
        return self._left
