"""`ngc search` and `ngc tags`: NVIDIA's catalogue; and the group that `ngc select` is in too."""

from __future__ import annotations

from typing import Any

import click

from airgap_tui.cli.choosing import select
from airgap_tui.cli.options import network_options, output_options, settings_of, verb
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.running import run_job
from airgap_tui.cli.tag_rows import DETAILS, NO_DETAILS, details, size_of, tell_catalogue
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.errors import UsageError

_STOPPING = "Stopping."
_SCHEMES = {
    "month": "as year and month",
    "cuda": "by the version of CUDA",
    "semver": "by their numbers",
    "opaque": "not at all: none is a version",
}
_EXAMPLES = (
    "airgap-tui ngc search pytorch",
    "airgap-tui ngc select nvidia/pytorch --include '*-py3' --latest 2",
)


@click.group(
    name="ngc",
    invoke_without_command=True,
    subcommand_metavar="search|tags|select ...",
    epilog="\b\n" + "\n".join(["Example:", *(f"  {example}" for example in _EXAMPLES)]),
)
@output_options
@click.pass_context
def ngc(context: click.Context, /, **_values: Any) -> int:
    """Search NVIDIA's catalogue, and select tags from it by rule.

    Public images need no login; with one for nvcr.io, those of your organisations are listed too.
    """
    if context.invoked_subcommand is None:
        raise UsageError(
            "ngc needs to know what to do: search, tags or select",
            hint="airgap-tui ngc --help shows an example.",
        )
    return 0


@verb("airgap-tui ngc search pytorch", "airgap-tui ngc search dcgm exporter --json")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    metavar="N",
    help="Show at most this many (default: 50).",
)
@network_options
def search(output: Output, words: tuple[str, ...], limit: int, **network: Any) -> int:
    """Find repositories in the catalogue; all of them without a word."""
    from humanize import intcomma

    from airgap_tui.engine.jobs.ngc import search as job

    spec = job.SearchSpec(" ".join(words), limit, settings_of(**network))
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    output.document(result.to_json())
    columns = [
        Column("Repository"),
        Column("Newest"),
        Column("Updated"),
        Column("Size", right=True),
        Column("What it is", flexible=True),
    ]
    rows = [
        (
            str(one.name),
            one.latest_tag or "-",
            f"{one.updated:%Y-%m-%d}" if one.updated else "-",
            size_of(one.size),
            one.description or one.title,
        )
        for one in result.repositories
    ]
    if rows:
        output.data(table(columns, rows, output.width))
    for reason in result.refused:
        narrate(f"! {reason}")
    if result.error:
        narrate(f"! The catalogue does not answer: {result.error}. {NO_DETAILS}")
    shown = f"{len(rows)} of " if len(rows) < result.total else ""
    fit = "1 repository fits" if result.total == 1 else f"{intcomma(result.total)} repositories fit"
    output.say(f"{shown}{fit}, {result.scope}." if rows else f"Nothing fits, {result.scope}.")
    return result.exit_code


@verb("airgap-tui ngc tags nvidia/pytorch", "airgap-tui ngc tags nvidia/k8s/dcgm-exporter --json")
@click.argument("repository")
@click.option("--digests", is_flag=True, help="Also ask the registry for the digest of each tag.")
@network_options
def tags(output: Output, repository: str, digests: bool, **network: Any) -> int:
    """List the tags of a repository, newest first.

    The registry says which tags there are, the catalogue when they were pushed, their sizes and
    their platforms.
    """
    from airgap_tui.engine.jobs.ngc import tags as job
    from airgap_tui.engine.quantities import count

    spec = job.TagsSpec(repository, digests, settings_of(**network))
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    output.document(result.to_json())
    listing = result.listing
    columns = [Column("Tag", flexible=True), *DETAILS, *([Column("Digest")] if digests else [])]
    rows = []
    for decision in result.selection.decisions:
        digest = result.digests.get(decision.image.tag)
        own = [str(digest) if digest else "-"] if digests else []
        rows.append([decision.image.tag, *details(decision.image), *own])
    if rows:
        output.data(table(columns, rows, output.width))
    tell_catalogue(output, [(str(listing.name), listing.catalogue_error)])
    if listing.registry_error is not None:
        narrate(f"! {listing.registry_error.message}\n  {listing.registry_error.hint}".rstrip())
        narrate(
            "! These tags are only what the catalogue says; none of them can be pulled from here."
        )
    if listing.unlisted:
        named = ", ".join(sorted(image.tag for image in listing.unlisted)[:5])
        narrate(f"! In the catalogue and not in the registry: {named}"
                + (" .." if len(listing.unlisted) > 5 else ""))  # fmt: skip
    counted = _SCHEMES[result.selection.scheme.value]
    hidden = result.selection.hidden
    unseen = f"; {hidden} of signatures not shown" if hidden else ""
    output.say(f"{count(len(rows), 'tag')}, counted {counted}{unseen}.")
    return result.exit_code


ngc.add_command(search)
ngc.add_command(tags)
ngc.add_command(select)
