"""YAML that people and tools wrote, read as texts only, and changed at one spot without a reprint.

Every scalar stays the text that it is: a password of digits is not a number, and no tag makes an
object. A value is replaced at its place in the text, so that comments and order survive.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airgap_tui.engine.errors import EnvironmentFailure

if TYPE_CHECKING:
    from yaml import Node

Edit = tuple[int, int, str]
"""Put the text in the place of the characters from the first to before the second."""


class Vaulted(str):
    """The value of `!vault |`: encrypted."""


class Literal(str):
    """The value of `!unsafe`: Ansible takes it as it is, braces and all."""


def load_all(text: str, origin: str) -> list[Any]:
    """Every document, JSON too, as dicts, lists and texts. Raises `EnvironmentFailure`."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith(("{", "[")):
        try:  # a thousand times quicker, for the lists that kubectl writes
            return [json.loads(stripped, parse_int=str, parse_float=str)]
        except (ValueError, RecursionError):
            pass
    import yaml

    class Loader(yaml.BaseLoader):
        pass

    for tag, kind in (("!vault", Vaulted), ("!vault-encrypted", Vaulted), ("!unsafe", Literal)):
        Loader.add_constructor(tag, _text_of(kind))
    try:
        return list(yaml.load_all(text, Loader))  # texts only
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise _unreadable(origin, error) from None


def compose_all(text: str, origin: str) -> list[Node]:
    """The nodes of every document, with their places. Raises `EnvironmentFailure`."""
    import yaml

    try:
        return [node for node in yaml.compose_all(text, yaml.BaseLoader) if node is not None]
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise _unreadable(origin, error) from None


def child(node: Node | None, *keys: str) -> Node | None:
    """The value under these keys, one mapping after the other; None where there is none."""
    import yaml

    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def replacing(text: str, node: Node, value: str) -> Edit:
    """The edit that puts `value` in the place of a node; a block scalar's line ends are kept."""
    start, end = node.start_mark.index, node.end_mark.index
    old = text[start:end]
    return start, end, value + old[len(old.rstrip()) :]


def edited(text: str, edits: list[Edit]) -> str:
    """The text after edits that do not overlap."""
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def quoted(text: str) -> str:
    """The text as a YAML scalar on one line, whatever is in it."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(sign: str) -> str:
    if sign in '\\"':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _text_of(kind: type[str]) -> Any:
    def construct(loader: Any, node: Node) -> str:
        return kind(loader.construct_scalar(node))

    return construct


def _unreadable(origin: str, error: Exception) -> EnvironmentFailure:
    mark = getattr(error, "problem_mark", None)
    where = f", line {mark.line + 1}" if mark is not None else ""
    return EnvironmentFailure(f"{origin}{where} is not YAML that can be read", hint="Fix it.")
