"""Lists of tags: pages, and the ways in which they do not end."""

from __future__ import annotations

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ConnectionFailure, MalformedContent
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.registry.tags import next_page
from tests.engine.registry.conftest import OpenSource, StartFake
from tests.engine.registry.exchange import logins
from tests.fakes import faults
from tests.fakes.registry import FakeRegistry, Tokens
from tests.images import SampleImages

TAGS = [f"24.{month:02}-py3" for month in range(1, 8)]


def fill(fake: FakeRegistry, sample_images: SampleImages) -> Reference:
    for tag in TAGS:
        fake.add(sample_images.zero_size, f"a/b:{tag}")
    return Reference.parse(f"{fake.host}/a/b:1")


@pytest.mark.parametrize("page", [1, 2, 3, 7, 100])
def test_pages(
    page: int,
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(page=page)
    assert list(source.tags(fill(fake, sample_images), token)) == TAGS


def test_absolute_addresses_and_breaks_in_the_middle(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(page=3)
    reference = fill(fake, sample_images)
    link = f'<{fake.url}/v2/a/b/tags/list?n=3&last={TAGS[2]}>; rel="next"'
    fake.script("GET", "tags", faults.with_header("Link", link), faults.status(503))
    assert list(source.tags(reference, token)) == TAGS


def test_none_at_all(
    fake: FakeRegistry, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    reference = fill(fake, sample_images)
    for body in (b'{"name": "a/b", "tags": null}', b'{"name": "a/b"}', b'{"tags": []}'):
        fake.script("GET", "tags", faults.status(200, body=body))
        assert list(source.tags(reference, token)) == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"tags": "all"}', b"[" * 100_000])
def test_nonsense(
    body: bytes,
    fake: FakeRegistry, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    reference = fill(fake, sample_images)
    fake.script("GET", "tags", faults.status(200, body=body))
    with pytest.raises(MalformedContent):
        list(source.tags(reference, token))


def test_a_loop_ends(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(page=3)
    reference = fill(fake, sample_images)
    link = faults.with_header("Link", "</v2/a/b/tags/list?n=1000>; rel=next")
    fake.script("GET", "tags", link, forever=True)
    assert list(source.tags(reference, token)) == TAGS[:3]


def test_a_next_page_elsewhere_gets_no_login(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    other, fake = start_fake(), start_fake(tokens=Tokens(users={"user": "password"}))
    fill(other, sample_images)
    reference = fill(fake, sample_images)
    link = f'<{other.url}/v2/a/b/tags/list>; rel="next"'
    fake.script("GET", "tags", faults.honest, faults.with_header("Link", link))
    source = open_source(credentials=logins(fake.host, "user", "password"))
    assert list(source.tags(reference, token)) == TAGS
    assert len(other.requests) == 1
    assert "Authorization" not in other.requests[0].headers
    fake.script("GET", "tags", faults.with_header("Link", '<ftp://x/y>; rel="next"'))
    with pytest.raises(ConnectionFailure):
        list(source.tags(reference, token))
    fake.script("GET", "tags", faults.with_header("Link", '<//[x>; rel="next"'))
    with pytest.raises(ConnectionFailure, match="is not valid"):
        list(source.tags(reference, token))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('</v2/a?n=1>; rel="next"', "/v2/a?n=1"),
        ("</a>;rel=next", "/a"),
        ('</a>; rel="prev", </b,c>; rel="next"', "/b,c"),
        ('</path1>; rel="next", / ; rel=index', "/path1"),
        ('</a>; title="x, rel=next"; rel="prev"', None),
        ('</a>; rel="first next"', "/a"),
        ("/a; rel=next", None),
        ("", None),
    ],
)
def test_link_headers(header: str, expected: str | None) -> None:
    assert next_page([header]) == expected
