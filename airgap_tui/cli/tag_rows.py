"""Tags of the catalogue as table rows, and what is said where it has no details."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airgap_tui.cli.output import Output
from airgap_tui.cli.text import Column
from airgap_tui.engine.redaction import redact

if TYPE_CHECKING:
    from airgap_tui.engine.errors import AirgapError
    from airgap_tui.engine.ngc.repository import TaggedImage

NO_DETAILS = "Tags come from the registry; dates and sizes are missing."
DETAILS = (
    Column("Updated"),
    Column("Size", right=True),
    Column("Platforms"),
)


def details(image: TaggedImage) -> list[str]:
    platforms = " ".join(str(one).removeprefix("linux/") for one in image.platforms)
    return [f"{image.date:%Y-%m-%d}" if image.date else "-", size_of(image.size), platforms or "-"]


def size_of(number: int) -> str:
    from airgap_tui.engine.quantities import size

    return size(number) if number else "-"


def tell_catalogue(output: Output, failed: Iterable[tuple[str, AirgapError | None]]) -> None:
    """Where the catalogue tells nothing, each reason once."""
    reasons: dict[str, list[str]] = {}
    for name, error in failed:
        if error is not None:
            reasons.setdefault(redact(error.message), []).append(name)
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        output.say(f"The catalogue tells nothing of {', '.join(names[:3])}{more}: {reason}."
                   f" {NO_DETAILS}")  # fmt: skip
