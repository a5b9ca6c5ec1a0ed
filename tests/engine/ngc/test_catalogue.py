"""The catalogue's API, against a faithful fake of it: search, pages, guests and keys, refusals."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ConnectionFailure,
    NotFound,
    Stopped,
    TemporaryFailure,
)
from airgap_tui.engine.ngc import answers
from airgap_tui.engine.ngc.catalogue import Catalogue
from airgap_tui.engine.ngc.keys import Organisation
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.settings import NgcAddresses
from tests.engine.ngc.conftest import OpenCatalogue, StartNgc
from tests.engine.registry.exchange import QUICK
from tests.fakes import faults
from tests.fakes.ngc import KEY, LEGACY_KEY, FakeNgc, Host, Tag
from tests.fakes.registry import Answer

PYTORCH = RepositoryName.parse("nvidia/pytorch")
SOLVER = RepositoryName.parse("acme/solver")
ACME = (Organisation("acme", "", ("hpc",)),)


@pytest.fixture
def guest(ngc: FakeNgc, catalogue_of: OpenCatalogue) -> Catalogue:
    return catalogue_of(ngc)


def test_a_search_of_everybody(ngc: FakeNgc, guest: Catalogue, token: CancelToken) -> None:
    found = guest.search("PyTorch", token)
    assert [str(one.name) for one in found.repositories] == ["nvidia/pytorch", "nvidia/l4t-pytorch"]
    assert found.total == 2, "each is in the answer twice"
    first = found.repositories[0]
    assert first.title == "PyTorch"
    assert first.size == 11_400_000_000
    assert first.updated is not None and f"{first.updated:%Y-%m-%d}" == "2025-06-25"
    assert first.public is True
    (asked,) = ngc.api.requests
    assert json.loads(asked.query["q"][0])["query"] == "PyTorch"
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("", "*"),
        ("dcgm exporter", "dcgm exporter"),
        ("nvidia/k8s", "nvidia k8s"),
        ('a" OR orgName:*', "a OR orgName"),
        ("../..", "*"),
    ],
)
def test_a_search_is_words(
    ngc: FakeNgc, guest: Catalogue, token: CancelToken, words: str, query: str
) -> None:
    guest.search(words, token)
    assert json.loads(ngc.api.requests[-1].query["q"][0])["query"] == query


@pytest.mark.parametrize("page", [1, 3, 1000])
def test_a_search_goes_on_to_its_last_page(
    start_ngc: StartNgc, catalogue_of: OpenCatalogue, token: CancelToken, page: int
) -> None:
    ngc = start_ngc(page=page)
    found = catalogue_of(ngc).search("", token)
    public = {path for path, repo in ngc.repos.items() if repo.public}
    assert {str(one.name) for one in found.repositories} == public
    assert found.total == len(public)


def test_a_limit_counts_what_lies_beyond(guest: Catalogue, token: CancelToken) -> None:
    found = guest.search("", token, limit=2)
    assert len(found.repositories) == 2
    assert found.total == 8


@pytest.mark.parametrize("key", [KEY, LEGACY_KEY])
def test_a_key_searches_its_organisations_and_teams(
    ngc: FakeNgc, catalogue_of: OpenCatalogue, token: CancelToken, key: str
) -> None:
    catalogue = catalogue_of(ngc, ngc.key(key, acme=("hpc",)))
    found = catalogue.search("", token, own=ACME)
    names = {str(one.name) for one in found.repositories}
    assert {"acme/solver", "acme/hpc/mesher", "nvidia/pytorch"} <= names
    assert found.total == len(names)


def test_an_organisation_that_cannot_be_searched_is_told(
    ngc: FakeNgc, catalogue_of: OpenCatalogue, token: CancelToken
) -> None:
    catalogue = catalogue_of(ngc, ngc.key(KEY, acme=()))
    found = catalogue.search("pytorch", token, own=(Organisation("other"),))
    assert len(found.repositories) == 2
    (refused,) = found.refused
    assert "the catalogue of other" in refused.message


def test_repositories_of_an_organisation(
    ngc: FakeNgc, catalogue_of: OpenCatalogue, guest: Catalogue, token: CancelToken
) -> None:
    public = {str(one.name) for one in guest.repositories("nvidia", token)}
    assert "nvidia/k8s/dcgm-exporter" in public and "nvidia/cuda" in public
    assert guest.repositories("acme", token) == ()
    catalogue = catalogue_of(ngc, ngc.key(KEY, acme=("hpc",)))
    own = {str(one.name) for one in catalogue.repositories("acme", token)}
    assert own == {"acme/solver", "acme/hpc/mesher"}
    others = {str(one.name) for one in catalogue.repositories("nvidia", token)}
    assert others == public, "an organisation of others shows what is public"


@pytest.mark.parametrize("paging", ["total", "next", "none"])
@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_every_page_of_images_comes_once(
    start_ngc: StartNgc,
    catalogue_of: OpenCatalogue,
    token: CancelToken,
    paging: str,
    count: int,
) -> None:
    ngc = start_ngc(paging=paging)
    repo = ngc.add("nvidia/many", [])
    repo.tags.update({f"1.{number}": Tag(f"1.{number}") for number in range(count)})
    images = catalogue_of(ngc).images(RepositoryName.parse("nvidia/many"), token)
    assert [image.tag for image in images] == list(repo.tags)
    asked = [seen.query["page-number"] for seen in ngc.api.requests]
    assert asked[0] == ["0"]
    assert len(asked) <= max(1, -(-count // 1000)) + (paging == "none")


def test_pages_that_never_end(ngc: FakeNgc, guest: Catalogue, token: CancelToken) -> None:
    def again(_seen: object, _honest: object) -> Answer:
        page = {"images": [{"tag": "1.0"}], "paginationInfo": {"totalPages": 10**9}}
        return Answer(200, body=json.dumps(page).encode())

    ngc.api.script("GET", "/images", again, forever=True)
    assert len(guest.images(PYTORCH, token)) == 1
    assert len(ngc.api.requests) == 2


def test_what_is_told_of_an_image(guest: Catalogue, token: CancelToken) -> None:
    images = {image.tag: image for image in guest.images(PYTORCH, token)}
    image = images["25.06-py3"]
    assert image.size == 11_200_000_000
    assert image.platforms == (Platform("linux", "amd64"), Platform("linux", "arm64"))
    assert image.date is not None and image.date.isoformat() == "2025-06-24T09:00:00+00:00"
    assert image.signed


def test_a_repository_with_three_parts_and_its_description(
    ngc: FakeNgc, guest: Catalogue, catalogue_of: OpenCatalogue, token: CancelToken
) -> None:
    assert guest.repository(PYTORCH, token).readme == "# PyTorch\n\nA *framework*.\n"
    exporter = RepositoryName.parse("nvidia/k8s/dcgm-exporter")
    assert guest.repository(exporter, token).title == "DCGM Exporter"
    assert ngc.api.seen("GET", "^/v2/repos/nvidia/k8s/dcgm-exporter")
    mesher = RepositoryName.parse("acme/hpc/mesher")
    catalogue = catalogue_of(ngc, ngc.key(KEY, acme=("hpc",)))
    assert catalogue.repository(mesher, token).name == mesher
    (asked,) = ngc.api.seen("GET", "^/v2/org/acme/team/hpc/repos/mesher")
    assert asked.headers["nv-ngc-org"] == "acme"
    assert asked.headers["nv-ngc-team"] == "hpc"


def test_a_guest_says_so_and_sees_nothing_private(
    ngc: FakeNgc, guest: Catalogue, token: CancelToken
) -> None:
    guest.images(PYTORCH, token)
    assert ngc.api.requests[-1].headers["X-NGC-Guest-Token"]
    with pytest.raises(AccessDenied, match="no access, or there is no such thing"):
        guest.images(SOLVER, token)


def test_a_key_of_others_reads_what_is_public_as_a_guest(
    ngc: FakeNgc, catalogue_of: OpenCatalogue, token: CancelToken
) -> None:
    catalogue = catalogue_of(ngc, ngc.key(KEY, acme=()))
    assert catalogue.images(PYTORCH, token)
    assert catalogue.images(SOLVER, token)
    with pytest.raises(AccessDenied, match="403") as refused:
        catalogue.images(RepositoryName.parse("nvidia/none"), token)
    assert refused.value.status == 403


REFUSALS: list[tuple[int, type[AirgapError], str]] = [
    (401, AccessDenied, "only with a key"),
    (402, AccessDenied, "entitlement"),
    (403, AccessDenied, "no access"),
    (404, NotFound, "NGC has no"),
    (412, AccessDenied, "https://catalog.ngc.nvidia.com/orgs/nvidia/containers/pytorch"),
    (451, AccessDenied, "legal reasons"),
    (418, ConnectionFailure, "418"),
]


@pytest.mark.parametrize(("status", "kind", "words"), REFUSALS)
def test_refusals_are_explained(
    ngc: FakeNgc,
    guest: Catalogue,
    token: CancelToken,
    status: int,
    kind: type[AirgapError],
    words: str,
) -> None:
    ngc.api.script("GET", "/images", faults.status(status))
    with pytest.raises(kind, match=words) as refused:
        guest.images(PYTORCH, token)
    assert f"({status})" in refused.value.message or str(status) in refused.value.message
    assert "<html>" not in refused.value.message


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_outage_with_a_page_is_tried_again(
    ngc: FakeNgc, guest: Catalogue, token: CancelToken, status: int
) -> None:
    ngc.api.script("GET", "/search", faults.status(status), faults.status(status))
    assert guest.search("cuda", token).total == 1
    ngc.api.script("GET", "/search", faults.status(status), forever=True)
    with pytest.raises(TemporaryFailure, match=str(status)) as down:
        guest.search("cuda", token)
    assert "<html>" not in down.value.message


def test_a_pause_is_kept(ngc: FakeNgc, guest: Catalogue, token: CancelToken) -> None:
    ngc.api.script("GET", "/search", faults.status(429, ("Retry-After", "0.05")))
    assert guest.search("cuda", token).total == 1
    ngc.api.script("GET", "/search", faults.status(429, ("Retry-After", "86400")))
    with pytest.raises(TemporaryFailure, match="429"):
        guest.search("cuda", token)


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[]", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_catalogue(
    ngc: FakeNgc, guest: Catalogue, token: CancelToken, body: bytes
) -> None:
    ngc.api.script("GET", "/search", lambda _seen, _honest: Answer(200, body=body))
    with pytest.raises(ConnectionFailure, match="something other than its catalogue"):
        guest.search("cuda", token)


def test_an_endless_answer(ngc: FakeNgc, guest: Catalogue, token: CancelToken) -> None:
    ngc.api.script("GET", "/search", lambda _seen, _honest: Answer(200, body=b" " * 33 * 2**20))
    with pytest.raises(ConnectionFailure, match="sends more than"):
        guest.search("cuda", token)


def test_a_stop_ends_the_asking(guest: Catalogue, token: CancelToken) -> None:
    token.cancel()
    with pytest.raises(Stopped):
        guest.search("cuda", token)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
names = st.sampled_from(
    ["results", "resources", "images", "paginationInfo", "totalPages", "nextPage", "tag", "size",
     "resourceId", "attributes", "key", "value", "architectureVariants", "architecture", "digest",
     "resultPageTotal", "resultTotal", "namespace", "name", "description", "repository",
     "repositories", "updatedDate", "isPublic", "organizations", "teams", "user", "roles", "org"]
)  # fmt: skip
likely = st.recursive(
    json_values | st.sampled_from(["nvidia/pytorch", "25.06", "2025-06-24T09:00:00Z", "latestTag"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(names, likely, max_size=8))
def test_any_object_is_read_or_passed_over(value: dict[str, Any]) -> None:
    for known in (answers.repository(value), answers.resource(value, public=None)):
        assert known is None or known.size >= 0
    image = answers.image(value)
    assert image is None or (image.tag and image.size >= 0)
    assert answers.count(value, "size") >= 0
    list(answers.objects(value.get("images")))


class Told:
    """A host that answers whatever a test wants."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.host = Host(lambda _seen: Answer(200, body=self.body))


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    one = Told()
    yield one
    one.host.stop()


@given(st.dictionaries(names, likely, max_size=8))
def test_no_answer_breaks_a_question(told: Told, value: dict[str, Any]) -> None:
    told.body = json.dumps(value).encode()
    addresses = NgcAddresses(told.host.url, told.host.url, "127.0.0.1:1")
    catalogue, token = Catalogue(addresses, QUICK), CancelToken()
    catalogue.search("cuda", token)
    catalogue.images(PYTORCH, token)
    catalogue.repositories("nvidia", token)
    with contextlib.suppress(NotFound):
        assert catalogue.repository(PYTORCH, token).name == PYTORCH
    catalogue.close()
