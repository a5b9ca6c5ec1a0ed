"""The sentences about logins: what a registry says to one, where it is from, what keeping changes.

Both guided front ends say them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airgap_tui.engine.credentials.credential import NGC_REGISTRY
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.guide.grammar import sentence
from airgap_tui.engine.quantities import count, elapsed

if TYPE_CHECKING:  # neither is needed before a registry was asked
    from airgap_tui.engine.jobs.access import AccessResult, RegistryAccess
    from airgap_tui.engine.jobs.kept_logins import Cause, LoginsResult
    from airgap_tui.engine.jobs.login_places import Planned


THIS_RUN = "this run only"
"""Where a login is from that was given in this run."""


def logins(result: AccessResult) -> str:
    from airgap_tui.engine.jobs.access import LoginStanding

    everything = sum(len(one.images) for one in result.registries)
    unread = len(result.unreadable)
    if unread:
        return f"Each chosen image has been asked for. {unread} of {everything} cannot be read yet."
    refused = any(one.standing is LoginStanding.REFUSED for one in result.registries)
    ending = "One login is refused, but not needed." if refused else "No login is missing."
    everything_there = "The image" if everything == 1 else f"All {count(everything, 'image')}"
    return f"{everything_there} can be read. {ending}"


def missing(result: AccessResult) -> str:
    """Why Next is shut; empty when it is open."""
    unread = len(result.unreadable)
    return f"Not yet: {count(unread, 'image')} cannot be read." if unread else ""


def in_words(one: RegistryAccess) -> str:
    """The column Login: `Not needed`, `$oauthtoken, refused`."""
    from airgap_tui.engine.jobs.access import LoginStanding

    if one.standing is LoginStanding.NOT_NEEDED:
        return "Not needed"
    if one.standing is LoginStanding.MISSING:
        return "None"
    if one.standing is LoginStanding.UNKNOWN:
        return "No answer"
    word = "refused" if one.standing is LoginStanding.REFUSED else "accepted"
    return f"{one.username}, {word}" if one.username else word.capitalize()


def origin(one: RegistryAccess) -> str:
    """Where the login in use is from: `NGC_API_KEY (wins over ~/.docker/config.json)`."""
    won = wins_over(one.shadows)
    return f"{one.origin} (wins over {won})" if won else one.origin


def winning(one: RegistryAccess) -> str:
    """`NGC_API_KEY wins over ~/.docker/config.json.`; empty where it is the only one."""
    won = wins_over(one.shadows)
    winner = "The login for this run" if one.origin == THIS_RUN else one.origin
    return f"{winner} wins over {won}." if won else ""


def wins_over(shadows: Sequence[str]) -> str:
    """The places of logins that another one wins over; empty without any."""
    if not shadows:
        return ""
    more = f" and {len(shadows) - 1} more" if len(shadows) > 1 else ""
    return f"{shadows[0]}{more}"


def unreadable(one: RegistryAccess, causes: Sequence[Cause]) -> str:
    """Why images of a registry cannot be read: each reason once, with how many it stops."""
    ngc = one.registry == NGC_REGISTRY
    first, others = causes[0], len(causes) - 1
    stopped = len(first.images)
    if isinstance(one.refusal, AccessDenied):
        what = "key" if ngc else "login"
        said = f"{one.refusal.message.replace(f' for {one.registry}:', ':')}."
        public = len(one.images) - len(one.unreadable)
        if public:
            images = "public image" if public == 1 else f"{public} public images"
            said += f" The {images} can be read without a {what}."
        needs = "This one needs" if stopped == 1 else f"These {stopped} need"
        ending = f"{needs} a valid {what}" if first.reason == one.refusal.message else first.reason
        said += f" {ending}"
    else:
        said = f"{count(stopped, 'image')} cannot be read: {first.reason}"
    if not others:
        return f"{said}:"
    rest = sum(len(cause.images) for cause in causes[1:])
    why = "another reason" if others == 1 else f"{others} other reasons"
    return f"{said}; {rest} more for {why}:"


def downloads_left(one: RegistryAccess) -> str:
    """What a registry still allows, where it says so: Docker Hub does."""
    limit = one.rate_limit
    if limit is None:
        return ""
    needed = len(one.images)
    window = f" for the next {elapsed(limit.window_seconds)}" if limit.window_seconds else ""
    return f"{limit.remaining} of {limit.limit} downloads left{window}; this list needs {needed}"


# Keeping one


def keeping(registry: str) -> str:
    return f"Where should the login of {registry} be kept? What changes is shown first."


def change_heading(registry: str) -> str:
    return f"This keeps the login of {registry}. Nothing is written yet."


def change(planned: Planned) -> str:
    """What keeping a login will change in one place, for a page of its own."""
    found = planned.change
    lines = ["File", f"  {found.place}, mode {found.mode:04o}: {_readers(found.mode)}"]
    if found.helper is not None and found.path is not None:
        lines = ["Place", f"  {found.place} takes the password; the rest goes into {found.path}"]
    lines += ["", "There now", f"  {found.before}", "", "Afterwards", f"  {found.after}"]
    if found.notes:
        lines += ["", "Worth knowing", *(f"  {sentence(note)}" for note in found.notes)]
    return "\n".join(lines)


def kept(planned: Planned, wins: str) -> str:
    """What is to be told once a login is kept, as far as it is more than that."""
    lines = [f"The login is kept in {planned.change.place}."]
    if wins:
        lines += ["", f"{wins} wins over it whenever this program starts anew."]
    if planned.change.then:
        lines += ["", "What to do next", *(f"  {one}" for one in planned.change.then.split("\n"))]
    return "\n".join(lines)


# All logins


def all_logins(result: LoginsResult, *, tested: bool) -> str:
    logins_there = sum(len(one.logins) for one in result.registries)
    with_login = sum(bool(one.logins) for one in result.registries)
    if not logins_there:
        return "No registry has a login here; public images need none."
    said = f"{count(logins_there, 'login')} for {_registries(with_login)}."
    if not tested:
        return f"{said} None of them has been tried yet."
    if not result.causes:
        return f"{said} Everything that was asked for works."
    refused = sum(len(cause.registries) for cause in result.causes)
    unread = sum(len(cause.images) for cause in result.causes)
    parts = [f"{count(unread, 'image')} cannot be read"] if unread else []
    parts += [f"{_registries(refused)} did not take the login"] if refused else []
    return f"{said} {'; '.join(parts)}."


def not_used(reason: str, remedy: str) -> str:
    return f"Not used: {reason}.{f' {remedy}' if remedy else ''}"


def file_taken(registries: Sequence[str], where: str) -> str:
    name = where.rpartition("/")[2]
    if not registries:
        return f"{name} holds no login that can be used."
    return f"{count(len(registries), 'login')} of {name} for this run."


def _registries(number: int) -> str:
    return "1 registry" if number == 1 else f"{number} registries"


def _readers(mode: int) -> str:
    return "only you can read it" if not mode & 0o077 else "everybody can read it"
