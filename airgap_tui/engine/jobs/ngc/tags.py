"""`ngc tags`: every tag of a repository, newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, Stopped
from airgap_tui.engine.events import Sink
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.ngc.access import Listing, open_ngc
from airgap_tui.engine.jobs.ngc.described import described, message_of
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.ngc.selection import Rule, Selection
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class TagsSpec:
    """The tags of one repository, `org/name` or `org/team/name`. `digests` asks for each one's."""

    repository: str
    digests: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class TagsResult:
    """Newest first. `digests` are the registry's, by tag."""

    listing: Listing
    selection: Selection
    registry: str
    digests: dict[str, Digest] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return AirgapError.exit_code if self.listing.registry_error is not None else 0

    def _digest(self, tag: str) -> str | None:
        digest = self.digests.get(tag)
        return str(digest) if digest is not None else None

    def to_json(self) -> dict[str, Any]:
        listing = self.listing
        return {
            "repository": str(listing.name),
            "reference": f"{self.registry}/{listing.name}",
            "scheme": self.selection.scheme.value,
            "tags": [
                {
                    "tag": decision.image.tag,
                    "version": str(decision.version) if decision.version else None,
                    "variant": decision.variant,
                    "digest": self._digest(decision.image.tag),
                    **described(decision.image),
                }
                for decision in self.selection.decisions
            ],
            "notInRegistry": sorted(image.tag for image in listing.unlisted),
            "hidden": self.selection.hidden,
            "catalogueError": message_of(listing.catalogue_error),
            "registryError": message_of(listing.registry_error),
        }


def run(
    spec: TagsSpec, sink: Sink, token: CancelToken, credentials: CredentialStore | None = None
) -> TagsResult:
    """Raises what the registry said where the catalogue does not know the repository either."""
    registry = spec.settings.ngc.registry
    name = RepositoryName.parse(spec.repository, registry)
    with open_ngc(spec.settings, sink, token, credentials) as ngc:
        listing = ngc.listing(name, token)
        if listing.registry_error is not None and not listing.images:
            raise listing.registry_error
        selection = ngc.select(listing, Rule(), token)
        digests = {}
        if spec.digests and listing.registry_error is None:
            wanted = [decision.image.tag for decision in selection.decisions]

            def ask(tag: str) -> Digest | None:
                try:
                    return ngc.digest(name.reference(registry, tag), token)
                except Stopped:
                    raise
                except AirgapError:
                    return None

            found = zip(wanted, in_parallel(ask, wanted, 8, token), strict=True)
            digests = {tag: digest for tag, digest in found if digest is not None}
    return TagsResult(listing, selection, registry, digests)
