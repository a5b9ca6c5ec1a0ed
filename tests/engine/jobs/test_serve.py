"""Bundles served to real clients: names, tar in place, logins, several bundles, the end."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from requests import Response

from airgap_tui.engine.bundle.closure import closure_below
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, EnvironmentFailure, NotFound, UsageError
from airgap_tui.engine.events import ItemState, Level, Note
from airgap_tui.engine.jobs import serve
from airgap_tui.engine.jobs.serve import ServeResult, ServeSpec, Serving, serving
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import parse
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.serve.connection import Limits
from airgap_tui.engine.settings import Network
from tests.conftest import EventLog, Run
from tests.engine.bundle import sample_source
from tests.engine.bundle.volumes.volumes import as_directory, as_tar, cut
from tests.images import (
    ACCEPT,
    SampleImage,
    SampleImages,
    SampleIndex,
    build_artifact,
    registry_session,
    remote_digest,
)
from tests.services import (
    PATIENCE,
    CertificateAuthority,
    DockerEngine,
    PodmanService,
    run_program,
    wait_for,
)

Sample = SampleImage | SampleIndex
PYTORCH = "nvcr.io/nvidia/pytorch:24.05-py3"
MULTI = "docker.io/library/multi:1"


def write_bundle(
    path: Path, samples: dict[str, Sample], platform: Platform | None = None, failed: str = ""
) -> Path:
    """A finished bundle with these samples under these names, and an item that failed."""
    token = CancelToken()
    with BundleWriter.open(path, "test", platform) as writer:
        for name, sample in samples.items():
            documents = {str(Digest.of(raw)): parse(raw, kind) for kind, raw in sample.documents}
            for data in sample.blobs.values():
                writer.store(data, "application/octet-stream")
            closure = closure_below(
                Reference.parse(name),
                documents[sample.digest].descriptor,
                lambda wanted, known=documents: known[str(wanted.digest)],  # type: ignore[misc]
            )
            writer.tag(closure.reference, closure, token)
        if failed:
            item = replace(writer.inventory.items[0], reference=Reference.parse(failed))
            writer.record(replace(item, state=ItemState.FAILED, digest=None, error="no such tag"))
        writer.finish(token)
    return path


def ask(served: Serving, path: str) -> Response:
    with registry_session() as session:
        return session.get(f"{served.url}{path}", headers={"Accept": ACCEPT}, timeout=20)


def spec(*paths: Path) -> ServeSpec:
    return ServeSpec(paths, port=0)


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    return write_bundle(
        tmp_path / "bundle", {PYTORCH: sample_images.pytorch, MULTI: sample_images.multi}
    )


def test_short_and_full_names(bundle: Path, sample_images: SampleImages) -> None:
    with serving(spec(bundle)) as served:
        for name in ("nvidia/pytorch", "nvcr.io/nvidia/pytorch"):
            answer = ask(served, f"/v2/{name}/manifests/24.05-py3")
            assert answer.content == sample_images.pytorch.manifest
            listed = ask(served, f"/v2/{name}/tags/list").json()
            assert listed == {"name": name, "tags": ["24.05-py3"]}
        mirrored = "/v2/nvidia/pytorch/manifests/24.05-py3?ns="
        assert ask(served, f"{mirrored}nvcr.io").status_code == 200
        assert ask(served, f"{mirrored}docker.io").status_code == 404
        catalog = ask(served, "/v2/_catalog").json()
        assert catalog == {"repositories": ["library/multi", "nvidia/pytorch"]}


def test_a_source_with_a_port(tmp_path: Path, sample_images: SampleImages) -> None:
    path = write_bundle(tmp_path / "b", {"127.0.0.1:5001/team/x:1": sample_images.base})
    with serving(spec(path)) as served:
        assert ask(served, "/v2/team/x/manifests/1").status_code == 200
        assert ask(served, "/v2/127.0.0.1_5001/team/x/manifests/1").status_code == 200
        assert ask(served, "/v2/team/x/manifests/1?ns=127.0.0.1:5001").status_code == 200


def test_one_short_name_for_two_images(tmp_path: Path, sample_images: SampleImages) -> None:
    path = write_bundle(
        tmp_path / "two",
        {
            "docker.io/nvidia/cuda:1": sample_images.docker,
            "nvcr.io/nvidia/cuda:1": sample_images.base,
            "nvcr.io/nvidia/cuda:2": sample_images.pytorch,
        },
    )
    events = EventLog()
    with serving(spec(path), events) as served:
        refused = ask(served, "/v2/nvidia/cuda/manifests/1")
        assert refused.status_code == 404
        assert refused.json()["errors"][0]["message"] == (
            "nvidia/cuda:1 stands for different images; ask for docker.io/nvidia/cuda:1 or"
            " nvcr.io/nvidia/cuda:1"
        )
        assert ask(served, "/v2/nvidia/cuda/manifests/2").status_code == 200
        assert ask(served, "/v2/nvidia/cuda/tags/list").json()["tags"] == ["2"]
        for registry, image in (
            ("docker.io", sample_images.docker),
            ("nvcr.io", sample_images.base),
        ):
            full = ask(served, f"/v2/{registry}/nvidia/cuda/manifests/1")
            narrowed = ask(served, f"/v2/nvidia/cuda/manifests/1?ns={registry}")
            assert full.content == narrowed.content == image.manifest
        names = ask(served, "/v2/_catalog").json()["repositories"]
        assert names == ["docker.io/nvidia/cuda", "nvcr.io/nvidia/cuda", "nvidia/cuda"]
        (conflict,) = served.catalogue.conflicts()
        assert "nvidia/cuda:1" in conflict


def test_one_image_from_two_registries_is_no_conflict(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    image = sample_images.base
    path = write_bundle(tmp_path / "same", {"docker.io/a/b:1": image, "nvcr.io/a/b:1": image})
    with serving(spec(path)) as served:
        assert ask(served, "/v2/a/b/manifests/1").status_code == 200
        assert served.catalogue.conflicts() == ()
        assert ask(served, "/v2/_catalog").json() == {"repositories": ["a/b"]}


def test_several_bundles(tmp_path: Path, bundle: Path, sample_images: SampleImages) -> None:
    other = write_bundle(
        tmp_path / "other",
        {"nvcr.io/nvidia/triton:1": sample_images.triton, PYTORCH: sample_images.zstd},
    )
    with serving(spec(bundle, other)) as served:
        assert ask(served, "/v2/nvidia/triton/manifests/1").status_code == 200
        assert ask(served, "/v2/library/multi/manifests/1").status_code == 200
        refused = ask(served, "/v2/nvcr.io/nvidia/pytorch/manifests/24.05-py3")
        message = refused.json()["errors"][0]["message"]
        assert str(bundle) in message
        assert str(other) in message


def test_an_index_of_which_one_platform_was_saved(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    from tests.engine.bundle.sample_source import save

    save(tmp_path / "one", [sample_images.multi], platform=DEFAULT_PLATFORM)
    with serving(spec(tmp_path / "one")) as served:
        answer = ask(served, f"/v2/library/multi/manifests/{sample_images.multi.digest}")
        assert answer.status_code == 404
        message = answer.json()["errors"][0]["message"]
        assert "linux/amd64" in message
        assert sample_images.multi.images[0].digest in message


def test_referrers_of_an_image(tmp_path: Path, sample_images: SampleImages) -> None:
    image = sample_images.base
    signature = build_artifact(
        "a/b:s", {"x": b"signed"}, artifact_type="application/x.signature", subject=image
    )
    path = write_bundle(tmp_path / "signed", {"nvcr.io/a/b:1": image, "nvcr.io/a/b:s": signature})
    with serving(spec(path)) as served:
        found = ask(served, f"/v2/a/b/referrers/{image.digest}").json()["manifests"]
        assert [(child["digest"], child["artifactType"]) for child in found] == [
            (signature.digest, "application/x.signature")
        ]
        assert ask(served, f"/v2/a/b/manifests/{signature.digest}").status_code == 200


def test_a_layer_is_no_manifest(bundle: Path, sample_images: SampleImages) -> None:
    with serving(spec(bundle)) as served:
        layer = sample_images.pytorch.content[0].digest
        assert ask(served, f"/v2/nvidia/pytorch/manifests/{layer}").status_code == 404


def test_a_damaged_manifest_is_not_served(
    bundle: Path, sample_images: SampleImages, events: EventLog
) -> None:
    digest = Digest.parse(sample_images.pytorch.digest)
    (bundle / "blobs" / "sha256" / digest.hex).write_bytes(b"{}")
    with serving(spec(bundle), events) as served:
        assert ask(served, "/v2/nvidia/pytorch/manifests/24.05-py3").status_code == 500
        assert ask(served, "/v2/library/multi/manifests/1").status_code == 200
        wait_for(lambda: any(note.level is Level.ERROR for note in events.of(Note)))


def test_nothing_to_serve(tmp_path: Path, sample_images: SampleImages) -> None:
    with pytest.raises(NotFound), serving(spec(tmp_path / "absent")):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="neither a bundle"), serving(spec(tmp_path / "empty")):
        pass


# --- the job --------------------------------------------------------------------------------------


def test_it_serves_until_it_is_stopped(
    tmp_path: Path, sample_images: SampleImages, events: EventLog, token: CancelToken
) -> None:
    path = write_bundle(
        tmp_path / "b", {PYTORCH: sample_images.pytorch}, failed="nvcr.io/nvidia/nothing:1"
    )
    results: list[ServeResult] = []
    thread = threading.Thread(
        target=lambda: results.append(serve.run(ServeSpec((path,), port=0), events, token))
    )
    thread.start()
    try:
        wait_for(lambda: any("did not finish" in note.text for note in events.of(Note)))
        told = " ".join(note.text for note in events.of(Note))
        address = told.partition("http://")[2].partition(",")[0]
        assert remote_digest(address, "nvidia/pytorch", "24.05-py3") == sample_images.pytorch.digest
        assert f"docker pull {address}/nvidia/pytorch:24.05-py3" in told
        assert (
            f"Pyxis that is  {address}#nvidia/pytorch:24.05-py3  with ENROOT_ALLOW_HTTP=y" in told
        )
        assert "did not finish them: nvcr.io/nvidia/nothing:1" in told
        wait_for(lambda: any("asked for nvidia/pytorch" in n.text for n in events.of(Note)))
    finally:
        begun = time.monotonic()
        token.cancel()
        thread.join(PATIENCE)
    assert time.monotonic() - begun < Limits().request
    (result,) = results
    assert result.exit_code == 0
    assert result.to_json()["requests"] == 1
    assert result.sent == len(sample_images.pytorch.manifest)


def test_a_port_in_use(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(EnvironmentFailure, match="another program listens there"),
            serving(ServeSpec((bundle,), port=port)),
        ):
            pass


def test_passwords_do_not_cross_a_network_unprotected(bundle: Path, logins: Path) -> None:
    with (
        pytest.raises(UsageError, match="unprotected"),
        serving(ServeSpec((bundle,), "0.0.0.0", 0, htpasswd=logins)),  # noqa: S104
    ):
        pass


# --- real clients ---------------------------------------------------------------------------------


def read_all(source: RegistrySource, name: str) -> dict[str, int]:
    """Pull with our own client; the sizes of what came, by digest."""
    token = CancelToken()
    reference = Reference.parse(name)
    closure = source.resolve(reference, None, token)
    came = {str(document.digest): len(document.raw) for document in closure.documents}
    for blob in closure.blobs:
        reader = source.open(reference, blob, 0, token)
        hasher, buffer, size = blob.digest.hasher(), memoryview(bytearray(65536)), 0
        try:
            while count := reader.readinto(buffer):
                hasher.update(buffer[:count])
                size += count
        finally:
            reader.close()
        assert hasher.hexdigest() == blob.digest.hex
        came[str(blob.digest)] = size
    return came


@pytest.fixture
def logins(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    run_program("htpasswd", "-c", "-b", "-B", "-C", "4", str(path), "reader", "secret word")
    return path


def test_our_own_client_with_a_login(
    bundle: Path, logins: Path, sample_images: SampleImages
) -> None:
    with serving(ServeSpec((bundle,), port=0, htpasswd=logins)) as served:
        name = f"{served.address}/library/multi:1"
        login = Credential("reader", "secret word", "test")
        source = RegistrySource(Network(), CredentialStore({served.address: login}))
        try:
            assert set(read_all(source, name)) >= set(sample_images.multi.blobs)
        finally:
            source.close()
        stranger = RegistrySource(Network(), CredentialStore())
        try:
            with pytest.raises(AccessDenied):
                read_all(stranger, name)
        finally:
            stranger.close()


@pytest.mark.skopeo
def test_skopeo_with_tls_and_a_login(
    bundle: Path,
    logins: Path,
    tmp_path: Path,
    authority: CertificateAuthority,
    sample_images: SampleImages,
    skopeo: Run,
) -> None:
    pair = authority.issue("serve-job")
    trusted = tmp_path / "certs"
    trusted.mkdir()
    (trusted / "ca.crt").write_bytes(authority.certificate.read_bytes())
    protected = ServeSpec((bundle,), "127.0.0.1", 0, pair.certificate, pair.key, logins)
    with serving(protected) as served:
        name = f"docker://{served.address}/nvidia/pytorch:24.05-py3"
        known = ("inspect", "--cert-dir", str(trusted))
        shown = skopeo(*known, "--creds", "reader:secret word", name)
        assert json.loads(shown.stdout)["Digest"] == sample_images.pytorch.digest
        refused = skopeo(*known, "--creds", "reader:guess", name, check=False)
        assert refused.returncode != 0
        assert "unauthorized" in refused.stderr + refused.stdout


@pytest.mark.skopeo
def test_skopeo_lists_and_copies_everything_from_a_tar_in_place(
    bundle: Path, tmp_path: Path, sample_images: SampleImages, skopeo: Run
) -> None:
    run_program("tar", "-C", str(bundle), "-cf", str(tmp_path / "bundle.tar"), ".")
    with serving(spec(tmp_path / "bundle.tar")) as served:
        plain = "--tls-verify=false"
        listed = skopeo("list-tags", plain, f"docker://{served.address}/library/multi")
        assert json.loads(listed.stdout)["Tags"] == ["1"]
        target = tmp_path / "copied"
        skopeo(
            "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
            f"docker://{served.address}/library/multi:1", f"oci:{target}:multi",
        )  # fmt: skip
        index = json.loads((target / "index.json").read_text())
        assert index["manifests"][0]["digest"] == sample_images.multi.digest
        for digest in sample_images.multi.blobs:
            assert (target / "blobs" / digest.replace(":", "/")).exists()


@pytest.mark.podman
def test_podman_pulls(
    bundle: Path, sample_images: SampleImages, podman_socket: PodmanService
) -> None:
    with serving(spec(bundle)) as served:
        name = f"{served.address}/nvidia/pytorch:24.05-py3"
        podman_socket("pull", "--tls-verify=false", name)
        told = podman_socket("image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", name)
        image_id, digests = told.stdout.split(maxsplit=1)
        podman_socket("rmi", name)
    repository = name.rpartition(":")[0]
    assert f"{repository}@{sample_images.pytorch.digest}" in json.loads(digests)
    assert f"sha256:{image_id}" == sample_images.pytorch.image_id


@pytest.mark.docker
def test_docker_pulls(
    bundle: Path, sample_images: SampleImages, docker_engine: DockerEngine
) -> None:
    with serving(spec(bundle)) as served:
        name = f"{served.address}/nvidia/pytorch"
        events = list(docker_engine.client.api.pull(name, "24.05-py3", stream=True, decode=True))
        assert [event for event in events if "error" in event] == []
        image = docker_engine.client.images.get(f"{name}:24.05-py3")
    assert image.id == sample_images.pytorch.image_id
    assert image.attrs["RepoDigests"] == [f"{name}@{sample_images.pytorch.digest}"]


@pytest.mark.docker
def test_docker_tells_why_a_short_name_is_refused(
    tmp_path: Path, sample_images: SampleImages, docker_engine: DockerEngine
) -> None:
    path = write_bundle(
        tmp_path / "two",
        {"docker.io/a/b:1": sample_images.docker, "nvcr.io/a/b:1": sample_images.base},
    )
    with serving(spec(path)) as served, pytest.raises(Exception, match="different images"):
        list(docker_engine.client.api.pull(f"{served.address}/a/b", "1", stream=True))


def test_a_blob_in_pieces_is_served_from_its_volumes(
    sample_images: SampleImages, tmp_path: Path
) -> None:
    sample_source.save(tmp_path / "pod", sample_images.images)
    media = [
        form(tmp_path / "media", *part)
        for form, part in zip((as_tar, as_directory), cut(tmp_path / "pod", 2, 20_000), strict=True)
    ]
    sample = sample_images.pytorch
    layer = max(sample.content, key=lambda layer: len(layer.blob))
    assert len(layer.blob) > 40_000
    with serving(ServeSpec(tuple(media), port=0)) as under_way:
        url = f"{under_way.url}/v2/{sample.repository}/blobs/{layer.digest}"
        assert requests.get(url, timeout=30).content == layer.blob
        part = requests.get(url, headers={"Range": "bytes=15000-45000"}, timeout=30)
        assert part.content == layer.blob[15000:45001]
