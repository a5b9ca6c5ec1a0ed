"""Podman as the place, and serving with a certificate, by keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobState
from tests import services
from tests.conftest import Run
from tests.e2e.offline_keys import (
    choose,
    fill,
    finish,
    jobs_in,
    pick,
    to_destination,
    to_result,
)
from tests.e2e.terminal import Terminal
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages, digest_of


@pytest.fixture
def bundle(home: Path, sample_images: SampleImages) -> Path:
    save(home / "pod", sample_images.images)
    return home / "pod"


@pytest.fixture
def terminal(home: Path, bundle: Path) -> Iterator[Terminal]:
    with Terminal(home, {"DOCKER_HOST": f"unix://{home}/none.sock"}) as terminal:
        yield terminal


@pytest.mark.podman
def test_into_podman(
    terminal: Terminal,
    home: Path,
    podman_socket: services.PodmanService,
    sample_images: SampleImages,
) -> None:
    to_destination(terminal)
    choose(terminal, "Podman on this host")
    fill(terminal, "Address", podman_socket.host)
    terminal.press("Enter")
    terminal.wait("\u2713 Engine", "Podman", "free in", "names stay")
    to_result(terminal, "Load 5 images")
    terminal.wait("All 5 images are in Podman", "podman run --rm", timeout=90)
    finish(terminal)
    listed = json.loads(podman_socket("images", "--format", "json").stdout)
    held = {name: image["Id"] for image in listed for name in image.get("Names") or ()}
    for sample in sample_images.images:
        assert f"sha256:{held[f'nvcr.io/{sample.name}']}" == digest_of(sample.config)
    assert [job.verb for job in jobs_in(home)] == ["load", "verify"]


@pytest.mark.skopeo
def test_serving_with_a_certificate_that_hosts_trust(
    terminal: Terminal,
    home: Path,
    tmp_path: Path,
    authority: services.CertificateAuthority,
    sample_images: SampleImages,
    skopeo: Run,
) -> None:
    pair, port = authority.issue("served"), services.free_port()
    trusted = tmp_path / "certs"
    trusted.mkdir()
    (trusted / "ca.crt").write_bytes(authority.certificate.read_bytes())
    to_destination(terminal)
    choose(terminal, "Serve from here")
    pick(terminal, "For", "This host only")
    fill(terminal, "Port", str(port))
    pick(terminal, "Security", "TLS")
    terminal.wait("Not yet: TLS needs a certificate.")
    fill(terminal, "Certificate", str(pair.key))
    fill(terminal, "Key", str(pair.key))
    terminal.press("Enter")
    terminal.wait("Cannot be served so", "Not yet: nothing can be served so.")
    fill(terminal, "Certificate", str(pair.certificate))
    terminal.press("Enter")
    terminal.wait("Free", f"docker pull 127.0.0.1:{port}/")
    assert "insecure registries" not in terminal.screen
    to_result(terminal, "Serve 5 images")
    terminal.wait(f"serves 5 images at port {port}.", "Nobody has asked for an image yet.")
    for sample in sample_images.images:
        name = f"docker://127.0.0.1:{port}/{sample.name}"
        shown = skopeo("inspect", "--cert-dir", str(trusted), name)
        assert json.loads(shown.stdout)["Digest"] == sample.digest
    stranger = skopeo("inspect", f"docker://127.0.0.1:{port}/{sample.name}", check=False)
    assert stranger.returncode != 0
    assert "certificate" in stranger.stderr
    copied = tmp_path / "copied"
    name = f"127.0.0.1:{port}/{sample_images.pytorch.name}"
    skopeo("copy", "--src-cert-dir", str(trusted), f"docker://{name}", f"oci:{copied}:1")
    for digest in sample_images.pytorch.blobs:
        assert (copied / "blobs" / digest.replace(":", "/")).exists()
    terminal.wait("asked for nvidia/pytorch")
    terminal.press("s")
    terminal.wait("Stop serving?")
    terminal.reach("[ Stop ]")
    terminal.press("Enter")
    terminal.wait("Serving has ended")
    finish(terminal)
    job = jobs_in(home)[0]
    assert (job.verb, job.state, job.exit_code) == ("serve", JobState.FINISHED, 0)
