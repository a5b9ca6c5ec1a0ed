"""Keeping a login: where, what that will change, and the answer, which is no unless it is yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.places import Kind
from airgap_tui.engine.guide import commands, keeping
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.keeping import Keeping
from airgap_tui.engine.jobs.login_places import Planned
from airgap_tui.engine.typed_path import typed_path
from screens.base import WizardScreen
from screens.errands import ErrandScreen
from screens.keys import key
from screens.modals.pages import TextPage
from screens.modals.pick import Pick
from screens.steps import Step
from screens.widgets.fields import Field
from screens.widgets.options import Choice, Option
from screens.widgets.pane import TextPane
from screens.widgets.secret import LeadingSecretField, SecretField
from screens.widgets.select import Select
from screens.widgets.text import Gap, Paragraph

_PLACE = "place"
Settled = Callable[[str], None]
"""Hears where the login is kept now; empty where nothing was written."""


class KeepChoice(Choice):
    """For this run only, or in a place, of which Enter chooses another."""

    BINDINGS = [key("enter,space", "elsewhere", "other places", name="Enter")]  # noqa: RUF012

    def __init__(self, *, label: str, id: str) -> None:  # noqa: A002
        super().__init__((), label=label, id=id)
        self._kind, self._registry = Kind.DOCKER, ""

    @property
    def kind(self) -> Kind | None:
        """Where the login is to be kept; None for this run only."""
        return None if self.current == keeping.RUN else self._kind

    def keep_for(self, registry: str) -> None:
        """The choices for this registry's login."""
        self._registry = registry
        place = Option(_PLACE, keeping.in_words(self._kind, registry))
        self.show((Option(keeping.RUN, keeping.MEMORY.text), place))

    def action_elsewhere(self) -> None:
        def take(chosen: str | None) -> None:
            if chosen is not None:
                self._kind = Kind(chosen)
                self.keep_for(self._registry)
                self.current = _PLACE

        options = [Option(one.key, one.text, one.about) for one in keeping.offered(self._registry)]
        self.app.push_screen(Pick("Keep it for", options, current=self._kind.value), take)


class KeepPage(ErrandScreen[None]):
    """In which place, in which file, and what else the place needs. `settled` hears of the end."""

    title_text = "Keep a login"
    help_text = (
        "Other software looks for its logins in files of its own. The login is kept there as that"
        " software itself would keep it; everything else in the file stays. What will change is"
        " shown before anything is written."
    )

    def __init__(
        self,
        below: WizardScreen[Any],
        crossing: Crossing,
        registry: str,
        kind: Kind | None,
        settled: Settled,
    ) -> None:
        super().__init__()
        self._below_steps = below.steps()
        self._crossing, self._registry, self._settled = crossing, registry, settled
        self._first_kind = kind

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        options = [Option(one.key, one.text, one.about) for one in keeping.offered(self._registry)]
        current = self._first_kind.value if self._first_kind is not None else Kind.ENROOT.value
        yield Select("Keep it for", options, label_width=13, current=current, width=20, id="kind")
        yield Field("File", width=46, label_width=13, leads_on=True, id="file")
        yield Field("Secret", width=28, label_width=13, leads_on=True, id="name")
        yield Field("Namespace", width=28, label_width=13, leads_on=True, id="namespace")
        yield LeadingSecretField("Password", label_width=13, width=28, id="vault")
        yield LeadingSecretField("Once more", label_width=13, width=28, id="again")
        yield Gap()
        yield Paragraph(id="about")
        yield Paragraph(keeping.COMMAND_ONLY)

    def on_open(self) -> None:
        self.excerpt = sentences.keeping(self._registry)
        self.onward = "Show what changes"
        self.query_one("#name", Field).note("Empty: named after the registry")
        self.query_one("#namespace", Field).note("Empty: the current one")
        self.query_one("#vault", SecretField).note("Of the Ansible Vault")
        self._show_kind()

    def likeliest(self) -> Widget | None:
        if self._first_kind is None:
            return self.query_one("#kind")
        return self.query_one("#vault" if self._kind is Kind.DEEPOPS else "#name")

    @property
    def _kind(self) -> Kind:
        return Kind(self.query_one("#kind", Select).current)

    def on_select_changed(self, _event: Select.Changed) -> None:
        for name in ("#vault", "#again"):
            self.query_one(name, SecretField).clear()
        self._show_kind()

    def _show_kind(self) -> None:
        kind = self._kind
        self.query_one("#file", Field).value = keeping.place(kind, self._registry)
        self.query_one("#about", Paragraph).show(f"{keeping.about(kind)}.")
        for name in ("#name", "#namespace"):
            self.query_one(name).display = Keeping(kind).wants_name
        self._settle()

    def on_field_changed(self, _event: Field.Changed) -> None:
        self._settle()

    def on_secret_field_changed(self, _event: SecretField.Changed) -> None:
        self._settle()

    def _keeping(self) -> Keeping:
        """What is answered. A path that is the usual one needs no naming."""
        kind, text = self._kind, self.query_one("#file", Field).value
        usual = text in ("", keeping.place(kind, self._registry))
        return Keeping(
            kind,
            None if usual else typed_path(text),
            self.query_one("#name", Field).value,
            self.query_one("#namespace", Field).value,
            self.query_one("#vault", SecretField).secret if kind is Kind.DEEPOPS else "",
        )

    def _settle(self) -> None:
        """What is missing, and the command that does the same."""
        wanted = self._keeping()
        vault, again = self.query_one("#vault", SecretField), self.query_one("#again", SecretField)
        vault.display = wanted.wants_vault
        again.display = wanted.wants_vault and keeping.makes_vault(wanted, self._registry)
        again.note("For the vault is a new one")
        self.command = commands.login(self._registry, *keeping.command_options(wanted))
        self.not_yet = ""
        if wanted.wants_vault and not vault.secret:
            self.not_yet = "Not yet: the vault's password is missing."
        elif again.display and again.secret != vault.secret:
            self.not_yet = "Not yet: the two passwords differ."

    def go_on(self) -> None:
        if not self.not_yet:
            wanted = self._keeping()
            plan_and_ask(self, self._crossing, self._registry, wanted, self._ended)

    def _ended(self, kept_in: str) -> None:
        if kept_in:
            self.dismiss(None)
            self._settled(kept_in)

    def go_back(self) -> None:
        self.dismiss(None)
        self._settled("")


