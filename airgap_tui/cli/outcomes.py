"""The outcome of a chain's steps, in the same words in the foreground and for a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.results import of_all, show_items, tell_failures
from airgap_tui.engine.quantities import count, elapsed, rate, size

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.chain import Ended

_WORDS = {
    "save": "saved",
    "verify": "whole",
    "push": "pushed",
    "load": "loaded",
    "import": "imported",
}


def tell_outcome(output: Output, verb: str, result: Any) -> None:
    """The table of images on stdout; reasons, hints and the sum on stderr."""
    if verb == "serve":
        output.say(f"Served {count(len(result.items), 'image')}. {numbers(verb, result)}")
        return
    if verb == "export":
        show_items(output, result.items, done="Written", noun="volume")
        tell_failures(output, result.items, noun="volume")
        tell_failures(output, result.not_carried)
        output.say(f"{of_all(result.items, 'written', 'volume')}. {numbers(verb, result)}")
        return
    if verb in ("seal", "sign"):
        tell_failures(output, result.items)
        output.data(f"Signature: {result.signature.sentence}")
        return
    word = _WORDS[verb]
    outcome = f"in {result.engine}" if verb == "load" else word
    show_items(output, result.items, done=word.capitalize())
    tell_failures(output, result.items)
    if verb == "import" and result.damage:
        narrate(f"! {result.damage}")
    output.say(f"{of_all(result.items, outcome)}. {numbers(verb, result)}")


def tell_steps(output: Output, steps: Sequence[Ended]) -> None:
    """Each step that was done, or why it could not be; one JSON document for all."""
    output.document({"steps": [_as_json(step) for step in steps]})
    for step in steps:
        if step.result is not None:
            tell_outcome(output, step.verb, step.result)
        else:
            narrate(f"! {step.verb}: {step.error}" + (f"\n  {step.hint}" if step.hint else ""))


def _as_json(step: Ended) -> dict[str, Any]:
    value: dict[str, Any] = {"verb": step.verb, "exitCode": step.exit_code}
    if step.result is not None:
        return {**value, "result": step.result.to_json()}
    return {**value, "error": step.error, "hint": step.hint}


def numbers(verb: str, result: Any) -> str:
    """What was moved or read, and how long that took."""
    took = f"in {elapsed(result.seconds)}"
    if verb == "save":
        left_out = f" {size(result.left_out)} left out," if result.left_out else ""
        return f"{size(result.unique)} in all,{left_out} {size(result.downloaded)} fetched {took}."
    if verb == "serve":
        return f"{count(result.requests, 'request')}, {size(result.sent)} sent {took}."
    if verb == "push":
        return f"{size(result.sent)} sent {took}."
    if verb == "export":
        return f"{size(result.bytes)} written {took}."
    if verb == "import":
        standing = f"{result.standing}. " if result.standing else ""
        linked = f"{size(result.linked)} taken over without copying, " if result.linked else ""
        return f"{standing}{linked}{size(result.copied)} copied {took}."
    if verb == "load":
        return f"{size(result.bytes)} sent {took}."
    speed = rate(result.bytes / result.seconds) if result.seconds > 0 else "-"
    files = f"{count(result.blobs, 'file')}, {size(result.bytes)}"
    return f"{files}, every byte read {took}, {speed}."
