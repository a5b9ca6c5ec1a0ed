"""From a registry into a bundle, and out of it by everyone who reads bundles: same digests."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests import images, services
from tests.conftest import Run, StartDistribution
from tests.e2e.command import airgap_tui
from tests.e2e.conftest import Saved, Serve
from tests.images import SampleImage, SampleImages

pytestmark = pytest.mark.distribution


def path_of(reference: str) -> str:
    """`repository:tag`, without the registry."""
    return reference.partition("/")[2]


# --- save -----------------------------------------------------------------------------------------


def test_save_tells_every_item(saved: Saved) -> None:
    document = saved.finished.document
    assert {item["reference"] for item in document["items"]} == set(saved.samples)
    for item in document["items"]:
        sample = saved.samples[item["reference"]]
        assert (item["state"], item["error"]) == ("done", None)
        assert item["digest"] == sample.digest
        assert item["bytes"] == sample.size
    distinct = {
        digest: data for one in saved.samples.values() for digest, data in one.blobs.items()
    }
    documents = {raw for one in saved.samples.values() for _, raw in one.documents}
    assert document["bytes"]["unique"] == sum(map(len, [*distinct.values(), *documents]))
    assert document["seconds"] > 0


def test_bundle_is_an_oci_layout_with_the_sources_bytes(saved: Saved) -> None:
    assert json.loads((saved.bundle / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((saved.bundle / "index.json").read_text())
    names = {
        entry["annotations"]["io.containerd.image.name"]: entry for entry in index["manifests"]
    }
    assert list(names) == sorted(saved.samples)
    for name, sample in saved.samples.items():
        assert names[name]["digest"] == sample.digest
        for digest, data in (*sample.blobs.items(), (sample.digest, sample.documents[-1][1])):
            algorithm, _, hexadecimal = digest.partition(":")
            assert (saved.bundle / "blobs" / algorithm / hexadecimal).read_bytes() == data


def test_checksums_can_be_checked_without_us(saved: Saved) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"],
        cwd=saved.bundle,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    listed = {
        line.split(maxsplit=1)[1].removeprefix("./").strip()
        for line in (saved.bundle / "SHA256SUMS").read_text().splitlines()
    }
    there = {
        str(path.relative_to(saved.bundle))
        for path in saved.bundle.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS" and ".partial" not in path.parts
    }
    assert {name for name in there if "lock" not in name} == listed


def test_saving_again_fetches_nothing(saved: Saved) -> None:
    before = {path: path.stat().st_mtime_ns for path in (saved.bundle / "blobs").rglob("*")}
    again = airgap_tui("save", *saved.samples, "-b", saved.bundle, "--json").document
    assert again["bytes"]["downloaded"] == 0
    assert {item["state"] for item in again["items"]} == {"held"}
    assert before == {path: path.stat().st_mtime_ns for path in (saved.bundle / "blobs").rglob("*")}


def test_all_platforms_keep_the_index(saved_all_platforms: Saved) -> None:
    for item in saved_all_platforms.finished.document["items"]:
        assert item["digest"] == saved_all_platforms.samples[item["reference"]].digest


def test_plan_writes_nothing(source: dict[str, str], tmp_path: Path) -> None:
    names = list(source.values())
    told = airgap_tui("plan", *names[:3], "-b", tmp_path / "none", "--json").document
    assert told["bytes"]["toFetch"] == told["bytes"]["unique"] > 0
    assert list(tmp_path.iterdir()) == []
    dry = airgap_tui("save", *names[:3], "-b", tmp_path / "none", "--dry-run", "--json").document
    assert dry["bytes"] == told["bytes"]
    assert list(tmp_path.iterdir()) == []


# --- verify ---------------------------------------------------------------------------------------


def test_verify_reads_everything(saved: Saved, tmp_path: Path) -> None:
    for where in (saved.bundle, saved.tar(tmp_path)):
        told = airgap_tui("verify", where, "--json").document
        assert told["ok"] is True
        assert (told["bad"], told["missing"]) == ([], [])
        files = [path for path in (saved.bundle / "blobs").rglob("*") if path.is_file()]
        assert told["blobs"] == len(files)
        assert told["bytes"] == sum(path.stat().st_size for path in files)


# --- readers that know nothing of us --------------------------------------------------------------


@pytest.mark.skopeo
def test_skopeo_reads_every_name(saved: Saved, skopeo: Run, tmp_path: Path) -> None:
    for number, (name, sample) in enumerate(saved.samples.items()):
        copy = tmp_path / str(number)
        if sample.media_type != images.OCI_MANIFEST:
            # skopeo looks only for OCI types when it is given a name in a layout, and a manifest
            # is kept as its source sent it: Docker's are read from the tar, or from `serve`.
            tar = saved.tar(tmp_path)
            skopeo("copy", f"docker-archive:{tar}:{name}", f"dir:{copy}")
            config = json.loads((copy / "manifest.json").read_text())["config"]
            assert isinstance(sample, SampleImage)
            assert config["digest"] == sample.image_id
            continue
        skopeo("copy", "--preserve-digests", f"oci:{saved.bundle}:{name}", f"dir:{copy}")
        raw = (copy / "manifest.json").read_bytes()
        assert images.digest_of(raw) == sample.digest


@pytest.mark.skopeo
def test_skopeo_lists_every_name_of_the_tar(saved: Saved, skopeo: Run, tmp_path: Path) -> None:
    listed = skopeo("list-tags", f"docker-archive:{saved.tar(tmp_path)}")
    assert set(json.loads(listed.stdout)["Tags"]) == set(saved.samples)


@pytest.mark.docker
def test_docker_load_of_a_plain_tar(
    saved: Saved, docker_engine: services.DockerEngine, tmp_path: Path
) -> None:
    # A classic store refuses the whole file for one zstd layer before 23.0.
    bundle = tmp_path / "pod"
    airgap_tui("save", *saved.loadable, "-b", bundle)
    tar = Saved(bundle, dict(saved.samples), saved.finished).tar(tmp_path)
    services.run_program("docker", "--host", docker_engine.host, "load", "-i", str(tar))
    for name, sample in saved.loadable.items():
        assert docker_engine.client.images.get(name).id == sample.image_id


@pytest.mark.podman
def test_podman_load_of_a_plain_tar(
    saved: Saved, podman_socket: services.PodmanService, tmp_path: Path
) -> None:
    podman_socket("load", "-i", str(saved.tar(tmp_path)))
    for name, sample in saved.samples.items():
        assert isinstance(sample, SampleImage)
        shown = podman_socket("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()
        assert f"sha256:{shown}" == sample.image_id
        podman_socket("rmi", "--force", name)


def test_containerd_imports_a_plain_tar(
    saved: Saved, containerd: services.Containerd, tmp_path: Path
) -> None:
    """By the full names and with the digests of the source; unpacking is its snapshotter's."""
    containerd("images", "import", "--no-unpack", str(saved.tar(tmp_path)))
    rows = [line.split() for line in containerd("images", "ls").stdout.splitlines()[1:]]
    found = {row[0]: row[2] for row in rows}
    assert {name: found.get(name) for name in saved.samples} == {
        name: sample.digest for name, sample in saved.samples.items()
    }
    containerd("images", "rm", *saved.samples)


