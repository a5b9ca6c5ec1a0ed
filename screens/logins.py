"""Logins: every chosen image is asked for, and each registry's login is shown for what it is.

Registries such as nvcr.io let everybody read public images, so only asking image by image shows
whether a login is missing; a refused one is told even where no chosen image needs it.
"""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import NGC_REGISTRY, NGC_USERNAME
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import choices, commands, logins, sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import AccessResult, AccessSpec, LoginStanding, RegistryAccess
from airgap_tui.engine.jobs.login import LoginResult
from airgap_tui.engine.quantities import count
from screens.errands import ErrandScreen
from screens.look import Mark
from screens.steps import StepState
from screens.widgets.controls import Button, Row
from screens.widgets.fields import Field, SecretField
from screens.widgets.options import Choice, Option
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap, Line, Paragraph

_COLUMNS = [
    Column("Registry", 22, grow=1),
    Column("Login", 20, gap=1),
    Column("Kept in", 17, gap=1, grow=1),
    Column("Can be read", 11, gap=1, right=True),
]
_KEEP = [Option(one.key, one.text) for one in choices.KEEPING]
_MARKS = {
    LoginStanding.NOT_NEEDED: Mark.DONE,
    LoginStanding.ACCEPTED: Mark.DONE,
    LoginStanding.REFUSED: Mark.NEEDS_YOU,
    LoginStanding.MISSING: Mark.NEEDS_YOU,
    LoginStanding.UNKNOWN: Mark.NEEDS_YOU,
}


