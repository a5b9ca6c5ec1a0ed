"""The NGC catalogue, a page of the Images step: search, and choose tags by a rule and by hand.

What is typed is searched for a moment later, in a thread; a newer search takes the place of an
older one. Answers and corrections stay in the crossing, so that coming back finds all of it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.timer import Timer
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.guide import commands, ngc_sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.ngc_catalogue import Candidates, Lookup, Search
from airgap_tui.engine.jobs.ngc.access import Listing
from airgap_tui.engine.ngc.repository import Repository, RepositoryName
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact
from screens.base import Scrolls
from screens.catalogue_rows import REPOSITORIES, TAGS, TagRows, detail, repository_row
from screens.errands import ErrandScreen
from screens.keys import LiveKey, footer_keys
from screens.widgets.controls import Row
from screens.widgets.fields import Field
from screens.widgets.table import Table
from screens.widgets.text import Gap, Paragraph

AFTER = 0.25
"""Seconds without a key after which what is typed is meant."""
_LEAST_LINES = 4
"""Of the repositories with their heading."""
_LOOKING_UP = "looking up .."
_NONE_CHOSEN = "Not yet: choose at least one tag."


class CatalogueScreen(ErrandScreen[tuple[Reference, ...]]):
    """Ends with the references that were added to the list; none are for Back."""

    step = "Images"
    title_text = "NGC catalogue"
    help_text = (
        "Type what you look for; the tags below are of the repository with the mark. The rule"
        " chooses the newest N versions of each variant: -py3 and -py3-igpu are two. Variants takes"
        " globs, as *-py3 or 12.*-devel-*, several with a blank between them; From is the first"
        " version that counts, and 25.10 follows 25.9. An empty field asks for nothing. What you"
        " choose or leave out yourself, the rule no longer touches. Enter on a tag leads to the"
        " button. Sizes are of one platform, before layers that images share are counted once."
        " Tags that hold signatures are not shown. With a login for nvcr.io, your organisations are"
        " searched too."
    )

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        answers = crossing.ngc
        self._crossing = crossing
        self._lookup = Lookup(crossing.settings, crossing.credentials())
        self._found: Search | None = None
        self._candidates: Candidates | None = None
        self._listing: Listing | None = None
        self._tag_rows = TagRows()
        self._typing: Timer | None = None
        self._moving: Timer | None = None
        self._search = Field(
            "Search", answers.words, width=22, label_width=7, enter="to the tags", id="search"
        )
        self._trouble = Paragraph(id="trouble")
        self._repositories = Table(
            REPOSITORIES,
            enter="its tags",
            filters=False,
            belongs=True,
            status=False,
            empty=_LOOKING_UP,
            id="repositories",
        )
        self._latest = Field(
            "Rule   Newest",
            answers.latest,
            width=2,
            label_width=14,
            note="of each variant",
            enter="to the tags",
            id="latest",
        )
        self._variants = Field(
            "Variants",
            answers.variants,
            width=10,
            label_width=9,
            enter="to the tags",
            id="variants",
        )
        self._minimum = Field(
            "From", answers.minimum, width=6, label_width=5, enter="to the tags", id="minimum"
        )
        self._tags = Table(TAGS, boxes=True, enter="to the button", id="tags")

    def body(self) -> ComposeResult:
        self._trouble.display = False
        self._repositories.styles.height, self._tags.styles.height = "1fr", "2fr"
        yield self._search
        yield self._trouble
        yield self._repositories
        yield Gap()
        yield Row(self._latest, self._variants, self._minimum, gap=0)
        yield self._tags

    def on_open(self) -> None:
        self.excerpt = ngc_sentences.catalogue()
        self._draw()
        self._search_now()

    def on_unmount(self) -> None:
        super().on_unmount()
        # Whoever asks in this moment may have to hear first that it is over.
        threading.Thread(target=self._lookup.close, name="end of look-ups", daemon=True).start()

    def likeliest(self) -> Widget:
        return self._search.input

    # Moving about

    @property
    def focus_chain(self) -> list[Widget]:
        """The tags come after the search: they are what it is made for."""
        chain = super().focus_chain
        if self._tags in chain and self._search.input in chain:
            chain.remove(self._tags)
            chain.insert(chain.index(self._search.input) + 1, self._tags)
        return chain

    def footer(self, keys: Sequence[LiveKey]) -> list[LiveKey]:
        names = {live.name: live for live in keys}
        if self._tags.has_focus and "Space" in names and "/" in names:
            to = LiveKey("Tab", "repositories", shown=True, general=False, first=False)
            return [names["Space"], to, names["/"]]
        return footer_keys(keys)

    def scrolled(self) -> Scrolls | None:
        return self._tags

    def action_scroll(self, by: int) -> None:
        if by > 0 and self._search.input.has_focus:
            self._repositories.focus()
        else:
            super().action_scroll(by)

    def on_field_submitted(self, event: Field.Submitted) -> None:
        if event.field is self._search:
            down = self._found is not None and self._found.outage is not None
            if down or self._typing is not None:
                self._search_now()
            if down:
                return
        self._go_to_tags()

    def on_table_opened(self, event: Table.Opened) -> None:
        if event.table is self._repositories:
            self._go_to_tags()
        elif not self.not_yet:
            self.way_on.focus()

    def _go_to_tags(self) -> None:
        """What is typed behind is for them: it waits until they are there."""
        self._tags.focus()
        if self.awaited:
            self.wizard.typed.hold()

    @property
    def awaited(self) -> bool:
        return self._typing is not None or self._moving is not None or super().awaited

    def go_back(self) -> None:
        self.dismiss(None)

    def go_on(self) -> None:
        if self._candidates is None or self.not_yet:
            return
        wishes = self._candidates.wishes(self._lookup.registry)
        self._crossing.wish(self._crossing.collection.with_wishes(wishes))
        self.dismiss(tuple(wish.reference for wish in wishes))

    # Searching

    def on_field_changed(self, event: Field.Changed) -> None:
        answers = self._crossing.ngc
        if event.field is self._search:
            if event.value != answers.words:
                self._crossing.ngc = replace(answers, words=event.value)
                self.call_off("search")
                self._stop(self._typing)
                self._typing = self.set_timer(AFTER, self._search_now)
            return
        typed = (self._latest.value, self._variants.value, self._minimum.value)
        if typed != (answers.latest, answers.variants, answers.minimum):
            latest, variants, minimum = typed
            self._crossing.ngc = replace(answers, latest=latest, variants=variants, minimum=minimum)
            self._decide()

    def _search_now(self) -> None:
        self._stop(self._typing)
        self._typing = None
        words = self._crossing.ngc.words
        if self._found is not None and self._found.words == words and not self._found.outage:
            return
        self._search.note(_LOOKING_UP)
        self.send_for(
            "search",
            lambda token: self._lookup.search(words, token),
            self._searched,
            self._search_failed,
        )

    def _search_failed(self, error: AirgapError) -> None:
        self._searched(Search(self._crossing.ngc.words, outage=error))

    def _searched(self, found: Search) -> None:
        first, self._found = self._found is None, found
        if found.outage is None and self._listing is not None and self._listing.catalogue_error:
            self._listing = None  # it can be told whole now
        shorter = ngc_sentences.matching(found, short=True)
        self._search.note(ngc_sentences.matching(found), shorter=shorter)
        rows = [repository_row(one) for one in found.repositories]
        nothing = "Nothing matches." if found.outage is None else "Nothing can be listed."
        self._repositories.show(rows, empty=nothing)
        # Room that they do not need is the tags'; but where a search brings less, nothing jumps.
        least = 2 if found.outage is not None else _LEAST_LINES
        self._repositories.styles.max_height = max(least, len(rows) + 1)
        # The best match, unless somebody comes back to what was looked at before.
        kept = self._crossing.ngc.repository if first else ""
        keys = [row.key for row in rows]
        self._repositories.current = kept if kept in keys else keys[0] if keys else ""
        self._look()

    # One repository

    def on_table_moved(self, event: Table.Moved) -> None:
        if event.table is self._repositories:
            self._look()
        else:
            self._draw_detail()

    def _look(self) -> None:
        """Show the tags of the current repository, once the cursor rests on it."""
        one = self._current
        self._stop(self._moving)
        self._moving = None
        if self._listing is not None and one is not None and self._listing.name == one.name:
            self.call_off("tags")
            self._draw()
            return
        self.call_off("tags")
        self.call_off("rule")
        self._listing = self._candidates = None
        if one is not None:
            self._crossing.ngc = replace(self._crossing.ngc, repository=str(one.name))
            if self._lookup.known(one.name):
                self._look_up(one.name)
            else:
                self._moving = self.set_timer(AFTER, lambda: self._look_up(one.name))
        self._draw()

    def _look_up(self, name: RepositoryName) -> None:
        self._moving = None

        def work(token: CancelToken) -> Listing:
            return self._lookup.listing(name, token)

        self.send_for("tags", work, self._listed)

    def _listed(self, listing: Listing) -> None:
        self._listing = listing
        self._decide()

    def _decide(self) -> None:
        """Have the rule choose among the tags; one that cannot be meant leaves them as they are."""
        listing, answers = self._listing, self._crossing.ngc
        try:
            rule = answers.rule
        except UsageError as error:
            self.call_off("rule")
            self._draw(f"Not yet: {redact(error.message)}.")
            return
        if listing is None:
            self._draw()
            return
        self.send_for(
            "rule", lambda _token: Candidates.of(listing, rule, answers.by_hand), self._decided
        )

    def _decided(self, candidates: Candidates) -> None:
        # Somebody may have chosen by hand meanwhile.
        self._candidates = replace(candidates, by_hand=self._crossing.ngc.by_hand)
        self._draw()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        if self._candidates is None:
            return
        before = self._candidates.by_hand
        self._candidates = self._candidates.corrected(event.keys, event.chosen)
        if self._candidates.by_hand == before:
            self.say("The registry does not have it: it cannot be pulled.")
            return
        self._crossing.ngc = self._crossing.ngc.with_hand(self._candidates.by_hand)
        self._draw()

    # Drawing

    @property
    def _current(self) -> Repository | None:
        key, found = self._repositories.current, self._found
        return (
            next((one for one in found.repositories if str(one.name) == key), None)
            if (found is not None)
            else None
        )

    def _draw(self, not_yet: str = "") -> None:
        candidates = self._candidates
        trouble = ngc_sentences.catalogue_trouble(self._found, candidates)
        self._trouble.show(trouble)
        self._trouble.display = bool(trouble)
        if candidates is None:
            self._tags.show((), right="", detail="", empty=self._nothing())
            words = self._crossing.ngc.words
            self.command = commands.ngc_search(words)
        else:
            rows = self._tag_rows.of(candidates)
            right = ngc_sentences.tags_chosen(candidates)
            self._tags.show(rows, right=right, empty=self._nothing())
            self._draw_detail()
            self.command = commands.ngc_select(candidates)
        self.onward = ngc_sentences.add_tags(candidates)
        chosen = candidates is not None and bool(candidates.chosen)
        self.not_yet = not_yet or ("" if chosen else _NONE_CHOSEN)
        if not self.awaited:
            self.wizard.typed.release()

    def _draw_detail(self) -> None:
        if self._candidates is not None:
            self._tags.show(detail=detail(self._candidates, self._tags.current))

    def _nothing(self) -> str:
        """What stands in place of the tags."""
        one = self._current
        if one is None:
            return ""
        if self._listing is None:
            return f"looking up {one.name} .."
        return f"{one.name} has no tags that can be shown."

    def _stop(self, timer: Timer | None) -> None:
        if timer is not None:
            timer.stop()
