"""Carries the tool itself: collected before anything is written, then put into the bundle, from
where it goes onto the media.

This program carries itself where it is one file; else the executables that are named, else the
wheels that it consists of, unpacked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airgap_tui import __version__
from airgap_tui.engine import own_program
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.seal import Seal
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.bundle.tool_files import format_sums, is_carried
from airgap_tui.engine.bundle.tool_writer import holds_tool, write_tool
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry.executable import Executable, read_executable
from airgap_tui.engine.carry.target import EVERY, Target
from airgap_tui.engine.carry.tree import sums_of, tool_files, unpacked_bytes
from airgap_tui.engine.carry.wheels import WheelCache
from airgap_tui.engine.errors import (
    ContentMismatch,
    EnvironmentFailure,
    NotFound,
    UsageError,
)
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """`files` are executables of airgap-tui, one for each kind of machine; `targets` are what
    wheels are carried for. With neither it is what can be had, for all; then a bundle is carried
    without the tool rather than not at all."""

    files: tuple[Path, ...] = ()
    targets: tuple[Target, ...] = ()

    @property
    def required(self) -> bool:
        return bool(self.files or self.targets)


@dataclass(frozen=True, slots=True)
class Tool:
    """What is to be carried, all of it here. `sums` has SHA-256 in hex and size by file."""

    executables: tuple[Executable, ...]
    wheels: Mapping[Target, tuple[Path, ...]]
    sums: Mapping[str, tuple[str, int]]
    record: CarriedTool = field(init=False)

    def __post_init__(self) -> None:
        raw = format_sums({name: sha256 for name, (sha256, _size) in self.sums.items()})
        runs_on = [executable.machine for executable in self.executables]
        record = CarriedTool(
            version=__version__,
            sums=Digest.of(raw),
            files=len(self.sums),
            bytes=sum(size for _sha256, size in self.sums.values()),
            runs_on=(*sorted(runs_on), *map(str, sorted(self.wheels, key=EVERY.index))),
        )
        object.__setattr__(self, "record", record)


def all_of_it() -> ToolSpec:
    """The tool asked for by name: this very program where it is one file, else wheels for all."""
    own = _own_files()
    return ToolSpec(own) if own else ToolSpec(targets=EVERY)


def bytes_at_hand() -> int | None:
    """What `all_of_it` takes on the media; None where wheels would have to be fetched to know.

    Raises `EnvironmentFailure` where what is here cannot be read."""
    own = _own_files()
    if own:
        with reading(own[0]):
            return own[0].stat().st_size
    wheels = WheelCache().at_hand(EVERY)
    return None if wheels is None else unpacked_bytes(wheels)


def told(tool: CarriedTool) -> str:
    """What is carried, as a sentence."""
    return (
        f"airgap-tui {tool.version} is carried too, {tool.hosts}:"
        f" {count(tool.files, 'file')}, {in_words(tool.bytes)}"
    )


def settle(
    seal: Seal,
    spec: ToolSpec,
    settings: Settings,
    sink: Sink,
    token: CancelToken,
    *,
    signer: Signer | None,
) -> CarriedTool | None:
    """Put the tool into a bundle that is held; what it carries then, or None with a note where the
    tool was not asked for by name and cannot be had. `signer` signs the bundle anew afterwards: it
    is made ready before the tool is fetched or written.

    Raises `UsageError` for a file that cannot be the tool and for a bundle that is signed without
    it, `NoRoom`, and as `WheelCache.fetch` does.
    """
    there = carried(seal.bundle)
    if seal.bundle.storage.extent(layout.VOLUME) is not None:
        return there
    at_hand = spec.required or own_program.is_one_file()
    if there is not None and not at_hand and _is_offline(seal.bundle):
        return _kept(there, sink)
    try:
        tool = _gathered(spec, seal.bundle, signer, sink, token)
    except (EnvironmentFailure, ContentMismatch) as error:
        if spec.required:
            raise
        if there is not None:
            return _kept(there, sink)
        leave_out(f"{error.message}. {error.hint}".strip(), sink)
        return None
    here = holds_tool(seal, tool.record, token)
    signed = signature_of(seal.bundle, settings.trust, token).standing is not Standing.UNSIGNED
    if signed and not (here or signer):
        if spec.required:
            raise UsageError(
                f"{seal.path} is signed without this airgap-tui", hint="Sign it again: --sign KEY."
            )
        if there is not None:
            return _kept(there, sink)
        leave_out("the bundle is signed without it. --sign KEY signs it with it.", sink)
        return None
    if not here:
        if signer is not None:
            signer.make_ready()
        _put(seal, tool, sink, token)
    sink(Note(told(tool.record)))
    return tool.record


def _kept(tool: CarriedTool, sink: Sink) -> CarriedTool:
    sink(Note(f"{told(tool)}, as it was in the bundle"))
    return tool


def leave_out(reason: str, sink: Sink) -> None:
    sink(Note(f"airgap-tui itself is not carried: {reason}", Level.WARNING))


def _gathered(
    spec: ToolSpec, bundle: BundleReader, signer: Signer | None, sink: Sink, token: CancelToken
) -> Tool:
    if spec.targets and own_program.is_one_file():
        raise UsageError(
            "this airgap-tui is one file, and carries itself",
            hint="Leave out --tool-for; for another kind of machine use --tool FILE.",
        )
    executables = {one.machine: one for one in map(read_executable, _own_files())}
    named: dict[str, Executable] = {}
    for executable in map(read_executable, spec.files):
        if executable.machine in named:
            raise UsageError(
                f"{executable.path} and {named[executable.machine].path} are both for"
                f" {executable.machine}"
            )
        named[executable.machine] = executable
    executables.update(named)
    targets = spec.targets or (() if executables else EVERY)
    wheels: Mapping[Target, tuple[Path, ...]] = {}
    if targets:
        cache = WheelCache()
        if cache.lacking(targets):
            if not spec.required and _is_offline(bundle):
                raise NotFound(
                    "its wheels are not here, and on the offline side none are fetched",
                    hint="--tool-for all fetches them nevertheless.",
                )
            if signer is not None:
                signer.make_ready()
        wheels = cache.fetch(targets, sink, token)
    chosen = tuple(executables[machine] for machine in sorted(executables))
    return Tool(chosen, wheels, sums_of(tool_files(chosen, wheels), token.check))


def _own_files() -> tuple[Path, ...]:
    own = own_program.executable_file()
    return () if own is None else (own,)


def _is_offline(bundle: BundleReader) -> bool:
    """Whether this seems to be the side without internet, where nothing is asked of an index."""
    return bundle.inventory.imported or not own_program.is_installed()


def _put(seal: Seal, tool: Tool, sink: Sink, token: CancelToken) -> None:
    sink(Note("Writing airgap-tui itself into the bundle"))
    files = ((file.path, file.read) for file in tool_files(tool.executables, tool.wheels))
    sums = {f"{layout.TOOL}/{name}": sha256 for name, (sha256, _size) in tool.sums.items()}
    write_tool(seal, tool.record, files, sums, token)


def carried(bundle: BundleReader) -> CarriedTool | None:
    """The tool that is in a bundle."""
    tool = bundle.inventory.carried
    return tool if tool is not None and is_carried(bundle.storage) else None
