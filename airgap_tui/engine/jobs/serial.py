"""Specs, results and snapshots as JSON and back, told by their types.

Frozen dataclasses are objects of their fields; references, digests and enums are their texts. Paths
become absolute, so that a job means the same wherever it is continued. Specs name files with
secrets but hold none; texts that came from outside can go through the redactor on their way.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from airgap_tui.engine.errors import AirgapError, MalformedContent
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference

T = TypeVar("T")

_TEXTS: dict[type, Any] = {Reference: Reference.parse, Digest: Digest.parse}
_UNIONS = (typing.Union, types.UnionType)


def to_json(value: Any, texts: Callable[[str], str] = str) -> Any:
    """The value in terms of JSON, its free texts as `texts` returns them (`redact`).

    Raises `TypeError` for a type that no spec or result has.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return texts(value)
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, tuple(_TEXTS)):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_json(item, texts) for item in value]
    if isinstance(value, frozenset):
        return sorted(to_json(item, texts) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name), texts)
            for field in dataclasses.fields(value)
        }
    raise TypeError(f"{type(value).__name__} cannot be kept as JSON")


def from_json(kind: type[T], value: Any) -> T:
    """The value of this type; fields that are missing get their defaults, unknown ones are refused.

    Raises `MalformedContent`, which names the field.
    """
    try:
        result = _read(kind, value, kind.__name__)
    except (TypeError, ValueError, AirgapError) as error:
        if isinstance(error, MalformedContent):
            raise
        raise MalformedContent(f"{kind.__name__}: {error}") from None
    assert isinstance(result, kind)  # noqa: S101 - _read makes what it is asked for
    return result


def _read(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in _UNIONS:
        return _read_union(typing.get_args(kind), value, where)
    if origin is typing.Literal:
        return _expect(value in typing.get_args(kind), value, where)
    if origin in (tuple, frozenset):
        _expect(isinstance(value, list), value, where)
        inner = typing.get_args(kind)[0]
        return origin(_read(inner, item, f"{where}[{n}]") for n, item in enumerate(value))
    if kind is float:
        return float(_expect(isinstance(value, (int, float)), value, where))
    if kind in (str, bool, int, type(None)):
        return _expect(type(value) is kind, value, where)
    if kind is Path or kind in _TEXTS or issubclass(kind, Enum):
        _expect(isinstance(value, str), value, where)
        try:
            return _TEXTS.get(kind, kind)(value)
        except (ValueError, AirgapError) as error:
            raise MalformedContent(f"{where}: {error}") from None
    return _read_fields(kind, value, where)


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """Only `X | None` occurs."""
    if value is None and type(None) in kinds:
        return None
    (kind,) = (k for k in kinds if k is not type(None))
    return _read(kind, value, where)


def _read_fields(kind: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), value, where)
    hints = _hints(kind)
    unknown = sorted(value.keys() - hints.keys())
    if unknown:
        raise MalformedContent(f"{where} has no field {unknown[0]!r}")
    return kind(
        **{name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    )


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(kind):
        names = tuple(field.name for field in dataclasses.fields(kind) if field.init)
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):  # an event, as `as_json` gave it
        names = kind._fields
    else:
        raise TypeError(f"{kind!r} cannot be read from JSON")
    hints = typing.get_type_hints(kind)
    return {name: hints[name] for name in names}


def _expect(fits: bool, value: Any, where: str) -> Any:
    if not fits:
        raise MalformedContent(f"{where}: {str(value)[:80]!r} does not belong there")
    return value
