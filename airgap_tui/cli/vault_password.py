"""The password of an Ansible Vault: from a file, or asked for; never an argument."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from airgap_tui.cli.options import FILE
from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.redaction import remember

Function = TypeVar("Function", bound=Callable[..., Any])

_LONGEST = 64 * 1024

vault_password_option = click.option(
    "--vault-password-file",
    type=FILE,
    envvar="ANSIBLE_VAULT_PASSWORD_FILE",
    metavar="FILE",
    help="File with the Ansible Vault password; without it, you are asked.",
)


def vault_password(file: Path | None, *, twice: bool = False) -> str:
    """The password; asked for `twice` where a vault is made with it.

    Raises `UsageError` where there is nobody to ask, `EnvironmentFailure` for a file that cannot
    be read.
    """
    password = _read(file) if file is not None else _asked(twice)
    remember(password)
    return password


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and os.access(path, os.X_OK) and mode & 0o111:
            raise UsageError(
                f"{path} is a program, and none is run for a vault's password",
                hint=f"Give what it prints: --vault-password-file <({path})",
            )
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except OSError as error:
        raise EnvironmentFailure(
            f"the vault's password cannot be read from {path}: {error.strerror}"
        ) from None
    password = data.decode("utf-8", errors="surrogateescape").strip()
    if not password or len(data) > _LONGEST:
        raise UsageError(f"{path} holds no password")
    return password


def _asked(twice: bool) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the vault's password",
            hint="Name a file that holds it, with --vault-password-file.",
        )
    from airgap_tui.cli.typed import Typed

    try:
        with Typed(sys.stdin, sys.stderr) as typed:
            while True:
                password = typed.secret("Vault password (not shown): ").strip()
                if password and not twice:
                    return password
                if password and typed.secret("Once more (not shown): ").strip() == password:
                    return password
                sys.stderr.write("The two passwords differ.\n" if password else "")
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None
