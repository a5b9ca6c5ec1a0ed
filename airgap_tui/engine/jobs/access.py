"""Which images can be read, and with which login: asked image by image.

A registry such as nvcr.io lets everybody read public images, so a login that is wrong shows only on
the others. It is tried on its own too, and told to be refused even where no chosen image needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, AirgapError, Stopped
from airgap_tui.engine.events import ItemChanged, ItemState, Sink
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.source import RateLimit, RegistrySource
from airgap_tui.engine.settings import Settings

_LOOKUPS = 8
_MAX_REPLY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class AccessSpec:
    """The images to ask for; nothing of them is fetched. `registries` have their logins tried
    whether or not they have an image among these."""

    references: tuple[Reference, ...]
    settings: Settings = field(default_factory=Settings)
    registries: tuple[str, ...] = ()


class LoginStanding(str, Enum):
    """How a registry takes the login that there is for it."""

    NOT_NEEDED = "not needed"
    """There is none, and every chosen image can be read."""
    MISSING = "missing"
    """There is none, and some image cannot be read."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The registry does not answer."""


@dataclass(frozen=True, slots=True)
class ImageAccess:
    """Whether one image can be read; `error` says why not."""

    reference: Reference
    error: AirgapError | None = None

    @property
    def readable(self) -> bool:
        return self.error is None


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """One registry. `username` and `origin` are of the login in use, empty without one; `shadows`
    is where others are that it wins over. `refusal` is what the registry, or the way to it, says
    against the login."""

    registry: str
    standing: LoginStanding
    images: tuple[ImageAccess, ...]
    username: str = ""
    origin: str = ""
    refusal: AirgapError | None = None
    rate_limit: RateLimit | None = None
    shadows: tuple[str, ...] = ()

    @property
    def unreadable(self) -> tuple[ImageAccess, ...]:
        return tuple(image for image in self.images if not image.readable)


@dataclass(frozen=True, slots=True)
class AccessResult:
    """Every registry that was asked, by name."""

    registries: tuple[RegistryAccess, ...]

    @property
    def unreadable(self) -> tuple[ImageAccess, ...]:
        return tuple(image for one in self.registries for image in one.unreadable)

    @property
    def anonymous(self) -> tuple[str, ...]:
        """Registries whose login is refused: their public images are read without it."""
        refused = (one for one in self.registries if one.standing is LoginStanding.REFUSED)
        return tuple(one.registry for one in refused)


def run(
    spec: AccessSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
) -> AccessResult:
    """Ask for every image's manifest, and try the login of every registry."""
    credentials = credentials or CredentialStore.load()
    groups: dict[str, list[Reference]] = {name: [] for name in spec.registries}
    for reference in spec.references:
        groups.setdefault(reference.registry, []).append(reference)
    return AccessResult(
        tuple(
            _registry(name, groups[name], spec.settings, credentials, sink, token)
            for name in sorted(groups)
        )
    )


def _registry(
    registry: str,
    references: Sequence[Reference],
    settings: Settings,
    credentials: CredentialStore,
    sink: Sink,
    token: CancelToken,
) -> RegistryAccess:
    login, refusal = _login(registry, settings, credentials, sink, token)
    refused = isinstance(refusal, AccessDenied)
    known = CredentialStore({registry: None}) if refused else credentials
    with closing(RegistrySource(settings.network, known, sink)) as source:

        def ask(reference: Reference) -> ImageAccess:
            sink(ItemChanged(str(reference), ItemState.RESOLVING))
            try:
                source.head(reference, token)
            except Stopped:
                raise
            except AirgapError as error:
                sink(ItemChanged(str(reference), ItemState.FAILED, redact(error.message)))
                return ImageAccess(reference, error)
            sink(ItemChanged(str(reference), ItemState.DONE))
            return ImageAccess(reference)

        if refusal is not None and not refused:
            images = tuple(ImageAccess(reference, refusal) for reference in references)
        else:
            images = tuple(in_parallel(ask, references, _LOOKUPS, token))
        limits = source.rate_limits()
    if refusal is not None:
        standing = LoginStanding.REFUSED if refused else LoginStanding.UNKNOWN
    elif login is not None:
        standing = LoginStanding.ACCEPTED
    elif all(image.readable for image in images):
        standing = LoginStanding.NOT_NEEDED
    else:
        standing = LoginStanding.MISSING
    return RegistryAccess(
        registry,
        standing,
        images,
        login.username if login else "",
        login.origin if login else "",
        refusal,
        next((limit for limit in limits if limit.registry == registry), None),
        _shadows(registry, login, credentials),
    )


def _shadows(registry: str, login: Credential | None, store: CredentialStore) -> tuple[str, ...]:
    """Where the other logins for a registry are; no helper is asked for it."""
    if login is None:
        return ()
    places = [where for name, where in store.kept if name == registry]
    winner = next((n for n, where in enumerate(places) if login.origin in where), len(places) - 1)
    return tuple(places[winner + 1 :])


def _login(
    registry: str,
    settings: Settings,
    credentials: CredentialStore,
    sink: Sink,
    token: CancelToken,
) -> tuple[Credential | None, AirgapError | None]:
    """The login for a registry, and what speaks against it."""
    try:
        login = credentials.find(registry)
    except AccessDenied as error:
        return None, error
    try:
        with closing(Session(registry, settings.network, credentials, sink)) as session:
            session.fetch(Request("GET", "", "", registry), _MAX_REPLY_BYTES, token)
    except Stopped:
        raise
    except AccessDenied as error:
        # Without a login this only says that the registry wants one for some of its images.
        return login, error if login is not None else None
    except AirgapError as error:
        return login, error
    return login, None
