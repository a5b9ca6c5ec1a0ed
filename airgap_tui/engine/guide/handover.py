"""The sentences of the offline side from Review on: what will happen, and serving from here."""

from __future__ import annotations

from collections.abc import Sequence

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import Served
from airgap_tui.engine.guide import arrival
from airgap_tui.engine.guide.answers import Delivery, Destination, Security
from airgap_tui.engine.guide.choices import THIS_HOST
from airgap_tui.engine.guide.internet import of_the_internet
from airgap_tui.engine.http.endpoint import Endpoint, is_loopback
from airgap_tui.engine.jobs.media import Carried, weight
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.quantities import count, size

_DOING = {
    Destination.REGISTRY: "Push",
    Destination.DOCKER: "Load",
    Destination.PODMAN: "Load",
    Destination.SERVE: "Serve",
}


def begin(answers: Delivery, number: int) -> str:
    """The button that begins it: `Push 13 images`."""
    return f"{_DOING[answers.destination]} {count(number, 'image')}"


def review(answers: Delivery, images: Sequence[Carried]) -> str:
    """What will happen, with the number that matters."""
    total = size(weight(images)[1])
    if answers.destination is Destination.SERVE:
        return f"{total} are served from the bundle until you stop it; nothing is copied."
    if answers.destination is Destination.REGISTRY:
        return f"Up to {total} go to {answers.registry}: what it holds is not sent again."
    name = "Docker" if answers.destination is Destination.DOCKER else "Podman"
    return f"Up to {total} go into {name}: what it holds is not sent again."


def target(answers: Delivery) -> str:
    """The place, and how it is reached: `harbor.pod.lan/ngc, over TLS with pod-ca.pem`."""
    if answers.destination is Destination.SERVE:
        listening, _, port = answers.listen.rpartition(":")
        whom = "this host only" if listening == THIS_HOST else "all hosts that ask"
        how = "plain HTTP" if answers.tls_certificate is None else "TLS"
        return f"{whom}, at port {port}, over {how}"
    if answers.destination is not Destination.REGISTRY:
        name = "Docker" if answers.destination is Destination.DOCKER else "Podman"
        return f"{name} at {answers.engine_host}" if answers.engine_host else f"{name} on this host"
    place = f"{answers.registry}/{answers.project}" if answers.project else answers.registry
    if answers.security is Security.PLAIN:
        return f"{place}, over plain HTTP"
    if answers.security is Security.TLS and is_loopback(Endpoint.of(answers.registry).host):
        return f"{place}, on this host"  # TLS or plain HTTP: whichever it speaks
    authority = answers.ca_file if answers.security is Security.OWN_CA else None
    return f"{place}, over TLS{f' with {authority.name}' if authority is not None else ''}"


def checked(verified: VerifyResult | None) -> str:
    """Whether the bundle was read to its end before: one line of Review."""
    if verified is None:
        return "Not verified here; each layer is checked on its way all the same"
    if verified.ok:
        return f"Verified: {count(verified.blobs, 'file')}, {size(verified.bytes)}, all whole"
    return "Verified: not all of it is whole"


def missing(answers: Delivery, images: Sequence[Carried]) -> str:
    """Why it cannot begin; empty when it can."""
    if not images:
        return "Not yet: no image can be delivered."
    if answers.destination is Destination.REGISTRY:
        if of_the_internet(answers.registry):
            return f"Not yet: {answers.registry} is on the internet."
        try:
            arrival.assigned(answers, images)
        except AirgapError:
            return "Not yet: Destination needs you."
    return ""


def serving(host: str, address: str, number: int) -> str:
    port = address.rpartition(":")[2]
    images = count(number, "image")
    return f"{host} serves {images} at port {port}. You may close this window."


def serving_ended(counts: Served | None) -> str:
    """How a serve ended."""
    if counts is None:
        return "Serving has ended."
    return f"Serving has ended: {count(counts.requests, 'request')}, {size(counts.sent)} sent."
