"""Which layer an engine means by the directory names of its older archives, kept between runs.

Docker before 25 names a layer `<id>/layer.tar` after its whole chain of parents, so the content's
digest is known only when all bytes have passed: too late to spare compressing them. But the same
name with the same size is the same layer in every archive of every engine, and once passed its
digest is known. That is a claim only: the bytes are hashed each time, and checked in the end.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from airgap_tui.engine.errors import InvalidDigest
from airgap_tui.engine.oci.digest import Digest

_MAX_BYTES = 16 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{64}/layer\.tar")


class SeenLayers:
    """Names and sizes with the digests of their plain bytes; in memory only where `path` is None.

    What the file cannot tell or take is forgotten, not reported: it only spares work.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path is None:
            return
        try:
            if path.is_file() and path.stat().st_size <= _MAX_BYTES:
                value = json.loads(path.read_text("utf-8"))
                if isinstance(value, dict):
                    self._known = {str(key): str(text) for key, text in value.items()}
        except (OSError, ValueError, RecursionError):
            pass

    def find(self, name: str, size: int) -> Digest | None:
        """The digest that the bytes of this member had before."""
        try:
            return Digest.parse(self._known.get(f"{name} {size}", ""))
        except InvalidDigest:
            return None

    def note(self, name: str, size: int, diff_id: Digest) -> None:
        if _NAME.fullmatch(name) is None or self.find(name, size) == diff_id:
            return
        self._known[f"{name} {size}"] = str(diff_id)
        self._write()

    def forget(self, name: str, size: int) -> None:
        if self._known.pop(f"{name} {size}", None) is not None:
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        new = self._path.with_name(f"{self._path.name}.new")
        with suppress(OSError):
            new.write_text(json.dumps(self._known), "utf-8")
            os.replace(new, self._path)
