"""What `ngc select` is asked: which repositories, by which rule, against what, and where to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.jobs.ngc.since import check_apart
from airgap_tui.engine.ngc.presets import preset
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.ngc.selection import Rule
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class SelectSpec:
    """Which repositories: named whole, by `presets`, or those of a `project` whose names hold one
    of `images` (are one of them with `strict`). Then the rule; over presets it goes field by field.

    `since` are lists and bundles of earlier runs. Nothing is written without `target` and
    `descriptions`.
    """

    repositories: tuple[str, ...] = ()
    rule: Rule = field(default_factory=Rule)
    project: str = ""
    images: tuple[str, ...] = ()
    strict: bool = False
    presets: tuple[str, ...] = ()
    external: Path | None = None
    replicator_state: Path | None = None
    since: tuple[Path, ...] = ()
    target: Path | None = None
    descriptions: Path | None = None
    settings: Settings = field(default_factory=Settings)

    def check(self) -> None:
        """Raise `UsageError` for an impossible choice."""
        self.rule.check()
        for name in self.repositories:
            RepositoryName.parse(name, self.settings.ngc.registry)
        for name in self.presets:
            preset(name)
        if "/" in self.project:
            raise UsageError(
                f"not a project: {self.project!r}",
                hint="It is an organisation, as nvidia; --image names repositories of it.",
            )
        named = (self.repositories, self.presets, self.project, self.images)
        if not any(named) and self.external is None:
            raise UsageError(
                "nothing says which repositories",
                hint="Name some, as nvidia/pytorch, or use --preset, --project or --image.",
            )
        if self.target is not None:
            check_apart(self.since, self.target)
