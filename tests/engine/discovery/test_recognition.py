"""What a file is, told by its content first and its name where the content could be many things.

The corpus of listings tries this for its own formats; here are the sources of shells and Slurm.
"""

from __future__ import annotations

import time

import pytest

from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.discovery.opening import HEAD
from airgap_tui.engine.discovery.recognition import recognised

BY_CONTENT: list[tuple[bytes, Kind | None]] = [
    (b"#1719828000\ndocker pull ubuntu\n", Kind.HISTORY),
    (b"ls\n#1719828000\n#SBATCH in a heredoc\n", Kind.HISTORY),
    (b"cd /x\n: 1719828000:0;singularity pull docker://ubuntu\n", Kind.HISTORY),
    (b"- cmd: docker pull ubuntu\n  when: 1719828000\n", Kind.HISTORY),
    (b"    1  docker pull ubuntu\n    2  ls\n", Kind.HISTORY),
    (b"Bootstrap: docker\nFrom: ubuntu\n", Kind.DEFINITION),
    (b"# mine\n  bootstrap : docker\n", Kind.DEFINITION),
    (b"#!/bin/bash\n#SBATCH -N 1\nsrun true\n", Kind.JOB_SCRIPT),
    (b"#!/bin/sh\nsrun --container-image=ubuntu true\n", Kind.JOB_SCRIPT),
    (b"[2024-03-05T10:00:00.123] [123.0] pyxis: imported docker image: x\n", Kind.SLURMD_LOG),
    (b"[2024-03-05T10:00:00.123] [1.0+1] error: pyxis: child 1 failed\n", Kind.SLURMD_LOG),
    (b"[2024-03-05T10:00:00.123] slurmd version 23.02.7 started\n", Kind.SLURMD_LOG),
    (b"Sep 24 08:22:46 dgx01 slurmd [2023-09-24] [613.0] pyxis: x\n", Kind.SLURMD_LOG),
    (b"Sep 24 08:22:46 dgx01 slurmstepd[99]: [613.0] pyxis: x\n", Kind.SLURMD_LOG),
    (b"pyxis: importing docker image: ubuntu\n", Kind.JOB_OUTPUT),
    (b"0: slurmstepd-dgx01: error: pyxis: child 1 failed\n", Kind.JOB_OUTPUT),
    (b"JobID|SubmitLine\n1|srun x\n", Kind.SUBMIT_LINE),
    (b"               SubmitLine \n -------------------- \n", Kind.SUBMIT_LINE),
    (b"\0\0\0\x03SLURM_JOB_ID=1\0HOME=/\0", Kind.JOB_ENVIRONMENT),
    (b"HOME=/\n_SLURM_SPANK_OPTION_pyxis_container_image=ubuntu\n", Kind.JOB_ENVIRONMENT),
    (b"# enroot-provenance: docker://ubuntu\n", Kind.ENROOT),
    (b"hsqs\0\0\0\0", Kind.ENROOT),
    (b'user.image_uri="docker://ubuntu"\n', Kind.ENROOT),
    (b"[INFO] Querying registry for permission grant\n", Kind.ENROOT),
    (b'{"data": {"attributes": {"labels": {"org.label-schema.usage.singularity.version": "3"}}}}',
     Kind.SIF),
    (b"FROM ubuntu\nRUN true\n", Kind.DOCKERFILE),
    (b"services:\n  a:\n    image: x\n", Kind.COMPOSE),
    (b"process X {\n  container 'y'\n}\n", Kind.WORKFLOW),
    (b"rule a:\n  input: 'x'\n", Kind.WORKFLOW),
    (b"apiVersion: v1\nkind: Pod\n", Kind.KUBERNETES),
    (b"", None),
    (b"From here on it is prose.\nNothing else.\n", None),
    (b"nvcr.io/nvidia/cuda:1\n", None),
    (b"\0\1\2\3", None),
    (b'{"a": 1}', None),
]  # fmt: skip


@pytest.mark.parametrize(("head", "kind"), BY_CONTENT)
def test_by_content_alone(head: bytes, kind: Kind | None) -> None:
    assert recognised("-", head) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (".bash_history", Kind.HISTORY),
        ("alice.zsh_history", Kind.HISTORY),
        ("fish_history", Kind.HISTORY),
        ("slurmd.log.3.gz", Kind.SLURMD_LOG),
        ("slurmd.dgx01.log-20250630.xz", Kind.SLURMD_LOG),
        ("slurm-123_4.out", Kind.JOB_OUTPUT),
        ("train.sbatch", Kind.JOB_SCRIPT),
        ("x.def", Kind.DEFINITION),
        ("Singularity.v2", Kind.DEFINITION),
        ("Dockerfile.gpu", Kind.DOCKERFILE),
        ("gpu.Containerfile", Kind.DOCKERFILE),
        ("docker-compose.prod.yml", Kind.COMPOSE),
        ("main.nf", Kind.WORKFLOW),
        ("Snakefile", Kind.WORKFLOW),
        ("nvidia+pytorch+24.05-py3.sqsh", Kind.ENROOT),
        ("x.sif", Kind.SIF),
        ("notes.txt", None),
    ],
)
def test_by_name_where_the_content_tells_nothing(name: str, kind: Kind | None) -> None:
    assert recognised(name, b"something\n") == kind


def test_content_that_is_sure_goes_before_the_name() -> None:
    assert (
        recognised("slurmd.log", b"REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\n") is Kind.DOCKER
    )
    assert recognised("x.def", b"apiVersion: v1\nkind: Pod\n") is Kind.KUBERNETES


@pytest.mark.parametrize(
    "piece",
    [
        b"\n",
        b" ",
        b"a",
        b"REPOSITORY ",
        b"services:\n",
        b"[x] ",
        b"slurm",
        b"#!",
        b"A=",
        b"#SBATCH",
    ],
)
def test_hostile_content_takes_no_time(piece: bytes) -> None:
    began = time.process_time()
    recognised("-", (piece * HEAD)[:HEAD])
    assert time.process_time() - began < 1
