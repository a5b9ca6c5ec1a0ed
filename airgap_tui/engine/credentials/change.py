"""What will be different in one place where logins are kept: shown first, then done.

Whoever shows it sees no secret: `before`, `after`, `notes` and `then` hold none, and the contents
are in no repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.helper import Helper
from airgap_tui.engine.errors import EnvironmentFailure


@dataclass(frozen=True, slots=True)
class HelperEntry:
    """A login on its way into a credential helper."""

    helper: Helper
    server: str
    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """`path` is the file that is written, None where there is nothing to write and `then` is all.

    `before` and `after` tell in words what stands there now and will; `notes` what is worth
    knowing; `then` is what a person does next: commands, or text to put somewhere. `was` is the
    content that the change was planned for, None where there was no file.
    """

    path: Path | None
    before: str
    after: str
    content: bytes = field(default=b"", repr=False)
    was: bytes | None = field(default=None, repr=False)
    mode: int = 0o600
    notes: tuple[str, ...] = ()
    then: str = ""
    helper: HelperEntry | None = None

    @property
    def place(self) -> str:
        """Where the login is afterwards, for people; empty where nothing is written."""
        if self.helper is not None:
            return self.helper.helper.program
        return private_file.short(self.path) if self.path is not None else ""

    def apply(self) -> None:
        """Write it. Raises `EnvironmentFailure`, also where the file is not what it was."""
        if self.path is None:
            return
        if private_file.read(self.path) != self.was:
            raise EnvironmentFailure(
                f"{private_file.short(self.path)} was changed by another program in the meantime",
                hint="Nothing was written there. Run the same again.",
            )
        if self.helper is not None:
            entry = self.helper
            entry.helper.store(entry.server, entry.username, entry.secret)
        private_file.replace(self.path, self.content, self.mode)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path) if self.path is not None else None,
            "place": self.place or None,
            "before": self.before,
            "after": self.after,
            "mode": f"{self.mode:04o}" if self.path is not None else None,
            "notes": list(self.notes),
            "then": self.then or None,
        }
