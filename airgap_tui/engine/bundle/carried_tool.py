"""What `bundle.json` says of the tool that is carried with the bundle.

Its files lie unpacked in `airgap-tui/`, where they can be run, and not among the blobs. One digest
covers them: that of their own list of checksums. So a signature of the inventory does too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle.fields import Fields
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.oci.digest import Digest

KIND = "tool"


@dataclass(frozen=True, slots=True)
class CarriedTool:
    """`sums` is the digest of `airgap-tui/SHA256SUMS`; `files` and `bytes` count what that lists.
    `runs_on` are machines, as `x86_64`, for which there is an executable file, and Pythons on
    machines, as `3.11/x86_64`."""

    version: str
    sums: Digest
    files: int
    bytes: int
    runs_on: tuple[str, ...]

    @property
    def hosts(self) -> str:
        """What it runs on, in words."""
        alone = [text for text in self.runs_on if "/" not in text]
        pairs = [text.partition("/") for text in self.runs_on if "/" in text]
        parts = [f"for {' and '.join(alone)} without Python"] if alone else []
        versions = list(dict.fromkeys(version for version, _, _ in pairs))
        machines = list(dict.fromkeys(machine for _, _, machine in pairs))
        if len(pairs) == len(versions) * len(machines):
            named = f"{', '.join(versions)} on {' and '.join(machines)}"
        else:
            named = ", ".join("".join(pair) for pair in pairs)
        if pairs:
            parts.append(f"for Python {named}")
        return ", and ".join(parts)

    @classmethod
    def from_json(cls, value: object) -> CarriedTool:
        fields = Fields(value, "carried")
        sums = fields.parsed("sums", Digest.parse)
        if sums is None or fields.text("kind") != KIND:
            raise MalformedContent("bundle.json: carried: this is not a tool with its checksums")
        return cls(
            fields.text("version"),
            sums,
            fields.count("files"),
            fields.count("bytes"),
            fields.texts("runsOn"),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "version": self.version,
            "sums": str(self.sums),
            "files": self.files,
            "bytes": self.bytes,
            "runsOn": list(self.runs_on),
        }
