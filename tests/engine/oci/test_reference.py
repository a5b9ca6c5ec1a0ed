"""Image references: the grammar of distribution/reference, with its traps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import InvalidReference
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:22.04", "docker.io/library/ubuntu:22.04"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("docker.io/library/ubuntu", "docker.io/library/ubuntu:latest"),
        ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("docker.io/nvidia/cuda:1", "docker.io/nvidia/cuda:1"),
        ("nvidia/cuda:1", "docker.io/nvidia/cuda:1"),
        ("nvcr.io/nvidia/cuda:12.4.1-base", "nvcr.io/nvidia/cuda:12.4.1-base"),
        ("nvcr.io/nvidia/k8s/dcgm-exporter:4", "nvcr.io/nvidia/k8s/dcgm-exporter:4"),
        # Only docker.io has library/.
        ("quay.io/x", "quay.io/x:latest"),
        # A port is no tag, and a tag no port.
        ("host:5000", "docker.io/library/host:5000"),
        ("host:5000/x", "host:5000/x:latest"),
        ("host:5000/x:1", "host:5000/x:1"),
        ("localhost", "docker.io/library/localhost:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("127.0.0.1:5000/x/y", "127.0.0.1:5000/x/y:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("[2001:db8::1]/x", "[2001:db8::1]/x:latest"),
        ("host:99999999/x", "host:99999999/x:latest"),
        # A capital letter makes a first part a registry.
        ("A/b", "A/b:latest"),
        ("MyHost.LAN/b:T", "MyHost.LAN/b:T"),
        # Not folded, unlike in regclient.
        ("registry-1.docker.io/library/x", "registry-1.docker.io/library/x:latest"),
        # Separators inside a part.
        ("a__b/c-d/e--f/g.h:1", "docker.io/a__b/c-d/e--f/g.h:1"),
        ("x:_tag", "docker.io/library/x:_tag"),
        ("x:A.b-c_1", "docker.io/library/x:A.b-c_1"),
        # 63 digits are a name; 64 would be an image ID.
        ("a" * 63, f"docker.io/library/{'a' * 63}:latest"),
        (f"{'a' * 64}/x", f"docker.io/{'a' * 64}/x:latest"),
        # Tag and digest are both kept; a digest alone gets no tag.
        (f"x@{SHA256}", f"docker.io/library/x@{SHA256}"),
        (f"x:1@{SHA256}", f"docker.io/library/x:1@{SHA256}"),
        (f"host:5000/x:1@{SHA512}", f"host:5000/x:1@{SHA512}"),
    ],
)
def test_what_people_write_gets_its_full_name(text: str, full: str) -> None:
    assert str(Reference.parse(text)) == full
    assert str(Reference.parse(full)) == full


def test_the_parts() -> None:
    reference = Reference.parse(f"nvcr.io/nvidia/cuda:12@{SHA256}")
    assert reference.registry == "nvcr.io"
    assert reference.repository == "nvidia/cuda"
    assert reference.tag == "12"
    assert reference.digest == Digest.parse(SHA256)
    assert reference.name == "nvcr.io/nvidia/cuda"
    assert reference.tagged_name == "nvcr.io/nvidia/cuda:12"
    assert reference.locator == SHA256
    assert Reference.parse("x").locator == "latest"
    assert Reference.parse(f"x@{SHA256}").tagged_name == f"docker.io/library/x@{SHA256}"
    assert str(Reference.parse("x:1").pinned(Digest.parse(SHA256))).endswith(f"x:1@{SHA256}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("https://nvcr.io/x", "protocol"),
        ("docker://x", "protocol"),
        ("nvidia/PyTorch", "capital letters are not allowed in nvidia/PyTorch"),
        ("Ubuntu", "capital letters"),
        ("a b", "white space"),
        ("x:latest\n", "not a tag"),
        ("x\n", "white space"),
        ("x:", "the tag after the colon is missing"),
        ("x:.y", "not a tag"),
        ("x:-y", "not a tag"),
        ("x:ü", "not a tag"),
        (f"x:{'y' * 129}", "longer than 128"),
        ("/x", "slashes is empty"),
        ("x/", "slashes is empty"),
        ("x//y", "slashes is empty"),
        ("nvcr.io/", "the repository is missing"),
        ("nvcr.io//x", "slashes is empty"),
        ("-x", "begins and ends with a letter or digit"),
        ("x-", "begins and ends"),
        ("x___y", "begins and ends"),
        ("x..y", "begins and ends"),
        ("x._y", "begins and ends"),
        ("../../etc/passwd", "not a registry host"),
        ("a/../b", "begins and ends"),
        ("x$y", r"\$ is not allowed"),
        ("xé", "é is not allowed"),
        ("٣", "٣ is not allowed"),
        ("ho_st.com/a", "'ho_st.com' is not a registry host"),
        ("-host.com/a", "not a registry host"),
        ("host.com:/a", "not a registry host"),
        ("host.com:٣/a", "not a registry host"),
        ("[::1/x", "not a registry host"),
        ("[::zz]:1/x", "not a registry host"),
        ("[:]:1/x", "not a registry host"),
        ("[1::2::3]/x", "not a registry host"),
        ("0123456789abcdef" * 4, "image ID"),
        (f"x@{SHA256[:-1]}", "takes 64 hex digits, not 63"),
        (f"x@{SHA256.upper().replace('SHA256', 'sha256')}", "lower case"),
        ("x@sha256:", "expected algorithm:hex"),
        ("x@", "expected algorithm:hex"),
        ("x@md5:0123456789abcdef0123456789abcdef", "algorithm md5 is unknown"),
        (f"x@{SHA256}@{SHA256}", "not a digest"),
        (f"x@{SHA256}:1", "not a digest"),
        (f"{SHA256}", None),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_the_reason(text: str, reason: str | None) -> None:
    if reason is None:  # `sha256` is a repository, and the digits make a tag
        assert Reference.parse(text).repository == "library/sha256"
        return
    with pytest.raises(InvalidReference, match=reason) as caught:
        Reference.parse(text)
    assert caught.value.text == text
    assert repr(text) in caught.value.message
    assert caught.value.exit_code == 2


def test_a_repository_has_255_characters_with_library() -> None:
    longest = 255 - len("library/")
    assert len(Reference.parse("a" * longest).repository) == 255
    with pytest.raises(InvalidReference, match="longer than 255"):
        Reference.parse("a" * (longest + 1))
    assert Reference.parse("nvcr.io/" + "a" * 255).repository == "a" * 255
    with pytest.raises(InvalidReference, match="longer than 255"):
        Reference.parse("nvcr.io/" + "a" * 256)


ALNUM = "abcxyz019"
alnum = st.text(ALNUM, min_size=1, max_size=6)
component = st.builds(
    lambda first, more: first + "".join(s + w for s, w in more),
    alnum,
    st.lists(st.tuples(st.sampled_from(["_", ".", "__", "-", "--", "---"]), alnum), max_size=2),
)
repository = st.lists(component, min_size=1, max_size=4).map("/".join)
label = st.builds(lambda a, b: f"{a}-{b}" if b else a, alnum, st.text(ALNUM, max_size=3))
registry = st.one_of(
    st.sampled_from(["localhost", "nvcr.io", "docker.io", "[::1]:5000", "10.0.0.1:5000"]),
    st.builds(
        lambda labels, port: ".".join(labels) + port,
        st.lists(label, min_size=2, max_size=3),
        st.sampled_from(["", ":1", ":5000", ":65535"]),
    ),
)
tag = st.builds(
    lambda first, rest: first + rest,
    st.sampled_from("aZ0_"),
    st.text("abcXYZ019_.-", max_size=127),
)
digest = st.sampled_from([None, SHA256, SHA512])


@given(registry, repository, st.none() | tag, digest)
def test_every_name_of_the_grammar_is_read_and_written_unchanged(
    registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    text = f"{registry}/{repository}"
    text += f":{tag}" if tag else ""
    text += f"@{digest}" if digest else ""
    reference = Reference.parse(text)
    if registry != "docker.io":
        assert (reference.registry, reference.repository) == (registry, repository)
    assert reference.tag == (tag or (None if digest else "latest"))
    assert Reference.parse(str(reference)) == reference


@given(st.text(max_size=40) | st.text("aA0/:@._-[] \n#$é", max_size=25))
def test_any_text_is_a_reference_or_an_error_that_names_it(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference as error:
        assert error.text == text
        assert error.reason
    else:
        assert reference.registry
        assert reference.tag or reference.digest
        assert Reference.parse(str(reference)) == reference
        path = reference.repository
        assert ".." not in path.split("/")
        assert path.isascii()
        assert not any(c.isspace() for c in str(reference))
