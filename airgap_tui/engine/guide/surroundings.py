"""What step Export has to know before it asks: where the bundle lies, what can sign, how it was
exported before, and how many volumes of each size there would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.signatures import signing_keys
from airgap_tui.engine.bundle.signatures.signing_keys import AgentKey
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide.carrying import Carrying, Way, carrying_of
from airgap_tui.engine.guide.departure import Lying
from airgap_tui.engine.guide.tool_choice import ToolAtHand
from airgap_tui.engine.jobs import media_needed
from airgap_tui.engine.jobs.job_list import list_jobs
from airgap_tui.engine.jobs.plan import PlanResult


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`keys` are those in the agent; `before` are the answers of the latest export of the bundle;
    `counts` gives for each way the number of volumes by the name of their size; `tool` is what is
    known of the tool that may go along."""

    lying: Lying
    keys: tuple[AgentKey, ...]
    before: Carrying | None
    counts: Mapping[Way, Mapping[str, int]]
    tool: ToolAtHand


def look_around(
    bundle: Path, ahead: PlanResult | None, state_dir: Path, token: CancelToken
) -> Surroundings:
    """`ahead` is the plan of a bundle that is not saved yet. Raises as `BundleReader.open` and
    `media_needed.files_of_bundle` do."""
    if ahead is not None:
        files = media_needed.files_of_plan(ahead.blobs)
    else:
        files = media_needed.files_of_bundle(bundle, token)
    counts: dict[Way, Mapping[str, int]] = {}
    for way in (Way.DIRECTORY, Way.TAR, Way.ISO):
        token.check()
        counts[way] = media_needed.counts(files, Form(way.value)) if files else {}
    keys = signing_keys.keys_in_agent(token)
    before = exported_before(state_dir, bundle)
    tool = ToolAtHand.of(bundle if ahead is None else None)
    return Surroundings(Lying.of(bundle), keys, before, counts, tool)


def exported_before(state_dir: Path, bundle: Path) -> Carrying | None:
    """The answers of the latest job that exported this bundle, so that one volume of that very set
    can be written again; None where none did. The key is not among them: the bundle is signed."""
    for job in list_jobs(state_dir):
        if job.order.place == bundle and "export" in job.order.verbs:
            try:
                found = carrying_of(job.directory.chain.steps)
            except AirgapError:
                continue
            return None if found is None else found.without_key()
    return None
