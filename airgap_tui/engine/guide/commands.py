"""The command that does the same: shown on every screen, ready to copy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine import own_program
from airgap_tui.engine.guide.answers import Collection, Delivery, Destination, Security
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.where import Asked
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.settings import Trust

if TYPE_CHECKING:  # the first screen is drawn before any tag is
    from airgap_tui.engine.guide.ngc_catalogue import Candidates

PROGRAM = "airgap-tui"
_WIDTH = 72


def plan(answers: Collection) -> str:
    """`airgap-tui plan …` for the online side's answers."""
    return _line("plan", *_save_arguments(answers))


def save(answers: Collection) -> str:
    """The save with what follows it: a second command where that needs more than `--then` says."""
    then = ["--then", "verify"] if answers.verify_after else []
    carried = answers.then
    if carried == Carrying():
        return _line("save", *_save_arguments(answers), *then, "--then", "seal")
    saving = _line("save", *_save_arguments(answers), *then)
    return saving if carried is None else f"{saving} && {carry(carried, answers.bundle)}"


def carry(answers: Carrying, bundle: Path | None) -> str:
    """The `seal` or `export` that the answers of step Export ask for."""
    options = [*_option("--sign", answers.key), *_option("--sheet", answers.sheet)]
    options += _tool(answers)
    place = str(bundle or "BUNDLE")
    if answers.way is Way.SEAL:
        return _line("seal", place, *options)
    arguments = [place, str(answers.medium or "MEDIUM")]
    if answers.way is not Way.DIRECTORY:
        arguments += ["--format", answers.way.value]
    arguments += _option("--volume-size", answers.volume_size or None)
    arguments += _option("--only-volume", answers.only or None)
    if answers.one_per_disk and not answers.only:
        arguments.append("--change-disks")
    return _line("export", *arguments, *options)


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


def verify(*places: Path, trust: Trust | None = None) -> str:
    return _line("verify", *_places(places), *_trust(trust))


def import_(media: Sequence[Path], bundle: Path | None, trust: Trust | None = None) -> str:
    kept = ("-b", str(bundle or "BUNDLE"))
    return _line("import", *_places(media, "MEDIUM"), *kept, *_trust(trust))


def in_lines(command: str, *, indent: int) -> str:
    """A command as a shell takes it over several lines, each option beside its value."""
    lines = [""]
    for words in re.split(r" (?=--)", command):
        if lines[-1] and indent + len(lines[-1]) + len(words) > _WIDTH:
            lines.append("")
        lines[-1] += f" {words}" if lines[-1] else words
    return f" \\\n{' ' * indent}".join(lines)


def attach(job: str) -> str:
    return _line("attach", job)


def rehearse() -> str:
    return _line("rehearse")


def deliver(answers: Delivery) -> str:
    """The push, load or serve that the offline side's answers ask for."""
    bundle, trust = _places(answers.places), _trust(answers.settings.trust)
    if answers.destination is Destination.SERVE:
        tls = _option("--tls-cert", answers.tls_certificate)
        key = _option("--tls-key", answers.tls_key)
        return _line("serve", *bundle, "--listen", answers.listen, *tls, *key, *trust)
    if answers.destination is Destination.REGISTRY:
        project = answers.project.strip("/")
        registry = answers.registry or "REGISTRY"
        target = f"{registry}/{project}" if project else registry
        return _line("push", *bundle, target, *_push_options(answers), *trust)
    into = ["--into", "podman"] if answers.destination is Destination.PODMAN else []
    host = _option("--host", answers.engine_host)
    return _line("load", *bundle, *into, *host, *_images(answers), *trust)


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


def _tool(answers: Carrying) -> list[str]:
    """The option for the tool, where the setting alone would do otherwise."""
    if answers.tool is None:
        return []
    own = own_program.executable_file()
    carried = ["--tool-for", "all"] if own is None else ["--tool", str(own)]
    return carried if answers.tool else ["--no-tool"]


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _trust(trust: Trust | None) -> list[str]:
    if trust is None:
        return []
    required = ["--require-signature"] if trust.required else []
    return [*_option("--allowed-signers", trust.allowed_signers), *required]


class _Pattern(str):
    """A word that the shell expands."""

    __slots__ = ()


def _places(paths: Sequence[Path], none: str = "BUNDLE") -> list[str]:
    """`/media/usb[123]` for places that differ in one letter or digit; else each of them."""
    texts = [str(path) for path in paths]
    if len(texts) < 2 or len({len(text) for text in texts}) > 1:
        return texts or [none]
    differing = [at for at, letters in enumerate(zip(*texts, strict=True)) if len({*letters}) > 1]
    if len(differing) != 1:
        return texts
    at, first = differing[0], texts[0]
    letters = "".join(sorted({text[at] for text in texts}))
    if not (letters.isascii() and letters.isalnum()):
        return texts
    before, after = (shlex.quote(part) if part else "" for part in (first[:at], first[at + 1 :]))
    return [_Pattern(f"{before}[{letters}]{after}")]


def _line(*words: str) -> str:
    quoted = (word if isinstance(word, _Pattern) else shlex.quote(word) for word in words)
    return " ".join([PROGRAM, *quoted])
