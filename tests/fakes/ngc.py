"""NGC on loopback: its catalogue, its key and token services, and its registry, each on a port.

Honest by itself: guests see what is public, a key sees its organisations, searches want JSON,
pages count from zero, the first challenge of the registry names `/proxy_auth` and the one for an
expired token another realm. `refuse` makes a repository or a tag answer 402, 403, 412 or 451, and
`script` (of `tests.fakes.registry`) lays faults on any of the three hosts.

    python -m tests.fakes.ngc

serves a sample until it is ended, and prints as JSON what to put into the environment.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airgap_tui.engine.settings import NgcAddresses
from tests import services
from tests.fakes.registry import Answer, FakeRegistry, Seen, Tokens, failure
from tests.images import SampleImage, SampleIndex, build_image, build_index, layer

USERNAME = "$oauthtoken"
KEY = "nvapi-only-for-tests-" + "x" * 40
LEGACY_KEY = "only-for-tests-" + "y" * 69
PROBLEM = [("Content-Type", "application/problem+json")]


@dataclass
class Tag:
    """A tag as the catalogue tells it. `listed` False leaves it out there."""

    name: str
    size: int = 0
    updated: str = "2025-06-24T10:00:00.123456789Z"
    pushed: str = ""
    platforms: tuple[str, ...] = ("amd64",)
    listed: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "tag": self.name,
            "updatedDate": self.updated,
            **({"pushedDate": self.pushed} if self.pushed else {}),
            "size": self.size,
            "isSigned": True,
            "architectureVariants": [
                {"architecture": name, "os": "linux", "compressedSize": self.size}
                for name in self.platforms
            ],
        }


@dataclass
class Repo:
    """A repository: `path` is `org[/team]/name`. One that is `gated` is shown to everybody, and
    pulled with a key only. `newest` is the tag that NGC calls so, else the one updated last."""

    path: str
    title: str
    description: str
    public: bool = True
    gated: bool = False
    readme: str = ""
    newest: str = ""
    tags: dict[str, Tag] = field(default_factory=dict)

    @property
    def parts(self) -> list[str]:
        return self.path.split("/")

    def as_json(self) -> dict[str, Any]:
        newest = self._newest()
        return {
            "namespace": self.path.rpartition("/")[0],
            "name": self.parts[-1],
            "displayName": self.title,
            "shortDescription": self.description,
            "description": self.readme,
            "isPublic": self.public,
            "isReadOnly": True,
            "tags": list(self.tags),
            "latestTag": newest.name,
            "latestImageSize": newest.size,
            "updatedDate": newest.updated,
        }

    def as_resource(self) -> dict[str, Any]:
        newest = self._newest()
        return {
            "resourceId": self.path,
            "orgName": self.parts[0],
            "teamName": self.parts[1] if len(self.parts) > 2 else None,
            "name": self.parts[-1],
            "displayName": self.title,
            "description": self.description,
            "dateModified": newest.updated,
            "attributes": [
                {"key": "latestTag", "value": newest.name},
                {"key": "size", "value": str(newest.size)},
                {"key": "latestTagPushedDate", "value": newest.updated},
            ],
        }

    def _newest(self) -> Tag:
        return self.tags.get(self.newest) or max(
            self.tags.values(), key=lambda tag: tag.updated, default=Tag("", updated="")
        )


@dataclass
class Key:
    """Whom a key is for: organisations with their teams."""

    organisations: dict[str, tuple[str, ...]]
    kind: str = "PERSONAL_KEY"


class Host(FakeRegistry):
    """One host that answers by a function, and takes scripts as the fake registry does."""

    def __init__(self, answer: Callable[[Seen], Answer]) -> None:
        self._answer = answer
        super().__init__()

    def _honest(self, seen: Seen) -> Answer:
        return self._answer(seen)


class _Nvcr(FakeRegistry):
    """The registry: an outer object says who may see what."""

    def __init__(self, ngc: FakeNgc, tokens: Tokens) -> None:
        self._ngc = ngc
        super().__init__(tokens=tokens, page=50)

    def _honest(self, seen: Seen) -> Answer:
        path = urlsplit(seen.path).path
        if path == "/proxy_auth":
            with self._lock:
                return self._ngc._proxy_auth(seen) or self._token(seen, "/token")
        answer = super()._honest(seen)
        match = re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", path)
        if match is not None and answer.status == 200:
            for name in (f"{match[1]}:{match[2]}", match[1]):
                status = self._ngc.refusals.get(name)
                if status is not None:
                    return failure(status, "DENIED", "Access Denied")
        return answer


class FakeNgc:
    """Use with `with`. `paging` is the form in which images and repositories come: `total` and
    `next` tell of the pages, `none` sends pages without a word. Without `guests` the API shows
    nothing of a repository to who has no key."""

    def __init__(self, *, page: int = 1000, paging: str = "total", guests: bool = True) -> None:
        self.repos: dict[str, Repo] = {}
        self.keys: dict[str, Key] = {}
        self.refusals: dict[str, int] = {}
        self.page = page
        self.paging = paging
        self.guests = guests
        self.tokens: dict[str, str] = {}
        """Tokens that legacy keys were exchanged for."""
        registry_tokens = Tokens(service=None, lifetime=600)
        self.registry = _Nvcr(self, registry_tokens)
        self.api = Host(self._api)
        self.authn = Host(self._authn)
        registry_tokens.challenge = lambda url, scope: (
            f'Bearer realm="{url}/proxy_auth"' + (f',scope="{scope}"' if scope else "")
        )
        registry_tokens.expired = lambda _url, scope: (
            f'Bearer realm="{self.authn.url}/token",service="registry",scope="{scope}",'
            'error="invalid_token"'
        )

    def __enter__(self) -> FakeNgc:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        for host in (self.registry, self.api, self.authn):
            host.stop()

    @property
    def addresses(self) -> NgcAddresses:
        return NgcAddresses(self.api.url, self.authn.url, self.registry.host)

    @property
    def environment(self) -> dict[str, str]:
        """What makes `airgap-tui` ask here."""
        return {
            "AIRGAP_TUI_NGC_API": self.api.url,
            "AIRGAP_TUI_NGC_AUTHN": self.authn.url,
            "AIRGAP_TUI_NGC_REGISTRY": self.registry.host,
        }

    # --- content ---

    def add(
        self,
        path: str,
        tags: Sequence[Tag | str],
        *,
        title: str = "",
        description: str = "",
        public: bool = True,
        gated: bool = False,
        readme: str = "",
        newest: str = "",
    ) -> Repo:
        """A repository with these tags, in the catalogue and in the registry."""
        name = path.rpartition("/")[2]
        repo = self.repos.setdefault(
            path,
            Repo(path, title or name, description or f"The {name}", public, gated, readme, newest),
        )
        for tag in tags:
            one = Tag(tag) if isinstance(tag, str) else tag
            repo.tags[one.name] = one
            self.push(path, one)
        self.registry.manifests.setdefault(path, {})
        return repo

    def push(self, path: str, tag: Tag, content: str = "") -> str:
        """Put content under a tag of the registry; the digest."""
        seed = content or f"{path}:{tag.name}"
        images = [_image(f"{path}:{tag.name}", seed, name) for name in tag.platforms]
        one: SampleImage | SampleIndex = images[0]
        if len(images) > 1:
            one = build_index(one.name, images)
        self.registry.add(one)
        return one.digest

    def key(self, key: str, kind: str = "PERSONAL_KEY", **organisations: tuple[str, ...]) -> str:
        """A key that is taken, and what it may see. The registry knows the last one given."""
        self.keys[key] = Key(organisations, kind)
        services.passwords.add(key)
        assert self.registry.tokens is not None
        self.registry.tokens.users[USERNAME] = key
        return key

    def revoke(self) -> None:
        """No key is good any longer."""
        self.keys.clear()
        assert self.registry.tokens is not None
        self.registry.tokens.users.clear()

    def refuse(self, name: str, status: int) -> None:
        """Answer this for a repository, or in the registry for `repository:tag`."""
        self.refusals[name] = status

    # --- registry ---

    def _proxy_auth(self, seen: Seen) -> Answer | None:
        """What the token service says against a request, if anything."""
        login = seen.headers.get("Authorization", "")
        key = ""
        if login.startswith("Basic "):
            key = base64.b64decode(login[6:]).decode().partition(":")[2]
            if key not in self.keys:
                return failure(401, "UNAUTHORIZED", "Invalid key")
        for scope in seen.query.get("scope", []):
            path = scope.split(":")[1] if scope.count(":") == 2 else ""
            status = self.refusals.get(path)
            if status in (402, 403):
                return failure(status, "DENIED", "not for you")
            repo = self.repos.get(path)
            if repo is not None and not self._may_pull(key, repo):
                return failure(403, "DENIED", "Access Denied")
        return None

    def _may_pull(self, key: str, repo: Repo) -> bool:
        known = self.keys.get(key)
        if repo.public:
            return known is not None or not repo.gated
        return known is not None and repo.parts[0] in known.organisations

    # --- keys ---

    def _authn(self, seen: Seen) -> Answer:
        login = seen.headers.get("Authorization", "")
        if urlsplit(seen.path).path != "/token" or not login.startswith("Basic "):
            return failure(401, "UNAUTHORIZED", "this realm knows nobody without a key")
        user, _, key = base64.b64decode(login[6:]).decode().partition(":")
        if user != USERNAME or key not in self.keys:
            return Answer(401, list(PROBLEM), b'{"message": "Invalid key"}')
        for scope in seen.query.get("scope", []):
            org = scope.removeprefix("group/ngc").removeprefix(":").partition("/")[0]
            if org and org not in self.keys[key].organisations:
                return Answer(403, list(PROBLEM), b'{"message": "Not of that organisation"}')
        token = f"token-{uuid.uuid4().hex}"
        self.tokens[token] = key
        services.passwords.add(token)
        return _json({"token": token, "expires_in": 3600})

    def _bearer(self, seen: Seen) -> tuple[str, Key | None]:
        sent = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        key = self.tokens.get(sent, sent if sent.startswith("nvapi-") else "")
        return sent, self.keys.get(key)

    def _caller(self, seen: Seen) -> Answer:
        key = parse_qs(seen.body.decode()).get("credentials", [""])[0]
        known = self.keys.get(key)
        if known is None or not key.startswith("nvapi-"):
            return Answer(401, list(PROBLEM), b'{"message": "Invalid API key."}')
        roles = [
            {"org": {"name": org, "displayName": org.upper()}, "orgRoles": ["REGISTRY_READ"]}
            for org in known.organisations
        ]
        value: dict[str, Any] = {"type": known.kind, "products": ["artifact-catalog"]}
        value["orgName"] = next(iter(known.organisations), "")
        if known.kind == "PERSONAL_KEY":
            value["user"] = {"email": "somebody@example.com", "roles": roles}
        return _json(value)

    # --- catalogue ---

    def _api(self, seen: Seen) -> Answer:
        path = urlsplit(seen.path).path.strip("/").split("/")
        if path == ["v3", "keys", "get-caller-info"] and seen.method == "POST":
            return self._caller(seen)
        sent, key = self._bearer(seen)
        if sent and key is None:
            return Answer(401, list(PROBLEM), b'{"message": "Invalid API key."}')
        if path[:3] == ["v2", "search", "catalog"]:
            return self._search(seen, [repo for repo in self.repos.values() if repo.public])
        if path[:2] == ["v2", "repos"] and len(path) > 3:
            if not (self.guests and seen.headers.get("X-NGC-Guest-Token")):
                return _not_authenticated()
            return self._repository(seen, path[2:], lambda repo: repo.public)
        if key is None:
            return _not_authenticated()
        return self._private(seen, path, key)

    def _private(self, seen: Seen, path: list[str], key: Key) -> Answer:
        if path == ["v2", "orgs"]:
            return _json({"organizations": [{"name": name} for name in key.organisations]})
        at = 3 if path[:3] == ["v2", "search", "org"] else 2
        org = path[at]
        if org not in key.organisations:
            return Answer(403, list(PROBLEM), b'{"message": "Not of that organisation"}')
        own = [repo for repo in self.repos.values() if repo.parts[0] == org]
        if path[1] == "search":
            team = path[5] if path[4:5] == ["team"] else ""
            wanted = [org, team] if team else [org]
            return self._search(seen, [repo for repo in own if repo.parts[:-1] == wanted])
        if path[3:] == ["teams"]:
            return _json({"teams": [{"name": name} for name in key.organisations[org]]})
        if path[3:] == ["repos"]:
            shown = own + [repo for repo in self.repos.values() if repo.public and repo not in own]
            return self._paged(seen, "repositories", [repo.as_json() for repo in shown])
        rest = [part for part in path[2:] if part not in ("team", "repos")]
        return self._repository(seen, rest, lambda _repo: True)

    def _repository(self, seen: Seen, path: list[str], may: Callable[[Repo], bool]) -> Answer:
        images = path[-1:] == ["images"]
        repo = self.repos.get("/".join(path[:-1] if images else path))
        if repo is None:
            return Answer(404, list(PROBLEM), b'{"message": "no such repository"}')
        if not may(repo):
            return Answer(403, list(PROBLEM), b'{"message": "not public"}')
        status = self.refusals.get(repo.path)
        if status is not None:
            return Answer(status, list(PROBLEM), b'{"message": "not for you"}')
        if not images:
            return _json({"requestStatus": {"statusCode": "SUCCESS"}, **repo.as_json()})
        shown = [tag.as_json() for tag in repo.tags.values() if tag.listed]
        return self._paged(seen, "images", shown)

    def _paged(self, seen: Seen, name: str, everything: list[dict[str, Any]]) -> Answer:
        number = int(seen.query.get("page-number", ["0"])[0])
        size = min(self.page, int(seen.query.get("page-size", ["1000"])[0]))
        shown = everything[number * size : (number + 1) * size]
        pages = max(1, -(-len(everything) // size))
        info: dict[str, Any] = {"index": number, "size": len(shown)}
        if self.paging == "total":
            info |= {"totalPages": pages, "totalResults": len(everything)}
        elif number + 1 < pages:
            info["nextPage"] = number + 1
        value: dict[str, Any] = {name: shown}
        if self.paging != "none":
            value["paginationInfo"] = info
        return _json(value)

    def _search(self, seen: Seen, repos: list[Repo]) -> Answer:
        try:
            asked = json.loads(seen.query.get("q", [""])[0])
            query, page, size = asked["query"], asked.get("page", 0), asked.get("pageSize", 25)
        except (ValueError, KeyError, TypeError):
            return Answer(400, list(PROBLEM), b'{"title": "Bad Request"}')
        size = min(size, self.page)
        found = [repo for repo in repos if _fits(repo, query)]
        shown = [repo.as_resource() for repo in found[page * size : (page + 1) * size]]
        value = {
            "resultTotal": len(found),
            "resultPageTotal": max(1, -(-len(found) // size)),
            "params": {"page": page, "pageSize": size},
            "results": [
                {"groupValue": "_scored", "totalCount": len(found), "resources": shown},
                {"groupValue": "CONTAINER", "totalCount": len(found), "resources": shown},
            ],
        }
        return _json(value)


def _fits(repo: Repo, query: str) -> bool:
    if query.startswith("orgName:"):
        return repo.parts[0] == query.removeprefix("orgName:")
    text = f"{repo.path} {repo.title} {repo.description}".lower()
    return query == "*" or all(word in text for word in query.lower().split())


def _json(value: object) -> Answer:
    return Answer(200, [("Content-Type", "application/json")], json.dumps(value).encode())


def _not_authenticated() -> Answer:
    return Answer(401, [("Content-Type", "application/json")], b'{"message": "Not Authenticated"}')


def _image(name: str, seed: str, architecture: str) -> SampleImage:
    shared = layer("ngc-base", size=2000, files=1)
    return build_image(name, [shared], platform=f"linux/{architecture}", environment={"SEED": seed})


def fill(ngc: FakeNgc) -> FakeNgc:
    """A small catalogue like the real one, with each kind of tag."""
    both = ("amd64", "arm64")
    pytorch = [
        Tag("25.06-py3", 11_200_000_000, "2025-06-24T09:00:00Z", platforms=both),
        Tag("25.05-py3", 11_000_000_000, "2025-05-22T09:00:00Z", platforms=both),
        Tag("25.04-py3", 10_900_000_000, "2025-04-25T09:00:00Z", platforms=both),
        Tag("24.12-py3", 10_200_000_000, "2024-12-20T09:00:00Z", platforms=both),
        Tag("25.06-py3-igpu", 6_300_000_000, "2025-06-24T10:00:00Z", platforms=("arm64",)),
        Tag("25.05-py3-igpu", 6_200_000_000, "2025-05-22T10:00:00Z", platforms=("arm64",)),
        Tag("nightly-test", 11_400_000_000, "2025-06-25T09:00:00Z"),
        Tag(f"sha256-{'a' * 64}.sig", 500, "2025-06-24T11:00:00Z"),
    ]
    ngc.add(
        "nvidia/pytorch", pytorch, title="PyTorch", description="PyTorch, tensors and networks",
        readme="# PyTorch\n\nA *framework*.\n",
    )  # fmt: skip
    ngc.add(
        "nvidia/l4t-pytorch", [Tag("r35.2.1-pth2.0-py3", 5_000_000_000, "2023-02-08T09:00:00Z"),
                               Tag("r32.4.2-pth1.2-py3", 2_000_000_000, "2020-05-01T09:00:00Z")],
        title="PyTorch for Jetson", description="PyTorch for Jetson",
    )  # fmt: skip
    ngc.add(
        "nvidia/tensorflow", [Tag("25.02-tf2-py3", 7_000_000_000, "2025-02-20T09:00:00Z"),
                              Tag("25.01-tf2-py3", 7_000_000_000, "2025-01-20T09:00:00Z")],
        title="TensorFlow",
    )  # fmt: skip
    ngc.add(
        "nvidia/tritonserver", [Tag(f"25.{month:02}-py3", 9_000_000_000,
                                    f"2025-{month:02}-25T09:00:00Z", platforms=both)
                                for month in range(1, 7)],
        title="Triton Inference Server",
    )  # fmt: skip
    ngc.add(
        "nvidia/cuda", [
            Tag(f"{version}-{flavour}-{system}", 2_000_000_000, "2025-05-12T09:00:00Z")
            for version in ("11.1", "11.8.0", "12.4.1", "12.9.1")
            for flavour in ("base", "devel")
            for system in ("ubuntu22.04", "ubi9")
        ],
        title="CUDA", description="CUDA for all who build on it",
    )  # fmt: skip
    ngc.add(
        "nvidia/k8s/dcgm-exporter",
        ["3.3.5-3.4.1-ubuntu22.04", "4.2.3-4.1.3-ubuntu22.04", "4.2.3-4.1.3-ubi9"],
        title="DCGM Exporter", description="GPU metrics for Prometheus",
    )  # fmt: skip
    ngc.add("nvidia/gpu-operator", ["v24.9.2", "v25.3.0", "v25.10.0", "v25.3.0-rc.1"])
    ngc.add("nim/meta/llama3-8b-instruct", ["1", "1.0", "1.0.3", "1.0.10", "latest"], gated=True)
    ngc.add("acme/solver", ["2.1", "2.0"], title="Solver", public=False)
    ngc.add("acme/hpc/mesher", ["0.9.2", "0.20.1"], title="Mesher", public=False)
    return ngc


def main() -> None:
    """Serve the sample until stopped; `key` and `environment` are told on stdout."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_arguments: stop.set())
    with FakeNgc() as ngc:
        fill(ngc).key(KEY, acme=("hpc",))
        auth = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
        told = {
            "environment": ngc.environment,
            "key": KEY,
            "dockerConfig": {"auths": {ngc.registry.host: {"auth": auth}}},
        }
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
