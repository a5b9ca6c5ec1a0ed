"""The filter of a table: what is typed into its last line, and which rows pass."""

from __future__ import annotations

from typing import Any

from textual.events import Key, Paste

from screens.widgets.table_lines import TableLines


class FilteredLines(TableLines):
    """With `typing` whatever is typed filters; else `/` begins it, Enter keeps it, Esc ends it."""

    def __init__(self, *arguments: Any, typing: bool, **options: Any) -> None:
        super().__init__(*arguments, typing=typing, **options)
        self._always_typing = typing

    def moved(self) -> None:
        """Another row became the current one."""

    def action_filter(self) -> None:
        self._type(True)

    def action_clear_filter(self) -> None:
        self._set_filter("")

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self._typing and character is not None and character.isprintable()

    def on_key(self, event: Key) -> None:
        if not self._typing:
            return
        if event.key == "escape" and not self._always_typing:
            self._set_filter("")
            self._type(False)
        elif event.key == "enter" and not self._always_typing:
            self._type(False)
        elif event.key == "backspace":
            self._set_filter(self._window.filter[:-1])
        elif event.key == "ctrl+u":
            self._set_filter("")
        elif event.is_printable and event.character is not None:
            self._set_filter(self._window.filter + event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: Paste) -> None:
        if self._typing:
            event.stop()
            self._set_filter(self._window.filter + event.text.strip())

    def on_blur(self) -> None:
        self._type(self._always_typing)

    def _type(self, typing: bool) -> None:
        if typing is not self._typing:
            self._typing = typing
            self.redraw()
            self.screen.refresh_bindings()

    def _set_filter(self, text: str) -> None:
        current = self._window.current
        self._window.set_filter(text)
        self.redraw()
        if self.is_attached:
            self.screen.refresh_bindings()
        if self._window.current != current:
            self.moved()
