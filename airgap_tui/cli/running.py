"""Runs a job in the foreground: its narration, its signals, and how it can be continued."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TypeVar

from airgap_tui.cli.narration import Narration
from airgap_tui.cli.output import Output
from airgap_tui.cli.stopping import StopSignals
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.events import Level, Note, Sink

R = TypeVar("R")

_STOPPING = "Stopping; what is finished is kept. Press Ctrl-C once more to end at once."


def run_job(
    output: Output,
    job: Callable[[Sink, CancelToken], R],
    *,
    stopping: str = _STOPPING,
    token: CancelToken | None = None,
) -> R:
    """Call `job` with a sink and a token; raises what it raises, and for a stop by a signal a
    `Stopped` that says how to go on."""
    token = token or CancelToken()
    with Narration(output) as narration:

        def tell() -> None:
            narration.take(Note(stopping, Level.WARNING))

        with StopSignals(token, tell, narration.abort) as signals:
            try:
                return job(narration.take, token)
            except Stopped:
                raise signals.stopped(f"To continue: {this_command()}") from None


def this_command() -> str:
    """The command line that was typed."""
    return shlex.join(["airgap-tui", *sys.argv[1:]])
