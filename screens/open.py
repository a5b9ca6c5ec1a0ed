"""Open: which bundle was carried here, what is inside, and whether all of it is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe
from airgap_tui.engine.jobs.media import Carried, Contents, FoundBundle
from airgap_tui.engine.quantities import count, size
from screens.errands import ErrandScreen
from screens.keys import key
from screens.look import Mark
from screens.steps import StepState
from screens.widgets.controls import Button
from screens.widgets.fields import Field
from screens.widgets.options import Choice, Option
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap, Line

_MEDIA_EVERY = 2.0
_COLUMNS = [
    Column("Inside", 49, grow=1),
    Column("State", 12, gap=1),
    Column("Size", 8, gap=2, right=True),
]


class OpenScreen(ErrandScreen[None]):
    step = "Open"
    help_text = (
        "Bundles are looked for on mounted media, in the directory where this program was started,"
        " and where one was saved last. A directory, a tar file and an ISO file can each be a"
        " bundle. Nothing is written to it, so media may be read-only."
    )
    BINDINGS = [key("r", "again", "look again")]  # noqa: RUF012

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._found: dict[str, FoundBundle] = {}
        self._mounted: tuple[Path, ...] = ()
        self._job: JobInfo | None = None
        self._moved = False

    def body(self) -> ComposeResult:
        yield Choice((), id="found")
        yield Field(
            "Elsewhere", enter="look inside", after=[Button("Look inside", id="look")], id="path"
        )
        yield Gap()
        yield Line(id="about")
        yield Table(_COLUMNS, marks=True, filters=False, id="inside")

    def on_open(self) -> None:
        self.query_one("#found").display = self.query_one("#inside").display = False
        self.command, self.onward = commands.verify(None), "Verify"
        if self._crossing.delivery.path is not None:
            self._look_inside(self._crossing.delivery.path)
        self.action_again()
        self.every(_MEDIA_EVERY, self._notice_media)

    def on_return(self) -> None:
        if not self.not_yet:
            self.way_on.focus()

    def likeliest(self) -> Widget:
        if self._crossing.contents is not None and self._crossing.contents.whole:
            return self.query_one("#found" if len(self._found) > 1 else "#onward")
        return self.query_one("#found" if self._found else "#path")

    # Looking for bundles

    def action_again(self) -> None:
        """Look for bundles on what is mounted now."""
        self._mounted = media.mount_points()
        saved = self.wizard.remembered.get(LAST_BUNDLE)
        further = [Path.cwd(), *([Path(saved)] if saved else [])]
        if self._crossing.contents is None:
            self.excerpt = "Looking for bundles on what is mounted .."
            self.not_yet = "Not yet: bundles are being looked for."

        def work(_token: CancelToken) -> tuple[FoundBundle, ...]:
            return media.find_bundles(place for place in further if place != Path("/"))

        self.send_for("media", work, self._bundles_found)

    def _notice_media(self) -> None:
        if media.mount_points() != self._mounted:
            self.action_again()

    def _bundles_found(self, found: tuple[FoundBundle, ...]) -> None:
        typed = self._crossing.delivery.path
        kept = {} if typed is None else {str(typed): self._found.get(str(typed))}
        self._found = {str(one.path): one for one in found}
        self._found.update({k: one for k, one in kept.items() if one and k not in self._found})
        self._show_found()
        if typed is None and found:
            usable = [one for one in found if one.images and not one.problem]
            best = max(usable, key=lambda one: one.updated) if usable else found[0]
            self._choose(str(best.path))
        elif not found and typed is None:
            self.excerpt = arrival.no_bundle()
            self.not_yet = "Not yet: no bundle is open."
        self._settle()

    def _show_found(self) -> None:
        choice = self.query_one("#found", Choice)
        path = self._crossing.delivery.path
        choice.show(
            [Option(k, one.name, _found_in_words(one)) for k, one in self._found.items()],
            None if path is None else str(path),
        )
        choice.display = bool(self._found)

    def on_options_moved(self, event: Choice.Moved) -> None:
        self._moved = True
        self._choose(event.key)

    def _choose(self, name: str) -> None:
        self.query_one("#path", Field).below("")
        self._look_inside(Path(name))

    # A path

    def on_field_submitted(self, _event: Field.Submitted) -> None:
        self._look()

    @on(Button.Pressed, "#look")
    def _look(self) -> None:
        field = self.query_one("#path", Field)
        self._moved = True
        if not field.value:
            field.below("Give the path of a directory, a tar file or an ISO file.")
            return
        field.below("")
        self._look_inside(Path(field.value).expanduser().absolute(), typed=True)

    # What is inside

    def _look_inside(self, path: Path, *, typed: bool = False) -> None:
        self.not_yet = "Not yet: the bundle is being looked into."

        def failed(error: AirgapError) -> None:
            self._not_a_bundle(path, error, typed=typed)

        self.send_for(
            "inside", lambda token: media.look_inside(path, token), self._looked_inside, failed
        )

    def _not_a_bundle(self, path: Path, error: AirgapError, *, typed: bool) -> None:
        """Say why. A path that was mistyped leaves open what is open."""
        words = " ".join(
            text for text in (f"{arrival.capital(error.message)}.", error.hint) if text
        )
        field = self.query_one("#path", Field)
        field.below(words)
        if typed and self._crossing.contents is not None:
            self._fill(self._crossing.contents)
            return
        self._crossing.delivery = replace(self._crossing.delivery, path=None, images=())
        self._crossing.contents = self._crossing.verified = None
        self.command, self.wizard.bundle = commands.verify(path), ""
        self.excerpt = "This cannot be opened. Choose another bundle, or give another path."
        self.onward, self.not_yet = "Verify", "Not yet: no bundle is open."
        self.query_one("#about", Line).show("")
        self.query_one("#inside").display = False
        self._settle()

    def _looked_inside(self, contents: Contents) -> None:
        crossing, path = self._crossing, contents.path
        if path != crossing.delivery.path:
            crossing.delivery = replace(crossing.delivery, path=path, images=())
            crossing.verified = None
        crossing.contents = contents
        if str(path) not in self._found:
            whole, lacking = len(contents.whole), len(contents.lacking)
            total = media.weight(contents.whole)[1]
            found = FoundBundle(path, contents.name, whole, lacking, total)
            self._found[str(path)] = found
        field = self.query_one("#path", Field)
        if field.value and Path(field.value).expanduser().absolute() == path:
            field.value = ""
        field.below("")
        self._fill(contents)

    def _fill(self, contents: Contents) -> None:
        self.wizard.bundle, self.command = contents.name, commands.verify(contents.path)
        self._show_found()
        self.excerpt, self.not_yet = arrival.opened(contents), arrival.opening_missing(contents)
        self.onward = (
            f"Verify {count(len(contents.whole), 'image')}" if contents.whole else "Verify"
        )
        self.query_one("#about", Line).show(arrival.inside(contents))
        table = self.query_one("#inside", Table)
        table.display = bool(contents.images)
        rows = [_row(image) for image in (*contents.lacking, *contents.whole)]
        table.show(rows)
        if rows:
            table.current = rows[0].key
        self._tell_row()
        self._settle()

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._tell_row()

    def _tell_row(self) -> None:
        table, contents = self.query_one("#inside", Table), self._crossing.contents
        problems = {str(i.reference): i.problem for i in contents.lacking} if contents else {}
        table.show(detail=problems.get(table.current, ""))

    def _settle(self) -> None:
        """Move the focus to where it belongs, unless the user has begun to do something."""
        untouched = not self._moved and not self.query_one("#path", Field).value
        if untouched and not self.under_way("inside") and self.is_current:
            self.focus_likeliest()

    # Verifying

    def go_on(self) -> None:
        crossing = self._crossing
        if crossing.contents is None or self.not_yet or self.under_way("start"):
            return
        if crossing.verified is not None or self._verifying(crossing.contents.path):
            self._go_to_verify()
            return
        chain, command = chains.verifying(crossing.delivery), self.command
        self.not_yet = "Starting .."
        work = restart.starting(crossing, chain, command)
        self.send_for("start", work, self._started, self._not_started)

    def _verifying(self, path: Path) -> bool:
        """Whether the job of this screen is at this bundle, or was it and says how that ended."""
        if self._job is None or self._job.order.place != path:
            return False
        self._job = describe(self._job.directory)
        return self._job.state in (JobState.RUNNING, JobState.FINISHED)

    def _started(self, job: JobInfo) -> None:
        self._job = self._crossing.job = job
        self._crossing.verified = None
        self.wizard.log_path = job.directory.log
        self.not_yet = ""
        self._go_to_verify(anew=True)

    def _go_to_verify(self, *, anew: bool = False) -> None:
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        if anew:
            self.wizard.renew_step("Verify")
        else:
            self.wizard.step_on(self)

    def _not_started(self, error: AirgapError) -> None:
        self.not_yet = ""
        self.way_on.focus()
        self.wizard.show_error(error)


def _found_in_words(one: FoundBundle) -> str:
    where = str(one.path.parent) if one.path.name == one.name else str(one.path)
    if one.problem:
        return f"Cannot be read, in {where}"
    images = count(one.images, "image")
    if one.waiting:
        images = f"{one.images} of {count(one.images + one.waiting, 'image')}"
    return f"{images}, {size(one.bytes)}, in {where}"


def _row(image: Carried) -> TableRow:
    state = "Not complete" if image.problem else "Complete"
    cells = (str(image.reference), state, size(image.bytes) if image.bytes else "-")
    mark = Mark.NEEDS_YOU if image.problem else Mark.DONE
    return TableRow(str(image.reference), cells, mark=mark)
