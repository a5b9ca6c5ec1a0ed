"""Run a command and take its time, its processor time and its peak memory."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """Seconds on the clock, seconds of processor, and the largest resident size in bytes.

    Several commands in a row add their times; the peak is the largest of them. Linux counts what
    the parent had at the fork into a child's peak, so this process has to stay small.
    """

    seconds: float
    processor: float
    peak: int

    def __add__(self, other: Measurement) -> Measurement:
        return Measurement(
            self.seconds + other.seconds,
            self.processor + other.processor,
            max(self.peak, other.peak),
        )


NOTHING = Measurement(0.0, 0.0, 0)


class CommandFailed(Exception):
    """A measured command ended with an error; the text holds the end of its output."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Measurement:
    """Run to the end, its output kept for the error only."""
    text = [str(part) for part in command]
    begun = time.perf_counter()
    with subprocess.Popen(
        text,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = said.decode(errors="replace")[-2000:]
        raise CommandFailed(f"{' '.join(text)} ended with {process.returncode}:\n{tail}")
    return Measurement(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def pipe(
    source: Sequence[str | Path],
    sink: Sequence[str | Path],
    *,
    stdin: Path | None = None,
    stdout: Path | None = None,
) -> float:
    """Seconds of `source < stdin | sink > stdout`."""
    begun = time.perf_counter()
    with (
        open(stdin or os.devnull, "rb") as taken,
        open(stdout or os.devnull, "wb") as given,
        subprocess.Popen(
            [str(part) for part in source], stdin=taken, stdout=subprocess.PIPE
        ) as first,
    ):
        assert first.stdout is not None
        with subprocess.Popen(
            [str(part) for part in sink], stdin=first.stdout, stdout=given
        ) as second:
            first.stdout.close()
    if first.returncode or second.returncode:
        raise CommandFailed(f"{source} | {sink} ended with {first.returncode}, {second.returncode}")
    return time.perf_counter() - begun


def sha256_rate(seconds: float = 2.0) -> float:
    """Bytes per second of one core, over 1 MiB that stays in its cache."""
    block = bytes(1 << 20)
    hasher, count, begun = hashlib.sha256(), 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds:
        hasher.update(block)
        count += 1
    return count * len(block) / spent


def settle() -> None:
    """Write out what earlier runs left dirty, so that no run pays for another."""
    os.sync()


def median(measurements: Sequence[Measurement]) -> float:
    """Seconds."""
    return statistics.median(one.seconds for one in measurements)


def read_through(paths: Sequence[Path]) -> None:
    """Bring files into the page cache."""
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def forget(paths: Sequence[Path]) -> None:
    """Take files out of the page cache, so that the next read comes from the disk."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def size_of(directory: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
