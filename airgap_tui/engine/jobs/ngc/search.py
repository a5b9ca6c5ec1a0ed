"""`ngc search`: which repositories there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, ConnectionFailure, Stopped, UsageError
from airgap_tui.engine.events import Sink
from airgap_tui.engine.jobs.ngc.access import MAX_TAGS, Ngc, open_ngc
from airgap_tui.engine.jobs.ngc.described import moment
from airgap_tui.engine.ngc.repository import Repository, RepositoryName
from airgap_tui.engine.ngc.versions import classify
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """No words find everything. `limit` repositories are listed, all that fit are counted."""

    words: str
    limit: int = 100
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`error` says why the catalogue did not answer; then a repository that was named whole is
    described from its registry."""

    words: str
    repositories: tuple[Repository, ...]
    total: int
    scope: str
    registry: str
    refused: tuple[str, ...] = ()
    error: str = ""

    @property
    def exit_code(self) -> int:
        return AirgapError.exit_code if self.refused else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "query": self.words,
            "scope": self.scope,
            "total": self.total,
            "repositories": [
                {
                    "name": str(one.name),
                    "reference": f"{self.registry}/{one.name}",
                    "title": one.title,
                    "description": one.description,
                    "newest": one.latest_tag,
                    "updated": moment(one.updated),
                    "size": one.size or None,
                    "public": one.public,
                }
                for one in self.repositories
            ],
            "refused": list(self.refused),
            "catalogueError": self.error or None,
        }


def run(
    spec: SearchSpec, sink: Sink, token: CancelToken, credentials: CredentialStore | None = None
) -> SearchResult:
    """Raises `ConnectionFailure` where the catalogue does not answer and nothing else helps."""
    with open_ngc(spec.settings, sink, token, credentials) as ngc:
        try:
            found = ngc.search(spec.words, token, spec.limit)
        except ConnectionFailure as error:
            known = from_registry(spec.words, ngc, token)
            if known is None:
                error.hint = error.hint or (
                    "Name a repository whole, and its tags come from the registry:"
                    " airgap-tui ngc tags nvidia/pytorch"
                )
                raise
            message = redact(error.message)
            return SearchResult(spec.words, (known,), 1, ngc.scope, ngc.registry, (), message)
        refused = tuple(redact(error.message) for error in found.refused)
        return SearchResult(
            spec.words, found.repositories, found.total, ngc.scope, ngc.registry, refused
        )


def from_registry(words: str, ngc: Ngc, token: CancelToken) -> Repository | None:
    """A repository that was named whole, as far as its registry knows it."""
    try:
        name = RepositoryName.parse(words, ngc.registry)
        tags = list(islice(ngc.source.tags(name.reference(ngc.registry), token), MAX_TAGS))
    except UsageError:
        return None
    except Stopped:
        raise
    except AirgapError:
        return None
    versions = [tag for tag in classify(tags).tags.values() if tag.version is not None]
    newest = max(versions, key=lambda tag: (tag.version, tag.tag), default=None)
    return Repository(name, name.name, latest_tag=newest.tag if newest else "")
