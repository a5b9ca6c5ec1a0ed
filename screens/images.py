"""Images: which to carry. Typed, pasted, or read from a list file; chosen in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine import images_list
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import choices, commands, sentences
from airgap_tui.engine.guide.answers import (
    Origination,
    Wish,
    check_name,
    parse_many,
)
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.typed_path import typed_path
from screens import names
from screens.errands import ErrandScreen
from screens.modals.palette import Command
from screens.modals.paste import PastePage
from screens.modals.question import Prompt
from screens.steps import StepState
from screens.widgets.controls import Button, Row
from screens.widgets.fields import Field
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap

_COLUMNS = [Column("Image", 35, grow=2), Column("Tag", 24, gap=1, grow=1), Column("Found in", 8)]
_EMPTY = "No images yet. Type a name, or open one of the sources above."


class ImagesScreen(ErrandScreen[None]):
    step = "Images"
    help_text = (
        "Type an image name as docker pull takes it, or paste many at once. A list file has one"
        " name in a line; # begins a comment. Images in use can be found on this machine and on"
        " other hosts. Removing an image takes it out of this list only."
    )

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._notes: dict[str, str] = {}

    def body(self) -> ComposeResult:
        yield Field("Add one", enter="add", many=True, after=[Button("Add", id="add")], id="name")
        yield Row(
            Button("NGC catalogue", label="Add many", id="ngc"),
            Button("Find images in use", id="find"),
            Button("List file", id="list"),
        )
        yield Gap()
        yield Table(_COLUMNS, boxes=True, delete="remove", empty=_EMPTY, id="images")

    def on_open(self) -> None:
        if not self._crossing.collection.wishes:
            self._take((choices.OFFERED,))
        self._fill()

    def on_return(self) -> None:
        self._fill()

    def likeliest(self) -> Widget:
        typed = any(
            wish.found_in is not Origination.OFFERED for wish in self._crossing.collection.wishes
        )
        return self.query_one("#images" if typed else "#name")

    def go_on(self) -> None:
        if self._crossing.collection.chosen:
            if self.wizard.route is not None:
                self.wizard.route.set_state(self.step, StepState.DONE)
            self.wizard.step_on(self)

    # Adding

    def on_field_changed(self, event: Field.Changed) -> None:
        said = check_name(event.value)
        event.field.below(said)

    @on(Button.Pressed, "#add")
    def _add_pressed(self) -> None:
        self._add(self.query_one("#name", Field).taken())

    def on_field_submitted(self, event: Field.Submitted) -> None:
        self._add(event.value)

    def on_field_pasted_lines(self, event: Field.PastedLines) -> None:
        self._add("\n".join(event.lines))

    def commands(self) -> Sequence[Command]:
        """For terminals that hand on what is pasted as single keys."""
        return [Command("Paste names", "One or more in a line", self._paste)]

    def _paste(self) -> None:
        def taken(text: str | None) -> None:
            if text:
                self._add(text)

        page = PastePage(self, "Paste image names, one or more in a line.")
        self.app.push_screen(page, taken)

    @on(Button.Pressed, "#list")
    def _list_pressed(self) -> None:
        def taken(text: str | None) -> None:
            if text and text.strip():
                self._read(typed_path(text.strip()))

        start = "images_list.txt" if Path("images_list.txt").is_file() else ""
        self.app.push_screen(Prompt("Read which list file?", "File", start, accept="Read"), taken)

    @on(Button.Pressed, "#ngc")
    def _ngc_pressed(self) -> None:
        from screens.catalogue import CatalogueScreen

        def added(references: tuple[Reference, ...] | None) -> None:
            if references:
                self.say(f"Added {count(len(references), 'image')}.")
                self._fill(select=references[0])
                self.query_one("#images").focus()

        self.app.push_screen(CatalogueScreen(self._crossing), added)

    def _add(self, text: str) -> None:
        """Take the names in a text; what is none goes back into the field, with the reason."""
        field = self.query_one("#name", Field)
        good, bad = parse_many(text)
        self._take(tuple(Wish(reference) for reference in good))
        back = (*(line.partition(": ")[0] for line in bad), field.value)
        # What is typed next, or pasted by a terminal that types, is another name.
        field.value = "".join(f"{text} " for text in back if text)
        if good and not bad:
            self.say(f"Added {count(len(good), 'image')}.")
        self._fill(select=good[-1] if good else None)

    def _read(self, path: Path) -> None:
        try:
            listed = images_list.parse([images_list.read(path)])
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        self._crossing.wish(self._crossing.collection.with_list(path, listed.references))
        self.say(f"{count(len(listed.references), 'image')} read from {path.name}.")
        self._fill(select=listed.references[0] if listed.references else None)
        self.query_one("#images").focus()

    def _take(self, wishes: tuple[Wish, ...]) -> None:
        self._crossing.wish(self._crossing.collection.with_wishes(wishes))

    @on(Button.Pressed, "#find")
    def _find_pressed(self) -> None:
        from screens.discover import DiscoverScreen

        def added(references: tuple[Reference, ...] | None) -> None:
            if references:
                self._fill(select=references[0])
                self.query_one("#images").focus()
                self.say(f"Added {count(len(references), 'image')}.")

        self.app.push_screen(DiscoverScreen(self._crossing), added)

    # The table

    def on_table_chosen(self, event: Table.Chosen) -> None:
        keys = set(event.keys)
        answers = self._crossing.collection
        chosen = [w.reference for w in answers.wishes if str(w.reference) in keys]
        self._crossing.wish(answers.choosing(event.chosen, *chosen))
        self._fill()

    def on_table_deleted(self, event: Table.Deleted) -> None:
        answers = self._crossing.collection
        gone = [w.reference for w in answers.wishes if str(w.reference) == event.key]
        self._crossing.wish(answers.without(*gone))
        self._fill()

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._tell()

    def _fill(self, select: Reference | None = None) -> None:
        answers, table = self._crossing.collection, self.query_one("#images", Table)
        self._notes = {str(wish.reference): wish.note for wish in answers.wishes}
        table.show(
            [
                TableRow(
                    str(wish.reference),
                    (wish.reference.name, names.tag(wish.reference), wish.places),
                    chosen=wish.chosen,
                )
                for wish in answers.wishes
            ]
        )
        if select is not None:
            table.current = str(select)
        self._tell()
        self.excerpt = sentences.images(answers)
        self.command = commands.plan(answers)
        self.onward, self.not_yet = "Next: Logins", sentences.images_missing(answers)

    def _tell(self) -> None:
        table = self.query_one("#images", Table)
        table.show(detail=self._notes.get(table.current, ""))
