"""Whole small files as text: bounded, decoded whatever the bytes are, and honest about both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone, tzinfo

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.naming import Named, shown

MAX_BYTES = 64 << 20
_CHUNK = 1 << 20
_YEAR_2100 = 4_102_444_800


def whole(stream: Stream, limit: int = MAX_BYTES) -> tuple[bytes, bool]:
    """What the stream holds up to the limit, and whether there was more."""
    parts: list[bytes] = []
    size = 0
    while size <= limit and (part := stream.read(min(_CHUNK, limit + 1 - size))):
        parts.append(part)
        size += len(part)
    content = b"".join(parts)
    return content[:limit], len(content) > limit


def decoded(content: bytes) -> str:
    """Text with line ends as `\\n`; what is not UTF-8 becomes U+FFFD, a byte order mark goes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        text = content.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def doubts(content: bytes, more: bool, kind: Kind, place: Place) -> Iterator[Remark]:
    """What makes a reader doubt that everything was seen."""
    if more:
        yield Remark(
            kind,
            place,
            f"only the first {MAX_BYTES >> 20} MiB were read",
            "Split the file, and read its parts.",
        )
    if b"\0" in content[:_CHUNK] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield Remark(
            kind,
            place,
            "it holds binary data, so it may be damaged or no text at all",
            "See whether it is the right file.",
        )


def finding(
    written: str, meaning: Named, kind: Kind, place: Place, line: int, time: datetime | None = None
) -> Finding:
    """The finding for a name with this meaning."""
    at = replace(place, line=line)
    return Finding(shown(written), meaning.reference, kind, at, meaning.state, time, meaning.reason)


def at(found: Finding, line: int) -> Finding:
    """The finding on another line; 0 for none."""
    return replace(found, place=replace(found.place, line=line))


def failed(found: Finding, reason: str) -> Finding:
    """The finding of an import that failed; what is not an image of a registry stays what it is."""
    if found.reference is None:
        return found
    return replace(found, state=State.FAILED, reason=reason)


def moment(seconds: str) -> datetime | None:
    """Seconds since 1970, as histories write them; no time where they cannot be of this age."""
    value = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 12 else 0
    return datetime.fromtimestamp(value, timezone.utc) if 0 < value < _YEAR_2100 else None


def written_time(text: str, zone: tzinfo) -> datetime | None:
    """An ISO time; one without a zone is of `zone`."""
    if len(text) in (19, 23) and text.isascii():  # the usual ones, of which logs have millions
        try:
            return datetime.fromisoformat(text).replace(tzinfo=zone)
        except ValueError:
            return None
    text = text.strip().replace(" ", "T", 1).replace("Z", "+00:00")
    head, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6]:0<6}{rest[digits:]}"
    if len(text) > 5 and text[-5] in "+-" and text[-4:].isdigit():
        text = f"{text[:-2]}:{text[-2:]}"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=zone)
