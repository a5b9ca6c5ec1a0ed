"""Names on the offline side: predictable, and never two images under one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import NameConflict, UsageError
from airgap_tui.engine.oci.naming import Naming, parse_registry
from airgap_tui.engine.oci.reference import Reference

DIGEST = "sha256:" + "ab" * 32


def named(reference: str, registry: str, *, keep: bool = False, maps: tuple[str, ...] = ()) -> str:
    naming = Naming.parse(registry, keep_registry=keep, maps=maps)
    return str(naming.target(Reference.parse(reference)))


@pytest.mark.parametrize(
    ("reference", "registry", "target"),
    [
        ("nvcr.io/nvidia/pytorch:T", "reg.lan:5000", "reg.lan:5000/nvidia/pytorch:T"),
        ("nvcr.io/nvidia/pytorch:T", "harbor.lan/ngc", "harbor.lan/ngc/nvidia/pytorch:T"),
        ("nvcr.io/nvidia/pytorch:T", "harbor.lan/a/b/", "harbor.lan/a/b/nvidia/pytorch:T"),
        ("ubuntu", "localhost:5000", "localhost:5000/library/ubuntu:latest"),
        ("ubuntu", "[::1]:5000", "[::1]:5000/library/ubuntu:latest"),
        (f"nvcr.io/x:1@{DIGEST}", "reg.lan", f"reg.lan/x:1@{DIGEST}"),
    ],
)
def test_the_source_registry_gives_way_to_the_new_one(
    reference: str, registry: str, target: str
) -> None:
    assert named(reference, registry) == target


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("nvcr.io/nvidia/cuda:1", "reg.lan/p/nvcr.io/nvidia/cuda:1"),
        ("ubuntu:1", "reg.lan/p/docker.io/library/ubuntu:1"),
        ("host.lan:5000/x:1", "reg.lan/p/host.lan_5000/x:1"),
        ("MyHost.lan/x:1", "reg.lan/p/myhost.lan/x:1"),
    ],
)
def test_the_source_registry_can_stay_in_the_path(reference: str, target: str) -> None:
    assert named(reference, "reg.lan/p", keep=True) == target


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ("nvcr.io/nvidia=mirror/nv", "reg.lan/mirror/nv/cuda:1"),
        ("nvidia=mirror/nv", "reg.lan/mirror/nv/cuda:1"),
        ("nvcr.io/nvidia/cuda=cuda", "reg.lan/cuda:1"),
        ("nvcr.io=", "reg.lan/nvidia/cuda:1"),
        ("nvcr.io/nvid=x", "reg.lan/nvidia/cuda:1"),
        ("/nvcr.io/nvidia/=/mirror/", "reg.lan/mirror/cuda:1"),
    ],
)
def test_own_rules_replace_whole_parts_of_the_path(rule: str, target: str) -> None:
    assert named("nvcr.io/nvidia/cuda:1", "reg.lan", maps=(rule,)) == target


def test_the_first_rule_that_fits_decides() -> None:
    maps = ("nvcr.io/nvidia/cuda=first", "nvcr.io/nvidia=second")
    assert named("nvcr.io/nvidia/cuda:1", "reg.lan", maps=maps) == "reg.lan/first:1"
    assert named("nvcr.io/nvidia/x:1", "reg.lan", maps=maps) == "reg.lan/second/x:1"


@pytest.mark.parametrize(
    ("registry", "reason"),
    [
        ("", "not a registry"),
        ("https://reg.lan", "protocol"),
        ("project", "namespace of Docker Hub"),
        ("reg.lan/UPPER", "capital"),
        ("reg.lan:port", "not a registry"),
        ("reg.lan/a:1", "not a registry"),
    ],
)
def test_what_is_no_registry_is_refused(registry: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Naming.parse(registry)


@pytest.mark.parametrize("rule", ["", "=", "=x", "nvcr.io"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="not a mapping"):
        Naming.parse("reg.lan", maps=(rule,))


def test_a_rule_that_gives_no_name_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        named("nvcr.io/nvidia/cuda:1", "reg.lan", maps=("nvcr.io/nvidia=UP",))


def test_two_images_do_not_get_one_name() -> None:
    both = [Reference.parse("docker.io/nvidia/cuda:1"), Reference.parse("nvcr.io/nvidia/cuda:1")]
    with pytest.raises(NameConflict) as caught:
        Naming.parse("reg.lan").assign(both)
    assert str(both[0]) in caught.value.message
    assert str(both[1]) in caught.value.message
    assert "reg.lan/nvidia/cuda:1" in caught.value.message
    assert "--keep-registry" in caught.value.hint
    assert len(set(Naming.parse("reg.lan", keep_registry=True).assign(both).values())) == 2
    other_tags = [both[0], Reference.parse("nvcr.io/nvidia/cuda:2")]
    assert len(Naming.parse("reg.lan").assign(other_tags)) == 2


def test_two_digests_under_one_tag_do_not_get_one_name() -> None:
    tagged = Reference.parse("nvcr.io/x:1")
    pinned = Reference.parse(f"nvcr.io/x:1@{DIGEST}")
    with pytest.raises(NameConflict):
        Naming.parse("reg.lan").assign([tagged, pinned])


@given(
    st.lists(
        st.builds(
            lambda registry, path, tag: Reference.parse(f"{registry}/{path}:{tag}"),
            st.sampled_from(["nvcr.io", "docker.io", "quay.io"]),
            st.sampled_from(["a/b", "a/c", "x"]),
            st.sampled_from(["1", "2"]),
        ),
        unique=True,
    ),
    st.booleans(),
)
def test_names_are_assigned_one_to_one_or_not_at_all(
    references: list[Reference], keep: bool
) -> None:
    naming = Naming.parse("reg.lan/p", keep_registry=keep)
    try:
        names = naming.assign(references)
    except NameConflict:
        assert not keep
        return
    assert list(names) == references
    assert len(set(names.values())) == len(references)
    assert all(name.registry == "reg.lan" for name in names.values())


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("harbor.lan", "harbor.lan"),
        ("reg.lan:5000/", "reg.lan:5000"),
        ("harbor.lan/project", "harbor.lan"),
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
    ],
)
def test_a_registry_is_what_references_name(text: str, registry: str) -> None:
    assert parse_registry(text) == registry
    assert Reference.parse(f"{registry}/a/b").registry == registry
