"""What the forms of the Destination screen have in common: fields, what they ask, what came out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from textual.containers import Vertical
from textual.message import Message

from airgap_tui.engine.guide import arrival
from airgap_tui.engine.guide.answers import Delivery
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.media import Carried
from screens.errands import ErrandScreen
from screens.widgets.fields import Field
from screens.widgets.select import Select


@dataclass(frozen=True, slots=True)
class Said:
    """What stands below a form: an example of a name and what it becomes, or what is wrong."""

    text: str = ""
    example: str = ""
    becomes: str = ""


class DestinationForm(Vertical):
    """The fields of one kind of place. Their answers go into `crossing.delivery` as they change;
    `ask` finds out, through the screen's errands, what cannot be known without asking."""

    class Changed(Message):
        """The answers changed, or something was found out."""

    def __init__(self, crossing: Crossing, desk: ErrandScreen[Any], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.styles.height = "auto"
        self.display = False
        self.crossing, self.desk = crossing, desk

    # For subclasses

    def take(self) -> None:
        """Put what the fields say into the answers."""

    def ask(self) -> None:
        """Find out what is not known of the present answers."""

    def tell(self) -> None:
        """Draw what is known beside the fields."""

    def missing(self) -> str:
        """Why the way on is shut; empty when it is open."""
        return ""

    def said(self) -> Said:
        """What is to be said below the form."""
        return Said()

    def names(self) -> list[str]:
        """The lines that show every name; none where names stay."""
        return []

    # What they share

    @property
    def answers(self) -> Delivery:
        return self.crossing.delivery

    @property
    def images(self) -> tuple[Carried, ...]:
        """The images to deliver."""
        contents = self.crossing.contents
        return () if contents is None else arrival.going(contents, self.answers)

    def change(self, **answers: Any) -> None:
        """Replace some of the answers."""
        self.crossing.delivery = replace(self.answers, **answers)

    def changed(self) -> None:
        """Have the screen drawn anew."""
        self.post_message(self.Changed())

    def on_field_changed(self, event: Field.Changed) -> None:
        event.stop()
        if self.display:
            self.take()
            self.changed()

    def on_field_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self.settled()

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self.settled()

    def on_descendant_blur(self) -> None:
        if self.display:
            self.settled()

    def settled(self) -> None:
        """An answer is complete: take it and ask what follows from it."""
        self.take()
        self.ask()
        self.changed()

    def field(self, name: str) -> Field:
        return self.query_one(name, Field)

    def select(self, name: str) -> Select:
        return self.query_one(name, Select)
