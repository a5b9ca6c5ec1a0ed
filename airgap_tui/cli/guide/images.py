"""Images: which to carry. Typed, pasted, found in use, or read from a list file; then chosen by
number."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.cli.guide.dialogue import Back, Dialogue
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine import images_list
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import choices, commands, sentences
from airgap_tui.engine.guide.answers import Collection, Wish, check_name, parse_many
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.typed_path import typed_path

_MOST_TOLD = 20
_USUAL_LIST = "images_list.txt"
_EXPLAINED = (
    "Type image names as docker pull takes them, or paste many lines at once. A list file has one"
    " name in a line; # begins a comment. An image that is left out stays in the list."
)


def choose_images(guide: Guide) -> None:
    """Ends when at least one is chosen and the user goes on."""
    crossing, dialogue = guide.crossing, guide.dialogue
    if not crossing.collection.wishes:
        crossing.wish(crossing.collection.with_wishes((choices.OFFERED,)))
    while True:
        answers = crossing.collection
        dialogue.say(sentences.images(answers))
        _tell(dialogue, answers.wishes[:_MOST_TOLD])
        hidden = len(answers.wishes) - _MOST_TOLD
        if hidden > 0:
            dialogue.say(f"and {hidden} more", indent=2)
        if answers.chosen:
            dialogue.say("The command that tells their sizes:")
            dialogue.command(commands.plan(answers))
        answer = dialogue.choose(
            _choices(answers, hidden), _likeliest(answers), explanation=_EXPLAINED
        )
        if answer == "next":
            return
        try:
            _ACTIONS[answer](guide)
        except Back:
            continue


def _choices(answers: Collection, hidden: int) -> list[Choice]:
    found = [Choice("next", "Go on to Logins")] if answers.chosen else []
    found += [
        Choice("add", "Add images by name"),
        Choice("ngc", "Add from the NGC catalogue"),
        Choice("find", "Find images in use"),
        Choice("list", "Read a list file"),
    ]
    if answers.wishes:
        found.append(Choice("choose", "Choose images or leave them out"))
        found.append(Choice("remove", "Take images out of the list"))
    if hidden > 0:
        found.append(Choice("show", f"Show all {count(len(answers.wishes), 'image')}"))
    return found


def _likeliest(answers: Collection) -> str:
    if answers.chosen:
        return "next"
    return "list" if Path(_USUAL_LIST).is_file() else "add"


def _add(guide: Guide) -> None:
    """Names, one or more in a line, until an empty one that nothing more follows."""
    dialogue, crossing = guide.dialogue, guide.crossing
    dialogue.say("One or more names in a line; Enter alone ends.")
    while True:
        text = dialogue.ask("Image", explanation=_EXPLAINED)
        if not text:
            if dialogue.more_typed:
                continue
            return
        good, bad = parse_many(text)
        if good:
            wishes = tuple(Wish(reference) for reference in good)
            crossing.wish(crossing.collection.with_wishes(wishes))
            remark = check_name(text) if len(text.split()) == 1 else ""
            remark = remark if remark.startswith("No tag") else ""
            dialogue.say(f"Added {', '.join(map(str, good))}. {remark}".rstrip())
        for line in bad:
            dialogue.say(f"! Not a name: {line}")


def _catalogue(guide: Guide) -> None:
    from airgap_tui.cli.guide.catalogue import add_from_catalogue

    add_from_catalogue(guide)


def _find(guide: Guide) -> None:
    from airgap_tui.cli.guide.searching import find_in_use

    find_in_use(guide)


def _read(guide: Guide) -> None:
    dialogue, crossing = guide.dialogue, guide.crossing
    usual = _USUAL_LIST if Path(_USUAL_LIST).is_file() else ""
    text = dialogue.ask("List file", usual, explanation=_EXPLAINED)
    if not text:
        return
    path = typed_path(text)
    try:
        listed = images_list.parse([images_list.read(path)])
    except AirgapError as error:
        dialogue.error(error)
        return
    crossing.wish(crossing.collection.with_list(path, listed.references))
    dialogue.say(f"{count(len(listed.references), 'image')} read from {path.name}.")


def _choose(guide: Guide) -> None:
    crossing = guide.crossing
    for reference in _picked(guide, "Numbers to choose, or to leave out if they are chosen"):
        chosen = reference in crossing.collection.chosen
        crossing.wish(crossing.collection.choosing(not chosen, reference))


def _remove(guide: Guide) -> None:
    gone = _picked(guide, "Numbers to take out of the list")
    guide.crossing.wish(guide.crossing.collection.without(*gone))


def _show(guide: Guide) -> None:
    _tell(guide.dialogue, guide.crossing.collection.wishes)


def _picked(guide: Guide, question: str) -> tuple[Reference, ...]:
    wishes = guide.crossing.collection.wishes
    _tell(guide.dialogue, wishes, numbered=True)
    numbers = guide.dialogue.several(question, len(wishes), explanation=_EXPLAINED)
    return tuple(wishes[number - 1].reference for number in numbers)


_ACTIONS = {
    "add": _add,
    "ngc": _catalogue,
    "find": _find,
    "list": _read,
    "choose": _choose,
    "remove": _remove,
    "show": _show,
}


def _tell(dialogue: Dialogue, wishes: tuple[Wish, ...], *, numbered: bool = False) -> None:
    for number, wish in enumerate(wishes, start=1):
        chosen = "chosen" if wish.chosen else "not chosen"
        note = f", {wish.note[:1].lower()}{wish.note[1:]}" if wish.note else ""
        before = f"{number}. " if numbered else ""
        dialogue.say(f"{before}{wish.reference}: {chosen}; {wish.places}{note}", indent=2)
