"""From answers to the chain of jobs that a worker does, and back from a job to its answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.guide.answers import Collection, Delivery, Destination, Wish
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.settings import Settings


def saving(answers: Collection) -> Chain:
    """The save, and its verify where that is wanted; `bundle` has to be chosen by then."""
    spec = answers.save_spec()
    steps = [Step("save", spec)]
    if answers.verify_after:
        steps.append(Step("verify", VerifySpec(spec.bundle, answers.settings)))
    return Chain(tuple(steps))


def verifying(answers: Delivery) -> Chain:
    return verifying_at((answers.bundle, *answers.others), answers.settings)


def verifying_at(places: Sequence[Path], settings: Settings) -> Chain:
    """The verify of a bundle, or of the volumes of one."""
    spec = VerifySpec(places[0], settings, others=tuple(places[1:]))
    return Chain((Step("verify", spec),))


def importing(media: Sequence[Path], bundle: Path, settings: Settings) -> Chain:
    """The import of these media into a bundle that is kept."""
    from airgap_tui.engine.jobs.importing import ImportSpec

    return Chain((Step("import", ImportSpec(tuple(media), bundle, settings=settings)),))


def places_of(job: JobInfo) -> tuple[Path, ...]:
    """Where the bundle lies that a job reads: several places where its volumes do.

    Raises `NotFound` and `MalformedContent`.
    """
    step = job.directory.chain.steps[0]
    for several in ("paths", "media"):
        if places := getattr(step.spec, several, ()):
            return tuple(path.absolute() for path in places)
    return (step.place, *(path.absolute() for path in getattr(step.spec, "others", ())))


def fetching_again(answers: Collection, job: JobInfo | None) -> Chain:
    """The save again, which fetches just what a verify noted as damaged; then the verify again.

    Raises as `saving`, and as `JobDirectory.chain`.
    """
    chain = job.directory.chain if job is not None and "save" in job.order.verbs else None
    steps = [step for step in (chain or saving(answers)).steps if step.verb == "save"]
    verify = VerifySpec(steps[0].place, answers.settings)
    return Chain((*steps, Step("verify", verify)))


def delivering(answers: Delivery) -> Chain:
    """The push, load or serve. Raises `UsageError` for a registry or address that is none."""
    if answers.destination is Destination.REGISTRY:
        return Chain((Step("push", answers.push_spec()),))
    if answers.destination is Destination.SERVE:
        return Chain((Step("serve", answers.serve_spec()),))
    return Chain((Step("load", answers.load_spec()),))


def collection_of(job: JobInfo) -> Collection | None:
    """The answers that a save was started with; None for another job.

    Raises `NotFound` and `MalformedContent`.
    """
    spec = job.directory.chain.steps[0].spec
    if not isinstance(spec, SaveSpec):
        return None
    wishes = tuple(Wish(reference) for reference in spec.references)
    verified = "verify" in job.order.verbs
    return Collection(wishes, spec.bundle, spec.settings, spec.compression, verified)
