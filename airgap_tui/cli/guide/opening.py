"""Open: which bundle was carried here, and what is inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media
from airgap_tui.engine.jobs.job_list import JobState, describe
from airgap_tui.engine.jobs.media import Contents, FoundBundle
from airgap_tui.engine.quantities import count, size

_EXPLAINED = (
    "A bundle is the directory that was saved on the online side, or a tar or ISO file of it. It is"
    " read where it is; nothing is copied or changed."
)
_MOST_TOLD = 20


def open_bundle(guide: Guide) -> None:
    """Ends when a bundle is chosen and its verify has begun, or is known already."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        path = crossing.delivery.path or _choose(guide)
        contents = _look_inside(guide, path)
        if contents is None:
            crossing.delivery = replace(crossing.delivery, path=None)
            continue
        _tell(guide, contents)
        missing = arrival.opening_missing(contents)
        if missing:
            dialogue.say(missing)
        offered = [] if missing else [_onward(guide, contents)]
        offered.append(Choice("other", "Open another bundle"))
        answer = dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)
        if answer == "next":
            return
        if answer == "verify":
            try:
                chain = chains.verifying(crossing.delivery)
                watching.begin(guide, chain, commands.verify(contents.path))
                return
            except AirgapError as error:
                dialogue.error(error)
        else:
            crossing.delivery = replace(crossing.delivery, path=None, images=())
            crossing.contents = crossing.verified = None


def _choose(guide: Guide) -> Path:
    dialogue = guide.dialogue
    saved = guide.remembered.get(LAST_BUNDLE)
    further = [Path.cwd(), *([Path(saved)] if saved else [])]
    found = guide.wait(
        "Looking for bundles on what is mounted.",
        lambda _token: media.find_bundles(place for place in further if place != Path("/")),
    )
    if not found:
        dialogue.say(arrival.no_bundle())
        return _path(guide)
    offered = [Choice(str(one.path), one.name, _found_in_words(one)) for one in found]
    offered.append(Choice("", "Another path"))
    first = next((one for one in found if one.images and not one.problem), found[0])
    answer = dialogue.choose(offered, str(first.path), explanation=_EXPLAINED)
    return Path(answer) if answer else _path(guide)


def _path(guide: Guide) -> Path:
    while True:
        text = guide.dialogue.ask("Path of the bundle", explanation=_EXPLAINED)
        if text:
            return Path(text).expanduser().absolute()
        guide.dialogue.say("Give the path of a directory, a tar file or an ISO file.")


def _look_inside(guide: Guide, path: Path) -> Contents | None:
    crossing = guide.crossing
    if crossing.contents is not None and crossing.contents.path == path:
        return crossing.contents
    try:
        contents = guide.wait(f"Looking into {path}.", lambda token: media.look_inside(path, token))
    except AirgapError as error:
        guide.dialogue.error(error)
        return None
    crossing.delivery = replace(crossing.delivery, path=path, images=())
    crossing.contents, crossing.verified = contents, None
    return contents


def _tell(guide: Guide, contents: Contents) -> None:
    dialogue = guide.dialogue
    dialogue.say(arrival.opened(contents))
    dialogue.say(f"{arrival.inside(contents)}.")
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
    if job is not None and job.order.verbs == ("verify",) and job.order.place == contents.path:
        job = describe(job.directory)
        if crossing.verified is not None or job.state in (JobState.RUNNING, JobState.FINISHED):
            return Choice("next", "Go on to Verify")
    return Choice("verify", f"Verify {count(len(contents.whole), 'image')}", "every byte is read")


def _found_in_words(one: FoundBundle) -> str:
    if one.problem:
        return f"cannot be read, in {one.path.parent}"
    images = count(one.images, "image")
    if one.waiting:
        images = f"{one.images} of {count(one.images + one.waiting, 'image')}"
    return f"{images}, {size(one.bytes)}, in {one.path.parent}"
