"""Tags and errors of NGC as the JSON of several verbs has them."""

from __future__ import annotations

from typing import Any

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.ngc.repository import TaggedImage
from airgap_tui.engine.redaction import redact


def described(image: TaggedImage) -> dict[str, Any]:
    """What the catalogue adds to a tag, for JSON; null where it is not known."""
    return {
        "updated": image.date.isoformat() if image.date else None,
        "size": image.size or None,
        "platforms": [str(platform) for platform in image.platforms],
        "signed": image.signed,
    }


def message_of(error: AirgapError | None) -> str | None:
    """Why something failed, for JSON."""
    return redact(error.message) if error is not None else None
