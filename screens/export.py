"""Step Export: how the bundle gets onto what is carried. Sealing it where it lies comes first: that
halves disk and time.

The same page is opened from Review, before there is a bundle: then it only takes the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.medium import Medium
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import chains, commands, departure, outcome, restart
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.surroundings import Surroundings, look_around
from airgap_tui.engine.jobs import export_plan, zstd_gain
from airgap_tui.engine.jobs.export_plan import ExportPlan
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.survival import Survival, survival
from airgap_tui.engine.jobs.zstd_gain import Gain
from airgap_tui.engine.quantities import count
from screens.along_fields import AlongFields
from screens.errands import ErrandScreen
from screens.field_group import FieldGroup
from screens.keys import key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.modals.question import LogoutQuestion
from screens.signing_fields import SigningFields
from screens.steps import Step
from screens.volume_fields import VolumeFields
from screens.widgets.options import Choice, Option
from screens.widgets.text import Fact, Facts, Gap, Paragraph

_ALL_THE_SAME = "Write all the same"
_WAYS = [Option(one.key, one.text, one.about) for one in departure.WAYS]


class ExportScreen(ErrandScreen["Carrying | None"]):
    """`ahead`: the bundle is not saved yet; the screen answers what is to be done then, or None."""

    step = "Export"
    goes_ahead = False
    help_text = (
        "Sealing writes checksums, signature and START-HERE.txt beside the bundle, and all of it"
        " through to the disk. Volumes are written anew: the same bundle and size always give"
        " the same volumes, so a lost or bad one can be written again alone, byte for byte. What is"
        " there already is not written twice. Layers larger than a volume are cut."
    )
    BINDINGS = [key("v", "volumes", "volumes")]  # noqa: RUF012

    def __init__(self, crossing: Crossing, *, ahead: bool = False) -> None:
        super().__init__()
        self._crossing, self._ahead = crossing, ahead
        self._around: Surroundings | None = None
        self._found: ExportPlan | Room | AirgapError | None = None
        self._asked: Carrying | None = None
        self._gains: tuple[Gain, ...] = ()
        self._surviving = Survival()
        self._warned = False
        self._volumes = VolumeFields()
        self._signing = SigningFields(self, crossing.settings.state_dir, self._answers.key)
        self._along = AlongFields(crossing.settings)

    def body(self) -> ComposeResult:
        yield Choice(_WAYS, current=self._answers.way.value, id="way")
        yield Gap()
        yield Facts(name_width=9, id="facts")
        yield self._volumes
        yield self._signing
        yield self._along
        yield Gap(id="apart")
        yield Paragraph(indent=2, id="said")

    def on_open(self) -> None:
        bundle, crossing = self._bundle, self._crossing
        if self._ahead:
            self.back, self.onward = "Not by itself", "Take it"
        self.wizard.bundle = bundle.name
        self._fill()
        plan, state_dir = crossing.plan if self._ahead else None, crossing.settings.state_dir
        self.send_for(
            "around",
            lambda token: look_around(bundle, plan, state_dir, token),
            self._found_around,
        )
        self.send_for("survival", lambda _token: survival(), self._outlives, aside=True)
        if not self._ahead:
            self.send_for(
                "gain",
                lambda token: zstd_gain.of_bundle(bundle, token),
                self._gain_known,
                lambda _error: None,
                aside=True,
            )

    def on_return(self) -> None:
        self._asked = None
        self._ask()
        self._fill()

    def likeliest(self) -> Widget:
        return self.query_one("#way")

    def steps(self) -> tuple[Step, ...]:
        route = self.wizard.route
        return route.steps("Review") if self._ahead and route is not None else super().steps()

    # The answers

    @property
    def _bundle(self) -> Path:
        chosen, job = self._crossing.collection.bundle, self._crossing.job
        if chosen is None and job is not None:
            return job.order.place
        return chosen or Path("BUNDLE")

    @property
    def _answers(self) -> Carrying:
        return self._crossing.carrying or Carrying()

    def _change(self, answers: Carrying) -> None:
        if answers != self._crossing.carrying:
            self._crossing.carrying = answers
            self._found = None

    def _take(self, *, settled: bool) -> None:
        """What the fields say; `settled`: an answer is complete, so ask what follows from it."""
        if self._around is None:
            return
        if settled:
            self._signing.settle()
        answers = self._along.taken(self._volumes.taken(self._answers))
        self._change(replace(answers, key=self._signing.key))
        if settled:
            self._ask()
        self._fill()

    # What is found out

    def _found_around(self, around: Surroundings) -> None:
        self._around = around
        if self._crossing.carrying is None:
            self._crossing.carrying = departure.proposed(around.lying, around.before)
        answers = self._answers
        self.query_one("#way", Choice).show(_WAYS, answers.way.value)
        self._volumes.begin(answers, self._counts)
        self._along.begin(answers)
        self._signing.show_keys(around.keys)
        self._ask()
        self._fill()

    def _outlives(self, surviving: Survival) -> None:
        self._surviving = surviving

    def _gain_known(self, gains: tuple[Gain, ...]) -> None:
        self._gains = gains
        self._fill()

    def _ask(self) -> None:
        """Plan the volumes of the present answers, where they are not planned and are complete."""
        answers, bundle, settings = self._answers, self._bundle, self._crossing.settings
        if answers.way is Way.SEAL or answers.medium is None or self._around is None:
            self.call_off("plan")
            self._asked = None
        elif self._asked != answers:
            self._asked = answers

            def work(token: CancelToken) -> ExportPlan | Room:
                if self._ahead:
                    return _room_ahead(answers)
                return export_plan.run(answers.export_spec(bundle, settings), discard, token)

            self.send_for("plan", work, self._planned, self._planned)

    def _planned(self, found: ExportPlan | Room | AirgapError) -> None:
        self._found = found
        plan = found if isinstance(found, ExportPlan) else None
        self._volumes.show(self._answers, self._counts, plan)
        self._fill()

    @property
    def _counts(self) -> Mapping[str, int]:
        return {} if self._around is None else self._around.counts.get(self._answers.way, {})

    # Choices

    def on_options_moved(self, event: Choice.Moved) -> None:
        if self._around is None:
            return
        self._change(departure.with_way(self._answers, Way(event.key)))
        self._volumes.begin(self._answers, self._counts)
        self._take(settled=True)

    def on_field_group_changed(self, event: FieldGroup.Changed) -> None:
        self._take(settled=event.settled)

    def on_signing_fields_changed(self) -> None:
        self._take(settled=True)

    def on_descendant_blur(self) -> None:
        if self.is_current:
            self._take(settled=True)

    # Drawing

    def _fill(self) -> None:
        """Draw everything as it is now."""
        answers, around, name = self._answers, self._around, self._bundle.name
        plan = self._plan
        facts = self.query_one("#facts", Facts)
        facts.display = answers.way is Way.SEAL
        if around is not None:
            mark = Mark.DONE if around.lying.removable else Mark.NONE
            lies = Fact("Disk", departure.lies(around.lying), mark)
            facts.show([Fact("Bundle", str(self._bundle)), lies])
        self.excerpt = departure.excerpt(answers, name, plan, ahead=self._ahead)
        self.command = commands.carry(answers, self._bundle)
        self._volumes.tell(answers, self._found, self._counts.get(answers.volume_size, 0))
        self._signing.tell(plan.signature.sentence if plan is not None else "")
        self._along.tell(answers, None if around is None else around.tool)
        # With both rows more there are none to spare at 80x24, and what is said has to be seen.
        self.query_one("#apart").display = answers.way in (Way.SEAL, Way.ISO) or self._one_volume
        self.query_one("#said", Paragraph).show(self._said())
        if not self._ahead:
            self.onward = departure.begin(answers, plan)
        self.not_yet = self._missing()
        self.refresh_bindings()

    @property
    def _one_volume(self) -> bool:
        return not self._answers.volume_size

    @property
    def _plan(self) -> ExportPlan | None:
        return self._found if isinstance(self._found, ExportPlan) else None

    def _said(self) -> str:
        found = self._found
        problem = found.problem if isinstance(found, ExportPlan) else found
        if isinstance(problem, AirgapError):
            return departure.refusal(problem)
        return departure.gain(self._gains, saved=True)

    def _missing(self) -> str:
        answers = self._answers
        if self._around is None:
            return "Not yet: the bundle is being looked into."
        if wrong := self._along.missing(answers):
            return wrong
        if isinstance(self._found, AirgapError):
            return "Not yet: this cannot be written so."
        found = self._found is not None if self._ahead else self._plan
        return self._signing.missing or departure.missing(answers, found)

    # All volumes

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "volumes":
            return self._plan is not None
        return super().check_action(action, parameters)

    def action_volumes(self) -> None:
        if self._plan is not None:
            title = f"What {count(len(self._plan.volumes), 'volume')} would hold."
            self.app.push_screen(TextPage(self, title, "\n".join(departure.each(self._plan))))

    # Beginning it

    def go_back(self) -> None:
        if self._ahead:
            self.dismiss(None)
        else:
            super().go_back()

    def go_on(self) -> None:
        if self.not_yet:
            return
        if self._ahead:
            self.dismiss(self._answers)
            return
        if self.under_way("survival"):
            self.go_on_later()
            return
        if self._surviving.warning and not self._warned and self._answers.way is not Way.SEAL:
            self._warn()
            return
        answers, crossing, bundle = self._answers, self._crossing, self._bundle
        chain = chains.carrying(answers, bundle, crossing.settings)
        work = restart.starting(crossing, chain, commands.carry(answers, bundle))
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
        self.wizard.log_path = job.directory.log
        self.wizard.renew_step(self.step)

    def leave(self) -> None:
        verified, bundle = self._crossing.verified, self._bundle
        if self._ahead or verified is None:
            self.wizard.leave()
        else:
            self.wizard.leave(outcome.saved_message(bundle.name, bundle, verified.bytes))


def _room_ahead(answers: Carrying) -> Room:
    """What can be known before there is a bundle: that the size is one, and the room."""
    if answers.volume_size:
        Medium.parse(answers.volume_size)
    return Room.at(answers.medium or Path())
