"""A registry as the destination: asked until it lets us write, with something changed each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from airgap_tui.cli.guide.dialogue import Back, sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.credentials.credential import Credential, without_line_breaks
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, choices
from airgap_tui.engine.guide import projects as words
from airgap_tui.engine.guide.answers import Security
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.internet import of_the_internet
from airgap_tui.engine.jobs import destination, projects
from airgap_tui.engine.jobs.destination import DestinationAnswers
from airgap_tui.engine.jobs.media import Carried
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.typed_path import typed_path

EXPLAINED = (
    "A registry is asked whether it answers, takes the login and lets us write: an upload is begun"
    " and ended, nothing stays there. Only a project that a Harbor lacks is created, where you say"
    " so."
)


def choose_registry(guide: Guide, images: tuple[Carried, ...]) -> None:
    """Ends when the registry lets us write; raises `Back` for another place."""
    dialogue = guide.dialogue
    _where(guide)
    while True:
        try:
            names = arrival.assigned(guide.crossing.delivery, images)
        except AirgapError as error:
            dialogue.error(error)
            _change(guide, names_first=True)
            continue
        found = _ask_registry(guide, images)
        if not arrival.registry_missing(guide.crossing.delivery, found):
            _tell_names(guide, names)
            return
        if found is not None and found.first_problem is not None:
            dialogue.say(f"! {sentence(found.first_problem.finding)}")
            if found.first_problem.remedy:
                dialogue.say(found.first_problem.remedy, indent=2)
        if found is not None and found.missing:
            _change(guide, missing=found.missing)
        else:
            _change(guide, login_first=found is not None and found.registry.good)


def _where(guide: Guide) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        answers = crossing.delivery
        registry = dialogue.ask(
            "Registry, as harbor.pod.lan:5000", answers.registry, explanation=EXPLAINED
        )
        if not registry:
            dialogue.say("Name the registry that takes the images.")
            continue
        named = choices.with_registry(answers, registry, "")
        if not of_the_internet(named.registry):
            break
        dialogue.say(f"! {arrival.registry_refused(named.registry)}.")
    project = dialogue.optional("Project or path in it", named.project or answers.project)
    crossing.delivery = choices.with_registry(answers, named.registry, project)


def _ask_registry(guide: Guide, images: tuple[Carried, ...]) -> DestinationAnswers | None:
    crossing = guide.crossing
    answers = crossing.delivery
    if answers.security is Security.OWN_CA and (
        answers.ca_file is None or not os.path.isfile(answers.ca_file)
    ):
        guide.dialogue.say(f"! There is no file {answers.ca_file}.")
        return None
    settings, credentials = answers.network_settings, crossing.credentials()
    repositories = words.repositories(answers, images)
    found = guide.wait(
        f"Asking {answers.registry}.",
        lambda token: destination.ask(answers.naming, repositories, settings, token, credentials),
    )
    for name, answer in (
        ("Registry", found.registry),
        ("Login", found.login),
        ("Project", found.project),
    ):
        if answer is not None and answer.good:
            guide.dialogue.say(f"{name}: {answer.finding}.", indent=2)
    return found


def _change(
    guide: Guide,
    *,
    login_first: bool = False,
    names_first: bool = False,
    missing: tuple[str, ...] = (),
) -> None:
    """One more try, with something changed; raises `Back` for another place."""
    create = Choice("create", words.choice(missing))
    offered = [
        *([create] if missing else []),
        Choice("login", "Give a login"),
        Choice("security", "Choose how it is secured"),
        Choice("names", "Choose how names are made"),
        Choice("where", "Name another registry or project"),
        Choice("again", "Ask it again"),
        Choice("other", "Choose another place"),
    ]
    usual = "login" if login_first else "names" if names_first else "security"
    usual = "where" if missing else usual  # nothing is created by Enter alone
    answer = guide.dialogue.choose(offered, usual, explanation=EXPLAINED)
    if answer == "other":
        raise Back
    try:
        if answer == "create":
            _create(guide, missing)
        else:
            _CHANGES[answer](guide)
    except Back:
        return


def _create(guide: Guide, missing: tuple[str, ...]) -> None:
    answers, credentials = guide.crossing.delivery, guide.crossing.credentials()
    registry, settings = answers.naming.registry, answers.network_settings
    try:
        guide.wait(
            f"Creating {', '.join(missing)} in {registry}.",
            lambda token: projects.create(registry, missing, settings, token, credentials),
        )
    except AirgapError as error:
        guide.dialogue.error(error)


def _login(guide: Guide) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    registry = crossing.delivery.registry
    known = crossing.logins.get(registry)
    dialogue.say("It is tried at once, and holds for this run only.")
    user, secret = dialogue.login(
        f"User name at {registry}", known.username if known else "", "Password"
    )
    origin = "what was typed for this run"
    crossing.logins[registry] = Credential(user, without_line_breaks(secret), origin)


def _security(guide: Guide) -> None:
    crossing, dialogue = guide.crossing, guide.dialogue
    answers = crossing.delivery
    chosen = Security(
        dialogue.choose(choices.SECURITY, answers.security.value, question="Security")
    )
    file = answers.ca_file
    if chosen is Security.OWN_CA:
        text = dialogue.ask("PEM file of the authority", "" if file is None else str(file))
        file = typed_path(text) if text else None
    crossing.delivery = replace(answers, security=chosen, ca_file=file)


def _names(guide: Guide) -> None:
    crossing = guide.crossing
    assert crossing.contents is not None  # noqa: S101 - its images were named before
    images = arrival.going(crossing.contents, crossing.delivery)
    source = arrival.main_source(image.reference for image in images)
    now = "with" if crossing.delivery.keep_registry else "without"
    chosen = guide.dialogue.choose(choices.naming(source), now, question="Names")
    crossing.delivery = replace(crossing.delivery, keep_registry=chosen == "with")


def _nothing(_guide: Guide) -> None:
    """Only ask again."""


_CHANGES: dict[str, Callable[[Guide], None]] = {
    "login": _login,
    "security": _security,
    "names": _names,
    "where": _where,
    "again": _nothing,
}


def _tell_names(guide: Guide, names: dict[Reference, Reference]) -> None:
    source, target = next(iter(names.items()))
    guide.dialogue.say(f"{source} becomes {target}.")
    guide.dialogue.say(arrival.new_names(source.registry))
