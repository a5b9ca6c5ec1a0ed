"""Variables in Dockerfiles and Compose files: `$A`, `${A}`, `${A:-default}`, `${A:+other}`.

What is not known stays as it is written, so that whoever reads the name sees that it is unresolved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_OPENING = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(:?[-+?])?)")
_DEEPEST = 10
_LONGEST = 4096


def expand(text: str, known: Mapping[str, str], depth: int = 0) -> str:
    """The text with the values of known variables, and with defaults for the others."""
    if depth > _DEEPEST or len(text) > _LONGEST:
        return text
    out: list[str] = []
    position = 0
    while found := _OPENING.search(text, position):
        out.append(text[position : found.start()])
        name, operator = found[1] or found[2], found[3] or ""
        position = found.end()
        default = ""
        if found[2]:
            end = _closing(text, position)
            if end < 0 or (not operator and end != position):
                out.append(found[0])
                continue
            default, position = text[position:end], end + 1
        value = known.get(name)
        unset = value is None or (operator.startswith(":") and not value)
        if operator.endswith("+"):
            out.append("" if unset else expand(default, known, depth + 1))
        elif operator.endswith("-") and unset:
            out.append(expand(default, known, depth + 1))
        elif value is None or unset:
            out.append(f"${{{name}}}")
        else:
            out.append(value)
    return "".join([*out, text[position:]])[:_LONGEST]


def _closing(text: str, position: int) -> int:
    """Where the brace closes that was opened before; -1 where it does not."""
    depth = 1
    for index in range(position, len(text)):
        if text[index] == "}":
            depth -= 1
            if not depth:
                return index
        elif text[index] == "{":
            depth += 1
    return -1
