"""Sockets: keep-alive, bounds against slow, idle and greedy clients, addresses, the end."""

from __future__ import annotations

import os
import select
import socket
import time
from pathlib import Path

import pytest

from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.serve.api import Api
from airgap_tui.engine.serve.connection import Limits
from airgap_tui.engine.serve.handler import Service
from airgap_tui.engine.serve.server import Server
from tests.engine.serve.conftest import Running, Serve
from tests.fakes.catalogue import FakeCatalogue
from tests.images import SampleImages
from tests.services import wait_for

BIG = Digest("sha256", "ab" * 32)
BIG_PATH = f"/v2/nvidia/cuda/blobs/{BIG}"
BIG_SIZE = 64 * 1024 * 1024


@pytest.fixture
def big(tmp_path: Path, catalogue: FakeCatalogue) -> Path:
    """A blob far larger than what sockets hold in their buffers."""
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(BIG_SIZE)
    catalogue.add_file(BIG, path)
    return path


def connect(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=20)


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def test_one_connection_serves_many_requests(running: Running, sample_images: SampleImages) -> None:
    with running.connection() as connection:
        for digest, data in sample_images.base.blobs.items():
            connection.request("GET", f"/v2/nvidia/cuda/blobs/{digest}")
            assert connection.getresponse().read() == data
        connection.request("GET", "/nothing")
        answer = connection.getresponse()
        assert (answer.status, answer.will_close) == (404, False)


def test_old_clients_get_one_reply(running: Running) -> None:
    with connect(running) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
        assert until_closed(connection).endswith(b"{}")


def test_a_target_with_scheme_and_host(running: Running) -> None:
    with connect(running) as connection:
        connection.sendall(b"GET http://localhost/v2/ HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in until_closed(connection)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /v2/ HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /v2/ HTTP/1.1\r\n" + b"X: 1\r\n" * 5_000 + b"\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /v2/ HTTP/9.9\r\n\r\n", b"505"),
    ],
)
def test_requests_that_are_refused(running: Running, request_bytes: bytes, status: bytes) -> None:
    with connect(running) as connection:
        connection.sendall(request_bytes)
        answer = until_closed(connection)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b'"code": "UNSUPPORTED"' in answer
    assert running.ask("/v2/").status == 200


def test_a_client_that_waits_for_the_go_ahead_is_refused_before_it_sends(
    running: Running,
) -> None:
    with connect(running) as connection:
        connection.sendall(
            b"PUT /v2/a/blobs/uploads/x HTTP/1.1\r\nContent-Length: 99999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 405")


def test_idle_and_half_asked_connections_are_ended(serve: Serve, catalogue: FakeCatalogue) -> None:
    running = serve(catalogue, limits=Limits(idle=1.0, request=1.0))
    with connect(running) as idle, connect(running) as half:
        half.sendall(b"GET /v2/ HTTP/1.1\r\nHost: ")
        assert until_closed(idle) == b""
        assert until_closed(half) == b""


def test_a_client_that_does_not_read_is_cut_off(
    serve: Serve, catalogue: FakeCatalogue, big: Path
) -> None:
    running = serve(catalogue, limits=Limits(stalled=1.0))
    with connect(running) as stuck:
        stuck.sendall(get(BIG_PATH))
        assert stuck.recv(9) == b"HTTP/1.1 "
        assert running.ask(BIG_PATH).status == 200  # others are served meanwhile
        wait_for(lambda: _ended(running, stuck), Limits().stalled / 2)
        assert len(until_closed(stuck)) < BIG_SIZE


def _ended(running: Running, connection: socket.socket) -> bool:
    # Any state but ESTABLISHED: the other side has ended it, whatever is still unread.
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return information[0] != 1


