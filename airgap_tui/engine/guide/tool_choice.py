"""Whether the tool itself is carried along: the choice of step Export, what each answer means, and
what it adds.

An answer that says what the setting `carry-tool` says is none of its own: the command needs no
option for it then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide.carrying import Carrying
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.quantities import size
from airgap_tui.engine.settings import Settings

ALONG, DATA_ALONE = "along", "data"
TOOL = (
    Choice(ALONG, "airgap-tui goes along", "It runs there from the medium, without installing"),
    Choice(DATA_ALONE, "Data alone", "Nothing on the media can be run, as some gates demand"),
)


@dataclass(frozen=True, slots=True)
class ToolAtHand:
    """`bytes` is what the tool takes, None where that is known once it is fetched; `there` says
    that the bundle holds it already, `shut_out` that the bundle is signed without it."""

    bytes: int | None = None
    there: bool = False
    shut_out: bool = False

    @classmethod
    def of(cls, bundle: Path | None) -> ToolAtHand:
        """`bundle` None: it is not saved yet. Raises as `BundleReader.open`."""
        from airgap_tui.engine.bundle import layout
        from airgap_tui.engine.bundle.reader import BundleReader
        from airgap_tui.engine.jobs.carry import bytes_at_hand, carried

        reader = None if bundle is None else BundleReader.open(bundle)
        there = None if reader is None else carried(reader)
        if there is not None:
            return cls(there.bytes, there=True)
        signed = reader is not None and any(
            reader.storage.extent(name) is not None for name in layout.SIGNATURES
        )
        try:
            return cls(bytes_at_hand(), shut_out=signed)
        except AirgapError:
            return cls(None, shut_out=signed)


def tool_key(answers: Carrying, settings: Settings) -> str:
    """The key among `TOOL` of the answers."""
    return ALONG if answers.carries_tool(settings) else DATA_ALONE


def with_tool(answers: Carrying, key: str, settings: Settings) -> Carrying:
    """The answers with that key of `TOOL`."""
    along = key == ALONG
    return replace(answers, tool=None if along == settings.carry_tool else along)


def tool_words(answers: Carrying, settings: Settings, at_hand: ToolAtHand) -> str:
    """What stands beside the choice."""
    if not answers.carries_tool(settings):
        return "No program on the media"
    if is_shut_out(answers, settings, at_hand):
        return "Signed without it: sign anew"
    if at_hand.bytes is None:
        return "Its size is known once fetched"
    told = size(at_hand.bytes)
    return f"{told}, in the bundle already" if at_hand.there else f"Adds {told}"


def is_shut_out(answers: Carrying, settings: Settings, at_hand: ToolAtHand) -> bool:
    """Whether the tool is wanted and stays behind, for the bundle is signed without it."""
    return answers.carries_tool(settings) and at_hand.shut_out and answers.key is None
