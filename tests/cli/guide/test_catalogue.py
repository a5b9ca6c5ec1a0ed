"""The NGC catalogue in the plain twin: searched, chosen by a rule and by hand, and in the list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.guide.conftest import Talk
from tests.cli.guide.test_crossing import plain, to_images
from tests.fakes import faults
from tests.fakes.ngc import FakeNgc, fill


@pytest.fixture
def ngc() -> Iterator[FakeNgc]:
    with FakeNgc() as ngc:
        yield fill(ngc)


def test_from_a_search_to_the_list(talk: Talk, ngc: FakeNgc) -> None:
    conversation = talk(**ngc.environment)
    to_images(conversation)
    assert ngc.api.requests == ngc.registry.requests == []
    conversation.choose("Add from the NGC catalogue")
    conversation.hear("Chosen tags join your list; nothing is downloaded yet")
    conversation.hear("Search for, may be empty: ")
    conversation.answer("zzz")
    conversation.hear("Nothing matches: 0 of 8 match, public images only.")
    conversation.hear("Search for, - for none")
    conversation.answer("pytorch")
    conversation.hear("2 of 8 match, public images only.")
    conversation.choose("nvidia/pytorch: PyTorch")
    conversation.hear("or all .1.: ")
    conversation.answer("x")
    conversation.hear("Variants, as .-py3, may be empty: ")
    conversation.answer("*-py3")
    conversation.hear("From version, may be empty: ")
    conversation.answer("25.01")
    conversation.hear("! Not a number: 'x'.")
    conversation.hear("or all .1.: ")
    conversation.answer("2")
    conversation.hear("Variants")
    conversation.answer("*-py3")
    conversation.hear("From version")
    conversation.answer("25.01")
    conversation.hear(
        r"25.06-py3, 2025-06-24, 11.2 GB, amd64 arm64: chosen; Newest\s+"
        r"25.05-py3, 2025-05-22, 11.0 GB, amd64 arm64: chosen; 2nd newest\s+"
        r"2 chosen, 22.2 GB before sharing."
    )
    conversation.hear("1 tag not chosen: Beyond newest 2.")
    conversation.hear("2 tags not chosen: Other variant.")
    conversation.hear("1 tag not chosen: Before 25.01.")
    conversation.hear("1 tag not chosen: Not a version.")
    conversation.hear(
        r"airgap-tui ngc select nvidia/pytorch --include '\*-py3' --latest 2 --min-version 25.01"
    )
    conversation.choose("Choose tags or leave them out")
    number = conversation.hear(r"(\d+)\. nightly-test")[1]
    conversation.hear("Numbers to choose")
    conversation.answer(f"2 {number}")
    conversation.hear("nightly-test.*: chosen; Chosen by hand")
    conversation.hear("1 tag not chosen: Left out by hand.")
    conversation.hear("--include 25.06-py3 --include nightly-test")
    conversation.choose("Add 2 tags")
    conversation.hear(f"Added {ngc.registry.host}/nvidia/pytorch:25.06-py3")
    conversation.hear("nvidia/pytorch:25.06-py3: chosen; NGC, in NGC since 2025-06-24, 11.2 GB;")
    conversation.choose("Go on to Logins")
    conversation.hear("All 2 images can be read")
    conversation.answer("q")
    assert conversation.end() == 0
    plain(conversation.text)


def test_what_the_catalogue_does_not_tell_is_said(talk: Talk, ngc: FakeNgc) -> None:
    ngc.api.script("GET", "", faults.status(503), forever=True)
    conversation = talk(**ngc.environment, AIRGAP_TUI_RETRIES="0")
    to_images(conversation)
    conversation.choose("Add from the NGC catalogue")
    conversation.hear("Search for")
    conversation.answer("pytorch")
    conversation.hear(r"! The catalogue does not answer \(503\). Name a repository whole")
    conversation.hear("Search for")
    conversation.answer("nvidia/pytorch")
    conversation.choose("nvidia/pytorch")
    for _ in range(3):
        conversation.hear(": ")
        conversation.answer()
    conversation.hear(r"\(503\). Tags come from the registry; dates and sizes are missing.")
    conversation.hear("2 chosen, sizes not known.")
    conversation.hear("Choose ")
    conversation.answer("b")
    conversation.hear("Choose ")
    conversation.answer("b")
    conversation.hear("Search for")
    conversation.answer("b")
    conversation.hear("Add from the NGC catalogue")
    conversation.answer("q")
    assert conversation.end() == 0
    plain(conversation.text)
