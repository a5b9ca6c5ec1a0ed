"""Where images in use are looked for, how that goes, and how what was found is told."""

from __future__ import annotations

import shlex
from datetime import datetime, timezone
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.cli.discovering import discover as verb
from airgap_tui.engine.discovery.finding import Finding, Kind, Place
from airgap_tui.engine.discovery.merging import DiscoveredImage, merged
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.events import ItemChanged, ItemState, JobStarted, SourceRead, SourceState
from airgap_tui.engine.guide import commands, in_use
from airgap_tui.engine.guide.answers import Collection, Origination, Wish
from airgap_tui.engine.guide.looking import Looking
from airgap_tui.engine.guide.where import Where, paths, understood
from airgap_tui.engine.oci.reference import Reference

TORCH = Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3")
REGISTRY = Reference.parse("docker.io/library/registry:2")
SECRET = "nvapi-" + "Qx7" * 15


def seen(*kinds: tuple[Kind, str, int], day: int = 1) -> DiscoveredImage:
    """An image that so many lines of each kind on each host name."""
    when = datetime(2025, 6, day, 12, tzinfo=timezone.utc)
    found = [
        Finding("x", TORCH, kind, Place(f"/{kind.value}", line, host), time=when)
        for kind, host, times in kinds
        for line in range(1, times + 1)
    ]
    (image,) = merged(found).images
    return image


# --- where ----------------------------------------------------------------------------------------


def test_hosts_are_names_ranges_and_inventories(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[all]\nn8\nn9 ansible_connection=local\n")
    asked = understood(Where(False, f"admin@n1 dgx[01-02, 7],n3 n1:2222 {inventory}"))
    assert [host.name for host in asked.hosts] == [
        "admin@n1", "dgx01", "dgx02", "dgx7", "n3", "n1:2222",
    ]  # fmt: skip
    assert asked.in_words == "6 hosts, 1 inventory"
    spec, _remarks = asked.spec()
    assert [host.name for host in spec.hosts][-1] == "n8"
    assert spec.here, "the inventory names this machine"


@pytest.mark.parametrize("hosts", ["dgx[01", "-oX=y", "user:word@n1", "a/b/c", "n1:x", "[]"])
def test_what_is_no_host_is_refused_before_anything_is_asked(hosts: str) -> None:
    with pytest.raises(UsageError):
        understood(Where(True, hosts))


def test_files_may_have_blanks_in_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b").write_text("")
    (tmp_path / "c").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths(f"'{tmp_path}/a b' ~/c ~/c") == (tmp_path / "a b", tmp_path / "c")
    with pytest.raises(UsageError, match="no such file"):
        paths("~/d")


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_typed_is_understood_or_refused(hosts: str, files: str) -> None:
    """No crash; and the command line takes what is understood."""
    try:
        asked = understood(Where(True, hosts, files))
    except AirgapError:
        return
    words = shlex.split(commands.discover(asked))
    with click.Context(verb) as context:
        verb.parse_args(context, words[2:])


# --- looking --------------------------------------------------------------------------------------


def test_hosts_that_need_the_user_come_first_and_absent_sources_are_apart() -> None:
    looking = Looking()
    for event in (
        JobStarted("discover", "", ("this machine", "n1", "n2", "n3")),
        ItemChanged("this machine", ItemState.DONE),
        SourceRead("", "podman", "podman", 0, SourceState.ABSENT, "podman is not there"),
        ItemChanged("n2", ItemState.RESOLVING),
        SourceRead("n2", "history", "/h", 3),
        SourceRead("n2", "history", "/i", 0, SourceState.FAILED, f"denied {SECRET}\x1b[2J"),
        ItemChanged("n3", ItemState.FAILED, "it cannot be reached: ssh: no route to host"),
    ):
        looking.take(event)
    hosts = looking.hosts()
    assert [host.name for host in hosts] == ["n3", "n2", "n1", "this machine"]
    assert [in_use.host_state(host) for host in hosts] == [
        "No answer: no route to host",
        "Reading",
        "Waiting",
        "No source is there",
    ]
    (source,) = hosts[1].sources
    assert in_use.source_state(source).startswith("Read, but for 1 of 2: denied")
    assert SECRET not in source.reason and "\x1b" not in source.reason
    assert in_use.absent(hosts[3]) == "Not there, so not asked: Podman."


# --- what was found -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "told", "found_in"),
    [
        (
            seen((Kind.SLURMD_LOG, "dgx03", 29), (Kind.HISTORY, "dgx01", 12), day=27),
            "Used 41 times, last on 2025-06-27; 29 times in the slurmd log of dgx03",
            "2 places",
        ),
        (
            seen((Kind.SLURMD_LOG, "dgx03", 2), (Kind.JOB_SCRIPT, "dgx01", 1)),
            "Used 3 times, last on 2025-06-01; 2 times in the slurmd log of dgx03",
            "Slurm",
        ),
        (
            seen((Kind.HISTORY, "", 1)),
            "Used 1 time, last on 2025-06-01, in a shell history",
            "history",
        ),
        (
            seen((Kind.DOCKERFILE, "", 1)),
            "Used 1 time, last on 2025-06-01, in a Dockerfile",
            "files",
        ),
    ],
)
def test_an_image_tells_how_often_and_where(
    image: DiscoveredImage, told: str, found_in: str
) -> None:
    assert in_use.used(image) == told
    assert in_use.found_in(image) == found_in


def test_every_kind_of_source_has_its_words() -> None:
    for kind in Kind:
        image = seen((kind, "n1", 1))
        assert in_use.origins(image)
        assert " of n1" in in_use.used(image)
        assert in_use.kind_name(kind)


def test_what_is_found_again_is_one_row_with_all_its_places() -> None:
    image = seen((Kind.DOCKER, "", 1), (Kind.HISTORY, "n1", 2))
    answers = Collection().with_wishes((Wish(TORCH), Wish(REGISTRY, Origination.OFFERED)))
    answers = answers.choosing(False, TORCH).with_wishes(in_use.wishes((image,)))
    wish = next(one for one in answers.wishes if one.reference == TORCH)
    assert (wish.places, wish.chosen) == ("3 places", True)
    assert wish.note.startswith("Used 3 times")
    again = answers.with_wishes(in_use.wishes((image,)))
    assert again == answers, "adding twice changes nothing"


def test_an_offer_that_is_in_use_is_no_mere_offer() -> None:
    offered = Collection().with_wishes((Wish(REGISTRY, Origination.OFFERED, False, "Lets you"),))
    found = Wish(REGISTRY, Origination.DOCKER, note="Used 1 time, in Docker")
    (wish,) = offered.with_wishes((found,)).wishes
    assert wish == found
