"""Files and directories on this machine that the user names: which images they mention."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery import reading, remedies
from airgap_tui.engine.discovery.finding import Kind, Place, Remark
from airgap_tui.engine.discovery.hosts import ssh
from airgap_tui.engine.discovery.hosts.collecting import MOST_FILES
from airgap_tui.engine.discovery.opening import open_file, plain_name, rotations
from airgap_tui.engine.discovery.recognition import recognised
from airgap_tui.engine.discovery.sources import sif
from airgap_tui.engine.jobs.discovery.findings import Findings

_SKIPPED = frozenset({".git", "node_modules"})
_SIF_MAGIC = b"SIF_MAGIC"
_SIF_MAGIC_AT = 32
_INSPECTION_SECONDS = 60.0
_MOST_LABELS = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NamedPath:
    """A file, or a directory to look through. `kind` is None where the content tells it."""

    path: Path
    kind: Kind | None = None


def read_paths(paths: Sequence[NamedPath], findings: Findings, token: CancelToken) -> None:
    """Read each file once, whatever names it; a log with its rotated siblings."""
    seen: set[Path] = set()
    for named in paths:
        if named.path.is_dir():
            _directory(named.path, findings, token, seen)
            continue
        for path in _with_rotated(named):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                _file(path, named.kind, findings, token, named=True)


def _with_rotated(named: NamedPath) -> list[Path]:
    path = named.path
    if named.kind is Kind.SLURMD_LOG and plain_name(path.name) == path.name:
        return rotations(path) or [path]
    return [path]


def _directory(path: Path, findings: Findings, token: CancelToken, seen: set[Path]) -> None:
    unread: list[str] = []
    for number, file in enumerate(_files_below(path, unread)):
        if number == MOST_FILES:
            findings.failed("", None, str(path), *remedies.TOO_MANY_FILES)
            break
        if file.resolve() not in seen:
            seen.add(file.resolve())
            _file(file, None, findings, token, named=False)
    for folder in unread:
        findings.failed("", None, folder, "it may not be read", remedies.remedy_for(None))


def _files_below(path: Path, unread: list[str]) -> Iterator[Path]:
    for folder, folders, names in os.walk(path, onerror=lambda e: unread.append(str(e.filename))):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _file(
    path: Path, kind: Kind | None, findings: Findings, token: CancelToken, *, named: bool
) -> None:
    token.check()
    source = open_file(path)
    if isinstance(source, Remark):
        findings.failed("", kind, str(path), source.text, source.remedy)
        return
    with source:
        if source.head[_SIF_MAGIC_AT:].startswith(_SIF_MAGIC):
            _image_file(path, findings, token)
            return
        kind = kind or recognised(path.name, source.head)
        if kind is not None:
            zone = datetime.now().astimezone().tzinfo or timezone.utc
            pieces = reading.read_source(source, kind, zone)
            findings.take("", kind, str(path), _until(token, pieces))
        elif named:
            findings.failed(
                "",
                None,
                str(path),
                "what kind of source it is cannot be told",
                "Name it with the option for its kind, such as --history FILE.",
            )


def _until(token: CancelToken, pieces: reading.Pieces) -> reading.Pieces:
    for piece in pieces:
        token.check()
        yield piece


def _image_file(path: Path, findings: Findings, token: CancelToken) -> None:
    """A SIF tells in its labels what it was built from."""
    program = shutil.which("apptainer") or shutil.which("singularity")
    remedy = remedies.remedy_for(Kind.SIF)
    if program is None:
        reason = "its labels can only be read by apptainer"
        findings.failed("", Kind.SIF, str(path), reason, remedy)
        return
    labels = bytearray()
    ended = ssh.run(
        [program, "inspect", "--json", str(path.absolute())],
        b"",
        labels.extend,
        seconds=_INSPECTION_SECONDS,
        token=token,
        most=_MOST_LABELS,
    )
    if ended.code:
        reason = ended.said or "apptainer cannot read it"
        findings.failed("", Kind.SIF, str(path), reason, remedy)
        return
    pieces = sif.read(io.BytesIO(bytes(labels)), Place(str(path)))
    findings.take("", Kind.SIF, str(path), pieces)
