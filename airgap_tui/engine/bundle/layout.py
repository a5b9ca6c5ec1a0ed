"""The files of a bundle, and the grammar of their names (OCI image spec, image-layout.md).

Every name inside a bundle is made here from parsed values, or checked here, before it is opened.
"""

from __future__ import annotations

import re
from pathlib import Path

from airgap_tui.engine.oci.digest import Digest

OCI_LAYOUT = "oci-layout"
INDEX = "index.json"
DOCKER_MANIFEST = "manifest.json"
INVENTORY = "bundle.json"
CHECKSUMS = "SHA256SUMS"
SSH_SIGNATURE = "bundle.json.sig"
GPG_SIGNATURE = "bundle.json.asc"
START_HERE = "START-HERE.txt"
VOLUME = "volume.json"
BLOBS = "blobs"
PIECES = "pieces"
TOOL = "airgap-tui"
TOOL_SUMS = f"{TOOL}/SHA256SUMS"
TOOL_RUN = "run"
TOOL_PROGRAM = "airgap-tui-"
"""What the names of executable files of the tool begin with; the machine follows."""

PARTIAL = ".partial"
LOCK = f"{PARTIAL}/lock"
DAMAGED = f"{PARTIAL}/damaged"

OCI_LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'

FILES = (OCI_LAYOUT, INDEX, DOCKER_MANIFEST, INVENTORY, START_HERE)
"""The files beside the blobs whose checksums are listed."""

SIGNATURES = (SSH_SIGNATURE, GPG_SIGNATURE)
"""The files that may hold a signature of the inventory."""

SEALED = (CHECKSUMS, START_HERE, *SIGNATURES)
"""What a change of the bundle makes untrue."""

ALGORITHMS = ("sha256", "sha512")

_BLOB = re.compile(rf"{BLOBS}/(sha256/[0-9a-f]{{64}}|sha512/[0-9a-f]{{128}})")
_PIECE = re.compile(
    rf"{PIECES}/(sha256/[0-9a-f]{{64}}|sha512/[0-9a-f]{{128}})/(0|[1-9][0-9]{{0,17}})"
)
_SHEETS = frozenset(f"transfer-sheet.{kind}" for kind in ("txt", "csv", "html"))
_OTHER = frozenset({*FILES, CHECKSUMS, *SIGNATURES, VOLUME, *_SHEETS})
_TOOL = re.compile(rf"{TOOL}(?:/[A-Za-z0-9_][A-Za-z0-9._+-]{{0,63}}){{1,8}}")
_REF_NAME_PART = r"[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*"
_REF_NAME = re.compile(rf"{_REF_NAME_PART}(?:/{_REF_NAME_PART})*")


def blob_path(digest: Digest) -> str:
    """`blobs/sha256/<hex>`."""
    return f"{BLOBS}/{digest.algorithm}/{digest.hex}"


def partial_path(digest: Digest) -> str:
    """`.partial/sha256-<hex>`, where the content lies until it is whole."""
    return f"{PARTIAL}/{digest.algorithm}-{digest.hex}"


def digest_of_path(name: str) -> Digest | None:
    """The digest that a name in `blobs` stands for; None for any other name."""
    match = _BLOB.fullmatch(name)
    if match is None:
        return None
    algorithm, _, hexadecimal = match[1].partition("/")
    return Digest(algorithm, hexadecimal)


def piece_path(digest: Digest, offset: int) -> str:
    """`pieces/sha256/<hex>/<offset>`: the part of a blob that begins at a byte of it."""
    return f"{PIECES}/{digest.algorithm}/{digest.hex}/{offset}"


def piece_of_path(name: str) -> tuple[Digest, int] | None:
    """The digest of the whole blob and the offset that a name in `pieces` stands for; None for any
    other name."""
    match = _PIECE.fullmatch(name)
    if match is None:
        return None
    algorithm, _, hexadecimal = match[1].partition("/")
    return Digest(algorithm, hexadecimal), int(match[2])


def is_file_name(name: str) -> bool:
    """Whether a file of this name may be part of a bundle or of a volume of one."""
    return (
        name in _OTHER
        or digest_of_path(name) is not None
        or piece_of_path(name) is not None
        or _TOOL.fullmatch(name) is not None
    )


def is_program(name: str) -> bool:
    """Whether a file of the tool is one that is run by its name."""
    return name == f"{TOOL}/{TOOL_RUN}" or name.startswith(f"{TOOL}/{TOOL_PROGRAM}")


def is_ref_name(name: str) -> bool:
    """Whether `org.opencontainers.image.ref.name` may hold this (image spec, annotations.md)."""
    return _REF_NAME.fullmatch(name) is not None


def is_new(directory: Path) -> bool:
    """Whether a directory holds nothing yet, or only the traces of a save that had just begun."""
    return all(entry.name in (PARTIAL, "lost+found") for entry in directory.iterdir())
