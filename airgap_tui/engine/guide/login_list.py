"""Every login that this machine has: from where, which one wins, what is wrong, and what it opens.

A file that somebody names joins them for this run: pull secrets, DeepOps' variables in a vault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.named_file import NamedFile
from airgap_tui.engine.credentials.source import Problem, Unusable
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide import logins
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import kept_logins
from airgap_tui.engine.jobs.access import LoginStanding, RegistryAccess
from airgap_tui.engine.jobs.kept_logins import Cause, LoginsResult, LoginsSpec, RegistryLogins
from airgap_tui.engine.quantities import count
from airgap_tui.engine.redaction import remember

_NO_WORD = "-"
_PART = "it is for a part of a registry, and only a whole registry's login is taken from a file"


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One login, or a place that is not as it should be. `good` is None where nothing is known of
    it yet. `account` tells in a sentence or two what the words `use` and `tested` mean here."""

    key: str
    registry: str
    username: str
    origin: str
    use: str
    tested: str = _NO_WORD
    good: bool | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file: the registries whose logins are used from now on in this run."""

    registries: tuple[str, ...]
    origin: str


def look(crossing: Crossing, token: CancelToken, *, test: bool) -> LoginsResult:
    """Read every place; with `test` each login is tried, and every chosen image asked for."""
    collection = crossing.collection
    references = collection.chosen if test else ()
    spec = LoginsSpec(references, test, settings=collection.settings)
    return kept_logins.run(spec, discard, token, given=crossing.logins)


def rows(crossing: Crossing, result: LoginsResult) -> tuple[LoginRow, ...]:
    """Of each registry the login that wins, those that it wins over, and those that are no use;
    then what names no registry, and the places that are not as they should be."""
    found = [row for one in result.registries for row in _of_registry(one)]
    lost = (*result.nameless, *crossing.not_taken)
    found += [_not_used(f"lost {n}", one) for n, one in enumerate(lost)]
    found += [_place(f"place {n}", one) for n, one in enumerate(result.problems)]
    return tuple(found)


def in_detail(result: LoginsResult, registry: str) -> str:
    """Everything about one registry: its logins in the order in which they win, and its images."""
    (one,) = (one for one in result.registries if one.name == registry)
    lines = [
        f"{row.username} from {row.origin}: {row.use.lower()}"
        + (f", {row.tested.lower()}" if row.tested != _NO_WORD else "")
        for row in _of_registry(one)
    ]
    if one.access is not None:
        images = logins.images_in_words(one.access)
        causes = tuple(kept_logins.causes([one.access]))
        lines += ["", *(cause.reason for cause in causes if not cause.images)]
        lines += [images] if images else []
    return "\n".join(lines).rstrip("\n")


def read(path: Path) -> NamedFile:
    """A file with logins. Raises `NotFound` and `EnvironmentFailure`."""
    return NamedFile.load(path)


def take(crossing: Crossing, file: NamedFile, vault_password: str = "") -> Taken:
    """Use the file's logins in this run; what of it cannot be used is among the rows from now on.

    Raises `EnvironmentFailure` for a file of no known kind, and for a vault what opening it does.
    """
    remember(vault_password)
    sources, problems = file.sources(vault_password)
    taken: list[str] = []
    lost = [Unusable("", file.origin, text) for text in problems]
    for source in sources:
        lost += source.unusable
        lost += [Unusable("", source.origin, text) for text in source.remarks]
        for name, where in source.kept:
            if "/" in name:
                lost.append(Unusable(name, where, _PART, remedy="Name its registry in the file."))
                continue
            login = source.find(name)
            if login is not None and name not in taken:
                crossing.logins[name] = login
                taken.append(name)
    crossing.not_taken = tuple(dict.fromkeys((*crossing.not_taken, *lost)))
    if taken:
        crossing.access = crossing.plan = None
    return Taken(tuple(taken), file.origin)


def _of_registry(one: RegistryLogins) -> Iterator[LoginRow]:
    access = one.access
    for number, login in enumerate(one.logins):
        key = f"{one.name} {number}"
        if number:
            account = f"{one.logins[0].origin} wins over it for {one.name}."
            yield LoginRow(key, one.name, login.username, login.origin, "Shadowed", account=account)
            continue
        won = sentences.wins_over([other.origin for other in one.shadowed])
        account = f"Wins over {won}." if won else f"The only login for {one.name}."
        use = "Wins" if won else "Used"
        good, tested, said = _tested(access)
        account = f"{account} {said}".strip()
        yield LoginRow(key, one.name, login.username, login.origin, use, tested, good, account)
    for number, lost in enumerate(one.unusable):
        yield _not_used(f"{one.name} lost {number}", lost)
    if not one.logins and not one.unusable:
        good, tested, said = _tested(access)
        yield LoginRow(f"{one.name} 0", one.name, _NO_WORD, _NO_WORD, "None", tested, good, said)


def _not_used(key: str, lost: Unusable) -> LoginRow:
    account = sentences.not_used(lost.reason, lost.remedy)
    registry, username = lost.registry or _NO_WORD, lost.username or _NO_WORD
    return LoginRow(key, registry, username, lost.origin, "Not used", good=False, account=account)


def _place(key: str, problem: Problem) -> LoginRow:
    account = f"{problem.text}. {problem.remedy}".strip()
    return LoginRow(key, _NO_WORD, _NO_WORD, problem.origin, "Problem", good=False, account=account)


def _tested(access: RegistryAccess | None) -> tuple[bool | None, str, str]:
    """Whether all is well, in a word, and in a sentence."""
    if access is None:
        return None, _NO_WORD, ""
    words = {LoginStanding.UNKNOWN: "No answer", LoginStanding.NOT_NEEDED: "No need"}
    word = words.get(access.standing, access.standing.value.capitalize())
    causes = tuple(kept_logins.causes([access]))
    good = not causes and access.standing is not LoginStanding.MISSING
    images = len(access.images)
    readable = images - len(access.unreadable)
    said = f"{readable} of {count(images, 'chosen image')} can be read." if images else ""
    return good, word, f"{said} {_first(causes)}".strip()


def _first(causes: tuple[Cause, ...]) -> str:
    if not causes:
        return ""
    first = causes[0]
    stopped = f"{count(len(first.images), 'image')} cannot be read: " if first.images else ""
    more = f"; {count(len(causes) - 1, 'more reason')}" if len(causes) > 1 else ""
    return f"{stopped}{first.reason}{more}.{f' {first.hint}' if first.hint else ''}"
