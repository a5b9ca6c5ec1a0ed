"""Which kind of source a file is, by its name and its first bytes.

The content decides where it is telling, because people rename what they save; the name decides
where the content could be many things. What is not known is None, so that the user is asked instead
of a file being read as something that it is not.
"""

from __future__ import annotations

import re

from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.discovery.opening import plain_name
from airgap_tui.engine.discovery.text import decoded

_M = re.MULTILINE

_NAMES: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"\.?(?:bash|zsh|sh|ksh|fish)_?hist(?:ory)?(?:[-_.].*)?|\.histfile", Kind.HISTORY),
        (r".*[-_.](?:bash|zsh|fish)_history", Kind.HISTORY),
        (r"(?:.*[-_.])?(?:dockerfile|containerfile)(?:[-_.].*)?", Kind.DOCKERFILE),
        (r"(?:docker-)?compose(?:[-_.].+)?\.ya?ml", Kind.COMPOSE),
        (r".*\.nf|(?:.*[-_.])?nextflow(?:[-_.].*)?\.config", Kind.WORKFLOW),
        (r"snakefile.*|.*\.smk", Kind.WORKFLOW),
        (r".*\.def|singularity(?:\..+)?|apptainer(?:\..+)?", Kind.DEFINITION),
        (r".*\.(?:sqsh|squashfs)", Kind.ENROOT),
        (r".*\.sif", Kind.SIF),
        (r"slurmd.*\.log.*|slurmd", Kind.SLURMD_LOG),
        (r"slurm-[0-9]+.*\.(?:out|err)", Kind.JOB_OUTPUT),
        (r".*\.(?:sbatch|slurm|srun)", Kind.JOB_SCRIPT),
    )
)

_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[\[{\"\]]|\Z))")
_TABLES: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern, _M), kind)
    for pattern, kind in (
        (r"^REF +TYPE +DIGEST ", Kind.CONTAINERD),
        (r"^CONTAINER +IMAGE +RUNTIME", Kind.CONTAINERD),
        (r"^CONTAINER +IMAGE +CREATED +STATE ", Kind.CONTAINERD),
        (r"^IMAGE +TAG +(?:DIGEST +)?IMAGE ID +SIZE", Kind.CONTAINERD),
        (r"^(?:REPOSITORY +TAG|NAME) .*IMAGE ID +CREATED +PLATFORM +SIZE", Kind.CONTAINERD),
        (r"^REPOSITORY +TAG +(?:DIGEST +)?IMAGE ID ", Kind.DOCKER),
        (r"^IMAGE +(?:ID +)?DISK USAGE +CONTENT SIZE", Kind.DOCKER),
        (r"^sha256:[0-9a-f]{64}\r?$", Kind.CONTAINERD),
        (r"^\S+:<none>\r?$", Kind.DOCKER),
        (r"^CONTAINER ID {2}IMAGE ", Kind.PODMAN),
        (r"^CONTAINER ID +IMAGE +COMMAND ", Kind.DOCKER),
    )
)
_PODMAN_ROW = re.compile(r"^\S+ +\S+ +(?:sha256:\S+ +)?(?:sha256:)?[0-9a-f]{12,64} {2}(?! )", _M)
"""Podman puts two blanks between columns, Docker three."""

_ENTRIES: tuple[tuple[tuple[re.Pattern[str], ...], Kind], ...] = tuple(
    (tuple(re.compile(pattern) for pattern in patterns), kind)
    for patterns, kind in (
        ((r'"(?:repoTags|repoDigests|userSpecifiedImage)"\s*:',), Kind.CONTAINERD),
        ((r'"BlobSize"\s*:',), Kind.CONTAINERD),
        ((r'"apiVersion"\s*:',), Kind.KUBERNETES),
        ((r'"org\.label-schema\.usage\.singularity',), Kind.SIF),
        ((r'"Repo(?:Tags|Digests)"\s*:', r'"(?:History|NamesHistory)"\s*:'), Kind.PODMAN),
        ((r'"(?:IsInfra|PodName)"\s*:',), Kind.PODMAN),
        ((r'"names"\s*:', r'"readonly"\s*:'), Kind.PODMAN),
        ((r'"(?:RepoTags|RepoDigests|Repository)"\s*:',), Kind.DOCKER),
        ((r'"(?:RunningFor|LocalVolumes|HostConfig)"\s*:',), Kind.DOCKER),
    )
)

