"""What an export was asked for, as far as it decides what the volumes hold: it is in each of them,
so that the other side can say the whole command that makes a lost one anew."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle.volumes.medium import Form

_SIZE = re.compile(r"(?:[0-9a-z][0-9A-Za-z.-]{0,19})?")


@dataclass(frozen=True, slots=True)
class Asked:
    """`size` is what `--volume-size` takes, empty for one volume; `tool` says that airgap-tui goes
    along, `update` that what the offline side has was left out, and `signed` that this was signed
    besides."""

    form: Form
    size: str = ""
    tool: bool = False
    update: bool = False
    signed: bool = False

    def to_json(self) -> dict[str, Any]:
        said = {"tool": self.tool, "update": self.update, "signed": self.signed}
        return {"format": self.form.value, "volumeSize": self.size, **said}

    @classmethod
    def from_json(cls, value: object) -> Asked | None:
        """None for what no export says of itself: only the command is the poorer for it then."""
        if not isinstance(value, dict):
            return None
        form, size = value.get("format"), value.get("volumeSize")
        flags = [value.get(name) for name in ("tool", "update", "signed")]
        known = isinstance(form, str) and form in {one.value for one in Form}
        if not known or not isinstance(size, str) or _SIZE.fullmatch(size) is None:
            return None
        return cls(Form(form), size, *(flag is True for flag in flags))

    @property
    def options(self) -> tuple[str, ...]:
        """Of the command line, with capitals for what is not known here."""
        form = () if self.form is Form.DIRECTORY else ("--format", self.form.value)
        size = ("--volume-size", self.size) if self.size else ()
        tool = () if self.tool else ("--no-tool",)
        have = ("--have", "RECEIPT") if self.update else ()
        key = ("--sign", "KEY") if self.signed else ()
        return (*form, *size, *tool, *have, *key)


def export_again(name: str, asked: Asked | None, numbers: Sequence[int]) -> str:
    """The command that makes these volumes of the bundle `name` anew on the online side."""
    options = () if asked is None else asked.options
    only = [word for number in numbers for word in ("--only-volume", str(number))]
    return shlex.join(["airgap-tui", "export", name, "MEDIUM", *options, *only])
