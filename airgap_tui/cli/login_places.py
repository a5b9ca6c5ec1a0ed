"""`login --for`: what will change where other software keeps its logins, then the change."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.running import run_job
from airgap_tui.cli.vault_password import vault_password
from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.places import Kind, Login, Place, usual_path
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.events import Event, Note
from airgap_tui.engine.jobs import login, login_places
from airgap_tui.engine.jobs.login import LoginSpec
from airgap_tui.engine.jobs.login_places import Kept, Planned

_PROMISED = "what-will-be-typed"
"""Stands for the secret in a dry run, which asks for none and writes nothing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `login` that say where, and how."""

    places: tuple[Place, ...]
    dry_run: bool
    yes: bool
    vault_password_file: Path | None
    name: str
    namespace: str

    @classmethod
    def of(cls, texts: Sequence[str], *rest: Any) -> Wanted:
        """Raises `UsageError` for a place that there is not."""
        return cls(tuple(Place.parse(text) for text in texts), *rest)

    @property
    def holds_secret(self) -> bool:
        """Whether any of the places takes the login itself."""
        return any(place.kind is not Kind.PLAYBOOK for place in self.places)

    def vault_password(self, registry: str) -> str:
        """For DeepOps' variables; typed twice for the first vault of a file, which nobody could
        open after a slip. Empty where none is needed."""
        files = [
            place.path or usual_path(place.kind, registry, os.environ)
            for place in self.places
            if place.kind is Kind.DEEPOPS
        ]
        if not files:
            return ""
        from airgap_tui.engine.credentials.deepops import needs_password

        data = [private_file.read(path) for path in files if path is not None]
        new = any(not needs_password(one or b"") for one in data)
        return vault_password(self.vault_password_file, twice=new)


def keep_in_places(output: Output, spec: LoginSpec, wanted: Wanted, secret: str | None) -> int:
    """Show what will change, try the login, ask on a terminal, and write. The exit code."""
    username = key = ""
    if wanted.holds_secret:
        credential = login.credential_of(spec, secret or _PROMISED, _tell_note)
        username, key = credential.username, credential.secret
    password = wanted.vault_password(spec.registry)
    kept_login = Login(spec.registry, username, key, password, wanted.name, wanted.namespace)
    planned = login_places.plan(wanted.places, kept_login)
    _show(planned)
    document = {"registry": spec.registry, "username": username, "dryRun": wanted.dry_run}
    if wanted.dry_run:
        changes = [Kept(one.place, one.change).to_json() for one in planned]
        output.document({**document, "changes": changes})
        for change in (one.change for one in planned):
            if change.then:
                output.data(change.then)
        output.say("Nothing is written: this is a dry run.")
        return 0
    if wanted.holds_secret:
        run_job(output, lambda sink, token: login.run(spec, sink, token, secret=key))
        output.say(f"{spec.registry} accepts {username}.")
    if sys.stdin.isatty() and not (wanted.yes or click.confirm("Write this?", True, err=True)):
        raise Stopped("nothing was written")
    kept = login_places.keep(planned)
    wins = login_places.winner(kept, kept_login, os.environ)
    changes = [one.to_json() for one in kept]
    output.document({**document, "changes": changes, **({"wins": wins} if wins else {})})
    for one in kept:
        _tell_kept(output, one)
    if wins:
        narrate(f"! here {wins} wins over it for {spec.registry}")
    return login_places.exit_code(kept)


def _show(planned: Sequence[Planned]) -> None:
    """What stands there now, and what will: without secrets."""
    for one in planned:
        change = one.change
        where = change.place or "nothing is written"
        mode = f", mode {change.mode:04o}" if change.path is not None else ""
        narrate(f"For {one.place.kind.value}: {where}{mode}")
        if change.before:
            narrate(f"  now   {change.before}")
        narrate(f"  then  {change.after}")
        for note in change.notes:
            narrate(textwrap.fill(note, 92, initial_indent="  note  ", subsequent_indent=" " * 8))


def _tell_kept(output: Output, one: Kept) -> None:
    kind, change = one.place.kind.value, one.change
    if one.error is not None:
        hint = f"\n  {one.error.hint}" if one.error.hint else ""
        narrate(f"! {kind}: {one.error.message}{hint}")
        return
    if change.path is not None:
        output.say(f"{kind}: written to {change.place}.")
    if change.then:
        output.data(change.then)


def _tell_note(event: Event) -> None:
    if isinstance(event, Note):
        narrate(event.text)