class ChangePage(WizardScreen[bool]):
    """What will change, and whether to write it; the focus is on not writing."""

    help_text = (
        "Nothing is written yet. The login is kept as the software that reads the file would keep"
        " it; everything else in the file stays, and only you can read it afterwards."
    )

    def __init__(
        self, below: WizardScreen[Any], planned: Planned, registry: str, command: str
    ) -> None:
        super().__init__()
        self._below_steps, self._command = below.steps(), command
        self._planned, self._registry = planned, registry

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        yield TextPane(sentences.change(self._planned))

    def on_open(self) -> None:
        self.excerpt = sentences.change_heading(self._registry)
        self.back, self.onward, self.command = "Do not write", "Write this", self._command

    def likeliest(self) -> Widget | None:
        return self.way_back

    def go_on(self) -> None:
        self.dismiss(True)

    def go_back(self) -> None:
        self.dismiss(False)


def plan_and_ask(
    screen: ErrandScreen[Any],
    crossing: Crossing,
    registry: str,
    wanted: Keeping,
    settled: Settled,
) -> None:
    """Show what keeping the login will change, ask, and write it where the answer is yes."""

    def plan(_token: CancelToken) -> tuple[Credential, Planned]:
        credential = keeping.credential_of(crossing, registry)
        return credential, keeping.plan(wanted, registry, credential)

    def ask(found: tuple[Credential, Planned]) -> None:
        credential, planned = found

        def answered(write: bool | None) -> None:
            if write:
                _write(screen, crossing, registry, credential, planned, settled)
            else:
                settled("")

        command = commands.login(registry, *keeping.command_options(wanted))
        page = ChangePage(screen, planned, registry, command)
        screen.app.push_screen(page, answered)

    screen.send_for("keep", plan, ask)


def _write(
    screen: ErrandScreen[Any],
    crossing: Crossing,
    registry: str,
    credential: Credential,
    planned: Planned,
    settled: Settled,
) -> None:
    def write(_token: CancelToken) -> str:
        return keeping.write(crossing, planned, registry, credential)

    def done(wins: str) -> None:
        settled(planned.change.place)
        if wins or planned.change.then:
            title = f"The login of {registry} is kept."
            page = TextPage(screen, title, sentences.kept(planned, wins))
            screen.app.push_screen(page)

    screen.send_for("write", write, done)
