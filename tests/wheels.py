"""Small wheels, and locks that name them: what the tool would consist of, without a network."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airgap_tui.engine.carry import wheels
from airgap_tui.engine.carry.locks import Pinned
from airgap_tui.engine.carry.pip import platform_tags
from airgap_tui.engine.carry.target import EVERY, Target


def make_wheel(directory: Path, name: str, version: str, tag: str, content: str = "") -> Path:
    """A wheel of one module, which is the same each time."""
    path = directory / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}/__init__.py": f"TAG = {tag!r}\n{content}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return path


@dataclass(slots=True)
class Index:
    """A directory in which pip finds wheels, with the lock of each target."""

    directory: Path
    locks: dict[Target, tuple[Pinned, ...]] = field(default_factory=dict)

    def put(self, name: str, version: str, tag: str, targets: Iterable[Target]) -> None:
        path = make_wheel(self.directory, name, version, tag)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        for target in targets:
            here = self.locks.get(target, ())
            self.locks[target] = (*here, Pinned(name, version, sha256))

    def fill_cache(self, cache: Path) -> None:
        """As if all had been fetched before."""
        for path in self.directory.glob("*.whl"):
            place = cache / "airgap-tui/wheels" / hashlib.sha256(path.read_bytes()).hexdigest()
            place.mkdir(parents=True)
            shutil.copy(path, place)


def small_index(directory: Path, patch: pytest.MonkeyPatch) -> Index:
    """Wheels of each kind in place of the real ones: for all, for some Pythons, for one target.
    pip is given nothing else to look at."""
    directory.mkdir()
    index = Index(directory)
    index.put("pure", "1.0", "py3-none-any", EVERY)
    index.put("older", "1.0", "py3-none-any", [t for t in EVERY if t.python == "3.10"])
    index.put("older", "2.0", "py3-none-any", [t for t in EVERY if t.python != "3.10"])
    for target in EVERY:
        python = f"cp{target.python.replace('.', '')}"
        index.put("bound", "1.0", f"{python}-{python}-{platform_tags(target)[0]}", [target])
    for machine in ("x86_64", "aarch64"):
        tag = f"cp310-abi3-manylinux_2_28_{machine}"
        index.put("shared", "1.0", tag, [t for t in EVERY if t.machine == machine])
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(directory))
    patch.setenv("PIP_CONFIG_FILE", "/dev/null")
    patch.setenv("XDG_CACHE_HOME", str(directory.parent / "cache"))
    patch.setattr(wheels, "lock_of", lambda target: tuple(sorted(index.locks[target])))
    return index
