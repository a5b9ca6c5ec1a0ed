"""The bytes of `GET /images/get`, read in a thread of their own: everything here may block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from docker import APIClient
from docker.errors import APIError, create_api_error_from_http_exception
from requests import HTTPError, Response


class SaveStream:
    """A `Reader` that sends its request at the first read; the headers may take minutes."""

    def __init__(
        self,
        client: Callable[[], APIClient],
        names: Sequence[str],
        speaking: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._make_client = client
        self._names = list(names)
        self._speaking = speaking
        self._response: Response | None = None
        self._closed = False
        self.flowing = False

    def readinto(self, buffer: memoryview, /) -> int:
        with self._speaking():
            if self._response is None:
                self._response = self._ask()
            if self._closed:
                self._response.close()
                return 0
            data: bytes = self._response.raw.read(len(buffer))
        self.flowing = True
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """End the stream, also under a thread that is blocked in it."""
        self._closed = True
        response = self._response
        if response is not None:
            _shut_down(response)
            response.close()

    def _ask(self) -> Response:
        client = self._make_client()
        response = client.get(
            f"{client.base_url}/v{client.api_version}/images/get",
            params={"names": self._names},
            stream=True,
            timeout=None,
        )
        try:
            response.raise_for_status()
        except HTTPError as error:
            raise_for(error)
        return response


def raise_for(error: HTTPError) -> None:
    """Raise the SDK's `APIError`, with what the engine says."""
    create: Any = create_api_error_from_http_exception
    create(error)
    raise APIError(str(error))


def _shut_down(response: Response) -> None:
    """Wake a thread that waits for bytes; closing the response alone would block until it ends."""
    with suppress(Exception):  # whatever the connection is made of, this is best effort
        response.raw.shutdown()
