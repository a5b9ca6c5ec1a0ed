"""A path as people type it: in a field, as an answer, in the settings."""

from __future__ import annotations

import os
from pathlib import Path


def typed_path(text: str) -> Path:
    """`~` and `~user` stand for homes; where there is no such user they stay, as in a shell."""
    return Path(os.path.expanduser(text))
