"""The command that does the same: shown on every screen, ready to copy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.guide.answers import Collection, Delivery, Destination, Security
from airgap_tui.engine.guide.where import Asked
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM

if TYPE_CHECKING:  # the first screen is drawn before any tag is
    from airgap_tui.engine.guide.ngc_catalogue import Candidates

PROGRAM = "airgap-tui"


def plan(answers: Collection) -> str:
    """`airgap-tui plan …` for the online side's answers."""
    return _line("plan", *_save_arguments(answers))


def save(answers: Collection) -> str:
    verify = ["--then", "verify"] if answers.verify_after else []
    return _line("save", *_save_arguments(answers), *verify)


def ngc_search(words: str) -> str:
    """`airgap-tui ngc search …`; words that begin with a dash are no options."""
    split = words.split()
    dashes = ["--"] if any(word.startswith("-") for word in split) else []
    return _line("ngc", "search", *dashes, *split)


def ngc_select(candidates: Candidates) -> str:
    """`airgap-tui ngc select …` for the rule; where the user corrected it, for each tag by name."""
    name, rule = str(candidates.listing.name), candidates.rule
    if not candidates.by_rule and not candidates.chosen:
        return _line("ngc", "tags", name)
    if not candidates.by_rule:
        named = [word for one in candidates.chosen for word in ("--include", one.image.tag)]
        return _line("ngc", "select", name, *named)
    globs = [word for glob in rule.include for word in ("--include", glob)]
    latest, minimum = _option("--latest", rule.latest), rule.minimum or None
    return _line("ngc", "select", name, *globs, *latest, *_option("--min-version", minimum))


def discover(asked: Asked) -> str:
    """`airgap-tui discover …` for the same places."""
    elsewhere = bool(asked.hosts or asked.inventories or asked.files)
    here = ["--here"] if asked.here and elsewhere else []
    spelled = [word for pair in asked.spelled for word in pair]
    return _line("discover", *here, *spelled, *(str(path) for path in asked.files))


def login(registry: str, *options: str) -> str:
    return _line("login", registry, *options)


def logins(answers: Collection, *, test: bool) -> str:
    """`airgap-tui logins …`; with the chosen images where they are asked for."""
    if not test:
        return _line("logins")
    return _line("logins", "--test", *_images_asked_for(answers))


def verify(path: Path | None) -> str:
    return _line("verify", str(path or "BUNDLE"))


def attach(job: str) -> str:
    return _line("attach", job)


def rehearse() -> str:
    return _line("rehearse")


def deliver(answers: Delivery) -> str:
    """The push, load or serve that the offline side's answers ask for."""
    bundle = str(answers.path or "BUNDLE")
    if answers.destination is Destination.SERVE:
        tls = _option("--tls-cert", answers.tls_certificate)
        return _line(
            "serve",
            bundle,
            "--listen",
            answers.listen,
            *tls,
            *_option("--tls-key", answers.tls_key),
        )
    if answers.destination is Destination.REGISTRY:
        project = answers.project.strip("/")
        registry = answers.registry or "REGISTRY"
        target = f"{registry}/{project}" if project else registry
        return _line("push", bundle, target, *_push_options(answers))
    into = ["--into", "podman"] if answers.destination is Destination.PODMAN else []
    host = _option("--host", answers.engine_host)
    return _line("load", bundle, *into, *host, *_images(answers))


def _images_asked_for(answers: Collection) -> list[str]:
    if answers.covers_list_file:
        return ["-f", str(answers.list_file)]
    return [str(reference) for reference in answers.chosen]


def _save_arguments(answers: Collection) -> list[str]:
    arguments = _images_asked_for(answers)
    arguments += ["-b", str(answers.bundle or "BUNDLE")]
    platform = answers.settings.platform
    if platform != DEFAULT_PLATFORM:
        arguments += ["--platform", "all" if platform is None else str(platform)]
    if answers.compression is not None:
        arguments += ["--compress", str(answers.compression)]
    return arguments


def _push_options(answers: Delivery) -> list[str]:
    options: list[str] = []
    if answers.keep_registry:
        options.append("--keep-registry")
    if answers.security is Security.PLAIN:
        options += ["--plain-http", answers.registry]
    elif answers.security is Security.OWN_CA:
        options += _option("--ca", answers.ca_file)
    return options + _images(answers)


def _images(answers: Delivery) -> list[str]:
    return [word for reference in answers.images for word in ("--image", str(reference))]


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _line(*words: str) -> str:
    return " ".join([PROGRAM, *(shlex.quote(word) for word in words)])
