"""Where to look for images in use, as it is typed in the Images step.

Reading what is typed sends nothing and opens no file; only `Asked.spec` opens inventories.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.quantities import count
from airgap_tui.engine.typed_path import typed_path

if TYPE_CHECKING:  # the first screen is drawn before any source can be asked
    from airgap_tui.engine.discovery.hosts.ssh_host import SshHost
    from airgap_tui.engine.jobs.discovery.discover import DiscoverSpec


@dataclass(frozen=True, slots=True)
class Where:
    """The answers as they were typed: several hosts or paths have blanks between them."""

    here: bool = True
    hosts: str = ""
    files: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The same, understood. `spelled` are the words of `hosts` as the command line takes them:
    pairs of option and value."""

    here: bool = True
    hosts: tuple[SshHost, ...] = ()
    inventories: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    spelled: tuple[tuple[str, str], ...] = ()

    @property
    def somewhere(self) -> bool:
        """Whether there is anything to look in."""
        return bool(self.here or self.hosts or self.inventories or self.files)

    @property
    def in_words(self) -> str:
        """`This machine, 4 hosts, 1 inventory, 2 paths`."""
        parts = ["this machine"] if self.here else []
        for found, noun in ((self.hosts, "host"), (self.files, "path")):
            parts += [count(len(found), noun)] if found else []
            if noun == "host" and self.inventories:
                several = len(self.inventories)
                parts.append("1 inventory" if several == 1 else f"{several} inventories")
        text = ", ".join(parts)
        return text[:1].upper() + text[1:]

    def spec(self) -> tuple[DiscoverSpec, tuple[str, ...]]:
        """The job, and what of the inventories is not used. Raises `NotFound`, `UsageError`."""
        from airgap_tui.engine.discovery.hosts import inventory
        from airgap_tui.engine.discovery.hosts.collecting import LIVE
        from airgap_tui.engine.discovery.hosts.ssh_host import distinct
        from airgap_tui.engine.jobs.discovery.discover import DiscoverSpec
        from airgap_tui.engine.jobs.discovery.named_files import NamedPath

        read = [inventory.read(path) for path in self.inventories]
        hosts = distinct([*self.hosts, *(host for one in read for host in one.hosts)])
        here = self.here or any(one.this_machine for one in read)
        remarks = tuple(remark for one in read for remark in one.remarks)
        if not (here or hosts or self.files):
            raise UsageError("the inventory names no host", hint="Is it the right file?")
        paths = tuple(NamedPath(path) for path in self.files)
        live = LIVE if here or hosts else frozenset()
        return DiscoverSpec(paths, live, here, hosts), remarks


def understood(where: Where) -> Asked:
    """Raises `UsageError` for what is not a host and for a path that is not there."""
    hosts, inventories, spelled = _hosts(where.hosts)
    return Asked(where.here, hosts, inventories, paths(where.files), spelled)


def paths(text: str) -> tuple[Path, ...]:
    """The paths in a text; names with blanks are quoted. Raises `UsageError`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise UsageError("a quotation mark is not closed") from None
    found = tuple(dict.fromkeys(typed_path(word) for word in words))
    for path in found:
        if not os.path.lexists(path):
            raise UsageError(f"there is no such file: {path}")
    return found


def hosts_in_words(text: str) -> str:
    """What is typed as hosts, counted. Raises `UsageError`."""
    hosts, inventories, _ = _hosts(text)
    return Asked(False, hosts, inventories).in_words


def _hosts(
    text: str,
) -> tuple[tuple[SshHost, ...], tuple[Path, ...], tuple[tuple[str, str], ...]]:
    from airgap_tui.engine.discovery.hosts.ssh_host import distinct, nodes, parse_host

    hosts: list[SshHost] = []
    inventories: list[Path] = []
    spelled: list[tuple[str, str]] = []
    for word in dict.fromkeys(_words(text)):
        if _is_path(word):
            path = typed_path(word)
            if not os.path.isfile(path):
                raise UsageError(f"there is no such inventory: {path}")
            inventories.append(path)
            spelled.append(("--inventory", str(path)))
        elif "[" in word or "," in word:
            hosts += nodes(word)
            spelled.append(("--nodes", word))
        else:
            hosts.append(parse_host(word))
            spelled.append(("--host", word))
    return distinct(hosts), tuple(inventories), tuple(spelled)


def _words(text: str) -> list[str]:
    """Words between blanks; those inside of brackets and after a comma are of a range."""
    words: list[str] = []
    for word in text.split():
        if words and (words[-1].count("[") > words[-1].count("]") or words[-1].endswith(",")):
            words[-1] += word
        else:
            words.append(word)
    return words


def _is_path(word: str) -> bool:
    """An inventory is named with its directory, or lies in this one."""
    if word.startswith("ssh://"):
        return False
    return "/" in word or word.startswith("~") or os.path.isfile(word)
