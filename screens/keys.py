"""Keys: how screens and widgets declare them, and which of them work right now.

Declare bindings with `key()` (letters work in both cases). The footer and the help page read what
is live from the bindings themselves, so neither can say what is not so. A widget or screen whose
words depend on its state overrides `key_text(action)` and `check_action`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

_NAMES = {
    "escape": "Esc",
    "space": "Space",
    "enter": "Enter",
    "delete": "Del",
    "backspace": "Backspace",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "slash": "/",
    "question_mark": "?",
}
LEAST_SHOWN = 3
"""General keys join the footer only until there are so many."""
_FIRST_OF_GENERAL = ("Esc", "Enter", "Tab")


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A key that works right now: its name, what it does, and whether the footer shows it."""

    name: str
    text: str
    shown: bool
    general: bool
    first: bool


def key(
    keys: str,
    action: str,
    text: str,
    *,
    name: str = "",
    shown: bool = True,
    general: bool = False,
    first: bool = False,
) -> Binding:
    """A binding. `keys` are Textual's names joined with commas; `name` is what people read.

    `shown` keys are in the footer while they work; all keys are in the help. A `general` key is
    left out of the footer where enough others are; a `first` key stands at the footer's left.
    """
    parts = keys.split(",")
    name = name or "/".join(dict.fromkeys(_name(part) for part in parts))
    expanded = [case for part in parts for case in _cases(part)]
    return Binding(
        ",".join(expanded),
        action,
        text,
        show=shown,
        key_display=name,
        group=GENERAL if general else FIRST if first else None,
    )


GENERAL = Binding.Group("general")
FIRST = Binding.Group("first")


def live_keys(screen: Screen[Any]) -> list[LiveKey]:
    """What works now, the focused widget's keys first; each action once."""
    found: dict[tuple[int, str], LiveKey] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not active.enabled or not binding.key_display:
            continue
        found.setdefault((id(active.node), f"{binding.action}"), _live(active.node, binding))
    return list({(live.name, live.text): live for live in found.values()}.values())


def footer_keys(keys: Iterable[LiveKey]) -> list[LiveKey]:
    """The keys for the footer's left side, in order, without those of the frame (F1, F10)."""
    shown = [live for live in keys if live.shown and live.text]
    own = [live for live in shown if not live.general]
    general = {live.name: live for live in shown if live.general}
    room = max(0, LEAST_SHOWN - len(own))
    own.sort(key=lambda live: not live.first)
    chosen = [general[name] for name in _FIRST_OF_GENERAL if name in general][:room]
    return own + chosen[1:] + chosen[:1]


def _live(node: DOMNode, binding: Binding) -> LiveKey:
    own_text = getattr(node, "key_text", None)
    words = own_text(binding.action) if own_text is not None else None
    text = binding.description if words is None else words
    return LiveKey(
        binding.key_display or "",
        str(text),
        binding.show,
        binding.group is GENERAL,
        binding.group is FIRST,
    )


def _name(part: str) -> str:
    if part in _NAMES:
        return _NAMES[part]
    return "+".join(piece.capitalize() for piece in part.split("+"))


def _cases(part: str) -> list[str]:
    return [part.lower(), part.upper()] if len(part) == 1 and part.isalpha() else [part]
