"""Jobs one after the other in one process, so that a night's work ends complete: save, then verify.

Knows the verbs that can run unattended by name, and imports only those that run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentError, MalformedContent, Stopped
from airgap_tui.engine.events import Sink
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.serial import from_json, to_json
from airgap_tui.engine.redaction import redact


class Result(Protocol):
    """What every verb's result has."""

    @property
    def items(self) -> tuple[ItemResult, ...]: ...
    @property
    def exit_code(self) -> int: ...
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Verb:
    """Where a verb lives. `place` is the spec's field that says which bundle it works on; `writes`
    that it needs the bundle for itself; `remote` that it speaks to registries with logins."""

    module: str
    place: str
    writes: bool = False
    remote: bool = False

    def of(self, name: str) -> Any:
        return getattr(importlib.import_module(f"airgap_tui.engine.jobs.{self.module}"), name)


_VERBS = {
    "save": _Verb("save", "bundle", writes=True, remote=True),
    "verify": _Verb("verify", "path"),
    "sign": _Verb("sign", "bundle", writes=True),
    "seal": _Verb("seal", "bundle", writes=True),
    "receipt": _Verb("receipts", "bundle"),
    "export": _Verb("export", "bundle"),
    "import": _Verb("importing", "bundle", writes=True),
    "load": _Verb("load", "paths"),
    "push": _Verb("push", "bundle", remote=True),
    "serve": _Verb("serve", "paths"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One verb with its spec (`SaveSpec` for `save`, and so on)."""

    verb: str
    spec: Any

    @property
    def place(self) -> Path:
        """The bundle or archive that it works on."""
        found = getattr(self.spec, _VERBS[self.verb].place)
        return cast(Path, found[0] if isinstance(found, tuple) else found).absolute()

    @property
    def writes(self) -> bool:
        return _VERBS[self.verb].writes

    def run(self, sink: Sink, token: CancelToken, logins: Logins | None) -> Result:
        """As the verb's own `run`."""
        verb = _VERBS[self.verb]
        run: Callable[..., Result] = verb.of("run")
        if verb.remote:
            return run(self.spec, sink, token, logins=logins)
        return run(self.spec, sink, token)

    def to_json(self) -> dict[str, Any]:
        return {"verb": self.verb, "spec": to_json(self.spec)}

    @classmethod
    def from_json(cls, value: Any) -> Step:
        """Raises `MalformedContent`."""
        verb = _verb(value)
        kind = verb.of(f"{value['verb'].capitalize()}Spec")
        return cls(value["verb"], from_json(kind, value.get("spec")))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended: with the verb's own result, or with the error that ended it."""

    verb: str
    exit_code: int
    result: Result | None = None
    error: str = ""
    hint: str = ""

    @property
    def achieved(self) -> bool:
        """Whether the next step has something to work on."""
        if self.exit_code == 0:
            return True
        return self.result is not None and any(item.succeeded for item in self.result.items)

    def to_json(self) -> dict[str, Any]:
        """Everything, without secrets, so that `from_json` gives the same again."""
        value = {"verb": self.verb, "exit_code": self.exit_code}
        if self.result is not None:
            return {**value, "result": to_json(self.result, redact)}
        return {**value, "error": self.error, "hint": self.hint}

    @classmethod
    def from_json(cls, value: Any) -> Ended:
        """Raises `MalformedContent`."""
        verb, code = _verb(value), int(value.get("exit_code", 1))
        if "result" not in value:
            error, hint = str(value.get("error", "")), str(value.get("hint", ""))
            return cls(value["verb"], code, None, error, hint)
        kind = verb.of(f"{value['verb'].capitalize()}Result")
        return cls(value["verb"], code, from_json(kind, value["result"]))


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps to be done in this order."""

    steps: tuple[Step, ...]

    @property
    def verbs(self) -> tuple[str, ...]:
        return tuple(step.verb for step in self.steps)

    @property
    def place(self) -> Path:
        """The bundle that the first step works on, which names the job."""
        return self.steps[0].place

    @property
    def writes(self) -> bool:
        return any(step.writes for step in self.steps)

    def to_json(self) -> list[dict[str, Any]]:
        return [step.to_json() for step in self.steps]

    @classmethod
    def from_json(cls, value: Any) -> Chain:
        """Raises `MalformedContent`."""
        if not isinstance(value, list) or not value:
            raise MalformedContent("a job without a step")
        return cls(tuple(Step.from_json(step) for step in value))


def run(
    chain: Chain,
    sink: Sink,
    token: CancelToken,
    logins: Logins | None = None,
    ended: Callable[[Ended], None] = lambda _ended: None,
) -> tuple[Ended, ...]:
    """Do the steps until one achieves nothing; `ended` hears of each.

    What a step raises is in its `Ended`, except `Stopped` and what nobody foresaw.
    """
    done: list[Ended] = []
    for step in chain.steps:
        token.check()
        done.append(_run(step, sink, token, logins))
        ended(done[-1])
        if not done[-1].achieved:
            break
    return tuple(done)


def _run(step: Step, sink: Sink, token: CancelToken, logins: Logins | None) -> Ended:
    try:
        result = step.run(sink, token, logins)
    except Stopped:
        raise
    except AirgapError as error:
        return Ended(step.verb, error.exit_code, None, redact(error.message), redact(error.hint))
    return Ended(step.verb, result.exit_code, result)


def exit_code(done: Sequence[Ended]) -> int:
    """One code for all steps: 3 wins; the first step's own where nothing was achieved; otherwise 1
    where anything failed."""
    codes = [step.exit_code for step in done]
    if ContentError.exit_code in codes:
        return ContentError.exit_code
    if not any(codes):
        return 0
    return AirgapError.exit_code if any(step.achieved for step in done) else codes[0]


def _verb(value: Any) -> _Verb:
    name = value.get("verb") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in _VERBS:
        raise MalformedContent("a job with a step that this version does not know")
    return _VERBS[name]