_CONTENTS: tuple[tuple[tuple[re.Pattern[str], ...], Kind], ...] = tuple(
    (tuple(re.compile(pattern, _M) for pattern in patterns), kind)
    for patterns, kind in (
        ((r"^# enroot-provenance:",), Kind.ENROOT),
        ((r"\A(?:images|containers):", r"^[- ] *(?:repoTags|imageRef):"), Kind.CONTAINERD),
        ((r"\A(?:ID: sha256:|RepoTags: )",), Kind.CONTAINERD),
        ((r"^apiVersion:[ \t]*\S",), Kind.KUBERNETES),
        ((r"(?i:^[ \t]*bootstrap[ \t]*:)",), Kind.DEFINITION),
        ((r"^org\.label-schema\.usage\.singularity",), Kind.SIF),
        ((r"\A[^\n]*\bSubmitLine\b",), Kind.SUBMIT_LINE),
        ((r"\A- cmd: ",), Kind.HISTORY),
        ((r"^: [0-9]{9,11}:[0-9]+;",), Kind.HISTORY),
        ((r"^#[0-9]{9,11}$",), Kind.HISTORY),
        ((r"^#SBATCH\s",), Kind.JOB_SCRIPT),
        ((r"^\[[^\]\n]+\] (?:\[[^\]\n]*\] )?(?:[a-z]+\d?: )?pyxis: ",), Kind.SLURMD_LOG),
        ((r"^[^\n]{0,80}\bslurm(?:d|stepd)?(?:\[[0-9]+\]: | \[)",), Kind.SLURMD_LOG),
        ((r"^\[[^\]\n]+\] .*(?:slurmd|launch task|prolog|Launching batch job)",), Kind.SLURMD_LOG),
        ((r"^(?:[0-9]+: )?(?:slurmstepd[^:\n]*: error: )?pyxis: ",), Kind.JOB_OUTPUT),
        (
            (
                r"\A[\s\S]{0,8}?(?:[A-Za-z_]\w*=[^\0\n]*[\0\n]){2}",
                r"(?<!\w)(?:_SLURM_SPANK_OPTION_pyxis_container_image|PYXIS_CONTAINER_IMAGE"
                r"|SLURM_JOB_ID)=",
            ),
            Kind.JOB_ENVIRONMENT,
        ),
        ((r"^user\.image_uri=",), Kind.ENROOT),
        (
            (r"^\[(?:INFO|ERROR)\] (?:Querying registry|URL https?://|Invalid image ref)",),
            Kind.ENROOT,
        ),
        ((r"\A\S+\.sqsh\n",), Kind.ENROOT),
        ((r"\A *[0-9]+ {2}\S", r"^ *[0-9]+ {2}\S.*\n *[0-9]+ {2}\S"), Kind.HISTORY),
        (
            (r"(?i:^FROM[ \t]+\S)", r"(?i:^(?:RUN|COPY|ADD|ARG|ENV|WORKDIR|CMD|ENTRYPOINT)[ \t])"),
            Kind.DOCKERFILE,
        ),
        ((r"^services:[ \t]*(?:#.*)?$", r"^[ \t]+(?:image|build):"), Kind.COMPOSE),
        ((r"^(?:#!.*nextflow|process[ \t]+\w+[ \t]*\{|nextflow\.enable)",), Kind.WORKFLOW),
        ((r"^process(?:\.container[ \t]*=|[ \t]*\{)",), Kind.WORKFLOW),
        ((r"^(?:rule|checkpoint)[ \t]+\w+:[ \t]*$",), Kind.WORKFLOW),
        (
            (r"\A#!", r"^[^#\n]*\b(?:srun|sbatch|singularity|apptainer|enroot|docker|podman)\s"),
            Kind.JOB_SCRIPT,
        ),
    )
)
_BEFORE_NAMES = 4
"""So many of these are surer than any name."""


def recognised(name: str, head: bytes) -> Kind | None:
    """The kind of source that a file with this name and these first (decoded) bytes is; None where
    neither tells. `name` is without its directory, or `-` for a stream."""
    text = decoded(head)
    if head.startswith((b"hsqs", b"sqsh")):
        return Kind.ENROOT
    if _JSON.match(text):
        return _first(_ENTRIES, text)
    for pattern, kind in _TABLES:
        if pattern.search(text):
            return Kind.PODMAN if kind is Kind.DOCKER and _PODMAN_ROW.search(text) else kind
    sure = _first(_CONTENTS[:_BEFORE_NAMES], text)
    plain = plain_name(name)
    by_name = (kind for pattern, kind in _NAMES if pattern.fullmatch(plain))
    return sure or next(by_name, None) or _first(_CONTENTS[_BEFORE_NAMES:], text)


def _first(known: tuple[tuple[tuple[re.Pattern[str], ...], Kind], ...], text: str) -> Kind | None:
    """The first kind of which all patterns are there."""
    for patterns, kind in known:
        if all(pattern.search(text) for pattern in patterns):
            return kind
    return None
