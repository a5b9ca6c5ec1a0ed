"""The answers of step Export: the job and the command for them, and back from the job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine import own_program
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry.target import EVERY
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import chains, commands, departure, welcome
from airgap_tui.engine.guide.answers import Collection, Wish
from airgap_tui.engine.guide.carrying import Carrying, Way, carrying_of
from airgap_tui.engine.guide.departure import Lying
from airgap_tui.engine.guide.surroundings import exported_before
from airgap_tui.engine.guide.tool_choice import (
    ALONG,
    DATA_ALONE,
    ToolAtHand,
    tool_key,
    tool_words,
    with_tool,
)
from airgap_tui.engine.jobs.carry import ToolSpec
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.snapshot import Snapshot
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.screens import jobs

BUNDLE, DISC = Path("/data/pod"), Path("/media/usb1")
DVDS = Carrying(Way.ISO, DISC, "dvd", key=Path("/id.pub"), sheet=Path("/sheet.txt"))


@pytest.mark.parametrize(
    ("answers", "command"),
    [
        (Carrying(), "airgap-tui seal /data/pod"),
        (Carrying(key=Path("/id")), "airgap-tui seal /data/pod --sign /id"),
        (Carrying(tool=False), "airgap-tui seal /data/pod --no-tool"),
        (Carrying(Way.DIRECTORY, DISC), "airgap-tui export /data/pod /media/usb1"),
        (
            DVDS,
            "airgap-tui export /data/pod /media/usb1 --format iso --volume-size dvd"
            " --sign /id.pub --sheet /sheet.txt",
        ),
        (
            Carrying(Way.TAR, DISC, "60GB", one_per_disk=True),
            "airgap-tui export /data/pod /media/usb1 --format tar --volume-size 60GB"
            " --change-disks",
        ),
        (
            Carrying(Way.TAR, DISC, "60GB", only=2, one_per_disk=True),
            "airgap-tui export /data/pod /media/usb1 --format tar --volume-size 60GB"
            " --only-volume 2",
        ),
    ],
)
def test_the_command_says_the_same_as_the_job(answers: Carrying, command: str) -> None:
    assert commands.carry(answers, BUNDLE) == command
    chain = chains.carrying(answers, BUNDLE, Settings())
    assert chain.place == BUNDLE
    assert Chain.from_json(chain.to_json()) == chain
    found = carrying_of(chain.steps)
    assert found == replace(answers, only=0, one_per_disk=answers.one_per_disk and not answers.only)


def test_the_tool_is_a_choice_where_the_setting_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    always, never = Settings(), Settings(carry_tool=False)
    along, alone = (with_tool(Carrying(), key, always) for key in (ALONG, DATA_ALONE))
    assert (along, alone) == (Carrying(), Carrying(tool=False))
    assert [tool_key(one, always) for one in (along, alone)] == [ALONG, DATA_ALONE]
    assert with_tool(alone, DATA_ALONE, never) == Carrying()
    asked = with_tool(Carrying(), ALONG, never)
    assert commands.carry(asked, BUNDLE) == "airgap-tui seal /data/pod --tool-for all"
    chain = chains.carrying(asked, BUNDLE, never)
    assert chain.steps[0].spec.tool == ToolSpec(targets=EVERY)
    assert carrying_of(chain.steps) == asked
    assert chains.carrying(Carrying(), BUNDLE, never).steps[0].spec.tool is None
    monkeypatch.setattr(own_program, "executable_file", lambda: Path("/opt/airgap-tui"))
    assert commands.carry(asked, BUNDLE) == "airgap-tui seal /data/pod --tool /opt/airgap-tui"
    spec = chains.carrying(asked, BUNDLE, never).steps[0].spec
    assert spec.tool == ToolSpec((Path("/opt/airgap-tui"),))


def test_what_the_tool_adds_is_told_where_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundle = tmp_path / "pod"
    save(bundle, [build_image("a/b:1", [layer("data", 20_000)])])
    unknown = ToolAtHand.of(bundle)
    assert unknown == ToolAtHand()
    assert tool_words(Carrying(), Settings(), unknown) == "Its size is known once fetched"
    assert tool_words(Carrying(tool=False), Settings(), unknown) == "No program on the media"
    program = tmp_path / "airgap-tui"
    program.write_bytes(bytes(3_000_000))
    monkeypatch.setattr(own_program, "executable_file", lambda: program)
    assert ToolAtHand.of(None) == ToolAtHand(3_000_000)
    (bundle / "bundle.json.sig").write_bytes(b"of somebody")
    signed = ToolAtHand.of(bundle)
    assert signed == ToolAtHand(3_000_000, shut_out=True)
    assert tool_words(Carrying(), Settings(), signed) == "Signed without it: sign anew"
    assert tool_words(Carrying(key=Path("/id")), Settings(), signed) == "Adds 3 MB"


def test_without_a_place_nothing_is_written() -> None:
    with pytest.raises(UsageError, match="no place"):
        chains.carrying(Carrying(Way.TAR), BUNDLE, Settings())


def test_a_night_ends_with_what_is_carried() -> None:
    wish = Wish(Reference.parse("docker.io/library/registry:2"))
    answers = Collection((wish,), BUNDLE, then=DVDS)
    assert chains.saving(answers).verbs == ("save", "verify", "export")
    assert commands.save(answers) == (
        "airgap-tui save docker.io/library/registry:2 -b /data/pod --then verify &&"
        f" {commands.carry(DVDS, BUNDLE)}"
    )
    sealed = replace(answers, then=Carrying(), verify_after=False)
    assert chains.saving(sealed).verbs == ("save", "seal")
    assert commands.save(sealed).endswith("-b /data/pod --then seal")


def test_what_is_fetched_again_is_carried_as_well(tmp_path: Path) -> None:
    job = jobs.WrittenJob(tmp_path, jobs.chain("save", "verify", "export"))
    again = chains.fetching_again(Collection(), job.info)
    assert again.verbs == ("save", "verify", "export")


def test_what_was_used_before_is_proposed(tmp_path: Path) -> None:
    here, usb = Lying(Path("/"), "xfs"), Lying(DISC, "vfat", removable=True)
    assert departure.proposed(usb, None) == Carrying()
    assert departure.proposed(here, None) == Carrying(Way.DIRECTORY)
    assert departure.proposed(usb, DVDS) == DVDS
    assert exported_before(tmp_path, jobs.BUNDLE) is None
    job = jobs.WrittenJob(tmp_path, jobs.chain("export"))
    job.end_step(jobs.export_ended(), Snapshot("export"), 0)
    before = exported_before(tmp_path, jobs.BUNDLE)
    assert before is not None and (before.way, before.volume_size) == (Way.ISO, "dvd")
    assert exported_before(tmp_path, BUNDLE) is None


def test_another_way_keeps_what_fits_it() -> None:
    fat = Carrying(Way.DIRECTORY, DISC, "fat32", one_per_disk=True)
    assert departure.with_way(fat, Way.ISO) == Carrying(Way.ISO, DISC, "dvd")
    assert departure.with_way(DVDS, Way.TAR) == replace(DVDS, way=Way.TAR)
    assert departure.with_way(Carrying(tool=False), Way.ISO).tool is False
    assert departure.with_way(fat, Way.SEAL) == Carrying(Way.SEAL, DISC)


def test_what_is_saved_and_not_carried_is_offered(tmp_path: Path) -> None:
    bundle, state = tmp_path / "pod", tmp_path / "state"
    save(bundle, [build_image("a/b:1", [layer("carried", 20_000)])])
    chain = Chain(
        tuple(
            replace(step, spec=replace(step.spec, **{where: bundle}))
            for step, where in zip(
                jobs.chain("save", "verify").steps, ("bundle", "path"), strict=True
            )
        )
    )
    job = jobs.WrittenJob(state, chain)
    job.now(jobs.saving())
    assert welcome.jobs_to_carry(state) == ()
    job.end_step(jobs.save_ended(), Snapshot("verify"))
    job.end_step(jobs.verify_ended(), Snapshot("verify"), 0)
    (found,) = welcome.jobs_to_carry(state)
    assert welcome.job_in_words(found) == "Saved and verified, not yet exported"
    assert welcome.opening(found) == "Export it"
    chains.carrying(Carrying(), bundle, Settings(state_dir=state, carry_tool=False)).steps[0].run(
        discard, CancelToken(), None
    )
    assert welcome.jobs_to_carry(state) == ()


def test_an_export_that_waits_for_a_disk_is_offered(tmp_path: Path) -> None:
    job = jobs.WrittenJob(tmp_path, jobs.chain("export"))
    job.end_step(jobs.export_ended(following=True), Snapshot("export"), 0)
    (found,) = welcome.jobs_to_carry(tmp_path)
    assert welcome.job_in_words(found) == "Written in part; the next disk is wanted"
    last = jobs.WrittenJob(tmp_path, jobs.chain("export"))
    last.end_step(jobs.export_ended(), Snapshot("export"), 0)
    assert welcome.jobs_to_carry(tmp_path) == ()


def test_what_was_exported_stays_at_hand(tmp_path: Path) -> None:
    bundle, state = tmp_path / "pod", tmp_path / "state"
    chain = chains.carrying(Carrying(Way.TAR, DISC), bundle, Settings())
    for _ in range(2):
        job = jobs.WrittenJob(state, chain)
        job.end_step(jobs.export_ended(), Snapshot("export"), 0)
    assert welcome.jobs_exported(state) == ()  # the bundle is gone
    save(bundle, [build_image("a/b:1", [layer("exported", 20_000)])])
    (found,) = welcome.jobs_exported(state)
    assert found.id == job.directory.id
    assert "any volume can be made again" in welcome.job_in_words(found)
    assert welcome.opening(found) == "Show the export"
