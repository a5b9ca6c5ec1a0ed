"""The answer of a load: events in a stream that is cut anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, cast

import pytest
from docker import APIClient

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.load_stream import Loaded, load
from airgap_tui.engine.errors import EngineFailure


class Answer:
    """What an engine answers, in pieces of a few bytes."""

    def __init__(self, body: bytes, step: int) -> None:
        self._body = body
        self._step = step

    def raise_for_status(self) -> None:
        pass

    def iter_content(self, _size: int | None) -> Iterator[bytes]:
        return (self._body[at : at + self._step] for at in range(0, len(self._body), self._step))

    def close(self) -> None:
        pass


class Client:
    base_url = "http+docker://localhost"
    api_version = "1.41"

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def post(self, _url: str, **_options: Any) -> Answer:
        return self._answer


def loaded(body: str, step: int) -> Loaded:
    client = cast("APIClient", Client(Answer(body.encode(), step)))
    return load(client, "docker", (), nullcontext, lambda _: None, lambda _: None, CancelToken())


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_events_may_be_cut_anywhere(step: int) -> None:
    body = (
        '{"stream":"Loaded image: localhost/größe:1\\n"}\r\n'
        '{"stream":"Loaded image ID: sha256:ab\\n"}'
    )
    assert loaded(body, step) == Loaded(("localhost/größe:1",), ("sha256:ab",))


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_an_error_is_told_letter_for_letter(step: int) -> None:
    with pytest.raises(EngineFailure, match="/srv/größe: no such file"):
        loaded('{"errorDetail":{"message":"open /srv/größe: no such file"}}', step)
