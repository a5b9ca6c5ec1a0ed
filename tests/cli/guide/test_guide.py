"""What is waited for, and the Ctrl-C that comes at its edges."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back, Dialogue, Leave
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.settings import Settings
from tests.screens import jobs


class Interrupting(io.StringIO):
    """A terminal before which somebody presses Ctrl-C as soon as they read `text`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._text in text:
            signal.raise_signal(signal.SIGINT)
        return written


@pytest.fixture
def no_turns() -> Iterator[None]:
    """No other thread runs before this one waits for something."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(interval)


def guide(target: io.StringIO, state_dir: Path, *answers: str) -> Guide:
    source = io.StringIO("".join(f"{answer}\n" for answer in answers))
    return Guide(Settings(state_dir=state_dir), Dialogue(source, target))


def test_what_is_waited_for_comes(tmp_path: Path) -> None:
    assert guide(io.StringIO(), tmp_path).wait("Asking.", lambda _token: None) is None
    assert guide(io.StringIO(), tmp_path).wait("Asking.", lambda _token: 7) == 7


def test_a_wait_is_called_off_as_soon_as_it_is_told(tmp_path: Path) -> None:
    said = Interrupting("Asking.")
    with pytest.raises(Back):
        guide(said, tmp_path).wait("Asking.", CancelToken.check)
    assert said.getvalue() == "Asking.\nCalled off.\n"


@pytest.mark.usefixtures("no_turns")
@pytest.mark.parametrize("keep", [False, True])
def test_a_wait_is_called_off_when_its_work_has_just_ended(tmp_path: Path, keep: bool) -> None:
    said = io.StringIO()

    def work(_token: CancelToken) -> int:
        signal.raise_signal(signal.SIGINT)
        return 7

    if keep:
        assert guide(said, tmp_path).wait("Asking.", work, keep=True) == 7
    else:
        with pytest.raises(Back):
            guide(said, tmp_path).wait("Asking.", work)
        assert "Called off." in said.getvalue()


def test_a_job_is_asked_about_as_soon_as_it_is_told(tmp_path: Path) -> None:
    job = jobs.WrittenJob(tmp_path, jobs.chain("save"))
    job.now(jobs.saving())
    said = Interrupting("Ctrl-C asks whether")
    leading = guide(said, tmp_path, "3")
    leading.crossing.job = job.info
    with pytest.raises(Leave):
        watching.watch(leading)
    assert "3. Leave: it goes on without you" in said.getvalue()
