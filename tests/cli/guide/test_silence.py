"""Before a side is chosen, and while a bundle is opened on the offline side, nothing is sent."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

WATCHED = textwrap.dedent(
    """
    import socket, sys
    from pathlib import Path

    def audit(event, arguments):
        if event == "socket.connect" and arguments[0].family != socket.AF_UNIX:
            print("SPOKEN", event, arguments[1])
        elif event in (
            "socket.sendto",
            "socket.getaddrinfo",
            "socket.gethostbyname",
            "socket.gethostbyaddr",
        ):
            print("SPOKEN", event, arguments)

    sys.addaudithook(audit)
    from airgap_tui.cli.guide.start import run
    from airgap_tui.engine.settings import Settings

    sys.exit(run(Settings(state_dir=Path(sys.argv[1]))))
    """
)


@pytest.mark.parametrize(
    ("answers", "reached"),
    [
        ("?\nq\n", "Nothing is sent over the network before you choose a side"),
        ("2\n/no/such/bundle\nq\n", "Offline side, step 1 of 5"),
    ],
)
def test_nothing_is_looked_up_or_connected_to(
    answers: str, reached: str, environment: dict[str, str], tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "state")],
        input=answers,
        env={**environment, "HTTPS_PROXY": "http://proxy.invalid:3128"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert " ".join(reached.split()) in " ".join(ended.stdout.split())
    assert "SPOKEN" not in ended.stdout
