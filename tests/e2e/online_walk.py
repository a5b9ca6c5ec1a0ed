"""Ways through the online side that several tests go."""

from __future__ import annotations

from tests.e2e.terminal import Terminal


def seal(terminal: Terminal) -> None:
    """From Verify to the end of step Export: the disk that the bundle is on is carried."""
    terminal.reach("[ Next: Export ]")
    terminal.press("Enter")
    terminal.wait("Another disk", "[6 Export]")
    terminal.wait("Not yet: no place to write to")
    terminal.press("Up")
    terminal.reach("[ Seal it ]")
    terminal.press("Enter")
    terminal.wait("is ready to carry", "Type there, with the disk mounted", "▸ [ Finish ]")
