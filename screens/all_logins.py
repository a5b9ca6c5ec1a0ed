"""All logins of this machine: from where, which one wins, what is wrong, and whether they work."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.named_file import NamedFile
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import commands, login_list
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.login_list import LoginRow, Taken
from airgap_tui.engine.jobs.kept_logins import LoginsResult
from airgap_tui.engine.typed_path import typed_path
from screens.base import WizardScreen
from screens.errands import ErrandScreen
from screens.keys import key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.modals.question import Prompt, SecretPrompt
from screens.steps import Step
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap, Paragraph

_COLUMNS = [
    Column("Registry", 17, grow=1),
    Column("Login", 12, gap=1, grow=1),
    Column("From", 22, gap=1, grow=2),
    Column("Use", 8, gap=1),
    Column("Test", 9, gap=1),
]
_MARKS = {None: Mark.NONE, True: Mark.DONE, False: Mark.NEEDS_YOU}


class AllLoginsPage(ErrandScreen[None]):
    title_text = "All logins"
    help_text = (
        "The first login of several for one registry wins: given for this run, NGC_API_KEY, docker,"
        " podman, Apptainer, enroot. A password that is a command is never run. A file with logins"
        " (pull secrets of Kubernetes, DeepOps' variables in a vault) can be read for this run."
    )
    BINDINGS = [  # noqa: RUF012
        key("t", "test", "try all"),
        key("f", "file", "read a file"),
    ]

    def __init__(self, below: WizardScreen[Any], crossing: Crossing) -> None:
        super().__init__()
        self._below_steps = below.steps()
        self._crossing = crossing
        self._result = LoginsResult(())
        self._rows: dict[str, LoginRow] = {}
        self._tested = self._testing = False

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        yield Table(_COLUMNS, marks=True, enter="all of it", filters=False, id="logins")
        yield Gap()
        yield Paragraph(id="account")

    def on_open(self) -> None:
        self._look(test=False)

    def likeliest(self) -> Widget | None:
        return self.query_one("#logins") if self._rows else self.way_back

    def _look(self, *, test: bool) -> None:
        self._testing = test
        self.command = commands.logins(self._crossing.collection, test=test)
        self.excerpt = "Trying every login .." if test else "Reading what there is .."

        def work(token: CancelToken) -> LoginsResult:
            return login_list.look(self._crossing, token, test=test)

        def done(result: LoginsResult) -> None:
            self._result, self._tested, self._testing = result, test, False
            self._fill()
            self.focus_likeliest()

        self.send_for("look", work, done)

    def _fill(self) -> None:
        self._rows = {row.key: row for row in login_list.rows(self._crossing, self._result)}
        shown = [
            TableRow(
                row.key,
                (row.registry, row.username, row.origin, row.use, row.tested),
                mark=_MARKS[row.good],
                tone="rest" if row.use == "Shadowed" else "",
            )
            for row in self._rows.values()
        ]
        self.query_one("#logins", Table).show(shown)
        self.excerpt = sentences.all_logins(self._result, tested=self._tested)
        self._show_account()

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._show_account()

    def _show_account(self) -> None:
        row = self._rows.get(self.query_one("#logins", Table).current)
        self.query_one("#account", Paragraph).show(row.account if row is not None else "")

    def on_table_opened(self, event: Table.Opened) -> None:
        row = self._rows[event.key]
        if any(one.name == row.registry for one in self._result.registries):
            text = login_list.in_detail(self._result, row.registry)
        else:
            text = row.account
        self.app.push_screen(TextPage(self, f"{row.registry}, {row.origin}.", text))

    def action_test(self) -> None:
        if not self._testing:
            self._look(test=True)

    # A file

    def action_file(self) -> None:
        def named(text: str | None) -> None:
            if text:
                path = typed_path(text)
                self.send_for(
                    "file", lambda _token: login_list.read(path), self._file_read, holds=True
                )

        said = "Use the logins of which file in this run? Nothing is copied anywhere."
        self.app.push_screen(Prompt(said, "File", accept="Read", opens=True), named)

    def _file_read(self, file: NamedFile) -> None:
        if not file.needs_password:
            self.wizard.typed.drop()
            self._take(file)
            return

        def typed(password: str | None) -> None:
            if password:
                self._take(file, password)

        said = f"{file.origin} is in an Ansible Vault. Its password opens it, and is not kept."
        self.app.push_screen(SecretPrompt(said, "Password", accept="Open it"), typed)

    def _take(self, file: NamedFile, password: str = "") -> None:
        def work(_token: CancelToken) -> Taken:
            return login_list.take(self._crossing, file, password)

        def done(taken: Taken) -> None:
            self.say(sentences.file_taken(taken.registries, taken.origin))
            self._look(test=False)

        def failed(error: AirgapError) -> None:
            self.wizard.show_error(error)

        self.send_for("take", work, done, failed)

    def go_back(self) -> None:
        self.dismiss(None)
