"""What a registry of the offline side says before anything is pushed: does it answer, is the login
right, may we write where the images are to go? Nothing is left there: an upload is begun and ended.

Where the answer is no, a Harbor is asked whether it lacks the projects that the images go to.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, AirgapError, NotFound, Stopped
from airgap_tui.engine.http.endpoint import joined
from airgap_tui.engine.oci.naming import Naming, one_of_each_project
from airgap_tui.engine.registry.harbor import Harbor
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.target import push_scope
from airgap_tui.engine.settings import Settings

_MAX_REPLY_BYTES = 1024 * 1024
_CANCELLED = frozenset({200, 202, 204, 400, 404, 405})


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that was asked: good or not, what was found in a few words, and the remedy."""

    good: bool
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DestinationAnswers:
    """None stands for what could not be asked, because something before it failed. `missing` are
    the projects that a Harbor lacks."""

    registry: Answer
    login: Answer | None = None
    project: Answer | None = None
    missing: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return all(answer is not None and answer.good for answer in self._all)

    @property
    def first_problem(self) -> Answer | None:
        return next(
            (answer for answer in self._all if answer is not None and not answer.good), None
        )

    @property
    def _all(self) -> tuple[Answer | None, ...]:
        return (self.registry, self.login, self.project)


def ask(
    naming: Naming,
    repositories: Sequence[str],
    settings: Settings,
    token: CancelToken,
    credentials: CredentialStore | None = None,
) -> DestinationAnswers:
    """Ask the registry of `naming`; of the `repositories`, which will be written, one of each
    project is tried. Raises `Stopped`."""
    credentials = credentials or CredentialStore.load()
    with closing(Session(naming.registry, settings.network, credentials)) as session:
        try:
            session.fetch(
                Request("GET", "", "", naming.registry), _MAX_REPLY_BYTES, token, retry=False
            )
        except Stopped:
            raise
        except AccessDenied as error:
            denied = Answer(False, error.message, error.hint)
            return DestinationAnswers(Answer(True, "Answers"), denied)
        except NotFound:
            return DestinationAnswers(
                Answer(False, "Answers, but not as a registry", "Check the name and the port.")
            )
        except AirgapError as error:
            return DestinationAnswers(Answer(False, error.message, error.hint))
        login = credentials.find(naming.registry)
        known = Answer(True, f"Accepted, as {login.username}" if login else "Not needed")
        projects = one_of_each_project(repositories)
        project = Answer(True, "You may write to it")
        missing: tuple[str, ...] = ()
        for repository in projects.values():
            project = _may_write(session, naming, repository, token)
            if not project.good:
                with closing(Harbor(session, settings.network, credentials)) as harbor:
                    missing = harbor.missing(projects, token)
                break
        if missing:
            project = _missing(missing)
        return DestinationAnswers(Answer(True, "Answers"), known, project, missing)


def _missing(projects: tuple[str, ...]) -> Answer:
    if len(projects) == 1:
        finding = f"Project {projects[0]} does not exist"
        return Answer(False, finding, "It can be created here, for its members only.")
    finding = f"Projects {', '.join(projects)} do not exist"
    return Answer(False, finding, "They can be created here, for their members only.")


def _may_write(session: Session, naming: Naming, repository: str, token: CancelToken) -> Answer:
    name = f"{naming.registry}/{repository}"
    scope = push_scope(repository)
    begin = Request(
        "POST",
        f"{repository}/blobs/uploads/",
        repository,
        name,
        scope,
        body=b"",
        expect=frozenset({202}),
    )
    try:
        begun = session.fetch(begin, _MAX_REPLY_BYTES, token, retry=False)
    except Stopped:
        raise
    except AccessDenied as error:
        return Answer(False, f"You may read, not write: {error.message}", error.hint)
    except AirgapError as error:
        return Answer(False, error.message, error.hint)
    if location := begun.headers.get("Location", ""):
        try:
            upload = joined(begun.url, location)
            end = Request("DELETE", upload, repository, name, scope, expect=_CANCELLED)
            session.fetch(end, _MAX_REPLY_BYTES, token, retry=False)
        except Stopped:
            raise
        except AirgapError:
            pass  # registries drop uploads that nobody ends; the right to write is known
    return Answer(True, "You may write to it")
