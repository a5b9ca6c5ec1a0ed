"""The directory of one job, `$XDG_STATE_HOME/airgap-tui/jobs/<id>/`: what watching, stopping and
continuing it needs, and never a secret.

    spec.json       what it is to do, from where it can be continued
    pid             which process does it, and the socket on which that takes a login
    snapshot.json   how far it is; replaced in one step, at most 4 times a second
    journal.jsonl   what happened, rare events only; and how each step ended, in full
    log             the same for people, and what nobody foresaw
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from airgap_tui import __version__
from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.errors import AirgapError, MalformedContent, NotFound
from airgap_tui.engine.events import Event
from airgap_tui.engine.jobs.chain import Chain, Ended
from airgap_tui.engine.jobs.identity import Identity
from airgap_tui.engine.jobs.journal import entries_of
from airgap_tui.engine.jobs.serial import from_json, to_json
from airgap_tui.engine.settings import STATE_REMEDY
from airgap_tui.engine.snapshot import Snapshot

SCHEMA_VERSION = 1
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """What spec.json says beside the chain. `created` is in seconds since 1970.

    `command` is the equivalent command line; `logins` are the registries whose login was given for
    the first run alone, so that continuing has to ask for them again.
    """

    verbs: tuple[str, ...]
    place: Path
    created: float
    command: str = ""
    logins: tuple[str, ...] = ()
    tool: str = __version__


@dataclass(frozen=True, slots=True)
class Occupant:
    """What the file `pid` says: the process, its user, and where it takes logins."""

    identity: Identity
    user: str
    control: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """What snapshot.json says. `step` counts the steps that have ended; `exit_code` is there once
    the whole job has."""

    at: float = 0.0
    step: int = 0
    exit_code: int | None = None
    snapshot: Snapshot = field(default_factory=Snapshot)


@dataclass(frozen=True, slots=True)
class JobDirectory:
    """One job's directory; its name is the job's id."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def log(self) -> Path:
        return self.path / "log"

    @classmethod
    def create(
        cls, state_dir: Path, chain: Chain, *, command: str = "", logins: Sequence[str] = ()
    ) -> JobDirectory:
        """Make the directory of a new job, which nobody else may read."""
        now = time.time()
        name = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        path = state_dir / "jobs" / f"{name}-{secrets.token_hex(2)}"
        order = Order(chain.verbs, chain.place, now, command, tuple(logins))
        with writing(state_dir, STATE_REMEDY):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.mkdir(mode=0o700)
        made = cls(path)
        value = {"schemaVersion": SCHEMA_VERSION, **to_json(order), "chain": chain.to_json()}
        made._replace("spec.json", json.dumps(value, indent=1).encode(), durable=True)
        return made

    @property
    def order(self) -> Order:
        """Raises `NotFound` and `MalformedContent`."""
        value = self._spec()
        return from_json(Order, {k: v for k, v in value.items() if k in _ORDER_FIELDS})

    @property
    def chain(self) -> Chain:
        """Raises `NotFound` and `MalformedContent`."""
        return Chain.from_json(self._spec().get("chain"))

    @property
    def occupant(self) -> Occupant | None:
        """None before the worker has said who it is."""
        try:
            return from_json(Occupant, self._read("pid"))
        except AirgapError:
            return None

    @property
    def moment(self) -> Moment:
        """Where the job is; the beginning where that cannot be read."""
        try:
            value = self._read("snapshot.json")
            snapshot = Snapshot.from_json(value["snapshot"])
            return Moment(value["at"], value["step"], value["exit_code"], snapshot)
        except (AirgapError, KeyError, TypeError, ValueError):
            return Moment()

    def occupy(self, occupant: Occupant) -> None:
        """Say which process does the job."""
        self._replace("pid", json.dumps(to_json(occupant)).encode(), durable=True)

    def keep_moment(self, document: bytes, *, last: bool) -> None:
        """Replace snapshot.json; the last one is made durable."""
        self._replace("snapshot.json", document, durable=last)

    def journal(self, offset: int = 0) -> tuple[list[Event | Ended], int]:
        """What happened from this offset of the journal on, and the offset to go on from."""
        try:
            with open(self.path / "journal.jsonl", "rb") as file:
                file.seek(offset)
                content = file.read(_MOST_BYTES)
        except OSError:
            return [], offset
        whole = content[: content.rfind(b"\n") + 1]
        return entries_of(whole.splitlines()), offset + len(whole)

    @property
    def ended(self) -> tuple[Ended, ...]:
        """How the steps that have ended did."""
        entries, _offset = self.journal()
        return tuple(entry for entry in entries if isinstance(entry, Ended))

    def _spec(self) -> dict[str, Any]:
        value = self._read("spec.json")
        if value.get("schemaVersion") != SCHEMA_VERSION:
            raise MalformedContent(
                f"{self.path}: a job of another version of this program",
                hint="Look at it, or continue it, with the version that began it.",
            )
        return value

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            with open(path, "rb") as file:
                value = json.loads(file.read(_MOST_BYTES))
        except FileNotFoundError:
            raise NotFound(f"there is no {path}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise MalformedContent(f"{path} cannot be read: {error}") from None
        if not isinstance(value, dict):
            raise MalformedContent(f"{path} holds something other than a job")
        return value

    def _replace(self, name: str, content: bytes, *, durable: bool) -> None:
        temporary = self.path / f".{name}.new"
        if durable:
            replace_file(self.path / name, content, temporary)
            return
        with writing(self.path / name):
            temporary.write_bytes(content)
            os.replace(temporary, self.path / name)


_ORDER_FIELDS = {f.name for f in fields(Order)}
