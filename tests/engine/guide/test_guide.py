"""Answers, the commands that do the same, and the sentences that lead through."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest

from airgap_tui.cli.main import airgap_tui as command_line
from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import commands, sentences
from airgap_tui.engine.guide.answers import (
    Collection,
    Delivery,
    Destination,
    Origination,
    Security,
    Wish,
    check_name,
    listen_address,
    parse_many,
)
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.snapshot import ItemProgress, LoginWanted, Pause, Snapshot, Transfer

CUDA = Reference.parse("nvcr.io/nvidia/cuda:12.9.1-base-ubuntu24.04")
TORCH = Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3")


def wishes(*references: Reference, found_in: Origination = Origination.TYPED) -> tuple[Wish, ...]:
    return tuple(Wish(reference, found_in) for reference in references)


def test_adding_keeps_one_row_for_a_name_and_chooses_it_again() -> None:
    answers = Collection().with_wishes(wishes(TORCH, CUDA)).choosing(False, TORCH)
    assert answers.chosen == (CUDA,)
    assert [wish.reference for wish in answers.wishes] == [CUDA, TORCH]
    assert answers.with_wishes(wishes(TORCH)).chosen == (CUDA, TORCH)
    assert answers.without(CUDA).chosen == ()


def test_a_list_file_is_named_only_while_it_says_the_same() -> None:
    listed = wishes(CUDA, TORCH, found_in=Origination.LIST)
    answers = Collection(bundle=Path("/data/pod"), list_file=Path("images_list.txt"))
    answers = answers.with_wishes(listed)
    assert commands.plan(answers) == "airgap-tui plan -f images_list.txt -b /data/pod"
    assert str(TORCH) in commands.plan(answers.choosing(False, CUDA))
    assert "-f" not in commands.plan(answers.with_wishes(wishes(Reference.parse("a/b:1"))))


@pytest.mark.parametrize(
    "command",
    [
        commands.plan(Collection(wishes(CUDA), Path("/data/a b"))),
        commands.save(
            Collection(
                wishes(CUDA),
                Path("/data/x"),
                Settings(platform=None),
                Compression.parse("zstd:12"),
            )
        ),
        commands.login("nvcr.io"),
        commands.verify(Path("/media/usb1/pod")),
        commands.rehearse(),
        commands.attach("pod-2025-07"),
        *(
            commands.deliver(
                Delivery(
                    Path("/media/usb1/pod"),
                    images=(CUDA,) if destination is not Destination.SERVE else (),
                    destination=destination,
                    registry="harbor.lan:5000",
                    project="ngc",
                    security=security,
                    ca_file=Path("/etc/ca.pem"),
                    keep_registry=True,
                )
            )
            for destination in Destination
            for security in Security
        ),
    ],
)
def test_every_command_shown_is_one_that_the_command_line_takes(command: str) -> None:
    program, verb, *arguments = shlex.split(command)
    assert program == commands.PROGRAM
    context = click.Context(command_line, info_name=program)
    found = command_line.get_command(context, verb)
    assert found is not None, verb
    found.make_context(verb, arguments, parent=context, resilient_parsing=False)


def test_answers_become_specs() -> None:
    with pytest.raises(UsageError, match="no place"):
        Collection(wishes(CUDA)).save_spec()
    delivery = Delivery(Path("/b"), registry="reg.lan:5000", security=Security.PLAIN)
    assert "reg.lan:5000" in delivery.push_spec().settings.network.plain_http
    assert replace(delivery, destination=Destination.PODMAN).load_spec().into == "podman"
    assert delivery.serve_spec().port == 5000
    with pytest.raises(UsageError):
        _ = replace(delivery, registry="no_such_host").naming


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5000", ("127.0.0.1", 5000)),
        ("[::1]:80", ("::1", 80)),
        (":5000", ("::", 5000)),
        ("5000", ("127.0.0.1", 5000)),
    ],
)
def test_addresses_to_listen_on(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:70000"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        listen_address(text)


def test_names_are_checked_while_typed() -> None:
    assert check_name("") == ""
    assert check_name("nvcr.io/nvidia/pytorch") == (
        "No tag given: this means pytorch:latest, which changes."
    )
    assert check_name(" nvcr.io/nvidia/pytorch:25.06-py3 ") == "Name is well formed."
    assert check_name("nvidia/PyTorch").startswith("Not a name: capital letters")


def test_pasted_lines_are_taken_together_and_bad_ones_told() -> None:
    good, bad = parse_many("# old\nubuntu:22.04 debian:12\nNo/Such*Name # why\nubuntu:22.04\n")
    assert [str(reference) for reference in good] == [
        "docker.io/library/ubuntu:22.04",
        "docker.io/library/debian:12",
    ]
    assert len(bad) == 1 and bad[0].startswith("No/Such*Name: ")


def test_the_sentences_of_a_job() -> None:
    items = (
        ItemProgress("a", ItemState.FAILED),
        ItemProgress("b", ItemState.SAVING),
        ItemProgress("c", ItemState.HELD),
        ItemProgress("d", ItemState.DONE),
    )
    running = Snapshot(
        "save", items=items, done=44_300_000_000, total=63_200_000_000, rate=118e6, time_left=170
    )
    assert sentences.tally(running) == "1 failed, 1 saving, 1 already here, 1 done"
    assert sentences.amounts(running)[:3] == ("44.3 of 63.2 GB", "118 MB/s", "about 3 min left")
    assert sentences.trouble(running) == ""
    stuck = replace(running, transfers=(Transfer("x", 1, 0, ("b",)),), quiet_for=20.2)
    assert sentences.trouble(stuck) == "no data for 20 s"
    asked = replace(stuck, pauses=(Pause("nvcr.io", 100, "429"),))
    assert sentences.trouble(asked) == "nvcr.io asks us to wait: 1 min 40 s"
    refused = replace(asked, logins=(LoginWanted("nvcr.io", "401"),))
    assert "refuses the login" in sentences.trouble(refused)
    assert sentences.worked(replace(running, items=items[2:])) == "All 2 images are saved."
    assert "1 failed and can be tried again" in sentences.worked(running)


def test_one_cause_is_told_once() -> None:
    failures = [("a", "a: refused"), ("b", "b: refused"), ("c", "c: not there")]
    assert sentences.causes(failures) == (
        "2 images failed for one reason: refused",
        "c: not there",
    )


@pytest.mark.parametrize(
    ("total", "words"),
    [
        (67_500_000_000, "Fits on one 128 GB disk, or on 15 DVDs"),
        (1_000_000, "Fits on one 32 GB disk, or on one DVD"),
        (1_500_000_000_000, "Fits on one 2 TB disk, or on 320 DVDs"),
    ],
)
def test_media_are_counted_whole(total: int, words: str) -> None:
    assert sentences.media(total) == words
