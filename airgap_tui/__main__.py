"""The entry point: with a verb it runs the command line, without one on a terminal the wizard.

The only module that knows both front ends; each is imported when it is needed.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

from airgap_tui.engine import own_program

_OBJECTS = 20_000
"""New objects after which Python looks for garbage cycles. Its own 700 make it walk the modules
dozens of times while they are imported, which is a tenth of the time that starting takes; hardly
anything here makes cycles."""


def main() -> NoReturn:
    """Run the program with this process's arguments and end with its exit code.

    A Ctrl-C that comes while modules are imported stops it as any other does. It ends at once:
    everything that has to be closed is closed by then, and taking the interpreter apart would cost
    every command another 30 ms."""
    _open_standard_streams()
    try:
        code = run()
    except KeyboardInterrupt as error:
        from airgap_tui.cli.main import failed

        code = failed(error, sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def run() -> int:
    """Run the program with this process's arguments; the exit code."""
    gc.set_threshold(_OBJECTS)
    own_program.leave_starter_behind()
    if sys.argv[1:2] == [own_program.WORKER]:
        from airgap_tui.engine.jobs.worker import main as work

        return work(sys.argv[2])
    for stream in (sys.stdout, sys.stderr):
        # Names that the locale cannot write are shown escaped, where Python would raise.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return _command_line() if sys.argv[1:] or not _screens_open_at_once() else _screens_alone()


def _open_standard_streams() -> None:
    """Where the shell closed one (`>&-`), what is read is empty and what is written goes nowhere.
    Otherwise the next file that is opened, one of a bundle maybe, would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: SIM115 - for good


def _command_line() -> int:
    from airgap_tui.cli import main as cli

    guides = cli.Guides(_screens_refused, _screens, _prompts_refused, _prompts)
    return cli.run(sys.argv[1:], guides)


def _screens_open_at_once() -> bool:
    """Whether a start by hand needs no command line: importing that takes a tenth of the time until
    the first screen is drawn."""
    return "ACCESSIBLE" not in os.environ and _screens_refused() is None


def _screens_alone() -> int:
    try:
        return _screens(ascii_only=False)
    except (Exception, KeyboardInterrupt) as error:
        from airgap_tui.cli.main import failed

        return failed(error, sys.argv[1:])


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
