"""What the groups of fields in step Export have in common: their answers go on to the screen."""

from __future__ import annotations

from textual.containers import Vertical
from textual.message import Message

from screens.widgets.fields import Field
from screens.widgets.select import Select


class FieldGroup(Vertical):
    """Fields whose changes come out as one message."""

    class Changed(Message):
        """A field changed; `settled` where its answer is complete."""

        def __init__(self, settled: bool) -> None:
            super().__init__()
            self.settled = settled

    def __init__(self) -> None:
        super().__init__()
        self.styles.height = "auto"

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(settled=True))

    def on_field_changed(self, event: Field.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(settled=False))

    def on_field_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self.post_message(self.Changed(settled=True))
