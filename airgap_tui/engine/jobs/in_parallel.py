"""The same work on many things at once, in order, until one fails or the job is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from airgap_tui.engine.cancel import CancelToken

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    work: Callable[[T], R], things: Iterable[T], threads: int, token: CancelToken
) -> list[R]:
    """`work` on each thing in up to `threads` threads, in order; the first error ends it."""
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="parallel") as pool:
        futures = [pool.submit(_checked, work, thing, token) for thing in things]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def _checked(work: Callable[[T], R], thing: T, token: CancelToken) -> R:
    token.check()
    return work(thing)
