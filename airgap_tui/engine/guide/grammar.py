"""How sentences fit what they count and quote."""

from __future__ import annotations

from airgap_tui.engine.quantities import count


def are(number: int) -> str:
    return "is" if number == 1 else "are"


def all_images(number: int) -> str:
    """`All 13 images`, or `The image` where it is one."""
    return all_of(number, "image")


def all_of(number: int, noun: str) -> str:
    """`All 13 images`, or `The image` where it is one."""
    return f"The {noun}" if number == 1 else f"All {count(number, noun)}"


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
