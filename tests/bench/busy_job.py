"""A worker of 1,000 images and 10,000 layers, as busy as four transfers at full speed keep it.

Records what it does as a real one; `python -m tests.bench.busy_job DIRECTORY` begins it in the
directory of a job, until it is terminated.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import threading
from pathlib import Path

from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    JobStarted,
)
from airgap_tui.engine.jobs.directory import JobDirectory, Occupant
from airgap_tui.engine.jobs.identity import Identity
from airgap_tui.engine.jobs.recorder import Recorder

IMAGES, LAYERS = 1_000, 10
LAYER = 256 << 20
TRANSFERS = 4
_CHUNK = 1 << 20


def names() -> list[str]:
    return [f"registry.lan:5000/team/image-{n:04}:1" for n in range(IMAGES)]


def main(path: Path) -> None:
    directory, over = JobDirectory(path), threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: over.set())
    with Recorder(directory) as recorder:
        directory.occupy(Occupant(Identity.own(), "bench"))
        recorder.take(JobStarted("save", str(directory.order.place), tuple(names())))
        for image, name in enumerate(names()):
            recorder.take(ItemSized(name, LAYERS * LAYER, LAYERS * LAYER))
            for layer in range(LAYERS):
                recorder.take(BlobPlanned(_digest(image, layer), LAYER, (name,)))
        threads = [
            threading.Thread(target=_transfer, args=(recorder, over, number))
            for number in range(TRANSFERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.finish(143)


def _transfer(recorder: Recorder, over: threading.Event, number: int) -> None:
    """One layer after the other: hashed, as what comes from a registry is."""
    chunk = bytes(_CHUNK)
    for image, name in list(enumerate(names()))[number::TRANSFERS]:
        recorder.take(ItemChanged(name, ItemState.SAVING))
        for layer in range(LAYERS):
            digest, hasher = _digest(image, layer), hashlib.sha256()
            recorder.take(BlobStarted(digest))
            for _ in range(LAYER // _CHUNK):
                if over.is_set():
                    return
                hasher.update(chunk)
                recorder.take(BlobProgress(digest, _CHUNK))
            recorder.take(BlobDone(digest))
        recorder.take(ItemChanged(name, ItemState.DONE))


def _digest(image: int, layer: int) -> str:
    return f"sha256:{image * LAYERS + layer:064x}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
