"""Keeps `bundle.json` in step with an inventory that changes often.

A thousand images mean a thousand changes of a file of megabytes: changes that come close together
share one write, and writing takes a small part of the time at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from airgap_tui import __version__
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import replace_file
from airgap_tui.engine.bundle.inventory import Inventory, format_json, now
from airgap_tui.engine.errors import AirgapError

_SHARE = 20
"""After a write that took T seconds, the next one comes no sooner than 20 T later."""

T = TypeVar("T")


class InventoryFile:
    """Guards the inventory: all threads read and change it through this."""

    def __init__(self, root: Path, inventory: Inventory) -> None:
        self.inventory = inventory
        self._path = root / layout.INVENTORY
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._version = 1
        self._written = 0
        self._pause = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._keep_up, name="inventory", daemon=True)
        self.flush()
        self._thread.start()

    def change(self, change: Callable[[Inventory], T]) -> T:
        """Change the inventory; the file is written shortly after."""
        with self._changed:
            result = change(self.inventory)
            self._version += 1
            self._changed.notify_all()
            return result

    def look(self, question: Callable[[Inventory], T]) -> T:
        """Read the inventory under its lock."""
        with self._changed:
            return question(self.inventory)

    def flush(self) -> None:
        """Return when the file holds every change made before the call. Raises `NoRoom`."""
        with self._writing:
            with self._changed:
                version = self._version
                if self._written == version:
                    return
                self.inventory.updated = now()
                self.inventory.tool = __version__
                value = self.inventory.to_json()
            begun = time.monotonic()
            content = format_json(value)
            temporary = self._path.parent / layout.PARTIAL / f"{layout.INVENTORY}.new"
            replace_file(self._path, content, temporary)
            self._pause = _SHARE * (time.monotonic() - begun)
            self._written = version

    def close(self) -> None:
        """Write what is left and end the thread. Raises as `flush` does."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self.flush()

    def _keep_up(self) -> None:
        while True:
            with self._changed:
                while self._written == self._version and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            # A disk that refuses is told by whoever flushes next, in the job's own thread.
            with suppress(AirgapError):
                self.flush()
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=max(0.05, self._pause))
