"""The NGC catalogue as both guided front ends ask it, and its tags as rule and hand choose them.

One connection with one check of the key lasts for as long as somebody looks around. Nothing is
sent before the first question.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, ConnectionFailure, Stopped
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide.answers import Origination, Wish
from airgap_tui.engine.jobs.ngc.access import Listing, Ngc, open_ngc
from airgap_tui.engine.jobs.ngc.search import from_registry
from airgap_tui.engine.ngc.repository import Repository, RepositoryName, TaggedImage
from airgap_tui.engine.ngc.selection import Decision, Rule, Selection, Standing, select
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import size
from airgap_tui.engine.settings import Settings

BY_HAND, LEFT_OUT = "Chosen by hand", "Left out by hand"
NOT_THERE = "Not in registry"
MOST = 1000
"""Repositories that are listed; who has more that match types another word."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was found. `total` repositories match, `everything` is all that could; with an `outage`
    there is at most the one that was named whole, from the registry."""

    words: str
    repositories: tuple[Repository, ...] = ()
    total: int = 0
    everything: int = 0
    scope: str = ""
    outage: AirgapError | None = None
    refusal: AirgapError | None = None
    """Why the key that there is cannot be used."""
    refused: tuple[AirgapError, ...] = ()
    """Why some of the key's organisations and teams could not be searched."""


class Lookup:
    """NGC, asked with the logins of one run. Safe for several threads; close it in the end."""

    def __init__(self, settings: Settings, credentials: CredentialStore) -> None:
        self.registry = settings.ngc.registry
        self._settings = settings
        self._credentials = credentials
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._ngc: Ngc | None = None
        self._closed = False
        self._everything: int | None = None
        self._listings: dict[RepositoryName, Listing] = {}

    def search(self, words: str, token: CancelToken) -> Search:
        """Ask the catalogue, again too where it did not answer before. Raises `AccessDenied`,
        `NotFound` or `Stopped`; an outage is part of the answer."""
        words = words.strip()
        ngc = self._open(token, again=True)
        told = Search(words, scope=ngc.scope, refusal=ngc.refusal)
        try:
            found = ngc.search(words, token, MOST)
            if self._everything is None:
                self._everything = ngc.search("", token, 1).total if words else found.total
        except ConnectionFailure as error:
            ngc.give_up(error)
            known = from_registry(words, ngc, token)
            there = (known,) if known is not None else ()
            return replace(told, repositories=there, total=len(there), outage=error)
        return replace(
            told,
            repositories=found.repositories,
            total=found.total,
            everything=max(self._everything, found.total),
            refused=found.refused,
        )

    def listing(self, name: RepositoryName, token: CancelToken) -> Listing:
        """The tags of a repository; what came whole is not asked for again. Raises `Stopped`."""
        known = self._listings.get(name)
        if known is not None:
            return known
        listing = self._open(token).listing(name, token)
        if listing.registry_error is None and listing.catalogue_error is None:
            self._listings[name] = listing
        return listing

    def known(self, name: RepositoryName) -> bool:
        """Whether `listing` has its answer already."""
        return name in self._listings

    def close(self) -> None:
        """Drop the connections; who still asks gets `Stopped`."""
        with self._lock:
            self._closed = True
            self._drop()

    def _open(self, token: CancelToken, *, again: bool = False) -> Ngc:
        with self._lock:
            if self._closed:
                raise Stopped
            if again and self._ngc is not None and self._ngc.outage is not None:
                self._drop()
            if self._ngc is None:
                opened = open_ngc(self._settings, discard, token, self._credentials)
                self._ngc = self._held.enter_context(opened)
            return self._ngc

    def _drop(self) -> None:
        self._held.close()
        self._ngc = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tag and why it is chosen or not. One that is not `available` cannot be."""

    image: TaggedImage
    chosen: bool
    reason: str
    available: bool = True


@dataclass(frozen=True)
class Candidates:
    """All tags of a repository: those that the rule chooses, then what is ever further from it."""

    listing: Listing
    rule: Rule
    selection: Selection
    by_hand: Mapping[str, bool]

    @classmethod
    def of(cls, listing: Listing, rule: Rule, by_hand: Mapping[str, bool]) -> Candidates:
        """Decide about every tag."""
        selection = select(listing.images, rule)
        ordered = tuple(sorted(selection.decisions, key=_standing))
        return cls(listing, rule, replace(selection, decisions=ordered), by_hand)

    @cached_property
    def tags(self) -> tuple[Candidate, ...]:
        return tuple(self._candidates())

    @cached_property
    def chosen(self) -> tuple[Candidate, ...]:
        return tuple(tag for tag in self.tags if tag.chosen)

    @property
    def by_rule(self) -> bool:
        """Whether the rule alone would choose the same."""
        return all(
            decision.chosen is self.by_hand.get(decision.image.tag, decision.chosen)
            for decision in self.selection.decisions
        )

    def corrected(self, tags: Iterable[str], chosen: bool) -> Candidates:
        """With these tags chosen, or left out, by hand. One that so becomes what the rule says is
        the rule's again."""
        ruled = {one.image.tag: one.chosen for one in self.selection.decisions}
        by_hand = dict(self.by_hand)
        for tag in tags:
            if tag in ruled:
                by_hand.pop(tag, None)
                if ruled[tag] is not chosen:
                    by_hand[tag] = chosen
        return replace(self, by_hand=by_hand)

    def wishes(self, registry: str) -> tuple[Wish, ...]:
        """What is chosen, for the list of images."""
        return tuple(
            Wish(self._reference(registry, one), Origination.NGC, note=note_of(one))
            for one in self.chosen
        )

    def _reference(self, registry: str, one: Candidate) -> Reference:
        return self.listing.name.reference(registry, one.image.tag)

    def _candidates(self) -> Iterable[Candidate]:
        for decision in self.selection.decisions:
            tag = decision.image.tag
            if tag in self.by_hand:
                chosen = self.by_hand[tag]
                yield Candidate(decision.image, chosen, BY_HAND if chosen else LEFT_OUT)
            else:
                yield Candidate(decision.image, decision.chosen, decision.reason)
        for image in sorted(self.listing.unlisted, key=lambda image: image.tag):
            yield Candidate(image, False, NOT_THERE, available=False)


def note_of(one: Candidate) -> str:
    """What the list says of an image from here: `In NGC since 2025-06-24, 11.2 GB; newest`."""
    image = one.image
    facts = [f"In NGC since {image.date:%Y-%m-%d}" if image.date else "In NGC"]
    facts += [size(image.size)] if image.size else []
    return f"{', '.join(facts)}; {one.reason[:1].lower()}{one.reason[1:]}"


def platforms_of(image: TaggedImage) -> str:
    """`amd64 arm64`; a dash where the catalogue does not say."""
    return " ".join(str(one).removeprefix("linux/") for one in image.platforms) or "-"


def about(repository: Repository) -> str:
    """What a repository is: its title where that says more than its name."""
    title, own = repository.title, repository.name.name
    plain = "".join(letter for letter in title.casefold() if letter.isalnum())
    same = plain == "".join(letter for letter in own.casefold() if letter.isalnum())
    return (repository.description if same else title) or title


def _standing(decision: Decision) -> Standing:
    return decision.standing
