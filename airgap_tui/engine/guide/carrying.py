"""How a saved bundle gets onto what is carried: the answers of step Export, and their job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.settings import Settings

if TYPE_CHECKING:  # the first screen is drawn before any job is
    from airgap_tui.engine.jobs.carry import ToolSpec
    from airgap_tui.engine.jobs.chain import Step
    from airgap_tui.engine.jobs.export_spec import ExportSpec
    from airgap_tui.engine.jobs.job_list import JobInfo


class Way(str, Enum):
    """What is made of the bundle; all but the first are written anew, as volumes of that form."""

    SEAL = "seal"
    DIRECTORY = "dir"
    TAR = "tar"
    ISO = "iso"


@dataclass(frozen=True, slots=True)
class Carrying:
    """The answers. `volume_size` is a name or size, empty for one volume; `only` the number of the
    one volume to write again, 0 for all; `one_per_disk` asks for the next disk after each volume.
    `tool` says whether the tool itself goes along, None as the setting says."""

    way: Way = Way.SEAL
    medium: Path | None = None
    volume_size: str = ""
    only: int = 0
    one_per_disk: bool = False
    key: Path | None = None
    sheet: Path | None = None
    tool: bool | None = None

    @property
    def sheets(self) -> tuple[Path, ...]:
        return () if self.sheet is None else (self.sheet,)

    def without_key(self) -> Carrying:
        return replace(self, key=None)

    def carries_tool(self, settings: Settings) -> bool:
        return settings.carry_tool if self.tool is None else self.tool

    def export_spec(self, bundle: Path, settings: Settings) -> ExportSpec:
        """Raises `UsageError` before a place is chosen."""
        from airgap_tui.engine.bundle.volumes.medium import Form
        from airgap_tui.engine.jobs.export_spec import ExportSpec

        if self.medium is None:
            raise UsageError("no place to write to is chosen", hint="Give a directory.")
        return ExportSpec(
            bundle,
            self.medium,
            Form(self.way.value),
            self.volume_size,
            (self.only,) if self.only else (),
            bool(self.only),
            self.key,
            settings,
            self.sheets,
            self._tool_spec(settings),
            one_per_disk=self.one_per_disk and not self.only,
        )

    def step(self, bundle: Path, settings: Settings) -> Step:
        """Raises as `export_spec`."""
        from airgap_tui.engine.jobs.chain import Step

        if self.way is not Way.SEAL:
            return Step("export", self.export_spec(bundle, settings))
        from airgap_tui.engine.jobs.seal import SealSpec

        tool = self._tool_spec(settings)
        return Step("seal", SealSpec(bundle, self.key, settings, self.sheets, tool))

    def _tool_spec(self, settings: Settings) -> ToolSpec | None:
        """The tool as `seal` and `export` take it: by their own rule, or by the option for it."""
        from airgap_tui.engine.jobs.carry import ToolSpec, all_of_it

        if not self.carries_tool(settings):
            return None
        return ToolSpec() if self.tool is None else all_of_it()


def carrying_of(steps: tuple[Step, ...]) -> Carrying | None:
    """The answers that a job was started with; None where it carries nothing."""
    from airgap_tui.engine.jobs.export_spec import ExportSpec
    from airgap_tui.engine.jobs.seal import SealSpec

    for step in steps:
        spec = step.spec
        if isinstance(spec, SealSpec):
            return Carrying(
                key=spec.key,
                sheet=next(iter(spec.sheets), None),
                tool=_chosen(spec.tool, spec.settings),
            )
        if isinstance(spec, ExportSpec):
            return Carrying(
                Way(spec.form.value),
                spec.medium,
                spec.volume_size,
                one_per_disk=spec.one_per_disk,
                key=spec.key,
                sheet=next(iter(spec.sheets), None),
                tool=_chosen(spec.tool, spec.settings),
            )
    return None


def _chosen(tool: ToolSpec | None, settings: Settings) -> bool | None:
    """What was answered, where that is not what the setting says."""
    along = tool is not None
    return None if along == settings.carry_tool else along


def sheet_of(job: JobInfo) -> Path | None:
    """The transfer sheet that a job wrote, if it wrote one."""
    try:
        found = carrying_of(job.directory.chain.steps)
    except AirgapError:
        return None
    return None if found is None else found.sheet
