"""Reading a tar from front to back: what it gives, what it refuses, what it tells of a bad end."""

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.bundle.archives.tar_stream import Kind, TarStream
from airgap_tui.engine.errors import EngineFailure, MalformedContent, UnsafeContent
from airgap_tui.engine.oci.read_ahead import ReadAhead
from tests.engine.bundle.archives.engine_archives import Archive

FILES = {"a": b"", "b/c.json": b"{}", "d": b"x" * 511, "e": b"y" * 512, "f": b"z" * 70_001}


class Cut:
    """Hands out a tar in pieces of a size that no header respects."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = memoryview(data)
        self._step = step

    def take(self) -> memoryview:
        piece, self._data = self._data[: self._step], self._data[self._step :]
        return piece


def tar(files: dict[str, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    archive = Archive(tar_format)
    for name, content in files.items():
        archive.file(name, content)
    return archive.finish()


def contents(data: bytes, step: int = 1000) -> dict[str, bytes]:
    stream = TarStream(Cut(data, step))
    return {m.name: b"".join(map(bytes, stream.chunks())) for m in stream if m.kind is Kind.FILE}


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 1 << 20])
@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_reads_every_format_however_it_is_cut(step: int, tar_format: int) -> None:
    assert contents(tar(FILES, tar_format), step) == FILES


@settings(deadline=None, max_examples=30)
@given(
    files=st.dictionaries(
        st.text("abcdefgh/é", min_size=1, max_size=300).map(lambda t: f"n{t.strip('/')}"),
        st.binary(max_size=2000),
        max_size=6,
    ),
    step=st.integers(1, 3000),
    tar_format=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_reads_what_tarfile_writes(files: dict[str, bytes], step: int, tar_format: int) -> None:
    joined = {"/".join(filter(None, name.split("/"))): data for name, data in files.items()}
    assert contents(tar(joined, tar_format), step) == joined


def test_members_that_are_not_read_are_passed_over() -> None:
    assert [m.name for m in TarStream(Cut(tar(FILES), 4096))] == list(FILES)


def test_part_of_a_member_can_be_read() -> None:
    stream = TarStream(Cut(tar({"a": b"0123456789", "b": b"end"}), 5))
    members = iter(stream)
    assert next(members).size == 10
    assert stream.read(4) == b"0123"
    assert stream.read(99) == b"456789"
    assert stream.read(99) == b""
    assert next(members).name == "b"


def test_contents_are_what_tar_xo_shows() -> None:
    hasher = hashlib.sha256()
    stream = TarStream(Cut(tar(FILES), 999), contents=hasher)
    for number, _ in enumerate(stream):
        if number % 2:
            stream.read(100)
    assert hasher.hexdigest() == hashlib.sha256(b"".join(FILES.values())).hexdigest()


def test_a_link_is_resolved_inside_the_archive() -> None:
    archive = Archive()
    archive.other("x/layer.tar", tarfile.SYMTYPE, "../y/layer.tar")
    (member,) = TarStream(Cut(archive.finish(), 100))
    assert (member.kind, member.target) == (Kind.LINK, "y/layer.tar")


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("x", tarfile.SYMTYPE, "../../etc/passwd"),
        ("a/x", tarfile.SYMTYPE, "/etc/passwd"),
        ("x", tarfile.LNKTYPE, "y"),
        ("x", tarfile.CHRTYPE, ""),
        ("x", tarfile.FIFOTYPE, ""),
        ("../x", tarfile.REGTYPE, ""),
        ("/x", tarfile.REGTYPE, ""),
        ("a/../../x", tarfile.DIRTYPE, ""),
    ],
)
def test_what_leads_outside_or_is_special_is_refused(name: str, kind: bytes, link: str) -> None:
    archive = Archive()
    archive.other(name, kind, link)
    with pytest.raises(UnsafeContent):
        list(TarStream(Cut(archive.finish(), 512)))


def test_a_huge_extended_header_is_refused() -> None:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 31
    with pytest.raises(UnsafeContent):
        list(TarStream(Cut(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096), 512)))


def extended(records: bytes) -> bytes:
    """A tar of one empty file with these records before it."""
    before, member = tarfile.TarInfo("././@PaxHeader"), tarfile.TarInfo("a")
    before.type, before.size = tarfile.XHDTYPE, len(records)
    return b"".join(
        (before.tobuf(), records, bytes(-len(records) % 512), member.tobuf(), bytes(1024))
    )


def test_a_megabyte_of_the_smallest_records_is_read() -> None:
    (member,) = TarStream(Cut(extended(b"5 a=\n" * 200_000), 1 << 20))
    assert (member.name, member.size) == ("a", 0)


@pytest.mark.parametrize(
    "records",
    [
        b"9" * 5000 + b" a=b\n",
        b"5009 size=" + b"9" * 4998 + b"\n",
        b"30 size=%d\n" % 2**63,
        b"4 a=b\n",
        b"900 a=b\n",
        b"x",
    ],
)
def test_an_extended_header_that_lies_is_malformed(records: bytes) -> None:
    with pytest.raises(MalformedContent, match=r"extended tar header|member's size"):
        list(TarStream(Cut(extended(records), 512)))


@pytest.mark.parametrize("cut", [0, 100, 512, 1024, 60_000])
def test_an_archive_that_ends_too_early_is_malformed(cut: int) -> None:
    with pytest.raises(MalformedContent):
        contents(tar(FILES)[:cut])


@pytest.mark.parametrize("text", [b"", b"nvcr.io/nvidia/cuda:1\n", b"no tar header\n" * 200])
def test_what_is_no_tar_at_all_is_called_so(text: bytes) -> None:
    with pytest.raises(MalformedContent, match="is not a tar") as error:
        contents(text)
    assert "docker save" in error.value.hint


def test_something_behind_the_end_is_malformed() -> None:
    with pytest.raises(MalformedContent):
        contents(tar(FILES) + b"more")


@pytest.mark.parametrize("where", ["in a member", "between members", "at the end"])
def test_an_engine_that_fails_while_sending_is_quoted(where: str) -> None:
    said = (
        b'{"errorDetail":{"message":"open /x: no such file"},"error":"open /x: no such file"}\r\n'
    )
    whole = tar({"layer.tar": b"x" * 5000, "manifest.json": b"[]"})
    cut = {"in a member": 3000, "between members": 512 + 5120, "at the end": len(whole)}[where]
    with pytest.raises(EngineFailure, match="open /x: no such file"):
        contents(whole[:cut] + said, 700)


def test_an_engine_s_words_without_end_are_none() -> None:
    cut = tar({"layer.tar": b"x" * 5000})[:3000]
    with pytest.raises(MalformedContent, match="ends too early"):
        contents(cut + b'{"error":' + b"[" * 2000, 700)


def test_json_in_a_layer_is_not_taken_for_a_failure() -> None:
    inner = b'{"error":"not one"}' + b"x" * 100
    with pytest.raises(MalformedContent):
        contents(tar({"layer.tar": inner * 40})[: 512 + 2100])


def test_through_a_thread() -> None:
    with closing(ReadAhead(io.BytesIO(tar(FILES)), chunk=1024)) as source:
        stream = TarStream(source)
        found = {member.name: stream.read(1 << 20) for member in stream}
    assert found == FILES
