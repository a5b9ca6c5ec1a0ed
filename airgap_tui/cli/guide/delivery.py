"""Review and Deliver: what will happen on the offline side, the work, and what came of it."""

from __future__ import annotations

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back, Leave
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands
from airgap_tui.engine.guide.answers import Destination
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.quantities import count, size

_VERBS = {
    Destination.REGISTRY: "Push",
    Destination.DOCKER: "Load",
    Destination.PODMAN: "Load",
    Destination.SERVE: "Serve",
}


def review_delivery(guide: Guide) -> None:
    """Ends when the work has begun."""
    crossing, dialogue = guide.crossing, guide.dialogue
    answers, contents = crossing.delivery, crossing.contents
    if contents is None:
        raise Back
    images = arrival.going(contents, answers)
    number = count(len(images), "image")
    place = _place(guide)
    dialogue.say(
        f"{number}, {size(sum(i.bytes for i in images))}, from {contents.path} to {place}."
    )
    for image in arrival.staying(contents, answers):
        reason = f", {image.problem}" if image.problem else ""
        dialogue.say(f"! {image.reference} stays here{reason}.", indent=2)
    dialogue.say("The command that does the same:")
    dialogue.command(commands.deliver(answers))
    while True:
        offered = [
            Choice("begin", f"{_VERBS[answers.destination]} {number}"),
            Choice("names", "Show what each image is called there"),
        ]
        answer = dialogue.choose(offered, "begin")
        if answer == "names":
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
        watching.tell(guide, job, verb)
        ended = watching.step_of(job, verb)
        if ended is not None:
            _tell_images(guide, ended)
        offered = [*watching.ways_on(job, verb, ""), Choice("finish", "Finish")]
        offered = [choice for choice in offered if choice.key != "next"]
        offered.append(Choice("where", "Deliver to a further place"))
        offered.append(Choice("start", "Back to the first question"))
        answer = dialogue.choose(offered, offered[0].key)
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


def _place(guide: Guide) -> str:
    answers = guide.crossing.delivery
    if answers.destination is Destination.REGISTRY:
        return f"{answers.registry}/{answers.project}".rstrip("/")
    if answers.destination is Destination.SERVE:
        return f"whoever pulls from {answers.listen}"
    name = "Podman" if answers.destination is Destination.PODMAN else "Docker"
    return f"{name} on this host"


def _tell_names(guide: Guide) -> None:
    answers, contents, dialogue = guide.crossing.delivery, guide.crossing.contents, guide.dialogue
    images = arrival.going(contents, answers) if contents is not None else ()
    if answers.destination is Destination.REGISTRY:
        for source, target in arrival.assigned(answers, images).items():
            dialogue.say(f"{source} becomes {target}", indent=2)
    elif answers.destination is Destination.SERVE:
        for image in images:
            dialogue.say(arrival.pulled_as(answers.listen, "HOST", image.reference), indent=2)
    else:
        dialogue.say(arrival.names_stay())


def _tell_images(guide: Guide, ended: Ended) -> None:
    for item in ended.result.items if ended.result is not None else ():
        if item.succeeded:
            guide.dialogue.say(_in_words(item), indent=2)


def _in_words(item: ItemResult) -> str:
    """What the source said and what the target says now."""
    there = f" as {item.target}" if item.target and item.target != item.reference else ""
    if not item.target_digest:
        digest = f", digest {item.digest}" if item.digest else ""
    elif item.target_digest == item.digest:
        digest = f", digest {item.digest}, the same there"
    else:
        digest = f", digest {item.digest} here, {item.target_digest} there"
    return f"{item.reference} is there{there}{digest}"
