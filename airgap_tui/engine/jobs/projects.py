"""Projects that images go to and that Harbor lacks: created here, only if somebody asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.oci.naming import one_of_each_project
from airgap_tui.engine.registry.harbor import Harbor
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.target import RegistryTarget
from airgap_tui.engine.settings import Settings

_MAX_REPLY_BYTES = 1024 * 1024


def create(
    registry: str,
    projects: Sequence[str],
    settings: Settings,
    token: CancelToken,
    credentials: CredentialStore | None = None,
) -> None:
    """Create these projects, which only their members see; one that is there already is left.

    Raises `AccessDenied` where the login may not, `UsageError` for a name that Harbor does not
    take, `ConnectionFailure` and `Stopped`; what was created by then stays.
    """
    credentials = credentials or CredentialStore.load()
    with closing(Session(registry, settings.network, credentials)) as session:
        _try_login(session, token)
        with closing(Harbor(session, settings.network, credentials)) as harbor:
            for project in projects:
                harbor.create(project, token)


def create_missing(
    target: RegistryTarget, repositories: Iterable[str], sink: Sink, token: CancelToken
) -> None:
    """Create the projects of these repositories that are not there; each is told. Raises as
    `create`."""
    harbor = target.harbor
    if not harbor.answers(token):
        sink(Note(f"{harbor.registry} is not a Harbor: it needs no projects"))
        return
    _try_login(target.session, token)
    for project in one_of_each_project(repositories):
        there = harbor.has(project, token)
        if there is None:
            text = f"{harbor.registry} does not tell this login whether project {project} exists"
            sink(Note(f"{text}; it is not created", Level.WARNING))
        elif not there and harbor.create(project, token):
            sink(Note(f"Project {project} is created in {harbor.registry}"))


def _try_login(session: Session, token: CancelToken) -> None:
    """See that the registry takes the login: Harbor's own interface may refuse one that is right,
    and a wrong one is told nothing of projects."""
    request = Request("GET", "", "", session.registry)
    session.fetch(request, _MAX_REPLY_BYTES, token, retry=False)
