"""One view of NGC: the catalogue's descriptions joined with what the registry really has.

The registry's list of tags and its digests are the truth. The catalogue adds dates, sizes,
platforms and descriptions; where it fails, that is said, and the tags come from the registry.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ConnectionFailure,
    Stopped,
    TemporaryFailure,
)
from airgap_tui.engine.events import Level, Note, Sink, discard
from airgap_tui.engine.ngc.catalogue import Catalogue, Found
from airgap_tui.engine.ngc.keys import Caller, Key, Organisation, fits
from airgap_tui.engine.ngc.repository import RepositoryName, TaggedImage
from airgap_tui.engine.ngc.selection import Rule, Selection, select
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.settings import Settings

MAX_TAGS = 200_000
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
FROM_REGISTRY = "Tags come from the registry; dates and sizes are missing"


@dataclass(frozen=True, slots=True)
class Listing:
    """The tags of one repository. Those `unlisted` are in the catalogue alone and cannot be pulled.

    With a `registry_error` all tags are the catalogue's word; with a `catalogue_error` they are the
    registry's, without dates and sizes. Where both are there, nothing is known.
    """

    name: RepositoryName
    images: tuple[TaggedImage, ...] = ()
    unlisted: tuple[TaggedImage, ...] = ()
    registry_error: AirgapError | None = None
    catalogue_error: AirgapError | None = None


class Ngc:
    """Catalogue and registry with one login. Safe for several threads; see `open_ngc`."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        registry: RegistrySource,
        caller: Caller | None = None,
        refusal: AirgapError | None = None,
        sink: Sink = discard,
    ) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self.registry = settings.ngc.registry
        self.catalogue = catalogue
        self.source = registry
        self.caller = caller
        self.refusal = refusal
        """Why the login that there is cannot be used, so that only public images are seen."""
        self.outage: ConnectionFailure | None = None
        """The failure of the catalogue that ended the asking of it."""

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        return self.caller.organisations if self.caller is not None else ()

    @property
    def scope(self) -> str:
        """What is seen, for people."""
        if self.catalogue.key is None:
            return "public images only"
        names = [
            "/".join(part for part in (one.name, team) if part)
            for one in self.organisations
            for team in ("", *one.teams)
        ]
        return f"with your organisations {', '.join(names)}" if names else "with your key"

    def search(self, words: str, token: CancelToken, limit: int = 100) -> Found:
        """See `Catalogue.search`; the key's own organisations are searched too."""
        if self.outage is not None:
            raise self.outage
        return self.catalogue.search(words, token, own=self.organisations, limit=limit)

    def listing(self, name: RepositoryName, token: CancelToken) -> Listing:
        """Every tag of a repository; raises only `Stopped`."""
        tags: dict[str, None] = {}
        registry_error = catalogue_error = None
        try:
            listed = self.source.tags(name.reference(self.registry), token)
            tags = dict.fromkeys(tag for tag in islice(listed, MAX_TAGS) if _TAG.fullmatch(tag))
        except Stopped:
            raise
        except AirgapError as error:
            registry_error = error
        known: dict[str, TaggedImage] = {}
        try:
            if self.outage is not None:
                raise self.outage
            described = self.catalogue.images(name, token)
            known = {image.tag: image for image in described if _TAG.fullmatch(image.tag)}
        except Stopped:
            raise
        except AirgapError as error:
            if isinstance(error, ConnectionFailure):
                self.give_up(error)
            catalogue_error = error
        if registry_error is not None:
            return Listing(name, tuple(known.values()), (), registry_error, catalogue_error)
        images = tuple(known.get(tag) or TaggedImage(tag) for tag in tags)
        unlisted = tuple(image for tag, image in known.items() if tag not in tags)
        return Listing(name, images, unlisted, None, catalogue_error)

    def give_up(self, error: ConnectionFailure) -> None:
        """Ask the catalogue no more: each question would have to wait for the same failure."""
        with self._lock:
            first = self.outage is None
            self.outage = self.outage or error
        if first:
            text = f"The catalogue does not answer: {redact(error.message)}"
            self._sink(Note(f"{text}. {FROM_REGISTRY}", Level.WARNING))

    def digest(self, reference: Reference, token: CancelToken) -> Digest:
        """What a tag points at now, by the registry; raises as `RegistrySource.head`."""
        return self.source.head(reference, token).digest

    def select(self, listing: Listing, rule: Rule, token: CancelToken) -> Selection:
        """Decide for every tag; where the catalogue tells no platforms, the registry is asked."""

        def platforms(image: TaggedImage) -> tuple[Platform, ...]:
            if image.platforms or listing.registry_error is not None:
                return image.platforms
            reference = listing.name.reference(self.registry, image.tag)
            try:
                return self.source.resolve(reference, None, token).platforms
            except Stopped:
                raise
            except AirgapError:
                return ()

        return select(listing.images, rule, platforms)


@contextmanager
def open_ngc(
    settings: Settings, sink: Sink, token: CancelToken, credentials: CredentialStore | None = None
) -> Iterator[Ngc]:
    """Ask NGC with the login that this machine has for its registry. A key that NGC refuses is
    told, and public images are looked at without it."""
    credentials = credentials or CredentialStore.load()
    key, caller, failure = _key(settings, credentials, sink, token)
    refusal = failure if isinstance(failure, AccessDenied) else None
    if refusal is not None:
        sink(Note(f"{refusal.message}. Only public images are shown", Level.WARNING))
        credentials = credentials.without(settings.ngc.registry)
    catalogue = Catalogue(settings.ngc, settings.network, key, sink)
    source = RegistrySource(settings.network, credentials, sink)
    try:
        ngc = Ngc(settings, catalogue, source, caller, refusal, sink)
        if isinstance(failure, TemporaryFailure) and not failure.status:
            ngc.give_up(failure)
        yield ngc
    finally:
        catalogue.close()
        source.close()
        if key is not None:
            key.close()


def _key(
    settings: Settings, credentials: CredentialStore, sink: Sink, token: CancelToken
) -> tuple[Key | None, Caller | None, AirgapError | None]:
    """The key, whose it is, and what speaks against it or against asking about it."""
    try:
        login = credentials.find(settings.ngc.registry)
        if login is None:
            return None, None, None
        if not fits(login, settings.ngc):
            text = (
                f"the login from {login.origin} is not for {settings.ngc.api}; it is not sent there"
            )
            sink(Note(text, Level.WARNING))
            return None, None, None
        key = Key(login, settings.ngc, settings.network, sink)
    except AccessDenied as error:
        return None, None, error
    try:
        return key, key.caller(token), None
    except AccessDenied as error:
        if error.status == 401:
            key.close()
            return None, None, error
        return key, None, None  # a key that may pull, and not look itself up
    except ConnectionFailure as error:
        return key, None, error
