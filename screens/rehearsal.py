"""The rehearsal, narrated as it goes: both sides on this machine, with samples, then tidied up."""

from __future__ import annotations

import threading

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import Event, Note
from airgap_tui.engine.guide import commands
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import rehearse
from airgap_tui.engine.jobs.rehearse import RehearseResult, RehearseSpec
from airgap_tui.engine.quantities import count, elapsed
from screens.errands import ErrandScreen
from screens.widgets.pane import TextPane


class RehearsalPage(ErrandScreen[None]):
    title_text = "Rehearse"
    help_text = (
        "Sample images are made here, saved, verified, served and pulled back, and every digest is"
        " compared. Nothing leaves this machine, and everything is removed afterwards."
    )

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._lines: list[str] = []
        self._lock = threading.Lock()

    def body(self) -> ComposeResult:
        yield TextPane("", tail=True)

    def on_open(self) -> None:
        self.excerpt = "Rehearsing both sides with small samples; this takes some seconds."
        self.command = commands.rehearse()
        self.back, self.onward = "Stop", "To the start"
        self.not_yet = "Opens when the rehearsal ends."
        spec = RehearseSpec(settings=self._crossing.settings)

        def sink(event: Event) -> None:
            if isinstance(event, Note):
                with self._lock:
                    self._lines.append(event.text)

        def work(token: CancelToken) -> RehearseResult:
            return rehearse.run(spec, sink, token)

        self.send_for("rehearsal", work, self._done, self._failed)
        self.every(0.25, self._draw)

    def likeliest(self) -> Widget | None:
        return self.way_on if not self.not_yet else None

    def go_on(self) -> None:
        self.dismiss(None)

    def go_back(self) -> None:
        self.call_off()
        self.dismiss(None)

    def _draw(self) -> None:
        with self._lock:
            text = "\n".join(self._lines)
        self.query_one(TextPane).show(text)

    def _done(self, result: RehearseResult) -> None:
        self._draw()
        self.excerpt = (
            f"It works here: {count(result.images, 'image')} crossed in"
            f" {elapsed(result.seconds)}, and every digest is equal."
        )
        self.back, self.not_yet = "", ""
        self.focus_likeliest()

    def _failed(self, error: AirgapError) -> None:
        self._draw()
        self.excerpt, self.back, self.not_yet = error.message, "", ""
