"""Opening a tar volume of 50,000 blobs: `python -m tests.bench.many_files write|open TAR`."""

from __future__ import annotations

import sys
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import Inventory
from airgap_tui.engine.bundle.names import index_json
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.volume import Volume, VolumeFile
from airgap_tui.engine.oci.digest import Digest

BLOBS = 50_000


def write(path: Path, blobs: int = BLOBS) -> None:
    """A volume with that many small blobs, which no image needs."""
    inventory = Inventory("0" * 32, "many", "2025-07-01T00:00:00Z")
    contents = {
        layout.OCI_LAYOUT: layout.OCI_LAYOUT_CONTENT,
        layout.INDEX: index_json(inventory),
        layout.INVENTORY: b'{"schemaVersion":1,"id":"%s","name":"many"}' % (b"0" * 32),
    }
    for number in range(blobs):
        data = b"blob %d" % number
        contents[layout.blob_path(Digest.of(data))] = data
    size = 0
    while True:
        at, files = tar_member.BLOCK + size + tar_member.padding(size), []
        for name in sorted(contents):
            at += len(tar_member.header(name, len(contents[name])))
            data = contents[name]
            files.append(VolumeFile(name, len(data), Digest.of(data).hex, at))
            at += len(data) + tar_member.padding(len(data))
        raw = Volume("0" * 32, 1, 1, tuple(files), inventory.id, "many", "1.0").format()
        if len(raw) == size:
            break
        size = len(raw)
    with path.open("wb") as file:
        for name, data in [(layout.VOLUME, raw), *((f.path, contents[f.path]) for f in files)]:
            file.write(tar_member.header(name, len(data)) + data)
            file.write(bytes(tar_member.padding(len(data))))
        file.write(tar_member.END)


def main() -> int:
    what, path = sys.argv[1], Path(sys.argv[2])
    if what == "write":
        write(path)
        return 0
    reader = BundleReader.open(path)
    return 0 if reader.inventory.name == "many" else 1


if __name__ == "__main__":
    sys.exit(main())
