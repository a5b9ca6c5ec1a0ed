"""Faults for `tests.fakes.registry`: each takes the honest answer and spoils one thing of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

from tests.fakes.registry import Answer, Fault, Seen, failure

HTML = b"<html><body><h1>Something went wrong</h1></body></html>"


def status(code: int, *headers: tuple[str, str], body: bytes = HTML) -> Fault:
    """That status with a page, and nothing done."""
    return lambda _seen, _honest: Answer(code, [("Content-Type", "text/html"), *headers], body)


def refused(code: int, name: str, message: str = "no") -> Fault:
    """That status with an error as the specification writes it, and nothing done."""
    return lambda _seen, _honest: failure(code, name, message)


def honest(_seen: Seen, honest_answer: Callable[[], Answer]) -> Answer:
    """No fault: to let one request pass."""
    return honest_answer()


def changed(change: Callable[[Answer], Answer]) -> Fault:
    """The honest answer, changed."""
    return lambda _seen, answer: change(answer())


def truncated(after: int, *, length: bool = True, ending: str = "close") -> Fault:
    """The body ends after so many bytes."""
    return changed(lambda a: replace(a, cut=after, length=length, ending=ending))


def no_answer(ending: str = "reset", *, done: bool = True) -> Fault:
    """The connection ends before the status line; with `done` after doing what was asked."""

    def fault(_seen: Seen, answer: Callable[[], Answer]) -> Answer:
        if done:
            answer()
        return Answer(200, cut=-1, ending=ending)

    return fault


def stalled(after: int) -> Fault:
    return changed(lambda a: replace(a, cut=after, ending="stall"))


def dripping(count: int, pause: float) -> Fault:
    return changed(lambda a: replace(a, drip=count, pause=pause))


def wrong_bytes(_seen: Seen, answer: Callable[[], Answer]) -> Answer:
    """The right length, the wrong bytes."""
    right = answer()
    return replace(right, body=bytes(byte ^ 1 for byte in right.body))


def encoded(_seen: Seen, answer: Callable[[], Answer]) -> Answer:
    """gzip put over the body, as some proxies do."""
    right = answer()
    headers = [*right.headers, ("Content-Encoding", "gzip")]
    return replace(right, headers=headers, body=gzip.compress(right.body))


def without(*names: str) -> Fault:
    """Headers left out."""
    lower = {name.lower() for name in names}
    return changed(
        lambda a: replace(a, headers=[h for h in a.headers if h[0].lower() not in lower])
    )


def with_header(name: str, value: str) -> Fault:
    """A header added, in the place of any of that name."""
    return changed(
        lambda a: replace(
            a,
            headers=[*((k, v) for k, v in a.headers if k.lower() != name.lower()), (name, value)],
        )
    )


def range_ignored(seen: Seen, answer: Callable[[], Answer]) -> Answer:
    """200 with everything instead of 206."""
    seen.headers.pop("Range", None)
    return answer()


def range_shifted(by: int) -> Fault:
    """206 with another part than asked for, and honest about it."""

    def fault(seen: Seen, answer: Callable[[], Answer]) -> Answer:
        first, _, last = seen.headers["Range"].removeprefix("bytes=").partition("-")
        seen.headers["Range"] = f"bytes={int(first) + by}-{last}"
        return answer()

    return fault


def redirected(url: str, code: int = 307) -> Fault:
    """Sent elsewhere; `{path}` in the address stands for the path that was asked."""
    return lambda seen, _honest: Answer(code, [("Location", url.format(path=seen.path))])
