"""Serve bundles as a read-only registry until told to stop; nothing is copied or unpacked."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound, Stopped, UsageError
from airgap_tui.engine.events import (
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Served,
    Sink,
    discard,
)
from airgap_tui.engine.jobs.catalogue import BundleCatalogue, Held
from airgap_tui.engine.jobs.left_out import absent_of, refuse
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.sources import open_bundles
from airgap_tui.engine.jobs.trust import check_signatures
from airgap_tui.engine.quantities import count
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.serve.api import Api
from airgap_tui.engine.serve.connection import Limits
from airgap_tui.engine.serve.handler import Access, Service
from airgap_tui.engine.serve.htpasswd import Htpasswd
from airgap_tui.engine.serve.server import Server, listen
from airgap_tui.engine.serve.tls import server_context
from airgap_tui.engine.settings import Trust

DEFAULT_PORT = 5000
_SAID_AGAIN_AFTER = 60.0
_MOST_SAID = 4096
_TELL_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class ServeSpec:
    """`port` 0 takes any free one. `tls_key` None: the key is in the certificate's file."""

    paths: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    htpasswd: Path | None = None
    limits: Limits = field(default_factory=Limits)
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True)
class ServeResult:
    """What was served until the end; `items` could be had, `sent` counts the bytes of bodies."""

    items: tuple[ItemResult, ...]
    address: str
    requests: int
    refused: int
    sent: int
    seconds: float

    @property
    def exit_code(self) -> int:
        """Being stopped is how serving ends."""
        return 0

    def to_json(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "images": len(self.items),
            "requests": self.requests,
            "refused": self.refused,
            "bytes": {"sent": self.sent},
            "seconds": round(self.seconds, 3),
        }


