"""What the catalogue knows of a repository and of a tag, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airgap_tui.engine.errors import InvalidReference, UsageError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference

_PAGES = "https://catalog.ngc.nvidia.com"


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """`org/name` or `org/team/name`; what stands before the last slash is the catalogue's
    "namespace"."""

    org: str
    team: str
    name: str

    @classmethod
    def parse(cls, text: str, registry: str = "nvcr.io") -> RepositoryName:
        """Read `nvidia/pytorch` or `nvidia/k8s/dcgm-exporter`, also with the registry before it.

        Raises `UsageError`.
        """
        path = text.strip().removeprefix(f"{registry}/")
        parts = path.split("/")
        try:
            known = Reference.parse(f"{registry}/{path}")
            if known.repository != path or len(parts) not in (2, 3):
                raise InvalidReference(path, "it has an organisation, perhaps a team, and a name")
        except InvalidReference as error:
            raise UsageError(
                f"not a repository of NGC: {text!r}: {error.reason}",
                hint="Write it like nvidia/pytorch or nvidia/k8s/dcgm-exporter, without a tag.",
            ) from None
        return cls(parts[0], parts[1] if len(parts) == 3 else "", parts[-1])

    @property
    def path(self) -> str:
        return "/".join(part for part in (self.org, self.team, self.name) if part)

    @property
    def page(self) -> str:
        """Its page on the web, where licences are accepted."""
        team = f"/teams/{self.team}" if self.team else ""
        return f"{_PAGES}/orgs/{self.org}{team}/containers/{self.name}"

    def reference(self, registry: str, tag: str = "") -> Reference:
        """The name to pull by. Raises `InvalidReference` where the tag cannot be one."""
        return Reference.parse(f"{registry}/{self.path}:{tag or 'latest'}")

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Repository:
    """One entry of the catalogue. `size` is in bytes and of the newest tag; what the catalogue
    does not say is empty, 0 or None. `readme` is Markdown."""

    name: RepositoryName
    title: str = ""
    description: str = ""
    latest_tag: str = ""
    updated: datetime | None = None
    size: int = 0
    public: bool | None = None
    readme: str = ""


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """One tag. All but the tag is decoration: the registry's list and digests are the truth.

    `updated` moves with each edit of its entry, `pushed` with its content. `size` is what is moved,
    in bytes, of the first platform; 0 where it is not known. Empty `platforms` are not known
    either.
    """

    tag: str
    updated: datetime | None = None
    pushed: datetime | None = None
    size: int = 0
    platforms: tuple[Platform, ...] = ()
    digest: Digest | None = None
    signed: bool = False

    @property
    def date(self) -> datetime | None:
        """Of its content, as far as it is known."""
        return self.pushed or self.updated
