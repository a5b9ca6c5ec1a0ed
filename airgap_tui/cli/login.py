"""`login`: test a login and keep it. A secret comes from the terminal or standard input only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.options import FILE, network_options, references_of, settings_of, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.cli.typed import Typed
from airgap_tui.cli.vault_password import vault_password_option
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.oci.naming import parse_registry
from airgap_tui.engine.redaction import remember

_LONGEST_SECRET = 64 * 1024


@verb(
    "airgap-tui login nvcr.io",
    "airgap-tui login harbor.lan --username robot --password-stdin < key.txt",
    "airgap-tui login nvcr.io --for docker --for enroot --dry-run",
)
@click.argument("registry")
@click.option(
    "-u",
    "--username",
    metavar="NAME",
    help="The user name; asked for if not given. nvcr.io needs none.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--image", metavar="IMAGE", help="Test not only the login, but whether this image can be read."
)
@click.option(
    "--store",
    type=FILE,
    metavar="FILE",
    help="Keep the login in this file (default: docker's config.json).",
)
@click.option(
    "--for",
    "places",
    multiple=True,
    metavar="SOFTWARE[=FILE]",
    help="Keep it where this software looks: docker, podman, enroot, apptainer, singularity,"
    " exports, kubernetes, kubectl, deepops, playbook. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Only show what --for will change.")
@click.option("-y", "--yes", is_flag=True, help="Write what --for changes without asking.")
@click.option(
    "--name", metavar="NAME", help="Name of the Kubernetes secret (default: pull-REGISTRY)."
)
@click.option("--namespace", metavar="NAME", help="Namespace of the Kubernetes secret.")
@vault_password_option
@network_options
def login(
    output: Output,
    registry: str,
    username: str | None,
    password_stdin: bool,
    image: str | None,
    store: Path | None,
    places: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    name: str | None,
    namespace: str | None,
    vault_password_file: Path | None,
    **network: Any,
) -> int:
    """Test a login for a registry, and keep it.

    It is stored where docker stores its logins, or where --for says, and only after the registry
    has accepted it. You are asked for the password or key, which is not shown, or it is read from
    standard input. What --for will change is shown first; --dry-run stops there.
    """
    registry = parse_registry(registry)
    settings = settings_of(**network)
    tested = references_of([image])[0] if image else None
    if places and store is not None:
        raise UsageError("--store is for docker alone", hint="Write --for docker=FILE.")
    if not places and (dry_run or yes or name or namespace):
        raise UsageError("--dry-run, --yes, --name and --namespace need --for")
    wanted = None
    if places:
        from airgap_tui.cli.login_places import Wanted

        wanted = Wanted.of(places, dry_run, yes, vault_password_file, name or "", namespace or "")
    secret = _secret_from_stdin() if password_stdin else None
    with Typed(sys.stdin, sys.stderr) as typed:
        if username is None and (wanted is None or wanted.holds_secret):
            username = _username(registry, None if secret is not None else typed)
        if secret is None and (wanted is None or (wanted.holds_secret and not dry_run)):
            secret = _asked_secret(registry, typed)
    remember(secret or "")

    from airgap_tui.engine.jobs import login as job

    spec = job.LoginSpec(registry, username or "", store, settings, tested, keep=wanted is None)
    if wanted is not None:
        from airgap_tui.cli.login_places import keep_in_places

        return keep_in_places(output, spec, wanted, secret)
    assert secret is not None  # noqa: S101 - it was asked for
    result = run_job(output, lambda sink, token: job.run(spec, sink, token, secret=secret))
    output.document(result.to_json())
    output.say(
        f"{result.registry} accepts {result.username}; the login is kept in {result.kept_in}."
    )
    return result.exit_code


def _username(registry: str, typed: Typed | None) -> str:
    if registry == "nvcr.io":
        return ""  # the same for everybody; the job knows it
    if typed is None or not sys.stdin.isatty():
        raise UsageError("no user name is given", hint="Name it with --username.")
    return _not_empty(lambda: typed.line("User name: "))


def _secret_from_stdin() -> str:
    if sys.stdin.isatty():
        raise UsageError(
            "--password-stdin reads a file or a pipe, and standard input is the terminal",
            hint="Leave the option out to be asked.",
        )
    data = sys.stdin.buffer.read(_LONGEST_SECRET + 1)
    if len(data) > _LONGEST_SECRET:
        raise UsageError("standard input is too long for a password")
    try:
        secret = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError("the password on standard input is not UTF-8 text") from None
    if not secret:
        raise UsageError("standard input holds no password")
    return secret


def _asked_secret(registry: str, typed: Typed) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password",
            hint="Give it on standard input, with --password-stdin.",
        )
    text = "NGC key, begins with nvapi-" if registry == "nvcr.io" else "Password"
    return _not_empty(lambda: typed.secret(f"{text} (not shown): "))


def _not_empty(ask: Callable[[], str]) -> str:
    """Ask until there is an answer."""
    answer = ""
    while not answer:
        try:
            answer = ask().strip()
        except (KeyboardInterrupt, EOFError):
            raise click.Abort from None
    return answer
