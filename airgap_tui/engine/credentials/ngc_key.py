"""NGC's key in the environment: `NGC_API_KEY`, or that of the `ngc` program. For nvcr.io alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airgap_tui.engine.credentials.credential import (
    NGC_REGISTRY,
    NGC_USERNAME,
    Credential,
    without_line_breaks,
)
from airgap_tui.engine.credentials.source import Software, Unusable

_VARIABLES = ("NGC_API_KEY", "NGC_CLI_API_KEY")


@dataclass(frozen=True, slots=True)
class NgcKey:
    """`origin` is the variable; without one there is no key."""

    origin: str = ""
    key: str = field(default="", repr=False)
    remarks: tuple[str, ...] = ()
    software: Software = Software.NGC

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> NgcKey:
        """The first variable that holds a key; line breaks are taken out, and told."""
        for variable in _VARIABLES:
            text = environment.get(variable, "")
            key = without_line_breaks(text)
            if key:
                broken = "\n" in text or "\r" in text
                remark = f"{variable} looks like a key with a line break; it was taken out"
                return cls(variable, key, (remark,) if broken else ())
        return cls()

    def find(self, registry: str, repository: str = "") -> Credential | None:
        if registry != NGC_REGISTRY or not self.key:
            return None
        return Credential(NGC_USERNAME, self.key, self.origin)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        return ((NGC_REGISTRY, self.origin),) if self.key else ()

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        return ()
