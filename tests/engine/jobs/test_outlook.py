"""What an import would bring, told before; and sets of volumes found wherever their media are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import importing, media
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.jobs.outlook import outlook, seek_volumes
from airgap_tui.engine.settings import Settings
from tests.engine.bundle.sample_source import save
from tests.engine.bundle.volumes.volumes import FORMS, SET, Contents, as_directory, as_tar, cut
from tests.images import SampleImages

NOWHERE = Path("/nonexistent")
TOKEN = CancelToken()


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    save(tmp_path / "online/pod", sample_images.everything, platform=None)
    return tmp_path / "online/pod"


@pytest.fixture
def parts(bundle: Path) -> list[tuple[Volume, Contents]]:
    return cut(bundle, 3, 60_000)


def take(kept: Path, tmp_path: Path, *places: Path) -> None:
    spec = ImportSpec(places, kept, settings=Settings(state_dir=tmp_path / "state"))
    importing.run(spec, discard, TOKEN)


def test_what_is_to_come_shrinks_with_each_volume(
    parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    kept, places = tmp_path / "kept", [as_tar(tmp_path / "media", *part) for part in parts]
    before = outlook(places, kept, TOKEN)
    assert (before.read, before.complete, len(before.unread)) == ((), False, 3)
    assert not before.linked, "a tar has to be copied out of"
    take(kept, tmp_path, places[1])
    after = outlook(places, kept, TOKEN)
    assert after.read == (2,)
    assert after.unread == (places[0], places[2])
    assert 0 < after.needed < before.needed
    assert not after.complete
    assert outlook(places[1:2], kept, TOKEN).needed == 0
    take(kept, tmp_path, places[0], places[2])
    whole = outlook(places, kept, TOKEN)
    assert (whole.needed, whole.complete, whole.lacking) == (0, True, 0)


def test_nothing_is_written_by_looking(
    parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    outlook([as_directory(tmp_path / "media", *parts[0])], tmp_path / "kept/pod", TOKEN)
    assert not (tmp_path / "kept").exists()


def test_the_medium_itself_cannot_be_kept(
    parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    place = as_directory(tmp_path / "media", *parts[0])
    with pytest.raises(UsageError, match="cannot be the bundle that is kept"):
        outlook([place], place, TOKEN)


@pytest.mark.parametrize("form", FORMS)
def test_volumes_of_a_set_are_found_as_one_bundle(
    parts: list[tuple[Volume, Contents]],
    tmp_path: Path,
    form: Callable[[Path, Volume, Contents], Path],
) -> None:
    places = [form(tmp_path / f"disk{n}", *part) for n, part in enumerate(parts)]
    disks = [tmp_path / f"disk{n}" for n in range(3)]
    (found,) = media.find_bundles(disks[:2], NOWHERE, NOWHERE)
    assert found.volumes is not None
    assert (found.volumes.numbers, found.volumes.missing) == ((1, 2), (3,))
    assert found.name == "pod"
    (whole,) = media.find_bundles(disks, NOWHERE, NOWHERE)
    assert set(places) <= set(whole.places)
    assert not media.look_inside(whole.places[0], TOKEN, whole.places[1:]).lacking


def test_volumes_of_two_sets_are_two(
    bundle: Path, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    as_directory(tmp_path / "media", *parts[0])
    as_tar(tmp_path / "media", *cut(bundle, 2, 60_000, set_id="0" * 32)[1])
    found = media.find_bundles([tmp_path / "media"], NOWHERE, NOWHERE)
    assert sorted(one.volumes.set_id for one in found if one.volumes) == ["0" * 32, SET]


def test_an_archive_or_rubbish_beside_them_is_passed_over(
    parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    place = as_tar(tmp_path / "media", *parts[0])
    (tmp_path / "media/other.tar").write_bytes(bytes(10_240))
    (tmp_path / "media/other.iso").write_bytes(b"CD001" * 10_000)
    (tmp_path / "media/cut.tar").write_bytes(place.read_bytes()[:700])
    (found,) = media.find_bundles([tmp_path / "media"], NOWHERE, NOWHERE)
    assert found.places == (place,)


def test_a_volume_that_is_named_joins_its_set(
    bundle: Path, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    first, second, third = (as_directory(tmp_path / f"usb{n}", *p) for n, p in enumerate(parts))
    opened = media.look_inside(first, TOKEN)
    assert opened.lacking
    assert any("not on the volumes that are here" in i.problem or "on a volume that is not here"
               in i.problem for i in opened.lacking)  # fmt: skip
    two = media.look_further(second, opened, TOKEN)
    assert two.volumes is not None
    assert two.volumes.standing == "2 of 3 volumes are here; number 3 of pod is missing."
    assert (two.path, two.others) == (first, (second,))
    # A directory that holds volumes adds all of them.
    whole = media.look_further(third.parent, two, TOKEN)
    assert not whole.lacking
    other = media.look_further(bundle, two, TOKEN)
    assert (other.path, other.volumes) == (bundle, None)


def test_volumes_beside_the_one_that_is_named_are_found(
    bundle: Path, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    first, second = (as_tar(tmp_path / "discs", *part) for part in parts[:2])
    third = as_directory(tmp_path / "discs", *parts[2])
    as_tar(tmp_path / "discs/foreign", *cut(bundle, 2, 60_000, set_id="0" * 32)[0])
    opened = media.look_further(second, None, TOKEN)
    assert opened.path == second
    assert set(opened.others) == {first, third}
    assert not opened.lacking


def test_the_next_volume_is_sought_where_the_last_one_was(
    bundle: Path,
    parts: list[tuple[Volume, Contents]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airgap_tui.engine.jobs.outlook.find_bundles", lambda _beside: ())
    tray = tmp_path / "tray"
    shutil.move(as_directory(tmp_path / "burned", *parts[0]), tray)
    assert seek_volumes(SET, [tray]).places == (tray,)
    shutil.rmtree(tray)
    assert seek_volumes(SET, [tray]).places == ()
    foreign = cut(bundle, 2, 60_000, set_id="0" * 32)[1]
    shutil.move(as_directory(tmp_path / "burned", *foreign), tray)
    sought = seek_volumes(SET, [tray])
    assert sought.places == ()
    assert sought.foreign == (f"{tray} holds volume 2 of pod, another set",)
