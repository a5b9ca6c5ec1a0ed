"""Images from the NGC catalogue: search, a repository, a rule, what it chooses, and into the list.

The same answers and corrections as on the screen, asked one after the other.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace

from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.guide import commands, ngc_sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.ngc_catalogue import (
    Candidate,
    Candidates,
    Lookup,
    Search,
    about,
    platforms_of,
)
from airgap_tui.engine.jobs.ngc.access import Listing
from airgap_tui.engine.ngc.repository import Repository
from airgap_tui.engine.quantities import count, size

_MOST_TOLD = 20
_ALL = "all"
_EXPLAINED = (
    "The rule chooses the newest versions of each variant: -py3 and -py3-igpu are two. Variants are"
    " globs, as *-py3, several with a blank between them. Versions count as numbers: 25.10 follows"
    " 25.9. What you choose or leave out yourself, the rule no longer touches."
)


def add_from_catalogue(guide: Guide) -> None:
    """Ends when tags are added; raises `Back` where none are."""
    guide.dialogue.say(ngc_sentences.catalogue())
    lookup = Lookup(guide.settings, guide.crossing.credentials())
    with closing(lookup):
        _Catalogue(guide, lookup).search()


class _Catalogue:
    """One look around."""

    def __init__(self, guide: Guide, lookup: Lookup) -> None:
        self._guide = guide
        self._dialogue = guide.dialogue
        self._crossing = guide.crossing
        self._lookup = lookup

    def search(self) -> None:
        """Ends when tags are added; going back from the search itself raises `Back`."""
        dialogue, crossing = self._dialogue, self._crossing
        while True:
            words = dialogue.optional("Search for", crossing.ngc.words, explanation=_EXPLAINED)
            crossing.ngc = replace(crossing.ngc, words=words)
            try:
                found = self._guide.wait("Asking the catalogue.", self._find)
                if self._repository(found):
                    return
            except AirgapError as error:
                dialogue.error(error)
            except Back:
                continue

    def _find(self, token: CancelToken) -> Search:
        return self._lookup.search(self._crossing.ngc.words, token)

    def _repository(self, found: Search) -> bool:
        """Whether tags were added; otherwise another search is wanted."""
        trouble = ngc_sentences.catalogue_trouble(found, None)
        if trouble:
            self._dialogue.say(f"! {trouble}")
        if not found.repositories:
            if found.outage is None:
                self._dialogue.say(f"Nothing matches: {ngc_sentences.matching(found)}.")
            return False
        matching = ngc_sentences.matching(found)
        if matching:
            self._dialogue.say(f"{matching[:1].upper()}{matching[1:]}.")
        shown = found.repositories[:_MOST_TOLD]
        hidden = len(found.repositories) - len(shown)
        if hidden:
            self._dialogue.say(f"The first {len(shown)}; further words leave fewer.")
        offered = [Choice(str(one.name), str(one.name), _in_words(one)) for one in shown]
        offered.append(Choice("", "Search for something else"))
        kept = self._crossing.ngc.repository
        known = {choice.key for choice in offered}
        while True:
            usual = kept if kept in known else offered[0].key
            name = self._dialogue.choose(offered, usual, explanation=_EXPLAINED)
            one = next((one for one in shown if str(one.name) == name), None)
            if one is None:
                return False
            self._crossing.ngc = replace(self._crossing.ngc, repository=name)
            try:
                return self._tags(one, found)
            except Back:
                kept = name

    def _tags(self, one: Repository, found: Search) -> bool:
        listing = self._guide.wait(
            f"Asking for the tags of {one.name}.",
            lambda token: self._lookup.listing(one.name, token),
        )
        self._rule()
        while True:
            candidates = self._candidates(listing)
            _tell(self._guide, candidates, found)
            answer = self._dialogue.choose(
                _choices(candidates), "add" if candidates.chosen else "rule", explanation=_EXPLAINED
            )
            if answer == "add":
                self._add(candidates)
                return True
            if answer == "other":
                raise Back
            try:
                if answer == "rule":
                    self._rule()
                elif answer == "hand":
                    self._correct(candidates)
                else:
                    _tell_tags(self._guide, candidates.tags)
            except Back:
                continue

    def _candidates(self, listing: Listing) -> Candidates:
        answers = self._crossing.ngc
        return Candidates.of(listing, answers.rule, answers.by_hand)

    def _rule(self) -> None:
        """Ask for the rule until it can be meant."""
        dialogue = self._dialogue
        while True:
            answers = self._crossing.ngc
            latest = dialogue.ask(
                "How many of the newest of each variant, or all",
                answers.latest or _ALL,
                explanation=_EXPLAINED,
            )
            asked = replace(
                answers,
                latest="" if latest.lower() == _ALL else latest,
                variants=dialogue.optional(
                    "Variants, as *-py3", answers.variants, explanation=_EXPLAINED
                ),
                minimum=dialogue.optional("From version", answers.minimum, explanation=_EXPLAINED),
            )
            try:
                asked.rule  # noqa: B018 - raises for an impossible choice
            except UsageError as error:
                dialogue.error(error)
                continue
            self._crossing.ngc = asked
            return

    def _correct(self, candidates: Candidates) -> None:
        there = [one for one in candidates.tags if one.available]
        _tell_tags(self._guide, there, numbered=True)
        question = "Numbers to choose, or to leave out if they are chosen"
        numbers = self._dialogue.several(question, len(there), explanation=_EXPLAINED)
        for number in numbers:
            one = there[number - 1]
            candidates = candidates.corrected([one.image.tag], not one.chosen)
        self._crossing.ngc = self._crossing.ngc.with_hand(candidates.by_hand)

    def _add(self, candidates: Candidates) -> None:
        wishes = candidates.wishes(self._lookup.registry)
        self._crossing.wish(self._crossing.collection.with_wishes(wishes))
        self._dialogue.say(f"Added {', '.join(str(wish.reference) for wish in wishes)}.")


def _choices(candidates: Candidates) -> list[Choice]:
    chosen = [Choice("add", ngc_sentences.add_tags(candidates))] if candidates.chosen else []
    return [
        *chosen,
        Choice("rule", "Change the rule"),
        *([Choice("hand", "Choose tags or leave them out")] if candidates.tags else []),
        *(
            [Choice("show", f"Show all {count(len(candidates.tags), 'tag')}")]
            * bool(candidates.tags)
        ),
        Choice("other", "Look at another repository"),
    ]


def _tell(guide: Guide, candidates: Candidates, found: Search) -> None:
    """What is chosen, and how much is not for which reason."""
    dialogue = guide.dialogue
    trouble = ngc_sentences.catalogue_trouble(replace(found, refusal=None, refused=()), candidates)
    if trouble:
        dialogue.say(f"! {trouble}")
    _tell_tags(guide, candidates.chosen[:_MOST_TOLD])
    hidden = len(candidates.chosen) - _MOST_TOLD
    if hidden > 0:
        dialogue.say(f"and {hidden} more", indent=2)
    dialogue.say(f"{ngc_sentences.tags_chosen(candidates)}.")
    reasons = Counter(one.reason for one in candidates.tags if not one.chosen)
    for reason, number in reasons.items():
        dialogue.say(f"{count(number, 'tag')} not chosen: {reason}.", indent=2)
    dialogue.say("The command that does the same:")
    dialogue.command(commands.ngc_select(candidates))


def _tell_tags(
    guide: Guide, tags: list[Candidate] | tuple[Candidate, ...], *, numbered: bool = False
) -> None:
    for number, one in enumerate(tags, start=1):
        before = f"{number}. " if numbered else ""
        chosen = "chosen" if one.chosen else "not chosen"
        guide.dialogue.say(f"{before}{_facts(one)}: {chosen}; {one.reason}", indent=2)


def _facts(one: Candidate) -> str:
    image = one.image
    facts = [image.tag]
    facts += [f"{image.date:%Y-%m-%d}"] if image.date else []
    facts += [size(image.size)] if image.size else []
    facts += [platforms_of(image)] if image.platforms else []
    return ", ".join(facts)


def _in_words(one: Repository) -> str:
    updated = f", newest {one.latest_tag} of {one.updated:%Y-%m-%d}" if one.updated else ""
    return f"{about(one)}{updated}"
