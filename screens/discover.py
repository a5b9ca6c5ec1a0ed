"""Images in use: where to look for them, the looking itself, and which of those found to carry.

A page of the Images step. Nothing is asked before the button that says so is pressed, also where
hosts were given before.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import commands, in_use, in_use_sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import Looking
from airgap_tui.engine.jobs.discovery import discover
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from screens.base import Scrolls
from screens.errands import ErrandScreen
from screens.found_tables import FoundTables
from screens.keys import LiveKey, footer_keys, key
from screens.modals.pages import TextPage
from screens.where_form import WhereForm
from screens.widgets.controls import Button
from screens.widgets.table import Table

DRAWN_EVERY = 0.25
"""Seconds between two looks at what the job has counted."""
_FOOTER = ("choose", "all", "filter", "sort", "others")


class DiscoverScreen(ErrandScreen[tuple[Reference, ...] | None]):
    """Answers the images that were added; None where the user went back."""

    step = "Images"
    help_text = (
        "Looks for the images that people run here: in engines, shell histories, Slurm, Enroot,"
        " Kubernetes and files, on this machine and on other hosts. Hosts are only asked once you"
        " press the button. The table of hosts and sources tells what was read; the row in focus"
        " there decides which images are seen below. A source that could not be read is told with"
        " what to do about it. Names that are no image for sure are never added: O shows them."
    )
    BINDINGS = [key("s", "sort", "sort"), key("o", "others", "others")]  # noqa: RUF012

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._looking = Looking()
        self._begun = 0.0
        self._form = WhereForm(crossing, id="where")
        self._tables = FoundTables(crossing, id="found")

    def body(self) -> ComposeResult:
        yield self._form
        yield self._tables

    def on_open(self) -> None:
        if self._crossing.searched is None:
            self._show_form()
        else:
            self._show_found(self._crossing.searched)
        self.every(DRAWN_EVERY, self._draw)

    def likeliest(self) -> Widget | None:
        if self._found is not None and self._found.images:
            return self._tables.images
        if self._found is not None or self.under_way("look"):
            return self._tables.spots
        return self.way_on if not self.not_yet else None

    @property
    def _found(self) -> Searched | None:
        """What was found, while that is what is seen."""
        return None if self._form.display or self.under_way("look") else self._crossing.searched

    def _show_parts(self, *, form: bool) -> None:
        self._form.display, self._tables.display = form, not form
        self.refresh_bindings()

    # Where to look

    def _show_form(self) -> None:
        self._show_parts(form=True)
        self.excerpt = "Where are images in use? Nothing is asked before you press the button."
        self.back = "Back"
        self._form.understand()
        self._say_asked()

    def _say_asked(self) -> None:
        asked, self.not_yet = self._form.asked, self._form.missing
        self.onward, self.command = in_use_sentences.look(asked), commands.discover(asked)

    def on_where_form_changed(self, _event: WhereForm.Changed) -> None:
        self._say_asked()

    @on(Button.Pressed, "#again")
    def _elsewhere(self) -> None:
        self._show_form()
        self.focus_likeliest()

    # Looking

    def _look(self) -> None:
        asked, looking = self._form.asked, Looking()
        self._looking, self._begun = looking, monotonic()

        def work(token: CancelToken) -> tuple[DiscoverResult, tuple[str, ...]]:
            spec, remarks = asked.spec()
            return discover.run(spec, looking.take, token), remarks

        def done(answer: tuple[DiscoverResult, tuple[str, ...]]) -> None:
            result, remarks = answer
            crossing = self._crossing
            crossing.searched = in_use.searched(
                result, asked, looking.hosts(), remarks, crossing.collection
            )
            self._show_found(crossing.searched)
            self.focus_likeliest()

        def failed(error: AirgapError) -> None:
            self._show_form()
            self.focus_likeliest()
            self.wizard.show_error(error)

        self.send_for("look", work, done, failed)
        self._show_parts(form=False)
        self._tables.begin(asked.in_words)
        self.back, self.onward = "Stop", "Add images"
        self.not_yet = "Opens by itself when looking ends."
        self.place_focus(self._tables.spots)
        self._draw()

    def _draw(self) -> None:
        if self.under_way("look"):
            hosts = self._looking.hosts()
            self.excerpt = in_use_sentences.looking(hosts, monotonic() - self._begun)
            self._tables.draw(hosts)

    def go_back(self) -> None:
        if self.under_way("look"):
            self.cut_short("look")
            self.back = ""
            self.not_yet = "Stopping; what was found stays."
        elif self._found is None and self._crossing.searched is not None:
            self._show_found(self._crossing.searched)
            self.focus_likeliest()
        else:
            self.dismiss(None)

    # What was found

    def _show_found(self, found: Searched) -> None:
        self._show_parts(form=False)
        self.back, self.command = "Back", commands.discover(found.asked)
        self._tables.end(found)
        self._say_found(found)

    def _say_found(self, found: Searched) -> None:
        self.excerpt, self.not_yet = (
            in_use_sentences.searched(found),
            in_use_sentences.searched_missing(found),
        )
        self.onward = f"Add {count(len(found.chosen), 'image')}" if found.chosen else "Add images"

    def on_descendant_focus(self) -> None:
        super().on_descendant_focus()
        self._tables.tell()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        found = self._crossing.searched
        if found is not None:
            these = [image.reference for image in self._tables.these(event.keys)]
            self._crossing.searched = found = found.choosing(event.chosen, these)
            self._tables.choose(found)
            self._say_found(found)

    def on_table_opened(self, event: Table.Opened) -> None:
        found, spot = self._found, self._tables.spot(event.key)
        images = self._tables.these([event.key])
        if event.table is self._tables.images and images:
            self.app.push_screen(TextPage(self, event.key, in_use.details(images[0])))
        elif found is not None and spot is not None:
            host = spot.host
            text = in_use.on_host(found, host) if host else in_use.left_aside(found)
            self.app.push_screen(
                TextPage(self, in_use.host_name(host) if host else "Everywhere.", text)
            )

    def go_on(self) -> None:
        if self.not_yet:
            return
        found = self._found
        if found is None:
            self._look()
            return
        crossing = self._crossing
        crossing.wish(crossing.collection.with_wishes(in_use.wishes(found.chosen)))
        self.dismiss(tuple(image.reference for image in found.chosen))

    # Keys

    def action_sort(self) -> None:
        self.say(f"Sorted by {self._tables.sort()}.")

    def action_others(self) -> None:
        if self._found is not None:
            title = "What is not among the images in use, and what could not be read."
            self.app.push_screen(TextPage(self, title, in_use.left_aside(self._found)))

    def key_text(self, action: str) -> str | None:
        if action == "back" and self.under_way("look"):
            return "stop"
        return super().key_text(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "sort":
            return self._found is not None and bool(self._found.images)
        if action == "others":
            return self._found is not None and bool(in_use.left_aside(self._found))
        return super().check_action(action, parameters)

    def scrolled(self) -> Scrolls | None:
        return self._tables.images if self._found is not None else self._tables.spots

    def footer(self, keys: Sequence[LiveKey]) -> list[LiveKey]:
        """Choosing and what is apart first: there is no room for all."""
        shown = footer_keys(keys)
        return sorted(shown, key=lambda live: live.text not in _FOOTER)
