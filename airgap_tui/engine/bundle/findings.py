"""What can be wrong with a bundle's files, and the comparison with its list of checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle import layout, names
from airgap_tui.engine.bundle.checksums import MAX_BYTES, parse_checksums
from airgap_tui.engine.bundle.media.stored_files import Storage
from airgap_tui.engine.bundle.needs import Need
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted

ABSENT = "it is not there"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: with a layer or other file under its digest, or with a file by its name.
    `volumes` are the numbers of those that it is on, where the bundle lies in volumes."""

    file: str
    digest: str
    problem: str
    items: tuple[str, ...] = ()
    volumes: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "digest": self.digest or None,
            "file": self.file,
            "problem": self.problem,
            "items": list(self.items),
            **({"volumes": list(self.volumes)} if self.volumes else {}),
        }


def finding_of(need: Need, problem: str) -> Finding:
    path = layout.blob_path(need.digest)
    return Finding(path, str(need.digest), problem, tuple(sorted(need.items)))


def check_files(
    storage: Storage,
    needs: Mapping[Digest, Need],
    stored: Mapping[Digest, int],
    token: CancelToken,
) -> list[Finding]:
    """Compare `SHA256SUMS` with the files beside the blobs, and with what lies among the blobs.

    Finds nothing where the file is absent: the last save did not finish."""
    if storage.extent(layout.CHECKSUMS) is None:
        return []
    try:
        raw = storage.read(layout.CHECKSUMS, MAX_BYTES)
        sums = parse_checksums(raw, str(storage.location))
    except AirgapError as error:
        return [Finding(layout.CHECKSUMS, "", error.message)]
    findings = []
    for name, expected in sorted(sums.items()):
        token.check()
        digest = layout.digest_of_path(name)
        if name.startswith(f"{layout.TOOL}/"):
            continue  # `check_tool` compares these with what the inventory says
        if digest is not None:
            if digest not in stored and digest not in needs:
                findings.append(Finding(name, str(digest), ABSENT))
            elif digest.algorithm == "sha256" and digest.hex != expected:
                findings.append(Finding(layout.CHECKSUMS, "", f"it is wrong about {name}"))
        elif storage.extent(name) is None:
            findings.append(Finding(name, "", ABSENT))
        elif Digest.of(storage.read(name, MAX_BYTES)).hex != expected:
            findings.append(Finding(name, "", f"it is not what {layout.CHECKSUMS} says"))
    unlisted = [d for d in needs if d in stored and layout.blob_path(d) not in sums]
    if unlisted:
        problem = f"it leaves out {counted(len(unlisted), 'file')} that items need"
        findings.append(Finding(layout.CHECKSUMS, "", problem))
    return findings


def check_archive_twin(reader: BundleReader) -> list[Finding]:
    """Compare `manifest.json` with the manifests that the inventory names, layer by layer."""
    storage, inventory = reader.storage, reader.inventory
    if inventory.saving or not inventory.id or storage.extent(layout.DOCKER_MANIFEST) is None:
        return []
    where = str(storage.location)
    expected = names.manifest_json(inventory, lambda d: reader.document(d.digest, d.media_type))
    raw = storage.read(layout.DOCKER_MANIFEST, names.MAX_BYTES)
    known = {
        tag: entry for entry in names.parse_docker_manifest(expected, where) for tag in entry.names
    }
    findings = []
    for entry in names.parse_docker_manifest(raw, where):
        for tag in entry.names:
            ours = known.get(tag)
            if ours is not None and (ours.config, ours.layers) != (entry.config, entry.layers):
                problem = f"it names other content for {tag} than its manifest does"
                findings.append(Finding(layout.DOCKER_MANIFEST, "", problem, (tag,)))
    return findings
