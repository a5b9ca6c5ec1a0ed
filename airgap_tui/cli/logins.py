"""`logins`: what logins there are, which win, and whether they work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.options import (
    FILE,
    images_argument,
    images_of,
    lists_option,
    network_options,
    settings_of,
    verb,
)
from airgap_tui.cli.output import Output, marks, narrate
from airgap_tui.cli.running import run_job
from airgap_tui.cli.text import Column, table
from airgap_tui.cli.vault_password import vault_password, vault_password_option
from airgap_tui.engine.quantities import count

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.access import RegistryAccess
    from airgap_tui.engine.jobs.kept_logins import Cause, LoginsResult, RegistryLogins


@verb(
    "airgap-tui logins",
    "airgap-tui logins --test -f images_list.txt",
)
@images_argument
@lists_option
@click.option("--test", is_flag=True, help="Try the login of each registry by sending it there.")
@click.option(
    "--from",
    "files",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Use the logins of this file first: config.json, enroot's .credentials, pull secrets of"
    " Kubernetes, registries.yaml, DeepOps' variables.",
)
@vault_password_option
@network_options
def logins(
    output: Output,
    images: tuple[str, ...],
    lists: tuple[str, ...],
    test: bool,
    files: tuple[Path, ...],
    vault_password_file: Path | None,
    **network: Any,
) -> int:
    """Show which registries have a login, from where, and if it works.

    Of several logins the first wins; the others are shadowed. For images that are named, or in a
    LIST, access is tested one by one. Without images and --test nothing is sent.
    """
    settings = settings_of(**network)
    references = images_of(images, lists).references

    from airgap_tui.engine.credentials.named_file import NamedFile
    from airgap_tui.engine.jobs import kept_logins as job

    named = tuple(NamedFile.load(path) for path in files)
    locked = any(file.needs_password for file in named)
    password = vault_password(vault_password_file) if locked else ""
    spec = job.LoginsSpec(references, test, named, settings)
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token, vault_password=password),
        stopping="Stopping; nothing was changed.",
    )
    output.document(result.to_json())
    _show(output, result)
    if output.progress_mode != "json":
        _tell(output, result)
    return result.exit_code


def _show(output: Output, result: LoginsResult) -> None:
    if not result.registries:
        return
    asked = any(one.access is not None for one in result.registries)
    columns = [
        Column(""),
        Column("Registry", flexible=True),
        Column("Login"),
        Column("From", flexible=True),
        Column("Use"),
    ]
    if asked:
        columns += [Column("Test"), Column("Can be read", right=True)]
    rows = [row for one in result.registries for row in _rows(one, asked)]
    output.data(table(columns, rows, output.width))


def _rows(one: RegistryLogins, asked: bool) -> Iterator[list[str]]:
    """The winner with what was asked, then what it shadows, then what cannot be used."""
    symbols = marks(sys.stdout)
    shadowing = len(one.logins) > 1
    rows = [[login.username, login.origin, "Shadowed"] for login in one.logins]
    if rows:
        rows[0][2] = "Wins" if shadowing else "Used"
    rows += [[lost.username or "-", lost.origin, "Not used"] for lost in one.unusable]
    for number, row in enumerate(rows or [["-", "-", "-"]]):
        first = number == 0
        tested = _tested(one.access) if first else ["", ""]
        mark = symbols["bad" if one.access is not None and _fails(one.access) else "done"]
        mark = mark if first and (one.logins or one.access is not None) else ""
        yield [mark, one.name if first else "", *row, *(tested if asked else ())]


def _fails(access: RegistryAccess) -> bool:
    return access.refusal is not None or bool(access.unreadable)


def _tested(access: RegistryAccess | None) -> list[str]:
    if access is None:
        return ["-", "-"]
    words = {"unknown": "No answer"}
    standing = words.get(access.standing.value, access.standing.value.capitalize())
    readable = len(access.images) - len(access.unreadable)
    return [standing, f"{readable} of {len(access.images)}" if access.images else "-"]


def _tell(output: Output, result: LoginsResult) -> None:
    for cause in result.causes:
        _tell_cause(cause)
    for hint in dict.fromkeys(cause.hint for cause in result.causes if cause.hint):
        narrate(f"  {hint}")
    lost = [(one.name, why) for one in result.registries for why in one.unusable]
    for name, why in [*lost, *(("", why) for why in result.nameless)]:
        named = f"{name}: " if name else ""
        narrate(f"! {named}the login from {why.origin} is not used: {why.reason}")
        _tell_remedy(why.remedy)
    for problem in result.problems:
        narrate(f"! {problem.text}")
        _tell_remedy(problem.remedy)
    if not result.registries:
        output.say("No registry has a login here; public images need none.")
    elif not result.causes and any(one.access is not None for one in result.registries):
        output.say("Everything that was asked for works.")


def _tell_remedy(remedy: str) -> None:
    if remedy:
        narrate(f"  {remedy}")


def _tell_cause(cause: Cause) -> None:
    """One reason with all that it stops."""
    those = f"{count(len(cause.images), 'image')} cannot be read: " if cause.images else ""
    narrate(f"! {those}{cause.reason}")
    for image in cause.images:
        narrate(f"    {image}")
