"""Review: all numbers before anything is written, and the last choices: where, and in what form."""

from __future__ import annotations

from dataclasses import replace

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.carrying import ask_how_to_carry
from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.medium import MEDIA, Form
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import chains, choices, commands, departure, sentences
from airgap_tui.engine.guide.answers import Collection
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media_needed, plan, zstd_gain
from airgap_tui.engine.jobs.plan import PlannedImage, PlanResult
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.settings import parse_platform
from airgap_tui.engine.typed_path import typed_path

_EXPLAINED = (
    "Size is all of an image; shared is what images before it bring already; held is in the bundle"
    " from before. GB are decimal, as on the labels of disks; df -H counts the same way."
)


def review(guide: Guide) -> None:
    """Ends when the save has begun."""
    crossing, dialogue = guide.crossing, guide.dialogue
    if crossing.collection.bundle is None:
        _place(guide)
    while True:
        reason = _tell(guide)
        answers = crossing.collection
        offered = _choices(answers, crossing.plan, reason)
        answer = dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)
        try:
            if answer == "save":
                watching.begin(guide, chains.saving(answers), commands.save(answers))
                guide.remembered.set(LAST_BUNDLE, str(answers.bundle))
                crossing.verified = None
                return
            _ACTIONS[answer](guide)
        except Back:
            continue
        except AirgapError as error:
            dialogue.error(error)


def _tell(guide: Guide) -> str:
    """Say what the save would do; why it cannot begin, empty where it can."""
    crossing, dialogue = guide.crossing, guide.dialogue
    answers = crossing.collection
    spec = answers.save_spec()
    if crossing.plan is None:
        try:
            crossing.plan = guide.wait(
                f"Looking up {count(len(spec.references), 'image')}.",
                lambda token: plan.run(spec, discard, token, crossing.credentials()),
            )
        except AirgapError as error:
            dialogue.error(error)
            return "Not yet: this cannot be saved so."
    result = crossing.plan
    failed = [image for image in result.images if image.result.error]
    dialogue.say(sentences.review(result))
    files = media_needed.files_of_plan(result.blobs)
    dvds = media_needed.volumes(files, MEDIA["dvd"], Form.ISO) if files else 0
    dialogue.say(f"{sentences.room(result)}. {sentences.media(result.carried, dvds)}.")
    for image in failed:
        dialogue.say(f"! {image.result.error}")
    for problem in result.problems:
        dialogue.error(problem)
    dialogue.say("The command that does the same:")
    dialogue.command(commands.save(answers))
    missing = sentences.room_missing(result)
    return missing or (f"Not yet: {failed[0].result.error}." if failed else "")


def _choices(answers: Collection, result: PlanResult | None, reason: str) -> list[Choice]:
    there = len(result.images) if result else 0
    start = [] if reason else [Choice("save", f"Save {count(there, 'image')}")]
    platform = _text(choices.PLATFORMS, choices.platform_key(answers.settings.platform))
    layers = _text(choices.LAYERS, choices.layers_key(answers))
    wanted = answers.then is not None
    then = f"now yes: {departure.then_in_words(answers.then)}" if wanted else "now no"
    return [
        *start,
        Choice("place", "Save to another place", f"now {answers.bundle}"),
        Choice("platform", "Another platform", f"now {platform}"),
        Choice("layers", "Layers in another form", f"now {layers}"),
        Choice("verify", "Verify afterwards", "now yes" if answers.verify_after else "now no"),
        Choice("then", "Make it ready to carry then", then),
        Choice("images", "Show the size of each image"),
    ]


def _text(among: tuple[Choice, ...], key: str) -> str:
    return next((choice.text for choice in among if choice.key == key), key)


def _place(guide: Guide) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    usual = choices.proposed_bundle(crossing.collection, guide.remembered.get(LAST_BUNDLE))
    explanation = "A directory, begun if it is not there. Best is the disk that will be carried."
    while True:
        text = dialogue.ask("Save to", str(usual), explanation=explanation)
        path = typed_path(text).absolute()
        try:
            free = Room.at(path).in_words
        except AirgapError as error:
            dialogue.error(error)
            continue
        dialogue.say(f"{path} has {free}.")
        break
    crossing.collection = replace(crossing.collection, bundle=path)
    crossing.plan = None


def _platform(guide: Guide) -> None:
    crossing = guide.crossing
    settings = crossing.collection.settings
    now = choices.platform_key(settings.platform)
    key = guide.dialogue.choose(choices.PLATFORMS, now, question="Platform")
    settings = replace(settings, platform=parse_platform(key))
    crossing.collection = replace(crossing.collection, settings=settings)
    crossing.plan = None


def _layers(guide: Guide) -> None:
    crossing = guide.crossing
    _tell_gain(guide)
    key = guide.dialogue.choose(
        choices.LAYERS, choices.layers_key(crossing.collection), question="Layers"
    )
    crossing.collection = replace(crossing.collection, compression=Compression.parse(key))
    crossing.plan = None


def _tell_gain(guide: Guide) -> None:
    """What zstd would gain, by a sample: asked only here, where somebody wants to know. Ctrl-C goes
    on without."""
    crossing = guide.crossing
    blobs = crossing.plan.blobs if crossing.plan is not None else ()
    if not blobs or crossing.collection.compression is not None:
        return
    network = crossing.collection.settings.network
    try:
        gains = guide.wait(
            "Trying how small the layers can be: reads a megabyte of the largest ones.",
            lambda token: zstd_gain.of_plan(blobs, network, crossing.credentials(), token),
        )
    except (AirgapError, Back):
        return
    said = departure.gain(gains, saved=False)
    if said:
        guide.dialogue.say(said)


def _verify(guide: Guide) -> None:
    crossing = guide.crossing
    wanted = not crossing.collection.verify_after
    crossing.collection = replace(crossing.collection, verify_after=wanted)


def _then(guide: Guide) -> None:
    crossing = guide.crossing
    before, bundle = crossing.collection.then, crossing.collection.bundle
    then = None
    if before is None and bundle is not None:
        then = ask_how_to_carry(guide, bundle, ahead=True)
    crossing.collection = replace(crossing.collection, then=then)


def _images(guide: Guide) -> None:
    for image in guide.crossing.plan.images if guide.crossing.plan else ():
        guide.dialogue.say(_in_words(image), indent=2)


def _in_words(image: PlannedImage) -> str:
    parts = [f"size {size(image.size)}"]
    parts += [f"shared {size(image.shared)}"] if image.shared else []
    parts += [f"held {size(image.held)}"] if image.held else []
    parts += [f"to fetch {size(image.to_fetch)}"] if image.to_fetch else ["nothing to fetch"]
    return f"{image.reference}: {image.result.error or ', '.join(parts)}"


_ACTIONS = {
    "place": _place,
    "platform": _platform,
    "layers": _layers,
    "verify": _verify,
    "then": _then,
    "images": _images,
}
