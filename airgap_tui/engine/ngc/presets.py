"""Selections that many sites want alike, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.ngc.selection import Rule
from airgap_tui.engine.ngc.versions import Classification, Scheme


@dataclass(frozen=True, slots=True)
class Part:
    """Repositories and one rule for them. `months` keeps the newest so many months that any of
    them has; where versions are no months, that many of the newest versions."""

    repositories: tuple[str, ...]
    rule: Rule = field(default_factory=Rule)
    months: int = 0


@dataclass(frozen=True, slots=True)
class Preset:
    """`title` says for people what is chosen."""

    name: str
    title: str
    parts: tuple[Part, ...]


_CUDA = Part(("nvidia/cuda",))
_FRAMEWORKS = Part(
    (
        "nvidia/pytorch",
        "nvidia/tensorflow",
        "nvidia/jax",
        "nvidia/tensorrt",
        "nvidia/tritonserver",
        "nvidia/nemo",
        "nvidia/dgl",
        "nvidia/pyg",
        "nvidia/paddlepaddle",
        "nvidia/mxnet",
    ),
    months=2,
)

PRESETS = (
    Preset("cuda", "every version of CUDA", (_CUDA,)),
    Preset("frameworks", "every deep learning framework of the last two months", (_FRAMEWORKS,)),
    Preset(
        "cuda-and-frameworks",
        "all CUDA, and every framework of the last two months",
        (_CUDA, _FRAMEWORKS),
    ),
)


def preset(name: str) -> Preset:
    """Raises `UsageError`, which lists the names."""
    for known in PRESETS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in PRESETS)
    raise UsageError(f"there is no preset {name!r}", hint=f"There are {names}.")


def first_month(classified: Iterable[Classification], months: int) -> str:
    """The first of the newest months over several repositories, as `25.05`; empty where none
    counts in months. A framework that ended years ago so gives nothing."""
    found = [
        tag.version.month
        for repository in classified
        if repository.scheme is Scheme.MONTH
        for tag in repository.tags.values()
        if tag.version is not None and tag.version.month is not None
    ]
    if not found:
        return ""
    year, month = max(found)
    index = year * 12 + month - 1 - (months - 1)
    return f"{index // 12 % 100}.{index % 12 + 1:02}"
