"""The questions of step Export: what is made of the bundle, where, how large, signed by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from airgap_tui.cli.guide.dialogue import sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.bundle.signatures import signing_keys
from airgap_tui.engine.bundle.signatures.signing_keys import AgentKey
from airgap_tui.engine.bundle.volumes.medium import Medium
from airgap_tui.engine.bundle.volumes.transfer_sheet import SheetFormat
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import departure, tool_choice
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.departure import KEY_FILE, NO_KEY, OTHER_SIZE
from airgap_tui.engine.guide.surroundings import look_around
from airgap_tui.engine.guide.tool_choice import ToolAtHand
from airgap_tui.engine.quantities import count
from airgap_tui.engine.typed_path import typed_path

EXPLAINED = (
    "Sealing makes the bundle ready where it lies: nothing is copied. Volumes are written anew, of"
    " any size; the same bundle and size always give the same volumes, so a lost or bad one can be"
    " written again alone, byte for byte."
)
_SHEET = (
    "What an officer at the gate signs for: images with digests and sources, volumes with"
    " checksums, how to burn each disc and read it back. The name ends in .txt, .csv or .html."
)
_KEY = (
    "It runs in the background, where nobody can type a passphrase: a key in the agent, or a file"
    " without one."
)
_TOOL = (
    "airgap-tui itself on the first volume: one program, or what each Python there needs to run it."
)


def ask_how_to_carry(guide: Guide, bundle: Path, *, ahead: bool) -> Carrying:
    """The answers; `ahead` where the bundle is not saved yet. Raises `Back`."""
    crossing, dialogue = guide.crossing, guide.dialogue
    plan, state_dir = crossing.plan if ahead else None, guide.settings.state_dir
    around = guide.wait(
        "Counting volumes.", lambda token: look_around(bundle, plan, state_dir, token)
    )
    answers = crossing.carrying or departure.proposed(around.lying, around.before)
    dialogue.say(f"The bundle lies on {departure.lies(around.lying)}.")
    key = dialogue.choose(departure.WAYS, answers.way.value, explanation=EXPLAINED)
    way = Way(key)
    answers = replace(answers, only=0) if way is answers.way else departure.with_way(answers, way)
    if way is not Way.SEAL:
        answers = _place(guide, answers)
        answers = _size(guide, answers, around.counts.get(way, {}))
        answers = _disks(guide, answers)
    answers = replace(answers, key=_key(guide, answers.key, around.keys))
    answers = _tool(guide, answers, around.tool)
    answers = replace(answers, sheet=_sheet(guide, answers.sheet))
    crossing.carrying = answers
    return answers


def _place(guide: Guide, answers: Carrying) -> Carrying:
    explanation = "A directory, usually where a disk is mounted; begun if it is not there."
    while True:
        text = guide.dialogue.ask("Write to", str(answers.medium or ""), explanation=explanation)
        if text:
            return replace(answers, medium=typed_path(text).absolute())


def _size(guide: Guide, answers: Carrying, counts: Mapping[str, int]) -> Carrying:
    dialogue = guide.dialogue
    offered = departure.sizes(answers.way, counts)
    key = dialogue.choose(offered, departure.size_key(answers), question="Volumes")
    if key != OTHER_SIZE:
        return replace(answers, volume_size=key)
    while True:
        text = dialogue.ask("Size, as in 60GB", answers.volume_size)
        try:
            Medium.parse(text)
        except AirgapError as error:
            dialogue.error(error)
        else:
            return replace(answers, volume_size=text)


def _disks(guide: Guide, answers: Carrying) -> Carrying:
    if answers.way is Way.ISO or not answers.volume_size:
        return replace(answers, one_per_disk=False)
    explanation = "With one drive: after each volume the next disk is asked for."
    question = "One volume on each disk"
    wanted = guide.dialogue.confirm(question, answers.one_per_disk, explanation=explanation)
    return replace(answers, one_per_disk=wanted)


def _key(guide: Guide, before: Path | None, keys: tuple[AgentKey, ...]) -> Path | None:
    dialogue = guide.dialogue
    offered = [
        Choice(NO_KEY, "As it is", "what is signed stays so"),
        *(
            Choice(str(n), k.comment or k.fingerprint, f"in the agent, {k.fingerprint}")
            for n, k in enumerate(keys)
        ),
        Choice(KEY_FILE, "Sign with a key file"),
    ]
    default = NO_KEY if before is None else KEY_FILE
    answer = dialogue.choose(offered, default, question="Signature", explanation=_KEY)
    if answer == NO_KEY:
        return None
    if answer != KEY_FILE:
        return signing_keys.public_file(keys[int(answer)], guide.settings.state_dir)
    while True:
        text = dialogue.ask("Key file", str(before or ""), explanation=_KEY)
        path = typed_path(text).absolute()
        why_not = signing_keys.why_not(path, CancelToken())
        if not why_not:
            return path
        dialogue.say(f"! {sentence(why_not)}")


def _tool(guide: Guide, answers: Carrying, at_hand: ToolAtHand) -> Carrying:
    dialogue, settings = guide.dialogue, guide.settings
    before = tool_choice.tool_key(answers, settings)
    key = dialogue.choose(tool_choice.TOOL, before, question="Tool", explanation=_TOOL)
    answers = tool_choice.with_tool(answers, key, settings)
    words = tool_choice.tool_words(answers, settings, at_hand)
    wrong = tool_choice.is_shut_out(answers, settings, at_hand)
    dialogue.say(f"! {words}." if wrong else f"{words}.")
    return answers


def _sheet(guide: Guide, before: Path | None) -> Path | None:
    dialogue = guide.dialogue
    while True:
        text = dialogue.optional("Transfer sheet", str(before or ""), explanation=_SHEET)
        if not text:
            return None
        path = typed_path(text).absolute()
        try:
            SheetFormat.of_name(path.name)
        except AirgapError as error:
            dialogue.error(error)
        else:
            return path


def which_volume(guide: Guide, number: int) -> int:
    """The number of one volume of so many. Raises `Back`."""
    dialogue = guide.dialogue
    while True:
        text = dialogue.ask(f"Which volume, 1 to {number}")
        if text.isascii() and text.isdigit() and 0 < int(text) <= number:
            return int(text)
        dialogue.say(f"There are {count(number, 'volume')}.")
