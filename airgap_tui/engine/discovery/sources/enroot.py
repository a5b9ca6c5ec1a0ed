"""What enroot leaves: names of `.sqsh` files, provenance lines, `user.image_uri`, its own errors.

A file that enroot named itself, such as `nvidia+pytorch+24.05-py3.sqsh`, is a hint: the registry is
lost, so it is unresolved, with the guess as its reason. Any other `.sqsh` is a local file. The
caching importer of Pyxis notes the image in an extended attribute of the file, which tells it. The
container's `/etc/rc` names its image in a provenance line from enroot 4.2 on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.naming import Named, named
from airgap_tui.engine.errors import InvalidReference
from airgap_tui.engine.oci.reference import Reference

_PROVENANCE = re.compile(r"#[ \t]*enroot-provenance:[ \t]*(\S+)")
_ATTRIBUTE = re.compile(r"user\.image_uri=\"?([^\"\s]+)\"?")
_URL = re.compile(
    r"\[ERROR\] URL https?://([^/\s]+)/v2/(\S+)/(?:manifests|blobs)/(\S+)"
    r" returned error code: ([0-9]{3}[ \w-]*)"
)
_INVALID = re.compile(r"\[ERROR\] Invalid image reference: (\S+)")
_SEPARATORS = re.compile(r"[\s\"',]+|:(?=\s|$)")
_SQUASHFS = (".sqsh", ".squashfs")
_LONGEST_LINE = 8192
_HUB = "registry-1.docker.io"


def read(stream: Stream, place: Place) -> Iterator[Finding | Remark]:
    """A list of files, a container's `/etc/rc`, or what enroot said."""
    content, more = texts.whole(stream)
    yield from texts.doubts(content, more, Kind.ENROOT, place)
    for number, line in enumerate(texts.decoded(content).split("\n"), start=1):
        found = _of_line(line[:_LONGEST_LINE], place, number)
        if found is not None:
            yield found


def _of_line(line: str, place: Place, number: int) -> Finding | None:
    if found := _PROVENANCE.search(line) or _ATTRIBUTE.search(line):
        return texts.finding(found[1], named(found[1], enroot=True), Kind.ENROOT, place, number)
    if error := of_error(line):
        written, meaning, reason = error
        result = texts.finding(written, meaning, Kind.ENROOT, place, number)
        return texts.failed(result, reason)
    if path := _path_in(line):
        return texts.finding(path, of_file(path), Kind.ENROOT, place, number)
    return None


def _path_in(line: str) -> str:
    """The squashfs file in a line of a listing: the whole line where it is a path alone, which may
    hold blanks; what getfattr says of a file comes on the lines below."""
    line = line.strip()
    if line.startswith("# file:"):
        return ""
    if line.startswith(("/", ".", "~")) and line.endswith(_SQUASHFS):
        return line
    return next((word for word in _SEPARATORS.split(line) if word.endswith(_SQUASHFS)), "")


def image_file(path: str, attribute: bytes) -> bytes:
    """What a squashfs file tells, for `read`: its attribute `user.image_uri`, or its name."""
    if attribute.strip():
        return b"user.image_uri=" + b"".join(attribute.split())
    return path.encode("utf-8", "surrogateescape")


def attribute(path: str) -> bytes:
    """`user.image_uri` of a file of this machine; empty where it has none."""
    try:
        return os.getxattr(path, "user.image_uri")
    except (OSError, ValueError):
        return b""


def of_error(line: str) -> tuple[str, Named, str] | None:
    """The image in an error of enroot: as written, its meaning, and what went wrong."""
    if found := _URL.search(line):
        host, repository, locator, status = found.groups()
        joint = "@" if locator.startswith(("sha256:", "sha512:")) else ":"
        written = f"{host}#{repository.strip('/')}{joint}{locator}"
        if host == _HUB and re.match(r"[^/]*[.:][^/]*/", repository):
            # enroot before 4.0 looks for nvcr.io/nvidia/x on Docker Hub; this is what was meant.
            written = f"{repository}{joint}{locator}"
        meaning = named(written, enroot=True)
        if "/blobs/" in found[0]:
            written = f"{host}#{repository.strip('/')}"
            meaning = Named(None, State.UNRESOLVED, "the error of enroot does not tell its tag")
        return written, meaning, f"the registry answered {status.strip()}"
    if found := _INVALID.search(line):
        meaning = named(found[1], enroot=True)
        if meaning.reference is not None:
            meaning = Named(None, State.OTHER, "enroot does not take it for an image name")
        return found[1], meaning, "enroot does not take it for an image name"
    return None


def of_file(path: str) -> Named:
    """What the name of a squashfs file hints at."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    repository, plus, tag = stem.rpartition("+")
    if plus and repository:
        try:
            guess = Reference.parse(f"{repository.replace('+', '/')}:{tag}")
        except InvalidReference:
            pass
        else:
            name = str(guess).removeprefix("docker.io/").removeprefix("library/")
            reason = f"perhaps {name}, of a registry that the name of the file does not tell"
            return Named(None, State.UNRESOLVED, reason)
    return Named(None, State.OTHER, "a local file")
