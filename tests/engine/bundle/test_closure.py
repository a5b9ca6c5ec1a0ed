"""What lies below a root: all of it, and never without end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import needs
from airgap_tui.engine.bundle.closure import closure_below
from airgap_tui.engine.bundle.needs import needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import UnsafeContent
from airgap_tui.engine.oci import manifest, media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.reference import Reference
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages

REFERENCE = Reference.parse("nvcr.io/lab/app:1")
CONFIG = Descriptor(media_types.OCI_CONFIG, Digest.of(b"{}"), 2)
LARGE = bytes(manifest.MAX_BYTES)


def child(number: int) -> Descriptor:
    return Descriptor(media_types.OCI_MANIFEST, Digest.of(b"%d" % number), len(LARGE))


@pytest.mark.parametrize(("count", "refused"), [(8, False), (30, True)])
def test_manifests_below_one_root_are_bounded_together(count: int, refused: bool) -> None:
    image = Manifest.build(CONFIG, [])
    index = Index.build([child(number) for number in range(count)])

    def load(descriptor: Descriptor) -> Manifest | Index:
        if descriptor.digest == index.digest:
            return index
        return replace(image, raw=LARGE, digest=descriptor.digest)

    if refused:
        with pytest.raises(UnsafeContent, match="too large"):
            closure_below(REFERENCE, index.descriptor, load)
    else:
        closure = closure_below(REFERENCE, index.descriptor, load)
        assert len(closure.documents) == count + 1
        assert closure.blobs == (CONFIG,)
        assert set(closure.digests) == {*(d.digest for d in closure.documents), CONFIG.digest}


@pytest.mark.parametrize("limit", ["_MOST", "_MOST_BYTES"])
def test_what_all_items_need_is_bounded(
    limit: str, tmp_path: Path, sample_images: SampleImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "pod", sample_images.everything, platform=None)
    reader = BundleReader.open(tmp_path / "pod")
    assert needs_of(reader, CancelToken())
    monkeypatch.setattr(needs, limit, 3)
    with pytest.raises(UnsafeContent, match="too many or too large"):
        needs_of(reader, CancelToken())
