"""A catalogue for the embedded registry, filled by a test: blobs in files, or in one tar file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.errors import NameConflict, NotFound
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest, parse
from airgap_tui.engine.serve.catalogue import Place
from tests.images import SampleImage, SampleIndex


@dataclass(frozen=True, slots=True)
class FileExtent:
    path: Path
    offset: int
    size: int

    @property
    def parts(self) -> tuple[FileExtent, ...]:
        """Three pieces, as of a blob that was cut, wherever there is something to cut."""
        first, second = self.size // 7, self.size // 3
        cuts = ((0, first), (first, second), (second, self.size))
        pieces = (FileExtent(self.path, self.offset + a, b - a) for a, b in cuts)
        return tuple(pieces) if self.size > 100 else (self,)


class FakeCatalogue:
    """`in_tar` puts all blobs into one tar file, where each begins behind its member's header."""

    def __init__(
        self,
        directory: Path,
        images: Sequence[SampleImage | SampleIndex],
        *,
        in_tar: bool = False,
        ambiguous: frozenset[str] = frozenset(),
    ) -> None:
        self._tags: dict[str, dict[str, Digest]] = {}
        self._documents: dict[Digest, Manifest | Index] = {}
        self._extents: dict[Digest, FileExtent] = {}
        self._ambiguous = ambiguous
        blobs: dict[str, bytes] = {}
        for image in images:
            for media_type, raw in image.documents:
                document = parse(raw, media_type)
                self._documents[document.digest] = document
            tags = self._tags.setdefault(image.repository, {})
            tags[image.tag] = Digest.parse(image.digest)
            blobs |= image.blobs
        directory.mkdir(parents=True, exist_ok=True)
        (self._write_tar if in_tar else self._write_files)(directory, blobs)

    def add_file(self, digest: Digest, path: Path) -> None:
        """Serve a file as it is, whatever its content."""
        self._extents[digest] = FileExtent(path, 0, path.stat().st_size)

    def add_tags(self, repository: str, tags: Sequence[str]) -> None:
        """Many names for some manifest that there is already."""
        digest = next(iter(self._documents))
        self._tags.setdefault(repository, {}).update(dict.fromkeys(tags, digest))

    def repositories(self) -> Sequence[str]:
        return sorted(self._tags)

    def tags(self, repository: str) -> Sequence[str]:
        return sorted(self._known(repository))

    def manifest(self, repository: str, tag: str) -> Manifest | Index:
        if f"{repository}:{tag}" in self._ambiguous:
            raise NameConflict(f"{repository}:{tag} is two images", hint="Name the registry.")
        digest = self._known(repository).get(tag)
        if digest is None:
            raise NotFound(f"{repository} has no tag {tag}")
        return self._documents[digest]

    def document(self, repository: str, digest: Digest) -> Manifest | Index:
        self._known(repository)
        if digest not in self._documents:
            raise NotFound(f"{repository} has no manifest {digest}")
        return self._documents[digest]

    def blob(self, repository: str, digest: Digest) -> Place:
        self._known(repository)
        if digest not in self._extents:
            raise NotFound(f"{repository} has no blob {digest}")
        return self._extents[digest]

    def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        self._known(repository)
        return [
            document.descriptor
            for document in self._documents.values()
            if document.subject is not None and document.subject.digest == digest
        ]

    def _known(self, repository: str) -> dict[str, Digest]:
        if repository not in self._tags:
            raise NotFound(f"there is no repository {repository}")
        return self._tags[repository]

    def _write_files(self, directory: Path, blobs: dict[str, bytes]) -> None:
        for text, data in blobs.items():
            digest = Digest.parse(text)
            path = directory / digest.hex
            path.write_bytes(data)
            self._extents[digest] = FileExtent(path, 0, len(data))

    def _write_tar(self, directory: Path, blobs: dict[str, bytes]) -> None:
        path = directory / "blobs.tar"
        with tarfile.open(path, "w") as tar:
            for text, data in blobs.items():
                member = tarfile.TarInfo(Digest.parse(text).hex)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        with tarfile.open(path) as tar:
            for member in tar:
                digest = Digest("sha256", member.name)
                self._extents[digest] = FileExtent(path, member.offset_data, member.size)