class LoginsScreen(ErrandScreen[None]):
    step = "Logins"
    help_text = (
        "Each chosen image is asked for, because a registry may let everybody read some images and"
        " not others. A login is tried before it is taken; it is never shown again, not even its"
        " length. Images that cannot be read can be left out."
    )

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing

    def body(self) -> ComposeResult:
        yield Table(_COLUMNS, marks=True, filters=False, status=False, height=0, id="registries")
        yield Gap()
        yield Paragraph(id="reason")
        yield Line(indent=2, id="unread")
        yield Line(indent=2, id="hint")
        yield Gap()
        yield Field("User name", width=37, id="user")
        yield SecretField("Password", enter="test", id="secret")
        yield Choice(_KEEP, label="Keep it", id="keep")
        yield Gap()
        yield Row(
            Button("Test login", label=" ", id="test"),
            Button("Leave out", id="leave"),
            Button("Ask again", id="again"),
        )

    def on_open(self) -> None:
        self.onward = "Next: Review"
        self._ask()

    def on_return(self) -> None:
        if self._crossing.access is None:
            self._ask()

    def likeliest(self) -> Widget | None:
        chosen = self._chosen()
        if chosen is not None and chosen.unreadable:
            user = self.query_one("#user", Field)
            if not user.display:
                return self.query_one("#leave")
            return self.query_one("#secret") if user.value else user
        return self.way_on

    def go_on(self) -> None:
        result = self._crossing.access
        if result is None or result.unreadable:
            return
        logins.settle_refused(self._crossing)
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        self.wizard.step_on(self)

    # Asking

    def _ask(self) -> None:
        crossing = self._crossing
        references = crossing.collection.chosen
        spec = AccessSpec(references, crossing.collection.settings)
        self.excerpt = f"Asking for {count(len(references), 'image')} .."
        self.command = commands.plan(crossing.collection)
        self.not_yet = "Not yet: the registries are being asked."
        self._form(False)

        def work(token: CancelToken) -> AccessResult:
            return access.run(spec, discard, token, crossing.credentials())

        self.send_for("access", work, self._answered)

    def _answered(self, result: AccessResult) -> None:
        self._crossing.access = result
        self._fill()
        self.focus_likeliest()

    def _fill(self) -> None:
        result = self._crossing.access
        if result is None:
            return
        table = self.query_one("#registries", Table)
        table.show([_row(one) for one in result.registries])
        troubled = [one.registry for one in result.registries if one.unreadable]
        if troubled and not any(one == table.current for one in troubled):
            table.current = troubled[0]
        self.excerpt, self.not_yet = sentences.logins(result), sentences.logins_missing(result)
        self._show_chosen()

    def _show_chosen(self) -> None:
        one = self._chosen()
        if one is None:
            return
        reason, unread, hint = logins.explained(one)
        self.query_one("#reason", Paragraph).show(reason)
        self.query_one("#unread", Line).show(unread)
        self._show_hint(hint)
        self.command = commands.login(one.registry)
        self._form(logins.may_be_given(one))
        self.query_one("#again").display = bool(one.unreadable)
        leave = self.query_one("#leave", Button)
        leave.show(f"Leave out {count(len(one.unreadable), 'image')}")
        leave.display = bool(one.unreadable)
        user = self.query_one("#user", Field)
        if not user.value or user.value == NGC_USERNAME:
            user.value = logins.username(one)
        user.note("The same for everybody" if one.registry == NGC_REGISTRY else "")
        secret = self.query_one("#secret", SecretField)
        name, remark = logins.secret_name(one.registry)
        secret.rename(name)
        secret.note(remark)

    def _show_hint(self, hint: str) -> None:
        line = self.query_one("#hint", Line)
        line.show(hint)
        line.display = bool(hint)

    def _form(self, shown: bool) -> None:
        for name in ("#user", "#secret", "#keep", "#test"):
            self.query_one(name).display = shown
        if not shown:
            for name in ("#leave", "#again"):
                self.query_one(name).display = False

    def _chosen(self) -> RegistryAccess | None:
        result = self._crossing.access
        current = self.query_one("#registries", Table).current
        found = [one for one in result.registries if one.registry == current] if result else []
        return found[0] if found else None

    def on_table_moved(self, _event: Table.Moved) -> None:
        user, secret = self.query_one("#user", Field), self.query_one("#secret", SecretField)
        user.value = ""
        secret.clear()
        self._show_chosen()

    # A login

    def on_secret_field_submitted(self, _event: SecretField.Submitted) -> None:
        self._test()

    def on_field_submitted(self, _event: Field.Submitted) -> None:
        self.query_one("#secret").focus()

    @on(Button.Pressed, "#test")
    def _test(self) -> None:
        one, secret = self._chosen(), self.query_one("#secret", SecretField)
        username, typed = self.query_one("#user", Field).value, secret.secret
        if one is None or self.under_way("login"):
            return
        if not typed:
            secret.note("Nothing is typed yet", Mark.NEEDS_YOU)
            return
        keep = self.query_one("#keep", Choice).current == "file"
        spec = logins.spec_of(self._crossing, one, username, keep=keep)
        secret.note("Trying ..", Mark.UNDER_WAY)

        def work(token: CancelToken) -> LoginResult:
            return logins.attempt(spec, typed, token)

        def done(result: LoginResult) -> None:
            logins.take(self._crossing, result, typed)
            removed = secret.line_break_removed
            secret.clear()
            secret.note("Accepted", Mark.DONE)
            if removed:
                self.say("It looked like a key with a line break; that was taken out.")
            self._ask()

        def failed(error: AirgapError) -> None:
            secret.note("Refused", Mark.NEEDS_YOU)
            self.query_one("#reason", Paragraph).show(error.message)
            self._show_hint(error.hint)

        self.send_for("login", work, done, failed)

    @on(Button.Pressed, "#again")
    def _again(self) -> None:
        self._ask()

    @on(Button.Pressed, "#leave")
    def _leave_out(self) -> None:
        one = self._chosen()
        if one is None:
            return
        gone = [image.reference for image in one.unreadable]
        self._crossing.collection = self._crossing.collection.choosing(False, *gone)
        self._crossing.plan = None
        if self._crossing.collection.chosen:
            self._ask()
        else:
            self._crossing.access = None
            self.wizard.step_back(self)


def _row(one: RegistryAccess) -> TableRow:
    readable = len(one.images) - len(one.unreadable)
    cells = (
        one.registry,
        sentences.login_in_words(one),
        one.origin or "-",
        f"{readable} of {len(one.images)}",
    )
    return TableRow(one.registry, cells, mark=_MARKS[one.standing])
