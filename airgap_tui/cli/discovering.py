"""`discover`: which images are in use, as a table, as JSON, and as a list to carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airgap_tui.cli.options import FILE, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.discovery.hosts.ssh_host import SshHost
    from airgap_tui.engine.jobs.discovery.discover import DiscoverSpec

Function = TypeVar("Function", bound=Callable[..., Any])

_ENGINES = ("docker", "podman", "containerd")
_LIVE = (
    *_ENGINES,
    "history",
    "enroot",
    "slurmd-log",
    "submit-line",
    "job-script",
    "kubernetes",
)
_FILES = (
    ("slurmd-log", "slurmd-log", "A slurmd log, rotated and compressed ones too."),
    ("history", "history", "A bash, zsh or fish history."),
    ("job-script", "job-script", "A job script."),
    ("job-output", "job-output", "The output of a job."),
    ("job-environment", "job-environment", "The environment of a job."),
    ("sacct", "submit-line", "The output of sacct -o SubmitLine."),
    ("kubernetes", "kubernetes", "Manifests, charts, kubectl get -o json."),
    ("definition", "definition", "An Apptainer definition file."),
    ("dockerfile", "dockerfile", "A Dockerfile."),
    ("compose", "compose", "A Compose file."),
    ("workflow", "workflow", "A Nextflow or Snakemake workflow."),
)
_DAYS = 90


def _file_options(function: Function) -> Function:
    for option, _kind, text in reversed(_FILES):
        function = click.option(f"--{option}", multiple=True, type=FILE, metavar="P", help=text)(
            function
        )
    return function


@verb(
    "airgap-tui discover -o images_list.txt",
    "airgap-tui discover --nodes 'dgx[01-04],login1' -o images_list.txt",
    "airgap-tui discover --slurmd-log slurmd.log.1.gz ~/jobs",
)
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH]...")
@click.option("--here", is_flag=True, help="Search this machine as well as the hosts or paths.")
@click.option("--docker", is_flag=True, help="Ask Docker.")
@click.option("--podman", is_flag=True, help="Ask Podman.")
@click.option("--containerd", is_flag=True, help="Ask containerd: crictl, ctr, nerdctl.")
@click.option(
    "--live",
    multiple=True,
    type=click.Choice(_LIVE),
    metavar="KIND",
    help=f"Ask only sources of this kind: {', '.join(_LIVE)}.",
)
@_file_options
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="SSH",
    help="Ask this host: user@node, or a name from ~/.ssh/config.",
)
@click.option(
    "--inventory",
    "inventories",
    multiple=True,
    type=FILE,
    metavar="F",
    help="Ask the hosts of this Ansible or DeepOps inventory.",
)
@click.option(
    "--nodes",
    multiple=True,
    metavar="RANGE",
    help="Ask these nodes, in Slurm's notation: dgx[01-04,7].",
)
@click.option(
    "--search",
    multiple=True,
    metavar="DIR",
    help="Search this directory on each host for job scripts and definition files.",
)
@click.option(
    "--since",
    metavar="DAYS|DATE",
    help="Leave out what was last used before then: 30, or 2025-01-31.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=120.0,
    metavar="S",
    help="Time limit for each host in seconds (default: 120).",
)
@click.option(
    "-o",
    "--output",
    "list_file",
    type=FILE,
    metavar="LIST",
    help="Write the images to this list; an existing one keeps your edits.",
)
def discover(
    output: Output,
    paths: tuple[Path, ...],
    here: bool,
    docker: bool,
    podman: bool,
    containerd: bool,
    live: tuple[str, ...],
    hosts: tuple[str, ...],
    inventories: tuple[Path, ...],
    nodes: tuple[str, ...],
    search: tuple[str, ...],
    since: str | None,
    timeout: float,
    list_file: Path | None,
    **files: tuple[Path, ...],
) -> int:
    """Find the images in use here, on other hosts, and in files.

    Without a source, everything on this machine is searched: engines, shell histories, Slurm,
    Enroot, Kubernetes. Other hosts are searched over ssh, with your ssh keys and configuration;
    nothing is installed there. A PATH is a file of any kind, recognised by its content, or a
    directory of such files.
    """
    engines = [name for name, on in zip(_ENGINES, (docker, podman, containerd), strict=True) if on]
    asked = frozenset((*engines, *live))
    moment = _moment(since) if since else None
    asked_hosts, this_machine, remarks = _hosts(hosts, inventories, nodes)
    here = here or this_machine
    spec = _spec(paths, files, asked, asked_hosts, here, search, moment, timeout)

    from airgap_tui.cli import discovered
    from airgap_tui.engine.jobs.discovery import discover as job
    from airgap_tui.engine.jobs.discovery import discovered_list

    if list_file is not None:
        discovered_list.check(list_file)
    for remark in remarks:
        output.say(remark)
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; what was found is told. Press Ctrl-C once more to end at once.",
    )
    update = discovered_list.write(list_file, result.discovery) if list_file is not None else None
    discovered.show(output, result, list_file, update)
    return result.exit_code


def _spec(
    paths: Sequence[Path],
    files: dict[str, tuple[Path, ...]],
    asked: frozenset[str],
    hosts: tuple[SshHost, ...],
    here: bool,
    search: tuple[str, ...],
    since: datetime | None,
    timeout: float,
) -> DiscoverSpec:
    from airgap_tui.engine.discovery.finding import Kind
    from airgap_tui.engine.discovery.hosts.collecting import LIVE
    from airgap_tui.engine.jobs.discovery.discover import DiscoverSpec
    from airgap_tui.engine.jobs.discovery.named_files import NamedPath

    named = [NamedPath(path) for path in paths]
    for option, kind, _text in _FILES:
        named += [NamedPath(path, Kind(kind)) for path in files[option.replace("-", "_")]]
    if search and not hosts:
        raise UsageError(
            "--search needs --host, --nodes or --inventory",
            hint="A directory of this machine is named without an option.",
        )
    kinds = frozenset(Kind(name) for name in asked)
    here = here or (not hosts and (bool(asked) or not named))
    if not kinds and (hosts or here):
        kinds = LIVE
    age = datetime.now(timezone.utc) - since if since else timedelta(days=_DAYS)
    return DiscoverSpec(
        tuple(named),
        kinds,
        here,
        hosts,
        search,
        bool(asked),
        since,
        min(max(1, age.days + 1), 10_000) if since else _DAYS,
        timeout,
    )


def _hosts(
    hosts: Sequence[str], inventories: Sequence[Path], ranges: Sequence[str]
) -> tuple[tuple[SshHost, ...], bool, list[str]]:
    """The hosts of all options, whether this machine is one of them, and what is not used."""
    from airgap_tui.engine.discovery.hosts import inventory
    from airgap_tui.engine.discovery.hosts.ssh_host import distinct, nodes, parse_host

    found = [parse_host(text) for text in hosts]
    for text in ranges:
        found += nodes(text)
    read = [inventory.read(path) for path in inventories]
    found += [host for one in read for host in one.hosts]
    remarks = [remark for one in read for remark in one.remarks]
    return distinct(found), any(one.this_machine for one in read), remarks


def _moment(text: str) -> datetime:
    """`30` or `30d` before now, or the beginning of a day."""
    days = text.removesuffix("d")
    try:
        if days.isdigit():
            return datetime.now(timezone.utc) - timedelta(days=int(days))
        return datetime.strptime(text, "%Y-%m-%d").astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since: neither days nor a date: {text!r}", hint="Write it like 30 or 2025-01-31."
        ) from None
