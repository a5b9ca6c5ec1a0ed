"""A Harbor as far as a push meets it: projects, who may do what in them, tokens, and a registry.

Its answers follow the sources of goharbor/harbor: `src/server/middleware/v2auth/auth.go` for `/v2`,
`src/server/v2.0/handler/project.go` for the projects, and its CSRF middleware. The
registry behind them is the fake one, which the contract suite holds to a real Distribution.
"""

from __future__ import annotations

import json
import re
import ssl
import uuid
from urllib.parse import urlsplit

from tests import services
from tests.fakes.registry import Answer, FakeRegistry, Seen, _login, failure

_REPOSITORY = re.compile(r"/v2/(?P<name>.+?)/(?:manifests|blobs|tags|referrers)/.*")
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_SESSION = ("Set-Cookie", "sid=0123456789abcdef; Path=/; HttpOnly")


class FakeHarbor(FakeRegistry):
    """Use with `with`. `projects` are the members of each, who may read and write it; `admins` may
    do so everywhere, and create projects, which all with a login may if `all_create`.

    `older` says of a missing project what Harbor said before 2.0, and tells everybody with a login
    which projects there are.
    """

    def __init__(
        self,
        users: dict[str, str],
        *,
        admins: frozenset[str] = frozenset(),
        all_create: bool = False,
        older: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.users = users
        self.admins = admins
        self.all_create = all_create
        self.older = older
        self.projects: dict[str, set[str]] = {"library": set()}
        self.public: dict[str, str] = {}
        """What `metadata.public` was of those created here."""
        self._given: dict[str, str] = {}
        services.passwords.update(users.values())
        super().__init__(tls=tls)

    def __enter__(self) -> FakeHarbor:
        return self

    def _honest(self, seen: Seen) -> Answer:
        path = urlsplit(seen.path).path
        with self._lock:
            if path.startswith("/api/v2.0/"):
                answer = self._api(seen, path.removeprefix("/api/v2.0/"))
                answer.headers.append(_SESSION)
                return answer
            if path == "/service/token":
                return self._tokens(seen)
            return self._refused(seen, path) or super()._honest(seen)

    # --- projects ---

    def _api(self, seen: Seen, call: str) -> Answer:
        if call == "ping":
            return Answer(200, [("Content-Type", "text/plain; charset=utf-8")], b"Pong")
        login = _login(seen.headers.get("Authorization", ""))
        user = login[0] if login is not None else ""
        if login is not None and self.users.get(user) != login[1]:
            return failure(401, "UNAUTHORIZED", "unauthorized")
        if call != "projects" or seen.method not in ("HEAD", "POST"):
            return failure(404, "NOT_FOUND", "no such call")
        if seen.method == "HEAD":
            return self._head(seen.query["project_name"][0], user)
        if "sid=" in seen.headers.get("Cookie", ""):
            return failure(403, "FORBIDDEN", "CSRF token invalid")
        return self._create(seen, user)

    def _head(self, project: str, user: str) -> Answer:
        if self.older and not user:
            return failure(401, "UNAUTHORIZED", "unauthorized")
        if project not in self.projects:
            return failure(404, "NOT_FOUND", f"project {project} not found")
        if self.older or self._may(user, project):
            return Answer(200)
        return failure(403, "FORBIDDEN", "forbidden") if user else failure(401, "UNAUTHORIZED", "")

    def _create(self, seen: Seen, user: str) -> Answer:
        if not user:
            return failure(401, "UNAUTHORIZED", "unauthorized")
        if user.startswith("robot$") and "+" in user:
            return failure(403, "FORBIDDEN", "Only system level robot can create project")
        if not self.all_create and user not in self.admins:
            return failure(403, "FORBIDDEN", "Only system admin can create project")
        order = json.loads(seen.body)
        project = order["project_name"]
        if not _NAME.fullmatch(project):
            text = "project name is not in lower case or contains illegal characters"
            return failure(400, "BAD_REQUEST", text)
        if project in self.projects:
            return failure(409, "CONFLICT", f"The project named {project} already exists")
        # Who is a robot gets no right to what it created.
        self.projects[project] = set() if user.startswith("robot$") else {user}
        self.public[project] = order["metadata"]["public"]
        return Answer(201, [("Location", f"/api/v2.0/projects/{len(self.projects)}")])

    def _may(self, user: str, project: str) -> bool:
        if project not in self.projects:
            return False
        return user in self.admins or user in self.projects[project]

    # --- the registry's doorkeeper ---

    def _tokens(self, seen: Seen) -> Answer:
        login = _login(seen.headers.get("Authorization", ""))
        if login is not None and self.users.get(login[0]) != login[1]:
            return failure(401, "UNAUTHORIZED", "unauthorized")
        value = f"token-{uuid.uuid4().hex}"
        services.passwords.add(value)
        self._given[value] = login[0] if login is not None else ""
        return Answer(200, [], json.dumps({"token": value, "expires_in": 1800}).encode())

    def _refused(self, seen: Seen, path: str) -> Answer | None:
        sent = seen.headers.get("Authorization", "")
        login = _login(sent)
        user = self._given.get(sent.removeprefix("Bearer "), "")
        if login is not None and self.users.get(login[0]) == login[1]:
            user = login[0]
        match = _REPOSITORY.fullmatch(path)
        if match is None:
            return None if user else self._unauthorized(seen, "unauthorized")
        name, project = match["name"], match["name"].partition("/")[0]
        action = "pull" if seen.method in ("GET", "HEAD") else "push"
        if not sent and seen.method in ("GET", "HEAD"):
            return self._unauthorized(seen, "authorize header needed to send HEAD to repository")
        if project not in self.projects and not self.older:
            header = ("Www-Authenticate", "")
            text = f"project {project} not found: project {project} not found"
            return failure(401, "UNAUTHORIZED", text, header)
        if not self._may(user, project):
            text = f"unauthorized to access repository: {name}, action: {action}"
            return self._unauthorized(seen, f"{text}: {text}")
        return None

    def _unauthorized(self, seen: Seen, text: str) -> Answer:
        challenge = f'Bearer realm="{self.url}/service/token",service="harbor-registry"'
        if seen.headers.get("Authorization"):
            challenge = 'Basic realm="harbor"'
        return failure(401, "UNAUTHORIZED", text, ("Www-Authenticate", challenge))
