"""The catalogue's API: search, an organisation's repositories, one repository, and its images.

With a key it shows what the key may see, without one as a guest what is public. It describes; what
there really is to pull, the registry says.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AccessDenied, AirgapError, NotFound
from airgap_tui.engine.events import Sink, discard
from airgap_tui.engine.http.failures import Answer
from airgap_tui.engine.ngc import answers
from airgap_tui.engine.ngc.connection import Connection, Question
from airgap_tui.engine.ngc.keys import Key, Organisation
from airgap_tui.engine.ngc.refusals import refusal
from airgap_tui.engine.ngc.repository import Repository, RepositoryName, TaggedImage
from airgap_tui.engine.settings import Network, NgcAddresses

_PAGE = 1000
_MAX_PAGES = 100
_WORD = re.compile(r"\w+(?:[.-]\w+)*")
_LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first; `total` counts also what lies beyond the limit, `refused`
    says which organisations and teams could not be searched."""

    repositories: tuple[Repository, ...]
    total: int
    refused: tuple[AirgapError, ...] = ()


class Catalogue:
    """Ask with a key, or as a guest without. Safe for several threads.

    All methods raise `AccessDenied`, `NotFound`, `ConnectionFailure` or `Stopped`.
    """

    def __init__(
        self,
        addresses: NgcAddresses,
        network: Network,
        key: Key | None = None,
        sink: Sink = discard,
    ) -> None:
        self.key = key
        self._registry = addresses.registry
        self._api = Connection(addresses.api, network, sink)
        self._guest = str(uuid.uuid4())

    def close(self) -> None:
        """Drop the kept connections."""
        self._api.close()

    def search(
        self,
        words: str,
        token: CancelToken,
        *,
        own: tuple[Organisation, ...] = (),
        limit: int = 100,
    ) -> Found:
        """Repositories that fit the words, all for none; also those of the organisations `own`,
        which need a key."""
        query = " ".join(_WORD.findall(words[:_LONGEST_SEARCH])) or "*"
        places = [("v2/search/catalog", "", "")]
        if self.key is not None:
            for organisation in own:
                path = f"v2/search/org/{quote(organisation.name, safe='')}"
                places.append((path, organisation.name, ""))
                for team in organisation.teams:
                    deeper = f"{path}/team/{quote(team, safe='')}"
                    places.append((deeper, organisation.name, team))
        found: dict[RepositoryName, Repository] = {}
        total, refused = 0, list[AirgapError]()
        for path, org, team in places:
            try:
                here, count = self._search(path, org, team, query, limit, token)
            except (AccessDenied, NotFound) as error:
                if not org:
                    raise
                refused.append(error)
                continue
            known = sum(one.name in found for one in here)
            total += max(count, len(here)) - known
            for one in here:
                found.setdefault(one.name, one)
        return Found(tuple(found.values())[:limit], max(total, len(found)), tuple(refused))

    def repositories(self, org: str, token: CancelToken) -> tuple[Repository, ...]:
        """Every repository of an organisation. Without a key, and for organisations of others,
        the public ones by way of a search."""
        if self.key is not None:
            path = f"v2/org/{quote(org, safe='')}/repos?include-teams=true&include-public=true"
            try:
                return tuple(self._repositories(path, org, token))
            except (AccessDenied, NotFound):
                pass  # not an organisation of this key's: its public part is for everybody
        found, _total = self._search(
            "v2/search/catalog", "", "", f"orgName:{org}", _PAGE * _MAX_PAGES, token
        )
        return tuple(one for one in found if one.name.org == org)

    def repository(self, name: RepositoryName, token: CancelToken) -> Repository:
        """One repository, with its description."""
        value = self._about(name, "?resolve-labels=true", str(name), token)
        inner = value.get("repository")
        known = answers.repository(inner if isinstance(inner, dict) else value)
        if known is None or known.name != name:
            raise NotFound(f"NGC has no {name}", hint="Check the spelling.")
        return known

    def images(self, name: RepositoryName, token: CancelToken) -> tuple[TaggedImage, ...]:
        """Every tag that the catalogue knows of, each once.

        Pages count from zero. They end where `paginationInfo` says so, or where there is none, with
        a page that is not full or brings nothing new.
        """
        found: dict[str, TaggedImage] = {}
        for page in range(_MAX_PAGES):
            query = f"/images?page-size={_PAGE}&page-number={page}"
            value = self._about(name, query, f"the tags of {name}", token)
            listed = list(answers.objects(value.get("images")))
            before = len(found)
            for image in map(answers.image, listed):
                if image is not None:
                    found.setdefault(image.tag, image)
            if len(found) == before or _is_last(value, page, len(listed)):
                break
        return tuple(found.values())

    def _about(
        self, name: RepositoryName, query: str, what: str, token: CancelToken
    ) -> dict[str, Any]:
        """With the key, and where that does not reach, as everybody may."""
        org, team, repository = (quote(part, safe="") for part in (name.org, name.team, name.name))
        guest = "/".join(part for part in ("v2/repos", org, team, repository) if part)
        refused: AirgapError | None = None
        if self.key is not None:
            own = f"v2/org/{org}" + (f"/team/{team}" if team else "") + f"/repos/{repository}"
            try:
                return self._ask(Question(own + query, what), name.org, name.team, token, name)
            except (AccessDenied, NotFound) as error:
                refused = error
        try:
            return self._ask(Question(guest + query, what), "", "", token, name, as_guest=True)
        except (AccessDenied, NotFound) as error:
            raise refused or error from None

    def _repositories(self, path: str, org: str, token: CancelToken) -> Iterator[Repository]:
        seen: set[RepositoryName] = set()
        for page in range(_MAX_PAGES):
            question = Question(
                f"{path}&page-size={_PAGE}&page-number={page}", f"the repositories of {org}"
            )
            value = self._ask(question, org, "", token)
            listed = list(answers.objects(value.get("repositories")))
            before = len(seen)
            for known in map(answers.repository, listed):
                if known is not None and known.name.org == org and known.name not in seen:
                    seen.add(known.name)
                    yield known
            if len(seen) == before or _is_last(value, page, len(listed)):
                return

    def _search(
        self, path: str, org: str, team: str, query: str, limit: int, token: CancelToken
    ) -> tuple[list[Repository], int]:
        found: dict[RepositoryName, Repository] = {}
        total = 0
        for page in range(_MAX_PAGES):
            asked = {
                "query": query,
                "page": page,
                "pageSize": min(limit, _PAGE),
                "orderBy": [{"field": "score", "value": "DESC"}],
            }
            parameters = urlencode({"q": json.dumps(asked, separators=(",", ":"))})
            what = "the catalogue" + (f" of {'/'.join(filter(None, (org, team)))}" if org else "")
            question = Question(f"{path}/resources/CONTAINER?{parameters}", what)
            value = self._ask(question, org, team, token, as_guest=not org)
            # Each resource is there twice, as scored and by its kind.
            before = len(found)
            for group in answers.objects(value.get("results")):
                for item in answers.objects(group.get("resources")):
                    known = answers.resource(item, public=None if org else True)
                    if known is not None:
                        found.setdefault(known.name, known)
            total = max(total, answers.count(value, "resultTotal"))
            done = page + 1 >= answers.count(value, "resultPageTotal")
            if done or len(found) == before or len(found) >= limit:
                break
        return list(found.values())[:limit], max(total, len(found))

    def _ask(
        self,
        question: Question,
        org: str,
        team: str,
        token: CancelToken,
        repository: RepositoryName | None = None,
        *,
        as_guest: bool = False,
    ) -> dict[str, Any]:
        key = None if as_guest else self.key
        headers = {"Accept": "application/json"}
        if key is None:
            headers["X-NGC-Guest-Token"] = self._guest
            authorization = ""
        else:
            authorization = key.authorization(org, team, token)
            if org:
                headers["nv-ngc-org"] = org
            if team:
                headers["nv-ngc-team"] = team
        asked = Question(question.url, question.name, headers=headers)
        answer = self._api.ask(asked, authorization, token)
        if answer.status != 200:
            raise self._refusal(answer, question.name, key, repository)
        return answers.document(answer.body, answer.host)

    def _refusal(
        self, answer: Answer, name: str, key: Key | None, repository: RepositoryName | None
    ) -> AirgapError:
        origin = key.origin if key is not None else ""
        return refusal(answer, name, registry=self._registry, key=origin, repository=repository)


def _is_last(value: dict[str, Any], page: int, listed: int) -> bool:
    """Whether no page follows, by either form in which the catalogue counts its pages."""
    info = value.get("paginationInfo")
    if isinstance(info, dict):
        if "totalPages" in info:
            return page + 1 >= answers.count(info, "totalPages")
        following = info.get("nextPage")
        return following is None or answers.count(info, "nextPage") <= page
    return listed < _PAGE
