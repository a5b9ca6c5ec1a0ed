"""From answers to the chain of jobs that a worker does, and back from a job to its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.guide.answers import Collection, Delivery, Destination, Wish
from airgap_tui.engine.guide.carrying import Carrying, carrying_of
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.settings import Settings


def saving(answers: Collection) -> Chain:
    """The save, then its verify and what makes it ready to carry, where these are wanted. Raises
    `UsageError` before their places are chosen."""
    spec = answers.save_spec()
    steps = [Step("save", spec)]
    if answers.verify_after:
        steps.append(Step("verify", VerifySpec(spec.bundle, answers.settings)))
    if answers.then is not None:
        steps.append(answers.then.step(spec.bundle, answers.settings))
    return Chain(tuple(steps))


def carrying(answers: Carrying, bundle: Path, settings: Settings) -> Chain:
    """The seal or export of a finished bundle. Raises as `Carrying.step`."""
    return Chain((answers.step(bundle, settings),))


def onto_next_disk(job: JobInfo, following: tuple[int, ...]) -> Chain:
    """The export of a job again, for the volumes that it left for further disks: of the bundle as
    it is, signature and tool included, so that they are of one set.

    Raises as `JobDirectory.chain`."""
    step = next(one for one in job.directory.chain.steps if one.verb == "export")
    spec = replace(step.spec, only=following, again=True, key=None)
    return Chain((Step("export", spec),))


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
    """The save again, which fetches just what a verify noted as damaged; then the verify again, and
    what the job made ready to carry.

    Raises as `saving`, and as `JobDirectory.chain`.
    """
    chain = job.directory.chain if job is not None and "save" in job.order.verbs else None
    steps = [step for step in (chain or saving(answers)).steps if step.verb == "save"]
    verify = VerifySpec(steps[0].place, answers.settings)
    carried = [step for step in (chain.steps if chain else ()) if step.verb in ("seal", "export")]
    return Chain((*steps, Step("verify", verify), *carried))


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
    then = carrying_of(job.directory.chain.steps)
    return Collection(wishes, spec.bundle, spec.settings, spec.compression, verified, then=then)
