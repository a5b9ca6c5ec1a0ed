"""Logins: every chosen image is asked for, and each registry's login is shown for what it is.

Registries such as nvcr.io let everybody read public images, so only asking image by image shows
whether a login is missing; a refused one is told even where no chosen image needs it.
"""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.events import Resize
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.places import Kind
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import commands, logins
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.keeping import Keeping
from airgap_tui.engine.guide.logins import Tried
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import AccessResult, AccessSpec, RegistryAccess
from airgap_tui.engine.quantities import count
from screens.all_logins import AllLoginsPage
from screens.errands import ErrandScreen
from screens.keeping import KeepPage, plan_and_ask
from screens.keys import key
from screens.login_form import LoginForm, registry_columns, registry_row
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.modals.palette import Command
from screens.steps import StepState
from screens.widgets.controls import Button
from screens.widgets.secret import SecretField
from screens.widgets.table import Table
from screens.widgets.text import Line, Paragraph

_LEAST_ROWS = 3
"""Registries that are seen of a long list when all else has its place."""


class LoginsScreen(ErrandScreen[None]):
    step = "Logins"
    help_text = (
        "Each chosen image is asked for, because a registry may let everybody read some images and"
        " not others. A login is tried with all of them before it is taken; it is never shown"
        " again, not even its length. Images that cannot be read can be left out.\n\n"
        "A login can be kept where docker, podman, enroot, Apptainer, Kubernetes or DeepOps look"
        " for it: press Enter on Keep it, or K once a login works. What will change is shown first."
    )
    BINDINGS = [  # noqa: RUF012
        key("l", "all_logins", "all logins"),
        key("k", "keep", "keep elsewhere"),
        key("r", "again", "ask again"),
    ]

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._form = LoginForm()
        self._trying = ("", "")

    def body(self) -> ComposeResult:
        yield Table(
            registry_columns(()),
            marks=True,
            filters=False,
            status=False,
            height=0,
            enter="its images",
            id="registries",
        )
        yield Line(indent=2, id="origin")
        yield Paragraph(id="reason")
        yield Line(indent=2, id="unread")
        yield Line(indent=2, id="hint")
        yield self._form

    def on_open(self) -> None:
        self.onward = "Next: Review"
        self._ask()

    def on_return(self) -> None:
        if self._crossing.access is None and not self.under_way("access"):
            self._ask()

    def likeliest(self) -> Widget | None:
        chosen = self._chosen()
        if chosen is not None and chosen.unreadable:
            if not self._form.open:
                return self.query_one("#leave")
            return self._form.secret if self._form.user.value else self._form.user
        return self.way_on

    def go_on(self) -> None:
        result = self._crossing.access
        if result is None or result.unreadable:
            return
        logins.settle_refused(self._crossing)
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        self.wizard.step_on(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "keep":
            return self.is_mounted and bool(self._keepable())
        if action == "again":
            return self._crossing.access is not None
        return super().check_action(action, parameters)

    def commands(self) -> list[Command]:
        found = [Command("All logins", "Of this machine, and which wins", self.action_all_logins)]
        if self.check_action("keep", ()):
            about = "Where docker, enroot and others look"
            found.append(Command("Keep the login elsewhere", about, self.action_keep))
        found.append(Command("Ask again", "All registries, for every image", self.action_again))
        return found

    # Asking

    def _ask(self) -> None:
        crossing = self._crossing
        references = crossing.collection.chosen
        spec = AccessSpec(references, crossing.collection.settings)
        self.excerpt = f"Asking for {count(len(references), 'image')} .."
        self.command = commands.plan(crossing.collection)
        self.not_yet = "Not yet: the registries are being asked."
        self._form.close()
        self.place_focus(self.way_on)

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
        rows = [registry_row(one) for one in result.registries]
        columns = registry_columns([one.registry for one in result.registries])
        table.show(rows, columns=columns)
        troubled = [one.registry for one in result.registries if one.unreadable]
        if troubled and not any(one == table.current for one in troubled):
            table.current = troubled[0]
        self.excerpt, self.not_yet = sentences.logins(result), sentences.missing(result)
        self._show_chosen()

    def _show_chosen(self) -> None:
        one = self._chosen()
        if one is None:
            return
        self.query_one("#origin", Line).show(sentences.winning(one))
        reason, unread, hint = logins.explained(one)
        self._explain(reason, hint)
        more = "Enter on its row shows all" if len(one.unreadable) > 1 else ""
        self.query_one("#unread", Line).show(unread, right=more)
        self.query_one("#unread").display = bool(unread)
        self.command = commands.login(one.registry)
        self._form.show(one, self._keepable())
        self._fit()
        self.refresh_bindings()

    def _explain(self, reason: str, hint: str) -> None:
        paragraph = self.query_one("#reason", Paragraph)
        paragraph.show(reason)
        paragraph.display = bool(reason)
        line = self.query_one("#hint", Line)
        line.show(hint)
        line.display = bool(hint)

    def on_resize(self, _event: Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        """Nothing of the form may fall off the body: what can be missed goes, and a long list of
        registries scrolls."""
        body, table = self.query_one("#body"), self.query_one("#registries", Table)
        result = self._crossing.access
        if not body.size.height or result is None:
            return
        reason = self.query_one("#reason", Paragraph)
        lines = len(reason.draw(body.size.width - 4)) if reason.display else 0
        lines += 1 + sum(bool(self.query_one(name).display) for name in ("#unread", "#hint"))
        registries = len(result.registries)
        over = 1 + registries + lines + self._form.rows - body.size.height
        least = min(registries, _LEAST_ROWS)
        self._form.save(over - (registries - least))
        rows = registries - max(0, over)
        table.styles.height = 1 + max(least, rows) if rows < registries else "auto"

    def _chosen(self) -> RegistryAccess | None:
        result = self._crossing.access
        current = self.query_one("#registries", Table).current
        found = [one for one in result.registries if one.registry == current] if result else []
        return found[0] if found else None

    def _keepable(self) -> str:
        """The registry whose login works and can be kept elsewhere: the chosen one if it can."""
        chosen, result = self._chosen(), self._crossing.access
        found = [one for one in (chosen, *(result.registries if result else ())) if one is not None]
        return next((one.registry for one in found if logins.can_be_kept(one)), "")

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._form.empty()
        self._show_chosen()

    def on_table_opened(self, _event: Table.Opened) -> None:
        one = self._chosen()
        if one is not None:
            title = f"The chosen images of {one.registry}."
            self.app.push_screen(TextPage(self, title, logins.images_in_words(one)))

    # A login

    def on_secret_field_submitted(self, _event: SecretField.Submitted) -> None:
        self._test()

    @on(Button.Pressed, "#test")
    def _test(self) -> None:
        one, secret = self._chosen(), self._form.secret
        username, typed = self._form.user.value, secret.secret
        if one is None or (self.under_way("login") and self._trying == (username, typed)):
            return
        if not typed:
            secret.note("Nothing is typed yet", Mark.NEEDS_YOU)
            return
        kind = self._form.keep.kind
        self._trying = (username, typed)
        secret.note("Trying ..", Mark.UNDER_WAY)

        def work(token: CancelToken) -> Tried:
            return logins.attempt(self._crossing, one, username, typed, token)

        def done(tried: Tried) -> None:
            logins.take(self._crossing, tried)
            removed = secret.line_break_removed
            secret.clear()
            self._fill()
            secret.note("Accepted", Mark.DONE)
            self.focus_likeliest()
            if removed:
                self.say("It looked like a key with a line break; that was taken out.")
            if kind is not None:
                self._keep(one.registry, kind)

        def failed(error: AirgapError) -> None:
            secret.note("Refused", Mark.NEEDS_YOU)
            self._explain(error.message, error.hint)
            self._fit()

        self.send_for("login", work, done, failed)

    def _keep(self, registry: str, kind: Kind | None) -> None:
        """Keep the login that works: asks for what a place needs besides, and before writing."""
        if kind is None or Keeping(kind).wants_more:
            page = KeepPage(self, self._crossing, registry, kind, self._kept)
            self.app.push_screen(page)
        else:
            plan_and_ask(self, self._crossing, registry, Keeping(kind), self._kept)

    def _kept(self, kept_in: str) -> None:
        self._fill()
        self.focus_likeliest()
        self.say(f"Kept in {kept_in}." if kept_in else "Nothing was written.")

    @on(Button.Pressed, "#elsewhere")
    def action_keep(self) -> None:
        registry = self._keepable()
        if registry:
            self._keep(registry, None)

    @on(Button.Pressed, "#all")
    def action_all_logins(self) -> None:
        self.app.push_screen(AllLoginsPage(self, self._crossing))

    @on(Button.Pressed, "#again")
    def action_again(self) -> None:
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
