"""Steps in a row: what ends them, what one exit code says of all, and how they are kept."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import MalformedContent, NoRoom, Stopped
from airgap_tui.engine.events import ItemState, discard
from airgap_tui.engine.jobs import chain as chains
from airgap_tui.engine.jobs import save as save_job
from airgap_tui.engine.jobs import verify as verify_job
from airgap_tui.engine.jobs.chain import Chain, Ended, Step, exit_code
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.reference import Reference

CHAIN = Chain(
    (
        Step("save", SaveSpec((Reference.parse("a.lan/b:1"),), Path("/pod"))),
        Step("verify", VerifySpec(Path("/pod"))),
    )
)
GOOD = ItemResult("a.lan/b:1", ItemState.DONE)
BAD = ItemResult("a.lan/c:1", ItemState.FAILED, error="denied", exit_code=4)
DAMAGED = ItemResult("a.lan/b:1", ItemState.FAILED, error="damaged", exit_code=3)


def saved(*items: ItemResult) -> SaveResult:
    return SaveResult(items, 1, 1, 0.1)


def verified(*items: ItemResult) -> VerifyResult:
    return VerifyResult(items, 1, 1, (), (), (), 0.1)


def scripted(monkeypatch: pytest.MonkeyPatch, module: types.ModuleType, outcome: Any) -> list[Any]:
    """The verb gives this result, or raises it; the specs that it was called with."""
    called: list[Any] = []

    def run(spec: Any, *_arguments: object, **_named: object) -> Any:
        called.append(spec)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(module, "run", run)
    return called


def test_one_after_the_other(monkeypatch: pytest.MonkeyPatch, token: CancelToken) -> None:
    scripted(monkeypatch, save_job, saved(GOOD))
    called = scripted(monkeypatch, verify_job, verified(GOOD))
    heard: list[Ended] = []
    done = chains.run(CHAIN, discard, token, ended=heard.append)
    assert [step.verb for step in done] == ["save", "verify"]
    assert tuple(heard) == done
    assert called == [CHAIN.steps[1].spec]
    assert exit_code(done) == 0


def test_a_part_is_enough_to_go_on(monkeypatch: pytest.MonkeyPatch, token: CancelToken) -> None:
    scripted(monkeypatch, save_job, saved(GOOD, BAD))
    called = scripted(monkeypatch, verify_job, verified(GOOD))
    assert exit_code(chains.run(CHAIN, discard, token)) == 1
    assert called


@pytest.mark.parametrize("outcome", [saved(BAD), NoRoom("the disk is too small", hint="Buy one.")])
def test_nothing_achieved_ends_it(
    monkeypatch: pytest.MonkeyPatch, token: CancelToken, outcome: Any
) -> None:
    scripted(monkeypatch, save_job, outcome)
    called = scripted(monkeypatch, verify_job, verified(GOOD))
    done = chains.run(CHAIN, discard, token)
    assert exit_code(done) == 4
    assert not called
    assert (done[0].error, done[0].hint) == (
        ("the disk is too small", "Buy one.") if isinstance(outcome, NoRoom) else ("", "")
    )


def test_a_stop_is_passed_on(monkeypatch: pytest.MonkeyPatch, token: CancelToken) -> None:
    scripted(monkeypatch, save_job, Stopped())
    with pytest.raises(Stopped):
        chains.run(CHAIN, discard, token)
    scripted(monkeypatch, save_job, saved(GOOD))
    called = scripted(monkeypatch, verify_job, verified(GOOD))
    heard: list[Ended] = []

    def stop(ended: Ended) -> None:
        heard.append(ended)
        token.cancel()

    with pytest.raises(Stopped):
        chains.run(CHAIN, discard, token, ended=stop)
    assert [step.verb for step in heard] == ["save"]
    assert not called


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([saved(GOOD), verified(GOOD)], 0),
        ([saved(GOOD, BAD), verified(GOOD)], 1),
        ([saved(GOOD, BAD), verified(DAMAGED)], 3),
        ([saved(BAD)], 4),
        ([saved(GOOD), verified(BAD)], 1),
    ],
)
def test_one_code_for_all(results: list[Any], code: int) -> None:
    assert exit_code([Ended("save", result.exit_code, result) for result in results]) == code


def test_it_is_kept_whole() -> None:
    assert Chain.from_json(json.loads(json.dumps(CHAIN.to_json()))) == CHAIN
    assert CHAIN.verbs == ("save", "verify")
    assert CHAIN.place == Path("/pod")
    assert CHAIN.writes
    for ended in (Ended("save", 1, saved(GOOD, BAD)), Ended("verify", 4, None, "gone", "Look.")):
        assert Ended.from_json(json.loads(json.dumps(ended.to_json()))) == ended


@pytest.mark.parametrize(
    "value", [None, [], [3], [{"verb": "rm"}], [{"verb": "verify"}], [{"verb": ["save"]}]]
)
def test_anything_else_is_no_chain(value: object) -> None:
    with pytest.raises(MalformedContent):
        Chain.from_json(value)
