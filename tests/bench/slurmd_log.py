"""A log of slurmd as large as asked, and reading one: `python -m tests.bench.slurmd_log LOG`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from airgap_tui.engine.discovery.finding import Finding, Place
from airgap_tui.engine.discovery.sources import slurmd_log

_NOISE = (
    "[{time}] [{job}.extern] task/cgroup: _memcg_initialize: job: alloc=0MB mem.limit=515000MB"
    " memsw.limit=unlimited job_swappiness=18446744073709551614\n"
    "[{time}] launch task StepId={job}.0 request from UID:1000 GID:1000 HOST:10.0.0.1 PORT:4120\n"
    "[{time}] [{job}.0] task/affinity: lllp_distribution: JobId={job} manual binding: none\n"
    "[{time}] [{job}.batch] done with step\n"
)
_IMPORT = (
    "[{time}] [{job}.0] pyxis: importing docker image: nvcr.io#nvidia/pytorch:24.{minor:02}-py3\n"
    "[{time}] [{job}.0] pyxis: imported docker image: nvcr.io#nvidia/pytorch:24.{minor:02}-py3\n"
    "[{time}] [{job}.0] pyxis: creating container filesystem: pyxis_{job}_{job}.0\n"
    "[{time}] [{job}.0] pyxis: starting container: pyxis_{job}_{job}.0\n"
)
_NOISE_PER_IMPORT = 12
"""Blocks of noise; one line in thirteen is then one of Pyxis."""


def write(path: Path, size: int) -> int:
    """A log of at least so many bytes; the number of its imports."""
    imports = 0
    with path.open("wb") as log:
        while log.tell() < size:
            hour, minute, second = imports // 3600 % 24, imports // 60 % 60, imports % 60
            time = f"2024-03-05T{hour:02}:{minute:02}:{second:02}.123"
            text = _NOISE.format(time=time, job=imports) * _NOISE_PER_IMPORT
            text += _IMPORT.format(time=time, job=imports, minor=imports % 12)
            log.write(text.encode())
            imports += 1
    return imports


def main(path: str, expected: str) -> None:
    """Read it, and fail where the imports are not those that were written."""
    found: Counter[str] = Counter()
    with open(path, "rb", buffering=0) as log:
        for one in slurmd_log.read(log, Place(path)):
            assert isinstance(one, Finding)
            found[str(one.reference)] += 1
    assert len(found) == 12
    assert found.total() == int(expected), found


if __name__ == "__main__":
    main(*sys.argv[1:])
