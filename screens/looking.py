"""Looking for bundles and into them: on media, at a path, volume by volume. Step Open draws it."""

from __future__ import annotations

from pathlib import Path

from textual import on

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, commands
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_BUNDLE
from airgap_tui.engine.jobs import media
from airgap_tui.engine.jobs.media import Contents, FoundBundle
from airgap_tui.engine.typed_path import typed_path
from screens.errands import ErrandScreen
from screens.found_rows import found_in_words
from screens.widgets.controls import Button
from screens.widgets.fields import Field
from screens.widgets.options import Choice, Option
from screens.widgets.text import Line


class LookingScreen(ErrandScreen[None]):
    """`found` are the bundles by their keys; `moved` says that the user has begun to choose.
    Subclasses have the widgets #found, #path, #import, #about, #signed, #bases and #inside."""

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self.crossing = crossing
        self.found: dict[str, FoundBundle] = {}
        self.moved = self._asked_again = False
        self._mounted: tuple[Path, ...] = ()

    def fill(self, contents: Contents) -> None:
        """Draw what is open now."""
        raise NotImplementedError

    def settle(self) -> None:
        """Move the focus to where it belongs, unless the user has begun to do something."""
        raise NotImplementedError

    # Looking for bundles

    def action_again(self) -> None:
        """Look again; what is typed behind is for what that finds."""
        self._asked_again = True
        self.seek()

    def stay(self) -> None:
        self._asked_again = False
        super().stay()

    def seek(self) -> None:
        """Look for bundles on what is mounted now."""
        self._mounted = media.mount_points()
        saved = self.wizard.remembered.get(LAST_BUNDLE)
        further = [Path.cwd(), *([Path(saved)] if saved else [])]
        if self.crossing.contents is None:
            self.excerpt = "Looking for bundles on what is mounted .."
            self.not_yet = "Not yet: bundles are being looked for."

        def work(_token: CancelToken) -> tuple[FoundBundle, ...]:
            return media.find_bundles(place for place in further if place != Path("/"))

        self.send_for("media", work, self._bundles_found)

    def notice_media(self) -> None:
        if media.mount_points() != self._mounted:
            self.seek()

    def _bundles_found(self, found: tuple[FoundBundle, ...]) -> None:
        self._asked_again = False
        contents, typed = self.crossing.contents, self.crossing.delivery.path
        kept = None if contents is None else self.found.get(contents.key)
        self.found = {one.key: one for one in found}
        if kept is not None:
            self.found.setdefault(kept.key, kept)
        self.show_found()
        if len(self.found) > 1:
            self.stay()  # which of them is to be chosen
        if typed is None and found:
            usable = [one for one in found if one.images and not one.problem]
            best = max(usable, key=lambda one: one.updated) if usable else found[0]
            self._choose(best.key)
        elif not found and typed is None:
            self.excerpt = arrival.no_bundle()
            self.not_yet = "Not yet: no bundle is open."
        elif contents is not None and contents.key in self.found:
            now = self.found[contents.key].places
            if new := tuple(place for place in now if place not in contents.places):
                self._look_inside(contents.path, (*contents.others, *new))
        self.settle()

    def show_found(self) -> None:
        choice, contents = self.query_one("#found", Choice), self.crossing.contents
        choice.show(
            [Option(k, one.name, found_in_words(one)) for k, one in self.found.items()],
            None if contents is None else contents.key,
        )
        choice.display = bool(self.found)

    def on_options_moved(self, event: Choice.Moved) -> None:
        self.moved = True
        self._choose(event.key)

    def _choose(self, key: str) -> None:
        self.query_one("#path", Field).below("")
        found = self.found[key]
        self._look_inside(found.places[0], found.places[1:])

    # A path

    def on_field_submitted(self, _event: Field.Submitted) -> None:
        self._look()

    def on_field_changed(self, event: Field.Changed) -> None:
        if not event.value:
            event.field.below("")  # what it says is of a path that is gone

    @on(Button.Pressed, "#look")
    def _look(self) -> None:
        field = self.query_one("#path", Field)
        self.moved = True
        if not field.value:
            field.below("Give the path of a directory, a tar file or an ISO file.")
            return
        field.below("")
        self._look_further(typed_path(field.value).absolute())

    # What is inside

    def open_chosen(self) -> None:
        delivery = self.crossing.delivery
        if delivery.path is not None:
            self._look_inside(delivery.path, delivery.others)

    def _look_inside(self, path: Path, others: tuple[Path, ...] = ()) -> None:
        self.not_yet = "Not yet: the bundle is being looked into."
        trust = self.crossing.delivery.settings.trust

        def work(token: CancelToken) -> Contents:
            return media.look_inside(path, token, others, trust)

        def failed(error: AirgapError) -> None:
            self._not_a_bundle(path, error, typed=False)

        self.send_for("inside", work, self._looked_inside, failed)

    def _look_further(self, path: Path) -> None:
        """Look at a path that was typed: another bundle, or a further volume of the open one."""
        self.not_yet = "Not yet: the bundle is being looked into."
        opened, trust = self.crossing.contents, self.crossing.delivery.settings.trust

        def work(token: CancelToken) -> Contents:
            return media.look_further(path, opened, token, trust)

        def failed(error: AirgapError) -> None:
            self._not_a_bundle(path, error, typed=True)

        self.send_for("inside", work, self._looked_further, failed)

    def _looked_further(self, contents: Contents) -> None:
        opened = self.crossing.contents
        incomplete = opened is not None and opened.volumes is not None and opened.volumes.missing
        same = opened is not None and contents.key == opened.key
        if opened is None or not incomplete or same or contents.volumes is None:
            self._looked_inside(contents)
        else:
            self.found[contents.key] = _found(contents)
            self.fill(opened)
            self.query_one("#path", Field).below(arrival.foreign(contents, opened.name))

    def _not_a_bundle(self, path: Path, error: AirgapError, *, typed: bool) -> None:
        """Say why. A path that was mistyped leaves open what is open."""
        words = " ".join(
            text for text in (f"{arrival.capital(error.message)}.", error.hint) if text
        )
        field = self.query_one("#path", Field)
        field.below(words)
        if typed and self.crossing.contents is not None:
            self.fill(self.crossing.contents)
            return
        self.crossing.delivery = self.crossing.delivery.opening(None)
        self.crossing.contents = self.crossing.verified = None
        self.command, self.wizard.bundle = commands.verify(path), ""
        self.excerpt = "This cannot be opened. Choose another bundle, or give another path."
        self.onward, self.not_yet = "Verify", "Not yet: no bundle is open."
        self.query_one("#about", Line).show("")
        for name in ("#inside", "#signed", "#bases"):
            self.query_one(name).display = False
        self.query_one("#import", Button).show("Import", shut=True)
        self.settle()

    def _looked_inside(self, contents: Contents) -> None:
        crossing = self.crossing
        opening = crossing.delivery.opening(contents.path, contents.others)
        if opening != crossing.delivery:
            crossing.delivery, crossing.verified = opening, None
        crossing.contents = contents
        known = self.found.get(contents.key)
        if known is None or set(contents.places) - set(known.places):
            self.found[contents.key] = _found(contents)
        field = self.query_one("#path", Field)
        if field.value and _opens(typed_path(field.value).absolute(), contents):
            field.value = ""
        field.below("")
        self.fill(contents)


def _found(contents: Contents) -> FoundBundle:
    """A bundle that was named, as one that was found."""
    total = media.weight(contents.whole)[1]
    whole, lacking = len(contents.whole), len(contents.lacking)
    return FoundBundle(
        contents.path, contents.name, whole, lacking, total, volumes=contents.volumes
    )


def _opens(path: Path, contents: Contents) -> bool:
    """Whether what was typed is among what is open now."""
    return any(place == path or path in place.parents for place in contents.places)
