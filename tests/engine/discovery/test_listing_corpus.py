"""Every format of listings, manifests and workflow files, with exactly what is to be found in it.

Beside each file of the corpus stands what it must give, no more and no less: a line for each
finding with its state, the line that it stands on and what it names, and one for each remark.
Docker's, Podman's and ctr's listings were made by these programs; the others follow their sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.opening import HEAD
from airgap_tui.engine.discovery.recognition import recognised
from airgap_tui.engine.discovery.sources import (
    compose,
    dockerfile,
    engine_listing,
    kubernetes,
    workflow,
)

CORPUS = Path(__file__).parent / "listing_corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".expected")
READERS: dict[str, Callable[[bytes, Place], Iterator[Finding | Remark]]] = {
    "docker": partial(engine_listing.read, kind=Kind.DOCKER),
    "podman": partial(engine_listing.read, kind=Kind.PODMAN),
    "containerd": partial(engine_listing.read, kind=Kind.CONTAINERD),
    "kubernetes": kubernetes.read,
    "dockerfile": dockerfile.read,
    "compose": compose.read,
    "workflow": workflow.read,
}
NOT_TELLING: dict[str, Kind | None] = {
    "compose/other.yaml": None,
    "compose/version-1.yml": None,
    "docker/empty.txt": None,
    "docker/images-quiet.txt": None,
    "docker/no-daemon.txt": None,
    "docker/ps-template.txt": None,
    "kubernetes/jsonpath-counted.txt": None,
    "kubernetes/jsonpath.txt": None,
    "kubernetes/values.yaml": None,
    "podman/images-noheading.txt": None,
    "podman/images-template.txt": Kind.DOCKER,
}
"""Files that neither name nor content gives away, or that look like another engine's."""

NAMED_BY_USERS = ("dockerfile", "compose", "workflow")
"""Kinds of files that have their names from convention; listings are saved under any name."""


def found(path: Path) -> list[str]:
    """What a file of the corpus gives, as the expected lines are written."""
    kind = path.relative_to(CORPUS).parts[0]
    return [told(one) for one in READERS[kind](path.read_bytes(), Place(path.name))]


def told(one: Finding | Remark) -> str:
    if isinstance(one, Remark):
        return f"remark {one.place.line} {one.text}"
    name = one.reference if one.state in (State.USED, State.FAILED) else one.written
    time = f" at {one.time:%Y-%m-%dT%H:%M:%S%z}" if one.time else ""
    reason = f": {one.reason}" if one.reason else ""
    return f"{one.state.value} {one.place.line} {name}{time}{reason}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_exactly_what_is_there_is_found(path: Path) -> None:
    expected = path.with_name(f"{path.name}.expected").read_text("utf-8").splitlines()
    assert found(path) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_what_a_file_is_is_told_by_its_content_and_its_name(path: Path) -> None:
    kind = path.parent.name
    name = path.name if kind in NAMED_BY_USERS else "saved.txt"
    expected = NOT_TELLING.get(str(path.relative_to(CORPUS)), Kind(kind))
    assert recognised(name, path.read_bytes()[:HEAD]) == expected


@pytest.mark.parametrize("kind", READERS)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_remarked_upon(kind: str, content: bytes) -> None:
    for one in READERS[kind](content, Place("any")):
        assert told(one).encode("utf-8")


PIECES = sorted({piece for path in FILES for piece in re.findall(rb"\S+|\s+", path.read_bytes())})


@pytest.mark.parametrize("kind", READERS)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
def test_pieces_of_real_files_are_read_or_remarked_upon(kind: str, content: bytes) -> None:
    for one in READERS[kind](content, Place("any")):
        assert told(one).encode("utf-8")


@given(st.data())
@settings(max_examples=300)
def test_damaged_files_are_read_or_remarked_upon(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(FILES))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 50)))
        content[start:end] = data.draw(st.binary(max_size=8))
    recognised(path.name, bytes(content[:HEAD]))
    for one in READERS[path.parent.name](bytes(content), Place("any")):
        assert told(one).encode("utf-8")


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_file_is_recognised_or_not(content: bytes, name: str) -> None:
    assert recognised(name, content) in {None, *Kind}


SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789", min_size=16, max_size=40)
WITH_SECRETS: dict[str, tuple[str, ...]] = {
    "docker": (
        '[{{"Image": "user:{0}@nvcr.io/nvidia/cuda:1", "Command": "{0}", "RunningFor": "1"}}]',
        "{0}:{0}@nvcr.io/a:1\nhttps://u:{0}@x/y\n",
    ),
    "kubernetes": (
        "kind: Pod\nspec:\n  containers:\n  - image: https://user:{0}@nvcr.io/a\n    env:\n"
        "    - {{name: KEY, value: nvapi-{0}}}\n  - image: 'docker://$oauthtoken:{0}@nvcr.io/x:1'\n",
        "kind: Secret\nstringData: {{key: {0}}}\n---\nkind: Pod\nspec: [{{ {0}\n",
    ),
    "dockerfile": (
        "ARG TOKEN={0}\nFROM nvcr.io/x:1\nRUN curl -H 'Authorization: Bearer {0}' x\n"
        "FROM user:{0}@nvcr.io/nvidia/cuda:1\nFROM nvcr.io/x:${{T:?{0}}}\n",
    ),
    "compose": (
        "services:\n  a:\n    image: u:{0}@nvcr.io/a:1\n    environment: {{P: {0}}}\n"
        "  b:\n    image: nvcr.io/b:${{P:?{0}}}\n",
    ),
    "workflow": (
        "params.key = '{0}'\nprocess A {{ container 'https://u:{0}@depot/x' }}\n"
        "process B {{ container \"nvcr.io/x:${{params.key2 ?: '{0}'}}\" }}\n",
        'rule a:\n  container: "docker://u:{0}@nvcr.io/x:1"\n',
    ),
}


@pytest.mark.parametrize("kind", WITH_SECRETS)
@given(SECRETS)
def test_no_secret_comes_out(kind: str, secret: str) -> None:
    for text in WITH_SECRETS[kind]:
        found = list(READERS[kind](text.format(secret).encode(), Place("any")))
        assert found
        assert secret not in repr(found)
