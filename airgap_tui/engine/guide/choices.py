"""What can be chosen in the steps, with what each choice means; and what is proposed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from airgap_tui.engine.guide.answers import Collection, Delivery, Destination, Origination, Wish
from airgap_tui.engine.guide.internet import of_the_internet
from airgap_tui.engine.guide.remembered import LAST_DESTINATION, LAST_REGISTRY, Remembered
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several: `text` names it, `about` says what it does."""

    key: str
    text: str
    about: str = ""


STARTS = (
    Choice("online", "Collect images", "This machine can reach the internet"),
    Choice("offline", "Bring images in", "This machine is in the offline network"),
    Choice("rehearse", "Rehearse", "Try both sides here with small samples, then tidy up"),
)
LAYERS = (
    Choice("keep", "As published", "Digests and signatures stay"),
    Choice(
        "zstd",
        "zstd, smaller",
        "About 12% less; digests change; Docker before 23 and Enroot before 4 cannot read it",
    ),
)
PLATFORMS = (
    Choice("linux/amd64", "linux/amd64", "Intel and AMD: DGX A100, H100, B200"),
    Choice("linux/arm64", "linux/arm64", "Grace, Jetson, DGX Spark"),
    Choice("all", "All of each image", "Larger; keeps the index and its signatures"),
)
SECURITY = (
    Choice("tls", "TLS", "Its certificate is signed by an authority that this host trusts"),
    Choice("own-ca", "TLS, our own CA", "The file of your site's authority is named"),
    Choice("plain", "Plain HTTP", "Nothing is encrypted, a password neither"),
)
EVERY_HOST, THIS_HOST = "0.0.0.0", "127.0.0.1"  # noqa: S104 - the user chooses whom to serve
SERVED = (
    Choice(EVERY_HOST, "All hosts that reach it"),
    Choice(THIS_HOST, "This host only"),
)
SERVE_SECURITY = (
    Choice("plain", "Plain HTTP", "Hosts must name it among their insecure registries"),
    Choice("tls", "TLS", "With a certificate that the hosts trust"),
)
OFFERED = Wish(
    Reference.parse("docker.io/library/registry:2"),
    Origination.OFFERED,
    chosen=False,
    note="Lets you start a registry on the offline side",
)
"""What a new list begins with."""


def places(docker: str, podman: str) -> tuple[Choice, ...]:
    """The destinations, with what the engines of this host said."""
    return (
        Choice("registry", "An existing registry", "All hosts pull from it"),
        Choice("docker", "Docker on this host", docker),
        Choice("podman", "Podman on this host", podman),
        Choice("serve", "Serve from here", "Hosts pull straight from the media; no copy"),
    )


def naming(source: str) -> tuple[Choice, ...]:
    """How the new names are made of those that came from the registry `source`."""
    return (
        Choice("without", f"Without {source}", "As on most mirrors"),
        Choice("with", f"With {source} in the path", "Tells the sources apart"),
    )


def proposed_destination(
    answers: Delivery, remembered: Remembered, kept: Iterable[str]
) -> tuple[Delivery, bool]:
    """What was chosen last, else a registry that this host has a login for; and whether anything
    is proposed at all. `kept` are the registries with a login."""
    registry = remembered.get(LAST_REGISTRY) or next(
        (name for name in kept if not of_the_internet(name)), ""
    )
    if not answers.registry and registry:
        host, _, project = registry.partition("/")
        answers = replace(answers, registry=host, project=project)
    last = remembered.get(LAST_DESTINATION) or ("registry" if registry else "")
    decided = last in {place.value for place in Destination}
    if decided:
        answers = replace(answers, destination=Destination(last))
    return answers, decided


def remember_destination(answers: Delivery, remembered: Remembered) -> None:
    """For the next time."""
    remembered.set(LAST_DESTINATION, answers.destination.value)
    if answers.destination is Destination.REGISTRY:
        remembered.set(LAST_REGISTRY, f"{answers.registry}/{answers.project}".rstrip("/"))


def with_registry(answers: Delivery, typed: str, project: str) -> Delivery:
    """The registry as it was typed: an address copied from a browser, or with a path, is meant."""
    host, _, path = typed.removeprefix("https://").removeprefix("http://").partition("/")
    parts = (path.strip("/"), project.strip().strip("/"))
    return replace(answers, registry=host, project="/".join(part for part in parts if part))


def platform_key(platform: Platform | None) -> str:
    """The key among `PLATFORMS` of a setting."""
    return "all" if platform is None else str(Platform(platform.os, platform.architecture))


def layers_key(answers: Collection) -> str:
    """The key among `LAYERS` of the answers."""
    return "keep" if answers.compression is None else answers.compression.codec.value


def proposed_bundle(answers: Collection, last: str) -> Path:
    """Where to save: what was chosen already, else a new bundle of this month beside the `last`."""
    if answers.bundle is not None:
        return answers.bundle
    parent = Path(last).parent if last else Path.cwd()
    return parent / f"bundle-{datetime.now().astimezone():%Y-%m}"
