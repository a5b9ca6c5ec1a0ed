"""The transfer sheet: what an officer at the gate signs for, as text, CSV, or one HTML file that
loads nothing: images with digests and sources, media with checksums, who signed, how to burn each
disc and read it back.

Everything in it comes from outside and is written as data: no control characters, nothing that a
browser would run, nothing that a spreadsheet would calculate.
"""

from __future__ import annotations

import csv
import html
import io
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.inventory import SIGNATURE, Inventory, Item
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count, size

_SECTOR = 2048
_WIDTH = 78
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class SheetFormat(str, Enum):
    """How a sheet is written."""

    TEXT = "text"
    CSV = "csv"
    HTML = "html"

    @classmethod
    def of_name(cls, name: str) -> SheetFormat:
        """By the end of a file's name: .txt, .csv, .html. Raises `UsageError`."""
        ending = name.rpartition(".")[2].lower()
        known = {"txt": cls.TEXT, "text": cls.TEXT, "csv": cls.CSV, "html": cls.HTML}
        if ending not in known:
            raise UsageError(
                f"{name}: a transfer sheet ends in .txt, .csv or .html",
                hint="The extension decides how it is written.",
            )
        return known[ending]


@dataclass(frozen=True, slots=True)
class SheetVolume:
    """A medium: `bytes` in all, and of a tar or ISO file its name and SHA-256 in hex; of a
    directory those of its `SHA256SUMS`, which covers all of it."""

    number: int
    form: str
    bytes: int
    file: str = ""
    sha256: str = ""

    @property
    def burning(self) -> tuple[str, str] | None:
        """The commands that burn an ISO file and that read the disc back; None for what is none,
        or is not written yet: its size is not known before.

        A drive gives more sectors than were written, so exactly these are read."""
        if self.form != "iso" or not self.file or not self.sha256:
            return None
        sectors, name = -(-self.bytes // _SECTOR), shlex.quote(harmless(self.file))
        return (
            f"xorriso -as cdrecord -v dev=/dev/sr0 -eject {name}",
            f"dd if=/dev/sr0 bs={_SECTOR} count={sectors} status=none | sha256sum",
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that a sheet tells; `tool` is what is carried to be run there, if anything."""

    inventory: Inventory
    signature: Signature
    volumes: tuple[SheetVolume, ...]
    tool: CarriedTool | None = None

    @property
    def images(self) -> tuple[Item, ...]:
        done = (item for item in self.inventory.items if item.state is ItemState.DONE)
        return tuple(item for item in done if item.kind != SIGNATURE)

    def format(self, form: SheetFormat) -> bytes:
        """The file; equal facts give equal bytes."""
        write = {SheetFormat.TEXT: _text, SheetFormat.CSV: _csv, SheetFormat.HTML: _html}[form]
        return write(self).encode()

    @property
    def _executables(self) -> str:
        if self.tool is None:
            return "none beside the images"
        version, hosts = harmless(self.tool.version), harmless(self.tool.hosts)
        return f"airgap-tui {version}, {size(self.tool.bytes)}, {hosts}"

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        inventory, signature = self.inventory, self.signature
        total = sum(volume.bytes for volume in self.volumes)
        return (
            ("Bundle", harmless(inventory.name)),
            ("Bundle ID", harmless(inventory.id)),
            ("Saved", harmless(inventory.updated or inventory.created)),
            ("Images", str(len(self.images))),
            ("Media", f"{count(len(self.volumes), 'volume')}, {size(total)} ({total} bytes)"),
            ("Signature", harmless(signature.sentence)),
            ("Signer", harmless(signature.signer) or "-"),
            ("Fingerprint", harmless(signature.fingerprint) or "-"),
            ("Executables", self._executables),
            *(
                ("Needs", f"layers of {harmless(base.name or base.id)}, which are not on the media")
                for assumption in inventory.assumes
                for base in assumption.bundles
            ),
        )


def source_of(item: Item) -> str:
    """Where an image came from: the registry by its name, or an engine or archive here."""
    return item.reference.registry if item.origin == "registry" else item.origin


_IMAGE_COLUMNS = ("Image", "Source", "Platform", "Digest", "Bytes")
_VOLUME_COLUMNS = ("Volume", "Form", "File", "Bytes", "SHA-256")


def _image_rows(sheet: Sheet) -> Iterable[tuple[str, ...]]:
    for item in sheet.images:
        yield (
            harmless(item.name),
            harmless(source_of(item)),
            str(item.platform or "all"),
            str(item.digest or ""),
            str(item.bytes),
        )


def _volume_rows(sheet: Sheet) -> Iterable[tuple[str, ...]]:
    for volume in sheet.volumes:
        yield (
            f"{volume.number} of {len(sheet.volumes)}",
            volume.form,
            harmless(volume.file) or "-",
            str(volume.bytes),
            volume.sha256 or "-",
        )


def _burn_rows(sheet: Sheet) -> Iterable[tuple[str, str, str]]:
    for volume in sheet.volumes:
        if volume.burning is not None:
            yield (str(volume.number), *volume.burning)


def _text(sheet: Sheet) -> str:
    lines = ["Transfer sheet", "==============", ""]
    for name, value in sheet.facts:
        lines += textwrap.wrap(
            f"{name + ':':13}{value}",
            _WIDTH,
            subsequent_indent=" " * 13,
            break_long_words=False,
            break_on_hyphens=False,
        )
    lines += ["", "Images", ""]
    for name, source, platform, digest, size_ in _image_rows(sheet):
        lines += [f"  {name}", f"    {digest}", f"    {size_} bytes, {platform}, from {source}"]
    lines += ["", "Media", ""]
    for number, form, file, size_, sha256 in _volume_rows(sheet):
        lines += [f"  {number}: {form} {file}, {size_} bytes", f"    SHA-256 {sha256}"]
    burning = tuple(_burn_rows(sheet))
    if burning:
        lines += ["", "Burning", ""]
        lines += textwrap.wrap(
            "The second command reads the disc back; it prints the SHA-256 of that volume.", _WIDTH
        )
        for number, burn, read in burning:
            lines += ["", f"  Volume {number}", f"    {burn}", f"    {read}"]
    lines += ["", "Handed over by: ______________________   Date: ____________", ""]
    lines += ["Received by:    ______________________   Date: ____________", ""]
    return "\n".join(lines)


def _csv(sheet: Sheet) -> str:
    """One table with a column that says what a row is: spreadsheets take one header only."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("Kind", "Name", "Source or form", "Platform", "Digest or SHA-256", "Bytes"))
    for name, value in sheet.facts:
        writer.writerow(map(_cell, ("fact", name, value, "", "", "")))
    for name, source, platform, digest, size_ in _image_rows(sheet):
        writer.writerow(map(_cell, ("image", name, source, platform, digest, size_)))
    for number, form, file, size_, sha256 in _volume_rows(sheet):
        writer.writerow(map(_cell, ("volume", f"{number}: {file}", form, "", sha256, size_)))
    for number, burn, read in _burn_rows(sheet):
        writer.writerow(map(_cell, ("burn", number, burn, "", "", "")))
        writer.writerow(map(_cell, ("read back", number, read, "", "", "")))
    return out.getvalue()


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) and text != "-" else text


_STYLE = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin:0 0 1.5em}"
    "td,th{border:1px solid #999;padding:.3em .6em;text-align:left;vertical-align:top}"
    "td.m,pre{font-family:monospace;word-break:break-all}@media print{body{margin:0}}"
)


