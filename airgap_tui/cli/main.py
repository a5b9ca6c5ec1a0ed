"""The command `airgap-tui`: knows the verbs by name, imports only the one that runs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import click

from airgap_tui import __version__
from airgap_tui.cli.failure import Failure
from airgap_tui.cli.options import output_of, output_options
from airgap_tui.cli.output import Output, discard_stdout
from airgap_tui.engine.errors import UsageError

_VERBS = {
    "discover": ("discovering", "Find the images in use here, on other hosts, and in files."),
    "login": ("login", "Test a login for a registry, and keep it."),
    "logins": ("logins", "Show which registries have a login, from where, and if it works."),
    "ngc": ("ngc", "Search NVIDIA's catalogue, and select tags from it by rule."),
    "plan": ("planning", "Show what save would do, in numbers; write nothing."),
    "save": ("saving", "Save images from registries, engines or archives into a bundle."),
    "verify": ("verifying", "Read every byte of a bundle and compare it with its digest."),
    "sign": ("sealing", "Sign a bundle with an SSH key."),
    "seal": ("sealing", "Make a bundle ready to carry, on the disk where it is."),
    "export": ("exporting", "Write a bundle onto disks or discs, as volumes of a chosen size."),
    "import": ("importing", "Merge volumes or bundles into a bundle that is kept."),
    "remove": ("pruning", "Remove images from a bundle; prune then frees their space."),
    "prune": ("pruning", "Remove what no image of a bundle needs."),
    "load": ("loading", "Load a bundle or docker save archives into Docker or Podman."),
    "push": ("pushing", "Push a bundle, or docker save archives, into a registry."),
    "receipt": ("receipting", "Write a receipt of what this side has."),
    "serve": ("serving", "Serve a bundle as a read-only registry."),
    "rehearse": ("serving", "Try the whole crossing on this machine: no network, no Docker."),
    "compress": ("compressing", "Compress docker save archives with all cores."),
    "jobs": ("jobs", "List background jobs."),
    "attach": ("jobs", "Follow a background job until it ends."),
    "stop": ("jobs", "Stop a background job."),
    "doctor": ("diagnosing", "Check what this machine has and lacks for each step."),
}


_FUNCTIONS = {"import": "import_"}
"""Verbs that are words of Python."""


class Verbs(click.Group):
    """A group whose help costs no import of a verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"airgap_tui.cli.{_VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, _FUNCTIONS.get(cmd_name, cmd_name))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _VERBS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no verb {args[0]!r}; there are {', '.join(_VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_module, text) in _VERBS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            for line in (
                "airgap-tui save -f images_list.txt -b /media/usb1/pod-2025-07",
                "airgap-tui verify /media/usb1/pod-2025-07",
                "airgap-tui push /media/usb1/pod-2025-07 registry.lan:5000",
            ):
                formatter.write_text(line)


@click.command(
    cls=Verbs,
    name="airgap-tui",
    subcommand_metavar="VERB ...",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@output_options
@click.option("--plain", is_flag=True, help="Without a verb: the steps as plain prompts.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Without a verb: draw with ASCII only.")
@click.version_option(__version__, message="airgap-tui %(version)s")
@click.pass_context
def airgap_tui(ctx: click.Context, /, plain: bool, ascii_only: bool, **_values: Any) -> int:
    """Carry container images from a network with internet into one without.

    Without a verb, on a terminal, a wizard leads through every step. Each verb has --help with an
    example.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    if isinstance(ctx.obj, Guides) and not output_of(ctx).as_json:
        prompts = plain or bool(os.environ.get("ACCESSIBLE", "").strip("0"))
        reason = ctx.obj.prompts_refused() if prompts else ctx.obj.screens_refused()
        if reason is None:
            return ctx.obj.prompts() if prompts else ctx.obj.screens(ascii_only)
        other = "" if prompts else " On a terminal of any kind, --plain asks the same in prompts."
        raise UsageError(reason, hint=f"Name a verb: airgap-tui --help lists them.{other}")
    raise click.UsageError("no verb is given", ctx)


@dataclass(frozen=True, slots=True)
class Guides:
    """What leads through a crossing where no verb is given. `…_refused` say why that cannot be
    here, None where it can; the others return the exit code."""

    screens_refused: Callable[[], str | None]
    screens: Callable[[bool], int]
    prompts_refused: Callable[[], str | None]
    prompts: Callable[[], int]


def run(arguments: Sequence[str], guides: Guides | None = None) -> int:
    """Run one command line; the exit code. Never raises, and never shows a traceback.

    `guides` are for a command line without a verb; without them it is wrong usage."""
    try:
        code = airgap_tui.main(
            list(arguments), prog_name="airgap-tui", standalone_mode=False, obj=guides
        )
        sys.stdout.flush()
        return int(code or 0)
    except (BrokenPipeError, SystemExit):
        # Help that nobody reads to its end; click itself makes a SystemExit of that.
        discard_stdout()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return failed(error, arguments)


def failed(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell what went wrong, as the command line wants it; the exit code for it."""
    failure = Failure.of(error)
    output = _output_before_parsing(arguments)
    output.failure(failure.message, failure.hint, failure.exit_code)
    return failure.exit_code


def _output_before_parsing(arguments: Sequence[str]) -> Output:
    """How a failure is told, also that of a command line which cannot be parsed."""
    options = list(arguments)
    if "--" in options:
        options = options[: options.index("--")]
    lines = "--progress=json" in options or ("--progress", "json") in pairwise(options)
    return Output(as_json="--json" in options, progress="json" if lines else "auto")
