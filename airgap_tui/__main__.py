"""The door: a verb runs the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program with this process's arguments and end with its exit code."""
    from airgap_tui.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
