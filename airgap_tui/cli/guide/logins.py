"""Logins: every chosen image is asked for, and each registry's login is told for what it is."""

from __future__ import annotations

from airgap_tui.cli.guide.all_logins import show_all_logins
from airgap_tui.cli.guide.dialogue import Back, sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.cli.guide.keeping import keep_login
from airgap_tui.engine.credentials.credential import without_line_breaks
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import commands, keeping, logins
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import AccessResult, AccessSpec, RegistryAccess
from airgap_tui.engine.quantities import count

_EXPLAINED = (
    "Each chosen image is asked for, because a registry may let everybody read some images and not"
    " others. A login is tried with all of them before it is taken, and never shown. Images that"
    " cannot be read can be left out."
)


def settle_logins(guide: Guide) -> None:
    """Ends when every chosen image can be read and the user goes on."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        result = crossing.access or _ask(guide)
        dialogue.say(sentences.logins(result))
        for one in result.registries:
            _tell(guide, one)
        offered = _choices(result)
        answer = dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)
        what, _, registry = answer.partition(" ")
        if what == "next":
            logins.settle_refused(crossing)
            return
        if what == "again":
            crossing.access = None
        elif what == "all":
            show_all_logins(guide)
        else:
            one = next(one for one in result.registries if one.registry == registry)
            _do(guide, what, one)


def _do(guide: Guide, what: str, one: RegistryAccess) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    if what == "login":
        _give(guide, one)
    elif what == "keep":
        _keep(guide, one, proposed="")
    elif what == "which":
        dialogue.say(logins.images_in_words(one), indent=2)
    else:
        gone = [image.reference for image in one.unreadable]
        crossing.wish(crossing.collection.choosing(False, *gone))
        if not crossing.collection.chosen:
            dialogue.say("No image is left.")
            raise Back


def _ask(guide: Guide) -> AccessResult:
    crossing = guide.crossing
    references = crossing.collection.chosen
    spec = AccessSpec(references, crossing.collection.settings)
    crossing.access = guide.wait(
        f"Asking for {count(len(references), 'image')}.",
        lambda token: access.run(spec, discard, token, crossing.credentials()),
    )
    return crossing.access


def _tell(guide: Guide, one: RegistryAccess) -> None:
    readable = len(one.images) - len(one.unreadable)
    login = sentences.in_words(one)
    kept = f", kept in {sentences.origin(one)}" if one.origin else ""
    dialogue = guide.dialogue
    can = f"{readable} of {count(len(one.images), 'image')} can be read"
    dialogue.say(f"{one.registry}: login {login[:1].lower()}{login[1:]}{kept}; {can}.", indent=2)
    reason, unread, hint = logins.explained(one)
    if reason:
        dialogue.say(f"! {sentence(reason)}", indent=4)
    if unread:
        dialogue.say(f"{unread}.", indent=6)
    if hint:
        dialogue.say(sentence(hint), indent=4)


def _choices(result: AccessResult) -> list[Choice]:
    """The likeliest first."""
    found = []
    for one in result.registries:
        if logins.may_be_given(one):
            found.append(Choice(f"login {one.registry}", f"Give a login for {one.registry}"))
    for one in result.registries:
        if one.unreadable:
            images = count(len(one.unreadable), "image")
            found.append(Choice(f"leave {one.registry}", f"Leave out {images} of {one.registry}"))
        if len(one.unreadable) > 1:
            found.append(Choice(f"which {one.registry}", f"Show which images of {one.registry}"))
    for one in result.registries:
        if logins.can_be_kept(one):
            said = f"Keep the login of {one.registry} elsewhere"
            found.append(Choice(f"keep {one.registry}", said))
    found.append(Choice("all", "Show all logins of this machine"))
    if result.unreadable:
        return [*found, Choice("again", "Ask again")]
    return [Choice("next", "Go on to Review"), *found]


def _give(guide: Guide, one: RegistryAccess) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    dialogue.say("The command that does the same:")
    dialogue.command(commands.login(one.registry))
    name, remark = logins.secret_name(one.registry)
    source = logins.secret_source(one.registry)
    if source:
        dialogue.say(f"{source}.")
    try:
        user, secret = dialogue.login(
            f"User name at {one.registry}",
            logins.username(one),
            f"{name}, {remark[:1].lower()}{remark[1:]}" if remark else name,
        )
        tried = guide.wait(
            "Trying it.", lambda token: logins.attempt(crossing, one, user, secret, token)
        )
    except Back:
        return
    except AirgapError as error:
        dialogue.error(error)
        return
    if without_line_breaks(secret) != secret.strip():
        dialogue.say("It looked like a key with a line break; that was taken out.")
    logins.take(crossing, tried)
    dialogue.say(f"{one.registry} accepts it.")
    _keep(guide, one, proposed=keeping.RUN)


def _keep(guide: Guide, one: RegistryAccess, *, proposed: str) -> None:
    """Ask where, unless the user goes back: the login then holds for this run."""
    dialogue, registry = guide.dialogue, one.registry
    offered = [Choice(c.key, c.text, c.about) for c in keeping.offered(registry)]
    dialogue.say("Where to keep it:")
    try:
        answer = dialogue.choose(
            [keeping.MEMORY, *offered] if proposed else offered,
            proposed,
            explanation=f"What changes is shown before it is written. {keeping.COMMAND_ONLY}",
        )
        if answer != keeping.RUN:
            keep_login(guide, registry, answer)
            return
    except Back:
        pass
    except AirgapError as error:
        dialogue.error(error)
    if proposed:
        dialogue.say("It holds for this run.")
