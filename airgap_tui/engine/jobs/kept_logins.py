"""`logins`: which registries have a login, from where, which one wins, and whether it works.

Each chosen image is asked for, because a registry such as nvcr.io lets everybody read some images:
only the others show whether the login is right. Many failures with one cause are one cause.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import NGC_REGISTRY, Credential, check_ngc_key
from airgap_tui.engine.credentials.named_file import NamedFile
from airgap_tui.engine.credentials.source import Problem, Software, Source, Unusable
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, AirgapError
from airgap_tui.engine.events import Event, ItemChanged, ItemState, JobFinished, JobStarted, Sink
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import (
    AccessSpec,
    ImageAccess,
    LoginStanding,
    RegistryAccess,
)
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.settings import Settings

_NO_LOGIN = 401


@dataclass(frozen=True, slots=True)
class LoginsSpec:
    """`references` are asked for one by one, and with `test` each registry's login is tried too.
    Without either nothing is sent. `files` with logins win over what is found."""

    references: tuple[Reference, ...] = ()
    test: bool = False
    files: tuple[NamedFile, ...] = ()
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class KeptLogin:
    """A login without its secret. `software` is whose format it is in; None where it was given for
    this run."""

    username: str
    origin: str
    software: Software | None

    def to_json(self) -> dict[str, Any]:
        software = self.software.value if self.software else None
        return {"username": self.username, "origin": self.origin, "software": software}


@dataclass(frozen=True, slots=True)
class RegistryLogins:
    """What there is for one registry, or for a part of one that has a login of its own.

    The first of `logins` wins. `access` is there where the registry was asked.
    """

    name: str
    logins: tuple[KeptLogin, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    access: RegistryAccess | None = None

    @property
    def winner(self) -> KeptLogin | None:
        return self.logins[0] if self.logins else None

    @property
    def shadowed(self) -> tuple[KeptLogin, ...]:
        return self.logins[1:]

    def to_json(self) -> dict[str, Any]:
        asked = self.access
        value: dict[str, Any] = {
            "registry": self.name,
            "wins": self.winner.to_json() if self.winner else None,
            "shadowed": [login.to_json() for login in self.shadowed],
            "unusable": [_unusable(one) for one in self.unusable],
        }
        if asked is not None:
            value["standing"] = asked.standing.value
            value["images"] = [
                {"reference": str(image.reference), "readable": image.readable}
                for image in asked.images
            ]
        return value


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason, and all that it stops: images, or a registry's login."""

    reason: str
    hint: str
    exit_code: int
    images: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "hint": self.hint or None,
            "images": list(self.images),
            "registries": list(self.registries),
        }


