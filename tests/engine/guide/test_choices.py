"""What is proposed, what is remembered, and the jobs that follow from answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.errors import AccessDenied, UsageError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import chains, choices, logins, outcome, restart, welcome
from airgap_tui.engine.guide.answers import Collection, Delivery, Destination, Origination, Wish
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_REGISTRY, Remembered
from airgap_tui.engine.jobs.access import (
    AccessResult,
    ImageAccess,
    LoginStanding,
    RegistryAccess,
)
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.directory import JobDirectory
from airgap_tui.engine.jobs.job_list import JobInfo, describe
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings

CUDA = Reference.parse("nvcr.io/nvidia/cuda:12.9.1-base-ubuntu24.04")
TORCH = Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3")
COLLECTION = Collection((Wish(CUDA), Wish(TORCH)), Path("/data/pod"))


def job(state_dir: Path, chain: Chain, *given: str) -> JobInfo:
    return describe(JobDirectory.create(state_dir, chain, logins=given))


def test_a_new_bundle_is_proposed_beside_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choices.proposed_bundle(COLLECTION, "/disk/old") == Path("/data/pod")
    beside = choices.proposed_bundle(Collection(), "/disk/old")
    assert beside.parent == Path("/disk")
    assert re.fullmatch(r"bundle-\d{4}-\d\d", beside.name)
    monkeypatch.chdir("/")
    assert choices.proposed_bundle(Collection(), "").parent == Path("/")


def test_keys_of_what_is_chosen_are_among_the_choices() -> None:
    platforms = {choice.key for choice in choices.PLATFORMS}
    for platform in (None, Platform.parse("linux/amd64"), Platform.parse("linux/arm64/v8")):
        assert choices.platform_key(platform) in platforms
    for compression in (None, Compression.parse("zstd:19")):
        answers = replace(COLLECTION, compression=compression)
        assert choices.layers_key(answers) in {choice.key for choice in choices.LAYERS}
    assert choices.OFFERED.found_in is Origination.OFFERED


def test_the_destination_of_last_time_is_proposed(tmp_path: Path) -> None:
    remembered = Remembered(tmp_path)
    assert choices.proposed_destination(Delivery(), remembered, ()) == (Delivery(), False)
    proposed, decided = choices.proposed_destination(
        Delivery(), remembered, ("nvcr.io", "harbor.lan")
    )
    assert (proposed.registry, proposed.destination, decided) == (
        "harbor.lan",
        Destination.REGISTRY,
        True,
    )
    answers = Delivery(registry="reg.lan:5000", project="mirror/ngc")
    choices.remember_destination(answers, remembered)
    choices.remember_destination(Delivery(destination=Destination.DOCKER), remembered)
    proposed, decided = choices.proposed_destination(Delivery(), Remembered(tmp_path), ())
    assert (proposed.registry, proposed.project) == ("reg.lan:5000", "mirror/ngc")
    assert (proposed.destination, decided) == (Destination.DOCKER, True)
    assert remembered.get(LAST_REGISTRY) == "reg.lan:5000/mirror/ngc"


@pytest.mark.parametrize(
    ("typed", "project", "registry", "path"),
    [
        ("harbor.lan", "", "harbor.lan", ""),
        ("https://harbor.lan/ngc/", "", "harbor.lan", "ngc"),
        ("harbor.lan:5000/a", " /b/ ", "harbor.lan:5000", "a/b"),
    ],
)
def test_a_registry_is_taken_as_it_was_meant(
    typed: str, project: str, registry: str, path: str
) -> None:
    answers = choices.with_registry(Delivery(), typed, project)
    assert (answers.registry, answers.project) == (registry, path)


def test_chains_of_both_sides() -> None:
    assert chains.saving(COLLECTION).verbs == ("save", "verify")
    assert chains.saving(replace(COLLECTION, verify_after=False)).verbs == ("save",)
    with pytest.raises(UsageError):
        chains.saving(replace(COLLECTION, bundle=None))
    delivery = Delivery(Path("/media/pod"), registry="reg.lan:5000")
    assert chains.verifying(delivery).verbs == ("verify",)
    verbs = {
        Destination.REGISTRY: "push",
        Destination.DOCKER: "load",
        Destination.PODMAN: "load",
        Destination.SERVE: "serve",
    }
    for destination, verb in verbs.items():
        chain = chains.delivering(replace(delivery, destination=destination))
        assert chain.verbs == (verb,)
        assert chain.place == Path("/media/pod")


def test_a_jobs_answers_come_back(tmp_path: Path) -> None:
    saved = job(tmp_path, chains.saving(COLLECTION))
    answers = chains.collection_of(saved)
    assert answers is not None
    assert (answers.chosen, answers.bundle) == (COLLECTION.chosen, COLLECTION.bundle)
    assert answers.verify_after is True
    delivery = Delivery(Path("/media/pod"))
    assert chains.collection_of(job(tmp_path, chains.verifying(delivery))) is None


def test_fetching_again_saves_and_verifies_whatever_the_job_was(tmp_path: Path) -> None:
    without = replace(COLLECTION, verify_after=False)
    for known in (None, job(tmp_path, chains.saving(without))):
        assert chains.fetching_again(COLLECTION, known).verbs == ("save", "verify")
    only = job(tmp_path, Chain((Step("verify", VerifySpec(Path("/data/pod"))),)))
    assert chains.fetching_again(COLLECTION, only).verbs == ("save", "verify")


def test_logins_of_another_run_are_asked_for_again(tmp_path: Path) -> None:
    crossing = Crossing(Settings(state_dir=tmp_path))
    saved = job(tmp_path, chains.saving(COLLECTION), "nvcr.io", "harbor.lan")
    assert restart.logins_lacking(crossing, saved) == ("nvcr.io", "harbor.lan")
    crossing.logins["nvcr.io"] = None
    assert restart.logins_lacking(crossing, saved) == ("harbor.lan",)


def registry(standing: LoginStanding, *errors: AccessDenied | None) -> RegistryAccess:
    images = tuple(ImageAccess(TORCH, error) for error in errors)
    refusal = AccessDenied("nvcr.io refused it (401)") if standing.value == "refused" else None
    return RegistryAccess("nvcr.io", standing, images, "$oauthtoken", "a file", refusal)


def test_where_a_login_could_help() -> None:
    denied = AccessDenied("no access (403)", hint="Ask for it.")
    assert not logins.may_be_given(registry(LoginStanding.ACCEPTED, None))
    assert logins.may_be_given(registry(LoginStanding.ACCEPTED, denied))
    assert logins.may_be_given(registry(LoginStanding.REFUSED, None))
    reason, image, hint = logins.explained(registry(LoginStanding.MISSING, denied, denied, None))
    assert (reason, hint) == ("2 images cannot be read: no access (403):", "Ask for it.")
    assert image == f"{TORCH} and 1 other"
    reason, image, _hint = logins.explained(registry(LoginStanding.REFUSED, None))
    assert "can be read without" in reason
    assert image == ""


def test_a_refused_login_that_nothing_needs_is_left_away(tmp_path: Path) -> None:
    crossing = Crossing(Settings(state_dir=tmp_path))
    logins.settle_refused(crossing)
    crossing.access = AccessResult((registry(LoginStanding.REFUSED, None),))
    logins.settle_refused(crossing)
    assert crossing.logins == {"nvcr.io": None}


def test_other_images_make_earlier_answers_void(tmp_path: Path) -> None:
    crossing = Crossing(Settings(state_dir=tmp_path))
    crossing.access = AccessResult(())
    crossing.wish(COLLECTION)
    assert crossing.access is None
    assert crossing.collection is COLLECTION


def test_what_is_whole_goes_on() -> None:
    good = ItemResult(str(CUDA), ItemState.DONE)
    bad = ItemResult(str(TORCH), ItemState.FAILED, exit_code=3)
    whole = VerifyResult((good,), 1, 1, (), (), (), 1.0)
    assert outcome.keeping_whole(Delivery(), whole).images == ()
    partly = replace(whole, items=(good, bad))
    assert outcome.keeping_whole(Delivery(), partly).images == (CUDA,)


def test_the_checks_of_note() -> None:
    disk = Check("Disk", Standing.GOOD, "/data has 1.8 TB free")
    docker = Check("Docker", Standing.GOOD, "27.3 is running")
    podman = Check("Podman", Standing.ABSENT, "Podman is not installed here", "save --from podman")
    clock = Check("Clock", Standing.FAILED, "it is 1970", "", "Set it.")
    python = Check("Python", Standing.GOOD, "3.12")
    shown = welcome.checks_of_note((python, disk, docker, podman, clock))
    assert [check.name for check in shown] == ["Disk", "Docker", "Clock"]
    absent = replace(docker, standing=Standing.ABSENT)
    assert [c.name for c in welcome.checks_of_note((disk, absent, podman))] == [
        "Disk",
        "Docker",
        "Podman",
    ]
    assert welcome.check_in_words(clock) == "It is 1970; set it."
    resting = Check(
        "Podman",
        Standing.WARNING,
        "Podman is not running at unix:///run/user/1000/podman/podman.sock",
        remedy="Start it: systemctl --user start podman.socket (as root: systemctl start ..)",
    )
    said = welcome.check_in_words(resting)
    assert said == "Not running: systemctl --user start podman.socket"
    assert welcome.check_in_words(podman) == "Not installed; save --from podman"
