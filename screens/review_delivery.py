"""Review of the offline side: what will happen, with all names and sizes, before anything does."""

from __future__ import annotations

import contextlib

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands, handover, restart
from airgap_tui.engine.guide.answers import Delivery, Destination
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.media import Carried, weight
from airgap_tui.engine.jobs.survival import Survival, survival
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count, size
from screens import names
from screens.errands import ErrandScreen
from screens.look import Mark
from screens.steps import StepState
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line


class ReviewDeliveryScreen(ErrandScreen[None]):
    step = "Review"
    help_text = (
        "Size is all of an image; layers that images share are sent once, so the sum is smaller."
        " Each layer is compared with its digest on its way, and each image's digest with what the"
        " target says afterwards. GB are decimal, as on the labels of disks."
    )

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._survival = Survival()

    def body(self) -> ComposeResult:
        yield Facts(id="facts")
        yield Gap()
        yield Table((), marks=True, filters=False, reachable=False, more="more rows", id="images")
        yield Line(indent=4, id="sum")

    def on_open(self) -> None:
        self._fill()
        self.send_for("session", lambda _token: survival(), self._session_known)

    def on_return(self) -> None:
        self._fill()
        self.focus_likeliest()

    def likeliest(self) -> Widget | None:
        return self.way_on

    def _session_known(self, found: Survival) -> None:
        self._survival = found
        self._fill()
        if found.warning:
            self.stay()

    # What will happen

    @property
    def _answers(self) -> Delivery:
        answers, contents = self._crossing.delivery, self._crossing.contents
        return answers if contents is None else arrival.without_staying(contents, answers)

    def _fill(self) -> None:
        answers, contents = self._answers, self._crossing.contents
        going = arrival.going(contents, answers) if contents is not None else ()
        staying = arrival.staying(contents, answers) if contents is not None else ()
        self.excerpt = handover.review(answers, going)
        self.command = commands.deliver(answers)
        self.onward = handover.begin(answers, len(going))
        self.not_yet = handover.missing(answers, going)
        self.query_one("#facts", Facts).show(self._facts(answers, staying))
        common = names.common_registry(str(image.reference) for image in going)
        columns, becomes = self._columns(answers, going, common, bool(staying))
        rows = [_staying(image, common) for image in staying]
        for image, name in zip(going, becomes, strict=True):
            short, middle = names.short(str(image.reference), common), [name] * (len(columns) - 2)
            rows.append(TableRow(str(image.reference), (short, *middle, size(image.bytes))))
        self.query_one("#images", Table).show(rows, columns=columns)
        files, total = weight(going)
        shared = ", each layer once" if len(going) > 1 else ""
        whole = "The image" if len(going) == 1 else f"All {count(len(going), 'image')}"
        text = f"{whole}{shared}: {count(files, 'file')}"
        self.query_one("#sum", Line).show(text, right=size(total))

    def _facts(self, answers: Delivery, staying: tuple[Carried, ...]) -> list[Fact]:
        verified, login = self._crossing.verified, self._crossing.logins.get(answers.registry)
        fine = Mark.DONE if verified is not None and verified.ok else Mark.NEEDS_YOU
        who = f", as {login.username}" if login is not None else ""
        who = who if answers.destination is Destination.REGISTRY else ""
        facts = [
            Fact("From", str(answers.path or "")),
            Fact("Content", handover.checked(verified), fine),
            Fact("To", f"{handover.target(answers)}{who}"),
        ]
        contents = self._crossing.contents
        if answers.destination is Destination.SERVE and contents is not None and contents.whole:
            first = arrival.example(contents.whole)
            facts.append(
                Fact("Hosts type", arrival.pulled_as(answers.listen, self.wizard.host, first))
            )
        if staying and answers.destination is Destination.SERVE:
            said = f"{count(len(staying), 'image')} not whole; who pulls them gets an error"
            facts.append(Fact("Damaged", said, Mark.NEEDS_YOU))
        elif staying:
            said = f"{count(len(staying), 'image')}, first in the list below"
            facts.append(Fact("Stay out", said, Mark.NEEDS_YOU))
        if self._survival.warning:
            said = f"{arrival.capital(self._survival.warning)}\n{self._survival.remedy}"
            facts.append(Fact("Session", said, Mark.NEEDS_YOU))
        return facts

    def _columns(
        self, answers: Delivery, going: tuple[Carried, ...], common: str, more: bool
    ) -> tuple[list[Column], list[str]]:
        """The table's columns, and for each image what stands in the middle one: what it becomes
        where names change. `more`: some images stay out, and say why there."""
        heading, last = names.heading(common), Column("Size", 8, right=True)
        assigned: dict[Reference, Reference] = {}
        if answers.destination is Destination.REGISTRY:
            with contextlib.suppress(AirgapError):
                assigned = arrival.assigned(answers, going)
        if assigned:
            here = f"{answers.registry}/"
            becomes = [str(assigned[i.reference]).removeprefix(here) for i in going]
            columns = [Column(heading, 31, grow=1), Column(f"On {answers.registry}", 29, grow=1)]
            return [*columns, last], becomes
        if more:
            columns = [Column(heading, 39, grow=1), Column("Note", 21, grow=1)]
            return [*columns, last], [""] * len(going)
        return [Column(heading, 62, grow=1), last], [""] * len(going)

    # Beginning it

    def go_on(self) -> None:
        crossing = self._crossing
        if self.not_yet:
            return
        if self.under_way("session"):
            self.go_on_later()
            return
        try:
            chain = chains.delivering(self._answers)
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        command = commands.deliver(self._answers)
        self.start(restart.starting(crossing, chain, command), self._started)

    def _started(self, job: JobInfo) -> None:
        self._crossing.job = job
        self.wizard.log_path = job.directory.log
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        self.wizard.renew_step("Deliver")


def _staying(image: Carried, common: str) -> TableRow:
    reason = "missing files" if image.problem else "damaged"
    cells = (names.short(str(image.reference), common), f"Stays out: {reason}", "-")
    return TableRow(f"stays {image.reference}", cells, mark=Mark.NEEDS_YOU, tone="warn")
