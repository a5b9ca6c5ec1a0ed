"""Review: all numbers before anything is written, and the last choices: where, and in what form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.medium import MEDIA, Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import chains, choices, commands, departure, sentences
from airgap_tui.engine.guide.answers import Collection
from airgap_tui.engine.guide.carrying import Carrying
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media_needed, plan, worker, zstd_gain
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.plan import PlannedImage, PlanResult
from airgap_tui.engine.jobs.survival import Survival, survival
from airgap_tui.engine.jobs.zstd_gain import Gain
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.settings import parse_platform
from airgap_tui.engine.typed_path import typed_path
from screens import names
from screens.errands import ErrandScreen
from screens.export import ExportScreen
from screens.keys import key
from screens.look import Mark
from screens.modals.question import LogoutQuestion
from screens.steps import StepState
from screens.widgets.controls import Checkbox, Row
from screens.widgets.fields import Field
from screens.widgets.options import Option
from screens.widgets.rows import Column, TableRow
from screens.widgets.select import Select
from screens.widgets.table import Table
from screens.widgets.text import Gap

_LAYERS = [Option(one.key, one.text, one.about) for one in choices.LAYERS]
_PLATFORMS = [Option(one.key, one.text, one.about) for one in choices.PLATFORMS]
_ALL_THE_SAME = "Save all the same"
_NAME, _NUMBER = Column("Image", 41, grow=1), 8


class ReviewScreen(ErrandScreen[None]):
    step = "Review"
    goes_ahead = False
    help_text = (
        "Size is all of an image; Shared is what images above it bring already; Held is in the"
        " bundle from before. GB are decimal, as on the labels of disks; df -H counts the same way."
        " What zstd would gain is tried on the first megabyte of the six largest layers."
    )
    BINDINGS = [key("s", "sort", "sort")]  # noqa: RUF012

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._sorted = self._warned = False
        self._surviving = Survival()
        self._planned_for: Path | None = None
        self._dvds = 0
        self._gains: tuple[Gain, ...] = ()

    def body(self) -> ComposeResult:
        answers = self._crossing.collection
        place = choices.proposed_bundle(answers, self.wizard.remembered.get(LAST_BUNDLE))
        platform = choices.platform_key(answers.settings.platform)
        yield Field("Save to", str(place), width=26, enter="take", id="place")
        yield Select("Platform", _PLATFORMS, current=platform, id="platform")
        yield Select("Layers", _LAYERS, note=_LAYERS[0].about, id="layers")
        yield Row(
            Checkbox("Verify", answers.verify_after, label="Then", id="verify"),
            Checkbox(departure.then_in_words(answers.then), bool(answers.then), id="export"),
        )
        yield Gap()
        yield Table([_NAME], filters=False, reachable=False, more="more rows", id="images")

    def on_open(self) -> None:
        self._take_place(self.query_one("#place", Field).value)
        self.onward = "Save"
        self._say_command()
        self.send_for("survival", lambda _token: survival(), self._outlives, aside=True)
        self._plan()

    def _outlives(self, surviving: Survival) -> None:
        self._surviving = surviving

    def on_return(self) -> None:
        result = self._crossing.plan
        if result is None and not self.under_way("plan"):
            self._plan()
        elif result is not None:
            self._sample(result)

    def on_screen_suspend(self) -> None:
        super().on_screen_suspend()
        self.call_off("gain")

    def likeliest(self) -> Widget | None:
        return self.way_on

    def go_on(self) -> None:
        result = self._crossing.plan
        if result is None or self.not_yet:
            return
        if self.under_way("survival"):
            self.go_on_later()
            return
        if self._surviving.warning and not self._warned:
            self._warn()
            return
        answers, crossing = self._crossing.collection, self._crossing
        chain, command = chains.saving(answers), commands.save(answers)

        def work(_token: CancelToken) -> JobInfo:
            return worker.start(
                chain,
                crossing.settings.state_dir,
                logins=crossing.logins,
                command=command,
                surviving=self._surviving,
            )

        self.start(work, self._started)

    def _warn(self) -> None:
        """Say once what would end the job at the logout, before it is started."""

        def answered(answer: str | None) -> None:
            self._warned = answer == _ALL_THE_SAME
            if self._warned:
                self.go_on()

        self.app.push_screen(LogoutQuestion(self._surviving, _ALL_THE_SAME), answered)

    def _started(self, job: JobInfo) -> None:
        self._crossing.job = job
        self.wizard.remembered.set(LAST_BUNDLE, str(self._crossing.collection.bundle))
        self.wizard.log_path = job.directory.log
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        self.wizard.step_on(self)

    # Choices

    def on_field_submitted(self, event: Field.Submitted) -> None:
        self._take_place(event.value)
        self._plan()

    def on_field_changed(self, event: Field.Changed) -> None:
        self._take_place(event.value)

    def on_descendant_blur(self) -> None:
        if self._crossing.collection.bundle != self._planned_for:
            self._plan()

    def on_select_changed(self, event: Select.Changed) -> None:
        answers = self._crossing.collection
        if event.control.id == "platform":
            settings = replace(answers.settings, platform=parse_platform(event.key))
            self._change(replace(answers, settings=settings))
        else:
            chosen = Compression.parse(event.key)
            self._change(replace(answers, compression=chosen))
            self._tell_layers()
        self._plan()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        checked = event.control.checked
        if event.control.id == "verify":
            self._crossing.collection = replace(self._crossing.collection, verify_after=checked)
            self._say_command()
        elif checked and self._crossing.collection.bundle is not None:
            self.app.push_screen(ExportScreen(self._crossing, ahead=True), self._carry)
        else:
            self._carry(None)

    def _carry(self, answers: Carrying | None) -> None:
        """What is done with the bundle once it is saved."""
        self._crossing.collection = replace(self._crossing.collection, then=answers)
        box = self.query_one("#export", Checkbox)
        box.checked = answers is not None
        box.show(departure.then_in_words(answers))
        self._say_command()

    def _take_place(self, text: str) -> None:
        field = self.query_one("#place", Field)
        if not text:
            self._change(replace(self._crossing.collection, bundle=None))
            field.note("Give a directory", Mark.NEEDS_YOU)
            field.below("")
            self.not_yet = "Not yet: no place to save to."
            return
        path = typed_path(text).absolute()
        if path != self._crossing.collection.bundle:
            self._change(replace(self._crossing.collection, bundle=path))
        self.wizard.bundle = path.name
        try:
            free = Room.at(path).in_words
        except AirgapError as error:
            field.note("No such place can be", Mark.NEEDS_YOU)
            field.below(departure.refusal(error))
        else:
            field.note(free)
            field.below("")

    def _change(self, answers: Collection) -> None:
        self._crossing.collection = answers
        self._crossing.plan = None
        self._say_command()

    def _say_command(self) -> None:
        self.command = commands.save(self._crossing.collection)

    # The plan

    def _plan(self) -> None:
        crossing = self._crossing
        if crossing.collection.bundle is None:
            return
        spec = crossing.collection.save_spec()
        self._planned_for = spec.bundle
        self.excerpt = f"Looking up {count(len(spec.references), 'image')} .."
        self.not_yet = "Not yet: the sizes are being looked up."

        def work(token: CancelToken) -> tuple[PlanResult, int]:
            result = plan.run(spec, discard, token, crossing.credentials())
            files = media_needed.files_of_plan(result.blobs)
            return result, media_needed.volumes(files, MEDIA["dvd"], Form.ISO) if files else 0

        def failed(error: AirgapError) -> None:
            self.excerpt, self.not_yet = error.message, "Not yet: this cannot be saved so."
            field = self.query_one("#place", Field)
            field.note("Cannot be saved to", Mark.NEEDS_YOU)
            field.below(departure.refusal(error))

        self.send_for("plan", work, self._planned, failed)

    def _planned(self, found: tuple[PlanResult, int]) -> None:
        result, self._dvds = found
        self._crossing.plan = result
        self._show_plan(result)
        self._sample(result)
        if self.focused is None:
            self.refresh_frame()
            self.focus_likeliest()

    def _sample(self, result: PlanResult) -> None:
        """Find out what zstd would gain; reads a megabyte of each of the largest layers."""
        crossing = self._crossing
        answers = crossing.collection
        if self._gains or not result.blobs or answers.compression is not None:
            return
        network = answers.settings.network

        def work(token: CancelToken) -> tuple[Gain, ...]:
            return zstd_gain.of_plan(result.blobs, network, crossing.credentials(), token)

        self.send_for("gain", work, self._gain_known, lambda _error: None, aside=True)

    def _gain_known(self, gains: tuple[Gain, ...]) -> None:
        self._gains = gains
        self._tell_layers()

    def _tell_layers(self) -> None:
        """What the chosen form of layers means, and what the other would gain by the sample."""
        layers, gain = self.query_one("#layers", Select), departure.gain_in_short(self._gains)
        options = [
            Option(one.key, one.text, f"{gain}; {one.about.partition('; ')[2]}")
            if gain and one.key == "zstd"
            else one
            for one in _LAYERS
        ]
        layers.show(options)
        about = next(option.about for option in options if option.key == layers.current)
        layers.note(gain if gain and layers.current == "keep" else about)

    def _show_plan(self, result: PlanResult) -> None:
        there = len(result.images)
        failed = [image for image in result.images if image.result.error]
        self.excerpt = sentences.review(result)
        self.onward = f"Save {count(there - len(failed), 'image')}"
        self.not_yet = sentences.room_missing(result)
        if failed and not self.not_yet:
            self.not_yet = f"Not yet: {failed[0].result.error}."
        mark = Mark.NEEDS_YOU if result.problems else Mark.NONE
        said = result.problems[0].message if result.problems else sentences.room(result)
        self.query_one("#place", Field).note(said.rpartition(": ")[2], mark)
        platforms = {platform for image in result.images for platform in image.platforms}
        one = f"All {count(there, 'image')} have it" if there > 1 else "The image has it"
        self.query_one("#platform", Select).note(
            one if len(platforms) == 1 else f"{len(platforms)} platforms"
        )
        self._fill(result)

    def _fill(self, result: PlanResult) -> None:
        images = list(result.images)
        if self._sorted:
            images.sort(key=lambda image: -image.to_fetch)
        held = any(image.held for image in images)
        common = names.common_registry(image.reference for image in images)
        numbers = ["Size", "Shared", *(["Held"] if held else []), "To fetch"]
        columns = [
            Column(names.heading(common), 76 - 4 - len(numbers) * (_NUMBER + 2), grow=1),
            *(Column(name, _NUMBER, right=True) for name in numbers),
        ]
        rows = [
            TableRow(
                image.reference,
                (names.short(image.reference, common), *_numbers(image, held)),
                tone="warn" if image.result.error else "",
            )
            for image in images
        ]
        total = (
            sum(image.size for image in images),
            sum(image.shared for image in images),
            *([sum(image.held for image in images)] if held else []),
            result.to_fetch,
        )
        self.query_one("#images", Table).show(
            rows,
            columns=columns,
            total=(f"All {count(len(images), 'image')}", *map(_number, total)),
            left=sentences.media(result.carried, self._dvds),
        )

    def action_sort(self) -> None:
        self._sorted = not self._sorted
        if self._crossing.plan is not None:
            self._fill(self._crossing.plan)


def _numbers(image: PlannedImage, held: bool) -> list[str]:
    numbers = [image.size, image.shared, *([image.held] if held else []), image.to_fetch]
    return [_number(number) for number in numbers]


def _number(count_of_bytes: int) -> str:
    return size(count_of_bytes) if count_of_bytes else "-"
