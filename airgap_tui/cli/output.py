"""What goes where: stdout takes data, stderr narration; both without secrets and control codes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import Any, TextIO

from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact

PROGRESS_MODES = ("auto", "bar", "plain", "json", "none")


@dataclass(frozen=True, slots=True)
class Output:
    """How this run speaks. `verbosity` is -1 for --quiet, 0, or 1 for -v."""

    as_json: bool = False
    progress: str = "auto"
    verbosity: int = 0

    @property
    def progress_mode(self) -> str:
        """`bar`, `plain`, `json` or `none`: what `auto` means here and now."""
        if self.progress == "json" or self.progress == "none":
            return self.progress
        if self.progress == "auto" and self.verbosity < 0:
            return "none"
        drawable = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return "bar" if drawable and self.progress != "plain" else "plain"

    @property
    def width(self) -> int | None:
        """Columns of the terminal that shows the data; None where nobody does and none is cut."""
        return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None

    def data(self, text: str) -> None:
        """A result for people, on stdout. Nothing under --json, whose one document is the data."""
        if not self.as_json:
            _write_data(redact(text))

    def document(self, value: dict[str, Any]) -> None:
        """The one JSON document of --json; nothing without it."""
        if self.as_json:
            _write_data(json.dumps(redacted(value), indent=2, ensure_ascii=False))

    def say(self, text: str) -> None:
        """Narration, on stderr; silent with --quiet and among JSON lines."""
        if self.verbosity >= 0 and self.progress_mode != "json":
            narrate(text)

    def failure(self, message: str, hint: str, exit_code: int) -> None:
        """Tell an error on stderr, and as the JSON document where one is wanted."""
        error = {"message": redact(message), "hint": redact(hint), "exit_code": exit_code}
        if self.progress == "json":
            narrate(json.dumps({"event": "error", **error}, ensure_ascii=False))
        else:
            narrate(f"airgap-tui: {message}" + (f"\n  {hint}" if hint else ""))
        self.document({"error": error})


def redacted(value: Any) -> Any:
    """A JSON value with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in value]
    return value


def narrate(text: str) -> None:
    """Write to stderr; a closed window does not end the work."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{harmless(redact(text))}\n")
        sys.stderr.flush()


def marks(stream: TextIO) -> dict[str, str]:
    """The mark of each meaning, in UTF-8 or in ASCII, as the stream can show it."""
    utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
    if utf8 and os.environ.get("TERM") != "linux":
        return {"done": "✓", "bad": "!", "active": "●", "waiting": "∙", "held": "="}
    return {"done": "+", "bad": "!", "active": "*", "waiting": ".", "held": "="}


def _write_data(text: str) -> None:
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough (`| head`): the work is done, and its exit code stands.
        discard_stdout()
    except OSError as error:
        discard_stdout()
        raise EnvironmentFailure(f"the result cannot be written: {error.strerror}") from None


def discard_stdout() -> None:
    """Let what is still written to a broken stdout vanish, also at the interpreter's end."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
