"""Every file of the corpus gives what its table says: nothing is missed, nothing invented."""

from __future__ import annotations

import pytest

from tests.engine.discovery import corpus


@pytest.mark.parametrize("name", corpus.files())
def test_a_file_gives_exactly_what_its_table_says(name: str) -> None:
    assert corpus.found(name) == corpus.expected(name)


def test_every_source_has_files() -> None:
    assert {name.partition("/")[0] for name in corpus.files()} == set(corpus.READERS)


@pytest.mark.parametrize("name", corpus.files())
def test_line_ends_of_windows_change_nothing(name: str) -> None:
    source, _, path = name.partition("/")
    content = (corpus.DIRECTORY / name).read_bytes()
    if b"\0" in content or b"\r" in content:
        return
    plain = corpus.read(source, content, path)
    assert corpus.read(source, content.replace(b"\n", b"\r\n"), path) == plain
