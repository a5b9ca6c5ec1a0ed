"""A request to a registry, and an answer that was read whole: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airgap_tui.engine.http.client import Body
from airgap_tui.engine.registry.auth import Scopes


@dataclass(frozen=True, slots=True)
class Request:
    """`url` is whole, or a path below the registry's `/v2/`. `expect` are the statuses that are not
    failures; `name` is what error messages call the thing.

    A `Body` is sent once: what to do after a refusal is for the sender to decide. `patience` is how
    many seconds longer than usual the answer may take; `fresh` asks for a login that lasts.
    """

    method: str
    url: str
    repository: str
    name: str
    scopes: Scopes = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body | None = None
    expect: frozenset[int] = frozenset({200})
    fresh: bool = False
    patience: float = 0.0

    @property
    def streams(self) -> bool:
        return self.body is not None and not isinstance(self.body, bytes)

    @property
    def confidential(self) -> bool:
        """Whether the body is a login, for a token service."""
        return self.method == "POST" and self.body is not None and not self.scopes

    @property
    def pushes(self) -> bool:
        return any("push" in scope.rpartition(":")[2].split(",") for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer that was read whole. `links` are the values of its `Link` headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    links: tuple[str, ...] = ()
