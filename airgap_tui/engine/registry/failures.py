"""What a registry's refusal means: the map from statuses to errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ConnectionFailure,
    NotFound,
    TemporaryFailure,
)
from airgap_tui.engine.http.failures import REASONS, RETRYABLE, Answer, retry_after

_NO_PROJECT = re.compile(r"action:\s*push|project .*not found", re.IGNORECASE)
_CREATE_PROJECT = "Create the project in the registry first, or use a login that may push to it."
_ANOTHER_LOGIN = "Use a login that has this right."
_NGC = "nvcr.io"


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked for: the registry, the repository, the thing, and the login used.

    `accepted` says that the login itself is valid: a token was issued for it.
    """

    registry: str
    repository: str
    name: str
    push: bool = False
    login: str = ""
    accepted: bool = False
    problems: tuple[str, ...] = ()


def refusal(answer: Answer, subject: Subject) -> AirgapError:
    """The error for a status that was not expected."""
    status, name = answer.status, subject.name
    said = f": {answer.detail}" if answer.detail else ""
    if status == 401:
        return _denied_login(answer, subject)
    if status == 402:
        return _denied(answer, subject, f"your account may not use {name} (402, entitlement)")
    if status == 403:
        hint = _ANOTHER_LOGIN if subject.login and subject.accepted else None
        return _denied(answer, subject, f"{name}: {_nothing(subject)} (403){said}", hint)
    if status == 412 and said and subject.registry != _NGC:
        rule = f"a rule of {subject.registry} does not allow {name} (412){said}"
        return _denied(answer, subject, rule)
    if status == 412:
        where = _licence_page(name)
        return _denied(answer, subject, f"{name}: accept its licence first, at {where} (412)")
    if status == 451:
        return _denied(answer, subject, f"{name} is withheld for legal reasons (451)")
    if status == 404:
        return _not_found(answer, subject, said)
    if status == 413:
        return ConnectionFailure(
            f"{answer.host} does not accept an upload of this size (413): {name}",
            hint="A proxy in front of the registry limits it; with nginx that is"
            " client_max_body_size, to be set to 0.",
        )
    reason = REASONS.get(status, "unexpected")
    message = f"{answer.host} answered {status} ({reason}) for {name}{said}"
    if status in RETRYABLE:
        hint = ""
        if status == 429:
            message = f"{answer.host} allows no more requests for now (429){said}"
            hint = f"Wait, or log in for a higher limit: airgap-tui login {subject.registry}"
        return TemporaryFailure(
            message, retry_after=retry_after(answer.headers), status=status, hint=hint
        )
    return ConnectionFailure(message)


def _denied_login(answer: Answer, subject: Subject) -> AccessDenied:
    """401, from the registry or from its token service: the login is wrong, or there is none."""
    said = f": {answer.detail}" if answer.detail else ""
    if subject.push and _NO_PROJECT.search(answer.detail):
        message = f"{subject.registry} does not let {subject.name} be written (401){said}"
        return _denied(answer, subject, message, _CREATE_PROJECT)
    if subject.login and subject.accepted:
        verb = "write" if subject.push else "read"
        return _denied(
            answer,
            subject,
            f"{subject.registry} does not let the login from {subject.login} {verb}"
            f" {subject.name} (401){said}",
            _CREATE_PROJECT if subject.push else _ANOTHER_LOGIN,
        )
    if subject.login:
        return refused_login(answer, subject)
    return _denied(answer, subject, f"{subject.name} needs a login at {subject.registry} (401)")


def refused_login(answer: Answer, subject: Subject) -> AccessDenied:
    """The login itself is refused, whatever it was for."""
    return _denied(
        answer,
        subject,
        f"{subject.registry} refused the {_kind(subject)} from {subject.login} ({answer.status})"
        f" for {subject.name}: it is wrong, revoked or expired",
        login_refused=True,
    )


def doubted_login(answer: Answer, subject: Subject) -> AccessDenied:
    """No token is given for a login, and nothing tells whether that or its rights are why."""
    said = f": {answer.detail}" if answer.detail else ""
    return _denied(
        answer,
        subject,
        f"{subject.name}: {_nothing(subject)}, or the {_kind(subject)} from {subject.login} is"
        f" wrong, revoked or expired ({answer.status}){said}",
        f"Log in anew with: airgap-tui login {subject.registry}. If that is accepted and does not"
        " help, use a login that has this right.",
    )


def _kind(subject: Subject) -> str:
    return "key" if subject.registry == _NGC else "login"


def _nothing(subject: Subject) -> str:
    return "may not be written" if subject.push else "no access, or no such image"


def _denied(
    answer: Answer,
    subject: Subject,
    message: str,
    hint: str | None = None,
    login_refused: bool = False,
) -> AccessDenied:
    if hint is None:
        hint = ""
        if answer.status in (401, 403):
            hint = f"Log in with: airgap-tui login {subject.registry}"
        if subject.problems and not subject.login:
            hint += f". Not asked for a login: {'; '.join(subject.problems)}"
    return AccessDenied(
        message,
        registry=subject.registry,
        status=answer.status,
        hint=hint,
        login_refused=login_refused,
    )


def _not_found(answer: Answer, subject: Subject, said: str) -> AirgapError:
    if "NAME_UNKNOWN" in answer.codes:
        return NotFound(
            f"{subject.name}: {subject.registry} has no such repository (404)",
            hint="Check the spelling; some registries also answer so without a login.",
        )
    if "MANIFEST_UNKNOWN" in answer.codes:
        return NotFound(
            f"{subject.name}: there is no such tag or digest (404)",
            hint="Check the spelling; tags are also taken away by their publishers.",
        )
    return NotFound(
        f"{subject.name}: {subject.registry} does not have it (404){said}",
        hint="Check the spelling, and that this is the address of a registry.",
    )


def _licence_page(name: str) -> str:
    registry, _, path = name.partition("/")
    parts = path.partition("@")[0].partition(":")[0].split("/")
    if registry != _NGC or len(parts) < 2:
        return f"the web page of {registry}"
    team = f"/teams/{parts[1]}" if len(parts) > 2 else ""
    return f"https://catalog.ngc.nvidia.com/orgs/{parts[0]}{team}/containers/{parts[-1]}"
