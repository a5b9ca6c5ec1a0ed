"""Numbers for people: decimal units, sums rounded once, needs rounded up."""

from __future__ import annotations

import math
import re

from humanize import intcomma

from airgap_tui.engine.errors import UsageError

_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?)b?", re.IGNORECASE)


def size(count: int, *, up: bool = False, down: bool = False) -> str:
    """Bytes as `67.5 GB`, `98 MB`, `12 kB`; `up` for what is needed, `down` for what is free."""
    if count <= 0:
        return "0 kB"
    # The next unit begins where the one below would be rounded to 1000.
    short_of = 0.0 if down else 0.000999 if up else 0.0005
    if count >= 1e12 * (1 - short_of):
        return f"{_rounded(count / 1e11, up, down) / 10:,.1f} TB"
    if count >= 1e9 * (1 - short_of):
        return f"{_rounded(count / 1e8, up, down) / 10:.1f} GB"
    if count >= 1e6 * (1 - short_of):
        return f"{max(1, _rounded(count / 1e6, up, down))} MB"
    return f"{max(1, _rounded(count / 1e3, up, down))} kB"


def _rounded(value: float, up: bool, down: bool) -> int:
    if up:
        return math.ceil(value)
    return math.floor(value) if down else round(value)


def rate(bytes_per_second: float) -> str:
    """`118 MB/s`."""
    return f"{size(round(bytes_per_second))}/s"


def count(number: int, noun: str) -> str:
    """A count with its noun: `1 image`, `13 images`, `12,000 layers`."""
    digits = intcomma(number) if number > 9999 else str(number)
    return f"{digits} {noun}" if number == 1 else f"{digits} {noun}s"


def elapsed(seconds: float) -> str:
    """Exact: `6 min 15 s`, `2 h 5 min`; below ten seconds with a tenth, `3.2 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def time_left(seconds: float | None) -> str:
    """In whole minutes: `about 3 min left`; None is not known yet."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 5:
        return "almost done"
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"about {minutes} min left"
    return f"about {minutes // 60} h {minutes % 60} min left"


def exact_size(number: int) -> str:
    """The shortest text that `parse_size` reads as just this many bytes: `4.7GB`, `2GiB`."""
    texts = [str(number)]
    for unit, factor in {**_UNITS, **_BINARY}.items():
        if factor > 1:
            text = f"{number / factor:.3f}".rstrip("0").rstrip(".")
            texts.append(f"{text}{unit.capitalize()}B")
    return min((text for text in texts if parse_size(text) == number), key=len)


def parse_size(text: str) -> int:
    """Read `50MB`, `4.7GB`, `2GiB` or a count of bytes; raise `UsageError` otherwise."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"not a size: {text!r}", hint="Write it like 50MB, 4.7GB or 2GiB.")
    number, unit = match.groups()
    unit = unit.lower()
    factor = _BINARY[unit] if unit in _BINARY else _UNITS.get(unit)
    if factor is None:
        raise UsageError(f"not a size: {text!r}", hint="Write it like 50MB, 4.7GB or 2GiB.")
    return int(float(number) * factor)
