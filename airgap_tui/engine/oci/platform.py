"""Platforms: `os/architecture[/variant]`, and which image of an index one gets.

Rules of the OCI image spec, image-index.md: the first entry that matches wins; `arm64` is
`arm64/v8`; of `arm` the newest variant that the wanted one can run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airgap_tui.engine.errors import InvalidPlatform

_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm"}
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
_ORDERED_VARIANTS = {
    "amd64": ("v1", "v2", "v3", "v4"),
    "arm": ("v5", "v6", "v7", "v8"),
    "arm64": ("v8", "v9"),
}


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What an image runs on. `variant` and `os_version` are empty where they say nothing."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64`, `linux/arm64/v8`, or `arm64` alone (then `linux`)."""
        parts = text.strip().split("/")
        if len(parts) == 1:
            parts = ["linux", *parts]
        if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidPlatform(
                f"not a platform: {text!r}", hint="Write it like linux/amd64 or linux/arm64/v8."
            )
        system, architecture, variant = parts[0].lower(), parts[1].lower(), "".join(parts[2:])
        return cls(system, _ARCHITECTURES.get(architecture, architecture), variant.lower())

    @property
    def known(self) -> bool:
        """False for BuildKit's attestation entries, which say `unknown/unknown`."""
        return self.os not in ("", "unknown") and self.architecture not in ("", "unknown")

    def preference(self, wanted: Platform) -> int | None:
        """How well this platform serves `wanted`: 0 is best, None not at all."""
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return None
        if wanted.os_version and self.os_version and wanted.os_version != self.os_version:
            return None
        default = _DEFAULT_VARIANT.get(wanted.architecture, "")
        mine, theirs = self.variant or default, wanted.variant or default
        if mine == theirs:
            return 0
        order = _ORDERED_VARIANTS.get(wanted.architecture, ())
        if mine in order and theirs in order and order.index(mine) < order.index(theirs):
            return order.index(theirs) - order.index(mine)
        return None

    def matches(self, wanted: Platform) -> bool:
        """Whether an image for this platform runs where `wanted` is asked for."""
        return self.preference(wanted) is not None

    def __str__(self) -> str:
        text = f"{self.os}/{self.architecture}"
        if self.variant:
            text += f"/{self.variant}"
        return text


DEFAULT_PLATFORM = Platform("linux", "amd64")