@dataclass(frozen=True, slots=True)
class LoginsResult:
    """`nameless` are logins that name no registry; `problems` are of the places."""

    registries: tuple[RegistryLogins, ...]
    causes: tuple[Cause, ...] = ()
    nameless: tuple[Unusable, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where nothing that was asked failed; 1 where some did; else the first cause's own."""
        if not self.causes:
            return 0
        asked = [one.access for one in self.registries if one.access is not None]
        good = any(image.readable for one in asked for image in one.images)
        good = good or any(one.standing is LoginStanding.ACCEPTED for one in asked)
        return AirgapError.exit_code if good else self.causes[0].exit_code

    def to_json(self) -> dict[str, Any]:
        return {
            "registries": [one.to_json() for one in self.registries],
            "failures": [cause.to_json() for cause in self.causes],
            "nameless": [_unusable(one) for one in self.nameless],
            "warnings": [one.text for one in self.problems],
        }


def run(
    spec: LoginsSpec,
    sink: Sink,
    token: CancelToken,
    *,
    vault_password: str = "",
    environment: Mapping[str, str] | None = None,
    given: Mapping[str, Credential | None] | None = None,
) -> LoginsResult:
    """Look at every place, and ask where the spec says so; logins `given` for this run win. Raises
    for a named file that is of no known kind `EnvironmentFailure`, and for a vault `AccessDenied`
    and `MalformedContent`."""
    environment = os.environ if environment is None else environment
    named: list[Source] = []
    broken: list[Problem] = []
    for file in spec.files:
        sources, problems = file.sources(vault_password)
        named += sources
        broken += [Problem(file.origin, text) for text in problems]
    store = CredentialStore.load(environment, given, named)
    sink(JobStarted("logins", "", tuple(map(str, spec.references))))
    unusable = store.unusable
    names = {name for name, _where in store.kept}
    names |= {one.registry for one in unusable if one.registry}
    names |= {reference.registry for reference in spec.references}
    found = [_logins(name, store, unusable) for name in sorted(names)]
    if spec.test or spec.references:
        found = _asked(spec, found, store, sink, token)
    result = LoginsResult(
        tuple(found),
        tuple(causes([one.access for one in found if one.access is not None])),
        tuple(one for one in unusable if not one.registry),
        tuple(dict.fromkeys((*broken, *store.problems, *store.remarks))),
    )
    sink(JobFinished("logins", result.exit_code))
    return result


def causes(asked: Sequence[RegistryAccess]) -> Iterator[Cause]:
    """Each reason once, with what it stops, in the order of the registries."""
    images: dict[tuple[str, str], list[str]] = {}
    registries: dict[tuple[str, str], list[str]] = {}
    codes: dict[tuple[str, str], int] = {}
    for one in asked:
        if one.refusal is not None:
            key = (redact(one.refusal.message), redact(one.refusal.hint))
            registries.setdefault(key, []).append(one.registry)
            codes.setdefault(key, one.refusal.exit_code)
        for image in one.unreadable:
            error = image.error
            assert error is not None  # noqa: S101 - that is what unreadable means
            if one.refusal is not None and getattr(error, "status", 0) == _NO_LOGIN:
                error = one.refusal  # it was asked for without the login, and needs one
            key = (redact(_reason(image, error)), redact(error.hint))
            images.setdefault(key, []).append(str(image.reference))
            codes.setdefault(key, error.exit_code)
    for key, code in codes.items():
        stopped = tuple(images.get(key, ()))
        yield Cause(*key, code, stopped, tuple(registries.get(key, ())))


def _logins(name: str, store: CredentialStore, unusable: Sequence[Unusable]) -> RegistryLogins:
    registry, _, repository = name.partition("/")
    logins = []
    reasons = [one for one in unusable if one.registry == name]
    for software, login in store.held(registry, repository):
        try:
            if software is Software.NGC and registry == NGC_REGISTRY:
                check_ngc_key(login.secret, login.origin)
        except AccessDenied as error:
            reasons.append(Unusable(name, login.origin, error.message, login.username, error.hint))
        username = login.username or "(token)"
        logins.append(KeptLogin(username, login.origin, software))
    return RegistryLogins(name, tuple(logins), tuple(reasons))


def _asked(
    spec: LoginsSpec,
    found: Sequence[RegistryLogins],
    store: CredentialStore,
    sink: Sink,
    token: CancelToken,
) -> list[RegistryLogins]:
    names = [one.name for one in found]
    tried = [one.name for one in found if spec.test and _can_be_tried(one, names)]

    def quiet(event: Event) -> None:
        """Reasons are told at the end, each once."""
        if isinstance(event, ItemChanged) and event.state is ItemState.FAILED:
            event = ItemChanged(event.item, event.state)
        sink(event)

    wanted = AccessSpec(spec.references, spec.settings, tuple(tried))
    asked = access.run(wanted, quiet, token, store)
    by_name = {one.registry: one for one in asked.registries}
    return [
        RegistryLogins(one.name, one.logins, one.unusable, by_name.get(one.name)) for one in found
    ]


def _can_be_tried(one: RegistryLogins, names: Sequence[str]) -> bool:
    """Whether a login can be tried by itself: not that of a part of a registry, which shows only
    with an image there, nor enroot's for a host where the registry has a port of its own."""
    if not one.logins or "/" in one.name:
        return False
    portless = all(login.software is Software.ENROOT for login in one.logins)
    return not (portless and any(name.startswith(f"{one.name}:") for name in names))


def _reason(image: ImageAccess, error: AirgapError) -> str:
    """Why an image cannot be read, without its name: so that equal reasons are equal texts."""
    name = str(image.reference)
    reason = error.message.removeprefix(f"{name}: ").removeprefix(f"{name} ")
    return reason.replace(name, "it")


def _unusable(one: Unusable) -> dict[str, Any]:
    hint = one.remedy or None
    return {"username": one.username, "origin": one.origin, "reason": one.reason, "hint": hint}
