"""Lists of images: as people write them, and every bad line told at once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine import images_list
from airgap_tui.engine.errors import InvalidImagesList, InvalidReference, NotFound
from airgap_tui.engine.images_list import Addition, Place, Text, updated
from airgap_tui.engine.oci.reference import Reference

REPOSITORY_LIST = Path(__file__).parents[2] / "images_list.txt"


def names(content: bytes | str) -> list[str]:
    return [str(r) for r in images_list.parse([Text("list", content)]).references]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n \n\t\n# only comments\n   # indented\n", []),
        (b"ubuntu:22.04", ["docker.io/library/ubuntu:22.04"]),
        (b"ubuntu:22.04 # the base\n", ["docker.io/library/ubuntu:22.04"]),
        (b"ubuntu:22.04\t#the base\n", ["docker.io/library/ubuntu:22.04"]),
        (b"a b\tc\n", [f"docker.io/library/{x}:latest" for x in "abc"]),
        (b"a\r\nb\r\n", ["docker.io/library/a:latest", "docker.io/library/b:latest"]),
        (b"a\rb", ["docker.io/library/a:latest", "docker.io/library/b:latest"]),
        (b"\xef\xbb\xbfa\n", ["docker.io/library/a:latest"]),
        ("\ufeffa\n", ["docker.io/library/a:latest"]),
        ("a\u00a0b", ["docker.io/library/a:latest", "docker.io/library/b:latest"]),
        (b"a # b # c\n", ["docker.io/library/a:latest"]),
    ],
)
def test_reads_what_people_write(content: bytes | str, expected: list[str]) -> None:
    assert names(content) == expected


def test_a_hash_inside_a_word_is_no_comment() -> None:
    with pytest.raises(InvalidImagesList, match=r"line 1: 'nvcr\.io#nvidia/cuda:1'"):
        names(b"nvcr.io#nvidia/cuda:1\n")


def test_every_bad_line_of_every_file_is_told() -> None:
    first = Text("first.txt", b"good:1\nnvidia/PyTorch\n\nhttps://nvcr.io/x # y\r\n")
    second = Text("second.txt", b"a: b\n")
    with pytest.raises(InvalidImagesList) as caught:
        images_list.parse([first, second], ["Capital"])
    message = caught.value.message
    assert message.startswith("4 image names cannot be read:")
    assert "command line: 'Capital': capital letters are not allowed" in message
    assert "first.txt, line 2: 'nvidia/PyTorch': capital letters" in message
    assert "first.txt, line 4: 'https://nvcr.io/x': it begins with a protocol" in message
    assert "second.txt, line 1: 'a:': the tag after the colon is missing" in message
    assert "good" not in message
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_file_full_of_rubbish_gives_a_bounded_message() -> None:
    with pytest.raises(InvalidImagesList) as caught:
        names("\n".join(f"BAD{'x' * 5000}{n}" for n in range(1000)))
    assert "and 900 more" in caught.value.message
    assert len(caught.value.message) < 100_000


def test_one_bad_name_that_was_typed_keeps_its_own_error() -> None:
    with pytest.raises(InvalidReference) as caught:
        images_list.parse([], ["https://nvcr.io/nvidia/cuda"])
    assert "protocol" in caught.value.reason
    assert caught.value.hint


def test_duplicates_are_kept_once_with_the_lines_they_came_from() -> None:
    listed = images_list.parse(
        [Text("a", b"ubuntu\nother\n"), Text("b", b"\ndocker.io/library/ubuntu:latest\n")],
        ["index.docker.io/ubuntu"],
    )
    assert [str(entry.reference) for entry in listed.entries] == [
        "docker.io/library/ubuntu:latest",
        "docker.io/library/other:latest",
    ]
    (ubuntu,) = listed.repeated
    assert ubuntu.places == (Place("command line", 0), Place("a", 1), Place("b", 2))
    assert [str(place) for place in ubuntu.places] == ["command line", "a, line 1", "b, line 2"]


def test_a_name_twice_on_one_line_is_no_repetition_worth_telling() -> None:
    assert images_list.parse([Text("a", b"ubuntu ubuntu")]).repeated == ()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"good\n\xff\xfe\n", "line 2: this is not UTF-8"),
        ("ubuntu\n".encode("utf-16"), "not UTF-8"),
        (b"\0\0\0", "not a text file"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, match: str) -> None:
    with pytest.raises(InvalidImagesList, match=match):
        names(content)


def test_reading_names_the_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.txt cannot be read: No such file"):
        images_list.read(tmp_path / "absent.txt")
    with pytest.raises(NotFound, match="Is a directory"):
        images_list.read(tmp_path)


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_list, "MAX_BYTES", 10)
    (tmp_path / "list").write_bytes(b"x" * 11)
    with pytest.raises(InvalidImagesList, match="larger than 10 bytes"):
        images_list.read(tmp_path / "list")


def test_writing_replaces_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "images_list.txt"
    path.write_text("old")
    images_list.write(path, [Reference.parse("ubuntu")], "Two lines\n\nof comment")
    assert path.read_text() == "# Two lines\n#\n# of comment\ndocker.io/library/ubuntu:latest\n"
    assert [p.name for p in tmp_path.iterdir()] == ["images_list.txt"]
    assert stat.S_ISREG(path.stat().st_mode)


def test_writing_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        images_list.write(tmp_path / "taken", [])
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_the_repository_has_a_list_that_a_first_save_can_use() -> None:
    text = images_list.read(REPOSITORY_LIST)
    references = images_list.parse([text]).references
    repositories = {f"{r.registry}/{r.repository}" for r in references}
    assert {f"nvcr.io/nvidia/{n}" for n in ("cuda", "pytorch", "tensorrt", "tritonserver")} < (
        repositories
    )
    assert "docker.io/library/registry:2" in map(str, references)
    assert isinstance(text.content, bytes)
    assert text.content.startswith(b"# ")


PYTORCH = Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3")
CUDA = Reference.parse("nvcr.io/nvidia/cuda:12.9.1-base-ubuntu24.04")


def test_what_is_found_is_added_with_where_it_comes_from() -> None:
    found = [Addition(PYTORCH, "slurmd-log log, line 3"), Addition(CUDA), Addition(PYTORCH, "no")]
    begun = updated("", found, "Found on 2025-06-30.\n# before a name leaves it out for good.")
    assert begun.text == (
        "# Found on 2025-06-30.\n"
        "# # before a name leaves it out for good.\n"
        f"{PYTORCH}    # slurmd-log log, line 3\n"
        f"{CUDA}\n"
    )
    assert (begun.added, begun.known, begun.left_out) == ((PYTORCH, CUDA), (), ())
    again = updated(begun.text, found, "Found on 2025-07-31.")
    assert (again.text, again.added, again.known) == (begun.text, (), (PYTORCH, CUDA))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("ubuntu", True),
        ("x  index.docker.io/ubuntu:latest # why\r\n", True),
        (f"ubuntu:latest@sha256:{'1' * 64}\n", True),
        (f"ubuntu@sha256:{'1' * 64}\n", False),
        ("ubuntu:22.04\n", False),
        ("BAD ubuntu\n", True),
        ("x # ubuntu\n", False),
    ],
)
def test_what_the_list_has_already_is_known(text: str, known: bool) -> None:
    update = updated(text, [Addition(Reference.parse("ubuntu"))])
    assert bool(update.known) is known
    assert bool(update.added) is not known
    assert update.text.startswith(text)


@pytest.mark.parametrize(
    ("line", "left_out"),
    [
        (f"# {PYTORCH}", True),
        (f"#{PYTORCH}    # slurmd-log log, line 3", True),
        (f"  ## {PYTORCH}\t# too large", True),
        (f"# {PYTORCH} is too large", True),
        (f"# {CUDA} {PYTORCH}", True),
        (f"# {PYTORCH}@sha256:{'1' * 64}", True),
        ("#nvcr.io/nvidia/pytorch:25.06-py3\r", True),
        (f"# see {PYTORCH}", False),
        (f"other:1 # {PYTORCH}", False),
        ("# nvcr.io/nvidia/pytorch:25.05-py3", False),
        ("# nvcr.io/nvidia/pytorch", False),
    ],
)
def test_a_name_behind_a_hash_is_left_out_for_good(line: str, left_out: bool) -> None:
    update = updated(f"first:1\n{line}\nlast:1\n", [Addition(PYTORCH)])
    assert (update.left_out, update.added) == (((PYTORCH,), ()) if left_out else ((), (PYTORCH,)))


def test_a_short_name_is_left_out_only_where_it_stands_alone() -> None:
    ubuntu = Addition(Reference.parse("ubuntu"))
    assert updated("# ubuntu\n", [ubuntu]).left_out
    assert not updated("# ubuntu images\n", [ubuntu]).left_out


def test_a_line_that_was_deleted_is_new_again() -> None:
    assert updated(f"{CUDA}\n", [Addition(PYTORCH), Addition(CUDA)]).added == (PYTORCH,)


def test_line_ends_and_a_missing_last_one_are_kept() -> None:
    assert updated("a:1\r\nb:1", [Addition(CUDA, "x\n y\x1b")]).text == (
        f"a:1\r\nb:1\r\n\r\n{CUDA}    # x y?\r\n"
    )


def test_a_list_file_is_begun_added_to_and_else_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "images_list.txt"
    assert images_list.update(path, [Addition(CUDA)], "Found").added == (CUDA,)
    assert path.read_text() == f"# Found\n{CUDA}\n"
    path.write_bytes(b"\xef\xbb\xbf# mine\r\nbad name:\r\n")
    path.chmod(0o640)
    (tmp_path / "link").symlink_to(path)
    images_list.update(tmp_path / "link", [Addition(CUDA)])
    assert path.read_bytes() == (
        b"\xef\xbb\xbf# mine\r\nbad name:\r\n\r\n" + str(CUDA).encode() + b"\r\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    before = path.stat()
    assert images_list.update(path, [Addition(CUDA)]).known == (CUDA,)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["images_list.txt", "link"]


def test_a_file_that_is_no_list_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\0\1\2")
    with pytest.raises(InvalidImagesList):
        images_list.update(tmp_path / "list", [Addition(CUDA)])
    assert (tmp_path / "list").read_bytes() == b"\0\1\2"


words = st.text("abcdefghij0123456789", min_size=1, max_size=8)
references = st.builds(
    lambda registry, path, tag: Reference.parse(f"{registry}/{path}:{tag}"),
    st.sampled_from(["nvcr.io", "docker.io", "localhost:5000", "registry.lan"]),
    st.lists(words, min_size=1, max_size=3).map("/".join),
    words,
)


@given(st.lists(references, max_size=20, unique=True), st.text(max_size=60))
def test_what_is_written_is_read_back(listed: list[Reference], comment: str) -> None:
    comment = comment.replace("\r", " ")
    text = images_list.render(listed, comment)
    assert list(images_list.parse([Text("list", text)]).references) == listed


@given(
    st.lists(st.tuples(references, st.sampled_from([" ", "\t", "\n", "\r\n", " # why\n"]))),
    st.booleans(),
)
def test_separators_do_not_change_the_list(
    pairs: list[tuple[Reference, str]], marked: bool
) -> None:
    text = "".join(f"{reference}{separator}" for reference, separator in pairs)
    encoded = text.encode("utf-8-sig" if marked else "utf-8")
    expected = tuple(dict.fromkeys(reference for reference, _ in pairs))
    assert images_list.parse([Text("list", encoded)]).references == expected


@given(st.binary(max_size=200))
def test_any_bytes_give_a_list_or_an_error_that_names_the_file(content: bytes) -> None:
    try:
        images_list.parse([Text("the file", content)])
    except InvalidImagesList as error:
        assert "the file" in error.message


def test_a_note_stands_behind_its_name_and_is_no_name(tmp_path: Path) -> None:
    first, second = Reference.parse("nvcr.io/nvidia/cuda:12"), Reference.parse("ubuntu")
    path = tmp_path / "list.txt"
    images_list.write(path, [first, second], "Title", {first: "sha256:abc,\n2025-06-24 nvcr.io/x"})
    assert path.read_text() == (
        "# Title\nnvcr.io/nvidia/cuda:12    # sha256:abc, 2025-06-24 nvcr.io/x\n"
        "docker.io/library/ubuntu:latest\n"
    )
    assert images_list.parse([images_list.read(path)]).references == (first, second)


edits = st.lists(
    st.one_of(
        references.map(str),
        references.map(lambda reference: f"# {reference}"),
        st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30),
        st.just(""),
    ),
    max_size=12,
)


@given(edits, st.sampled_from(["\n", "\r\n"]), st.lists(references, max_size=8), st.booleans())
def test_an_update_keeps_every_edit_and_settles_at_once(
    lines: list[str], end: str, found: list[Reference], whole: bool
) -> None:
    text = end.join(lines) + (end if whole else "")
    additions = [Addition(reference, f"from {number}") for number, reference in enumerate(found)]
    update = updated(text, additions, "Found")
    assert update.text.startswith(text)
    assert {*update.added, *update.known, *update.left_out} == set(found)
    assert updated(update.text, additions, "Found").text == update.text
    if update.added:
        rest = update.text[len(text) :]
        assert images_list.parse([Text("rest", rest)]).references == update.added
    else:
        assert update.text == text


@given(st.lists(references, min_size=1, max_size=8, unique=True), st.data())
def test_what_a_user_comments_out_stays_out(found: list[Reference], data: st.DataObject) -> None:
    additions = [Addition(reference, "why") for reference in found]
    lines = updated("", additions).text.splitlines()
    out = data.draw(st.integers(0, len(lines) - 1))
    lines[out] = f"# {lines[out]}"
    update = updated("\n".join(lines), additions)
    assert (update.added, update.left_out) == ((), (found[out],))
