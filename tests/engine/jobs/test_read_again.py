"""Reading again asks the disk for just what was damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.events import ItemState, discard
from airgap_tui.engine.jobs import read_again, verify
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    save(tmp_path / "bundle", sample_images.images, platform=None)
    return tmp_path / "bundle"


@pytest.fixture
def damaged(bundle: Path) -> tuple[VerifyResult, Path, bytes]:
    """A verify that found the largest file damaged, that file, and its right content."""
    victim = max((bundle / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    content = victim.read_bytes()
    victim.write_bytes(b"x" + content[1:])
    result = verify.run(VerifySpec(bundle), discard, CancelToken())
    assert [finding.digest for finding in result.bad] == [f"sha256:{victim.name}"]
    return result, victim, content


def test_what_is_whole_now_is_found_whole(
    bundle: Path, damaged: tuple[VerifyResult, Path, bytes]
) -> None:
    before, victim, content = damaged
    victim.write_bytes(content)
    after = read_again.run(bundle, before, CancelToken())
    assert after.ok
    assert {item.state for item in after.items} == {ItemState.DONE}
    assert not (bundle / ".partial" / "damaged").exists(), "the next save fetches nothing anew"


def test_what_is_damaged_still_stays_so(
    bundle: Path, damaged: tuple[VerifyResult, Path, bytes]
) -> None:
    before, _victim, _content = damaged
    assert read_again.run(bundle, before, CancelToken()) == before
    assert (bundle / ".partial" / "damaged").exists()


def test_what_is_missing_is_looked_for_again(
    bundle: Path, damaged: tuple[VerifyResult, Path, bytes]
) -> None:
    _before, victim, content = damaged
    victim.unlink()
    missing = verify.run(VerifySpec(bundle), discard, CancelToken())
    assert missing.missing
    assert not read_again.run(bundle, missing, CancelToken()).ok
    victim.write_bytes(content)
    again = read_again.run(bundle, missing, CancelToken())
    assert not again.missing
    assert not again.bad


def test_it_can_be_stopped(bundle: Path, damaged: tuple[VerifyResult, Path, bytes]) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Stopped):
        read_again.run(bundle, damaged[0], token)


def test_the_sizes_are_those_that_should_be(
    bundle: Path, damaged: tuple[VerifyResult, Path, bytes]
) -> None:
    before, victim, content = damaged
    victim.write_bytes(b"cut off")
    assert read_again.sizes(bundle, before.bad) == {f"sha256:{victim.name}": len(content)}
