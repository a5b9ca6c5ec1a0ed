"""Large logs: read in chunks of any size, with right line numbers, in little memory."""

from __future__ import annotations

import io
import tracemalloc
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.sources import slurmd_log
from tests.engine.discovery import corpus

LOG = Place("/var/log/slurm/slurmd.log")
LOGS = [
    (corpus.DIRECTORY / name).read_bytes()
    for name in corpus.files()
    if name.startswith("slurmd-log/")
]


class Pieces:
    """A stream that hands out what it has in pieces of these sizes, like a pipe."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._stream = io.BytesIO(content)
        self._sizes = sizes
        self._number = 0

    def read(self, size: int, /) -> bytes:
        piece = self._sizes[self._number % len(self._sizes)]
        self._number += 1
        return self._stream.read(min(size, piece))


class Repeated:
    """A log of so many equal blocks."""

    def __init__(self, block: bytes, count: int) -> None:
        self._block = block
        self._left = count

    def read(self, size: int, /) -> bytes:
        assert size >= len(self._block)
        self._left -= 1
        return self._block if self._left >= 0 else b""


@given(st.sampled_from(LOGS), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_how_a_log_arrives_changes_nothing(content: bytes, sizes: list[int]) -> None:
    whole = list(slurmd_log.read(io.BytesIO(content), LOG))
    assert list(slurmd_log.read(Pieces(content, sizes), LOG)) == whole


@given(
    st.lists(st.sampled_from([b"", b"noise", b"x" * 3000, b"pyxis: other", b"HIT"]), max_size=60)
)
def test_line_numbers_are_right(lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    content = content.replace(b"HIT", b"[1.0] pyxis: imported docker image: a/b:1")
    stream = Pieces(content, [1000])
    found = [one.place.line for one in slurmd_log.read(stream, LOG) if isinstance(one, Finding)]
    assert found == [number for number, line in enumerate(lines, start=1) if line == b"HIT"]


def test_a_large_log_takes_little_memory() -> None:
    noise = b"[2024-03-05T10:00:00.123] [1.0] task/cgroup: job: alloc=0MB mem.limit=515000MB\n"
    hit = b"[2024-03-05T10:00:00.123] [1.0] pyxis: imported docker image: nvcr.io#nvidia/x:1\n"
    block = noise * 5000 + hit
    tracemalloc.start()
    try:
        count = 0
        for one in slurmd_log.read(Repeated(block, 200), LOG):
            assert isinstance(one, Finding)
            count += 1
        assert one.place.line == 200 * 5001
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 200
    assert peak < 8e6


def test_a_line_that_never_ends_takes_little_memory() -> None:
    hit = b"pyxis: imported docker image: a/b:1 "
    tracemalloc.start()
    try:
        found = list(slurmd_log.read(Repeated(b"\0" * 900_000 + hit, 60), LOG))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 60
    assert {one.place.line for one in found} == {1}
    assert peak < 8e6


def test_imports_without_an_outcome_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurmd_log, "_MOST_STEPS", 10)
    lines = [f"[{n}.0] pyxis: importing docker image: a/b:{n}\n" for n in range(50)]
    results = slurmd_log.read(Pieces("".join(lines).encode(), [60]), LOG)
    first = next(results)
    assert isinstance(first, Finding)
    assert (str(first.reference), first.state) == ("docker.io/a/b:0", State.USED)
    assert len(list(results)) == 49


def test_times_without_a_zone_are_of_the_zone_that_is_told() -> None:
    line = b"[2024-03-05T10:00:00.123] [1.0] pyxis: imported docker image: a\n"
    zone = timezone(timedelta(hours=2))
    (found,) = slurmd_log.read(io.BytesIO(line), LOG, zone=zone)
    assert isinstance(found, Finding)
    assert found.time is not None
    assert found.time.isoformat() == "2024-03-05T10:00:00.123000+02:00"


def test_a_blind_log_names_the_sources_to_use_instead() -> None:
    content = b"[2024-03-05T10:00:00.123] pyxis: version v0.11.1\n"
    (remark,) = slurmd_log.read(io.BytesIO(content), LOG)
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.place.line) == (Kind.SLURMD_LOG, 1)
    assert "Pyxis 0.11.1" in remark.text
    for source in ("job scripts", "sacct -o SubmitLine", "histories", "enroot"):
        assert source in remark.remedy


@pytest.mark.parametrize(
    ("length", "state"), [(499, State.USED), (500, State.UNRESOLVED), (501, State.USED)]
)
def test_a_name_that_syslog_may_have_cut_is_not_final(length: int, state: State) -> None:
    """Slurm gave syslog 500 bytes at most up to 24.11, and gives it all since."""
    registry = ".".join(["registry"] * 11)
    message = f"[613.0] pyxis: imported docker image: {registry}#team/{'x' * 240}:"
    tag = "1" * (length - len(message))
    line = f"Sep 24 08:22:46 dgx02 slurmstepd[4211]: {message}{tag}\n".encode()
    (found,) = slurmd_log.read(io.BytesIO(line), LOG)
    assert isinstance(found, Finding)
    assert found.state is state
    assert (found.reference is None) == (state is State.UNRESOLVED)
