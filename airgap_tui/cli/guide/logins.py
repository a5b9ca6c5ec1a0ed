"""Logins: every chosen image is asked for, and each registry's login is told for what it is."""

from __future__ import annotations

from airgap_tui.cli.guide.dialogue import Back, sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.credentials.credential import without_line_breaks
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import choices, commands, logins, sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import AccessResult, AccessSpec, RegistryAccess
from airgap_tui.engine.quantities import count

_EXPLAINED = (
    "Each chosen image is asked for, because a registry may let everybody read some images and not"
    " others. A login is tried before it is taken, and never shown. Images that cannot be read can"
    " be left out."
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
        elif what == "login":
            _give(guide, next(one for one in result.registries if one.registry == registry))
        else:
            gone = [
                image.reference
                for image in result.unreadable
                if image.reference.registry == registry
            ]
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
    login = sentences.login_in_words(one)
    kept = f", kept in {one.origin}" if one.origin else ""
    dialogue = guide.dialogue
    can = f"{readable} of {count(len(one.images), 'image')} can be read"
    dialogue.say(f"{one.registry}: login {login[:1].lower()}{login[1:]}{kept}; {can}.", indent=2)
    reason, unread, hint = logins.explained(one)
    if reason:
        dialogue.say(f"! {sentence(reason)}", indent=4)
    if unread:
        dialogue.say(f"It stops {unread}.", indent=4)
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
    if result.unreadable:
        return [*found, Choice("again", "Ask again")]
    return [Choice("next", "Go on to Review"), *found]


def _give(guide: Guide, one: RegistryAccess) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    dialogue.say("The command that does the same:")
    dialogue.command(commands.login(one.registry))
    name, remark = logins.secret_name(one.registry)
    try:
        user = dialogue.ask(f"User name at {one.registry}", logins.username(one))
        secret = dialogue.secret(f"{name}, {remark[:1].lower()}{remark[1:]}" if remark else name)
        dialogue.say("Where to keep it:")
        keep = dialogue.choose(choices.KEEPING, "run") == "file"
        spec = logins.spec_of(crossing, one, user, keep=keep)
        result = guide.wait("Trying it.", lambda token: logins.attempt(spec, secret, token))
    except Back:
        return
    except AirgapError as error:
        dialogue.error(error)
        return
    if without_line_breaks(secret) != secret.strip():
        dialogue.say("It looked like a key with a line break; that was taken out.")
    logins.take(crossing, result, secret)
    kept = f"It is kept in {result.kept_in}." if result.kept_in else "It holds for this run."
    dialogue.say(f"{one.registry} accepts it. {kept}")
    if result.wins:
        dialogue.say(f"! {result.wins} wins over it whenever this program starts anew.")
    crossing.access = crossing.plan = None
