"""What NGC means by a status, in words: its catalogue, its key service and its token service."""

from __future__ import annotations

from airgap_tui.engine.errors import AccessDenied, AirgapError, ConnectionFailure, NotFound
from airgap_tui.engine.http.failures import REASONS, Answer
from airgap_tui.engine.ngc.repository import RepositoryName


def refusal(
    answer: Answer,
    name: str,
    *,
    registry: str,
    key: str = "",
    repository: RepositoryName | None = None,
) -> AirgapError:
    """The error for an answer that is not 200. `key` says where the key that was sent is from."""
    status = answer.status
    said = f": {answer.detail}" if answer.detail else ""
    log_in = f"Log in with: airgap-tui login {registry}"
    if status == 401 and key:
        message = f"NGC refused the key from {key} (401): it is wrong, revoked or expired"
        return AccessDenied(message, registry=registry, status=status, hint=log_in)
    if status == 401:
        message = f"NGC shows {name} only with a key (401)"
        return AccessDenied(message, registry=registry, status=status, hint=log_in)
    if status == 402:
        return AccessDenied(
            f"your account may not use {name} (402, entitlement)",
            registry=registry,
            status=status,
            hint="It needs a subscription, such as NVIDIA AI Enterprise or the developer program.",
        )
    if status == 403:
        hint = "Use a key of an organisation that has it." if key else log_in
        message = f"{name}: no access, or there is no such thing (403){said}"
        return AccessDenied(message, registry=registry, status=status, hint=hint)
    if status == 412:
        where = repository.page if repository is not None else "its web page"
        message = f"{name}: accept its licence first, at {where} (412)"
        return AccessDenied(message, registry=registry, status=status)
    if status == 451:
        message = f"{name} is withheld for legal reasons (451)"
        return AccessDenied(message, registry=registry, status=status)
    if status == 404:
        return NotFound(f"NGC has no {name} (404)", hint="Check the spelling.")
    reason = REASONS.get(status, "unexpected")
    return ConnectionFailure(f"{answer.host} answered {status} ({reason}) for {name}{said}")
