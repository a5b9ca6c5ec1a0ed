"""Speaking to real engines, and what is said when there is none, or when it dies."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import ClassVar

import pytest
import requests
from docker.errors import APIError

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker import engine as engine_module
from airgap_tui.engine.docker import liveness
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.failures import speaking_to
from airgap_tui.engine.docker.hosts import Host
from airgap_tui.engine.docker.info import read_info
from airgap_tui.engine.errors import AirgapError, EngineFailure, NotFound, Stopped, UsageError
from airgap_tui.engine.events import Note
from tests import services
from tests.conftest import EventLog
from tests.engine.bundle.archives import engine_archives
from tests.images import SampleImage, SampleImages, build_image, layer
from tests.services import DockerEngine, PodmanService


def load(engine: Engine, images: list[SampleImage]) -> tuple[str, ...]:
    data = engine_archives.legacy(images)
    pieces = [data[start : start + 50_000] for start in range(0, len(data), 50_000)]
    return engine.load(pieces, lambda _: None, CancelToken()).names


def saved(engine: Engine, *names: str, sink: EventLog | None = None) -> bytes:
    log = EventLog() if sink is None else sink
    with closing(engine.save(names, CancelToken(), log)) as stream:
        out = bytearray()
        while chunk := stream.take():
            out += chunk
    return bytes(out)


# --- a Docker Engine ------------------------------------------------------------------------------


@pytest.mark.docker
def test_what_the_engine_says_of_itself(docker_engine: DockerEngine) -> None:
    with Engine.connect(docker_engine.host) as engine:
        info = engine.info
        assert info.kind == "docker"
        assert info.version == docker_engine.client.version()["Version"]
        assert info.root == docker_engine.data
        assert info.local
        assert not info.containerd_store
        assert info.can_read_zstd == (int(info.version.partition(".")[0]) >= 23)
        room = os.statvfs(docker_engine.data)
        assert engine.room() == pytest.approx(room.f_bavail * room.f_frsize, rel=0.2)


@pytest.mark.docker
def test_load_list_inspect_tag_and_save(
    docker_engine: DockerEngine, sample_images: SampleImages
) -> None:
    samples = [sample_images.base, sample_images.pytorch]
    with Engine.connect(docker_engine.host) as engine:
        assert sorted(load(engine, samples)) == sorted(sample.name for sample in samples)
        assert {name for image in engine.images() for name in image.names} == {
            sample.name for sample in samples
        }
        image = engine.inspect(f"docker.io/{sample_images.pytorch.name}")
        assert str(image.id) == sample_images.pytorch.image_id
        assert [str(diff_id) for diff_id in image.diff_ids] == [
            one.diff_id for one in sample_images.pytorch.content
        ]
        assert image.platform == "linux/amd64"
        engine.tag(str(image.id), "reg.lan:5000/nvidia/pytorch", "x")
        assert engine.inspect("reg.lan:5000/nvidia/pytorch:x").id == image.id
        with tarfile.open(fileobj=io.BytesIO(saved(engine, samples[0].name))) as tar:
            assert "manifest.json" in tar.getnames()


@pytest.mark.docker
def test_an_image_that_is_not_there(docker_engine: DockerEngine) -> None:
    with Engine.connect(docker_engine.host) as engine:
        with pytest.raises(NotFound, match="does not have nobody/nothing:1"):
            engine.inspect("nobody/nothing:1")
        with pytest.raises(NotFound, match="nobody/nothing:1"):
            saved(engine, "nobody/nothing:1")


@pytest.mark.docker
def test_an_error_inside_a_stream_that_began_well(docker_engine: DockerEngine) -> None:
    with Engine.connect(docker_engine.host) as engine, pytest.raises(EngineFailure, match="tar"):
        engine.load([b"no tar at all" * 1000], lambda _: None, CancelToken())


@pytest.mark.docker
def test_what_breaks_off_a_load_is_what_is_raised(docker_engine: DockerEngine) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 512
        raise KeyError("mine")

    with Engine.connect(docker_engine.host) as engine, pytest.raises(KeyError, match="mine"):
        engine.load(chunks(), lambda _: None, CancelToken())


@pytest.mark.docker
def test_a_cancelled_load_ends_at_once(docker_engine: DockerEngine) -> None:
    token = CancelToken()

    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            yield bytes(10_000)
            token.cancel()

    with Engine.connect(docker_engine.host) as engine, pytest.raises(Stopped):
        engine.load(chunks(), lambda _: None, token)


# --- engines that die -----------------------------------------------------------------------------


@pytest.fixture
def doomed_engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    """An engine of one's own, with an image of 16 MB."""
    engine = services.start_docker_engine()
    image = build_image("big/image:1", [layer("big", 16_000_000, "none", files=1)])
    try:
        with Engine.connect(engine.host) as connected:
            load(connected, [image])
        yield engine
    finally:
        if engine.process.poll() is None:
            os.kill(engine.pid, signal.SIGCONT)
        engine.stop()


