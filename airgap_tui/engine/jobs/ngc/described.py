"""Tags and errors of NGC as the JSON of several verbs has them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.ngc.repository import TaggedImage
from airgap_tui.engine.redaction import redact


def described(image: TaggedImage) -> dict[str, Any]:
    """What the catalogue adds to a tag, for JSON; null where it is not known."""
    return {
        "updated": moment(image.date),
        "size": image.size or None,
        "platforms": [str(platform) for platform in image.platforms],
        "signed": image.signed,
    }


def moment(time: datetime | None) -> str | None:
    """`2025-06-24T09:00:00Z`, as in all documents of ours."""
    return None if time is None else f"{time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def message_of(error: AirgapError | None) -> str | None:
    """Why something failed, for JSON."""
    return redact(error.message) if error is not None else None
