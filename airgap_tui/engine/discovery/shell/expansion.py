"""Variables of shell text: their possible values, and what `${…}` makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MOST_VALUES = 64
_MOST_VARIABLES = 20_000
_LONGEST = 4096
_BRACED = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([@*]|[0-9]{1,4})\])?(?:(:?[-=?+])(.*)|(##?|%%?)(.*))?",
    re.DOTALL,
)
_UNQUOTED_NAME = re.compile(r"\\(.)|\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.DOTALL)
_ANSI_ESCAPE = re.compile(r"\\([\\'\"?abefnrtv]|x[0-9A-Fa-f]{1,2}|[0-7]{1,3})")
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "a": "", "b": "", "e": "", "f": " ", "v": " "}


class Variables:
    """What names stand for. A variable set in a condition or a loop has several values."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, ...]] = {}

    def copy(self) -> Variables:
        copied = Variables()
        copied._values = dict(self._values)
        return copied

    def get(self, name: str) -> tuple[str, ...] | None:
        return self._values.get(name)

    def set(self, name: str, values: tuple[str, ...], *, add: bool = False) -> None:
        """Set it, or with `add` let it have these values too."""
        if add:
            values = (*self._values.get(name, ()), *values)
        values = tuple(dict.fromkeys(values))[:_MOST_VALUES]
        known = name in self._values or len(self._values) < _MOST_VARIABLES
        if known and all(len(value) <= _LONGEST for value in values):
            self._values[name] = values
        else:
            self._values.pop(name, None)

    def choose(self, name: str, values: Sequence[str]) -> None:
        """The variable of a loop: one of these, and nobody knows which where they are patterns, the
        output of a command or what was passed."""
        if values and not any(c in value for value in values for c in "$*?[{"):
            self.set(name, tuple(values))
        else:
            self.forget([name])

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._values.pop(name, None)

    def substituted(self, text: str) -> str:
        """A here-document as the shell hands it on: variables replaced, `\\$` made `$`."""

        def value(found: re.Match[str]) -> str:
            if found[1] is not None:
                return found[1] if found[1] in "$`\\" else "" if found[1] == "\n" else found[0]
            values = self.get(found[2] or found[3])
            return values[0] if values and len(values) == 1 else found[0]

        # A continuation would shift the lines that follow: it stays, and means the same there.
        return _UNQUOTED_NAME.sub(lambda m: m[0] if m[1] == "\n" else value(m), text)


def braced(inside: str, variables: Variables) -> tuple[tuple[str, ...], frozenset[str]]:
    """The values of `${inside}`, none where they are not known, and which variable is not set."""
    found = _BRACED.fullmatch(inside)
    if found is None:
        return (), frozenset()
    name, index, operator, default, strip, pattern = found.groups()
    values = variables.get(name)
    if index is not None and index.isdigit() and values:
        values = values[int(index) : int(index) + 1] or None
    if strip is not None:
        return _stripped(values, strip, pattern), frozenset() if values else frozenset({name})
    if operator is None or operator in ("?", ":?"):
        return (values, frozenset()) if values else ((), frozenset({name}))
    if operator.endswith("+"):
        return ((), frozenset({name})) if values is None else ((), frozenset())
    if values and not (operator.startswith(":") and values == ("",)):
        return values, frozenset()
    default = default.strip("\"'")
    defaults = _resolved(default, variables)
    if not defaults:
        return (), frozenset({name})
    if operator.endswith("="):
        variables.set(name, defaults)
    return defaults, frozenset()


def stand_in(written: str, unset: frozenset[str]) -> str:
    """What a word has in the place of a value that is not known: what is written, but without
    defaults and patterns, which may hold anything."""
    braces = bool(unset) and written.startswith("${")
    return f"${{{min(unset)}}}" if braces else written


def _resolved(default: str, variables: Variables) -> tuple[str, ...]:
    """A default, which may be another variable alone or a text with some that are set."""
    if default.startswith("${") and default.endswith("}") and "}" not in default[2:-1]:
        return braced(default[2:-1], variables)[0]
    text = variables.substituted(default)
    return () if "$" in text or "`" in text else (text,)


def _stripped(values: tuple[str, ...] | None, strip: str, pattern: str) -> tuple[str, ...]:
    """`${X#p}` and `${X%p}` where the pattern is plain text; nothing is known of others."""
    if not values or any(c in pattern for c in "*?[$\\`\"'"):
        return ()
    if strip.startswith("#"):
        return tuple(value.removeprefix(pattern) for value in values)
    return tuple(value.removesuffix(pattern) for value in values)


def ansi_quoted(text: str) -> str:
    """What stands in `$'…'`, its escapes resolved."""
    return _ANSI_ESCAPE.sub(_ansi, text)


def _ansi(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] == "x":
        return chr(int(code[1:], 16))
    if code[0].isdigit():
        return chr(int(code, 8) & 0xFF)
    return _ANSI.get(code, code)
