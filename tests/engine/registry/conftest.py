"""Fixtures of the registry client's tests: a fake registry, and sources and targets that close."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Protocol

import pytest

from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import Sink, discard
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.registry.target import RegistryTarget
from airgap_tui.engine.settings import Network
from tests.engine.registry.exchange import QUICK
from tests.fakes.registry import FakeRegistry, Tokens
from tests.services import CertificateAuthority


class StartFake(Protocol):
    def __call__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        basic: dict[str, str] | None = None,
        tokens: Tokens | None = None,
        referrers_api: bool = True,
        page: int = 1000,
    ) -> FakeRegistry: ...


class OpenSource(Protocol):
    def __call__(
        self,
        network: Network = QUICK,
        credentials: CredentialStore | None = None,
        sink: Sink = discard,
        signatures: bool = False,
    ) -> RegistrySource: ...


class OpenTarget(Protocol):
    def __call__(
        self,
        registry: str,
        network: Network = QUICK,
        credentials: CredentialStore | None = None,
        sink: Sink = discard,
    ) -> RegistryTarget: ...


@pytest.fixture
def start_fake() -> Iterator[StartFake]:
    """Starts scripted registries, which stop with the test."""
    started: list[FakeRegistry] = []

    def start(
        *,
        tls: ssl.SSLContext | None = None,
        basic: dict[str, str] | None = None,
        tokens: Tokens | None = None,
        referrers_api: bool = True,
        page: int = 1000,
    ) -> FakeRegistry:
        started.append(
            FakeRegistry(
                tls=tls, basic=basic, tokens=tokens, referrers_api=referrers_api, page=page
            )
        )
        return started[-1]

    yield start
    for registry in started:
        registry.stop()


@pytest.fixture
def fake(start_fake: StartFake) -> FakeRegistry:
    """An open scripted registry."""
    return start_fake()


@pytest.fixture
def open_source() -> Iterator[OpenSource]:
    opened: list[RegistrySource] = []

    def open_one(
        network: Network = QUICK,
        credentials: CredentialStore | None = None,
        sink: Sink = discard,
        signatures: bool = False,
    ) -> RegistrySource:
        opened.append(RegistrySource(network, credentials or CredentialStore(), sink, signatures))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


@pytest.fixture
def source(open_source: OpenSource) -> RegistrySource:
    return open_source()


@pytest.fixture
def open_target() -> Iterator[OpenTarget]:
    opened: list[RegistryTarget] = []

    def open_one(
        registry: str,
        network: Network = QUICK,
        credentials: CredentialStore | None = None,
        sink: Sink = discard,
    ) -> RegistryTarget:
        opened.append(RegistryTarget(registry, network, credentials or CredentialStore(), sink))
        return opened[-1]

    yield open_one
    for target in opened:
        target.close()


@pytest.fixture(scope="session")
def server_tls(authority: CertificateAuthority) -> ssl.SSLContext:
    """TLS for 127.0.0.1 by the private authority."""
    pair = authority.issue("registry-tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
