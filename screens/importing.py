"""Import: what was carried here becomes one bundle that is kept; with one drive disc by disc."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import arrival, bringing, chains, commands, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_KEPT
from airgap_tui.engine.jobs import media, outlook
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.importing import ImportResult
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.outlook import Outlook, Sought
from airgap_tui.engine.typed_path import typed_path
from screens.errands import ErrandScreen
from screens.keys import key
from screens.look import Mark
from screens.watch import Seen
from screens.widgets.fields import Field
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap, Paragraph
from screens.working import WorkingScreen

_MEDIA_EVERY = 2.0
_COLUMNS = [Column("Volume", 8), Column("State", 14, gap=2), Column("Where", 40, gap=2, grow=1)]
_MARKS = {"Read": Mark.DONE, "Here": Mark.UNDER_WAY, "Not here yet": Mark.WAITING}


class ImportScreen(ErrandScreen[None]):
    """On top of Open; needs `crossing.contents`, or the import `job` that is to be gone on with."""

    step = "Open"
    help_text = (
        "Every byte is compared with its digest while it is copied; on the same disk files are"
        " taken over without copying. Volumes come in any order, at once or one by one, and what"
        " was read is not read again. An import that is stopped goes on where it was."
    )
    BINDINGS = [key("r", "again", "look again")]  # noqa: RUF012

    def __init__(self, crossing: Crossing, job: JobInfo | None = None) -> None:
        super().__init__()
        self._crossing, self._job = crossing, job
        contents = crossing.contents
        self._called = contents.name if contents is not None else "the bundle"
        self._media = contents.places if contents is not None else ()
        self._set_id = contents.key if contents is not None and contents.volumes else ""
        self._seen: Outlook | None = None
        self._mounted: tuple[Path, ...] = ()
        self._looked_at: Path | None = None
        self._said = ""

    def body(self) -> ComposeResult:
        yield Field("Keep in", width=26, enter="take", id="place")
        yield Gap()
        yield Table(_COLUMNS, marks=True, filters=False, more="more rows", id="volumes")
        yield Gap()
        yield Paragraph(id="said")

    def on_open(self) -> None:
        self.query_one("#volumes").display = False
        self._mounted = media.mount_points()
        field = self.query_one("#place", Field)
        if self._job is not None:
            self._media = chains.places_of(self._job)
            self._called, field.value = self._job.name, str(self._job.order.place)
        else:
            last = self.wizard.remembered.get(LAST_KEPT)
            field.value = str(bringing.proposed(self._called, self._media, last))
        self._look()
        self.every(_MEDIA_EVERY, self._notice_media)
        if self._job is not None:
            self.call_after_refresh(self._watch)

    def on_return(self) -> None:
        self._say_came()
        self._look()

    def likeliest(self) -> Widget | None:
        return self.query_one("#place") if self._kept is None else self.way_on

    @property
    def _kept(self) -> Path | None:
        text = self.query_one("#place", Field).value
        return typed_path(text).absolute() if text else None

    # What is here

    def on_field_submitted(self, _event: Field.Submitted) -> None:
        self._look()

    def on_descendant_blur(self) -> None:
        if self._kept != self._looked_at:
            self._look()

    def action_again(self) -> None:
        """Look for further volumes on what is mounted now."""
        self._mounted = media.mount_points()
        self._seek(begin=False)

    def _notice_media(self) -> None:
        if media.mount_points() != self._mounted:
            self.action_again()

    def _look(self) -> None:
        """What the media bring, and what was read of them before."""
        kept, places = self._kept, self._media
        self._looked_at = kept
        if kept is None:
            self.query_one("#place", Field).note("Give a directory", Mark.NEEDS_YOU)
            self.not_yet = "Not yet: no place to keep it in."
            return

        def work(token: CancelToken) -> Outlook:
            return outlook.outlook(places, kept, token)

        self.send_for("outlook", work, self._looked, self._not_looked)
        self._fill()

    def _looked(self, seen: Outlook) -> None:
        if self._seen is None or seen.volumes is not None:
            self._set_id = seen.volumes.set_id if seen.volumes is not None else self._set_id
            self._called = seen.volumes.name if seen.volumes is not None else self._called
        first = self._seen is None
        self._seen = seen
        self._fill()
        if self.is_current and (first or self.focused in (None, self.way_back)):
            self.focus_likeliest()

    def _not_looked(self, error: AirgapError) -> None:
        words = f"{arrival.capital(error.message)}. {error.hint}".rstrip()
        self.query_one("#said", Paragraph).show(words)
        if self._seen is None:
            self.excerpt = "This cannot be imported as it is."
        self.not_yet = "Not yet: no place to keep it in."
        if self._set_id:  # a medium was taken out
            self.onward, self.not_yet = "Read the next one", ""

    def _fill(self) -> None:
        seen, kept, contents = self._seen, self._kept, self._crossing.contents
        self.excerpt = bringing.beginning(self._called, seen)
        self.not_yet = bringing.missing(seen)
        images = len(contents.whole) if contents is not None else 0
        self.onward = bringing.onward(self._called, seen, images)
        trust = self._crossing.delivery.settings.trust
        self.command = commands.import_(self._unread or self._media, kept, trust)
        if seen is None:
            return
        mark = Mark.NEEDS_YOU if seen.lacking else Mark.NONE
        self.query_one("#place", Field).note(bringing.room(seen), mark)
        table = self.query_one("#volumes", Table)
        rows = [_row(*volume) for volume in bringing.volumes(seen)]
        table.display = bool(rows)
        table.show(rows)
        self.query_one("#said", Paragraph).show(self._said)

    @property
    def _unread(self) -> tuple[Path, ...]:
        """What an import would be given now."""
        seen = self._seen
        return self._media if seen is None or seen.volumes is None else seen.unread

    # The next medium

    def _seek(self, *, begin: bool) -> None:
        """Look where volumes may be; where there is a new one it is imported at once if asked."""
        set_id, known = self._set_id, self._media
        if not set_id:
            return

        def found(sought: Sought) -> None:
            self._sought(sought, begin=begin)

        self.send_for("sought", lambda _token: outlook.seek_volumes(set_id, known), found)

    def _sought(self, sought: Sought, *, begin: bool) -> None:
        kept = self._kept
        if not sought.places or kept is None:
            self._nothing_new(sought)
            return
        self._media = sought.places

        def looked(seen: Outlook) -> None:
            self._looked(seen)
            if not seen.unread:
                self._nothing_new(sought)
            else:
                self._said = ""
                self._fill()
                if begin and not self.not_yet:
                    self._begin()

        places = sought.places
        self.send_for(
            "outlook", lambda token: outlook.outlook(places, kept, token), looked, self._not_looked
        )

    def _nothing_new(self, sought: Sought) -> None:
        self._said = bringing.none_new(self._called, sought.foreign)
        self.query_one("#said", Paragraph).show(self._said)

    # The work

    def go_on(self) -> None:
        seen = self._seen
        if self.not_yet:
            return
        if self.awaited:
            self.go_on_later()
            return
        if seen is not None and seen.complete and not seen.needed:
            self._open_kept()
        elif seen is None or (seen.volumes is not None and not seen.unread):
            self._seek(begin=True)
        else:
            self._begin()

    def _begin(self) -> None:
        kept = self._kept
        if kept is None:
            return
        settings = self._crossing.delivery.settings
        chain = chains.importing(self._unread, kept, settings)
        self.wizard.remembered.set(LAST_KEPT, str(kept))
        self.start(restart.starting(self._crossing, chain, self.command), self._started)

    def _started(self, job: JobInfo) -> None:
        self._job = self._crossing.job = job
        self.wizard.log_path = job.directory.log
        self._said = ""
        self._watch()

    def _watch(self) -> None:
        self._crossing.job = self._job
        self.app.push_screen(ImportingScreen(self._crossing))

    def _say_came(self) -> None:
        """What the import that has ended says of what came."""
        if self._job is None:
            return
        ended = Seen.of(self._job).of_verbs("import")
        result = ended.result if ended is not None else None
        if not isinstance(result, ImportResult):
            return
        self._said = bringing.came(result) if result.exit_code == 0 else result.damage

    def _open_kept(self) -> None:
        crossing, kept = self._crossing, self._kept
        if kept is None:
            return
        crossing.delivery = crossing.delivery.opening(kept)
        crossing.contents = crossing.verified = None
        self.wizard.step_back(self)


class ImportingScreen(WorkingScreen):
    """An import at work; then back to the volumes, for the next."""

    step = "Open"
    verbs = ("import",)
    following = "Volumes"

    def leads_on(self, job: JobInfo, ended: Ended) -> bool:
        """Also after damage: the volumes' page tells what helps against that."""
        result = ended.result
        if not isinstance(result, ImportResult):
            return False
        failed = any(item.state is ItemState.FAILED for item in result.items)
        return bool(result.damaged) or not failed

    def move_on(self) -> None:
        self.wizard.step_back(self)


def _row(number: int, state: str, where: str) -> TableRow:
    return TableRow(str(number), (str(number), state, where or "-"), mark=_MARKS[state])
