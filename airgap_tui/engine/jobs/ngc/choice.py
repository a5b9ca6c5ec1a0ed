"""What `ngc select` says about each tag and each repository, and its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.ngc.described import described, message_of
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.ngc.repository import TaggedImage
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Choice:
    """One tag. `error` says why a chosen one cannot be pulled; the digest is the registry's, and
    looked up for chosen tags alone."""

    reference: Reference
    image: TaggedImage
    chosen: bool
    reason: str
    digest: Digest | None = None
    error: AirgapError | None = None

    @property
    def state(self) -> ItemState:
        if self.error is not None:
            return ItemState.FAILED
        return ItemState.DONE if self.chosen else ItemState.LEFT_OUT

    @property
    def note(self) -> str:
        """What stands behind the name in the list."""
        date = f"{self.image.date:%Y-%m-%d}" if self.image.date else ""
        digest = str(self.digest) if self.digest else ""
        return ", ".join(part for part in (digest, date, self.reason) if part)

    @property
    def result(self) -> ItemResult:
        if self.error is not None:
            return ItemResult.failed(str(self.reference), self.error)
        return ItemResult(str(self.reference), self.state, str(self.digest or ""))

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": str(self.reference),
            "chosen": self.chosen,
            "reason": self.reason,
            "digest": str(self.digest) if self.digest else None,
            **described(self.image),
            "error": message_of(self.error),
        }


@dataclass(frozen=True, slots=True)
class RepositoryChoice:
    """One repository; `rule` in words. With an `error` it has no choices, and has failed or, where
    only a preset named it, is left out."""

    name: str
    rule: str
    choices: tuple[Choice, ...] = ()
    state: ItemState = ItemState.DONE
    scheme: str = ""
    hidden: int = 0
    error: AirgapError | None = None
    catalogue_error: AirgapError | None = None

    @property
    def results(self) -> tuple[ItemResult, ...]:
        if self.error is not None and self.state is ItemState.FAILED:
            return (ItemResult.failed(self.name, self.error),)
        return tuple(choice.result for choice in self.choices)

    def to_json(self) -> dict[str, Any]:
        return {
            "repository": self.name,
            "rule": self.rule,
            "scheme": self.scheme,
            "hidden": self.hidden,
            "tags": [choice.to_json() for choice in self.choices],
            "error": message_of(self.error),
            "catalogueError": message_of(self.catalogue_error),
        }


@dataclass(frozen=True, slots=True)
class SelectResult:
    """`notes` are sentences for people: what a taken-over record says, what is hidden."""

    repositories: tuple[RepositoryChoice, ...]
    scope: str
    external: tuple[Choice, ...] = ()
    written: Path | None = None
    descriptions: tuple[Path, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Every tag, in the order of the repositories, external images at the end."""
        own = (choice for one in self.repositories for choice in one.choices)
        return (*own, *self.external)

    @property
    def chosen(self) -> tuple[Choice, ...]:
        """What the list has: every name once."""
        by_name = {c.reference: c for c in self.choices if c.state is ItemState.DONE}
        return tuple(by_name.values())

    @property
    def results(self) -> tuple[ItemResult, ...]:
        own = (result for one in self.repositories for result in one.results)
        return (*own, *(choice.result for choice in self.external))

    @property
    def size(self) -> int:
        """Bytes of what is chosen, before layers that are shared are counted once; what the
        catalogue does not tell counts nothing."""
        return sum(choice.image.size for choice in self.chosen)

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.results)

    def to_json(self) -> dict[str, Any]:
        return {
            "scope": self.scope,
            "repositories": [one.to_json() for one in self.repositories],
            "external": [choice.to_json() for choice in self.external],
            "chosen": len(self.chosen),
            "bytes": self.size,
            "list": str(self.written) if self.written else None,
            "descriptions": [str(path) for path in self.descriptions],
            "notes": list(self.notes),
        }
