"""The Range header (RFC 9110, section 14): one stretch of a blob, for clients that resume."""

from __future__ import annotations

import re

_SINGLE = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The stretch asked for lies outside the blob."""


def parse(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the count of bytes that the header asks for, of a blob of `size` bytes.

    None where it is to be ignored, which the RFC wants for anything but a well-formed range of
    bytes and allows for several at once. Raises `Unsatisfiable`.
    """
    match = _SINGLE.fullmatch(header)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        count = min(int(match[2]), size)
        if count == 0:
            raise Unsatisfiable
        return size - count, count
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, min(last, size - 1) - first + 1
