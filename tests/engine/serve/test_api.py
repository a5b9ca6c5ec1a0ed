"""The distribution API over a real socket, as any client would use it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.engine.serve.conftest import Running, Serve, code_of, json_of
from tests.fakes.catalogue import FakeCatalogue
from tests.images import OCI_INDEX, SampleImages, build_artifact, digest_of
from tests.services import wait_for

CUDA = "/v2/nvidia/cuda"
TAG = f"{CUDA}/manifests/12.4.1-base-ubuntu22.04"
UNKNOWN = "sha256:" + "0" * 64


def test_the_version_check(running: Running) -> None:
    answer = running.ask("/v2/")
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_a_manifest_by_tag_and_by_digest(running: Running, sample_images: SampleImages) -> None:
    image = sample_images.base
    for path in (
        TAG,
        f"{CUDA}/manifests/{image.digest}",
        f"{CUDA}/manifests/{quote(image.digest)}",
    ):
        answer = running.ask(path)
        assert answer.status == 200
        assert answer.body == image.manifest
        assert answer.headers["Content-Type"] == image.media_type
        assert answer.headers["Docker-Content-Digest"] == image.digest
        assert answer.headers["ETag"] == f'"{image.digest}"'


def test_an_index_keeps_its_media_type(running: Running, sample_images: SampleImages) -> None:
    answer = running.ask("/v2/library/multi/manifests/1")
    assert answer.headers["Content-Type"] == OCI_INDEX
    assert digest_of(answer.body) == sample_images.multi.digest


def test_head_gives_the_length_and_no_body(running: Running, sample_images: SampleImages) -> None:
    image = sample_images.base
    layer = image.content[0]
    for path, size in (
        (TAG, len(image.manifest)),
        (f"{CUDA}/blobs/{layer.digest}", len(layer.blob)),
    ):
        with running.connection() as connection:
            for _ in range(2):  # a body would spoil the second request on the same connection
                connection.request("HEAD", path)
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (200, b"")
                assert answer.headers["Content-Length"] == str(size)


def test_what_is_not_there(running: Running) -> None:
    expected = {
        f"{CUDA}/manifests/nothing": (404, "MANIFEST_UNKNOWN"),
        f"{CUDA}/manifests/{UNKNOWN}": (404, "MANIFEST_UNKNOWN"),
        f"{CUDA}/blobs/{UNKNOWN}": (404, "BLOB_UNKNOWN"),
        "/v2/no/such/manifests/latest": (404, "MANIFEST_UNKNOWN"),
        "/v2/no/such/tags/list": (404, "NAME_UNKNOWN"),
        f"/v2/no/such/blobs/{UNKNOWN}": (404, "BLOB_UNKNOWN"),
        f"{CUDA}/blobs/sha256:12": (400, "DIGEST_INVALID"),
        f"{CUDA}/blobs/md5:{'0' * 32}": (400, "DIGEST_INVALID"),
        f"{CUDA}/manifests/.hidden": (400, "TAG_INVALID"),
        "/v2/Capital/manifests/latest": (400, "NAME_INVALID"),
        "/v2/nvidia//cuda/tags/list": (400, "NAME_INVALID"),
        f"{CUDA}/tags/other": (404, "NOT_FOUND"),
        "/": (404, "NOT_FOUND"),
        "/v3/": (404, "NOT_FOUND"),
    }
    found = {path: running.ask(path) for path in expected}
    assert {path: (a.status, code_of(a)) for path, a in found.items()} == expected


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../etc/passwd",
        "/v2/..%2f..%2fetc/manifests/passwd",
        "/v2/nvidia/cuda/blobs/..%2f..%2f..%2fetc%2fpasswd",
        "/v2/nvidia/cuda/manifests/%2e%2e",
        "/v2/%00/manifests/latest",
        "//etc/passwd",
        "/v2/nvidia/cuda/blobs/sha256:" + "../" * 21 + "x",
    ],
)
def test_paths_lead_nowhere(running: Running, path: str) -> None:
    answer = running.ask(path)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_it_is_read_only(running: Running, method: str) -> None:
    answer = running.ask(f"{CUDA}/blobs/uploads/", method, b"x" * 100_000)
    assert (answer.status, code_of(answer)) == (405, "UNSUPPORTED")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_tags_in_pages(running: Running, catalogue: FakeCatalogue) -> None:
    names = sorted(f"v{n}" for n in range(25))
    catalogue.add_tags("many/tags", names)
    assert json_of(running.ask("/v2/many/tags/tags/list")) == {"name": "many/tags", "tags": names}
    seen: list[str] = []
    path = "/v2/many/tags/tags/list?n=10"
    for _ in range(10):
        answer = running.ask(path)
        seen += json_of(answer)["tags"]
        link = answer.headers.get("Link", "")
        if not link:
            break
        assert link.endswith('>; rel="next"')
        path = link[1 : link.index(">")]
    assert seen == names


def test_a_last_page_that_is_full_has_no_link(running: Running, catalogue: FakeCatalogue) -> None:
    catalogue.add_tags("two/tags", ["a", "b"])
    assert "Link" not in running.ask("/v2/two/tags/tags/list?n=2").headers
    assert json_of(running.ask("/v2/two/tags/tags/list?n=0"))["tags"] == []
    assert json_of(running.ask("/v2/two/tags/tags/list?last=a"))["tags"] == ["b"]
    assert running.ask("/v2/two/tags/tags/list?n=some").status == 400
    assert running.ask("/v2/two/tags/tags/list?n=-1").status == 400


def test_the_catalogue_in_pages(running: Running, catalogue: FakeCatalogue) -> None:
    everything = list(catalogue.repositories())
    assert json_of(running.ask("/v2/_catalog"))["repositories"] == everything
    first = running.ask("/v2/_catalog?n=2")
    assert json_of(first)["repositories"] == everything[:2]
    assert f"last={quote(everything[1], safe='')}" in first.headers["Link"]


def test_a_blob_whole_and_in_stretches(running: Running, sample_images: SampleImages) -> None:
    layer = sample_images.base.content[1]
    path, size = f"{CUDA}/blobs/{layer.digest}", len(layer.blob)
    whole = running.ask(path)
    assert (whole.status, whole.body) == (200, layer.blob)
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = running.ask(path, Range="bytes=1000-1999")
    assert (part.status, part.body) == (206, layer.blob[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{size}"
    assert running.ask(path, Range="bytes=-7").body == layer.blob[-7:]
    assert running.ask(path, Range=f"bytes={size - 1}-").body == layer.blob[-1:]
    assert running.ask(path, "HEAD", Range="bytes=0-9").headers["Content-Length"] == "10"
    several = running.ask(path, Range="bytes=0-1,4-5")
    assert (several.status, several.body) == (200, layer.blob)
    beyond = running.ask(path, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_conditions(running: Running, sample_images: SampleImages) -> None:
    layer = sample_images.base.content[0]
    path, tag = f"{CUDA}/blobs/{layer.digest}", f'"{layer.digest}"'
    unchanged = running.ask(path, If_None_Match=tag)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert running.ask(path, Range="bytes=0-4", If_Range=tag).status == 206
    assert running.ask(path, Range="bytes=0-4", If_Range='"other"').status == 200


def test_a_blob_of_no_bytes(running: Running, sample_images: SampleImages) -> None:
    answer = running.ask(f"/v2/library/zero/blobs/{digest_of(b'')}")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
    assert running.ask(f"/v2/library/zero/blobs/{digest_of(b'')}", Range="bytes=0-").status == 416


def test_blobs_inside_a_tar(serve: Serve, tmp_path: Path, sample_images: SampleImages) -> None:
    running = serve(FakeCatalogue(tmp_path / "tar", sample_images.everything, in_tar=True))
    for digest, data in sample_images.pytorch.blobs.items():
        path = f"/v2/nvidia/pytorch/blobs/{digest}"
        assert running.ask(path).body == data
        assert running.ask(path, Range="bytes=3-10").body == data[3:11]
        assert running.ask(path, Range="bytes=-4").body == data[-4:]


def test_referrers(serve: Serve, tmp_path: Path, sample_images: SampleImages) -> None:
    subject = sample_images.base
    signature = build_artifact(
        "nvidia/cuda:signed", {"s": b"1"}, artifact_type="application/x.signature", subject=subject
    )
    report = build_artifact(
        "nvidia/cuda:report", {"r": b"2"}, artifact_type="application/x.report", subject=subject
    )
    running = serve(FakeCatalogue(tmp_path / "refer", [subject, signature, report]))
    path = f"{CUDA}/referrers/{subject.digest}"
    everything = running.ask(path)
    assert everything.headers["Content-Type"] == OCI_INDEX
    found = {child["digest"] for child in json_of(everything)["manifests"]}
    assert found == {signature.digest, report.digest}
    chosen = running.ask(f"{path}?artifactType={quote('application/x.report', safe='')}")
    assert chosen.headers["OCI-Filters-Applied"] == "artifactType"
    assert [child["digest"] for child in json_of(chosen)["manifests"]] == [report.digest]
    assert json_of(running.ask(f"{CUDA}/referrers/{UNKNOWN}"))["manifests"] == []


def test_a_name_for_two_images_is_refused_with_the_reason(
    serve: Serve, tmp_path: Path, sample_images: SampleImages
) -> None:
    name = sample_images.base.name
    running = serve(
        FakeCatalogue(tmp_path / "two", [sample_images.base], ambiguous=frozenset({name}))
    )
    answer = running.ask(TAG)
    assert (answer.status, code_of(answer)) == (404, "MANIFEST_UNKNOWN")
    assert "is two images. Name the registry." in json_of(answer)["errors"][0]["message"]


def test_a_mirrors_namespace_becomes_the_beginning_of_the_name(
    serve: Serve, tmp_path: Path, sample_images: SampleImages
) -> None:
    full = sample_images.base.named(f"reg.lan_5000/{sample_images.base.name}")
    running = serve(FakeCatalogue(tmp_path / "ns", [full]))
    assert running.ask(f"{TAG}?ns=reg.lan:5000").body == full.manifest
    assert running.ask(f"{TAG}?ns=nvcr.io").status == 404
    assert running.ask(f"{TAG}?ns=..%2f..").status == 400


def wait_for_accesses(running: Running, count: int) -> None:
    wait_for(lambda: len(running.accesses) == count)


def test_accesses_are_reported(running: Running, sample_images: SampleImages) -> None:
    for number, locator in enumerate(
        ("12.4.1-base-ubuntu22.04", "nothing", sample_images.base.digest), 1
    ):
        running.ask(f"{CUDA}/manifests/{locator}")
        wait_for_accesses(running, number)  # told once the last byte is out
    seen = [(a.client, a.status, a.name, a.sent > 0) for a in running.accesses]
    assert seen == [
        ("127.0.0.1", 200, "nvidia/cuda:12.4.1-base-ubuntu22.04", True),
        ("127.0.0.1", 404, "nvidia/cuda:nothing", True),
        ("127.0.0.1", 200, "", True),
    ]
