"""The options of `export` and `seal` for carrying airgap-tui itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.options import FILE
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.settings import Settings

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.carry import ToolSpec

_OPTIONS = (
    click.option(
        "--tool",
        "tool_files",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Carry this airgap-tui executable, for instance one for another architecture.",
    ),
    click.option(
        "--tool-for",
        metavar="TARGETS",
        help="Carry airgap-tui for these Pythons, machines or both: 3.11/x86_64,3.12, or all.",
    ),
    click.option("--no-tool", is_flag=True, help="Do not carry airgap-tui: data only."),
)


def tool_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `tool_spec` takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def tool_spec(
    settings: Settings, tool_files: tuple[Path, ...], tool_for: str | None, no_tool: bool
) -> ToolSpec | None:
    """What was asked for. Raises `UsageError`."""
    if no_tool and (tool_files or tool_for):
        other = "--tool" if tool_files else "--tool-for"
        raise UsageError(f"--no-tool and {other} cannot be used together")
    if no_tool or not (settings.carry_tool or tool_files or tool_for):
        return None

    from airgap_tui.engine.carry.executable import read_executable
    from airgap_tui.engine.carry.target import parse_targets
    from airgap_tui.engine.jobs.carry import ToolSpec

    for path in tool_files:
        read_executable(path)
    return ToolSpec(tool_files, parse_targets(tool_for) if tool_for else ())
