"""What zstd would gain is close to what it then does gain, and little is read for it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import plan, zstd_gain
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Network
from tests.engine.bundle.sample_source import save
from tests.images import SampleImage, build_image, layer_of, push_image, tar_of
from tests.services import Distribution


def far_apart(seed: int) -> bytes:
    """The same again, further back than gzip looks and not than zstd does."""
    return random.Random(seed).randbytes(60_000) * 3  # noqa: S311 - test content


@pytest.fixture(scope="module")
def image() -> SampleImage:
    layers = [layer_of(tar_of({"x": far_apart(seed)})) for seed in range(3)]
    return build_image("words/many:1", layers)


def blob_bytes(bundle: Path) -> int:
    storage = BundleReader.open(bundle).storage
    return sum(size for _name, size in storage.names(layout.BLOBS))


def test_it_says_about_what_a_save_would_gain(image: SampleImage, tmp_path: Path) -> None:
    save(tmp_path / "kept", [image])
    gains = zstd_gain.of_bundle(tmp_path / "kept", CancelToken())
    assert [str(gain.compression) for gain in gains] == ["zstd", "zstd:12"]
    before = blob_bytes(tmp_path / "kept")
    for gain in gains:
        smaller = tmp_path / str(gain.compression).replace(":", "-")
        save(smaller, [image], compression=Compression.parse(str(gain.compression)))
        real = max(0, before - blob_bytes(smaller))
        assert gain.saved == pytest.approx(real, rel=0.2, abs=before * 0.02)
        assert gain.percent == round(100 * gain.saved / gain.total)
        assert gain.layers == 3
    assert gains[1].saved > before * 0.05


def test_nothing_is_gained_twice(image: SampleImage, tmp_path: Path) -> None:
    save(tmp_path / "small", [image], compression=Compression.parse("zstd"))
    assert zstd_gain.of_bundle(tmp_path / "small", CancelToken()) == ()


def test_what_cannot_be_decoded_says_nothing(tmp_path: Path) -> None:
    layer = layer_of(b"x" * 10_000)
    save(tmp_path / "pod", [build_image("bad/one:1", [layer])])
    blob = layout.blob_path(
        next(b.digest for b in _blobs(tmp_path / "pod") if "gzip" in b.media_type)
    )
    path = tmp_path / "pod" / blob
    path.chmod(0o644)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert zstd_gain.of_bundle(tmp_path / "pod", CancelToken()) == ()


def _blobs(bundle: Path) -> list[Descriptor]:
    reader = BundleReader.open(bundle)
    return [blob for item in reader.items for blob in reader.closure(item).blobs]


def test_it_can_be_called_off(image: SampleImage, tmp_path: Path) -> None:
    save(tmp_path / "kept", [image])
    token = CancelToken()
    token.cancel()
    with pytest.raises(Stopped):
        zstd_gain.of_bundle(tmp_path / "kept", token)


@pytest.mark.distribution
def test_before_anything_is_saved(
    distribution: Distribution, repository: str, image: SampleImage, tmp_path: Path
) -> None:
    name = push_image(distribution.host, image, name=f"{repository}/words:1")
    spec = SaveSpec((Reference.parse(name),), tmp_path / "pod")
    planned = plan.run(spec, discard, CancelToken())
    assert sum(blob.descriptor.size for blob in planned.blobs) == planned.unique
    gains = zstd_gain.of_plan(planned.blobs, Network(), CredentialStore.load(), CancelToken())
    save(tmp_path / "kept", [image])
    kept = zstd_gain.of_bundle(tmp_path / "kept", CancelToken())
    for before, after in zip(gains, kept, strict=True):
        assert before.percent == pytest.approx(after.percent, abs=1)
    assert not (tmp_path / "pod").exists()
