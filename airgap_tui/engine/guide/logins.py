"""What to say of a registry's login, and the login that somebody typed, tried and taken."""

from __future__ import annotations

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import NGC_REGISTRY, NGC_USERNAME, Credential
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import login
from airgap_tui.engine.jobs.access import LoginStanding, RegistryAccess
from airgap_tui.engine.jobs.login import LoginResult, LoginSpec
from airgap_tui.engine.quantities import count

_THIS_RUN = "this run only"


def may_be_given(one: RegistryAccess) -> bool:
    """Whether a login could help here."""
    if one.standing is LoginStanding.REFUSED:
        return True
    return any(isinstance(image.error, AccessDenied) for image in one.unreadable)


def explained(one: RegistryAccess) -> tuple[str, str, str]:
    """The reason, the image that it stops, and the remedy or a further word."""
    left = sentences.downloads_left(one)
    if not one.unreadable:
        if one.refusal is not None:
            said = f"{one.refusal.message} All chosen images of {one.registry} can be read without."
            return said, "", one.refusal.hint
        return "", "", left
    first = one.unreadable[0]
    error = one.refusal or first.error
    others = len(one.unreadable) - 1
    more = f" and {count(others, 'other')}" if others else ""
    readable = len(one.images) - len(one.unreadable)
    public = f" {readable} of its images can be read without." if one.refusal and readable else ""
    message = error.message if error is not None else ""
    message = message.removeprefix(f"{first.reference}: ")
    said = f"{message}.{public}"
    if not message.startswith(one.registry):
        said = said[:1].upper() + said[1:]
    return said, f"{first.reference}{more}", error.hint if error else left


def username(one: RegistryAccess) -> str:
    """The user name to propose."""
    return NGC_USERNAME if one.registry == NGC_REGISTRY else one.username


def secret_name(registry: str) -> tuple[str, str]:
    """What the secret is called there, and how it can be told: `NGC key`, `Begins with nvapi-`."""
    return ("NGC key", "Begins with nvapi-") if registry == NGC_REGISTRY else ("Password", "")


def spec_of(crossing: Crossing, one: RegistryAccess, user: str, *, keep: bool) -> LoginSpec:
    """How the login is tried: with an image that cannot be read yet, where there is one."""
    image = one.unreadable[0].reference if one.unreadable else None
    settings = crossing.collection.settings
    return LoginSpec(one.registry, user, settings=settings, image=image, keep=keep)


def attempt(spec: LoginSpec, secret: str, token: CancelToken) -> LoginResult:
    """Try it; keeps it where the spec says so. Raises as `jobs.login.run`."""
    return login.run(spec, discard, token, secret=secret)


def take(crossing: Crossing, result: LoginResult, secret: str) -> None:
    """Use the login that was accepted, in this run."""
    origin = result.kept_in or _THIS_RUN
    crossing.logins[result.registry] = Credential(result.username, secret, origin)


def settle_refused(crossing: Crossing) -> None:
    """Read without a login where the one that there is was refused, and nothing needs it."""
    for registry in crossing.access.anonymous if crossing.access is not None else ():
        crossing.logins.setdefault(registry, None)
