"""The note that `verify` leaves for the next save: which files are damaged or missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import read_note, replace_file
from airgap_tui.engine.errors import AirgapError, InvalidDigest
from airgap_tui.engine.oci.digest import Digest

_MAX_BYTES = 16 * 1024 * 1024


def read_damaged(bundle: Path) -> frozenset[Digest]:
    """The digests noted in a bundle's directory; notes that cannot be read are ignored."""
    digests = set()
    try:
        note = read_note(bundle / layout.DAMAGED, _MAX_BYTES)
    except OSError:
        return frozenset()
    for line in note.decode("ascii", "replace").split():
        try:
            digests.add(Digest.parse(line))
        except InvalidDigest:
            continue
    return frozenset(digests)


def write_damaged(bundle: Path, digests: Iterable[Digest]) -> bool:
    """Note these digests, none to take the note away; False where the bundle takes no note."""
    path = bundle / layout.DAMAGED
    content = "".join(f"{digest}\n" for digest in sorted(digests)).encode()
    try:
        if not content:
            path.unlink(missing_ok=True)
            return True
        if not os.access(bundle, os.W_OK) or path.parent.is_symlink():
            return False
        path.parent.mkdir(exist_ok=True)
        replace_file(path, content, path.with_name("damaged.new"))
    except (OSError, AirgapError):
        return False
    return True
