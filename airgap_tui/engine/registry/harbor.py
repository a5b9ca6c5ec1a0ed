"""Harbor's API beside its registry: which projects exist, and creating one.

Harbor keeps every repository in a project, its path's first component, and refuses a push into one
that is not there as if the login were at fault: 401 with `unauthorized to access repository: X,
action: push` or `project X not found` (src/server/middleware/v2auth/auth.go).

The calls are those of `api/v2.0/swagger.yaml` of goharbor/harbor: `GET /ping`, `HEAD /projects`,
`POST /projects`, with the registry's login as Basic authorization. Its handler
(src/server/v2.0/handler/project.go) lets administrators create projects, and others where Harbor
is set so. A robot account of one project (`robot$project+name`) never may; a system-level one may
with that right. No cookies are kept (`http.connections`): with a session cookie Harbor demands a
CSRF token.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential, basic
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ConnectionFailure,
    NotFound,
    Stopped,
    TemporaryFailure,
    UsageError,
)
from airgap_tui.engine.events import discard
from airgap_tui.engine.http.client import Client
from airgap_tui.engine.http.endpoint import authority
from airgap_tui.engine.http.failures import REASONS, RETRYABLE, Answer, retry_after
from airgap_tui.engine.oci.naming import project_of
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.retry import Attempts
from airgap_tui.engine.settings import Network

_MAX_ANSWER_BYTES = 64 * 1024
_ATTEMPTS = 3
_WHO_MAY = (
    "Harbor administrators may, others only where Harbor allows everybody to; of robot accounts"
    " only system-level ones with that right."
)


@dataclass(frozen=True, slots=True)
class _Call:
    """A `http.client.Message`; nothing in it is a secret, and every status is an answer."""

    method: str
    url: str
    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    expect: frozenset[int] = frozenset({200, 201})
    patience: float = 0.0
    confidential: bool = False


class Harbor:
    """A session's registry, if it is a Harbor. Answers are cached; safe for several threads."""

    def __init__(self, session: Session, network: Network, credentials: CredentialStore) -> None:
        self.registry = session.registry
        self._session = session
        self._network = network
        self._credentials = credentials
        self._policy = replace(network.retry, attempts=min(_ATTEMPTS, network.retry.attempts))
        self._client: Client | None = None
        self._lock = threading.RLock()
        self._answers: bool | None = None
        self._silent = False
        self._known: dict[tuple[str, Credential | None], bool | None] = {}

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def answers(self, token: CancelToken) -> bool:
        """Whether this is a Harbor: no login is sent to find out. Raises `ConnectionFailure`."""
        with self._lock:
            if self._answers is None:
                pong = self._ask("GET", "ping", "a ping", token)
                self._answers = pong.status == 200 and pong.body.strip(b' "\r\n') == b"Pong"
            return self._answers

    def has(self, project: str, token: CancelToken) -> bool | None:
        """Whether a Harbor has a project; None where it does not tell this login."""
        with self._lock:
            key = (project, self._login(project))
            if key not in self._known:
                path = f"projects?project_name={quote(project, safe='')}"
                answer = self._ask("HEAD", path, f"project {project}", token, project)
                self._known[key] = {200: True, 404: False}.get(answer.status)
            return self._known[key]

    def missing(self, projects: Iterable[str], token: CancelToken) -> tuple[str, ...]:
        """Those that are known not to exist; none if the registry is not a Harbor or does not tell.
        Raises `Stopped`."""
        with self._lock:
            try:
                if self._silent or not self.answers(token):
                    return ()
                return tuple(one for one in projects if self.has(one, token) is False)
            except Stopped:
                raise
            except AirgapError:
                # Whoever asks has a refusal to tell already, and may have one for every layer.
                self._silent = True
                return ()

    def create(self, project: str, token: CancelToken) -> bool:
        """Create a project that only its members see; False where it was there already.

        Raises `AccessDenied`, which says who may, `UsageError` for a name that Harbor does not
        take, and `ConnectionFailure`.
        """
        order = {"project_name": project, "metadata": {"public": "false"}}
        body = json.dumps(order).encode()
        with self._lock:
            answer = self._ask("POST", "projects", f"project {project}", token, project, body)
            if answer.status not in (200, 201, 409):
                raise self._refusal(project, answer)
            self._known[project, self._login(project)] = True
        return answer.status != 409

    def explained(
        self, repository: str, refused: AccessDenied, token: CancelToken
    ) -> AccessDenied | NotFound:
        """The refusal of a push, or, where that is the cause, that its project is missing."""
        project = project_of(repository)
        if refused.status not in (401, 403) or not self.missing((project,), token):
            return refused
        return NotFound(
            f"project {project} does not exist in {self.registry}",
            hint="Create the project there, or have push do it with --create-project.",
        )

    def _refusal(self, project: str, answer: Answer) -> AirgapError:
        said = f": {answer.detail}" if answer.detail else ""
        if answer.status in (401, 403):
            message, hint = f"({answer.status}){said}", _WHO_MAY
            login = self._login(project)
            refused = login is not None and answer.status == 401
            who = f"{login.username} from {login.origin}" if login else "anybody without a login"
            if refused:
                message = f"{self.registry} refused the login {who} {message}"
                hint = "It is wrong or expired, or not for the Harbor API."
            else:
                message = f"{self.registry} does not let {who} create project {project} {message}"
            if login is None:
                hint = f"Log in with: airgap-tui login {self.registry}. {hint}"
            return AccessDenied(
                message,
                registry=self.registry,
                status=answer.status,
                hint=hint,
                login_refused=refused,
            )
        if answer.status == 400:
            return UsageError(
                f"{self.registry} does not accept a project named {project} (400){said}",
                hint="Name another one, as in REGISTRY/PROJECT.",
            )
        reason = REASONS.get(answer.status, "unexpected")
        return ConnectionFailure(
            f"{self.registry} answered {answer.status} ({reason}) instead of creating project"
            f" {project}{said}"
        )

    def _login(self, project: str) -> Credential | None:
        return self._credentials.find(self.registry, project)

    def _authorization(self, project: str) -> str:
        login = self._login(project)
        if login is None or not login.secret:
            return ""
        return basic(login.username, login.secret)

    def _ask(
        self,
        method: str,
        path: str,
        name: str,
        token: CancelToken,
        project: str = "",
        body: bytes | None = None,
    ) -> Answer:
        """One call, retried where that may help; with the login where it concerns a project."""
        if self._client is None:
            self._client = Client(self._session.endpoint, self._network, discard)
        headers = {} if body is None else {"Content-Type": "application/json"}
        url = f"{self._client.endpoint.base}/api/v2.0/{path}"
        call = _Call(method, url, name, headers, body)
        authorization = self._authorization(project) if project else ""
        attempts = Attempts(self._policy)
        while True:
            try:
                return self._once(self._client, call, authorization, token)
            except TemporaryFailure as failure:
                token.sleep(attempts.delay_after(failure))

    def _once(self, client: Client, call: _Call, authorization: str, token: CancelToken) -> Answer:
        with client.exchange(call, authorization, token) as reply:
            body = b""
            # A refusal counts even where its text breaks off.
            with contextlib.suppress(*((ConnectionFailure,) if reply.status >= 400 else ())):
                body = b"" if call.method == "HEAD" else reply.read(_MAX_ANSWER_BYTES)
        answer = Answer(reply.status, reply.headers, body, authority(reply.url))
        if answer.status in RETRYABLE:
            said = f": {answer.detail}" if answer.detail else ""
            reason = REASONS[answer.status]
            raise TemporaryFailure(
                f"{answer.host} answered {answer.status} ({reason}) for {call.name}{said}",
                retry_after=retry_after(answer.headers),
                status=answer.status,
            )
        return answer
