"""A volume as an ISO 9660 image with Rock Ridge and Joliet names, made by xorriso.

xorriso writes into a pipe; from there the image is hashed and goes to its disk. The same volume
gives the same bytes: dates are the bundle's, and the order of the files is given. When the image is
there, each file in it is read and compared: another program has written it. One that broke off is
begun again.

Names stay within the 64 characters of Joliet, but for blobs with a sha512 digest: OCI gives these
128, which Rock Ridge has whole and Joliet cut.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle.durable import sync_directory, writing
from airgap_tui.engine.bundle.media.extent import Extent
from airgap_tui.engine.bundle.media.storage import open_storage
from airgap_tui.engine.bundle.stream_file import StreamFile
from airgap_tui.engine.bundle.volumes.arrangement import Content, VolumeLayout
from airgap_tui.engine.bundle.volumes.tar_volume import Report, open_partial, partial_path
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, EnvironmentFailure, NotFound, UsageError
from airgap_tui.engine.oci.digest import Digest

_POLL = 0.25
_TAIL = 1000
_PATIENCE = 60.0

_ARGUMENTS = ("-outdev", "-", "-no_rc", "-abort_on", "SORRY", "-return_with", "SORRY", "32")
_OPTIONS = """\
-compliance iso_9660_level=3
-joliet on
-rockridge on
-padding 300k
-publisher ""
-preparer_id "airgap-tui"
-volid "{volume_id}"
-volume_date all_file_dates ={epoch}
"""


def find_xorriso() -> str:
    """Where the program is. Raises `NotFound`, which names the package."""
    found = shutil.which("xorriso")
    if found is None:
        raise NotFound(
            "xorriso is not installed; ISO images are written by it",
            hint="Install the package xorriso (Debian, Ubuntu, RHEL with EPEL, SUSE),"
            " or choose --format dir or tar.",
        )
    return found


def write_iso(
    directory: Path,
    laid: VolumeLayout,
    extent: Callable[[Content], Extent],
    report: Report,
    token: CancelToken,
    epoch: int,
) -> str:
    """Write the volume in `directory`; the SHA-256 of the file, in hex.

    `extent` tells where a file's bytes lie; `epoch` is the date of everything, in seconds. Raises
    `NotFound` without xorriso, `EnvironmentFailure`, `NoRoom`, `ContentMismatch`, `BundleLocked`.
    """
    program = find_xorriso()
    path = partial_path(directory, laid.name)
    work = partial_path(directory, f"{laid.name}.work")
    descriptor = open_partial(path)
    hasher = Digest("sha256", "").hasher()
    try:
        with writing(path):
            os.ftruncate(descriptor, 0)
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            options = _write_options(work, laid, extent, epoch)
        with closing(StreamFile(path, descriptor, 0, hasher)) as out:
            _run(program, options, epoch, out, laid, report, token)
            out.finish()
        _compare(path, laid, token)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with writing(path):
        os.replace(path, directory / laid.name)
        sync_directory(directory)
    return hasher.hexdigest()


def _write_options(
    work: Path, laid: VolumeLayout, extent: Callable[[Content], Extent], epoch: int
) -> Path:
    """The commands for xorriso, one a line; what was made here lies beside them."""
    made = iter(range(len(laid.contents)))
    lines = [_OPTIONS.format(volume_id=_volume_id(laid), epoch=epoch)]
    for content in laid.contents:
        if content.part is None:
            file = work / str(next(made))
            file.write_bytes(content.made)
            lines.append(f"-map {_quoted(file)} {_quoted(f'/{content.path}')}\n")
            continue
        place = extent(content)
        whole = place.offset == 0 and place.path.stat().st_size == place.size
        how = "-map" if whole or not place.size else "-cut_out"
        numbers = "" if how == "-map" else f" {place.offset} {place.size}"
        if how == "-map" and not whole:
            empty = work / "empty"
            empty.touch()
            place = Extent(empty, 0, 0)
        lines.append(f"{how} {_quoted(place.path)}{numbers} {_quoted(f'/{content.path}')}\n")
    # Without this, files lie in the order of their inodes, and copies of a bundle differ.
    for weight, content in enumerate(reversed(laid.contents), 1):
        lines.append(f"-find {_quoted(f'/{content.path}')} -exec sort_weight {weight} --\n")
    lines.append("-find / -exec mkisofs_r --\n")
    options = work / "options"
    options.write_bytes(b"".join(os.fsencode(line) for line in lines))
    return options


def _quoted(path: Path | str) -> str:
    text = str(path.absolute()) if isinstance(path, Path) else path
    for mark in "\"'":
        if mark not in text and "\n" not in text:
            return f"{mark}{text}{mark}"
    raise UsageError(
        f"xorriso cannot take the path {text!r}",
        hint="Rename the directory, so that its name holds no line break and no quotation marks.",
    )


def _volume_id(laid: VolumeLayout) -> str:
    """At most 16 characters, which Joliet cuts to."""
    volume = laid.volume
    return "AIRGAP" if volume.count == 1 else f"AIRGAP_{volume.number}_{volume.count}"


def _run(
    program: str,
    options: Path,
    epoch: int,
    out: StreamFile,
    laid: VolumeLayout,
    report: Report,
    token: CancelToken,
) -> None:
    errors_path = options.with_name("errors")
    with writing(errors_path), errors_path.open("w+b") as errors:
        process = subprocess.Popen(
            [program, *_ARGUMENTS, "-options_from_file", str(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LC_ALL": "C.UTF-8",
                "SOURCE_DATE_EPOCH": str(epoch),
            },
        )
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            _take(process.stdout, out, laid, report, token)
            code = process.wait(_PATIENCE)
        finally:
            with suppress(OSError):
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if code:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _TAIL))
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            reasons = [line for line in said if " FAILURE " in line or " SORRY " in line]
            raise EnvironmentFailure(
                f"xorriso ended with {code}: {(reasons or said or ['it said nothing'])[0]}",
                hint="Check whether the bundle can be read: airgap-tui verify.",
            )


def _take(
    pipe: IO[bytes], out: StreamFile, laid: VolumeLayout, report: Report, token: CancelToken
) -> None:
    told = _telling(laid, report)
    descriptor = pipe.fileno()
    while True:
        token.check()
        if not select.select([descriptor], [], [], _POLL)[0]:
            continue
        count = os.readv(descriptor, [out.room()])
        if not count:
            return
        out.filled(count)
        told(count)


def _telling(laid: VolumeLayout, report: Report) -> Callable[[int], None]:
    """Counts bytes of the image as those of the files in it, in their order."""

    def steps() -> Iterator[tuple[Content, int]]:
        for content in laid.contents:
            yield content, content.size

    left = steps()
    content, room = next(left)

    def tell(count: int) -> None:
        nonlocal content, room
        while count > 0:
            now = min(count, room)
            if now:
                report(content, now)
            count, room = count - now, room - now
            if not room:
                following = next(left, None)
                if following is None:
                    return
                content, room = following

    return tell


def _compare(path: Path, laid: VolumeLayout, token: CancelToken) -> None:
    """Read every file inside the image."""
    storage = open_storage(path)
    for content in laid.contents:
        hasher, size = Digest("sha256", "").hasher(), 0
        with closing(storage.open(content.path)) as reader:
            while count := reader.readinto(buffer()):
                token.check()
                hasher.update(buffer()[:count])
                size += count
        if size != content.size or hasher.hexdigest() != content.sha256:
            raise ContentMismatch(
                f"{path}: {content.path} is not what it should be in the image",
                hint="If airgap-tui verify finds the bundle whole, the disk is failing.",
            )
