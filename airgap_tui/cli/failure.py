"""Turns an exception into a message, a hint and an exit code; unexpected ones are logged."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from airgap_tui.engine.errors import (
    REMEDIES,
    AirgapError,
    EnvironmentFailure,
    Stopped,
    UsageError,
)

_LOG_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Failure:
    """What a person and a script are told."""

    message: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe an exception; one that is no `AirgapError` is written to the log."""
        if isinstance(error, AirgapError):
            return cls(error.message, error.hint, error.exit_code)
        if isinstance(error, click.ClickException):
            return cls(error.format_message().rstrip("."), _usage_hint(error), UsageError.exit_code)
        if isinstance(error, (click.Abort, KeyboardInterrupt)):
            return cls("stopped", "", Stopped.exit_code)
        if isinstance(error, OSError) and error.errno in REMEDIES:
            name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            return cls(
                f"{name}{error.strerror}", REMEDIES[error.errno], EnvironmentFailure.exit_code
            )
        log = _log(error)
        kept = f"Details are in {log}." if log else "The log cannot be written either."
        if isinstance(error, OSError):
            refused = EnvironmentFailure.of(error)
            return cls(refused.message, kept, refused.exit_code)
        if isinstance(error, MemoryError):
            return cls("there is not enough memory", kept, EnvironmentFailure.exit_code)
        return cls(
            f"something unforeseen went wrong: {type(error).__name__}: {error}",
            f"{kept} Add them to a report of this fault.",
            AirgapError.exit_code,
        )


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "airgap-tui"
    return f"{path} --help shows how it is used."


def _log(error: BaseException) -> Path | None:
    """Append the traceback, without secrets, to `$XDG_STATE_HOME/airgap-tui/log`."""
    from airgap_tui.engine.redaction import redact
    from airgap_tui.engine.settings import state_dir

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        path = state_dir() / "log"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_name("log.1"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n{redact(text)}\n")
    except (OSError, RuntimeError):
        return None
    return path
