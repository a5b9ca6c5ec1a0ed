"""The transfer sheet: the same facts in three forms, safe in a browser and in a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle.inventory import Inventory, Item
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.transfer_sheet import Sheet, SheetFormat, SheetVolume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import ItemState, discard
from airgap_tui.engine.jobs import export, seal
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.seal import SealSpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.services import program

DIGEST = Digest.of(b"image")


def sheet(name: str = "pod-2025-07", signer: str = "ops@example.org") -> Sheet:
    inventory = Inventory("abc", name, "2025-06-27T10:00:00Z")
    inventory.put(
        Item(
            Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3"),
            ItemState.DONE,
            digest=DIGEST,
            bytes=1234567,
            platform=DEFAULT_PLATFORM,
        )
    )
    inventory.put(Item(Reference.parse("docker.io/library/none:1"), ItemState.FAILED))
    signature = Signature(Standing.GOOD, "ssh", signer, "SHA256:Hk3v")
    volumes = (
        SheetVolume(1, "iso", 4_700_372_992, "pod 1.iso", "a" * 64),
        SheetVolume(2, "tar", 99, "pod-2.tar", "b" * 64),
    )
    return Sheet(inventory, signature, volumes)


class Page(HTMLParser):
    """The tags of a page and the texts of its cells."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("form", SheetFormat)
def test_every_form_tells_every_fact(form: SheetFormat) -> None:
    content = sheet().format(form)
    text = " ".join("".join(Page(content).texts if form is SheetFormat.HTML else
                            content.decode()).split())  # fmt: skip
    for fact in (
        "pod-2025-07",
        "nvcr.io/nvidia/pytorch:25.06-py3",
        str(DIGEST),
        "1234567",
        "ops@example.org",
        "SHA256:Hk3v",
        "a" * 64,
        "pod-2.tar",
        "4700372992",
        "count=2295104",
        "'pod 1.iso'",
    ):
        assert fact in text
    assert "library/none" not in text, "what was not saved is not carried"
    assert content == sheet().format(form)


def test_a_disc_is_read_back_to_its_last_sector_and_no_further(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8 * 5
    device = tmp_path / "sr0"
    device.write_bytes(content + bytes(2048 * 3))  # what a drive reads beyond the end
    burning = SheetVolume(1, "iso", len(content), "pod.iso", "a" * 64).burning
    assert SheetVolume(1, "iso", len(content), "pod.iso").burning is None, "it is not written yet"
    assert burning is not None
    command = burning[1].replace("/dev/sr0", str(device))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[0] == hashlib.sha256(content).hexdigest()
    assert SheetVolume(1, "tar", 5, "pod.tar").burning is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_becomes_a_tag_a_formula_or_a_control_character(name: str, signer: str) -> None:
    hostile = sheet(name, signer)
    page = Page(hostile.format(SheetFormat.HTML))
    harmless = Page(sheet().format(SheetFormat.HTML))
    assert (page.tags, page.attributes) == (harmless.tags, harmless.attributes)
    assert not page.tags & {"script", "img", "link", "iframe", "a"}
    rows = list(csv.reader(io.StringIO(hostile.format(SheetFormat.CSV).decode(), newline="")))
    assert {len(row) for row in rows} == {6}
    assert not [c for row in rows for c in row if c[:1] in ("=", "+", "@") or c[:1] == "-" != c]
    assert not {c for c in hostile.format(SheetFormat.TEXT).decode() if ord(c) < 32} - {"\n"}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\x1b[2Jb"])
def test_known_tricks(name: str) -> None:
    hostile = replace(sheet(name))
    assert "<script>" not in hostile.format(SheetFormat.HTML).decode()
    assert ",=cmd" not in hostile.format(SheetFormat.CSV).decode()
    assert "\x1b" not in hostile.format(SheetFormat.TEXT).decode()


def test_the_form_follows_the_name() -> None:
    assert SheetFormat.of_name("a.b.CSV") is SheetFormat.CSV
    with pytest.raises(UsageError, match=r"\.txt, \.csv or \.html") as refused:
        SheetFormat.of_name("sheet.pdf")
    assert refused.value.exit_code == 2


def test_sealing_writes_the_sheets_that_are_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "pod", [build_image("team/app:1", [layer("sheet")])])
    sheets = tuple(tmp_path / f"sheet.{ending}" for ending in ("txt", "csv", "html"))
    settings = Settings(state_dir=tmp_path / "state")
    seal.run(SealSpec(tmp_path / "pod", None, settings, sheets), discard, CancelToken())
    sums = hashlib.sha256((tmp_path / "pod" / "SHA256SUMS").read_bytes()).hexdigest()
    for path in sheets:
        assert sums in path.read_text()
        assert "nvcr.io/team/app:1" in path.read_text()
    with pytest.raises(UsageError):
        seal.run(
            SealSpec(tmp_path / "pod", None, settings, (tmp_path / "x.pdf",)),
            discard,
            CancelToken(),
        )


@pytest.mark.parametrize("form", [Form.TAR, Form.DIRECTORY, Form.ISO])
def test_an_export_lists_every_volume_with_what_checks_it(tmp_path: Path, form: Form) -> None:
    if form is Form.ISO:
        program("xorriso")
    layers = [layer(f"exported {number}", 900_000, "none") for number in range(3)]
    save(tmp_path / "pod", [build_image("team/app:1", layers)])
    path = tmp_path / "sheet.txt"
    settings = Settings(state_dir=tmp_path / "state")
    spec = ExportSpec(
        tmp_path / "pod", tmp_path / "out", form, "1.5MB", settings=settings, sheets=(path,)
    )
    only_one = export.run(replace(spec, only=(2,)), discard, CancelToken())
    partly = path.read_text()
    result = export.run(spec, discard, CancelToken())
    assert result.exit_code == 0 and result.count == only_one.count >= 2
    text = path.read_text()
    assert partly.count("SHA-256 -") == result.count - 1
    assert text.count("SHA-256 -") == 0
    for item, number in zip(result.items, result.numbers, strict=True):
        volume = tmp_path / "out" / item.reference
        checked = volume / "SHA256SUMS" if form is Form.DIRECTORY else volume
        assert hashlib.sha256(checked.read_bytes()).hexdigest() in text
        assert f"{number} of {result.count}: {form.value} {item.reference}" in text
        if form is not Form.DIRECTORY:
            assert f", {volume.stat().st_size} bytes" in text
    assert text.count("dd if=/dev/sr0") == (result.count if form is Form.ISO else 0)
