"""What to do about a source or a host that could not be read, from what its program said."""

from __future__ import annotations

import re

from airgap_tui.engine.discovery.finding import Kind, Place, Remark
from airgap_tui.engine.discovery.hosts.collecting import MOST_FILES, Material
from airgap_tui.engine.discovery.hosts.ssh import Ended
from airgap_tui.engine.discovery.hosts.ssh_host import SshHost
from airgap_tui.engine.quantities import count, elapsed, size

_SSH_FAILED = 255
_TIME_OVER = 124
"""What `timeout` ends with; busybox's passes on that the program was terminated, 143."""
_MORE_RIGHTS = "Run this as root, or name a user who may read it."

_OF_SSH = (
    (
        r"host key verification failed|remote host identification has changed",
        "Log in by hand once, and compare its key: ssh {host}",
    ),
    (
        r"permission denied|too many authentication failures|no more authentication methods",
        "ssh {host}  has to work without a password: set up a key or an agent.",
    ),
    (
        r"could not resolve hostname|name or service not known",
        "Is it spelled correctly? ~/.ssh/config may give its address.",
    ),
    (
        r"refused|timed out|no route to host|network is unreachable|connection (?:reset|closed)",
        "Is it up, and does ssh get there from here? Try  ssh {host}",
    ),
    (
        r"bad owner or permissions|bad configuration option|config",
        "Fix the file that ssh complains about.",
    ),
)

_NOT_THERE = {
    Kind.SUBMIT_LINE: r"accounting storage is disabled|configuration source|could not locate conf",
    Kind.JOB_SCRIPT: r"configuration source|could not locate conf",
}
"""What a program says that is installed and has nothing to ask: there is no such source there."""

_OF_SOURCES = {
    Kind.DOCKER: "Start it there, or let the user be of the group docker (or root).",
    Kind.PODMAN: "Try  podman images  there.",
    Kind.CONTAINERD: "It needs root, and crictl, ctr or nerdctl installed there.",
    Kind.HISTORY: _MORE_RIGHTS,
    Kind.ENROOT: _MORE_RIGHTS,
    Kind.SLURMD_LOG: "Run this as root, or copy the log here and name it with --slurmd-log.",
    Kind.SUBMIT_LINE: "Save  sacct -a -P -o JobID,Submit,State,SubmitLine  where it works, and"
    " name the file with --sacct.",
    Kind.JOB_SCRIPT: "Run this as root or as Slurm's operator, or name directories of job scripts.",
    Kind.KUBERNETES: "Save  kubectl get pods -A -o json  where it works, and name the file with"
    " --kubernetes.",
    Kind.SIF: "Install apptainer there: the names are inside of the file.",
}


INSTALLED = "Is it installed there, and in the PATH that ssh gives? Else leave its option out."

MOUNT = "Ask also the host that has them on its disks, or name histories with --history."
TOO_MANY_FILES = (
    f"only the first {count(MOST_FILES, 'file')} were looked at",
    "Name directories further down.",
)

OF_ONE_HOST = frozenset(
    {Kind.DOCKER, Kind.PODMAN, Kind.CONTAINERD, Kind.SLURMD_LOG, Kind.JOB_OUTPUT}
)
"""What each host has of its own. All else may lie on a shared disk, or be of the whole cluster."""


def only_own_histories(host: str) -> Remark:
    """What has to be said where the histories of others were not even looked for."""
    return Remark(
        Kind.HISTORY,
        Place("other users' histories", 0, host),
        "only those of the user that reads were looked for",
        "Run this as root to read the histories of all users.",
    )


def why_not_read(
    ended: Ended, host: SshHost | None, complete: bool, seconds: float
) -> tuple[str, str]:
    """Why a host was not read to its end, and the remedy; two empty texts where it was."""
    if ended.timed_out:
        told = f"; the last it said: {ended.said}" if ended.said else ""
        return (
            f"it was not read to its end in {elapsed(seconds)}{told}",
            "What came until then counts. Give it more time with --timeout.",
        )
    if ended.too_much:
        return (f"it sent too much: {ended.said or 'broken off'}", "Name fewer sources.")
    if ended.code == _SSH_FAILED and host and not complete:
        said = ended.said or "ssh failed"
        return f"it cannot be reached: {said}", _of_ssh(ended.said, host.spelled)
    if complete:
        return "", ""
    said = f": {ended.said}" if ended.said else ""
    return (
        f"its shell ended with {ended.code} before all was read{said}",
        f"Try  ssh {host.spelled} true" if host else "Is sh a POSIX shell here?",
    )


def _of_ssh(said: str, host: str) -> str:
    for pattern, remedy in _OF_SSH:
        if re.search(pattern, said, re.IGNORECASE):
            return remedy.format(host=host)
    return f"Try  ssh {host} true"


def not_there(material: Material) -> bool:
    """Whether a failed program only says that there is no such source."""
    pattern = _NOT_THERE.get(material.kind) if material.kind else None
    return bool(material.status and pattern and re.search(pattern, material.said, re.IGNORECASE))


def why_failed(material: Material) -> str:
    """What is wrong with what a program or file gave; empty where nothing is."""
    if material.status is None:
        return "it was broken off before its end"
    if material.cut:
        return f"it is longer than {size(len(material.content))}: its end was not read"
    if material.status in (_TIME_OVER, 143) and not material.said:
        return "it did not answer in time"
    if material.status:
        return material.said or f"it ended with {material.status}"
    # A pipe tells the status of its last program: what an earlier one says is all there is.
    return material.said if material.form == "numbered" else ""


def remedy_for(kind: Kind | None) -> str:
    return _OF_SOURCES.get(kind, _MORE_RIGHTS) if kind else _MORE_RIGHTS
