"""The form for one registry's login, and what else can be done about it; and the registries' rows.

At 80x24 all of it has to stay on the screen: what can be missed goes where there is no room.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from airgap_tui.engine.credentials.credential import NGC_REGISTRY, NGC_USERNAME
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide import logins
from airgap_tui.engine.jobs.access import LoginStanding, RegistryAccess
from airgap_tui.engine.quantities import count
from screens.keeping import KeepChoice
from screens.look import Mark
from screens.widgets.controls import LABEL_WIDTH, Button, Row
from screens.widgets.fields import Field
from screens.widgets.rows import Column, TableRow
from screens.widgets.secret import SecretField
from screens.widgets.text import Gap, Paragraph

_REGISTRY, _LOGIN, _ORIGIN = 11, 22, 22
"""Cells of the columns at 80; a longer registry takes what it needs of the other two."""
_MORE = 16
_MARKS = {
    LoginStanding.NOT_NEEDED: Mark.DONE,
    LoginStanding.ACCEPTED: Mark.DONE,
    LoginStanding.REFUSED: Mark.NEEDS_YOU,
    LoginStanding.MISSING: Mark.NEEDS_YOU,
    LoginStanding.UNKNOWN: Mark.NEEDS_YOU,
}


class LoginForm(Vertical):
    """User name, secret and where to keep them, where a login can help; below them the buttons
    `test`, `leave`, `again`, `elsewhere` and `all`, as far as each has something to do."""

    def __init__(self) -> None:
        super().__init__()
        self.styles.height = "auto"
        self.user = Field("User name", width=36, leads_on=True, id="user")
        self.secret = SecretField("Password", enter="test", id="secret")
        self.keep = KeepChoice(label="Keep it", id="keep")
        self._source = Paragraph(indent=2 + LABEL_WIDTH)
        self._above, self._between = Gap(), Gap()
        self._fields = (self.user, self.secret, self.keep)
        self._buttons = {
            "test": Button("Test login", label=" ", id="test"),
            "leave": Button("Leave out", id="leave"),
            "again": Button("Ask again", id="again"),
            "elsewhere": Button("Keep it elsewhere", id="elsewhere"),
            "all": Button("All logins", id="all"),
        }

    def compose(self) -> ComposeResult:
        yield self._above
        yield self.user
        yield self.secret
        yield self._source
        yield self.keep
        yield self._between
        yield Row(*self._buttons.values())

    @property
    def open(self) -> bool:
        """Whether a login can be typed."""
        return bool(self.user.display)

    @property
    def rows(self) -> int:
        """Lines that it takes with all that belongs to it."""
        return 7 + bool(self._source.text) if self.open else 2

    def close(self) -> None:
        """Nothing can be done now."""
        for widget in (*self._fields, self._source, self._between, *self._buttons.values()):
            widget.display = False

    def show(self, one: RegistryAccess, keepable: str) -> None:
        """What is right for this registry. What is typed already stays. `keepable` is the registry
        whose login can be kept elsewhere, empty where none can."""
        given = logins.may_be_given(one)
        for field in self._fields:
            field.display = given
        if not self.user.value or self.user.value == NGC_USERNAME:
            self.user.value = logins.username(one)
        self.user.note("The same for everybody" if one.registry == NGC_REGISTRY else "")
        name, remark = logins.secret_name(one.registry)
        self.secret.rename(name)
        self.secret.note(remark)
        self._source.show(logins.secret_source(one.registry) if given else "")
        self.keep.keep_for(one.registry)
        self._buttons["test"].show(f"Test {name.split()[-1] if ' ' in name else 'login'}")
        self._buttons["leave"].show(f"Leave out {count(len(one.unreadable), 'image')}")
        self._buttons["elsewhere"].show(f"Keep the login of {keepable}")
        wanted = {
            "test": given,
            "leave": bool(one.unreadable),
            "again": bool(one.unreadable) and not given,
            "elsewhere": bool(keepable) and not given,
            "all": not given,
        }
        for key, shown in wanted.items():
            self._buttons[key].display = shown

    def empty(self) -> None:
        """Forget what was typed: it was for another registry."""
        self.user.value = ""
        self.secret.clear()

    def save(self, lines: int) -> None:
        """Do without so many lines, the least missed first."""
        self._above.display, self._between.display = True, self.open
        self._source.display = bool(self._source.text)
        spared: tuple[Widget, ...] = (self._between, self._source, self._above)
        for widget in spared:
            if lines > 0 and widget.display:
                widget.display = False
                lines -= 1


def registry_columns(registries: Sequence[str]) -> list[Column]:
    """The registry's name is what rows are told apart by: it is cut last."""
    longest = max((len(name) for name in registries), default=0)
    more = min(max(0, longest - _REGISTRY), _MORE)
    return [
        Column("Registry", _REGISTRY + more),
        Column("Login", _LOGIN - (more + 1) // 2, grow=1),
        Column("Kept in", _ORIGIN - more // 2, grow=2),
        Column("Can be read", 11, right=True),
    ]


def registry_row(one: RegistryAccess) -> TableRow:
    """A registry, its login, where that is from, and how many of its images can be read."""
    readable = len(one.images) - len(one.unreadable)
    cells = (
        one.registry,
        sentences.in_words(one),
        one.origin or "-",
        f"{readable} of {len(one.images)}",
    )
    return TableRow(one.registry, cells, mark=_MARKS[one.standing])
