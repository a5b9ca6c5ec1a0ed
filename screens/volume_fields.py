"""Where volumes are written, how large they are, onto which disks, and which of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.app import ComposeResult

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.medium import Medium
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.guide import departure
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.departure import OTHER_SIZE
from airgap_tui.engine.jobs.export_plan import ExportPlan
from airgap_tui.engine.quantities import count
from airgap_tui.engine.typed_path import typed_path
from screens.field_group import FieldGroup
from screens.look import Mark
from screens.widgets.fields import Field
from screens.widgets.options import Option
from screens.widgets.select import Select

_ALL, _EACH = "all", "each"
_DISKS = (
    Option(_ALL, "All into this directory"),
    Option(_EACH, "One on each disk", "One drive: it asks for the next disk"),
)
_FORMATS = "As in 60GB or 4.7GB"


class VolumeFields(FieldGroup):
    """`begin` puts answers there, `taken` reads them."""

    def __init__(self) -> None:
        super().__init__()
        self._place = Field("Write to", width=26, enter="take it", id="place")
        self._of_each = Select("Volumes", (Option("", "One volume"),), id="size")
        self._other = Field("Size", width=26, enter="take it", note=_FORMATS, id="other")
        self._disks = Select("Disks", _DISKS, id="disks")
        self._which = Select("Which", (Option("0", "All volumes"),), id="which")

    def compose(self) -> ComposeResult:
        yield self._place
        yield self._of_each
        yield self._other
        yield self._disks
        yield self._which

    def begin(self, answers: Carrying, counts: Mapping[str, int]) -> None:
        """Put the answers into the fields."""
        self._place.value = str(answers.medium or "")
        chosen = departure.size_key(answers)
        if chosen == OTHER_SIZE:
            self._other.value = answers.volume_size
        self._of_each.show(_sizes(answers, counts), chosen)
        self._disks.current = _EACH if answers.one_per_disk else _ALL
        self._which.show([Option("0", "All volumes")], "0")

    def taken(self, answers: Carrying) -> Carrying:
        """The answers with what the fields say."""
        place, chosen = self._place.value, self._of_each.current
        return replace(
            answers,
            medium=typed_path(place).absolute() if place else None,
            volume_size=self._other.value if chosen == OTHER_SIZE else chosen,
            only=0 if answers.way is Way.SEAL else int(self._which.current or 0),
            one_per_disk=self._disks.current == _EACH,
        )

    def show(self, answers: Carrying, counts: Mapping[str, int], plan: ExportPlan | None) -> None:
        """Offer the sizes with their numbers of volumes, and each volume; what is chosen stays."""
        self._of_each.show(_sizes(answers, counts))
        volumes = plan.volumes if plan is not None else ()
        if volumes:
            alone = [Option(str(v.number), f"Volume {v.number} alone", v.name) for v in volumes]
            self._which.show([Option("0", f"All {count(len(volumes), 'volume')}"), *alone])

    def tell(
        self,
        answers: Carrying,
        found: ExportPlan | Room | AirgapError | None,
        about: int = 0,
    ) -> None:
        """Say beside the fields what was found out; `about` is the number of volumes, about."""
        plan = found if isinstance(found, ExportPlan) else None
        several = plan is not None and len(plan.volumes) > 1
        self.display = answers.way is not Way.SEAL
        self._other.display = self._of_each.current == OTHER_SIZE
        self._disks.display = answers.way is not Way.ISO and bool(answers.volume_size)
        self._which.display = (several or bool(answers.only)) and not answers.one_per_disk
        self._of_each.note(
            departure.volumes(plan)
            if plan is not None
            else f"About {count(about, 'volume')}" * bool(about)
        )
        wrong = self._other.display and not _is_size(answers.volume_size)
        self._other.note(_FORMATS, Mark.NEEDS_YOU if wrong else Mark.NONE)
        if isinstance(found, AirgapError) and not wrong:
            self._place.note(departure.failed(found), Mark.NEEDS_YOU)
        elif isinstance(found, Room):
            self._place.note(found.in_words)
        elif plan is not None:
            mark = Mark.NEEDS_YOU if plan.problem is not None else Mark.NONE
            self._place.note(departure.room(plan), mark)
        else:
            self._place.note("" if answers.medium else "A directory, begun if not there")

    def on_select_changed(self, event: Select.Changed) -> None:
        # Textual calls the group's own handler after this one.
        if event.control is self._of_each:
            self._which.current = "0"
            if event.key == OTHER_SIZE:
                self._other.display = True
                self._other.focus()


def _is_size(text: str) -> bool:
    try:
        Medium.parse(text)
    except UsageError:
        return False
    return True


def _sizes(answers: Carrying, counts: Mapping[str, int]) -> list[Option]:
    found = departure.sizes(answers.way, counts)
    return [Option(one.key, one.text, one.about) for one in found]