@pytest.mark.docker
def test_dead_and_hanging_engines(
    doomed_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, events: EventLog
) -> None:
    """In one test, since an engine takes seconds to start."""
    monkeypatch.setattr(liveness, "PING_EVERY", 0.2)
    monkeypatch.setattr(liveness, "PING_TIMEOUT", 0.5)
    monkeypatch.setattr(liveness, "PINGS_MISSED", 2)
    monkeypatch.setattr(engine_module, "_SAY_EVERY", 0.3)
    with Engine.connect(doomed_engine.host) as engine:
        os.kill(doomed_engine.pid, signal.SIGSTOP)
        # It hangs while a person waits for it, and stops waiting.
        token = CancelToken()
        with closing(engine.save(["big/image:1"], token, events)) as stream:
            token.cancel()
            with pytest.raises(Stopped):
                stream.take()
        # It hangs for ever.
        with pytest.raises(EngineFailure, match="has not answered"):
            saved(engine, "big/image:1", sink=events)
        assert any("prepares its export" in note.text for note in events.of(Note))
        with pytest.raises(EngineFailure, match="has not answered"):
            engine.load(iter(lambda: bytes(1 << 20), b""), events, CancelToken())
        monkeypatch.setattr(liveness, "PING_TIMEOUT", services.PATIENCE)
        os.kill(doomed_engine.pid, signal.SIGCONT)
        # It is killed while the bytes flow.
        with closing(engine.save(["big/image:1"], CancelToken(), events)) as stream:
            assert stream.take()
            doomed_engine.kill()
            with pytest.raises(EngineFailure):
                while stream.take():
                    pass
        with pytest.raises(EngineFailure, match="not running"):
            engine.inspect("big/image:1")


