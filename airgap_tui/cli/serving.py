"""`serve` and `rehearse`: the bundle as a registry, and a trial of the whole crossing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.options import DIRECTORY, FILE, media_argument, settings_of, trust_options, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import Event, JobStarted, Note, Sink


@verb(
    "airgap-tui serve /media/usb1/pod-2025-07",
    "airgap-tui serve pod-2025-07 --listen 0.0.0.0:5000 --tls-cert srv.pem",
)
@media_argument("paths", "BUNDLE|VOLUME...")
@click.option(
    "--listen",
    default="127.0.0.1:5000",
    metavar="[HOST:]PORT",
    help="Where to listen (default: 127.0.0.1:5000, reachable from this machine only).",
)
@click.option("--tls-cert", type=FILE, metavar="FILE", help="Certificate chain (PEM).")
@click.option("--tls-key", type=FILE, metavar="FILE", help="Its private key (PEM).")
@click.option(
    "--htpasswd", type=FILE, metavar="FILE", help="Who may read: a file made with htpasswd -B."
)
@trust_options
def serve(
    output: Output,
    paths: tuple[Path, ...],
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    htpasswd: Path | None,
    **trust: Any,
) -> int:
    """Serve a bundle as a read-only registry.

    Ctrl-C ends it. docker pull, podman pull and skopeo can read from it; names are those of the
    bundle, without the registry: HOST:5000/nvidia/pytorch:25.06-py3.
    """
    host, port = _address(listen)
    if tls_key is not None and tls_cert is None:
        raise UsageError("--tls-key needs --tls-cert")

    from airgap_tui.engine.jobs import serve as job

    spec = job.ServeSpec(
        paths, host, port, tls_cert, tls_key, htpasswd, trust=settings_of(**trust).trust
    )

    def run(sink: Sink, token: CancelToken) -> job.ServeResult:
        def tell(event: Event) -> None:
            sink(event)
            if isinstance(event, JobStarted):
                sink(Note("Ctrl-C ends it."))

        return job.run(spec, tell, token)

    result = run_job(
        output,
        run,
        stopping="Stopping; transfers under way may end. Press Ctrl-C once more to end at once.",
    )
    output.document(result.to_json())
    return result.exit_code


def _address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`, `[::1]:PORT`, `:PORT` or `PORT`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(
            f"not an address to listen on: {text!r}", hint="Write it like 0.0.0.0:5000 or 5000."
        )
    return host or ("0.0.0.0" if colon else "127.0.0.1"), int(port)  # noqa: S104 - asked for


@verb("airgap-tui rehearse", "airgap-tui rehearse --directory /data --keep --json")
@click.option(
    "--directory", type=DIRECTORY, metavar="DIR", help="Work in this directory (default: /tmp)."
)
@click.option("--keep", is_flag=True, help="Keep the bundle, to look at it.")
def rehearse(output: Output, directory: Path | None, keep: bool) -> int:
    """Try the whole crossing on this machine: no network, no Docker.

    Small sample images are served, saved into a bundle, verified, opened as the offline side would,
    served from there, pulled back and compared. It cleans up after itself.
    """
    settings = settings_of()

    from airgap_tui.engine.jobs import rehearse as job

    spec = job.RehearseSpec(directory, keep, settings)
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; what was made is removed. Press Ctrl-C once more to end at once.",
    )
    output.document(result.to_json())
    return result.exit_code
