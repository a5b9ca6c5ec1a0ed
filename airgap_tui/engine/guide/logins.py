"""What to say of a registry's login, and the login that somebody typed, tried and taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import NGC_REGISTRY, NGC_USERNAME, Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import commands
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.login_sentences import THIS_RUN
from airgap_tui.engine.jobs import access, kept_logins, login
from airgap_tui.engine.jobs.access import AccessResult, AccessSpec, LoginStanding, RegistryAccess
from airgap_tui.engine.jobs.kept_logins import Cause
from airgap_tui.engine.jobs.login import LoginSpec
from airgap_tui.engine.quantities import count

_NO_LOGIN = 401


@dataclass(frozen=True, slots=True)
class Tried:
    """A login that was taken by its registry, and what every chosen image there says to it."""

    credential: Credential
    access: RegistryAccess


def may_be_given(one: RegistryAccess) -> bool:
    """Whether a login could help here."""
    if one.standing is LoginStanding.REFUSED:
        return True
    return any(isinstance(image.error, AccessDenied) for image in one.unreadable)


def can_be_kept(one: RegistryAccess) -> bool:
    """Whether there is a login that works, to be kept in another place as well."""
    return one.standing is LoginStanding.ACCEPTED


def explained(one: RegistryAccess) -> tuple[str, str, str]:
    """The reason, the image that it stops, and the remedy or a further word."""
    left = sentences.downloads_left(one)
    if not one.unreadable:
        if one.refusal is not None:
            said = f"{one.refusal.message} All chosen images of {one.registry} can be read without."
            return said, "", one.refusal.hint
        return "", "", left
    found = causes_of(one)
    first = found[0]
    others = len(one.unreadable) - 1
    more = f" and {count(others, 'other')}" if others else ""
    hint = first.hint.removeprefix(f"Log in with: {commands.login(one.registry)}")
    return (
        sentences.unreadable(one, found),
        f"{first.images[0]}{more}",
        hint.lstrip(". ") if first.hint else left,
    )


def causes_of(one: RegistryAccess) -> tuple[Cause, ...]:
    """Each reason why images of a registry cannot be read, what stops the most images first."""
    found = [cause for cause in kept_logins.causes([one]) if cause.images]
    return tuple(sorted(found, key=lambda cause: -len(cause.images)))


def username(one: RegistryAccess) -> str:
    """The user name to propose."""
    return NGC_USERNAME if one.registry == NGC_REGISTRY else one.username


def secret_name(registry: str) -> tuple[str, str]:
    """What the secret is called there, and how it can be told: `NGC key`, `Begins with nvapi-`."""
    return ("NGC key", "Begins with nvapi-") if registry == NGC_REGISTRY else ("Password", "")


def secret_source(registry: str) -> str:
    """Where a secret is to be had; empty where that is not known."""
    if registry != NGC_REGISTRY:
        return ""
    return "Made at ngc.nvidia.com under Setup; best not a person's own"


def attempt(
    crossing: Crossing, one: RegistryAccess, user: str, secret: str, token: CancelToken
) -> Tried:
    """Try a login with the registry and with every chosen image there; nothing is kept.

    Raises `AccessDenied` where it is refused, or opens no image that could not be read without
    it; further as `jobs.login.credential_of`, and `ConnectionFailure` where nobody answers.
    """
    settings = crossing.collection.settings
    spec = LoginSpec(one.registry, user, settings=settings, keep=False)
    typed = login.credential_of(spec, secret, discard)
    references = tuple(image.reference for image in one.images)
    asked = access.run(
        AccessSpec(references, settings, (one.registry,)),
        discard,
        token,
        CredentialStore({one.registry: typed}),
    )
    (answer,) = asked.registries
    if answer.refusal is not None:
        raise answer.refusal
    helped = len(answer.unreadable) < len(one.unreadable)
    for image in answer.unreadable:
        error = image.error
        if isinstance(error, AccessDenied) and error.status == _NO_LOGIN and not helped:
            raise error
    return Tried(replace(typed, origin=THIS_RUN), answer)


def take(crossing: Crossing, tried: Tried) -> None:
    """Use the login that was accepted, in this run; the answers of other registries still hold."""
    registry, credential = tried.access.registry, tried.credential
    crossing.logins[registry] = credential
    crossing.plan = None
    known = crossing.access.registries if crossing.access is not None else ()
    crossing.access = AccessResult(tuple(_with_login(one, tried) for one in known))


def call_it(crossing: Crossing, registry: str, origin: str) -> None:
    """Say from now on that this run's login for a registry is that of a place."""
    given = crossing.logins.get(registry)
    if given is None:
        return
    crossing.logins[registry] = replace(given, origin=origin)
    if crossing.access is not None:
        crossing.access = AccessResult(
            tuple(
                _kept_in(one, origin) if one.registry == registry else one
                for one in crossing.access.registries
            )
        )


def settle_refused(crossing: Crossing) -> None:
    """Read without a login where the one that there is was refused, and nothing needs it."""
    for registry in crossing.access.anonymous if crossing.access is not None else ():
        crossing.logins.setdefault(registry, None)


def images_in_words(one: RegistryAccess) -> str:
    """Every chosen image of a registry, those that cannot be read under their reasons."""
    lines: list[str] = []
    for cause in causes_of(one):
        lines += _group(f"Cannot be read: {cause.reason}", cause.images)
        lines += [f"  {cause.hint}", ""] if cause.hint else [""]
    readable = [str(image.reference) for image in one.images if image.readable]
    lines += _group("Can be read", readable) if readable else []
    return "\n".join(lines).rstrip("\n")


def _kept_in(one: RegistryAccess, origin: str) -> RegistryAccess:
    """The login is there now, in the place of any other that was."""
    shadows = tuple(where for where in one.shadows if where != origin)
    return replace(one, origin=origin, shadows=shadows)


def _with_login(one: RegistryAccess, tried: Tried) -> RegistryAccess:
    """What is known of a registry, with the answers to the new login where it is its own."""
    if one.registry != tried.access.registry:
        return one
    before = (one.origin, *one.shadows) if one.origin else ()
    shadows = tuple(where for where in before if where != THIS_RUN)
    return replace(tried.access, origin=tried.credential.origin, shadows=shadows)


def _group(heading: str, images: Sequence[str]) -> list[str]:
    return [f"{heading} ({count(len(images), 'image')})", *(f"  {image}" for image in images)]
