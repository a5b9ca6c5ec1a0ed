"""The services and sample images that other tests stand on are themselves what they claim."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests import images, services
from tests.conftest import Run, StartDistribution
from tests.images import SampleImage, SampleImages, SampleIndex


def test_samples_are_the_same_bytes_every_time(sample_images: SampleImages) -> None:
    again = images.build_samples()
    assert [one.digest for one in again.everything] == [
        one.digest for one in sample_images.everything
    ]


def test_samples_share_layers(sample_images: SampleImages) -> None:
    shared = set(sample_images.base.blobs) & set(sample_images.pytorch.blobs)
    assert shared == {one.digest for one in sample_images.base.content}


@pytest.mark.distribution
def test_every_sample_goes_through_a_registry(
    distribution: services.Distribution, sample_images: SampleImages, repository: str
) -> None:
    for sample in sample_images.everything:
        name = f"{repository}/{sample.name}"
        images.push_image(distribution.host, sample, name=name)
        where, _, tag = name.rpartition(":")
        assert images.remote_digest(distribution.host, where, tag) == sample.digest
        for digest in sample.blobs:
            assert distribution.blob_path(digest).is_file()


@pytest.mark.distribution
def test_registry_comes_back_on_its_port(
    start_distribution: StartDistribution, sample_images: SampleImages, tmp_path: Path
) -> None:
    first = start_distribution(root=tmp_path / "storage", port=services.free_port())
    images.push_image(first.host, sample_images.docker)
    first.stop()
    with pytest.raises(requests.ConnectionError), images.registry_session() as session:
        session.get(f"{first.url}/v2/", timeout=5)
    second = start_distribution(root=tmp_path / "storage", port=first.port)
    assert second.host == first.host
    assert images.remote_digest(second.host, "library/registry", "2") == sample_images.docker.digest


@pytest.mark.distribution
def test_registry_with_logins_and_tls(
    start_distribution: StartDistribution,
    authority: services.CertificateAuthority,
    sample_images: SampleImages,
) -> None:
    registry = start_distribution(htpasswd={"ann": "lighthouse"}, tls=authority.issue())
    ca = str(authority.certificate)
    with images.registry_session(verify=ca) as session:
        assert session.get(f"{registry.url}/v2/", timeout=30).status_code == 401
        session.auth = ("ann", "wrong")
        assert session.get(f"{registry.url}/v2/", timeout=30).status_code == 401
    with pytest.raises(requests.exceptions.SSLError), images.registry_session() as session:
        session.get(f"{registry.url}/v2/", timeout=30)
    images.push_image(registry.url, sample_images.docker, login=("ann", "lighthouse"), ca=ca)


@pytest.mark.distribution
def test_registry_that_wants_a_client_certificate(
    start_distribution: StartDistribution, authority: services.CertificateAuthority
) -> None:
    registry = start_distribution(tls=authority.issue(), client_authority=authority.certificate)
    client = authority.issue("client", names=["DNS:client"])
    with images.registry_session(verify=str(authority.certificate)) as session:
        with pytest.raises(requests.ConnectionError):
            session.get(f"{registry.url}/v2/", timeout=30)
        session.cert = (str(client.certificate), str(client.key))
        assert session.get(f"{registry.url}/v2/", timeout=30).status_code == 200


@pytest.mark.distribution
def test_registry_with_tokens(
    start_distribution: StartDistribution,
    start_token_service: Callable[..., services.TokenService],
) -> None:
    tokens = start_token_service({"ann": "lighthouse"}, anonymous=True)
    registry = start_distribution(token_service=tokens)
    with images.registry_session() as session:
        asked = session.get(f"{registry.url}/v2/some/where/tags/list", timeout=30)
        assert asked.status_code == 401
        challenge = asked.headers["Www-Authenticate"]
        assert f'realm="{tokens.realm}"' in challenge
        scope = "repository:some/where:pull,push"
        query = {"service": tokens.service, "scope": scope}
        refused = session.get(tokens.realm, params=query, auth=("ann", "wrong"), timeout=30)
        assert refused.status_code == 401
        read_only = session.get(tokens.realm, params=query, timeout=30).json()["token"]
        full = session.get(
            tokens.realm, params=query, auth=("ann", "lighthouse"), timeout=30
        ).json()["token"]
        upload = f"{registry.url}/v2/some/where/blobs/uploads/"
        for bearer, status in ((read_only, 401), (full, 202)):
            answer = session.post(upload, headers={"Authorization": f"Bearer {bearer}"}, timeout=30)
            assert answer.status_code == status
        assert [r.get("user") for r in tokens.requests] == [None, None, ["ann"]]


@pytest.mark.skopeo
@pytest.mark.distribution
def test_skopeo_reads_the_samples(
    distribution: services.Distribution,
    sample_images: SampleImages,
    repository: str,
    skopeo: Run,
    tmp_path: Path,
) -> None:
    samples: tuple[SampleImage | SampleIndex, ...] = (sample_images.triton, sample_images.multi)
    for number, sample in enumerate(samples):
        name = images.push_image(distribution.host, sample, name=f"{repository}:{number}")
        skopeo(
            *("copy", "--all", "--preserve-digests", "--src-tls-verify=false"),
            *(f"docker://{name}", f"oci:{tmp_path / str(number)}:x"),
        )
        index = json.loads((tmp_path / str(number) / "index.json").read_text())
        assert index["manifests"][0]["digest"] == sample.digest


@pytest.mark.docker
@pytest.mark.distribution
def test_docker_pulls_the_samples(
    docker_engine: services.DockerEngine,
    distribution: services.Distribution,
    sample_images: SampleImages,
    repository: str,
) -> None:
    for sample in sample_images.images:
        name = images.push_image(distribution.host, sample, name=f"{repository}/{sample.name}")
        assert docker_engine.client.images.pull(name).id == sample.image_id


@pytest.mark.podman
@pytest.mark.distribution
def test_podman_pulls_and_saves(
    podman_socket: services.PodmanService,
    distribution: services.Distribution,
    sample_images: SampleImages,
    repository: str,
    tmp_path: Path,
) -> None:
    name = images.push_image(distribution.host, sample_images.base, name=f"{repository}:1")
    podman_socket("pull", "--tls-verify=false", name)
    podman_socket("save", "-o", str(tmp_path / "saved.tar"), name)
    with tarfile.open(tmp_path / "saved.tar") as tar:
        assert "manifest.json" in tar.getnames()


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    service = services.Service("shell", ["sh", "-c", "echo no room here; exit 7"], tmp_path)
    with pytest.raises(services.ServiceFailed, match=r"shell ended with 7:\nno room here"):
        service.wait_until(lambda: False)
    service.stop()
    assert not tmp_path.exists()
