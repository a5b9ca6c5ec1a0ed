"""What the embedded registry serves: the only thing that it knows of bundles.

Names and digests arrive here checked against their grammar, so an implementation looks them up and
never builds a path from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest


class Extent(Protocol):
    """A whole file, or a stretch of a tar or ISO file. In bytes."""

    @property
    def path(self) -> Path: ...
    @property
    def offset(self) -> int: ...
    @property
    def size(self) -> int: ...


class Place(Protocol):
    """Where the bytes of a blob lie: in one stretch, or in several, one after the other."""

    @property
    def parts(self) -> Sequence[Extent]: ...


class Catalogue(Protocol):
    """Repositories and what is in them. Called from many threads at once.

    `repository` may be a short name (`nvidia/cuda`) or begin with the registry that it came from
    (`nvcr.io/nvidia/cuda`). Methods raise `NotFound` for what is not there, with a message that may
    be shown to whoever asked.
    """

    def repositories(self) -> Sequence[str]:
        """The names to list, sorted."""
        ...

    def tags(self, repository: str) -> Sequence[str]:
        """The tags of a repository, sorted."""
        ...

    def manifest(self, repository: str, tag: str) -> Manifest | Index:
        """What a tag names. Raises `NameConflict` where the short name stands for two images."""
        ...

    def document(self, repository: str, digest: Digest) -> Manifest | Index:
        """A manifest or an index by its digest."""
        ...

    def blob(self, repository: str, digest: Digest) -> Place:
        """Where the bytes of a config, a layer or a file lie."""
        ...

    def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """The manifests whose subject is `digest` (signatures, attestations); often none."""
        ...
