"""Open: which bundle was carried here, and what is inside."""

from __future__ import annotations

import contextlib
from pathlib import Path

from airgap_tui.cli.guide import importing, signers, watching
from airgap_tui.cli.guide.dialogue import Back, sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.cli.guide.signers import SIGNERS
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media
from airgap_tui.engine.jobs.job_list import JobState, describe
from airgap_tui.engine.jobs.media import Contents, FoundBundle
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.typed_path import typed_path

_EXPLAINED = (
    "A bundle is the directory that was saved on the online side, or a tar or ISO file of it; or"
    " volumes of it, which are opened together. It is read where it is; nothing is copied or"
    " changed. With one drive, import: then the discs come one by one."
)
_MOST_TOLD = 20


def open_bundle(guide: Guide) -> None:
    """Ends when a bundle is chosen and its verify has begun, or is known already."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        places = crossing.delivery.places or _choose(guide)
        contents = _look_inside(guide, places)
        if contents is None:
            crossing.delivery = crossing.delivery.opening(None)
            continue
        _tell(guide, contents)
        missing = arrival.opening_missing(contents, crossing.delivery.settings.trust)
        if missing:
            dialogue.say(missing)
        volumes = contents.volumes
        offered = [] if missing else [_onward(guide, contents)]
        if volumes is not None and volumes.missing:
            offered.append(Choice("add", "Add a further volume", "of the same set"))
        offered.append(Choice("import", "Import it", "into a bundle that is kept here"))
        offered.append(Choice(SIGNERS, "Name who may sign it", signers.standing(guide)))
        offered.append(Choice("other", "Open another bundle"))
        answer = dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)
        if answer == "next":
            return
        if answer == "verify":
            try:
                delivery = crossing.delivery
                command = commands.verify(*delivery.places, trust=delivery.settings.trust)
                watching.begin(guide, chains.verifying(delivery), command)
                return
            except AirgapError as error:
                dialogue.error(error)
        elif answer == "add":
            _add(guide, contents)
        elif answer == "import":
            with contextlib.suppress(Back):
                importing.bring_into(guide, contents)
        elif answer == SIGNERS:
            with contextlib.suppress(Back):
                signers.ask(guide)
            crossing.contents = None
        else:
            crossing.delivery = crossing.delivery.opening(None)
            crossing.contents = crossing.verified = None


def _choose(guide: Guide) -> tuple[Path, ...]:
    dialogue = guide.dialogue
    saved = guide.remembered.get(LAST_BUNDLE)
    further = [Path.cwd(), *([Path(saved)] if saved else [])]
    found = guide.wait(
        "Looking for bundles on what is mounted.",
        lambda _token: media.find_bundles(place for place in further if place != Path("/")),
    )
    if not found:
        dialogue.say(arrival.no_bundle())
        return _places(guide)
    offered = [Choice(one.key, one.name, _found_in_words(one)) for one in found]
    offered.append(Choice("", "Another path"))
    first = next((one for one in found if one.images and not one.problem), found[0])
    answer = dialogue.choose(offered, first.key, explanation=_EXPLAINED)
    chosen = next((one for one in found if one.key == answer), None)
    return chosen.places if chosen is not None else _places(guide)


def _places(guide: Guide) -> tuple[Path, ...]:
    """The path that is typed, or the volumes that are found there and beside it."""
    path = _path(guide, "Path of the bundle")
    trust = guide.crossing.delivery.settings.trust
    try:
        contents = guide.wait(
            f"Looking into {path}.", lambda token: media.look_further(path, None, token, trust)
        )
    except AirgapError:
        return (path,)  # what is wrong is told where it is opened
    return (contents.path, *contents.others)


def _path(guide: Guide, question: str) -> Path:
    while True:
        text = guide.dialogue.ask(question, explanation=_EXPLAINED)
        if text:
            return typed_path(text).absolute()
        guide.dialogue.say("Give the path of a directory, a tar file or an ISO file.")


def _look_inside(guide: Guide, places: tuple[Path, ...]) -> Contents | None:
    crossing = guide.crossing
    path, others = places[0], places[1:]
    trust = crossing.delivery.settings.trust
    if crossing.contents is not None and set(crossing.contents.places) == set(places):
        return crossing.contents
    try:
        contents = guide.wait(
            f"Looking into {path}.", lambda token: media.look_inside(path, token, others, trust)
        )
    except AirgapError as error:
        guide.dialogue.error(error)
        return None
    _take(guide, contents)
    return contents


def _take(guide: Guide, contents: Contents) -> None:
    crossing = guide.crossing
    opening = crossing.delivery.opening(contents.path, contents.others)
    if opening != crossing.delivery:
        crossing.delivery, crossing.verified = opening, None
    crossing.contents = contents


def _add(guide: Guide, opened: Contents) -> None:
    """Ask for a further volume of the set that is open."""
    trust = guide.crossing.delivery.settings.trust
    try:
        path = _path(guide, "Path of the volume")
        contents = guide.wait(
            f"Looking into {path}.", lambda token: media.look_further(path, opened, token, trust)
        )
    except Back:
        return
    except AirgapError as error:
        guide.dialogue.error(error)
        return
    if contents.key != opened.key:
        guide.dialogue.say(
            f"{path} is no volume of {opened.name}: it is of {contents.name}, which is another set."
        )
        return
    _take(guide, contents)


def _tell(guide: Guide, contents: Contents) -> None:
    dialogue = guide.dialogue
    dialogue.say(arrival.opened(contents))
    dialogue.say(f"{arrival.inside(contents)}.")
    if contents.signature.standing is not Standing.UNSIGNED:
        dialogue.say(f"Signature: {sentence(contents.signature.sentence)}")
    for base in contents.bases:
        dialogue.say(f"! {sentence(base)}")
    images = (*contents.lacking, *contents.whole)
    for image in images[:_MOST_TOLD]:
        state = f"not complete: {image.problem}" if image.problem else "complete"
        amount = f", {size(image.bytes)}" if image.bytes else ""
        dialogue.say(f"{image.reference}: {state}{amount}", indent=2)
    if len(images) > _MOST_TOLD:
        dialogue.say(f"and {len(images) - _MOST_TOLD} more", indent=2)


def _onward(guide: Guide, contents: Contents) -> Choice:
    crossing = guide.crossing
    job = crossing.job
    verifying = job is not None and job.order.verbs == ("verify",)
    if job is not None and verifying and set(chains.places_of(job)) == set(contents.places):
        job = describe(job.directory)
        if crossing.verified is not None or job.state in (JobState.RUNNING, JobState.FINISHED):
            return Choice("next", "Go on to Verify")
    return Choice("verify", f"Verify {count(len(contents.whole), 'image')}", "every byte is read")


def _found_in_words(one: FoundBundle) -> str:
    if one.problem:
        return f"cannot be read, in {one.path.parent}"
    if one.volumes is not None and one.volumes.count > 1:
        here, volumes = len(one.volumes.numbers), count(one.volumes.count, "volume")
        return f"{here} of {volumes}, {size(one.bytes)}, in {one.path.parent}"
    images = count(one.images, "image")
    if one.waiting:
        images = f"{one.images} of {count(one.images + one.waiting, 'image')}"
    return f"{images}, {size(one.bytes)}, in {one.path.parent}"