def _html(sheet: Sheet) -> str:
    """Without scripts, fonts or pictures; a policy forbids a browser to fetch anything."""
    title = f"Transfer sheet: {_escaped(sheet.inventory.name)}"
    facts = "".join(
        f"<tr><th>{_escaped(name)}</th><td>{_escaped(value)}</td></tr>\n"
        for name, value in sheet.facts
    )
    burning = "".join(
        f"<h3>Volume {_escaped(number)}</h3>\n<pre>{_escaped(burn)}\n{_escaped(read)}</pre>\n"
        for number, burn, read in _burn_rows(sheet)
    )
    if burning:
        burning = (
            "<h2>Burning</h2>\n<p>The second command reads the disc back; it prints the SHA-256 of"
            f" that volume.</p>\n{burning}"
        )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"<table>\n{facts}</table>\n"
        f"<h2>Images</h2>\n{_table(_IMAGE_COLUMNS, _image_rows(sheet), 3)}"
        f"<h2>Media</h2>\n{_table(_VOLUME_COLUMNS, _volume_rows(sheet), 4)}{burning}"
        "<h2>Signed for</h2>\n<table>\n"
        '<tr><th>Handed over by</th><td style="width:20em">&nbsp;</td><th>Date</th>'
        '<td style="width:8em">&nbsp;</td></tr>\n'
        "<tr><th>Received by</th><td>&nbsp;</td><th>Date</th><td>&nbsp;</td></tr>\n"
        "</table>\n</body>\n</html>\n"
    )


def _table(columns: Sequence[str], rows: Iterable[tuple[str, ...]], code: int) -> str:
    head = "".join(f"<th>{_escaped(column)}</th>" for column in columns)
    lines = [f"<table>\n<tr>{head}</tr>\n"]
    for row in rows:
        cells = (
            f'<td class="m">{_escaped(cell)}</td>' if at == code else f"<td>{_escaped(cell)}</td>"
            for at, cell in enumerate(row)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    return "".join([*lines, "</table>\n"])


def _escaped(text: str) -> str:
    return html.escape(harmless(text))
