"""Parses `WWW-Authenticate` (RFC 9110, 11.6.1) as registries really write it.

Several headers, several challenges in one header, quoted values that hold commas and equals signs,
values without quotes, and schemes without any parameter all occur.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=\s|,|$)")
_ACTION = r"(?:pull|push|delete|\*)(?=,|\s|$)"  # `scope=repository:a:pull,push` without quotes
_BARE = rf'[^\s"]*?(?=\s*(?:,(?!{_ACTION})|$)|\s+{_WORD}\s*(?:=|$))'
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_BARE}))')
_ESCAPED = re.compile(r"\\(.)")
_MAX_LENGTH = 16 * 1024


@dataclass(frozen=True, slots=True)
class Challenge:
    """`scheme` and the names of `parameters` are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of all headers, in their order; malformed ones are skipped."""
    return tuple(challenge for header in headers for challenge in _parse(header[:_MAX_LENGTH]))


def _parse(header: str) -> list[Challenge]:
    result: list[Challenge] = []
    position = 0
    while True:
        scheme = _SCHEME.match(header, position)
        if scheme is None:
            return result
        position = scheme.end()
        parameters: dict[str, str] = {}
        while True:
            parameter = _PARAMETER.match(header, position)
            if parameter is None:
                break
            name, quoted, bare = parameter.groups()
            value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = parameter.end()
        result.append(Challenge(scheme[1].lower(), parameters))
