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
from airgap_tui.engine.discovery.merging import DiscoveredImage
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.guide import commands, in_use, in_use_sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import Looking
from airgap_tui.engine.guide.where import Asked, Where, hosts_in_words, paths, understood
from airgap_tui.engine.jobs.discovery import discover
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from screens import discovered_rows, names
from screens.base import Scrolls
from screens.discovered_rows import EVERYWHERE, ORDERS, Spot, image_cells, in_order
from screens.errands import ErrandScreen
from screens.keys import LiveKey, footer_keys, key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.widgets.controls import Button, Checkbox, Row
from screens.widgets.fields import Field
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line

DRAWN_EVERY = 0.25
"""Seconds between two looks at what the job has counted."""
_SPOTS = [
    Column("Host and source", 22, grow=1),
    Column("Found", 10, gap=1, right=True),
    Column("State", 37, grow=2),
]
_NUMBERS = [
    Column("Used", 5, gap=1, right=True),
    Column("Last use", 10),
    Column("Found in", 8, gap=1),
]
_ABOUT = [
    Fact(
        "This machine",
        "Docker, Podman, containerd, Kubernetes, shell histories,\n"
        "Enroot, and of Slurm logs, accounting and job scripts",
    ),
    Fact(
        "Hosts",
        "The same there, by ssh: admin@dgx01, a range such as\n"
        "dgx[01-04,7], or the file of an Ansible inventory",
    ),
    Fact(
        "Files",
        "Logs, histories, scripts, manifests, Dockerfiles, saved\n"
        "output of docker images; or directories of such files",
    ),
]
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
        self._asked = Asked()
        self._looking = Looking()
        self._begun = 0.0
        self._order = ORDERS[0]
        self._spots: dict[str, Spot] = {}
        self._images: dict[str, DiscoveredImage] = {}
        self._cells: dict[str, tuple[str, ...]] = {}

    def body(self) -> ComposeResult:
        where = self._crossing.where
        yield Checkbox("This machine", where.here, label="Look in", id="here")
        yield Field("Hosts", where.hosts, width=30, id="hosts")
        yield Field("Files", where.files, width=30, id="files")
        yield Gap(classes="form")
        yield Facts(_ABOUT, name_width=14, id="about")
        yield Row(Line(id="looked", indent=2), Button("Look elsewhere", id="again"), id="places")
        yield Table(_SPOTS, marks=True, belongs=True, status=False, enter="details", id="spots")
        yield Gap(classes="found")
        yield Table(_NUMBERS, boxes=True, enter="details", id="images")
        yield Line(indent=2, id="told")
        yield Line(indent=2, id="more")

    def on_open(self) -> None:
        self._table("spots").styles.height, self._table("images").styles.height = "4fr", "7fr"
        if self._crossing.searched is None:
            self._show_form()
        else:
            self._show_found(self._crossing.searched)
        self.every(DRAWN_EVERY, self._draw)

    def likeliest(self) -> Widget | None:
        if self._found is not None and self._found.images:
            return self._table("images")
        if self._found is not None or self.under_way("look"):
            return self._table("spots")
        return self.way_on if not self.not_yet else None

    @property
    def _found(self) -> Searched | None:
        """What was found, while that is what is seen."""
        form = self.query_one("#here").display
        return None if form or self.under_way("look") else self._crossing.searched

    def _table(self, name: str) -> Table:
        return self.query_one(f"#{name}", Table)

    def _show_parts(self, *, form: bool, images: bool) -> None:
        for part in ("#here", "#hosts", "#files", "#about"):
            self.query_one(part).display = form
        for gap in self.query(".form"):
            gap.display = form
        for part in ("#places", "#spots", "#told", "#more"):
            self.query_one(part).display = not form
        self.query_one("#again").display = images
        for widget in (*self.query(".found"), self._table("images")):
            widget.display = images
        self.refresh_bindings()

    # Where to look

    def _show_form(self) -> None:
        self._show_parts(form=True, images=False)
        self.excerpt = "Where are images in use? Nothing is asked before you press the button."
        self.back = "Back"
        self._understand()
        self._say_places()

    def _understand(self) -> None:
        """Read what is typed; what cannot be read is said beside its field and shuts the way on."""
        self.not_yet = ""
        try:
            self._asked = understood(self._crossing.where)
        except UsageError as error:
            self.not_yet = f"Not yet: {error.message.partition(': ')[0]}."
        else:
            if not self._asked.somewhere:
                self.not_yet = "Not yet: choose where to look."
        self.onward, self.command = (
            in_use_sentences.look(self._asked),
            commands.discover(self._asked),
        )

    def _say_places(self) -> None:
        where = self._crossing.where
        hosts, files = self.query_one("#hosts", Field), self.query_one("#files", Field)
        for field, text, words in (
            (hosts, where.hosts, hosts_in_words),
            (files, where.files, lambda text: count(len(paths(text)), "path")),
        ):
            try:
                field.note(words(text) if text else "")
                field.below("")
            except UsageError as error:
                field.note("Look at this again", Mark.NEEDS_YOU)
                field.below(f"{error.message[:1].upper()}{error.message[1:]}. {error.hint}".strip())

    def _typed(self) -> None:
        self._crossing.where = Where(
            self.query_one("#here", Checkbox).checked,
            self.query_one("#hosts", Field).value,
            self.query_one("#files", Field).value,
        )
        self._understand()
        self._say_places()

    def on_field_changed(self, _event: Field.Changed) -> None:
        if self.query_one("#here").display:
            self._typed()

    def on_checkbox_changed(self, _event: Checkbox.Changed) -> None:
        self._typed()

    def on_field_submitted(self, _event: Field.Submitted) -> None:
        self.focus_next()

    @on(Button.Pressed, "#again")
    def _elsewhere(self) -> None:
        self._show_form()
        self.focus_likeliest()

    # Looking

    def _look(self) -> None:
        asked, looking = self._asked, Looking()
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
        self._show_parts(form=False, images=False)
        self.query_one("#looked", Line).show(f"Looking in  {asked.in_words}")
        spots = self._table("spots")
        spots.styles.max_height = None
        spots.show([], empty="Beginning ..")
        self.back, self.onward = "Stop", "Add images"
        self.not_yet = "Opens by itself when looking ends."
        spots.focus()
        self._draw()

    def _draw(self) -> None:
        if not self.under_way("look"):
            return
        hosts = self._looking.hosts()
        self.excerpt = in_use_sentences.looking(hosts, monotonic() - self._begun)
        self._spots = {spot.key: spot for spot in discovered_rows.spots(hosts)}
        self._table("spots").show(discovered_rows.live_rows(hosts))
        self._tell()

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
        self._show_parts(form=False, images=True)
        self.back, self.command = "Back", commands.discover(found.asked)
        self.query_one("#looked", Line).show(f"Looked in  {found.asked.in_words}")
        self._spots = {spot.key: spot for spot in discovered_rows.spots(found.hosts)}
        self._images = {str(image.reference): image for image in found.images}
        common = names.common_registry(self._images)
        self._cells = {name: image_cells(image, common) for name, image in self._images.items()}
        heading = f"Image, on {common}" if common else "Image"
        self._table("images").show(
            columns=[
                Column(heading, 19, grow=1),
                Column("Tag", 23, gap=1, grow=1),
                *_NUMBERS,
            ]
        )
        rows = discovered_rows.spot_rows(found)
        spots = self._table("spots")
        spots.styles.max_height = len(rows) + 1
        spots.show(rows)
        spots.current = EVERYWHERE if len(found.hosts) > 1 else rows[0].key if rows else ""
        self._fill()

    def _fill(self) -> None:
        found = self._crossing.searched
        if found is None:
            return
        spot = self._spots.get(self._table("spots").current)
        images = [
            (name, image) for name, image in self._images.items() if spot is None or spot.has(image)
        ]
        rows = [
            TableRow(name, self._cells[name], chosen=image.reference not in found.left_out)
            for name, image in in_order(images, self._order)
        ]
        nothing = "No image in use is named here." if found.images else "Nothing is in use."
        self._table("images").show(rows, empty=nothing)
        self.excerpt, self.not_yet = (
            in_use_sentences.searched(found),
            in_use_sentences.searched_missing(found),
        )
        self.onward = f"Add {count(len(found.chosen), 'image')}" if found.chosen else "Add images"
        self._tell()

    def _tell(self) -> None:
        """Two lines on the row in focus."""
        text, more = "", ""
        image = self._images.get(self._table("images").current)
        if self._table("spots").has_focus or self._found is None or image is None:
            spot = self._spots.get(self._table("spots").current)
            if spot is not None:
                text, more = discovered_rows.told(spot, self._found)
        else:
            listed = any(w.reference == image.reference for w in self._crossing.collection.wishes)
            text = in_use.used(image)
            more = f"{'In your list already; ' * listed}{in_use.places(image)}"
        self.query_one("#told", Line).show(text)
        self.query_one("#more", Line).show(more)

    def on_table_moved(self, event: Table.Moved) -> None:
        if event.table is self._table("spots") and self._found is not None:
            self._fill()
        else:
            self._tell()

    def on_descendant_focus(self) -> None:
        super().on_descendant_focus()
        self._tell()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        found = self._crossing.searched
        if found is not None:
            these = [self._images[name].reference for name in event.keys if name in self._images]
            self._crossing.searched = found.choosing(event.chosen, these)
            self._fill()

    def on_table_opened(self, event: Table.Opened) -> None:
        found, spot = self._found, self._spots.get(event.key)
        if event.table is self._table("images") and event.key in self._images:
            text = in_use.details(self._images[event.key])
            self.app.push_screen(TextPage(self, event.key, text))
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
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._fill()
        self.say(f"Sorted by {self._order}.")

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
        return self._table("images" if self._found is not None else "spots")

    def footer(self, keys: Sequence[LiveKey]) -> list[LiveKey]:
        """Choosing and what is apart first: there is no room for all."""
        shown = footer_keys(keys)
        return sorted(shown, key=lambda live: live.text not in _FOOTER)
