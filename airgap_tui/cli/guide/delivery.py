"""Review and Deliver: what will happen on the offline side, the work, and what came of it."""

from __future__ import annotations

import socket

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back, Leave
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.cli.results import tell_failures
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands, handover, outcome
from airgap_tui.engine.guide.answers import Destination
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.result import ItemResult

_EXPLAINED = (
    "Layers that images share are sent once. Each layer is compared with its digest on its way, and"
    " each image's digest with what the target says afterwards."
)
_DELIVERED = (
    "The digest is the SHA-256 checksum of an image: the same here and there means that not a bit"
    " differs. For Docker and Podman it is the image ID, as docker images shows it."
)


def review_delivery(guide: Guide) -> None:
    """Ends when the work has begun."""
    crossing, dialogue = guide.crossing, guide.dialogue
    contents = crossing.contents
    if contents is None:
        raise Back
    answers = arrival.without_staying(contents, crossing.delivery)
    images = arrival.going(contents, answers)
    dialogue.say(handover.review(answers, images))
    dialogue.say(f"From {contents.path}. {handover.checked(crossing.verified)}.")
    dialogue.say(f"To {handover.target(answers)}.")
    for image in arrival.staying(contents, answers):
        dialogue.say(f"! {image.reference} stays out: {image.problem or 'damaged'}.", indent=2)
    dialogue.say("The command that does the same:")
    dialogue.command(commands.deliver(answers))
    missing = handover.missing(answers, images)
    if missing:
        dialogue.say(missing)
        raise Back
    offered = [
        Choice("begin", handover.begin(answers, len(images))),
        Choice("names", "Show what each image is called there"),
    ]
    while True:
        if dialogue.choose(offered, "begin", explanation=_EXPLAINED) == "names":
            _tell_names(guide)
            continue
        try:
            watching.begin(guide, chains.delivering(answers), commands.deliver(answers))
            return
        except AirgapError as error:
            dialogue.error(error)


def deliver(guide: Guide) -> None:
    """Watch the work; then say of each image what is there now."""
    dialogue = guide.dialogue
    while True:
        job = watching.watch(guide)
        verb = job.order.verbs[-1]
        ended = watching.step_of(job, verb)
        if verb == "serve" and ended is not None and ended.result is not None:
            dialogue.say(handover.serving_ended(job.snapshot.served))
        elif ended is None or ended.result is None:
            watching.tell(guide, job, verb)
        else:
            _tell(guide, job, ended)
        offered = [one for one in watching.ways_on(job, verb, "") if one.key != "next"]
        offered += [
            Choice("finish", "Finish"),
            Choice("where", "Deliver to a further place"),
            Choice("start", "Back to the first question"),
        ]
        answer = dialogue.choose(offered, offered[0].key, explanation=_DELIVERED)
        if answer == "finish":
            raise Leave
        if answer == "start":
            raise ToTheStart
        if answer == "where":
            raise Back(2)
        try:
            watching.again(guide, job, verb)
        except AirgapError as error:
            dialogue.error(error)


def _tell(guide: Guide, job: JobInfo, ended: Ended) -> None:
    """Each image's digest, what the target says of it, and what to type now."""
    dialogue = guide.dialogue
    dialogue.say(outcome.delivered(ended, outcome.target_of(ended)))
    items = ended.result.items if ended.result is not None else ()
    for item in items:
        if item.succeeded:
            dialogue.say(_in_words(item, pushed=ended.verb == "push"), indent=2)
    tell_failures(guide.output, items)
    for name, value in outcome.for_the_online_side(ended.result):
        dialogue.say(f"{name}, for the online side: {value}")
    engine = "podman" if "podman" in job.order.command else "docker"
    command = outcome.next_command(ended, engine)
    if command:
        pushed = ended.verb == "push"
        dialogue.say("On any host that may read there:" if pushed else "To try one:")
        dialogue.command(command)


def _in_words(item: ItemResult, *, pushed: bool) -> str:
    """What the source said, and what the target says now."""
    there = f" as {item.target}" if item.target and item.target != item.reference else ""
    here, what = item.digest, "digest" if pushed else "image ID"
    if not item.target_digest:
        digest = f", digest {here}" if here else ""
    elif item.target_digest == here:
        digest = f", {what} {here}, the same there"
    else:
        digest = f", digest {here} here, {what} {item.target_digest} there"
    return f"{item.reference} is there{there}{digest}"


def _tell_names(guide: Guide) -> None:
    answers, contents, dialogue = guide.crossing.delivery, guide.crossing.contents, guide.dialogue
    images = arrival.going(contents, answers) if contents is not None else ()
    if answers.destination is Destination.REGISTRY:
        for source, target in arrival.assigned(answers, images).items():
            dialogue.say(f"{source} becomes {target}", indent=2)
    elif answers.destination is Destination.SERVE:
        own = socket.gethostname().partition(".")[0]
        for image in images:
            dialogue.command(arrival.pulled_as(answers.listen, own, image.reference))
    else:
        dialogue.say(arrival.names_stay())
