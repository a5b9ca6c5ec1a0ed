"""Images in use: where to look for them, the looking itself, and which of those found to carry."""

from __future__ import annotations

from airgap_tui.cli.guide.dialogue import Back, Dialogue
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.events import Event, ItemChanged
from airgap_tui.engine.guide import commands, in_use, in_use_sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import HostSeen, Looking
from airgap_tui.engine.guide.where import Asked, Where, hosts_in_words, paths, understood
from airgap_tui.engine.jobs.discovery import discover
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult
from airgap_tui.engine.quantities import count

_MOST_TOLD = 20
_EXPLAINED = (
    "Looks for the images that people run: in engines, shell histories, Slurm, Enroot, Kubernetes"
    " and files. Hosts are asked over ssh with its own keys and settings, and nothing is installed"
    " there. Nothing is asked before you choose to look."
)
_HOSTS = (
    "Names with blanks between them: admin@dgx01, a range of Slurm such as dgx[01-04,7], or the"
    " path of an Ansible inventory."
)
_FILES = (
    "Paths with blanks between them: logs, histories, scripts, manifests, saved output of docker"
    " images, or directories of such files."
)


def find_in_use(guide: Guide) -> None:
    """Ends when images are added, or with `Back`."""
    if guide.crossing.searched is None:
        _look(guide)
    while True:
        found = guide.crossing.searched
        if found is None:
            return
        _tell(guide.dialogue, found)
        choices = _choices(found)
        answer = guide.dialogue.choose(choices, choices[0].key, explanation=_EXPLAINED)
        if answer == "add":
            crossing = guide.crossing
            crossing.wish(crossing.collection.with_wishes(in_use.wishes(found.chosen)))
            guide.dialogue.say(f"Added {count(len(found.chosen), 'image')}.")
            return
        if answer == "choose":
            _choose(guide, found)
        elif answer == "others":
            guide.dialogue.say(in_use.left_aside(found))
        elif answer == "show":
            _tell_images(guide.dialogue, found, len(found.images))
        else:
            _look(guide)


def _choices(found: Searched) -> list[Choice]:
    offered = []
    if found.chosen:
        offered.append(Choice("add", f"Add {count(len(found.chosen), 'image')}"))
    if found.images:
        offered.append(Choice("choose", "Choose images or leave them out"))
    if len(found.images) > _MOST_TOLD:
        offered.append(Choice("show", f"Show all {count(len(found.images), 'image')}"))
    if in_use.left_aside(found):
        text = "Show the names left aside, and what could not be read"
        offered.append(Choice("others", text))
    return [*offered, Choice("elsewhere", "Look elsewhere")]


# --- where, and the looking -----------------------------------------------------------------------


def _look(guide: Guide) -> None:
    """Ask where until the user looks there; what was typed stays for the next time."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        crossing.where = _where(dialogue, crossing.where)
        asked = understood(crossing.where)
        if not asked.somewhere:
            dialogue.say("Choose where to look.")
            continue
        dialogue.say("The command that does the same:")
        dialogue.command(commands.discover(asked))
        choices = [
            Choice("look", in_use_sentences.look(asked)),
            Choice("change", "Change where to look"),
        ]
        if dialogue.choose(choices, "look", explanation=_EXPLAINED) == "look":
            try:
                crossing.searched = _searched(guide, asked)
            except AirgapError as error:
                dialogue.error(error)
            else:
                return


def _where(dialogue: Dialogue, before: Where) -> Where:
    here = dialogue.confirm("Look on this machine", before.here, explanation=_EXPLAINED)
    return Where(
        here,
        _valid(dialogue, "Other hosts", before.hosts, _HOSTS),
        _valid(dialogue, "Files or directories", before.files, _FILES),
    )


def _valid(dialogue: Dialogue, question: str, before: str, explanation: str) -> str:
    """Ask until it can be read."""
    while True:
        text = dialogue.optional(question, before, explanation=explanation)
        try:
            if explanation is _HOSTS:
                hosts_in_words(text)
            else:
                paths(text)
        except UsageError as error:
            dialogue.error(error)
        else:
            return text


def _searched(guide: Guide, asked: Asked) -> Searched:
    spec, remarks = asked.spec()
    looking, told = Looking(), set[str]()

    def take(event: Event) -> None:
        looking.take(event)
        if isinstance(event, ItemChanged):
            for host in looking.hosts():
                line = _host_line(host, f"{count(host.found, 'name')} found")
                if host.name == event.item and host.over and line not in told:
                    told.add(line)
                    guide.dialogue.say(line, indent=2)

    def work(token: CancelToken) -> DiscoverResult:
        return discover.run(spec, take, token)

    result = guide.wait("Looking .. Ctrl-C stops it and keeps what was found.", work, keep=True)
    return in_use.searched(result, asked, looking.hosts(), remarks, guide.crossing.collection)


# --- what was found -------------------------------------------------------------------------------


def _tell(dialogue: Dialogue, found: Searched) -> None:
    dialogue.say(in_use_sentences.searched(found))
    for host in found.hosts:
        if host.troubled:
            dialogue.say(_host_line(host), indent=2)
            for remark in in_use.remarks_on(found, host):
                dialogue.say(remark.remedy, indent=4)
            for source in host.sources:
                if source.troubled:
                    state = in_use.source_state(source)
                    dialogue.say(f"! {in_use.kind_name(source.kind)}: {state}", indent=4)
    _tell_images(dialogue, found, _MOST_TOLD)


def _host_line(host: HostSeen, found: str = "") -> str:
    mark = "! " if host.troubled else ""
    told = "; ".join(part for part in (in_use.host_state(host), found) if part)
    return f"{mark}{in_use.host_name(host)}: {told}."


def _tell_images(dialogue: Dialogue, found: Searched, most: int) -> None:
    for number, image in enumerate(found.images[:most], start=1):
        chosen = "not chosen" if image.reference in found.left_out else "chosen"
        used = in_use.used(image)
        text = f"{number}. {image.reference}: {chosen}; {used[:1].lower()}{used[1:]}"
        dialogue.say(text, indent=2)
    if len(found.images) > most:
        dialogue.say(f"and {len(found.images) - most} more", indent=2)


def _choose(guide: Guide, found: Searched) -> None:
    dialogue = guide.dialogue
    if len(found.images) > _MOST_TOLD:
        _tell_images(dialogue, found, len(found.images))
    question = "Numbers to choose, or to leave out if they are chosen"
    try:
        numbers = dialogue.several(question, len(found.images), explanation=_EXPLAINED)
    except Back:
        return
    meant = [found.images[number - 1].reference for number in numbers]
    out = [reference for reference in meant if reference in found.left_out]
    chosen = [reference for reference in meant if reference not in found.left_out]
    guide.crossing.searched = found.choosing(True, out).choosing(False, chosen)
