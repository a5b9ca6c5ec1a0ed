"""The door: a verb runs the command line, none on a terminal opens the wizard.

The only module that knows both front ends; each is imported when it is needed.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program with this process's arguments and end with its exit code."""
    from airgap_tui.cli.main import Guides, run

    guides = Guides(_screens_refused, _screens, _prompts_refused, _prompts)
    sys.exit(run(sys.argv[1:], guides))


def _screens_refused() -> str | None:
    from screens.start import why_not

    return why_not()


def _screens(ascii_only: bool) -> int:
    from airgap_tui.engine.settings import Settings
    from screens.start import run

    return run(Settings.load(), ascii_asked=ascii_only)


def _prompts_refused() -> str | None:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return None
    return "Prompts need a terminal."


def _prompts() -> int:
    from airgap_tui.cli.guide.start import run
    from airgap_tui.engine.settings import Settings

    return run(Settings.load())


if __name__ == "__main__":
    main()
