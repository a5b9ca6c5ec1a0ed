"""Export: the bundle sealed where it lies or written onto media; then what to carry, how it gets
onto discs, and what to type on the other side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.carrying import EXPLAINED, ask_how_to_carry, which_volume
from airgap_tui.cli.guide.dialogue import Back, Leave, sentence
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.cli.guide.verified import bundle_of
from airgap_tui.cli.results import tell_failures
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import chains, commands, departure, outcome, welcome
from airgap_tui.engine.guide.carrying import Carrying, Way, sheet_of
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import export_plan, next_disk, written, zstd_gain
from airgap_tui.engine.jobs.chain import Result
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_plan import ExportPlan
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.next_disk import DiskChange
from airgap_tui.engine.jobs.seal import SealResult

_DISK, _OTHERWISE, _ONE, _AGAIN = "disk", "otherwise", "one", "again"


def carry(guide: Guide) -> None:
    """Ends by leaving: it is the last step of the online side."""
    while True:
        job = guide.crossing.job
        if job is None or not welcome.carries(job):
            _begin(guide)
            continue
        verb = next(verb for verb in job.order.verbs if verb in ("export", "seal"))
        job = watching.watch(guide)
        ended = watching.step_of(job, verb)
        result = ended.result if ended is not None else None
        if isinstance(result, SealResult):
            _tell_sealed(guide, job, result)
        elif isinstance(result, ExportResult):
            _tell_exported(guide, job, result)
        else:
            watching.tell(guide, job, verb)
        _go_on(guide, job, verb, result)


# Before


def _begin(guide: Guide) -> None:
    """Ask, and start the job. Raises `Back`."""
    crossing, dialogue, bundle = guide.crossing, guide.dialogue, bundle_of(guide, Side.ONLINE)
    _tell_gain(guide, bundle)
    answers = ask_how_to_carry(guide, bundle, ahead=False)
    while True:
        plan = None if answers.way is Way.SEAL else _planned(guide, answers, bundle)
        if plan is not None or answers.way is Way.SEAL:
            dialogue.say(departure.excerpt(answers, bundle.name, plan))
        if plan is not None:
            dialogue.say(f"{sentence(departure.volumes(plan))} {departure.room(plan)}.")
        if plan is not None and plan.problem is not None:
            dialogue.error(plan.problem)
        dialogue.say("The command that does the same:")
        dialogue.command(commands.carry(answers, bundle))
        ready = answers.way is Way.SEAL or (plan is not None and plan.problem is None)
        offered = [Choice("begin", departure.begin(answers, plan))] if ready else []
        offered.append(Choice("otherwise", "Choose otherwise"))
        if plan is not None:
            offered.append(Choice("each", "Show what each volume would hold"))
        if plan is not None and len(plan.volumes) > 1 and not answers.one_per_disk:
            offered.append(Choice(_ONE, "Write one volume alone"))
        answer = dialogue.choose(offered, offered[0].key, explanation=EXPLAINED)
        if answer == "each" and plan is not None:
            for line in departure.each(plan):
                dialogue.say(line, indent=2)
        elif answer == _ONE and plan is not None:
            answers = replace(answers, only=which_volume(guide, len(plan.volumes)))
        elif answer == "otherwise":
            answers = ask_how_to_carry(guide, bundle, ahead=False)
        else:
            try:
                chain = chains.carrying(answers, bundle, guide.settings)
                watching.begin(guide, chain, commands.carry(answers, bundle))
            except AirgapError as error:
                dialogue.error(error)
                continue
            crossing.carrying = replace(answers, only=0)
            return


def _planned(guide: Guide, answers: Carrying, bundle: Path) -> ExportPlan | None:
    """None where it cannot be written so; the reason is told then."""
    try:
        spec = answers.export_spec(bundle, guide.settings)
        return guide.wait("Counting volumes.", lambda token: export_plan.run(spec, discard, token))
    except AirgapError as error:
        guide.dialogue.error(error)
        return None


def _tell_gain(guide: Guide, bundle: Path) -> None:
    """What zstd would gain. Ctrl-C goes on without knowing."""
    try:
        gains = guide.wait(
            "Trying how small the layers can be.", lambda token: zstd_gain.of_bundle(bundle, token)
        )
    except (AirgapError, Back):
        return
    said = departure.gain(gains, saved=True)
    if said:
        guide.dialogue.say(said)


# Afterwards


def _tell_sealed(guide: Guide, job: JobInfo, result: SealResult) -> None:
    dialogue, bundle = guide.dialogue, job.order.place
    tell_failures(guide.output, result.items)
    dialogue.say()
    dialogue.say(f"Result. {departure.carried(result, bundle.name)}")
    dialogue.say(f"Signature: {result.signature.sentence}.", indent=2)
    _tell_sheet(guide, job)
    dialogue.say(f"Carry this to the offline side: {bundle}. {outcome.carry(result.bytes)}")
    _tell_unplugging(guide, result.mounted)
    dialogue.say("Type there, with the disk mounted, one of:")
    for command, about in outcome.offline_commands(bundle):
        dialogue.command(f"{command}    {about}")


def _tell_exported(guide: Guide, job: JobInfo, result: ExportResult) -> None:
    dialogue = guide.dialogue
    tell_failures(guide.output, result.items, noun="volume")
    tell_failures(guide.output, result.not_carried)
    found = written.look(_export_spec(job), result)
    dialogue.say()
    dialogue.say(f"Result. {departure.carried(result, job.order.place.name)}")
    for one in found.volumes:
        if not one.item.error:
            sha256 = f", SHA-256 {one.sha256}" if one.sha256 else ""
            dialogue.say(f"{one.path}{sha256}", indent=2)
    if any(not one.item.error for one in found.volumes):
        dialogue.say(f"Checksums: {found.checksums}.", indent=2)
    _tell_sheet(guide, job)
    burning = [(one.number, *one.burning) for one in found.volumes if one.burning is not None]
    if burning:
        dialogue.say("Burn each, and read it back; the checksum has to be that of the volume:")
        for number, burn, read_back in burning:
            dialogue.say(f"Volume {number}:", indent=2)
            dialogue.command(burn)
            dialogue.command(read_back)
    elif found.unmount is not None and not departure.unwritten(result):
        _tell_unplugging(guide, found.unmount)
    dialogue.say("Type on the other side, with all volumes:")
    dialogue.command("airgap-tui verify VOLUME...")
    dialogue.command("airgap-tui push VOLUME... REGISTRY")


def _tell_sheet(guide: Guide, job: JobInfo) -> None:
    sheet = sheet_of(job)
    if sheet is not None:
        guide.dialogue.say(f"Transfer sheet: {sheet}.", indent=2)


def _tell_unplugging(guide: Guide, mounted: Path) -> None:
    command = departure.unplugging(mounted)
    if command:
        guide.dialogue.say("Everything is on the disk. You may unplug it now:")
        guide.dialogue.command(command)


def _go_on(guide: Guide, job: JobInfo, verb: str, result: Result | None) -> None:
    """Ask what now, and do it. Raises `Leave`, `ToTheStart` and `Back`."""
    dialogue, crossing = guide.dialogue, guide.crossing
    following = result.following if isinstance(result, ExportResult) else ()
    wrong = result is None or bool(outcome.failed(result.items))
    offered = [one for one in watching.ways_on(job, verb, "") if one.key != "next"]
    if following and not wrong:
        offered.append(Choice(_DISK, f"Write volume {following[0]} onto the next disk"))
    offered += [
        Choice("finish", "Finish"),
        Choice(_OTHERWISE, "Export it otherwise, or one volume again"),
        Choice("start", "Back to the first question"),
    ]
    answer = dialogue.choose(offered, offered[0].key, explanation=EXPLAINED)
    if answer == "finish":
        if isinstance(result, (SealResult, ExportResult)):
            raise Leave(departure.carried(result, job.order.place.name))
        raise Leave
    if answer == "start":
        raise ToTheStart
    if answer == _OTHERWISE:
        crossing.collection = replace(crossing.collection, bundle=job.order.place)
        crossing.job = None
        return
    try:
        if answer == _AGAIN:
            watching.again(guide, job, verb)
        elif isinstance(result, ExportResult):
            _change_disk(guide, job, result)
    except AirgapError as error:
        dialogue.error(error)


def _change_disk(guide: Guide, job: JobInfo, result: ExportResult) -> None:
    """Wait for the next disk, and go on with it. Raises `Back` where it does not come."""
    dialogue, medium = guide.dialogue, _export_spec(job).medium
    mounted = next_disk.mounted_at(medium)
    last, number = result.items[-1].reference, result.following[0]
    change = DiskChange(medium, mounted, last, number, result.count)
    _tell_unplugging(guide, mounted)
    in_the_way = ""
    while True:
        dialogue.say(departure.next_disk(number, result.count, change.place, in_the_way))
        try:
            dialogue.choose([Choice("there", "It is there")], "there")
        except Back:
            return
        in_the_way = change.in_the_way
        if not in_the_way:
            break
    chain = chains.onto_next_disk(job, result.following)
    watching.begin(guide, chain, job.order.command)


def _export_spec(job: JobInfo) -> ExportSpec:
    """Raises as `JobDirectory.chain`."""
    spec = next(step.spec for step in job.directory.chain.steps if step.verb == "export")
    assert isinstance(spec, ExportSpec)  # noqa: S101 - the verb says so
    return spec
