"""The whole crossing on this machine: sample images through every step, compared at the end.

Real jobs over loopback, with content made on the spot: what works here works with real images, and
what this machine lacks shows before anything matters. Needs neither a network nor an engine.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import ContentMismatch, EnvironmentFailure
from airgap_tui.engine.events import Event, JobFinished, JobStarted, Level, Note, Sink
from airgap_tui.engine.jobs import save, verify
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.samples import make_samples
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.serve import ServeSpec, serving
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count, elapsed, size
from airgap_tui.engine.settings import Settings

_STEPS = 9
_HINT = "Memory, disk or this program is at fault; run it again, and report it if it recurs."


@dataclass(frozen=True, slots=True)
class RehearseSpec:
    """Works in a new directory inside `directory` (None: the system's temporary directory), and
    leaves it there only with `keep`."""

    directory: Path | None = None
    keep: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Step:
    """`command` is what does the same in real life; `outcome` is what came of it here."""

    name: str
    command: str
    outcome: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "command": self.command,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class RehearseResult:
    """All steps went well and everything compared was equal: anything else is raised.

    `images` and `files` were compared by their digests at the beginning and at the end; `bytes` are
    the files' sizes. `kept` is the directory that was left.
    """

    steps: tuple[Step, ...]
    images: int
    files: int
    bytes: int
    seconds: float
    kept: Path | None = None

    @property
    def exit_code(self) -> int:
        return 0

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": True,
            "steps": [step.to_json() for step in self.steps],
            "compared": {"images": self.images, "files": self.files, "bytes": self.bytes},
            "seconds": round(self.seconds, 3),
            **({"kept": str(self.kept)} if self.kept else {}),
        }


def run(spec: RehearseSpec, sink: Sink, token: CancelToken) -> RehearseResult:
    """Rehearse the crossing; takes some seconds.

    Raises what the jobs raise, `ContentMismatch` where an image did not arrive as it was sent, and
    `Stopped`; the directory is removed in any case, unless it is to be kept.
    """
    started = time.monotonic()
    sink(JobStarted("rehearse", "this machine", ()))
    with _directory(spec) as directory:
        rehearsal = _Rehearsal(directory, spec.settings, sink, token)
        content = rehearsal.cross()
    result = RehearseResult(
        tuple(rehearsal.steps),
        len(content.images),
        len(content.files),
        sum(content.files.values()),
        time.monotonic() - started,
        directory if spec.keep else None,
    )
    compared = f"{count(result.images, 'image')} and {count(result.files, 'file')}"
    sink(
        Note(
            f"The rehearsal went well: {compared} ({size(result.bytes)}) arrived with equal"
            f" digests, in {elapsed(result.seconds)}."
        )
    )
    sink(JobFinished("rehearse", result.exit_code))
    return result


@dataclass(frozen=True, slots=True)
class _Content:
    """What a bundle holds: each image's digest, and the size of every file."""

    images: dict[str, Digest]
    files: dict[Digest, int]

    @classmethod
    def of(cls, path: Path) -> _Content:
        bundle = BundleReader.open(path)
        images, files = {}, {}
        for item in bundle.items:
            closure = bundle.closure(item)
            images[f"{item.reference.repository}:{item.reference.tag}"] = closure.root.digest
            for blob in (*closure.blobs, *(d.descriptor for d in closure.documents)):
                files[blob.digest] = blob.size
        return cls(images, files)


class _Rehearsal:
    """The steps one after the other, each narrated before and timed after it."""

    def __init__(self, directory: Path, settings: Settings, sink: Sink, token: CancelToken) -> None:
        self.steps: list[Step] = []
        # All platforms, so that the index of the sample that has two makes the journey too.
        self._settings = replace(settings, platform=None)
        self._sink = sink
        self._token = token
        self._samples, self._bundle = directory / "samples", directory / "bundle"
        self._carried, self._arrived = directory / "bundle.tar", directory / "arrived"
        self._address = ""
        self._names: tuple[Reference, ...] = ()
        self._content = _Content({}, {})

    def cross(self) -> _Content:
        """Take every step; what made the journey. Raises where one does not end as it should."""
        with ExitStack() as online:
            self._step("Make sample images from this Python's own library", "", self._make)
            self._step(
                "Serve them as a registry, in place of the internet's",
                "airgap-tui serve SAMPLES",
                lambda: self._serve(self._samples, online),
            )
            self._step(
                "Save them from there into a bundle",
                "airgap-tui save -f images_list.txt -b BUNDLE",
                lambda: self._save(self._bundle),
            )
        self._step(
            "Verify every byte of the bundle",
            "airgap-tui verify BUNDLE",
            lambda: self._verify(self._bundle),
        )
        self._step(
            "Pack the bundle into one file to be carried",
            "tar -C BUNDLE -cf BUNDLE.tar .",
            self._pack,
        )
        self._step(
            "Verify it on the offline side, in place and without unpacking it",
            "airgap-tui verify BUNDLE.tar",
            lambda: self._verify(self._carried),
        )
        with ExitStack() as offline:
            self._step(
                "Serve it to the hosts of the offline side, still in place",
                "airgap-tui serve BUNDLE.tar",
                lambda: self._serve(self._carried, offline),
            )
            self._step(
                "Pull every image from there, as a host would",
                "docker pull HOST:5000/nvidia/pytorch:TAG",
                lambda: self._save(self._arrived),
            )
        self._step("Compare what arrived with what was sent", "", self._compare)
        return self._content

    def _step(self, name: str, command: str, action: Callable[[], str]) -> None:
        self._token.check()
        by_hand = f" ({command})" if command else ""
        self._sink(Note(f"{len(self.steps) + 1} of {_STEPS}: {name}{by_hand}."))
        started = time.monotonic()
        outcome = action()
        self.steps.append(Step(name, command, outcome, time.monotonic() - started))

    def _make(self) -> str:
        self._names = make_samples(self._samples, self._token)
        self._content = _Content.of(self._samples)
        return f"{count(len(self._names), 'image')}, {size(sum(self._content.files.values()))}"

    def _serve(self, bundle: Path, until: ExitStack) -> str:
        self._address = until.enter_context(serving(ServeSpec((bundle,), port=0))).address
        return f"read-only, at {self._address}"

    def _save(self, bundle: Path) -> str:
        references = tuple(
            Reference.parse(f"{self._address}/{name.repository}:{name.tag}") for name in self._names
        )
        # Loopback needs no login, and no helper program is asked for one.
        result = save.run(
            SaveSpec(references, bundle, self._settings),
            self._quietly,
            self._token,
            CredentialStore(),
        )
        _require(result.items)
        return f"{count(len(result.items), 'image')}, {size(result.downloaded)} fetched"

    def _verify(self, bundle: Path) -> str:
        result = verify.run(VerifySpec(bundle, self._settings), self._quietly, self._token)
        _require(result.items)
        if not result.ok:
            raise ContentMismatch(f"{bundle} is not what was saved", hint=_HINT)
        return f"{count(result.blobs, 'file')}, {size(result.bytes)}, all as their digests say"

    def _pack(self) -> str:
        def checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
            self._token.check()
            return member

        try:
            with tarfile.open(self._carried, "w", format=tarfile.PAX_FORMAT) as tar:
                tar.add(self._bundle, ".", filter=checked)
            shutil.rmtree(self._bundle)
        except OSError as error:
            raise EnvironmentFailure(f"{self._carried}: {error.strerror or error}") from None
        return size(self._carried.stat().st_size)

    def _compare(self) -> str:
        arrived = _Content.of(self._arrived)
        for name, digest in self._content.images.items():
            if arrived.images.get(name) != digest:
                raise ContentMismatch(
                    f"{name} was sent as {digest} and arrived as {arrived.images.get(name)}",
                    hint=_HINT,
                )
        if arrived != self._content:
            raise ContentMismatch("other files arrived than were sent", hint=_HINT)
        images, files = len(arrived.images), len(arrived.files)
        return f"{count(images, 'image')} and {count(files, 'file')}, equal digest by digest"

    def _quietly(self, event: Event) -> None:
        """Of the jobs inside only warnings are passed on: the steps are the narration."""
        if isinstance(event, Note) and event.level is not Level.INFO:
            self._sink(event)


def _require(items: Sequence[ItemResult]) -> None:
    for item in items:
        if not item.succeeded:
            kind = ContentMismatch if item.exit_code == 3 else EnvironmentFailure
            raise kind(f"{item.reference}: {item.error}", hint=item.hint)


@contextmanager
def _directory(spec: RehearseSpec) -> Iterator[Path]:
    try:
        if spec.directory is not None:
            spec.directory.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="airgap-tui-rehearsal-", dir=spec.directory))
    except OSError as error:
        where = spec.directory or tempfile.gettempdir()
        raise EnvironmentFailure(
            f"nothing can be written to {where}: {error.strerror}",
            hint="Name a directory with about 100 MB of free space.",
        ) from None
    try:
        yield path
    finally:
        if not spec.keep:
            shutil.rmtree(path, ignore_errors=True)
