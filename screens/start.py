"""The wizard's door: opens the full screen where there is one, and says why where there is none.

Imports nothing of Textual until a terminal is sure: on a pipe that would write escape codes.
"""

from __future__ import annotations

import os
import sys

from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.settings import Settings
from screens.look import Look, refusal


def why_not() -> str | None:
    """Why the wizard cannot open here, as a sentence; None where it can."""
    return refusal(sys.stdin, sys.stdout)


def run(settings: Settings, *, ascii_asked: bool = False) -> int:
    """Lead through a crossing until the user leaves; returns the exit code."""
    from screens.wizard import Wizard

    app = Wizard(settings, Look.of(os.environ, ascii_asked=ascii_asked)).app
    app.run(mouse=False)
    if app.farewell:
        sys.stderr.write(f"{harmless(app.farewell)}\n")
    return app.return_code or 0
