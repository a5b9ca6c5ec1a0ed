"""The end of the online side where volumes were written: what each is, how it gets onto a disc, and
what to type on the other side. Between two disks it asks for the next one."""

from __future__ import annotations

import shlex
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import chains, departure, restart
from airgap_tui.engine.guide.carrying import sheet_of
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import next_disk, written
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.next_disk import DiskChange
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.written import Written, WrittenVolume
from airgap_tui.engine.quantities import count, elapsed, size
from screens.carried import CarriedScreen
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.modals.question import Question
from screens.widgets.controls import Button, Row
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line, Paragraph

_INSERTED, _LATER = "It is there", "Later"
_STATES = {
    ItemState.DONE: ("Written", Mark.DONE),
    ItemState.HELD: ("Was there", Mark.HELD),
    ItemState.LEFT_OUT: ("Not begun", Mark.NONE),
    ItemState.FAILED: ("Failed", Mark.NEEDS_YOU),
}


class ExportedScreen(CarriedScreen):
    """The volumes, each with its checksum; of an ISO image how it is burned and read back."""

    help_text = (
        "Give SHA256SUMS and the transfer sheet along: they say what every volume has to be. The"
        " second command reads a burned disc back; its checksum has to be that of the volume. A"
        " volume that is lost or bad later is written again alone, byte for byte."
    )

    def __init__(self, crossing: Crossing, job: JobInfo, result: ExportResult) -> None:
        super().__init__(crossing, job, result)
        self._result = result
        self._written: Written | None = None
        self._change: DiskChange | None = None
        self._table = Table(
            (
                Column("Volume", 40, grow=1),
                Column("State", 10),
                Column("Size", 8, right=True),
                Column("SHA-256", 12),
            ),
            marks=True,
            enter="details",
            filters=False,
            more="more rows",
            id="volumes",
        )

    def body(self) -> ComposeResult:
        yield Facts(id="facts")
        yield Gap()
        yield self._table
        yield Gap()
        yield Line(id="how", tone="strong")
        yield Paragraph(id="first", indent=4)
        yield Paragraph(id="second", indent=4)
        yield Gap()
        yield Row(
            Button("Try again", id="again"),
            Button("Next disk", id="next"),
            Button("Write one again", id="otherwise"),
        )

    def on_open(self) -> None:
        self.open_end()
        wrong = len(departure.unwritten(self._result))
        self.query_one("#again", Button).show(f"Try {wrong} again")
        self.query_one("#again").display = bool(wrong)
        self.query_one("#next").display = bool(self._result.following) and not wrong
        self._fill()
        if self._result.following and not wrong:
            self.onward, self.not_yet = "Finish", f"Not yet: {self._to_go} to go."
        self.send_for("written", self._look, self._seen)

    def likeliest(self) -> Widget | None:
        for name in ("#again", "#next"):
            if self.query_one(name).display:
                return self.query_one(name)
        return self.way_on

    @property
    def _to_go(self) -> str:
        return count(len(self._result.following), "volume")

    def _look(self, _token: CancelToken) -> tuple[Written, DiskChange | None]:
        spec = _export_spec(self._job)
        found, result = written.look(spec, self._result), self._result
        if not result.following:
            return found, None
        mounted = next_disk.mounted_at(spec.medium)
        last = result.items[-1].reference
        change = DiskChange(spec.medium, mounted, last, result.following[0], result.count)
        return found, change

    def _seen(self, found: tuple[Written, DiskChange | None]) -> None:
        self._written, self._change = found
        self._fill()
        if self._change is not None and self.query_one("#next").display:
            self._ask_for_disk()

    # Drawing

    def _fill(self) -> None:
        result, found = self._result, self._written
        volumes = found.volumes if found is not None else ()
        took = f"{size(result.bytes)} in {elapsed(result.seconds)}" if result.bytes else ""
        wrong = departure.unwritten(result)
        facts = [*self.earlier()]
        if took:
            facts.append(Fact("Written", took, Mark.NEEDS_YOU if wrong else Mark.DONE))
        if found is not None:
            facts.append(Fact("Checksums", str(found.checksums), Mark.DONE))
        sheet = sheet_of(self._job)
        facts += [Fact("Sheet", str(sheet), Mark.DONE)] if sheet is not None else []
        if found is not None and found.unmount is not None and not wrong:
            disk = departure.on_the_disk(departure.unplugging(found.unmount))
            facts.append(Fact("Disk", disk, Mark.DONE))
        self.query_one("#facts", Facts).show(facts)
        sums = {one.item.reference: one for one in volumes}
        rows = []
        for item in (*wrong, *(item for item in result.items if item not in wrong)):
            words, mark = _STATES.get(item.state, (item.state.value, Mark.NONE))
            one = sums.get(item.reference)
            sha256 = one.sha256[:12] if one is not None else ""
            bytes_ = one.bytes if one is not None else item.bytes
            cells = (item.reference, words, size(bytes_) if bytes_ else "-", sha256 or "-")
            rows.append(TableRow(item.reference, cells, mark=mark))
        self._table.show(rows)
        self._tell_row()

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._tell_row()

    def _tell_row(self) -> None:
        one, item = self._current, self._item
        how = first = second = ""
        if item is not None and item.error:
            how, first, second = "It could not be written", item.error, item.hint
        elif one is not None and one.burning is not None:
            how = f"Burn volume {one.number}, and read it back"
            first, second = one.burning
        elif one is not None:
            several = self._result.count > 1
            how = "Type there, with all volumes mounted" if several else "Type there"
            name = "VOLUME..." if several else shlex.quote(one.path.name)
            first, second = f"airgap-tui verify {name}", f"airgap-tui push {name} REGISTRY"
        self.query_one("#how", Line).show(how)
        self.query_one("#first", Paragraph).show(first)
        self.query_one("#second", Paragraph).show(second)

    @property
    def _current(self) -> WrittenVolume | None:
        volumes = self._written.volumes if self._written is not None else ()
        current = self._table.current
        return next((one for one in volumes if one.item.reference == current), None)

    @property
    def _item(self) -> ItemResult | None:
        current = self._table.current
        return next((one for one in self._result.items if one.reference == current), None)

    def on_table_opened(self, _event: Table.Opened) -> None:
        one = self._current
        if one is not None:
            self.app.push_screen(TextPage(self, one.item.reference, "\n".join(_facts_of(one))))

    def _told(self) -> list[str]:
        volumes = self._written.volumes if self._written is not None else ()
        lines = [self.excerpt]
        for one in volumes:
            lines += ["", *_facts_of(one)]
        return lines

    # Going on

    @on(Button.Pressed, "#again")
    def _try_again(self) -> None:
        try:
            index = self._job.order.verbs.index("export")
            work = restart.from_step(self._crossing, self._job, index)
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        self.start(work, self._started)

    @on(Button.Pressed, "#otherwise")
    def _write_one_again(self) -> None:
        before = self._crossing.carrying
        if before is not None:
            self._crossing.carrying = replace(before, only=0)
        self._otherwise()

    @on(Button.Pressed, "#next")
    def _ask_for_disk(self, _event: Button.Pressed | None = None, in_the_way: str = "") -> None:
        change = self._change
        if change is None:
            return
        asked = departure.next_disk(change.number, change.count, change.place, in_the_way)

        def answered(answer: str | None) -> None:
            if answer == _INSERTED:
                self.send_for("disk", lambda _token: change.in_the_way, self._disk_seen, holds=True)

        unplug = departure.unplugging(change.mounted)
        said = asked if not unplug or in_the_way else f"{asked} First: {unplug}"
        self.app.push_screen(Question(said, _INSERTED, _LATER), answered)

    def _disk_seen(self, in_the_way: str) -> None:
        if in_the_way:
            self._ask_for_disk(in_the_way=in_the_way)
            return
        try:
            chain = chains.onto_next_disk(self._job, self._result.following)
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        command = self._job.order.command
        self.start(restart.starting(self._crossing, chain, command), self._started)


def _export_spec(job: JobInfo) -> ExportSpec:
    """Raises as `JobDirectory.chain`."""
    spec = next(step.spec for step in job.directory.chain.steps if step.verb == "export")
    assert isinstance(spec, ExportSpec)  # noqa: S101 - the verb says so
    return spec


def _facts_of(one: WrittenVolume) -> list[str]:
    """All about a volume."""
    facts = [
        ("Volume", str(one.number)),
        ("Where", str(one.path)),
        ("Size", f"{size(one.bytes)} ({one.bytes} bytes)"),
        ("SHA-256", one.sha256),
        ("Reason", one.item.error),
        ("What to do", one.item.hint),
    ]
    lines = [f"{name.ljust(13)}{value}" for name, value in facts if value]
    if one.burning is not None:
        lines += ["", "To burn it, and to read the disc back:", *(f"  {c}" for c in one.burning)]
    return lines
