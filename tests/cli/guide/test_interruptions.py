"""Leaving, losing the line, stopping, a key revoked: the job is the worker's, not the prompts'."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobState
from tests.cli.conftest import Command
from tests.cli.guide.conftest import CHOOSE, FIRST, Conversation, Known, Talk
from tests.fakes.registry import FakeRegistry, Tokens
from tests.fakes.valve import Valve
from tests.images import build_image, layer
from tests.services import wait_for

KEY, NEW_KEY = "correct-horse-battery", "newer-horse-battery"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def image(registry: FakeRegistry) -> str:
    return registry.add(build_image("team/x:1", [layer(f"{n}", 40_000) for n in range(4)]))


@pytest.fixture
def valve(registry: FakeRegistry) -> Iterator[Valve]:
    valve = Valve(1)
    registry.script("GET", "/blobs/", valve, forever=True)
    yield valve
    valve.opened.set()


def save(conversation: Conversation, image: str) -> None:
    """From the start to a save under way into `pod`."""
    conversation.hear(FIRST)
    conversation.answer("1")
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(image)
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    conversation.choose("Go on to Review")
    conversation.hear(r"Save to \[")
    conversation.answer("pod")
    conversation.choose("Save 1 image")
    conversation.hear("Ctrl-C asks")


def finish(conversation: Conversation) -> None:
    conversation.hear("The image is whole")
    conversation.seal()
    assert conversation.end() == 0


def test_left_running_and_shown_again(talk: Talk, image: str, valve: Valve, known: Known) -> None:
    conversation = talk()
    save(conversation, image)
    valve.wait()
    conversation.press(b"\x03")
    conversation.choose("Leave: it goes on without you")
    assert conversation.end() == 0
    assert "pod goes on without you. Back to it: airgap-tui attach pod" in conversation.text
    assert known()[0].state is JobState.RUNNING
    back = talk()
    back.choose("pod: Save is running now", r"Choose \[1\]: ")
    back.hear("step 4 of 6: Save")
    back.hear("Ctrl-C asks")
    valve.opened.set()
    finish(back)


@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_a_lost_line_leaves_it_running(
    talk: Talk, image: str, valve: Valve, known: Known, sent: signal.Signals
) -> None:
    conversation = talk()
    save(conversation, image)
    valve.wait()
    conversation.process.send_signal(sent)
    assert conversation.end() == (-9 if sent is signal.SIGKILL else 143)
    assert known()[0].state is JobState.RUNNING
    valve.opened.set()
    wait_for(lambda: known()[0].exit_code == 0)


def test_a_signal_at_a_prompt_ends_it(talk: Talk) -> None:
    conversation = talk()
    conversation.hear(FIRST)
    conversation.process.send_signal(signal.SIGTERM)
    assert conversation.end() == 143


def test_stopped_and_continued(talk: Talk, image: str, valve: Valve, known: Known) -> None:
    conversation = talk()
    save(conversation, image)
    valve.wait()
    conversation.press(b"\x03")
    conversation.choose("Stop saving: what is finished is kept")
    conversation.hear(r"Stop saving\?")
    conversation.hear(r"y or n \[n\]: ")
    conversation.answer()
    conversation.hear("It goes on")
    conversation.press(b"\x03")
    conversation.choose("Stop saving")
    conversation.hear(r"y or n \[n\]: ")
    conversation.answer("y")
    conversation.hear("Stopping")
    conversation.hear("it can continue")
    valve.opened.set()
    conversation.choose("Continue saving")
    finish(conversation)
    states = [(job.verb, job.state) for job in known()]
    assert states[0] == ("seal", JobState.FINISHED)
    assert [state for _verb, state in states[1:]] == [JobState.FINISHED, JobState.STOPPED]


def test_a_job_that_died_is_offered_with_its_answers(
    talk: Talk, command: Command, image: str, valve: Valve, known: Known
) -> None:
    assert command("save", image, "-b", "pod", "--then", "verify", "--detach").code == 0
    valve.wait()
    assert command("stop", "--now", "pod").code == 0
    valve.opened.set()
    conversation = talk()
    conversation.choose("pod: Save was ended at")
    conversation.hear("step 2 of 6: Logins")
    conversation.choose("Go on to Review")
    conversation.hear(r"airgap-tui save .* --then verify")
    conversation.choose("Save 1 image")
    finish(conversation)


def test_a_key_that_is_revoked_is_asked_for(
    talk: Talk, command: Command, known: Known, tmp_path: Path
) -> None:
    with FakeRegistry(tokens=Tokens({"robot": KEY}, anonymous=False)) as private:
        assert private.tokens is not None
        valve = Valve(2)  # what Review and the save itself look up
        private.script("GET", "/blobs/", valve, forever=True)
        image = private.add(build_image("a/b:1", [layer(f"{n}", 30_000) for n in range(3)]))
        conversation = talk()
        conversation.hear(FIRST)
        conversation.answer("1")
        conversation.choose("Add images by name")
        conversation.hear("Image: ")
        conversation.answer(image)
        conversation.hear("Image: ")
        conversation.answer()
        conversation.choose("Go on to Logins")
        conversation.choose("Give a login for")
        conversation.hear("User name at .*: ")
        conversation.answer("robot")
        conversation.hear("Password .*: ")
        conversation.answer(KEY)
        conversation.choose("For this run only")
        conversation.choose("Go on to Review")
        conversation.hear(r"Save to \[")
        conversation.answer("pod")
        conversation.choose("Save 1 image")
        valve.wait()
        private.tokens.users = {"robot": NEW_KEY}
        private.tokens.expire()
        valve.opened.set()
        conversation.hear("Give another login")
        conversation.answer()
        conversation.hear("User name")
        conversation.answer("robot")
        conversation.hear("not shown")
        conversation.answer(NEW_KEY)
        finish(conversation)
        for secret in (KEY, NEW_KEY):
            assert secret not in conversation.text
            assert all(secret not in p.read_text() for p in known()[0].directory.path.iterdir())


def test_looking_up_can_be_called_off(
    talk: Talk, registry: FakeRegistry, image: str, valve: Valve
) -> None:
    held = Valve(0)
    registry.script("HEAD", "/manifests/", held, forever=True)
    conversation = talk()
    conversation.hear(FIRST)
    conversation.answer("1")
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(image)
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    held.wait()
    conversation.press(b"\x03")
    conversation.hear("Called off")
    held.opened.set()
    conversation.hear("step 1 of 6: Images")
    conversation.hear("1 of 2 is chosen")
    conversation.hear(CHOOSE)
    conversation.press(b"\x04")
    assert conversation.end() == 0
