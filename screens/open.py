"""Open: which bundle was carried here, what is inside, and whether all of it is there."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe
from airgap_tui.engine.jobs.media import Contents, FoundBundle
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Trust
from screens.errands import ErrandScreen
from screens.found_rows import COLUMNS, found_in_words, inside_row
from screens.importing import ImportScreen
from screens.keys import key
from screens.look import Mark
from screens.modals.signers import SignersPrompt
from screens.steps import StepState
from screens.widgets.controls import Button
from screens.widgets.fields import Field
from screens.widgets.options import Choice, Option
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line

_MEDIA_EVERY = 2.0


class OpenScreen(ErrandScreen[None]):
    step = "Open"
    help_text = (
        "Bundles are looked for on mounted media, in drives, in the directory where this program"
        " was started, and where one was saved last. A directory, a tar file and an ISO file can"
        " each be a bundle, or a volume of one: volumes of one set are opened together, and a path"
        " that is given adds to them. Nothing is written to media. With one drive, import: then"
        " the discs come one by one."
    )
    BINDINGS = [  # noqa: RUF012
        key("r", "again", "look again"),
        key("s", "signers", "signers"),
        key("i", "import", "import"),
    ]

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._found: dict[str, FoundBundle] = {}
        self._mounted: tuple[Path, ...] = ()
        self._job: JobInfo | None = None
        self._places: tuple[Path, ...] = ()
        self._moved = False

    def body(self) -> ComposeResult:
        yield Choice((), id="found")
        after = [Button("Look inside", id="look"), Button("Import", shut=True, id="import")]
        yield Field("Elsewhere", enter="look inside", after=after, id="path")
        yield Gap()
        yield Line(id="about")
        yield Facts(id="signed")
        yield Line(id="bases", mark=Mark.NEEDS_YOU)
        yield Table(COLUMNS, marks=True, filters=False, id="inside")

    def on_open(self) -> None:
        for name in ("#found", "#inside", "#signed", "#bases"):
            self.query_one(name).display = False
        self.command, self.onward = commands.verify(), "Verify"
        self._open_chosen()
        self.action_again()
        self.every(_MEDIA_EVERY, self._notice_media)

    def on_return(self) -> None:
        if self._crossing.contents is None:
            self._open_chosen()
        elif not self.not_yet:
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
        contents, typed = self._crossing.contents, self._crossing.delivery.path
        kept = None if contents is None else self._found.get(contents.key)
        self._found = {one.key: one for one in found}
        if kept is not None:
            self._found.setdefault(kept.key, kept)
        self._show_found()
        if typed is None and found:
            usable = [one for one in found if one.images and not one.problem]
            best = max(usable, key=lambda one: one.updated) if usable else found[0]
            self._choose(best.key)
        elif not found and typed is None:
            self.excerpt = arrival.no_bundle()
            self.not_yet = "Not yet: no bundle is open."
        elif contents is not None and contents.key in self._found:
            now = self._found[contents.key].places
            if new := tuple(place for place in now if place not in contents.places):
                self._look_inside(contents.path, (*contents.others, *new))
        self._settle()

    def _show_found(self) -> None:
        choice, contents = self.query_one("#found", Choice), self._crossing.contents
        choice.show(
            [Option(k, one.name, found_in_words(one)) for k, one in self._found.items()],
            None if contents is None else contents.key,
        )
        choice.display = bool(self._found)

    def on_options_moved(self, event: Choice.Moved) -> None:
        self._moved = True
        self._choose(event.key)

    def _choose(self, key: str) -> None:
        self.query_one("#path", Field).below("")
        found = self._found[key]
        self._look_inside(found.places[0], found.places[1:])

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
        self._look_further(Path(field.value).expanduser().absolute())

    # What is inside

    def _open_chosen(self) -> None:
        delivery = self._crossing.delivery
        if delivery.path is not None:
            self._look_inside(delivery.path, delivery.others)

    def _look_inside(self, path: Path, others: tuple[Path, ...] = ()) -> None:
        self.not_yet = "Not yet: the bundle is being looked into."
        trust = self._crossing.delivery.settings.trust

        def work(token: CancelToken) -> Contents:
            return media.look_inside(path, token, others, trust)

        def failed(error: AirgapError) -> None:
            self._not_a_bundle(path, error, typed=False)

        self.send_for("inside", work, self._looked_inside, failed)

    def _look_further(self, path: Path) -> None:
        """Look at a path that was typed: another bundle, or a further volume of the open one."""
        self.not_yet = "Not yet: the bundle is being looked into."
        opened, trust = self._crossing.contents, self._crossing.delivery.settings.trust

        def work(token: CancelToken) -> Contents:
            return media.look_further(path, opened, token, trust)

        def failed(error: AirgapError) -> None:
            self._not_a_bundle(path, error, typed=True)

        self.send_for("inside", work, self._looked_further, failed)

    def _looked_further(self, contents: Contents) -> None:
        opened = self._crossing.contents
        incomplete = opened is not None and opened.volumes is not None and opened.volumes.missing
        same = opened is not None and contents.key == opened.key
        if opened is None or not incomplete or same or contents.volumes is None:
            self._looked_inside(contents)
        else:
            self._found[contents.key] = _found(contents)
            self._fill(opened)
            self.query_one("#path", Field).below(arrival.foreign(contents, opened.name))

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
        self._crossing.delivery = self._crossing.delivery.opening(None)
        self._crossing.contents = self._crossing.verified = None
        self.command, self.wizard.bundle = commands.verify(path), ""
        self.excerpt = "This cannot be opened. Choose another bundle, or give another path."
        self.onward, self.not_yet = "Verify", "Not yet: no bundle is open."
        self.query_one("#about", Line).show("")
        for name in ("#inside", "#signed", "#bases"):
            self.query_one(name).display = False
        self.query_one("#import", Button).show("Import", shut=True)
        self._settle()

    def _looked_inside(self, contents: Contents) -> None:
        crossing = self._crossing
        opening = crossing.delivery.opening(contents.path, contents.others)
        if opening != crossing.delivery:
            crossing.delivery, crossing.verified = opening, None
        crossing.contents = contents
        known = self._found.get(contents.key)
        if known is None or set(contents.places) - set(known.places):
            self._found[contents.key] = _found(contents)
        field = self.query_one("#path", Field)
        if field.value and _opens(Path(field.value).expanduser().absolute(), contents):
            field.value = ""
        field.below("")
        self._fill(contents)

    def _fill(self, contents: Contents) -> None:
        trust = self._crossing.delivery.settings.trust
        self.wizard.bundle = contents.name
        self.command = commands.verify(*contents.places, trust=trust)
        self._show_found()
        self.excerpt = arrival.opened(contents)
        self.not_yet = arrival.opening_missing(contents, trust)
        self.onward = (
            f"Verify {count(len(contents.whole), 'image')}" if contents.whole else "Verify"
        )
        self._tell_signature(contents)
        bases = self.query_one("#bases", Line)
        bases.show("; ".join(contents.bases), mark=Mark.NEEDS_YOU)
        bases.display = bool(contents.bases)
        self.query_one("#import", Button).show("Import")
        table = self.query_one("#inside", Table)
        table.display = bool(contents.images)
        rows = [inside_row(image) for image in (*contents.lacking, *contents.whole)]
        table.show(rows)
        if rows:
            table.current = rows[0].key
        self._tell_row()
        self._settle()

    def _tell_signature(self, contents: Contents) -> None:
        signature, facts = contents.signature, self.query_one("#signed", Facts)
        unsigned = signature.standing is Standing.UNSIGNED
        said = signature.sentence if unsigned else ""
        self.query_one("#about", Line).show(arrival.inside(contents), right=said)
        mark = Mark.DONE if signature.standing is Standing.GOOD else Mark.NEEDS_YOU
        facts.show([Fact("Signature", arrival.signed(signature), mark)])
        facts.display = not unsigned

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

    # Signers, and importing

    def action_signers(self) -> None:
        """Whose signatures count here, and whether there has to be one."""
        crossing = self._crossing

        def answered(trust: Trust | None) -> None:
            if trust is not None:
                crossing.delivery = crossing.delivery.trusting(trust)
                self._open_chosen()

        self.app.push_screen(SignersPrompt(crossing.delivery.settings.trust), answered)

    @on(Button.Pressed, "#import")
    def action_import(self) -> None:
        """Bring it into a bundle that is kept here; media may come one by one."""
        if self._crossing.contents is not None:
            self.app.push_screen(ImportScreen(self._crossing))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "import":
            return self._crossing.contents is not None
        return super().check_action(action, parameters)

    # Verifying

    def go_on(self) -> None:
        crossing = self._crossing
        if crossing.contents is None or self.not_yet or self.under_way("start"):
            return
        if crossing.verified is not None or self._verifying(crossing.contents):
            self._go_to_verify()
            return
        chain, command = chains.verifying(crossing.delivery), self.command
        self.not_yet = "Starting .."
        work = restart.starting(crossing, chain, command)
        self.send_for("start", work, self._started, self._not_started)

    def _verifying(self, contents: Contents) -> bool:
        """Whether the job of this screen is at this bundle, or was it and says how that ended."""
        if self._job is None or self._places != contents.places:
            return False
        self._job = describe(self._job.directory)
        return self._job.state in (JobState.RUNNING, JobState.FINISHED)

    def _started(self, job: JobInfo) -> None:
        self._job = self._crossing.job = job
        self._places = () if self._crossing.contents is None else self._crossing.contents.places
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


def _found(contents: Contents) -> FoundBundle:
    """A bundle that was named, as one that was found."""
    total = media.weight(contents.whole)[1]
    whole, lacking = len(contents.whole), len(contents.lacking)
    return FoundBundle(
        contents.path, contents.name, whole, lacking, total, volumes=contents.volumes
    )


def _opens(path: Path, contents: Contents) -> bool:
    """Whether what was typed is among what is open now."""
    return any(place == path or path in place.parents for place in contents.places)
