"""What the user has decided so far, on each side, and the job specs that follow from it.

Answers are frozen: a step makes new ones from the old, so going back keeps everything. Secrets are
never part of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.errors import AirgapError, InvalidReference, UsageError
from airgap_tui.engine.guide.carrying import Carrying
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Settings, Trust

if TYPE_CHECKING:  # the first screen is drawn before any registry or engine is needed
    from airgap_tui.engine.jobs.load import LoadSpec
    from airgap_tui.engine.jobs.push import PushSpec
    from airgap_tui.engine.jobs.serve import ServeSpec


class Origination(str, Enum):
    """How an image came into the list of the Images step."""

    OFFERED = "offered"
    TYPED = "typed"
    LIST = "list"
    DOCKER = "Docker"
    PODMAN = "Podman"
    CRI = "CRI"
    """A container runtime such as containerd, whose images Kubernetes pulled."""
    HISTORY = "history"
    SLURM = "Slurm"
    ENROOT = "Enroot"
    PODS = "pods"
    FILES = "files"
    NGC = "NGC"


@dataclass(frozen=True, slots=True)
class Wish:
    """One row of the Images step. `note` tells more of where it was found; `further` are the places
    beside the first."""

    reference: Reference
    found_in: Origination = Origination.TYPED
    chosen: bool = True
    note: str = ""
    further: tuple[Origination, ...] = ()

    @property
    def places(self) -> str:
        """`typed`, `Slurm`, `3 places`."""
        return found_in_words((self.found_in, *self.further))

    def found_again(self, other: Wish) -> Wish:
        """This image with where else it was found, chosen. An offer that turns out to be in use is
        no mere offer; what was found last tells more."""
        if self.found_in is Origination.OFFERED and other.found_in is not Origination.OFFERED:
            return other
        places = dict.fromkeys((self.found_in, *self.further, other.found_in, *other.further))
        further = tuple(place for place in places if place is not self.found_in)
        return replace(self, chosen=True, note=other.note or self.note, further=further)


def found_in_words(places: tuple[Origination, ...]) -> str:
    """The place where an image was found, or how many there are."""
    return f"{len(places)} places" if len(places) > 1 else "".join(one.value for one in places)


@dataclass(frozen=True, slots=True)
class Collection:
    """The online side's answers. `list_file` is the list that was read, if any; `then` how the
    bundle is made ready to carry as soon as it is saved, None for not by itself."""

    wishes: tuple[Wish, ...] = ()
    bundle: Path | None = None
    settings: Settings = field(default_factory=Settings)
    compression: Compression | None = None
    verify_after: bool = True
    list_file: Path | None = None
    then: Carrying | None = None

    @property
    def chosen(self) -> tuple[Reference, ...]:
        return tuple(wish.reference for wish in self.wishes if wish.chosen)

    def with_wishes(self, wishes: tuple[Wish, ...]) -> Collection:
        """These and the wishes there are; one that is there already is chosen again."""
        merged = {wish.reference: wish for wish in self.wishes}
        for wish in wishes:
            known = merged.get(wish.reference)
            merged[wish.reference] = known.found_again(wish) if known else wish
        return replace(self, wishes=tuple(sorted(merged.values(), key=_by_name)))

    def without(self, *references: Reference) -> Collection:
        """The images removed from the list."""
        gone = frozenset(references)
        kept = tuple(wish for wish in self.wishes if wish.reference not in gone)
        return replace(self, wishes=kept, list_file=None)

    def choosing(self, chosen: bool, *references: Reference) -> Collection:
        """The images chosen, or no longer chosen; they stay in the list."""
        meant = frozenset(references)
        wishes = tuple(
            replace(wish, chosen=chosen) if wish.reference in meant else wish
            for wish in self.wishes
        )
        return replace(self, wishes=wishes)

    def with_list(self, path: Path, references: tuple[Reference, ...]) -> Collection:
        """These images of a list file too; `path` stands for all where it is the only source."""
        note = f"In {path}"
        listed = tuple(Wish(reference, Origination.LIST, note=note) for reference in references)
        answers = self.with_wishes(listed)
        only = all(wish.found_in is not Origination.TYPED for wish in answers.wishes)
        first = self.list_file in (None, path)
        return replace(answers, list_file=path if only and first else None)

    @property
    def covers_list_file(self) -> bool:
        """Whether the chosen images are just those of the list file."""
        return self.list_file is not None and all(
            wish.chosen == (wish.found_in is Origination.LIST) for wish in self.wishes
        )

    def save_spec(self) -> SaveSpec:
        """The save that these answers ask for; `bundle` has to be chosen by then."""
        if self.bundle is None:
            raise UsageError("no place to save to is chosen", hint="Give a directory.")
        return SaveSpec(self.chosen, self.bundle, self.settings, self.compression, Origin.REGISTRY)


class Destination(str, Enum):
    """Where the offline side's images go."""

    REGISTRY = "registry"
    DOCKER = "docker"
    PODMAN = "podman"
    SERVE = "serve"


