"""What every job says about each item, and the exit code that follows from all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from airgap_tui.engine.errors import AirgapError, ContentError
from airgap_tui.engine.events import ItemChanged, ItemState, Sink
from airgap_tui.engine.redaction import redact


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item at a job's end. `bytes` is its whole size; `target` the name it got elsewhere."""

    reference: str
    state: ItemState
    digest: str = ""
    bytes: int = 0
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    target: str = ""
    target_digest: str = ""

    @classmethod
    def failed(cls, reference: str, error: AirgapError) -> ItemResult:
        return cls(
            reference,
            ItemState.FAILED,
            error=redact(error.message),
            hint=redact(error.hint),
            exit_code=error.exit_code,
        )

    def told(self, sink: Sink) -> ItemResult:
        """Report it as the item's last state; the result itself."""
        sink(ItemChanged(self.reference, self.state, self.error, self.digest))
        return self

    @property
    def succeeded(self) -> bool:
        return self.state is not ItemState.FAILED

    def to_json(self) -> dict[str, Any]:
        """The fields of the command line's JSON; empty texts are left out, `error` is null."""
        values = {key: value for key, value in asdict(self).items() if value not in ("", None)}
        values.pop("exit_code")
        return {**values, "state": self.state.value, "error": self.error or None}


def combined_exit_code(results: Iterable[ItemResult]) -> int:
    """0 all done; 3 if any content was wrong; the first failure's own code if nothing succeeded;
    otherwise 1."""
    everything = [result for result in results if result.state is not ItemState.LEFT_OUT]
    failures = [result for result in everything if not result.succeeded]
    if not failures:
        return 0
    if any(failure.exit_code == ContentError.exit_code for failure in failures):
        return ContentError.exit_code
    if len(failures) == len(everything):
        return failures[0].exit_code or AirgapError.exit_code
    return AirgapError.exit_code
