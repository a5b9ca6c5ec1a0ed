"""The sentences of the offline side up to Destination: what was carried here, where it can go."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.errors import AirgapError, NameConflict
from airgap_tui.engine.guide import projects
from airgap_tui.engine.guide.answers import Delivery, Security, listen_address
from airgap_tui.engine.guide.grammar import are
from airgap_tui.engine.guide.internet import of_the_internet
from airgap_tui.engine.jobs.media import Carried, Contents, weight
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.settings import Trust

if TYPE_CHECKING:  # the first screen is drawn before any registry or engine is needed
    from airgap_tui.engine.jobs.destination import Answer, DestinationAnswers
    from airgap_tui.engine.jobs.engine_standing import EngineStanding

_BESIDE = 47
"""Cells beside the name of a destination, in a window of 80 columns."""


def no_bundle() -> str:
    return "No bundle is found on mounted media. Mount the disk, or give a path."


def opened(contents: Contents) -> str:
    """What came out of looking into a bundle."""
    there, whole = len(contents.images), len(contents.whole)
    if contents.volumes is not None and contents.volumes.missing:
        return contents.volumes.standing
    if not there:
        return f"{contents.name} is empty: nothing was saved into it yet."
    if whole == there:
        every = "its image is" if there == 1 else f"all {count(there, 'image')} are"
        return f"Open the bundle that was carried here: {every} complete."
    return f"{contents.name} is not complete: {whole} of {count(there, 'image')} can go on."


def opening_missing(contents: Contents, trust: Trust | None = None) -> str:
    """Why Next is shut; empty when it is open."""
    if not contents.whole:
        return "Not yet: no image in it is complete."
    return refused(contents.signature, trust)


def signed(signature: Signature) -> str:
    """What the signature says: a fingerprint is compared by eye, so it is never cut."""
    return in_lines(signature.sentence)


def in_lines(text: str) -> str:
    """A sentence in lines that fit beside the name of a fact."""
    return "\n".join(textwrap.wrap(text, 58, break_long_words=False, break_on_hyphens=False))


def refused(signature: Signature, trust: Trust | None) -> str:
    """Why a bundle may not be used, going by its signature; empty where it may."""
    if signature.standing is Standing.ALTERED:
        return "Not yet: it was altered after it was signed."
    if trust is not None and trust.required and signature.standing is not Standing.GOOD:
        return "Not yet: nobody on the list signed it."
    return ""


def inside(contents: Contents) -> str:
    """`67.5 GB in 486 files, saved 2025-07-02`."""
    volumes, whole = contents.volumes, len(contents.whole)
    incomplete = volumes is not None and bool(volumes.missing)
    if not whole and not incomplete:
        return ""
    saved = f", saved {contents.updated}" if contents.updated else ""
    saving = "; its save did not come to an end" if contents.saving else ""
    files, total = weight(contents.whole)
    weighed = f"{size(total)} in {count(files, 'file')}"
    if volumes is not None and incomplete:
        them = "it" if len(volumes.missing) == 1 else "them"
        there = count(len(contents.images), "image")
        without = f"{whole} of {there} {are(len(contents.images))} whole without {them}"
        return f"{without}: {weighed}" if whole else without
    return f"{weighed}{saved}{saving}"


def foreign(contents: Contents, name: str) -> str:
    """A volume was named that does not belong to the set that is open and incomplete."""
    volumes = contents.volumes
    number = volumes.numbers[0] if volumes is not None else 0
    return (
        f"This is volume {number} of {contents.name}, another set than that of {name}."
        " Choose it above to open it."
    )


def going(contents: Contents, answers: Delivery) -> tuple[Carried, ...]:
    """The images to deliver: what is whole, of those chosen where some were."""
    chosen = {reference.tagged_name for reference in answers.images}
    return tuple(
        image for image in contents.whole if not chosen or image.reference.tagged_name in chosen
    )


def staying(contents: Contents, answers: Delivery) -> tuple[Carried, ...]:
    """The images of the bundle that are not delivered."""
    names = {image.reference for image in going(contents, answers)}
    return tuple(image for image in contents.images if image.reference not in names)


def without_staying(contents: Contents, answers: Delivery) -> Delivery:
    """The answers with the images named one by one where not all of the bundle is delivered."""
    named = tuple(image.reference for image in going(contents, answers))
    return replace(answers, images=named) if named and staying(contents, answers) else answers


def destination(number: int) -> str:
    images = "the image" if number == 1 else f"the {count(number, 'image')}"
    return f"Where should {images} go? Nothing is changed before Review."


def registry_refused(registry: str) -> str:
    return f"{registry} is on the internet; name a registry of this network"


def main_source(references: Iterable[Reference]) -> str:
    """The registry that most of the images came from."""
    registries = [reference.registry for reference in references]
    return max(registries, key=registries.count, default="nvcr.io")


def example(images: Sequence[Carried]) -> Reference:
    """One image that stands for most: of the registry that most came from."""
    source = main_source(image.reference for image in images)
    return next(image.reference for image in images if image.reference.registry == source)


def assigned(answers: Delivery, images: Sequence[Carried]) -> dict[Reference, Reference]:
    """Each image with the name that it gets. Raises `NameConflict`, in the words of this guide,
    and `UsageError` where registry or project cannot be names."""
    references = [image.reference for image in images]
    naming = answers.naming
    try:
        return naming.assign(references)
    except NameConflict:
        twins = _twins(references, {r: naming.target(r) for r in references})
        one, other = twins[0]
        name = naming.target(one).tagged_name.removeprefix(f"{naming.registry}/")
        raise NameConflict(
            f"2 images would both become {name}: from {one.registry} and from {other.registry}",
            hint=f"Choose With {main_source(references)} in the path.",
        ) from None


def _twins(
    references: Sequence[Reference], names: Mapping[Reference, Reference]
) -> list[tuple[Reference, Reference]]:
    return [
        (one, other)
        for at, one in enumerate(references)
        for other in references[at + 1 :]
        if names[one].tagged_name == names[other].tagged_name
    ]


def new_names(source: str) -> str:
    """What the new names mean for whoever uses the old ones."""
    return f"Scripts that say {source} need the new name, or a rule on each host."


def names_stay() -> str:
    return "The names stay as they are: scripts on this host need no change."


def unencrypted(host: str, port: str) -> str:
    """What serving without TLS asks of the hosts that pull."""
    return f"Without TLS, each host must list {host}:{port} among its insecure registries."


def registry_missing(answers: Delivery, asked: DestinationAnswers | None) -> str:
    """Why Next is shut for a registry; empty when it is open."""
    if not answers.registry:
        return "Not yet: no registry is named."
    if of_the_internet(answers.registry):
        return f"Not yet: {answers.registry} is on the internet."
    if asked is None:
        return "Not yet: the registry has not answered."
    if not asked.registry.good:
        return "Not yet: the registry cannot be used."
    if asked.login is not None and not asked.login.good:
        return "Not yet: the registry wants a login."
    if asked.missing:
        return f"Not yet: {projects.lacking(asked.missing)}."
    if not asked.good:
        return "Not yet: nothing may be written there."
    return ""


_SHORT = (
    ("cannot be looked up", "No such host"),
    ("does not speak TLS", "Speaks plain HTTP"),
    ("cannot be trusted", "Signed by an unknown authority"),
    ("refused the connection", "Refused: the port is closed"),
    ("onnection refused", "Refused: the port is closed"),
    ("not as a registry", "Answers, not as a registry"),
)


def registry_in_words(answer: Answer) -> str:
    """Beside the field: `No such host`."""
    if answer.good:
        return answer.finding
    return next((short for long, short in _SHORT if long in answer.finding), "Does not answer")


def registry_trouble(answers: Delivery, asked: DestinationAnswers) -> str:
    """What is wrong with the registry, and the next step; empty where all is well."""
    problem = asked.first_problem
    if problem is None:
        return ""
    remedy = problem.remedy
    if "does not speak TLS" in problem.finding:
        remedy = "If it is meant to be without TLS, choose Plain HTTP under Security."
    elif "--ca" in remedy and answers.security is not Security.OWN_CA:
        remedy = "If your site has an authority of its own, choose it under Security."
    elif "--ca" in remedy:
        remedy = "Another authority signed it: give that one's certificate as CA file."
    elif problem is asked.login:
        remedy = "Type the user name at Login and press Enter; the password is asked for then."
    return f"{capital(problem.finding)}. {remedy}".rstrip()


def engine_in_words(standing: EngineStanding) -> str:
    """Beside the choice: `Version 27.3; needs about 190 GB, 1.1 TB free`."""
    if standing.problem:
        if "not installed" in standing.problem:
            return "Not installed here"
        what = "You may not use it" if "permission" in standing.problem else "Does not answer"
        what = "Stopped" if standing.remedy.startswith("Start it") else what
        words = f"{what}: {_command_of(standing.remedy)}" if standing.remedy else what
        return words if len(words) <= _BESIDE else what  # all of it is told below the choice
    version = standing.name.partition(" ")[2].partition("+")[0]
    if not standing.needed:
        return f"Version {version}; it has all of them already"
    if standing.lacking:
        return f"Version {version}; {size(standing.lacking, up=True)} of room is missing"
    free = "" if standing.free is None else f", {size(standing.free, down=True)} free"
    return f"Version {version}; needs {_about(standing.needed)}{free}"


def engine_missing(name: str, standing: EngineStanding | None) -> str:
    """Why Next is shut for an engine; empty when it is open."""
    if standing is None:
        return f"Not yet: {name} has not answered."
    if standing.problem:
        return f"Not yet: {name} cannot be used."
    if standing.lacking:
        return f"Not yet: {size(standing.lacking, up=True)} of room is missing."
    return ""


def engine_room(standing: EngineStanding) -> str:
    """`about 190 GB needed, 1.1 TB free in /var/lib/docker`."""
    needed = f"{_about(standing.needed)} needed" if standing.needed else "none needed"
    if standing.free is None:
        return f"{needed}; how much is free cannot be seen from here"
    where = f" in {standing.root}" if standing.root else ""
    return f"{needed}, {size(standing.free, down=True)} free{where}"


def engine_trouble(standing: EngineStanding) -> str:
    """What is wrong with the engine and the next step; empty where all is well."""
    if standing.problem:
        return f"{standing.problem}. {standing.remedy}".rstrip()
    if standing.lacking:
        return (
            f"{size(standing.lacking, up=True)} of room is missing. The need counts unpacked"
            " layers, and the copy that an engine makes while loading."
        )
    return ""


def listening_missing(answers: Delivery, *, secured: bool) -> str:
    """Why Next is shut for serving; empty when it is open."""
    if secured and answers.tls_certificate is None:
        return "Not yet: TLS needs a certificate."
    try:
        listen_address(answers.listen)
    except AirgapError:
        return "Not yet: a port is a number up to 65535."
    return ""


def pulled_as(address: str, host: str, reference: Reference) -> str:
    """What a host types to pull an image that is served at an address; `host` is this machine."""
    listening, _, port = address.rpartition(":")
    if listening in ("0.0.0.0", "[::]", "::", ""):  # noqa: S104 - compared only
        listening = host
    tag = f":{reference.tag}" if reference.tag else f"@{reference.digest}"
    return f"docker pull {listening}:{port}/{reference.repository}{tag}"


def _about(number: int) -> str:
    """An estimate, without a decimal that it does not have: `about 190 GB`."""
    text = size(number, up=True)
    whole, _, decimal = text.partition(".")
    if decimal.endswith(" GB") and int(whole) >= 10:
        text = f"{int(whole) + (decimal[0] != '0')} GB"
    return f"about {text}"


def _command_of(remedy: str) -> str:
    """The command in a remedy such as `Start it: sudo systemctl start docker`."""
    return (remedy.partition(": ")[2].partition(" (")[0] or remedy).rstrip(".")


def capital(text: str) -> str:
    """The text as the beginning of a sentence; the name of a host or file stays as it is."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text
