"""The tool on the media: covered by the inventory, there when it can be, and never in the way."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui import __version__
from airgap_tui.engine import own_program
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry.target import parse_targets
from airgap_tui.engine.errors import EnvironmentFailure, Stopped, UsageError
from airgap_tui.engine.events import Note, discard
from airgap_tui.engine.jobs import export, importing, receipts, seal, sign, verify
from airgap_tui.engine.jobs.carry import ToolSpec
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.jobs.receipts import ReceiptsSpec
from airgap_tui.engine.jobs.seal import SealSpec
from airgap_tui.engine.jobs.serial import from_json, to_json
from airgap_tui.engine.jobs.sign import SignSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.settings import Settings, Trust
from tests import services
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import save
from tests.engine.carry.test_executable import elf
from tests.images import build_image, layer
from tests.signing import Key, answering, make_key
from tests.wheels import Index, small_index

TOKEN = CancelToken()
USUAL = ToolSpec()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """All wheels are in the cache."""
    found = small_index(tmp_path / "index", monkeypatch)
    found.fill_cache(tmp_path / "cache")
    return found


@pytest.fixture
def nothing(index: Index, tmp_path: Path) -> Index:
    """No wheel can be had."""
    shutil.rmtree(index.directory)
    shutil.rmtree(tmp_path / "cache")
    return index


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(tmp_path / "pod", [build_image("team/app:1", [layer("carried"), layer("base")])])
    return tmp_path / "pod"


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return make_key(tmp_path / "id")


def sealed(bundle: Path, tool: ToolSpec | None = USUAL, key: Path | None = None) -> None:
    assert seal.run(SealSpec(bundle, key, tool=tool), discard, TOKEN).exit_code == 0


def problems(*paths: Path, trust: Trust | None = None) -> list[tuple[str, str]]:
    settings = Settings(trust=trust or Trust())
    spec = VerifySpec(paths[0], settings, others=tuple(paths[1:]))
    found = verify.run(spec, discard, TOKEN)
    return [(finding.file, finding.problem) for finding in (*found.bad, *found.missing)]


def tool_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / layout.TOOL).rglob("*"))
        if path.is_file()
    }


def exported(bundle: Path, medium: Path, form: Form = Form.DIRECTORY, **more: object) -> Path:
    result = run_export(bundle, medium, form, **more)
    assert result.exit_code == 0
    return medium / result.items[0].reference


def run_export(
    bundle: Path, medium: Path, form: Form = Form.DIRECTORY, **more: object
) -> ExportResult:
    if form is Form.ISO:
        services.program("xorriso")
    spec = ExportSpec(bundle, medium, form, tool=USUAL)
    return export.run(replace(spec, **more), discard, TOKEN)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", list(Form))
def test_it_is_on_the_first_volume_and_verified(
    bundle: Path, index: Index, form: Form, tmp_path: Path
) -> None:
    volume = exported(bundle, tmp_path / "medium", form)
    assert problems(volume) == []
    storage = BundleReader.open(volume).storage
    names = {name for name, _size in storage.names("airgap-tui/")}
    assert {"airgap-tui/run", "airgap-tui/any/pure/__init__.py", layout.TOOL_SUMS} <= names
    note = storage.read(layout.START_HERE, 10_000).decode()
    assert "sh airgap-tui/run verify" in note and "3.10, 3.11, 3.12, 3.13, 3.14 on" in note
    assert max(map(len, note.splitlines())) <= 80


def test_the_commands_that_check_it_do_so(bundle: Path, index: Index, tmp_path: Path) -> None:
    volume = exported(bundle, tmp_path / "medium")
    note = (volume / layout.START_HERE).read_text()
    section = note.partition("airgap-tui 0")[2].partition("With airgap-tui")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    assert len(commands) == 2

    def checked() -> list[bool]:
        return [
            subprocess.run(["sh", "-c", command], cwd=volume, capture_output=True).returncode == 0
            for command in commands
        ]

    assert checked() == [True, True]
    target = volume / "airgap-tui/run"
    target.write_bytes(target.read_bytes() + b"\n")
    assert checked() == [True, False]
    sums = volume / layout.TOOL_SUMS
    sums.write_bytes(sums.read_bytes() + b"\n")
    assert checked() == [False, False]


def test_sealing_puts_it_in_once(bundle: Path, index: Index) -> None:
    sealed(bundle)
    before = {path: path.stat().st_mtime_ns for path in bundle.rglob("*") if path.is_file()}
    assert len(tool_of(bundle)) > 100
    sealed(bundle)
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("*") if path.is_file()} == before
    done = subprocess.run(
        ["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True
    )
    assert (done.returncode, problems(bundle)) == (0, [])


def test_another_choice_replaces_it_whole(bundle: Path, index: Index, tmp_path: Path) -> None:
    sealed(bundle)
    sealed(bundle, ToolSpec(targets=parse_targets("3.11/x86_64")))
    names = tool_of(bundle)
    assert "airgap-tui/any/bound/__init__.py" in names
    assert not any(name.startswith("airgap-tui/aarch64/") for name in names)
    fresh = tmp_path / "fresh"
    shutil.copytree(bundle, fresh)
    shutil.rmtree(fresh / layout.TOOL)
    sealed(fresh, ToolSpec(targets=parse_targets("3.11/x86_64")))
    assert tool_of(fresh) == names
    assert problems(bundle) == []


@pytest.mark.parametrize("on_volume", [False, True])
def test_what_is_wrong_with_it_is_found(
    bundle: Path, index: Index, tmp_path: Path, on_volume: bool
) -> None:
    sealed(bundle)
    place = exported(bundle, tmp_path / "medium") if on_volume else bundle
    (place / "airgap-tui/start.py").write_bytes(b"import os\n")
    (place / "airgap-tui/any/pure/__init__.py").unlink()
    (place / "airgap-tui/any/simplejson.py").write_bytes(b"")
    assert {file for file, _problem in problems(place)} == {
        "airgap-tui/start.py",
        "airgap-tui/any/pure/__init__.py",
        "airgap-tui/any/simplejson.py",
    }
    assert verify.run(VerifySpec(place), discard, TOKEN).exit_code == 3


def test_a_tool_that_the_inventory_does_not_know_is_found(bundle: Path, index: Index) -> None:
    sealed(bundle, None)
    (bundle / layout.TOOL).mkdir()
    (bundle / "airgap-tui/run").write_bytes(b"#!/bin/sh\n")
    assert problems(bundle)[0][0] == "airgap-tui/run"


def test_a_rotten_one_is_mended_by_sealing_again(bundle: Path, index: Index) -> None:
    sealed(bundle)
    good = tool_of(bundle)
    target = bundle / "airgap-tui/start.py"
    target.write_bytes(bytes(target.stat().st_size))
    sealed(bundle)
    assert (tool_of(bundle), problems(bundle)) == (good, [])


def test_data_discs_carry_none(bundle: Path, index: Index, tmp_path: Path) -> None:
    sealed(bundle)
    volume = exported(bundle, tmp_path / "medium", tool=None)
    assert tool_of(volume) == {} and problems(volume) == []
    assert "airgap-tui/run" not in (volume / layout.START_HERE).read_text()
    sealed(bundle, None)
    assert not (bundle / layout.TOOL).exists() and problems(bundle) == []
    assert "airgap-tui/run" not in (bundle / layout.START_HERE).read_text()


def test_a_signature_covers_it(bundle: Path, index: Index, key: Key, tmp_path: Path) -> None:
    trust = Trust(key.allowed(tmp_path / "allowed"), required=True)
    volume = exported(bundle, tmp_path / "medium", key=key.file)
    assert problems(volume, trust=trust) == []
    inventory = BundleReader.open(volume).inventory
    assert inventory.carried is not None
    assert str(inventory.carried.sums).encode() in (volume / layout.INVENTORY).read_bytes()
    assert "which the signature covers" in " ".join(
        (volume / layout.START_HERE).read_text().split()
    )


def prepared(verb: str, bundle: Path, medium: Path, key: Path) -> Callable[[], object]:
    """A job that signs the bundle, or what goes onto the medium."""
    if verb == "seal":
        return lambda: seal.run(SealSpec(bundle, key, tool=USUAL), discard, TOKEN)
    have: tuple[Path, ...] = ()
    if verb == "update":
        have = (bundle.parent / "receipt.json",)
        receipts.run(ReceiptsSpec(bundle, have[0]), discard, TOKEN)
    return lambda: run_export(bundle, medium, key=key, have=have)


@pytest.mark.parametrize("verb", ["seal", "export", "update"])
def test_the_passphrase_is_asked_for_before_anything_is_fetched(
    bundle: Path, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key, cache, medium = make_key(tmp_path / "id", passphrase="test"), tmp_path / "cache", "medium"
    run = prepared(verb, bundle, tmp_path / medium, key.file)
    shutil.rmtree(cache)
    there = f"ls -d {cache} {tmp_path / medium} {bundle / layout.TOOL} 2>/dev/null; echo asked"
    asked = answering("test", tmp_path, monkeypatch, there)
    run()
    assert asked.read_text() == "asked\n"
    signed = BundleReader.open(bundle if verb == "seal" else next((tmp_path / medium).iterdir()))
    assert signed.inventory.carried is not None
    found = signature_of(signed, Trust(), TOKEN)
    assert (found.standing, found.fingerprint) == (Standing.UNKNOWN_KEY, key.fingerprint)
    run()
    assert asked.read_text() == "asked\n"


@pytest.mark.parametrize("verb", ["seal", "export", "update"])
def test_a_wrong_passphrase_is_told_before_any_work(
    bundle: Path, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key, medium = make_key(tmp_path / "id", passphrase="test"), tmp_path / "medium"
    run = prepared(verb, bundle, medium, key.file)
    answering("wrong", tmp_path, monkeypatch)
    shutil.rmtree(tmp_path / "cache")
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    with pytest.raises(EnvironmentFailure, match="incorrect passphrase"):
        run()
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before
    assert not medium.exists() and not (tmp_path / "cache").exists()


def test_a_bundle_that_is_signed_without_it_keeps_its_signature(
    bundle: Path, index: Index, key: Key, tmp_path: Path, events: EventLog
) -> None:
    sign.run(SignSpec(bundle, key.file), discard, TOKEN)
    before = (bundle / layout.INVENTORY).read_bytes()
    result = export.run(ExportSpec(bundle, tmp_path / "medium", tool=USUAL), events, TOKEN)
    assert result.tool is None and (bundle / layout.INVENTORY).read_bytes() == before
    assert any("signed without it" in note.text for note in events.of(Note))
    with pytest.raises(UsageError, match="signed without") as told:
        seal.run(SealSpec(bundle, tool=ToolSpec(targets=parse_targets("3.11"))), discard, TOKEN)
    assert "--sign KEY" in told.value.hint
    done = seal.run(SealSpec(bundle, key.file, tool=USUAL), discard, TOKEN)
    assert done.tool is not None and done.signature.standing is Standing.UNKNOWN_KEY
    again = seal.run(SealSpec(bundle, tool=USUAL), discard, TOKEN)
    assert (again.tool, again.changed) == (done.tool, ())


def test_where_it_cannot_be_had_the_images_go_without(
    bundle: Path, nothing: Index, tmp_path: Path, events: EventLog
) -> None:
    medium = tmp_path / "medium"
    result = export.run(ExportSpec(bundle, medium, tool=USUAL), events, TOKEN)
    assert (result.exit_code, result.tool) == (0, None)
    told = [note.text for note in events.of(Note) if "not carried" in note.text]
    assert len(told) == 1 and "--no-tool" in told[0]
    assert result.to_json()["tool"] is None


def test_one_that_was_asked_for_is_fetched_before_anything_is_written(
    bundle: Path, nothing: Index, tmp_path: Path
) -> None:
    asked = ToolSpec(targets=parse_targets("3.11/x86_64"))
    medium = tmp_path / "medium"
    with pytest.raises(EnvironmentFailure, match="pip cannot fetch"):
        export.run(ExportSpec(bundle, medium, tool=asked), discard, TOKEN)
    assert not medium.exists() and not (bundle / layout.TOOL).exists()


def test_on_the_offline_side_no_index_is_asked(
    bundle: Path, nothing: Index, tmp_path: Path, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = exported(bundle, tmp_path / "medium", tool=None)
    kept = tmp_path / "kept"
    importing.run(ImportSpec((volume,), kept), discard, TOKEN)
    monkeypatch.setattr("airgap_tui.engine.carry.pip.find_pip", lambda: pytest.fail("pip"))
    result = export.run(ExportSpec(kept, tmp_path / "onward", tool=USUAL), events, TOKEN)
    assert (result.exit_code, result.tool) == (0, None)
    assert any("offline side" in note.text for note in events.of(Note))


def test_importing_leaves_it_out(bundle: Path, index: Index, tmp_path: Path) -> None:
    volume = exported(bundle, tmp_path / "medium")
    kept = tmp_path / "kept"
    assert importing.run(ImportSpec((volume,), kept), discard, TOKEN).exit_code == 0
    assert not (kept / layout.TOOL).exists() and problems(kept) == []


def test_a_volume_that_is_too_small_for_it_goes_without(
    bundle: Path, index: Index, tmp_path: Path, events: EventLog
) -> None:
    spec = ExportSpec(bundle, tmp_path / "medium", volume_size="1MB", tool=USUAL)
    result = export.run(spec, events, TOKEN)
    assert (result.exit_code, result.tool) == (0, None)
    assert any("too small" in note.text for note in events.of(Note))
    asked = replace(spec, tool=ToolSpec(targets=parse_targets("3.11/x86_64")))
    with pytest.raises(UsageError, match="too small"):
        export.run(asked, discard, TOKEN)


def test_the_same_export_again_and_one_volume_made_anew(
    bundle: Path, index: Index, tmp_path: Path
) -> None:
    tar = exported(bundle, tmp_path / "medium", Form.TAR)
    first = tar.read_bytes()
    assert run_export(bundle, tmp_path / "medium", Form.TAR).bytes == 0
    shutil.rmtree(index.directory.parent / "cache")
    tar.write_bytes(first[:5000])
    exported(bundle, tmp_path / "medium", Form.TAR, only=(1,), again=True)
    assert tar.read_bytes() == first


class StopAfter(CancelToken):
    """Stops at a check."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self._left = checks

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            self.cancel()
        super().check()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_an_end_at_any_moment_is_made_good(
    bundle: Path, index: Index, tmp_path: Path, part: float
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(bundle, whole)
    counter = StopAfter(10**9)
    spec = ExportSpec(whole, tmp_path / "one", tool=USUAL)
    export.run(spec, discard, counter)
    checks = round((10**9 - counter._left) * part)
    spec = ExportSpec(bundle, tmp_path / "two", tool=USUAL)
    with pytest.raises(Stopped):
        export.run(spec, discard, StopAfter(checks))
    assert export.run(spec, discard, TOKEN).exit_code == 0
    assert tool_of(tmp_path / "two/pod") == tool_of(tmp_path / "one/pod") != {}
    assert problems(tmp_path / "two/pod") == []


def test_executables_that_are_named(bundle: Path, index: Index, tmp_path: Path) -> None:
    files = []
    for number in (62, 183):
        files.append(tmp_path / f"tool-{number}")
        files[-1].write_bytes(elf(number) + b"code")
    result = seal.run(SealSpec(bundle, tool=ToolSpec(tuple(files))), discard, TOKEN)
    assert result.tool is not None and result.tool.runs_on == ("aarch64", "x86_64")
    names = tool_of(bundle)
    assert names["airgap-tui/airgap-tui-aarch64"] == files[1].read_bytes()
    assert len(names) == 4 and problems(bundle) == []
    assert (bundle / "airgap-tui/airgap-tui-x86_64").stat().st_mode & 0o100
    assert "without Python" in (bundle / layout.START_HERE).read_text()
    with pytest.raises(UsageError, match="both for x86_64"):
        seal.run(SealSpec(bundle, tool=ToolSpec((files[0], files[0]))), discard, TOKEN)


def test_a_program_in_one_file_carries_itself(
    bundle: Path, nothing: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.write_bytes(elf(62))
    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr(own_program, "_FILE", str(own))
    result = seal.run(SealSpec(bundle, tool=USUAL), discard, TOKEN)
    assert result.tool is not None and result.tool.runs_on == ("x86_64",)
    with pytest.raises(UsageError, match="carries itself"):
        seal.run(SealSpec(bundle, tool=ToolSpec(targets=parse_targets("all"))), discard, TOKEN)


def test_a_worker_gets_the_same_order(bundle: Path, tmp_path: Path) -> None:
    tool = ToolSpec((tmp_path / "file",), parse_targets("3.11"))
    spec = ExportSpec(bundle, tmp_path / "medium", tool=tool)
    assert from_json(ExportSpec, to_json(spec)) == spec


@pytest.mark.parametrize("tool", [USUAL, None])
def test_the_transfer_sheet_names_it(
    bundle: Path, index: Index, tool: ToolSpec | None, tmp_path: Path
) -> None:
    sheets = tmp_path / "sealed.txt", tmp_path / "exported.txt"
    seal.run(SealSpec(bundle, sheets=sheets[:1], tool=tool), discard, TOKEN)
    spec = ExportSpec(bundle, tmp_path / "medium", sheets=sheets[1:], tool=tool)
    export.run(spec, discard, TOKEN)
    for sheet in sheets:
        (told,) = (line for line in sheet.read_text().splitlines() if "Executables" in line)
        expected = "none beside the images" if tool is None else f"airgap-tui {__version__}, "
        assert told.startswith(f"Executables: {expected}")
