"""What names mean to the programs that read them, and that no key survives in what is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.discovery.finding import State
from airgap_tui.engine.discovery.naming import named, named_by_singularity, shown

D = "0123456789abcdef" * 4
SHA = f"sha256:{D}"


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        (" nvidia/cuda:12.4.1-base ", "docker.io/nvidia/cuda:12.4.1-base"),
        ("docker:24-dind", "docker.io/library/docker:24-dind"),
        ("docker://ubuntu:22.04", "docker.io/library/ubuntu:22.04"),
        ("docker://nvcr.io/nvidia/pytorch:24.05-py3", "nvcr.io/nvidia/pytorch:24.05-py3"),
        ("docker://nvcr.io#nvidia/pytorch:24.05-py3", "nvcr.io/nvidia/pytorch:24.05-py3"),
        ("docker://$oauthtoken@nvcr.io#nvidia/cuda:1", "nvcr.io/nvidia/cuda:1"),
        ("docker://$oauthtoken:nvapi-x/y@nvcr.io#nvidia/cuda:1", "nvcr.io/nvidia/cuda:1"),
        ("docker://me@ubuntu:1", "docker.io/library/ubuntu:1"),
        (f"docker://ubuntu@{SHA}", f"docker.io/library/ubuntu@{SHA}"),
        (f"docker-pullable://quay.io/x/y@{SHA}", f"quay.io/x/y@{SHA}"),
        (f"quay.io/x/y:1@{SHA}", f"quay.io/x/y:1@{SHA}"),
        ("host:5000/x", "host:5000/x:latest"),
    ],
)
def test_images_of_registries(written: str, reference: str) -> None:
    result = named(written)
    assert (str(result.reference), result.state, result.reason) == (reference, State.USED, "")


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("nvcr.io/nvidia/pytorch:1", "nvcr.io/nvidia/pytorch:1"),
        ("nvcr.io#nvidia/pytorch:1", "nvcr.io/nvidia/pytorch:1"),
        ("$oauthtoken@nvcr.io#nvidia/pytorch:1", "nvcr.io/nvidia/pytorch:1"),
        ("10.0.0.1:5000#/x:1", "10.0.0.1:5000/x:1"),
        ("docker.io#ubuntu", "docker.io/library/ubuntu:latest"),
        ("registry-1.docker.io#library/ubuntu", "docker.io/library/ubuntu:latest"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("localhost/x:1", "docker.io/localhost/x:1"),
        ("localhost#x:1", "localhost/x:1"),
        (f"x:1@{SHA}", f"docker.io/library/x:1@{SHA}"),
        (f"nvcr.io#nvidia/x:{SHA}", f"nvcr.io/nvidia/x@{SHA}"),
        (f"nvcr.io#nvidia/x@{SHA}", f"nvcr.io/nvidia/x@{SHA}"),
        (f"me:p@ss#w@nvcr.io#nvidia/x@{SHA}", f"nvcr.io/nvidia/x@{SHA}"),
    ],
)
def test_images_as_enroot_reads_them(written: str, reference: str) -> None:
    for text in (written, f"docker://{written}"):
        result = named(text, enroot=True)
        assert (str(result.reference), result.state) == (reference, State.USED)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "no name"),
        ("dockerd://ubuntu", "Docker engine on the host"),
        ("podman://ubuntu", "Podman on the host"),
        ("docker-daemon:ubuntu:1", "Docker engine on the host"),
        ("docker-daemon://ubuntu:1", "Docker engine on the host"),
        ("docker-archive:/x/y.tar", "archive file"),
        ("oci-archive:y.tar:x", "archive file"),
        ("oci:/x", "local directory"),
        ("library://lolcow", "library"),
        ("shub://a/b", "Singularity Hub"),
        ("oras://ghcr.io/a/b:1", "SIF file in a registry"),
        ("instance://web", "running instance"),
        ("https://host/x.sif", "web address"),
        ("ftp://host/x", "protocol"),
        ("./x.sqsh", "local file"),
        ("/raid/$USER/x", "local file"),
        ("~/x", "local file"),
        ("x.sqsh", "local file"),
        ("a/b.SIF", "local file"),
        ("x.img", "local file"),
        ("<none>:<none>", "no name"),
        (D, "image ID"),
        (SHA, "image ID"),
        ("3f4e5d6c7b8a", "image ID"),
        ("nvidia/PyTorch", "not an image name: capital letters"),
        ("x:.y", "not an image name"),
        ("user:pass@host/x", "no digest after @"),
        ("a b", "white space"),
    ],
)
def test_what_is_no_image_of_a_registry_is_apart_with_the_reason(written: str, reason: str) -> None:
    result = named(written)
    assert (result.reference, result.state) == (None, State.OTHER)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("nvcr.io/nvidia/pytorch:$TAG", "it depends on $TAG"),
        ("docker://${REG}#$IMG:${TAG:-secret}", "it depends on $REG, $IMG, $TAG"),
        ("$(cat image)", "the output of a command"),
        ("`cat image`", "the output of a command"),
        ("$(IMAGE):1", "it depends on $IMAGE"),
        ("x:{{ VERSION }}", "it depends on VERSION"),
        ("x:{version}", "it depends on version"),
        ("x:<tag>", "a placeholder"),
        ("$1", "it depends on $1"),
        ("nvapi-abcdefgh", "looks like a key"),
    ],
)
def test_what_depends_on_something_is_unresolved(written: str, reason: str) -> None:
    result = named(written)
    assert (result.reference, result.state) == (None, State.UNRESOLVED)
    assert reason in result.reason


def test_a_registry_that_no_name_can_carry_is_unresolved() -> None:
    assert named("reg#x:1", enroot=True).state is State.UNRESOLVED
    assert named("Reg/x:1", enroot=True).state is State.OTHER


def test_without_transport_singularity_takes_a_file() -> None:
    for text in ("ubuntu", "nvcr.io/nvidia/cuda:1", "$HOME/x.sif", "dir/"):
        assert named_by_singularity(text).state is State.OTHER
    assert named_by_singularity("$IMAGE").state is State.UNRESOLVED
    assert named_by_singularity("docker:ubuntu").state is State.OTHER
    assert str(named_by_singularity("docker://a/b").reference) == "docker.io/a/b:latest"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("nvcr.io/nvidia/cuda:1", "nvcr.io/nvidia/cuda:1"),
        (f"docker://ubuntu@{SHA}", f"docker://ubuntu@{SHA}"),
        ("docker://$oauthtoken:nvapi-k@nvcr.io#a:1", "docker://********@nvcr.io#a:1"),
        ("docker://u:p@ss/w#rd@nvcr.io#a:1", "docker://********@nvcr.io#a:1"),
        ("u:hunter22@nvcr.io#a", "********@nvcr.io#a"),
        (f"docker://u:k@x@{SHA}", f"docker://********@x@{SHA}"),
        ("https://h/x.sif?token=hunter22", "https://h/x.sif?********"),
        ("$(curl -u u:hunter22 h):1", "$(..)"),
        ("x:${TAG:-hunter22}", "x:${TAG}"),
        ("x" * 1000, f"{'x' * 400} .."),
    ],
)
def test_what_is_shown_holds_no_secret(written: str, text: str) -> None:
    assert shown(written) == text


@given(
    st.sampled_from(["", "docker://", "https://", "dockerd://"]),
    st.text("ab:/#$@", max_size=8),
    st.text("ab./:#$(`{@", max_size=12),
    st.booleans(),
)
def test_a_user_part_never_survives(scheme: str, user: str, rest: str, enroot: bool) -> None:
    written = f"{scheme}{user}hunter22:s3cret@{rest}"
    result = named(written, enroot=enroot)
    for text in (shown(written), result.reason, str(result.reference)):
        assert "hunter22" not in text
        assert "s3cret" not in text


@given(st.text(max_size=60) | st.text("a:/#@$.{}<>-s", max_size=30), st.booleans())
def test_any_text_has_a_meaning(written: str, enroot: bool) -> None:
    for result in (named(written, enroot=enroot), named_by_singularity(written)):
        assert (result.reference is not None) == (result.state is State.USED)
        assert bool(result.reason) == (result.state is not State.USED)
    assert isinstance(shown(written), str)
