"""Destination: where the images go, and whether they can: everything is asked before Review."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

from airgap_tui.cli.guide import to_registry
from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, choices
from airgap_tui.engine.guide.answers import Destination
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.jobs import engine_standing, media, serve
from airgap_tui.engine.jobs.engine_standing import EngineStanding
from airgap_tui.engine.jobs.media import Carried
from airgap_tui.engine.quantities import count
from airgap_tui.engine.typed_path import typed_path

_EXPLAINED = (
    f"{to_registry.EXPLAINED} An engine needs room for the unpacked layers, and for the copy that"
    " it makes while loading. Serving copies nothing: hosts pull from the medium, which has to stay"
    " here."
)
_KINDS: tuple[Kind, ...] = ("docker", "podman")


def choose_destination(guide: Guide) -> None:
    """Ends when a place is chosen that takes the images."""
    crossing, dialogue = guide.crossing, guide.dialogue
    images = _images(guide)
    if not images:
        dialogue.say("No image can be delivered.")
        raise Back
    standings = {kind: _ask_engine(guide, kind, None, images) for kind in _KINDS}
    kept = (name for name, _origin in crossing.credentials().kept)
    answers, decided = choices.proposed_destination(crossing.delivery, guide.remembered, kept)
    port = answers.listen.rpartition(":")[2]
    crossing.delivery = replace(answers, listen=f"{choices.EVERY_HOST}:{port}")
    usual = crossing.delivery.destination.value
    if not decided and not standings["docker"].problem and not crossing.delivery.registry:
        usual = "docker"
    while True:
        dialogue.say(arrival.destination(len(images)))
        places = choices.places(*(arrival.engine_in_words(standings[kind]) for kind in _KINDS))
        place = Destination(dialogue.choose(places, usual, explanation=_EXPLAINED))
        crossing.delivery = replace(crossing.delivery, destination=place)
        try:
            if place is Destination.REGISTRY:
                to_registry.choose_registry(guide, images)
            elif place is Destination.SERVE:
                _serve(guide, images)
            else:
                kind: Kind = "podman" if place is Destination.PODMAN else "docker"
                standings[kind] = _engine(guide, kind, standings[kind], images)
        except Back:
            usual = place.value
            continue
        choices.remember_destination(crossing.delivery, guide.remembered)
        return


def _images(guide: Guide) -> tuple[Carried, ...]:
    crossing = guide.crossing
    if crossing.contents is None:
        delivery = crossing.delivery
        path, others, trust = delivery.bundle, delivery.others, delivery.settings.trust
        crossing.contents = guide.wait(
            f"Looking into {path}.", lambda token: media.look_inside(path, token, others, trust)
        )
    return arrival.going(crossing.contents, crossing.delivery)


# Engines of this host


def _ask_engine(
    guide: Guide, kind: Kind, host: str | None, images: tuple[Carried, ...]
) -> EngineStanding:
    answers = guide.crossing.delivery
    references = tuple(image.reference for image in images)
    return guide.wait(
        f"Asking {kind.capitalize()} on this host.",
        lambda token: engine_standing.ask(
            kind, host, answers.bundle, references, token, answers.settings.platform
        ),
    )


def _engine(
    guide: Guide, kind: Kind, standing: EngineStanding, images: tuple[Carried, ...]
) -> EngineStanding:
    """Ends when the engine can take the images; raises `Back` for another place."""
    dialogue, name = guide.dialogue, kind.capitalize()
    host = guide.crossing.delivery.engine_host
    while True:
        missing = arrival.engine_missing(name, standing)
        if standing.name:
            dialogue.say(f"{standing.name} at {standing.host}. {arrival.engine_room(standing)}.")
        if standing.held:
            dialogue.say(
                f"{count(standing.held, 'image')} already there; nothing is sent for them."
            )
        if standing.unloadable:
            dialogue.say(f"! Left out, as no engine takes it: {', '.join(standing.unloadable)}.")
        if not missing:
            guide.crossing.delivery = replace(guide.crossing.delivery, engine_host=host)
            dialogue.say(arrival.names_stay())
            return standing
        dialogue.say(missing)
        dialogue.say(f"! {arrival.engine_trouble(standing)}")
        offered = [
            Choice("again", "Ask it again"),
            Choice("address", "Give its address", "as unix:///run/docker.sock or ssh://user@host"),
            Choice("other", "Choose another place"),
        ]
        answer = dialogue.choose(offered, "other", explanation=_EXPLAINED)
        if answer == "other":
            raise Back
        if answer == "address":
            host = dialogue.optional(f"Address of {name}", host or "") or None
        standing = _ask_engine(guide, kind, host, images)


# Serving


def _serve(guide: Guide, images: tuple[Carried, ...]) -> None:
    """Ends when it is known that it can be served so; raises `Back` for another place."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        answers = crossing.delivery
        host, _, port = answers.listen.rpartition(":")
        host = dialogue.choose(choices.SERVED, host, question="Serve to", explanation=_EXPLAINED)
        port = dialogue.ask("Port", port)
        usual = "tls" if answers.tls_certificate else "plain"
        secured = dialogue.choose(choices.SERVE_SECURITY, usual, question="Security") == "tls"
        certificate = key = None
        if secured:
            certificate = _file(guide, "Certificate, PEM", answers.tls_certificate)
            key = _file(guide, "Its key, PEM, if it is not in the same file", answers.tls_key)
        crossing.delivery = replace(
            answers, listen=f"{host}:{port}", tls_certificate=certificate, tls_key=key
        )
        missing = arrival.listening_missing(crossing.delivery, secured=secured)
        if missing:
            dialogue.say(missing)
            continue
        try:
            conflicts = serve.check(crossing.delivery.serve_spec())
        except AirgapError as error:
            dialogue.error(error)
            continue
        break
    for conflict in conflicts:
        dialogue.say(f"! {conflict}.")
    own = socket.gethostname().partition(".")[0]
    if not secured and host == choices.EVERY_HOST:
        dialogue.say(arrival.unencrypted(own, port))
    dialogue.say("Hosts then pull with, for example:")
    dialogue.command(arrival.pulled_as(crossing.delivery.listen, own, images[0].reference))


def _file(guide: Guide, question: str, known: Path | None) -> Path | None:
    text = guide.dialogue.optional(question, "" if known is None else str(known))
    return typed_path(text) if text else None