class _Reticent(BaseHTTPRequestHandler):
    """Says its version, and nothing else."""

    protocol_version = "HTTP/1.1"
    connected: ClassVar[set[_Reticent]] = set()

    def handle(self) -> None:
        self.connected.add(self)
        super().handle()
        self.connected.discard(self)

    def do_GET(self) -> None:
        known = self.path.endswith("/version")
        body = b'{"Version":"20.10","ApiVersion":"1.41"}' if known else b'{"message":"no"}'
        self.send_response(200 if known else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


def test_an_engine_that_does_not_tell_what_it_is_keeps_no_connection() -> None:
    with services.short_directory() as directory:
        path = directory / "engine.sock"
        with ThreadingUnixStreamServer(str(path), _Reticent) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                with pytest.raises(EngineFailure, match="refused the connection: no") as failed:
                    Engine.connect(f"unix://{path}")
                services.wait_for(lambda: not _Reticent.connected)
                assert failed.tb, "what failed is still held, and closes nothing by itself"
            finally:
                server.shutdown()
                thread.join(10)


# --- Podman ---------------------------------------------------------------------------------------


@pytest.mark.podman
def test_podman(podman_socket: PodmanService, sample_images: SampleImages) -> None:
    samples = [
        sample_images.base.named("nvcr.io/nvidia/cuda:1"),
        sample_images.pytorch.named("nvcr.io/nvidia/pytorch:1"),
    ]
    with Engine.connect(podman_socket.host, "podman") as engine:
        assert engine.info.kind == "podman"
        assert engine.info.can_read_zstd
        names = load(engine, samples)
        assert len(names) == 2, "Podman says them in one line"
        for sample in samples:
            image = engine.inspect(sample.name)
            assert str(image.id) == sample.image_id
        data = saved(engine, *(sample.name for sample in samples))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert "manifest.json" in tar.getnames()
        with pytest.raises(NotFound):
            engine.inspect("nobody/nothing:1")
        with pytest.raises(EngineFailure):
            engine.load([b"no tar" * 1000], lambda _: None, CancelToken())


@pytest.mark.podman
def test_podman_is_known_even_when_docker_is_asked_for(podman_socket: PodmanService) -> None:
    with Engine.connect(podman_socket.host, "docker") as engine:
        assert re.fullmatch(r"Podman \d[\d.]*\S*", engine.info.name)


# --- over ssh -------------------------------------------------------------------------------------


def fake_ssh(directory: Path, script: str) -> None:
    directory.mkdir()
    program = directory / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.docker
def test_over_ssh(
    docker_engine: DockerEngine,
    sample_images: SampleImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The far side is the real `docker system dial-stdio`; only the encryption is left out."""
    docker = services.program("docker")
    log = tmp_path / "arguments"
    fake_ssh(
        tmp_path / "bin",
        f'echo "$@" >> {log}\nexec {docker} -H {docker_engine.host} system dial-stdio',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with Engine.connect("ssh://admin@dgx:2222") as engine:
        assert not engine.info.local
        assert engine.room() is None
        assert load(engine, [sample_images.base]) == (sample_images.base.name,)
        data = saved(engine, sample_images.base.name)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert "manifest.json" in tar.getnames()
    said = log.read_text().splitlines()[0]
    assert said.endswith("-l admin -p 2222 -- dgx docker system dial-stdio")
    assert "BatchMode=yes" in said


def test_ssh_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path / "bin", "echo 'admin@dgx: Permission denied (publickey).' >&2; exit 255")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(EngineFailure, match=r"Permission denied \(publickey\)"):
        Engine.connect("ssh://admin@dgx")


@pytest.mark.parametrize("host", ["ssh://-oProxyCommand=x", "ssh://a:secret@b", "ssh://a:x:y/"])
def test_ssh_addresses_that_are_refused(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        Engine.connect(host)
    assert "secret" not in str(caught.value.hint)


# --- none there -----------------------------------------------------------------------------------


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory in which a socket has a path that may be."""
    with services.short_directory() as directory:
        yield directory


def test_no_engine_runs_there(short: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short / "dead.sock"))
    with pytest.raises(EngineFailure, match="Docker is not running") as caught:
        Engine.connect(f"unix://{short}/dead.sock")
    assert "systemctl start docker" in caught.value.hint
    with pytest.raises(EngineFailure, match="Podman is not running") as caught:
        Engine.connect(f"unix://{short}/dead.sock", "podman")
    assert "podman.socket" in caught.value.hint
    with pytest.raises(EngineFailure, match="Docker is not running") as caught:
        Engine.connect(f"unix://{short}/none.sock")
    assert "check the address" in caught.value.hint


def test_no_engine_is_installed(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(short))
    with pytest.raises(EngineFailure, match="Docker is not installed"):
        Engine.connect(f"unix://{short}/none.sock")


def test_no_right_to_use_it(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", denied)
    with pytest.raises(EngineFailure, match="permission denied") as caught:
        Engine.connect(f"unix://{short}/x.sock")
    assert "group docker" in caught.value.hint


def test_nobody_listens_on_the_network() -> None:
    port = services.free_port()
    with pytest.raises(EngineFailure, match=f"127.0.0.1:{port}"):
        Engine.connect(f"tcp://127.0.0.1:{port}")


# --- what replies mean ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("No such image: nvcr.io/nvidia/cuda:12", NotFound, "docker images"),
        (
            f"unable to create manifests file: content digest sha256:{'ab' * 32}: not found",
            EngineFailure,
            "lacks a part",
        ),
    ],
)
def test_an_image_of_which_a_part_lacks_is_not_told_absent(
    said: str, kind: type[Exception], hint: str
) -> None:
    reply = requests.Response()
    reply.status_code = 404
    host = Host("unix:///run/docker.sock", "--host")
    with pytest.raises(kind) as caught, speaking_to(host, "docker", "nvcr.io/nvidia/cuda:12"):
        raise APIError("404 Client Error", reply, said)
    assert isinstance(caught.value, AirgapError)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("version", "zstd"),
    [("20.10.24+dfsg1", False), ("23.0.0", True), ("29.1", True), ("dev", False)],
)
def test_which_docker_reads_zstd(version: str, zstd: bool) -> None:
    info = read_info({"Version": version, "Components": [{"Name": "Engine"}]}, {}, "", True)
    assert info.can_read_zstd is zstd


def test_the_containerd_store_is_recognised() -> None:
    status = [["driver-type", "io.containerd.snapshotter.v1"]]
    version = {"Version": "28.0.1", "Components": [{"Name": "Engine"}]}
    info = read_info(version, {"Driver": "overlayfs", "DriverStatus": status}, "", True)
    assert info.containerd_store
    assert not info.untars_to_disk
