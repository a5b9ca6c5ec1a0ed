"""A source registry with the samples, and a bundle that a real save filled from it."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobState
from tests import images, services
from tests.e2e import command
from tests.e2e.offline_keys import jobs_in
from tests.images import SampleImage, SampleImages, SampleIndex


@pytest.fixture
def home() -> Iterator[Path]:
    """Where everything of a test is; no worker is left behind."""
    with services.short_directory() as directory:
        yield directory
        for job in jobs_in(directory):
            if job.state is JobState.RUNNING and job.occupant is not None:
                job.occupant.identity.send(signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Saved:
    """A bundle, and what is in it: reference to sample."""

    bundle: Path
    samples: dict[str, SampleImage | SampleIndex]
    finished: command.Finished

    @property
    def loadable(self) -> dict[str, SampleImage]:
        """The images that an engine of any age can load."""
        return {
            name: sample
            for name, sample in self.samples.items()
            if isinstance(sample, SampleImage) and "zstd" not in name
        }

    def tar(self, directory: Path) -> Path:
        """The bundle as a plain `tar c` of it."""
        path = directory / "bundle.tar"
        services.run_program("tar", "-C", str(self.bundle), "-cf", str(path), ".")
        return path


@pytest.fixture(scope="session")
def source(distribution: services.Distribution, sample_images: SampleImages) -> dict[str, str]:
    """The samples in a registry: `repository:tag` to the full reference."""
    return {
        sample.name: images.push_image(distribution.host, sample)
        for sample in sample_images.everything
        if sample is not sample_images.zero_size
    }


@pytest.fixture(scope="session")
def saved(
    source: dict[str, str], sample_images: SampleImages, tmp_path_factory: pytest.TempPathFactory
) -> Saved:
    """Read-only: a bundle of single images and of one platform out of an index."""
    directory = tmp_path_factory.mktemp("saved")
    chosen: dict[str, SampleImage | SampleIndex] = {
        source[sample.name]: sample for sample in (*sample_images.images, sample_images.zstd)
    }
    chosen[source[sample_images.multi.name]] = sample_images.multi.images[0]
    (directory / "images_list.txt").write_text("# what we run\n" + "\n".join(chosen) + "\n")
    bundle = directory / "pod"
    finished = command.airgap_tui(
        "save", "-f", directory / "images_list.txt", "-b", bundle, "--json"
    )
    return Saved(bundle, chosen, finished)


@pytest.fixture(scope="session")
def saved_all_platforms(
    source: dict[str, str], sample_images: SampleImages, tmp_path_factory: pytest.TempPathFactory
) -> Saved:
    """Read-only: a bundle of indexes with all that is below them."""
    chosen: dict[str, SampleImage | SampleIndex] = {
        source[sample.name]: sample
        for sample in (
            sample_images.multi,
            sample_images.docker_list,
            sample_images.nested,
            sample_images.attested,
        )
    }
    bundle = tmp_path_factory.mktemp("saved") / "all"
    finished = command.airgap_tui("save", *chosen, "-b", bundle, "--platform", "all", "--json")
    return Saved(bundle, chosen, finished)


Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Runs `airgap-tui serve`; its `host:port` once it answers."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> str:
        port = services.free_port()
        process = command.start("serve", *arguments, "--listen", f"127.0.0.1:{port}")
        running.append(process)
        end = time.monotonic() + services.PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                return f"127.0.0.1:{port}"
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                out, err = process.communicate()
                pytest.fail(f"serve does not answer: {out}{err}", pytrace=False)
            time.sleep(0.02)

    yield start
    for process in running:
        services.interrupt(process)
        finished = command.finish(process)
        assert finished.code in (0, 130), finished.err
