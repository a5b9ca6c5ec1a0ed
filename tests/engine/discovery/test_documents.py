"""JSON and YAML of outsiders: what is in them, and what they cannot do."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.discovery.sources import documents as documents_module
from airgap_tui.engine.discovery.sources.documents import Broken, Document, documents, line_of


def values(text: str) -> list[Any]:
    read = list(documents(text.encode()))
    assert all(isinstance(one, Document) for one in read), read
    return [one.value for one in read if isinstance(one, Document)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("---\n---\n", []),
        ("a: 1.10\nb: null\nc: ~\nd:\ne: true\nf: 'true'\n", [
            {"a": "1.10", "b": None, "c": None, "d": None, "e": True, "f": "true"}]),
        ("a: [1, {b: 2}]\n---\n- x\n...\n---\ny\n", [{"a": ["1", {"b": "2"}]}, ["x"], "y"]),
        ("%YAML 1.2\n---\na: 1\n", [{"a": "1"}]),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n", [
            {"a": {"b": "1", "c": "2"}, "d": {"b": "3", "c": "2"}}]),
        ("? [a]\n: b\nc: d\n", [{"": "b", "c": "d"}]),
        ('a: !!python/object/apply:os.system ["x"]\n', [{"a": ["x"]}]),
        ('{"a": 1.10, "b": [null, true]}', [{"a": "1.10", "b": [None, True]}]),
        ('{"a": 1}\n\n{"a": 2}[3]', [{"a": "1"}, {"a": "2"}, ["3"]]),
        ("{a: b}\n", [{"a": "b"}]),
        ("{a: b}\n---\n[c]\n", [{"a": "b"}, ["c"]]),
    ],
)  # fmt: skip
def test_what_is_written_is_read(text: str, expected: list[Any]) -> None:
    assert values(text) == expected


def test_texts_know_their_lines() -> None:
    first, second = values("# c\na: x\n---\nb:\n  - y\n")
    assert (line_of(first["a"]), line_of(second["b"][0])) == (2, 5)
    assert line_of(None) == 0


def test_documents_know_where_they_begin() -> None:
    assert [one.line for one in documents(b'{"a": 1}')] == [0]
    assert [one.line for one in documents(b'{"a": 1}\n{"a": 2}\n')] == [1, 2]
    assert [one.line for one in documents(b"a: 1\n---\nb: 2\n")] == [1, 2]


def test_a_broken_document_hides_no_other() -> None:
    assert list(documents(b"a: 1\n---\nb: [\n---\nc: 1\n")) == [
        Document({"a": "1"}, 1),
        Broken(4),
        Document({"c": "1"}, 4),
    ]
    assert list(documents(b'{"a": 1}\n{"b": \n{"c": 1}\n')) == [
        Document({"a": "1"}, 1),
        Broken(2),
        Document({"c": "1"}, 3),
    ]
    assert list(documents(b"a: {{ x }}: [\n")) == [Broken(1, template=True)]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "- " * 100_000, "a: " + "{" * 1000],
    ids=["list", "object", "sequence", "mapping"],
)
def test_depth_is_bounded(text: str) -> None:
    assert all(isinstance(one, Broken) for one in documents(text.encode()))


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents_module, "MAX_NODES", 100)
    assert list(documents(b"- x\n" * 98)) == [Document(["x"] * 98)]
    assert list(documents(b"- x\n" * 100)) == [Broken(1)]
    bomb = "a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(20)) + "}\n"
    bomb += "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 50))
    assert list(documents(bomb.encode())) == [Broken(1)]


def test_aliases_are_shared_and_may_lead_back() -> None:
    (value,) = values("a: &a [x]\nb: [*a, *a]\nc: &c {d: *c}\ne: *unknown\n".replace("e:", "e: #"))
    assert value["b"][0] is value["b"][1] is value["a"]
    assert value["c"]["d"] is value["c"]
    assert [type(one) for one in documents(b"e: *unknown\n")] in ([Document], [Broken])


def test_a_file_that_is_something_else_ends_early() -> None:
    assert len(list(documents(b'{"a": \n' * 10_000))) == documents_module.MAX_BROKEN


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text("abcé: -#'\"\n", max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(plain.filter(bool), min_size=1, max_size=4))
def test_yaml_means_what_it_means_elsewhere(written: list[Any]) -> None:
    text = yaml.safe_dump_all(written, allow_unicode=True, explicit_start=True)
    assert values(text) == written


@given(st.binary(max_size=300))
def test_any_bytes_end(content: bytes) -> None:
    assert len(list(islice(documents(content), 1000))) < 1000