# --- load -----------------------------------------------------------------------------------------


@pytest.mark.docker
def test_load_into_docker(saved: Saved, docker_engine: services.DockerEngine) -> None:
    told = airgap_tui("load", saved.bundle, "--host", docker_engine.host, "--json").document
    assert {item["reference"] for item in told["items"]} == set(saved.samples)
    for name, sample in saved.samples.items():
        assert isinstance(sample, SampleImage)
        assert docker_engine.client.images.get(name).id == sample.image_id


@pytest.mark.docker
def test_load_adds_names_for_an_offline_registry(
    saved: Saved, docker_engine: services.DockerEngine
) -> None:
    airgap_tui(
        "load", saved.bundle, "--host", docker_engine.host, "--retag", "registry.lan:5000/mirror"
    )
    for name, sample in saved.loadable.items():
        there = docker_engine.client.images.get(f"registry.lan:5000/mirror/{path_of(name)}")
        assert there.id == sample.image_id


@pytest.mark.podman
def test_load_into_podman(saved: Saved, podman_socket: services.PodmanService) -> None:
    airgap_tui("load", saved.bundle, "--into", "podman", "--host", podman_socket.host)
    for name, sample in saved.loadable.items():
        shown = podman_socket("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()
        assert f"sha256:{shown}" == sample.image_id
        podman_socket("rmi", "--force", name)


# --- push -----------------------------------------------------------------------------------------


def test_push_keeps_digests(
    saved: Saved, saved_all_platforms: Saved, start_distribution: StartDistribution
) -> None:
    for one in (saved, saved_all_platforms):
        registry = start_distribution()
        told = airgap_tui("push", one.bundle, f"{registry.host}/mirror", "--json")
        for name, sample in one.samples.items():
            repository, _, tag = f"mirror/{path_of(name)}".rpartition(":")
            assert images.remote_digest(registry.host, repository, tag) == sample.digest
            item = told.item(name)
            assert item["state"] == "done"
            assert item["target"] == f"{registry.host}/{repository}:{tag}"
            assert item["target_digest"] == item["digest"] == sample.digest
            for _, raw in sample.documents:
                digest = images.digest_of(raw)
                assert images.remote_manifest(registry.host, repository, digest) == raw
        again = airgap_tui("push", one.bundle, f"{registry.host}/mirror", "--json").document
        assert again["bytes"]["sent"] == 0
        assert {item["state"] for item in again["items"]} == {"held"}


def test_push_refuses_two_images_with_one_name(
    source: dict[str, str], start_distribution: StartDistribution, tmp_path: Path
) -> None:
    other = start_distribution()
    image = images.build_image("nvidia/cuda:12.4.1-base-ubuntu22.04", [images.layer("other")])
    names = [source[image.name], images.push_image(other.host, image)]
    airgap_tui("save", *names, "-b", tmp_path / "pod")
    target = start_distribution()
    refused = airgap_tui("push", tmp_path / "pod", target.host, code=2)
    for name in names:
        assert name in refused.err
    assert not (target.root / "docker").exists()


def test_push_of_a_tar(saved: Saved, start_distribution: StartDistribution, tmp_path: Path) -> None:
    registry = start_distribution()
    airgap_tui("push", saved.tar(tmp_path), registry.host)
    for name, sample in saved.samples.items():
        repository, _, tag = path_of(name).rpartition(":")
        assert images.remote_digest(registry.host, repository, tag) == sample.digest


# --- serve ----------------------------------------------------------------------------------------


def test_served_digests_are_the_sources(
    saved: Saved, saved_all_platforms: Saved, serve: Serve, tmp_path: Path
) -> None:
    for bundle, samples in (
        (saved.bundle, saved.samples),
        (saved.tar(tmp_path), saved.samples),
        (saved_all_platforms.bundle, saved_all_platforms.samples),
    ):
        host = serve(bundle)
        with images.registry_session() as session:
            for name, sample in samples.items():
                repository, _, tag = path_of(name).rpartition(":")
                assert images.remote_digest(host, repository, tag) == sample.digest
                for digest in sample.blobs:
                    answer = session.get(
                        f"http://{host}/v2/{repository}/blobs/{digest}", timeout=30
                    )
                    assert f"sha256:{hashlib.sha256(answer.content).hexdigest()}" == digest


@pytest.mark.skopeo
def test_skopeo_copies_from_serve(saved: Saved, serve: Serve, skopeo: Run, tmp_path: Path) -> None:
    host = serve(saved.bundle)
    for number, (name, sample) in enumerate(saved.samples.items()):
        copy = tmp_path / str(number)
        skopeo(
            *("copy", "--preserve-digests", "--src-tls-verify=false"),
            *(f"docker://{host}/{path_of(name)}", f"dir:{copy}"),
        )
        assert images.digest_of((copy / "manifest.json").read_bytes()) == sample.digest


@pytest.mark.docker
def test_docker_pulls_from_serve(
    saved: Saved, serve: Serve, docker_engine: services.DockerEngine
) -> None:
    host = serve(saved.bundle)
    for name, sample in saved.loadable.items():
        assert docker_engine.client.images.pull(f"{host}/{path_of(name)}").id == sample.image_id


@pytest.mark.podman
def test_podman_pulls_from_serve(
    saved: Saved, serve: Serve, podman_socket: services.PodmanService
) -> None:
    host = serve(saved.bundle)
    for name, sample in saved.samples.items():
        assert isinstance(sample, SampleImage)
        full = f"{host}/{path_of(name)}"
        pulled = podman_socket("pull", "--quiet", "--tls-verify=false", full).stdout.strip()
        assert f"sha256:{pulled}" == sample.image_id
        podman_socket("rmi", "--force", full)


def test_save_reads_what_serve_offers(
    saved_all_platforms: Saved, serve: Serve, tmp_path: Path
) -> None:
    host = serve(saved_all_platforms.bundle)
    names = {f"{host}/{path_of(name)}": one for name, one in saved_all_platforms.samples.items()}
    told = airgap_tui("save", *names, "-b", tmp_path / "x", "--platform", "all", "--json")
    for item in told.document["items"]:
        assert item["digest"] == names[item["reference"]].digest


# --- engines and archives -------------------------------------------------------------------------


@pytest.mark.docker
def test_save_from_docker_keeps_image_ids(
    source: dict[str, str],
    sample_images: SampleImages,
    docker_engine: services.DockerEngine,
    tmp_path: Path,
) -> None:
    samples = {source[sample.name]: sample for sample in sample_images.images}
    for name in samples:
        docker_engine.client.images.pull(name)
    options = ("--from", "docker", "--host", docker_engine.host)
    told = airgap_tui("save", *samples, "-b", tmp_path / "pod", *options, "--json").document
    assert {item["state"] for item in told["items"]} == {"done"}
    assert airgap_tui("verify", tmp_path / "pod", "--json").document["ok"] is True
    docker_engine.remove_all_images()
    airgap_tui("load", tmp_path / "pod", "--host", docker_engine.host)
    for name, sample in samples.items():
        assert docker_engine.client.images.get(name).id == sample.image_id


@pytest.mark.docker
def test_archives_that_save_writes_load_into_docker(
    source: dict[str, str],
    sample_images: SampleImages,
    docker_engine: services.DockerEngine,
    tmp_path: Path,
) -> None:
    sample = sample_images.pytorch
    name = source[sample.name]
    airgap_tui(
        *("save", name, "-b", tmp_path / "pod"),
        *("--archive", tmp_path / "archives", "--codec", "gzip"),
    )
    (archive,) = (tmp_path / "archives").glob("*.tar.gz")
    services.run_program("docker", "--host", docker_engine.host, "load", "-i", str(archive))
    assert docker_engine.client.images.get(name).id == sample.image_id
    docker_engine.remove_all_images()
    airgap_tui("load", archive, "--host", docker_engine.host)
    assert docker_engine.client.images.get(name).id == sample.image_id


def test_zstd_bundle_is_smaller_and_whole(
    source: dict[str, str], sample_images: SampleImages, tmp_path: Path
) -> None:
    name = source[sample_images.pytorch.name]
    told = airgap_tui("save", name, "-b", tmp_path / "pod", "--compress", "zstd:10", "--json")
    assert told.item(name)["digest"] != sample_images.pytorch.digest
    assert airgap_tui("verify", tmp_path / "pod", "--json").document["ok"] is True
    index = json.loads((tmp_path / "pod/index.json").read_text())
    (entry,) = index["manifests"]
    manifest = json.loads(
        (tmp_path / "pod/blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_text()
    )
    assert manifest["config"]["digest"] == sample_images.pytorch.image_id
    assert {layer["mediaType"] for layer in manifest["layers"]} == {f"{images.OCI_LAYER}+zstd"}
