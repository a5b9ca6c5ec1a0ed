"""The delivery code: twelve characters that say, where nothing may be carried out, which images of
which bundle arrived. Read out at one end, typed in at the other, where the bundle is known.

It protects against slips, not against somebody who lies: a mistyped one fits no bundle. Images that
did not arrive change it in a way that can be undone for up to two of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airgap_tui.engine.bundle.inventory import SIGNATURE, Inventory
from airgap_tui.engine.bundle.receipts.receipt import Holder, Receipt
from airgap_tui.engine.events import ItemState

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O or U, which are taken for others."""
_LENGTH = 12
_RANGE = 1 << (5 * _LENGTH)
_ALIKE = str.maketrans("ILO", "110", " -.")

MOST_ABSENT = 2


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a bundle was when it was carried: its ID and its images, by name and root digest."""

    id: str
    images: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, inventory: Inventory) -> Shipped:
        done = (
            (item.name, str(item.digest))
            for item in inventory.items
            if item.state is ItemState.DONE and item.digest and item.kind != SIGNATURE
        )
        return cls(inventory.id, tuple(sorted(done)))

    @classmethod
    def as_recorded(cls, record: Receipt) -> Shipped:
        """From what was written down when a bundle was made ready to carry."""
        bundle = record.bundles[0].id if record.bundles else ""
        images = ((image.name, str(image.digest)) for image in record.images)
        return cls(bundle, tuple(sorted(images)))

    def code(self, arrived: Iterable[str], holder: Holder) -> str:
        """The code for the images of these names, as `7K3M-Q2ZD-X81A`; empty where more are absent
        than could be told from it. `holder` is where they are now."""
        there = set(arrived)
        absent = [image for image in self.images if image[0] not in there]
        if len(absent) > MOST_ABSENT or len(absent) == len(self.images):
            return ""
        return _written((self._whole(holder) - sum(map(self._number, absent))) % _RANGE)

    def arrived(self, code: str) -> tuple[Holder, tuple[str, ...]] | None:
        """Where the images are and the names of those that a code stands for; None where it is not
        of this bundle."""
        value = _read(code)
        for holder in Holder if value is not None and self.images else ():
            absent = self._absent((self._whole(holder) - (value or 0)) % _RANGE)
            if absent is not None and len(absent) < len(self.images):
                return holder, tuple(name for name, _ in self.images if name not in absent)
        return None

    def _absent(self, difference: int) -> Sequence[str] | None:
        """The names of the images whose numbers make up a difference."""
        if difference == 0:
            return ()
        numbers = {self._number(image): image[0] for image in self.images}
        if difference in numbers:
            return (numbers[difference],)
        for number, name in numbers.items():
            other = numbers.get((difference - number) % _RANGE)
            if other is not None and other != name:
                return (name, other)
        return None

    def _whole(self, holder: Holder) -> int:
        images = "\n".join(f"{name} {digest}" for name, digest in self.images)
        return _hash(f"{holder.value}\n{self.id}\n{images}")

    def _number(self, image: tuple[str, str]) -> int:
        return _hash(f"image\n{self.id}\n{image[0]}\n{image[1]}")


def is_code(text: str) -> bool:
    """Whether a text has the form of a code, however it was typed."""
    return _read(text) is not None


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % _RANGE


def _written(value: int) -> str:
    digits = ""
    for _ in range(_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return "-".join(digits[at : at + 4] for at in range(0, _LENGTH, 4))


def _read(text: str) -> int | None:
    plain = text.strip().upper().translate(_ALIKE)
    if len(plain) != _LENGTH or any(c not in _ALPHABET for c in plain):
        return None
    value = 0
    for character in plain:
        value = value * len(_ALPHABET) + _ALPHABET.index(character)
    return value
