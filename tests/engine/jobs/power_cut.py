"""A job that is cut off at a system call, again and again, and continued each time:
`python -m tests.engine.jobs.power_cut FORM BUNDLE WORK POINTS` exports, with `import` and media it
imports. Ends with an error where what comes of it differs from an undisturbed run.

A cut takes along what was written and not synced: it is cut off, or zeros in its place.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import export, importing
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.settings import Settings

_CALLS = (
    *("fsync", "replace", "link", "pwrite", "write", "unlink", "ftruncate", "truncate"),
    *("mkdir", "rmdir", "posix_fadvise"),
)
Job = Callable[[Path], int]
Tree = dict[str, Any]


class Cuts:
    """Counts calls; at the one asked for, what was not synced below `target` is lost, and the
    process is gone."""

    def __init__(self, target: Path, at: int, zeros: bool) -> None:
        self.count = 0
        self._target = target
        self._at = at
        self._zeros = zeros
        self._synced: dict[int, int] = {}
        self._lock = threading.Lock()
        self._truncate = os.truncate
        for name in _CALLS:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            with self._lock:  # held for ever from the cut on: other threads get no further
                self.count += 1
                if self.count == self._at:
                    self._lose()
                    os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **options)
            if call.__name__ == "fsync":
                status = os.fstat(arguments[0])
                self._synced[status.st_ino] = status.st_size
            return result

        return counted

    def _lose(self) -> None:
        for path in sorted(self._target.rglob("*")):
            if not path.is_file() or path.stat().st_nlink > 1:
                continue
            status = path.stat()
            kept = min(self._synced.get(status.st_ino, 0), status.st_size)
            self._truncate(path, kept)
            if self._zeros:
                self._truncate(path, status.st_size)


def in_child(job: Job, target: Path, at: int = 0, zeros: bool = False) -> tuple[int, int]:
    """How it ended, and how many calls it made."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        cuts = Cuts(target, at, zeros)
        code = job(target)
        os.write(write, b"%d" % cuts.count)
        os._exit(code)
    os.close(write)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = int(os.read(read, 20) or b"0")
    os.close(read)
    return status, count


def exporting(bundle: Path, form: Form, size: str, state: Path) -> Job:
    def job(target: Path) -> int:
        settings = Settings(state_dir=state)
        spec = ExportSpec(bundle, target, form, size, settings=settings)
        return export.run(spec, discard, CancelToken()).exit_code

    return job


def taking(media: tuple[Path, ...], state: Path) -> Job:
    def job(target: Path) -> int:
        spec = ImportSpec(media, target, settings=Settings(state_dir=state))
        return importing.run(spec, discard, CancelToken()).exit_code

    return job


def tree_of(target: Path) -> Tree:
    """All that is there; of an inventory only what does not tell when it was written."""
    found: Tree = {}
    for path in sorted(target.rglob("*")):
        name = str(path.relative_to(target))
        if path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name] = None
    if "bundle.json" in found:
        import json

        value = json.loads(found["bundle.json"])
        for own in ("id", "name", "created", "updated"):
            value.pop(own, None)
        found["bundle.json"] = value
        sums = found["SHA256SUMS"].splitlines()
        found["SHA256SUMS"] = [line for line in sums if not line.endswith(b" bundle.json")]
    return found


def check(job: Job, work: Path, points: int) -> list[str]:
    """What is wrong after some of the cuts."""
    code, calls = in_child(job, work / "undisturbed")
    if code:
        return [f"undisturbed it ends with {code}"]
    expected, wrong = tree_of(work / "undisturbed"), []
    cuts = sorted({1 + calls * number // points for number in range(points)})
    for number, at in enumerate(cuts):
        target = work / "cut"
        shutil.rmtree(target, ignore_errors=True)
        code, _ = in_child(job, target, at, zeros=bool(number % 2))
        if code == -signal.SIGKILL:
            code, _ = in_child(job, target)
        if code or tree_of(target) != expected:
            there, wanted = tree_of(target), expected
            names = sorted(n for n in {*there, *wanted} if there.get(n) != wanted.get(n))
            wrong.append(f"cut at call {at} of {calls}: it ends with {code}, {names[:4]} differ")
    return wrong


def main() -> int:
    form, source, work, points = sys.argv[1:5]
    job = taking(tuple(map(Path, sys.argv[5:])), Path(work) / "state")
    if form != "import":
        job = exporting(Path(source), Form(form), sys.argv[5], Path(work) / "state")
    wrong = check(job, Path(work), int(points))
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
