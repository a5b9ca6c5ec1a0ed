"""`ngc select`: tags by rule, each with its reason, and the list of what was chosen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.options import DIRECTORY, FILE, network_options, settings_of, verb
from airgap_tui.cli.output import Output, marks
from airgap_tui.cli.results import tell_failures, tell_next
from airgap_tui.cli.running import run_job
from airgap_tui.cli.tag_rows import DETAILS, details, tell_catalogue
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.ngc.presets import PRESETS

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.ngc.choice import SelectResult

_STOPPING = "Stopping; nothing is written."


def _select_options(function: Any) -> Any:
    """The rule, and where it applies."""
    names = ", ".join(one.name for one in PRESETS)
    for decorate in reversed(
        (
            click.argument("repositories", nargs=-1, metavar="[REPOSITORY]..."),
            click.option(
                "--preset",
                "presets",
                type=click.Choice([one.name for one in PRESETS]),
                multiple=True,
                metavar="NAME",
                help=f"A ready-made rule: {names}.",
            ),
            click.option(
                "--project", default="", metavar="ORG", help="Repositories of this organisation."
            ),
            click.option(
                "--image",
                "images",
                multiple=True,
                metavar="TEXT",
                help="Only repositories whose name contains TEXT; in nvidia without --project.",
            ),
            click.option(
                "--strict-name-match",
                "strict",
                is_flag=True,
                help="Match the whole name with --image: pytorch, but not l4t-pytorch.",
            ),
            click.option(
                "--include",
                multiple=True,
                metavar="GLOB",
                help="Only tags that match, such as '*-py3'.",
            ),
            click.option("--exclude", multiple=True, metavar="GLOB", help="No tags that match."),
            click.option(
                "--min-version",
                "minimum",
                default="",
                metavar="V",
                help="From this version on; 25.10 follows 25.9.",
            ),
            click.option(
                "--max-version", "maximum", default="", metavar="V", help="Up to this version."
            ),
            click.option(
                "--py-version",
                "python",
                default="",
                metavar="PY",
                help="For this Python, such as py3, where tags name one.",
            ),
            click.option(
                "--latest",
                type=click.IntRange(1),
                metavar="N",
                help="The newest N versions of each variant, such as -py3 and -py3-igpu.",
            ),
            click.option(
                "--arch",
                "architectures",
                multiple=True,
                metavar="ARCH",
                help="Only tags that have this architecture, such as arm64.",
            ),
            click.option(
                "--prereleases", is_flag=True, help="Also alphas, betas and release candidates."
            ),
            click.option(
                "--external",
                type=FILE,
                metavar="FILE.yaml",
                help="Also the images, from any registry, in this YAML file of the NGC Replicator.",
            ),
            click.option(
                "--since",
                type=FILE,
                multiple=True,
                metavar="LIST|BUNDLE",
                help="Leave out what an earlier list, or a bundle, has with the same digest.",
            ),
            click.option(
                "--replicator-state",
                type=FILE,
                metavar="FILE",
                help="Leave out what the NGC Replicator's state.yml has with the same date.",
            ),
            click.option(
                "--descriptions",
                type=DIRECTORY,
                metavar="DIR",
                help="Write the descriptions of the chosen images into DIR.",
            ),
            click.option(
                "-o",
                "--output",
                "target",
                type=FILE,
                metavar="LIST",
                help="Write the list, or add to an existing one; without it nothing is written.",
            ),
            network_options,
        )
    ):
        function = decorate(function)
    return function


@verb(
    "airgap-tui ngc select nvidia/pytorch --include '*-py3' --latest 2",
    "airgap-tui ngc select --preset frameworks -o images_list.txt",
    "airgap-tui ngc select --project nvidia --image tensorrt --min-version 25.01",
)
@_select_options
def select(
    output: Output,
    repositories: tuple[str, ...],
    presets: tuple[str, ...],
    project: str,
    images: tuple[str, ...],
    strict: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    minimum: str,
    maximum: str,
    python: str,
    latest: int | None,
    architectures: tuple[str, ...],
    prereleases: bool,
    external: Path | None,
    since: tuple[Path, ...],
    replicator_state: Path | None,
    descriptions: Path | None,
    target: Path | None,
    **network: Any,
) -> int:
    """Select tags by a rule, with the reason for each.

    Nothing is written without -o. Globs apply first, then versions, then --latest. A tag that is
    not a version is selected only by a glob.
    """
    from airgap_tui.engine.jobs.ngc import select as job
    from airgap_tui.engine.jobs.ngc.select_spec import SelectSpec
    from airgap_tui.engine.ngc.selection import Rule

    spec = SelectSpec(
        repositories=repositories,
        rule=Rule(include, exclude, minimum, maximum, python, latest, architectures, prereleases),
        project=project,
        images=images,
        strict=strict,
        presets=presets,
        external=external,
        replicator_state=replicator_state,
        since=since,
        target=target,
        descriptions=descriptions,
        settings=settings_of(**network),
    )
    if strict and not images:
        raise UsageError("--strict-name-match needs --image")
    spec.check()
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    output.document(result.to_json())
    _show_choices(output, result)
    there = [one for one in result.repositories if one.error is None]
    tell_catalogue(output, ((one.name, one.catalogue_error) for one in there))
    for note in result.notes:
        output.say(note)
    tell_failures(output, result.results)
    _tell_sum(output, result)
    return result.exit_code


def _show_choices(output: Output, result: SelectResult) -> None:
    """Every tag with its reason, the chosen ones first."""
    symbols = marks(sys.stdout)
    columns = [Column(""), Column("Image", flexible=True), *DETAILS, Column("Why")]
    ordered = sorted(result.choices, key=lambda choice: not choice.chosen)
    rows: list[Sequence[str]] = []
    for choice in ordered:
        mark = "bad" if choice.error else "done" if choice.chosen else "waiting"
        facts = details(choice.image)
        rows.append([symbols[mark], choice.reference.tagged_name, *facts, choice.reason])
    if rows:
        output.data(table(columns, rows, output.width))


def _tell_sum(output: Output, result: SelectResult) -> None:
    from airgap_tui.engine.quantities import count, size

    chosen = result.chosen
    unknown = sum(1 for choice in chosen if not choice.image.size)
    text = f"{len(chosen)} of {count(len(result.choices), 'tag')} chosen"
    if result.size:
        text += f", {size(result.size)} before sharing"
        text += f" without {unknown} of unknown size" if unknown else ""
    for path in result.descriptions[:1]:
        many = count(len(result.descriptions), "description")
        text += f"; {many} in {path.parent}"
    if result.written is None:
        output.say(f"{text}. Nothing is written; -o LIST writes the list.")
        return
    output.say(f"{text}; {result.written} is written.")
    if chosen:
        tell_next(output, "plan", "-f", result.written, "-b", "BUNDLE")
