"""Whatever the bytes are: no source fails, none takes long, and no secret comes out of one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.discovery.finding import Finding, State
from tests.engine.discovery import corpus

SOURCES = sorted(corpus.READERS)
FILES = [(corpus.DIRECTORY / name).read_bytes() for name in corpus.files()]
LINES = sorted({line for content in FILES for line in content.split(b"\n") if line})
PIECES = [b"$(", b"${", b"`", b"'", b'"', b"\\", b"\n", b"<<EOF\n", b"\0", b"\xff", b"docker run "]


def check(source: str, content: bytes) -> None:
    for one in corpus.read(source, content):
        if isinstance(one, Finding):
            corpus.row(one)
            assert one.written.isprintable() or "\ufffd" in one.written
            assert len(one.written) < 500
        assert 0 <= one.place.line <= content.count(b"\n") + content.count(b"\r") + 1


@pytest.mark.parametrize("source", SOURCES)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read(source: str, content: bytes) -> None:
    check(source, content)


@pytest.mark.parametrize("source", SOURCES)
@given(parts=st.lists(st.sampled_from([*LINES, *PIECES]) | st.binary(max_size=4), max_size=12))
def test_pieces_of_real_files_in_any_order_are_read(source: str, parts: list[bytes]) -> None:
    check(source, b"\n".join(parts))
    check(source, b"".join(parts))


@given(st.sampled_from(FILES), st.data())
def test_a_file_cut_anywhere_is_read(content: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    for source in SOURCES:
        check(source, content[start:end])


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "$(",
            '"$(',
            "(",
            "`",
            "${",
            "<<a\n",
            "'",
            '"',
            "\\",
            "$((",
            "a=(",
            "x=$(y ",
            'bash -c "',
        ),
        *(
            "if ",
            "for x in ",
            "docker run $x ",
            "x=$x$x;",
            "case x in a) ",
            "eval ",
            "a|",
            "<(",
            "$'",
        ),
        *('#SBATCH "', "\n#SBATCH --container-image=", ": ${x:=${x}} ", "\\\n", "Bootstrap: a\n"),
        *("docker pull $(", "srun --container-image=x@@ ", "- cmd: \n", "1 1 1 ", "sudo ", "#1\n"),
    ],
)
def test_the_time_for_a_text_grows_with_its_length_only(piece: str) -> None:
    """What is repeated often would take minutes if each of them looked at all that follows."""
    content = (piece * (60_000 // len(piece))).encode()
    begun = time.process_time()
    for source in SOURCES:
        corpus.read(source, content)
    assert time.process_time() - begun < 15


ALPHABET = "abcXYZ0189-_./+=@:"
secrets = st.text(ALPHABET, min_size=8, max_size=40).map(lambda text: f"Zq{text}9Kw")
PLANTED = [
    "docker login -u '$oauthtoken' -p SECRET nvcr.io",
    "docker login --password=SECRET nvcr.io && docker pull a/b:1",
    "echo SECRET | docker login --password-stdin -u me reg.lan; docker pull reg.lan/x",
    "docker run -e KEY=SECRET --env TOKEN=SECRET a/b:1 --token SECRET",
    "docker run --env KEY=SECRET",
    "docker pull me:SECRET@reg.lan/x",
    "docker pull https://me:SECRET@reg.lan/x",
    "export NGC_API_KEY=SECRET",
    "export SINGULARITY_DOCKER_PASSWORD='SECRET'; singularity pull docker://nvcr.io/a/b:1",
    "SINGULARITY_DOCKER_PASSWORD=SECRET singularity pull docker://nvcr.io/a/b:1",
    "singularity pull --docker-username me --docker-password SECRET docker://nvcr.io/a/b:1",
    "apptainer registry login -u me -p SECRET docker://reg.lan",
    "apptainer exec --env KEY=SECRET docker://a/b:1 x",
    "apptainer pull https://me:SECRET@host/x.sif",
    "apptainer pull 'https://host/x.sif?token=SECRET'",
    "enroot import 'docker://$oauthtoken:SECRET@nvcr.io#nvidia/pytorch:1'",
    "enroot import docker://me:SECRET@x",
    "enroot import dockerd://me:SECRET@x",
    "srun --container-image='docker://$oauthtoken:SECRET@nvcr.io#nvidia/pytorch:1' bash",
    "srun --export=ALL,KEY=SECRET --container-image=me:SECRET@nvcr.io#a bash -c 'x SECRET'",
    "#SBATCH --container-image=me:SECRET@nvcr.io\\#a:1",
    "#SBATCH --container-image=me:SECRET@nvcr.io#a:1",
    "skopeo copy --src-creds me:SECRET docker://a/b:1 dir:x",
    "podman pull --creds=me:SECRET quay.io/a/b",
    "crictl pull --creds me:SECRET a/b",
    "ctr images pull --user me:SECRET docker.io/a/b:1",
    "docker pull a/b:$(curl -u me:SECRET https://host)",
    "docker pull a/b:`get --key SECRET`",
    "docker pull ${IMG:+SECRET}",
    "ssh host 'docker login -p SECRET; docker pull a/b:1'",
    "sshpass -p SECRET ssh host docker pull a/b:1",
    "kubectl run x --env KEY=SECRET --image=a/b:1",
    "PYXIS_CONTAINER_IMAGE=me:SECRET@nvcr.io#a:1",
    "_SLURM_SPANK_OPTION_pyxis_container_image=docker://me:SECRET@nvcr.io#a:1",
    "[1.0] pyxis: imported docker image: docker://me:SECRET@nvcr.io#a:1",
    "[1.0] error: pyxis: failed to import docker image: me:SECRET@nvcr.io#a:1",
    '[1.0] pyxis: running enroot command: "enroot import docker://me:SECRET@nvcr.io#a:1"',
    "[1.0] error: pyxis:     [ERROR] Invalid image reference: docker://me:SECRET@nvcr.io#A",
    "[ERROR] URL https://me:SECRET@nvcr.io/v2/a/manifests/1 returned error code: 401 Unauthorized",
    "# enroot-provenance: docker://me:SECRET@nvcr.io#a:1",
    "1|srun --container-image=me:SECRET@nvcr.io#a:1 true",
    "From: docker://me:SECRET@nvcr.io/a:1",
    "Registry: me:SECRET@nvcr.io",
]


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=150)
@given(lines=st.lists(st.sampled_from(PLANTED), min_size=1, max_size=6), secret=secrets)
def test_a_secret_never_comes_out(source: str, lines: list[str], secret: str) -> None:
    text = "\n".join(["Bootstrap: docker", "From: x", *lines, ""]).replace("SECRET", secret)
    assert secret not in repr(corpus.read(source, text.encode()))


@pytest.mark.parametrize("planted", PLANTED)
def test_each_line_with_a_secret_is_read_by_somebody(planted: str) -> None:
    """The lines above are of use only where a source takes notice of them."""
    silent = ("login -u", "login -p", "export NGC", "docker run --env KEY", ":+SECRET")
    text = "\n".join(["Bootstrap: docker", "From: x", planted, ""])
    found = [corpus.read(source, text.encode()) for source in SOURCES]
    without = [corpus.read(source, b"Bootstrap: docker\nFrom: x\n\n") for source in SOURCES]
    assert (found != without) or any(part in planted for part in silent)


def test_a_key_for_a_name_is_no_image() -> None:
    (found,) = corpus.read("history", b"docker pull nvapi-FAKEfakeFAKE\n")
    assert isinstance(found, Finding)
    assert (found.state, found.written) == (State.UNRESOLVED, "********")


def test_the_corpus_is_next_to_its_tables() -> None:
    tables = {Path(path) for path in corpus.DIRECTORY.glob(f"*/*{corpus.SUFFIX}")}
    assert tables == {corpus.DIRECTORY / f"{name}{corpus.SUFFIX}" for name in corpus.files()}
