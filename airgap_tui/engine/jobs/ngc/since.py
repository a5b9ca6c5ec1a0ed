"""What was taken before, so that only what changed is chosen: lists, bundles, and the replicator's
record. Lists that `ngc select` wrote hold each digest in the comment behind the name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine import images_list
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.errors import InvalidDigest, UsageError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.ngc.replicator import ReplicatorState
from airgap_tui.engine.ngc.repository import TaggedImage
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference

_DIGEST = re.compile(r"\bsha256:[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Earlier:
    """One name that was taken before. `digests` are empty where that record has none."""

    digests: frozenset[Digest]
    where: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a tag that the rule chose stays chosen, and why."""

    chosen: bool
    reason: str


class Since:
    """Everything that was taken before, by name."""

    def __init__(self, paths: Sequence[Path], replicated: ReplicatorState | None = None) -> None:
        """Raises `NotFound`, `UsageError` or what opening a bundle raises."""
        self._earlier: dict[str, list[Earlier]] = {}
        for path in paths:
            found = _of_bundle(path) if path.is_dir() else _of_list(path)
            for name, earlier in found.items():
                self._earlier.setdefault(name, []).append(earlier)
        copied = replicated.copied if replicated is not None else ()
        self._copied = {(one.repository, one.tag): one for one in copied}

    def judge(
        self, reference: Reference, image: TaggedImage, digest: Digest, reason: str
    ) -> Verdict:
        """About a tag that the rule chose for `reason` and that now has this digest."""
        earlier = self._earlier.get(reference.tagged_name, [])
        for one in earlier:
            if digest in one.digests:
                return Verdict(False, f"Unchanged since {one.where}")
        known = [one for one in earlier if one.digests]
        if known:
            before = min(str(digest) for digest in known[-1].digests)
            return Verdict(True, f"{reason}; changed since {known[-1].where} ({_short(before)})")
        if earlier:
            return Verdict(True, f"{reason}; in {earlier[-1].where} without a digest")
        copied = self._copied.get((reference.repository, str(reference.tag)))
        if copied is None:
            return Verdict(True, reason)
        if copied.date is None or image.updated is None:
            return Verdict(True, f"{reason}; copied by the replicator, at a date that is not known")
        if copied.date == image.updated:
            return Verdict(
                False, f"Copied by the replicator, unchanged since {copied.date:%Y-%m-%d}"
            )
        return Verdict(True, f"{reason}; changed since the replicator's copy")


def _of_list(path: Path) -> dict[str, Earlier]:
    """The names of a list, with the digests beside them. Raises as `images_list.parse`."""
    text = images_list.read(path)
    listed = images_list.parse([text])
    content = text.content if isinstance(text.content, str) else text.content.decode("utf-8-sig")
    lines = re.split(r"\r\n|\n|\r", content)
    found: dict[str, Earlier] = {}
    for entry in listed.entries:
        digests: set[Digest | None] = {entry.reference.digest}
        for place in entry.places:
            comment = lines[place.line - 1].partition("#")[2]
            digests |= {_parsed(match) for match in _DIGEST.findall(comment)[:1]}
        known = frozenset(digest for digest in digests if digest is not None)
        found[entry.reference.tagged_name] = Earlier(known, path.name)
    return found


def _of_bundle(path: Path) -> dict[str, Earlier]:
    """What a bundle holds whole."""
    inventory = BundleReader.open(path).inventory
    done = (item for item in inventory.items if item.state is ItemState.DONE)
    return {
        item.reference.tagged_name: Earlier(frozenset(item.digests), path.name) for item in done
    }


def _parsed(text: str) -> Digest | None:
    try:
        return Digest.parse(text)
    except InvalidDigest:
        return None


def _short(digest: str) -> str:
    return digest.partition(":")[2][:12]


def check_apart(paths: Sequence[Path], target: Path) -> None:
    """Raise `UsageError` where the new list would replace what says what was taken before."""
    for path in paths:
        if path.absolute() == target.absolute() or (
            path.exists() and target.exists() and path.samefile(target)
        ):
            raise UsageError(
                f"{path} says what was taken before, and would be replaced by what is new",
                hint="Write the new list to another file.",
            )
