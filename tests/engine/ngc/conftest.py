"""NGC on loopback, and clients of it that close."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from airgap_tui.engine.credentials.credential import NGC_USERNAME, Credential
from airgap_tui.engine.events import discard
from airgap_tui.engine.ngc.catalogue import Catalogue
from airgap_tui.engine.ngc.keys import Key
from tests.engine.registry.exchange import QUICK
from tests.fakes.ngc import FakeNgc, fill


class StartNgc(Protocol):
    def __call__(
        self, *, page: int = 1000, paging: str = "total", guests: bool = True
    ) -> FakeNgc: ...


class OpenCatalogue(Protocol):
    def __call__(self, ngc: FakeNgc, key: str = "") -> Catalogue: ...


@pytest.fixture
def start_ngc() -> Iterator[StartNgc]:
    """Starts catalogues with the sample content, which stop with the test."""
    started: list[FakeNgc] = []

    def start(*, page: int = 1000, paging: str = "total", guests: bool = True) -> FakeNgc:
        started.append(fill(FakeNgc(page=page, paging=paging, guests=guests)))
        return started[-1]

    yield start
    for ngc in started:
        ngc.stop()


@pytest.fixture
def ngc(start_ngc: StartNgc) -> FakeNgc:
    return start_ngc()


def key_of(ngc: FakeNgc, key: str) -> Key:
    return Key(Credential(NGC_USERNAME, key, "the test"), ngc.addresses, QUICK, discard)


@pytest.fixture
def catalogue_of() -> Iterator[OpenCatalogue]:
    opened: list[Catalogue] = []
    keys: list[Key] = []

    def open_one(ngc: FakeNgc, key: str = "") -> Catalogue:
        known = key_of(ngc, key) if key else None
        if known is not None:
            keys.append(known)
        opened.append(Catalogue(ngc.addresses, QUICK, known))
        return opened[-1]

    yield open_one
    for catalogue in opened:
        catalogue.close()
    for known in keys:
        known.close()
