"""The README's table of keys, made from the bindings that screens and widgets declare."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from textual.binding import BindingsMap
from textual.dom import DOMNode

import screens
from airgap_tui.engine.guide.steps import Side
from screens.base import WizardScreen
from screens.watching import WatchingScreen
from screens.widgets.controls import Button, Checkbox
from screens.widgets.options import Menu
from screens.widgets.secret import SecretField
from screens.widgets.table import Table

BEGIN, END = "<!-- keys: made by tests/screens/pictures.py -->", "<!-- end of keys -->"
_PARTS: tuple[tuple[str, type[DOMNode]], ...] = (
    ("everywhere", WizardScreen),
    ("lists and tables", Table),
    ("one of several", Menu),
    ("boxes", Checkbox),
    ("buttons", Button),
    ("text fields", SecretField),
    ("a job at work", WatchingScreen),
)


def renewed(readme: str) -> str:
    """The README with its table as the bindings are now."""
    before, begin, rest = readme.partition(BEGIN)
    _old, end, after = rest.partition(END)
    assert begin and end, f"README.md lacks {BEGIN} and {END}"
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def table() -> str:
    """One row for each part of a screen, then for each step with keys of its own."""
    everywhere = key_table(WizardScreen)
    parts: dict[str, dict[tuple[str, str], None]] = {}
    for where, kind in (*_PARTS, *_steps()):
        own = [key for key in key_table(kind) if kind is WizardScreen or key not in everywhere]
        parts.setdefault(where, {}).update(dict.fromkeys(own))
    rows = [
        f"| {where} | {', '.join(f'`{name}` {text}' for name, text in keys if text)} |"
        for where, keys in parts.items()
        if keys
    ]
    return "\n".join(["| where | keys |", "| --- | --- |", *rows])


def key_table(*kinds: type[DOMNode]) -> list[tuple[str, str]]:
    """Names and texts of all keys that these screens and widgets declare."""
    rows: dict[tuple[str, str], None] = {}
    for kind in kinds:
        bindings: BindingsMap = kind._merge_bindings()
        for _key, binding in bindings:
            if binding.key_display:
                rows[binding.key_display, binding.description] = None
    return list(rows)


def _steps() -> Iterator[tuple[str, type[DOMNode]]]:
    """The screens with keys of their own, by their step; in the order of the steps."""
    for module in pkgutil.iter_modules(screens.__path__, "screens."):
        importlib.import_module(module.name)
    order = ["Welcome", *Side.ONLINE.steps, *Side.OFFLINE.steps]
    found = [
        (f"step {kind.step}" if kind.step else kind.title_text, kind)
        for kind in _below(WizardScreen)
        if kind.__module__.startswith("screens.") and "BINDINGS" in kind.__dict__
        if kind.step or kind.title_text == "Welcome"
    ]
    yield from sorted(found, key=lambda one: order.index(one[0].removeprefix("step ")))


def _below(kind: type[WizardScreen[Any]]) -> Iterator[type[WizardScreen[Any]]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