def test_a_slow_client_that_keeps_reading_is_served(
    serve: Serve, catalogue: FakeCatalogue, big: Path
) -> None:
    running = serve(catalogue, limits=Limits(stalled=0.5, slowest=1))
    with connect(running) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.sendall(get(BIG_PATH))
        received = 0
        pauses = 20  # of 0.1 s: four times the limit
        while received < BIG_SIZE:
            data = slow.recv(65536 if pauses else 1 << 20)
            assert data, "cut off although it was reading"
            received += len(data)
            if pauses:
                pauses -= 1
                select.select([], [], [], 0.1)


def test_more_connections_than_places_wait_their_turn(
    serve: Serve, catalogue: FakeCatalogue
) -> None:
    running = serve(catalogue, limits=Limits(connections=4))
    kept = [connect(running) for _ in range(4)]
    try:
        for connection in kept:
            connection.sendall(get("/v2/"))
            assert connection.recv(9) == b"HTTP/1.1 "
        assert running.ask("/v2/").status == 200  # idle ones made place
    finally:
        for connection in kept:
            connection.close()


def test_a_file_that_shrinks_ends_the_connection_and_is_told(running: Running, big: Path) -> None:
    with connect(running) as connection:
        connection.sendall(get(BIG_PATH))
        connection.recv(9)
        os.truncate(big, 1024 * 1024)
        assert len(until_closed(connection)) < BIG_SIZE
    wait_for(lambda: any("shorter" in access.problem for access in running.accesses))
    gone = running.ask(BIG_PATH)
    assert gone.status == 500
    assert str(big).encode() not in gone.body


def test_a_missing_file_is_told(running: Running, big: Path) -> None:
    big.unlink()
    assert running.ask(BIG_PATH).status == 500
    wait_for(lambda: any(str(big) in access.problem for access in running.accesses))


def test_a_pipe_in_place_of_a_file_does_not_hang(running: Running, big: Path) -> None:
    big.unlink()
    os.mkfifo(big)
    assert running.ask(BIG_PATH).status == 500


def test_stopping_waits_for_nobody_and_gives_the_port_back(
    catalogue: FakeCatalogue, big: Path
) -> None:
    service = Service(Api(catalogue), Limits(), None, lambda _: None)
    server = Server("127.0.0.1", 0, service)
    server.start()
    running = Running(server)
    with connect(running) as stuck, connect(running) as idle:
        stuck.sendall(get(BIG_PATH))
        assert stuck.recv(9) == b"HTTP/1.1 "
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < Limits().request
        assert until_closed(idle) == b""
    again = Server("127.0.0.1", running.port, service)
    again.start()
    again.stop()


def test_ipv6(serve: Serve, catalogue: FakeCatalogue) -> None:
    try:
        running = serve(catalogue, host="::1")
    except EnvironmentFailure:
        pytest.skip("no IPv6 here")
    assert running.server.address.startswith("[::1]:")
    assert running.ask("/v2/").status == 200


def test_every_address_of_both_families(serve: Serve, catalogue: FakeCatalogue) -> None:
    try:
        running = serve(catalogue, host="::")
    except EnvironmentFailure:
        pytest.skip("no IPv6 here")
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, running.port), timeout=10) as connection:
            connection.sendall(get("/v2/"))
            assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_port_in_use_names_the_remedy(running: Running, catalogue: FakeCatalogue) -> None:
    service = Service(Api(catalogue), Limits(), None, lambda _: None)
    with pytest.raises(EnvironmentFailure, match="another program listens there") as raised:
        Server("127.0.0.1", running.port, service)
    assert f"--listen 127.0.0.1:{running.port + 1}" in raised.value.hint


def test_an_address_that_is_not_ours(catalogue: FakeCatalogue) -> None:
    service = Service(Api(catalogue), Limits(), None, lambda _: None)
    with pytest.raises(EnvironmentFailure, match="no such address"):
        Server("192.0.2.1", 0, service)
    with pytest.raises(UsageError, match="not an address of this machine"):
        Server("not an address", 0, service)
