"""Files of the NGC Replicator: read without running anything, and explained."""

from __future__ import annotations

import collections
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import AirgapError, InvalidImagesList, NotFound, UsageError
from airgap_tui.engine.ngc import descriptions, replicator
from airgap_tui.engine.ngc.replicator import read_external_images, read_state
from airgap_tui.engine.ngc.repository import RepositoryName

DATE = "2017-12-04T05:56:41.1440512Z"


def written(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "state.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_it_wrote(**repositories: dict[str, str]) -> str:
    """What `yaml.dump` makes of the replicator's state, a `defaultdict`."""
    state: dict[str, Any] = collections.defaultdict(dict)
    state.update({name.replace("__", "/"): tags for name, tags in repositories.items()})
    return str(yaml.dump(state))


def test_a_state_as_the_replicator_wrote_it(tmp_path: Path) -> None:
    text = as_it_wrote(nvidia__cuda={"18.10": DATE, "latest": DATE}, ubuntu={"16.04": ""})
    assert "!!python/object/apply:collections.defaultdict" in text
    state = read_state(written(tmp_path, text))
    known = {(one.repository, one.tag): one.date for one in state.copied}
    when = datetime(2017, 12, 4, 5, 56, 41, tzinfo=timezone.utc)
    assert known == {
        ("nvidia/cuda", "18.10"): when, ("nvidia/cuda", "latest"): when, ("ubuntu", "16.04"): None,
    }  # fmt: skip
    told = state.explain()
    assert "had copied 3 tags of 2 repositories" in told
    assert "Of 2 it noted" in told
    assert "no digests" in told


def test_a_tag_that_looks_like_a_number_stays_what_it_is(tmp_path: Path) -> None:
    state = read_state(written(tmp_path, f"nvidia/cuda:\n  18.10: '{DATE}'\n  9.0: x\n"))
    assert [one.tag for one in state.copied] == ["18.10", "9.0"]


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    text = f"!!python/object/apply:os.system ['touch {victim}']"
    with pytest.raises(UsageError, match="is not a state"):
        read_state(written(tmp_path, text))
    both = f"nvidia/cuda: !!python/object/apply:os.system ['touch {victim}']\n"
    state = read_state(written(tmp_path, f"{both}nvidia/pytorch: {{'25.06-py3': '{DATE}'}}\n"))
    assert [one.repository for one in state.copied] == ["nvidia/pytorch"]
    assert state.unreadable == 1
    assert not victim.exists()


@pytest.mark.parametrize("content", ["", "{}", "--- {}\n", "dictitems: {}"])
def test_an_empty_state(tmp_path: Path, content: str) -> None:
    assert read_state(written(tmp_path, content)).copied == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a\n- b\n", "is not a state.yml"),
        ("a: [", "line 2: this is not YAML|line 1: this is not YAML"),
        (b"\x00\xff\xfe", "this is not YAML"),
        ("just text", "is not a state.yml"),
        ("[" * 20_000, "not YAML|not a state.yml"),
        (b" " * (replicator.MAX_BYTES + 1), "is larger than"),
    ],
)
def test_what_is_no_state(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_state(written(tmp_path, content))


def test_many_names_for_one_mapping_end(tmp_path: Path) -> None:
    tags = ", ".join(f"'{n}.0': x" for n in range(2000))
    repositories = "".join(f"r{n}: *a\n" for n in range(2000))
    with pytest.raises(UsageError, match="names more than"):
        read_state(written(tmp_path, f"first: &a {{{tags}}}\n{repositories}"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_state(tmp_path / "absent.yml")


@given(st.binary(max_size=200) | st.text(alphabet="ab:-{}[]&*!?|>'\"# \n\t0.", max_size=80))
def test_any_file_is_read_or_refused(tmp_path_factory: Any, content: bytes | str) -> None:
    path = tmp_path_factory.mktemp("any") / "state.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (read_state, read_external_images):
        try:
            read(path)
        except AirgapError as error:
            assert error.exit_code in (2, 4)


def test_external_images(tmp_path: Path) -> None:
    text = """
    images:
      - name: ubuntu
        tag: 18.10
      - name: nvcr.io/nvidia/cuda
        tag: "12.4.1-base-ubi9"
      - name: docker.io/library/busybox
    """
    found = [str(one) for one in read_external_images(written(tmp_path, text))]
    assert found == [
        "docker.io/library/ubuntu:18.10",
        "nvcr.io/nvidia/cuda:12.4.1-base-ubi9",
        "docker.io/library/busybox:latest",
    ]


def test_every_bad_external_image_is_told(tmp_path: Path) -> None:
    text = "images: [{name: UP}, {tag: x}, plain, {name: a, tag: [1]}, {name: good}]"
    with pytest.raises(InvalidImagesList, match="4 images cannot be read") as bad:
        read_external_images(written(tmp_path, text))
    for number in (1, 2, 3, 4):
        assert f"image {number}:" in bad.value.message
    with pytest.raises(UsageError, match="holds no external images"):
        read_external_images(written(tmp_path, "ubuntu: 18.10"))


def test_a_description_is_a_file_as_the_replicator_named_it(tmp_path: Path) -> None:
    name = RepositoryName.parse("nvidia/k8s/dcgm-exporter")
    path = descriptions.write(tmp_path / "new", name, "# Title\r\n\r\ntext \x1b[31mred\n\n")
    assert path.name == "description_nvidia%%k8s%%dcgm-exporter.md"
    assert path.read_text() == "# Title\n\ntext ?[31mred\n"
    descriptions.write(tmp_path / "new", name, "other")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "other\n"