class Security(str, Enum):
    """How a registry of the offline side is contacted."""

    TLS = "tls"
    OWN_CA = "own-ca"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The offline side's answers. `path` is the bundle, or the first volume of one, whose `others`
    lie elsewhere; `images` empty stands for all of it. `settings` say whose signatures count.

    `registry` is `host[:port]`, `project` the path below it. `listen` is `host:port` of serving."""

    path: Path | None = None
    settings: Settings = field(default_factory=Settings)
    images: tuple[Reference, ...] = ()
    destination: Destination = Destination.REGISTRY
    registry: str = ""
    project: str = ""
    security: Security = Security.TLS
    ca_file: Path | None = None
    keep_registry: bool = False
    listen: str = "127.0.0.1:5000"
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    engine_host: str | None = None
    others: tuple[Path, ...] = ()

    def opening(self, path: Path | None, others: tuple[Path, ...] = ()) -> Delivery:
        """The answers with another bundle, or with further volumes of the one that is open."""
        if path == self.path and others == self.others:
            return self
        images = self.images if path == self.path else ()
        return replace(self, path=path, others=others, images=images)

    def trusting(self, trust: Trust) -> Delivery:
        """The answers with other signers, or another word on whether there has to be one."""
        return replace(self, settings=replace(self.settings, trust=trust))

    @property
    def places(self) -> tuple[Path, ...]:
        """Everything that is opened; nothing before a bundle is chosen."""
        return () if self.path is None else (self.path, *self.others)

    @property
    def naming(self) -> Naming:
        """Raises `UsageError` where registry or project cannot be names."""
        name = self.registry.strip().rstrip("/")
        project = self.project.strip().strip("/")
        return Naming.parse(
            f"{name}/{project}" if project else name, keep_registry=self.keep_registry
        )

    @property
    def network_settings(self) -> Settings:
        """The settings with what was chosen about this registry's security."""
        network = self.settings.network
        if self.security is Security.PLAIN:
            network = replace(network, plain_http=network.plain_http | {self.naming.registry})
        elif self.security is Security.OWN_CA and self.ca_file is not None:
            network = replace(network, ca_file=self.ca_file)
        return replace(self.settings, network=network)

    def push_spec(self) -> PushSpec:
        from airgap_tui.engine.jobs.push import PushSpec

        return PushSpec(
            self.bundle, self.naming, self.network_settings, self.images, others=self.others
        )

    def load_spec(self) -> LoadSpec:
        from airgap_tui.engine.jobs.load import LoadSpec

        into = "podman" if self.destination is Destination.PODMAN else "docker"
        return LoadSpec(
            (self.bundle, *self.others),
            "podman" if into == "podman" else "docker",
            self.engine_host,
            references=self.images,
            settings=self.settings,
        )

    def serve_spec(self) -> ServeSpec:
        """Raises `UsageError` where `listen` is not an address."""
        from airgap_tui.engine.jobs.serve import ServeSpec

        host, port = listen_address(self.listen)
        return ServeSpec(
            (self.bundle, *self.others),
            host,
            port,
            self.tls_certificate,
            self.tls_key,
            trust=self.settings.trust,
        )

    @property
    def bundle(self) -> Path:
        """The opened bundle; raises `UsageError` before one is."""
        if self.path is None:
            raise UsageError("no bundle is opened", hint="Choose one, or give its path.")
        return self.path


def listen_address(text: str) -> tuple[str, int]:
    """Read `host:port`, `[::1]:port`, `:port` or a port alone; raise `UsageError` otherwise."""
    host, _, port = text.strip().rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"not an address: {text!r}", hint="Write it like 127.0.0.1:5000.")
    return host.strip("[]") or ("127.0.0.1" if not text.strip().startswith(":") else "::"), int(
        port
    )


def check_name(text: str) -> str:
    """What to say while image names are typed: empty for nothing typed yet.

    Begins with `Not a name:` where one of them is none.
    """
    if not text.strip():
        return ""
    if len(text.split()) > 1:
        good, bad = parse_many(text)
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        if bad:
            return f"Not a name: {bad[0].partition(': ')[2]}{more}"
        return f"{count(len(good), 'name')}, well formed."
    try:
        reference = Reference.parse(text.strip())
    except InvalidReference as error:
        return f"Not a name: {error.reason}"
    if reference.digest is None and ":" not in text.strip().rpartition("/")[2]:
        short = reference.repository.rpartition("/")[2]
        return f"No tag given: this means {short}:latest, which changes."
    return "Name is well formed."


def parse_many(text: str) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
    """The names in pasted lines, and for each that is none the line with its reason."""
    good: list[Reference] = []
    bad: list[str] = []
    for line in text.splitlines():
        for word in line.partition(" #")[0].split():
            if word.startswith("#"):
                break
            try:
                good.append(Reference.parse(word))
            except AirgapError as error:
                reason = error.reason if isinstance(error, InvalidReference) else error.message
                bad.append(f"{word}: {reason}")
    return tuple(dict.fromkeys(good)), tuple(bad)


def _by_name(wish: Wish) -> str:
    return str(wish.reference)
