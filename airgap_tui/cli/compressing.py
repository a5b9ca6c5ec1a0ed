"""`compress`: compresses existing docker save archives with all cores."""

from __future__ import annotations

from pathlib import Path

import click

from airgap_tui.cli.options import FILE, settings_of, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.results import of_all, show_items, tell_failures
from airgap_tui.cli.running import run_job


@verb("airgap-tui compress *.tar", "airgap-tui compress --codec zstd solver.tar")
@click.argument("archives", nargs=-1, required=True, type=FILE, metavar="TAR...")
@click.option(
    "--codec",
    type=click.Choice(("xz", "zstd", "gzip")),
    default="xz",
    help="How to compress (default: xz).",
)
@click.option("--keep", is_flag=True, help="Leave the uncompressed files where they are.")
def compress(output: Output, archives: tuple[Path, ...], codec: str, keep: bool) -> int:
    """Compress docker save archives with all cores.

    Each FILE.tar becomes FILE.tar.xz; the uncompressed file is deleted once the new one has been
    read back.
    """
    settings = settings_of()

    from airgap_tui.engine.bundle.encoding.codec import Codec
    from airgap_tui.engine.jobs import compress as job
    from airgap_tui.engine.quantities import elapsed, size

    spec = job.CompressSpec(archives, Codec(codec), keep=keep, settings=settings)
    result = run_job(output, lambda sink, token: job.run(spec, sink, token))
    output.document(result.to_json())
    show_items(output, result.items, done="Compressed", noun="archive", target="Now")
    tell_failures(output, result.items, noun="archive")
    output.say(
        f"{of_all(result.items, 'compressed', 'archive')}."
        f" {size(result.before)} became {size(result.after)} in {elapsed(result.seconds)}."
    )
    return result.exit_code