class AccessLog:
    """Counts all requests, and narrates which images are asked for: each once a minute per host."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str], float] = {}
        self.requests = self.refused = self.sent = 0

    def __call__(self, access: Access) -> None:
        now = time.monotonic()
        about = access.problem or access.name
        with self._lock:
            self.requests += 1
            self.refused += access.status >= 400
            self.sent += access.sent
            key = (access.client, f"{access.status} {about}")
            if not about or now - self._said.get(key, -_SAID_AGAIN_AFTER) < _SAID_AGAIN_AFTER:
                return
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said[key] = now
        self._sink(_note(access))

    @property
    def served(self) -> Served:
        """The counts until now."""
        with self._lock:
            return Served(self.requests, self.refused, self.sent)


def _note(access: Access) -> Note:
    if access.problem:
        return Note(redact(f"{access.client} was not served: {access.problem}"), Level.ERROR)
    if access.status >= 400:
        return Note(f"{access.client} asked for {access.name}: not served", Level.WARNING)
    return Note(f"{access.client} asked for {access.name}")


@dataclass(frozen=True, slots=True)
class Serving:
    """A registry under way. `address` is `host:port`, `url` with the scheme before it."""

    address: str
    url: str
    catalogue: BundleCatalogue
    log: AccessLog


def check(spec: ServeSpec) -> tuple[str, ...]:
    """Raise what `serving` would, without serving; one sentence for each name that is not clear."""
    bundles = open_bundles(spec.paths)
    check_signatures(bundles, spec.trust, discard, CancelToken())
    _check_bases(bundles)
    catalogue = BundleCatalogue(bundles)
    if spec.tls_certificate is not None:
        server_context(spec.tls_certificate, spec.tls_key)
    listen(spec.host, spec.port).close()
    return catalogue.conflicts()


def _check_bases(bundles: Sequence[BundleReader]) -> None:
    """An update is served with the bundles beside it that have the rest of it."""
    for bundle in bundles:
        if bundle.inventory.assumes:
            bundle.lean_on(bundles)
            closures = (bundle.closure(item) for item in present(bundle.inventory))
            refuse(str(bundle.storage.location), absent_of(bundle, closures))


@contextlib.contextmanager
def serving(spec: ServeSpec, sink: Sink = discard) -> Iterator[Serving]:
    """Serve in the background until the block ends; then all connections end within a second.

    Raises what `open_bundles` and `check_signatures` raise, `EnvironmentFailure` for an
    address that cannot be had and `UsageError` for a certificate or logins that cannot be used.
    """
    bundles = open_bundles(spec.paths)
    check_signatures(bundles, spec.trust, sink, CancelToken())
    _check_bases(bundles)
    catalogue = BundleCatalogue(bundles)
    if not catalogue.held:
        raise NotFound(
            f"{', '.join(map(str, spec.paths))} holds no finished image",
            hint="Finish it with airgap-tui save.",
        )
    context = None
    if spec.tls_certificate is not None:
        context = server_context(spec.tls_certificate, spec.tls_key)
    logins = _logins(spec)
    log = AccessLog(sink)
    server = Server(
        spec.host, spec.port, Service(Api(catalogue), spec.limits, logins, log), context
    )
    server.start()
    try:
        scheme = "http" if context is None else "https"
        yield Serving(server.address, f"{scheme}://{server.address}", catalogue, log)
    finally:
        server.stop()


def run(spec: ServeSpec, sink: Sink, token: CancelToken) -> ServeResult:
    """Serve until the token is cancelled. Raises as `serving` does."""
    started = time.monotonic()
    with serving(spec, sink) as under_way:
        held = under_way.catalogue.held
        sink(JobStarted("serve", under_way.address, ()))
        _introduce(spec, under_way, sink)
        told: Served | None = None
        with contextlib.suppress(Stopped):
            while True:
                now = under_way.log.served
                if now != told:
                    sink(now)
                    told = now
                token.sleep(_TELL_EVERY)
    log = under_way.log
    sink(log.served)
    result = ServeResult(
        tuple(_result(one) for one in held),
        under_way.address,
        log.requests,
        log.refused,
        log.sent,
        time.monotonic() - started,
    )
    sink(JobFinished("serve", result.exit_code))
    return result


def _result(one: Held) -> ItemResult:
    item = one.item
    return ItemResult(item.name, ItemState.DONE, str(item.digest or ""), item.bytes)


def _logins(spec: ServeSpec) -> Htpasswd | None:
    if spec.htpasswd is None:
        return None
    if spec.tls_certificate is None and not _is_loopback(spec.host):
        raise UsageError(
            "passwords would cross the network unprotected",
            hint="Add --tls-cert and --tls-key, or listen on 127.0.0.1 only.",
        )
    return Htpasswd.load(spec.htpasswd)


def _introduce(spec: ServeSpec, under_way: Serving, sink: Sink) -> None:
    catalogue = under_way.catalogue
    names = ", ".join(str(path) for path in spec.paths)
    items = count(len(catalogue.held), "item")
    sink(Note(f"Serving {items} of {names} at {under_way.url}, read-only."))
    tagged = [held.item.reference for held in catalogue.held if held.item.reference.tag]
    if tagged:
        host, _, port = under_way.address.rpartition(":")
        reachable = "HOST" if host in ("0.0.0.0", "[::]") else host  # noqa: S104 - compared only
        first = tagged[0]
        name = f"{first.repository}:{first.tag}"
        sink(Note(f"Pull with, for example:  docker pull {reachable}:{port}/{name}"))
        sink(Note(f"For enroot and Pyxis that is  {reachable}:{port}#{name}{_without_tls(spec)}"))
        option = "  with --no-https" if spec.tls_certificate is None else ""
        sink(Note(f"For Apptainer that is  docker://{reachable}:{port}/{name}{option}"))
    for sentence in catalogue.conflicts():
        sink(Note(f"{sentence}.", Level.WARNING))
    unfinished = [
        item.name
        for bundle in {id(held.bundle): held.bundle for held in catalogue.held}.values()
        for item in bundle.items
        if item.state is not ItemState.DONE
    ]
    if unfinished:
        text = f"Not served, because the save did not finish them: {', '.join(unfinished)}."
        sink(Note(text, Level.WARNING))
    if spec.tls_certificate is None and not _is_loopback(spec.host):
        sink(
            Note(
                "Without TLS, engines on other hosts take this registry only when it is named in"
                " their insecure registries.",
                Level.WARNING,
            )
        )


def _without_tls(spec: ServeSpec) -> str:
    """What enroot needs besides; it has no setting for one registry."""
    if spec.tls_certificate is not None:
        return ""
    return "  with ENROOT_ALLOW_HTTP=y, which makes it try every registry without TLS first"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
