"""One host under discovery: its script run there, and what it sends turned into findings."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery import reading, remedies
from airgap_tui.engine.discovery.finding import Kind, Place, Remark
from airgap_tui.engine.discovery.hosts import ssh
from airgap_tui.engine.discovery.hosts.collecting import (
    MOST_FILES,
    Material,
    Notice,
    StreamReader,
    Wanted,
    new_mark,
    script,
)
from airgap_tui.engine.discovery.hosts.ssh_host import SshHost
from airgap_tui.engine.jobs.discovery.findings import Findings

_PROGRAMS_OF_HOST = 4
"""No program gets more than this part of the time of its host."""

Why = tuple[str, str]
"""A reason and a remedy; two empty texts where nothing is wrong."""


class HostReader:
    """Reads a host, None for this machine; may be asked several times. `name` is what findings call
    it. `clusters` are those that it says it belongs to, by system; `rank` orders hosts by what they
    may see: root first."""

    def __init__(
        self,
        host: SshHost | None,
        name: str,
        findings: Findings,
        token: CancelToken,
        *,
        insist: bool,
        timeout: float,
    ) -> None:
        self.name = name
        self.clusters: dict[str, str] = {}
        self.rank = 1
        self._host = host
        self._findings = findings
        self._token = token
        self._insist = insist
        self._timeout = timeout
        self._zone: tzinfo = timezone.utc

    def read(self, wanted: Wanted) -> Why:
        """Gather what is wanted. Raises `Stopped`; what came until then is among the findings."""
        if wanted.nothing:
            return "", ""
        mark = new_mark()
        stream = StreamReader(mark)

        def take(chunk: bytes) -> None:
            for piece in stream.feed(chunk):
                self._token.check()
                self._take(piece)

        try:
            ended = ssh.run(
                ssh.command(self._host),
                script(wanted, mark, max(1, round(self._timeout / _PROGRAMS_OF_HOST))),
                take,
                seconds=self._timeout,
                token=self._token,
            )
        finally:
            for piece in stream.end():
                self._take(piece)
        reason, hint = remedies.why_not_read(ended, self._host, stream.complete, self._timeout)
        if reason:
            place = Place("ssh" if self._host else "sh", 0, self.name)
            self._findings.remark(Remark(None, place, reason, hint))
        return reason, hint

    def absent(self, kind: Kind, what: str) -> None:
        """There is no such source; that is a failure where it was asked for."""
        if self._insist:
            reason = f"{what} is not there"
            self._findings.failed(self.name, kind, what, reason, remedies.INSTALLED)
        else:
            self._findings.absent(self.name, kind, what)

    def _take(self, piece: Material | Notice) -> None:
        if isinstance(piece, Material):
            self._material(piece)
        elif piece.word == "hello":
            self._zone = _zone(piece.what)
            self.rank = int(not piece.what.startswith("0 "))
        elif piece.word == "cluster":
            system, _, cluster = piece.what.partition(" ")
            self.clusters[system] = cluster
        elif piece.word == "absent" and piece.kind is not None:
            self.absent(piece.kind, piece.what)
        elif piece.word == "denied":
            self._failed(piece.kind, piece.what, "it may not be read")
        elif piece.word == "missing":
            self._failed(piece.kind, piece.what, "it was not found")
        elif piece.word == "unread":
            several = f"{piece.count} of them" if piece.count > 1 else "it"
            self._failed(piece.kind, piece.what, f"{several} cannot be read")
        elif piece.word == "unmounted":
            reason = f"{piece.count} of them are not mounted now, and were left so"
            self._findings.failed(self.name, piece.kind, piece.what, reason, remedies.MOUNT)
        elif piece.word == "read" and piece.kind is not None:
            self._findings.looked_through(self.name, piece.kind, f"all of {piece.kind.value}")
            if piece.kind is Kind.HISTORY and piece.what != "0":
                self._findings.remark(remedies.only_own_histories(self.name))

    def _failed(self, kind: Kind | None, what: str, reason: str) -> None:
        self._findings.failed(self.name, kind, what, reason, remedies.remedy_for(kind))

    def _material(self, material: Material) -> None:
        problem = remedies.why_failed(material)
        path, kind = material.path, reading.kind_of(material)
        if material.form == "listing":
            if problem:
                self._failed(None, path, problem)
            elif material.content.count(b"\n") > MOST_FILES:
                self._findings.failed(self.name, None, path, *remedies.TOO_MANY_FILES)
        elif kind is None:
            return
        elif remedies.not_there(material) and not self._insist:
            self._findings.absent(self.name, kind, path, problem)
        elif problem and not material.content:
            self._failed(kind, path, problem)
        elif kind not in remedies.OF_ONE_HOST and self._findings.seen_elsewhere(
            self.name, path, material.content
        ):
            self._findings.looked_through(self.name, kind, path)
        else:
            pieces = reading.read_material(material, kind, self.name, self._zone)
            remedy = remedies.remedy_for(kind)
            self._findings.take(self.name, kind, path, pieces, problem, remedy)


def _zone(hello: str) -> tzinfo:
    """The time zone of a host, from `0 +0100 dgx01`."""
    match = re.match(r"[0-9]+ ([+-])([01][0-9])([0-5][0-9])\b", hello)
    if match is None:
        return timezone.utc
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
