"""The catalogue as both guided front ends use it: answers, corrections, words, and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, Stopped, TemporaryFailure, UsageError
from airgap_tui.engine.guide import commands, ngc_sentences
from airgap_tui.engine.guide.ngc_answers import NgcAnswers
from airgap_tui.engine.guide.ngc_catalogue import Candidates, Lookup, Search, about
from airgap_tui.engine.jobs.ngc.access import Listing
from airgap_tui.engine.ngc.repository import Repository, RepositoryName, TaggedImage
from airgap_tui.engine.ngc.selection import Rule
from airgap_tui.engine.settings import Settings
from tests.engine.registry.exchange import QUICK
from tests.fakes import faults
from tests.fakes.ngc import FakeNgc, fill

NAME = RepositoryName.parse("nvidia/pytorch")
TAGS = ("25.06-py3", "25.05-py3", "25.04-py3", "25.06-py3-igpu", "24.12-py3", "nightly")
RULE = Rule(include=("*-py3",), minimum="25.01", latest=2)


def candidates(
    by_hand: Mapping[str, bool] | None = None, rule: Rule = RULE, unlisted: tuple[str, ...] = ()
) -> Candidates:
    images = tuple(TaggedImage(tag, size=10**9) for tag in TAGS)
    listing = Listing(NAME, images, tuple(map(TaggedImage, unlisted)))
    return Candidates.of(listing, rule, by_hand or {})


def reasons(found: Candidates) -> list[tuple[str, str]]:
    return [(one.image.tag, one.reason) for one in found.tags]


def test_the_nearer_to_being_chosen_the_higher() -> None:
    assert reasons(candidates(unlisted=("gone",))) == [
        ("25.06-py3", "Newest"),
        ("25.05-py3", "2nd newest"),
        ("25.04-py3", "Beyond newest 2"),
        ("25.06-py3-igpu", "Other variant"),
        ("24.12-py3", "Before 25.01"),
        ("nightly", "Not a version"),
        ("gone", "Not in registry"),
    ]


def test_a_hand_outlives_the_rule_until_it_says_the_same() -> None:
    corrected = candidates().corrected(["25.06-py3"], False).corrected(["nightly"], True)
    assert dict(reasons(corrected))["25.06-py3"] == "Left out by hand"
    assert dict(reasons(corrected))["nightly"] == "Chosen by hand"
    other = candidates(corrected.by_hand, Rule(latest=1))
    assert dict(reasons(other))["25.06-py3"] == "Left out by hand"
    assert corrected.corrected(["25.06-py3", "nightly"], True).by_hand == {"nightly": True}
    assert corrected.corrected(["nightly"], False).by_hand == {"25.06-py3": False}
    assert candidates(unlisted=("gone",)).corrected(["gone"], True).by_hand == {}


@pytest.mark.parametrize(
    ("by_hand", "command"),
    [
        ({}, "select nvidia/pytorch --include '*-py3' --latest 2 --min-version 25.01"),
        ({"gone": True}, "select nvidia/pytorch --include '*-py3' --latest 2 --min-version 25.01"),
        (
            {"25.06-py3": False, "nightly": True},
            "select nvidia/pytorch --include 25.05-py3 --include nightly",
        ),
        ({"25.06-py3": False, "25.05-py3": False}, "tags nvidia/pytorch"),
    ],
)
def test_the_command_is_the_rule_or_each_tag(by_hand: dict[str, bool], command: str) -> None:
    assert commands.ngc_select(candidates(by_hand)) == f"airgap-tui ngc {command}"


def test_the_command_of_a_search_takes_words_as_they_are() -> None:
    assert commands.ngc_search("dcgm  exporter") == "airgap-tui ngc search dcgm exporter"
    assert commands.ngc_search("-x $(reboot)") == "airgap-tui ngc search -- -x '$(reboot)'"
    assert commands.ngc_search("") == "airgap-tui ngc search"


def test_fields_as_typed_are_a_rule() -> None:
    assert NgcAnswers().rule == Rule(latest=1)
    typed = NgcAnswers(latest="", variants="*-py3, *-igpu", minimum=" 25.01 ")
    assert typed.rule == Rule(include=("*-py3", "*-igpu"), minimum="25.01")
    for wrong in (NgcAnswers(latest="²"), NgcAnswers(latest="0"), NgcAnswers(minimum="new")):
        with pytest.raises(UsageError):
            assert wrong.rule


def test_corrections_are_of_each_repository_its_own() -> None:
    one = NgcAnswers(repository="nvidia/a").with_hand({"1": True})
    other = NgcAnswers(repository="nvidia/b", corrections=one.corrections)
    assert one.by_hand == {"1": True}
    assert other.by_hand == {}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Search("x", (), 3, 812, "public images only"), "0 of 3 shown, public images only"),
        (Search("", (Repository(NAME),), 1, 1, "with your key"), "1 repository, with your key"),
        (
            Search("x", (Repository(NAME),), 1, 9, "with your organisations acme, acme/hpc"),
            "1 of 9 match, with acme, acme/hpc",
        ),
        (Search("x", outage=TemporaryFailure("down")), ""),
    ],
)
def test_what_is_said_of_a_search(found: Search, said: str) -> None:
    assert ngc_sentences.matching(found, short=True) == said


def test_what_is_missing_is_said() -> None:
    down = TemporaryFailure("answered 503", status=503)
    unheard = TemporaryFailure("no such host")
    found = Search("nvidia/pytorch", (Repository(NAME),), 1, outage=down)
    from_registry = Candidates.of(Listing(NAME, catalogue_error=down), Rule(), {})
    assert ngc_sentences.catalogue_trouble(None, None) == ""
    assert ngc_sentences.catalogue_trouble(found, from_registry) == (
        "The catalogue does not answer (503)."
        " Tags come from the registry; dates and sizes are missing."
    )
    assert "does not answer: no such host." in ngc_sentences.catalogue_trouble(
        Search("", outage=unheard), None
    )
    withheld = AccessDenied("withheld for legal reasons (451)", status=451)
    refused = Candidates.of(Listing(NAME, registry_error=withheld), Rule(), {})
    assert ngc_sentences.catalogue_trouble(None, refused) == (
        "The registry does not list them: withheld for legal reasons (451)."
    )


@pytest.mark.parametrize(
    ("title", "description", "said"),
    [
        ("PyTorch", "Tensors and networks", "Tensors and networks"),
        ("PyTorch for all", "Tensors", "PyTorch for all"),
        ("PyTorch", "", "PyTorch"),
    ],
)
def test_what_a_repository_is(title: str, description: str, said: str) -> None:
    assert about(Repository(NAME, title, description)) == said


@pytest.fixture
def ngc() -> Iterator[FakeNgc]:
    with FakeNgc() as ngc:
        yield fill(ngc)


def test_one_connection_serves_a_whole_look_around(ngc: FakeNgc) -> None:
    lookup, token = (
        Lookup(Settings(network=QUICK, ngc=ngc.addresses), CredentialStore()),
        CancelToken(),
    )
    assert ngc.api.requests == []
    ngc.api.script("GET", "/images", faults.status(404))
    assert lookup.search("pytorch", token).total == 2
    assert lookup.search("cuda", token).everything == 8
    assert lookup.listing(NAME, token).catalogue_error is not None
    assert lookup.listing(NAME, token).catalogue_error is None, "what was not whole is asked again"
    listed = len(ngc.registry.seen("GET", "/tags/list"))
    assert lookup.listing(NAME, token).images[0].tag
    assert len(ngc.registry.seen("GET", "/tags/list")) == listed
    lookup.close()
    with pytest.raises(Stopped):
        lookup.search("pytorch", token)
