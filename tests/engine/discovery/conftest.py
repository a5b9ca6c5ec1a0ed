"""A made-up host: a home, programs that stand in for engines, and the shells that may be sh."""

from __future__ import annotations

import gzip
import os
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.discovery.hosts import collecting, ssh
from airgap_tui.engine.discovery.hosts.collecting import Material, Notice, Wanted
from tests import services


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came over the stream, and how it ended."""

    materials: tuple[Material, ...]
    notices: tuple[Notice, ...]
    ended: ssh.Ended
    complete: bool

    def of(self, kind: Kind | None, form: str = "") -> list[Material]:
        return [m for m in self.materials if m.kind is kind and form in ("", m.form)]

    def notice(self, word: str, kind: Kind | None) -> list[Notice]:
        return [n for n in self.notices if n.word == word and n.kind is kind]


class MadeUpHost:
    """A home and a directory of programs that come first; `gather` runs the script there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home" / "ann"
        self.bin = root / "bin"
        self.home.mkdir(parents=True)
        self.bin.mkdir()
        self.program("getent", f"echo 'ann:x:1000:1000::{self.home}:/bin/bash'")

    def program(self, name: str, body: str) -> None:
        """A program of this name, as a script for sh."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def file(self, name: str, content: str | bytes) -> Path:
        """A file of the host; one that is named `.gz` is compressed."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    def command(self, shell: str = "sh") -> list[str]:
        """The command line that runs a script from stdin there."""
        variables = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "SLURM_CONF": str(self.root / "slurm.conf"),
        }
        shown = " ".join(f"{key}={shlex.quote(value)}" for key, value in variables.items())
        return ["sh", "-c", f"{shown} exec {shell} -s"]

    def gather(self, wanted: Wanted, shell: str = "sh", seconds: float = 60) -> Gathered:
        return gather(self.command(shell), wanted, seconds)


class LeapingClock:
    """Stands for the module `time`: goes on as usual, and by an hour once `begun` says so and what
    came until then is read."""

    def __init__(self, begun: Callable[[], bool]) -> None:
        self._begun = begun
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += self._begun()
        return time.monotonic() + (3600 if self._looks > 5 else 0)


def gather(
    command: list[str], wanted: Wanted, seconds: float = 60, token: CancelToken | None = None
) -> Gathered:
    """Run the script with this command line, and read all that comes."""
    mark = collecting.new_mark()
    reader = collecting.StreamReader(mark)
    found: list[Material | Notice] = []
    ended = ssh.run(
        command,
        collecting.script(wanted, mark),
        lambda chunk: found.extend(reader.feed(chunk)),
        seconds=seconds,
        token=token or CancelToken(),
    )
    found.extend(reader.end())
    return Gathered(
        tuple(one for one in found if isinstance(one, Material)),
        tuple(one for one in found if isinstance(one, Notice)),
        ended,
        reader.complete,
    )


@pytest.fixture
def made_up_host(tmp_path: Path) -> MadeUpHost:
    return MadeUpHost(tmp_path / "host")


@pytest.fixture(params=["dash", "busybox sh", "bash"])
def shell(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each shell that a cluster's hosts may have as sh."""
    services.program(request.param.split()[0])
    yield request.param
