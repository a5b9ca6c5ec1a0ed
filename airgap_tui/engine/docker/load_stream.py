"""One `POST /images/load`: bytes in, events out, and an error wherever the engine hides it.

The request runs in its own thread, since sending and the engine's unpacking may both block for
long. The caller polls, so that it can be stopped and notices a dead engine.
"""

from __future__ import annotations

import codecs
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

from docker import APIClient
from requests import HTTPError, Response

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.failures import NAMES, stream_failure
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.docker.save_stream import raise_for
from airgap_tui.engine.errors import EngineFailure
from airgap_tui.engine.events import Note, Sink

_POLL = 0.25
_PATIENCE = 1.0
_LONGEST_EVENT = 4 * 1024 * 1024
_PREFIXES = ("Loaded image ID:", "Loaded image(s):", "Loaded image:")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the engine reports as loaded: names, and IDs of images without one."""

    names: tuple[str, ...]
    ids: tuple[str, ...]


class _End:
    pass


def load(
    client: APIClient,
    kind: Kind,
    chunks: Iterable[bytes | memoryview],
    speaking: Callable[[], AbstractContextManager[None]],
    alive: Callable[[float], None],
    sink: Sink,
    token: CancelToken,
) -> Loaded:
    """Send the chunks and read the engine's answer to its end; see `Engine.load`."""
    request = _Request(client, chunks, speaking, token)
    names: list[str] = []
    ids: list[str] = []
    unpacking = False
    for event in request.events(alive):
        said = _error_in(event)
        if said:
            raise stream_failure(kind, "the load", said)
        if event.get("status") == "Loading layer" and not unpacking:
            unpacking = True
            sink(Note(f"{NAMES[kind]} has the archive and unpacks its layers"))
        text = str(event.get("stream") or "").strip()
        for prefix in _PREFIXES:
            if text.startswith(prefix):
                found = [name.strip() for name in text.removeprefix(prefix).split(",")]
                (ids if prefix.endswith("ID:") else names).extend(filter(None, found))
                break
    return Loaded(tuple(names), tuple(ids))


class _Request:
    def __init__(
        self,
        client: APIClient,
        chunks: Iterable[bytes | memoryview],
        speaking: Callable[[], AbstractContextManager[None]],
        token: CancelToken,
    ) -> None:
        self._client = client
        self._chunks = chunks
        self._speaking = speaking
        self._token = token
        self._events: queue.SimpleQueue[dict[str, Any] | BaseException | _End] = queue.SimpleQueue()
        self._active = time.monotonic()
        self._abandoned = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="engine-load", daemon=True)

    def events(self, alive: Callable[[float], None]) -> Iterator[dict[str, Any]]:
        self._thread.start()
        try:
            while True:
                self._token.check()
                try:
                    event = self._events.get(timeout=_POLL)
                except queue.Empty:
                    alive(time.monotonic() - self._active)
                    continue
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, _End):
                    return
                yield event
        finally:
            self._abandoned = True
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            with self._speaking():
                response = self._send()
                try:
                    for event in _parsed(response.iter_content(None)):
                        self._active = time.monotonic()
                        self._events.put(event)
                        if self._abandoned:
                            break
                finally:
                    response.close()
            # The engine may have said why it stopped reading; what it did not get comes second.
            self._events.put(self._failure or _End())
        except BaseException as error:
            self._events.put(self._failure or error)

    def _send(self) -> Response:
        client = self._client
        response = client.post(
            f"{client.base_url}/v{client.api_version}/images/load",
            params={"quiet": "0"},
            data=cast("Iterator[bytes]", self._sent()),  # any buffer is sent
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=None,
        )
        try:
            response.raise_for_status()
        except HTTPError as error:
            raise_for(error)
        return response

    def _sent(self) -> Iterator[bytes | memoryview]:
        try:
            for chunk in self._chunks:
                self._token.check()
                if self._abandoned:
                    raise EngineFailure("the load was given up")
                yield chunk
                self._active = time.monotonic()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._failure = error
            raise


def _error_in(event: dict[str, Any]) -> str:
    detail = event.get("errorDetail")
    said = detail.get("message") if isinstance(detail, dict) else ""
    return str(said or event.get("error") or event.get("cause") or "")


def _parsed(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """JSON objects one after the other, with or without white space between them."""
    decoder = json.JSONDecoder()
    pending = ""
    for text in codecs.iterdecode(chunks, "utf-8", "replace"):
        pending = (pending + text).lstrip()
        while pending:
            try:
                value, end = decoder.raw_decode(pending)
            except (ValueError, RecursionError):
                break
            pending = pending[end:].lstrip()
            if isinstance(value, dict):
                yield value
        if len(pending) > _LONGEST_EVENT:
            raise EngineFailure("the engine sends something other than events")
