"""Docker or Podman on this host as the destination: where it is, and whether it has the room."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.guide import arrival
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import engine_standing
from airgap_tui.engine.jobs.engine_standing import EngineStanding
from airgap_tui.engine.quantities import count
from screens.destinations.form import DestinationForm, Said
from screens.errands import ErrandScreen
from screens.look import Mark
from screens.widgets.fields import Field
from screens.widgets.text import Fact, Facts

NAMES: dict[Kind, str] = {"docker": "Docker", "podman": "Podman"}


class EngineForm(DestinationForm):
    """The engine of a kind. It is asked as soon as the bundle is known, for the choice tells what
    it said."""

    def __init__(self, crossing: Crossing, desk: ErrandScreen[Any], kind: Kind) -> None:
        super().__init__(crossing, desk, id=kind)
        self.kind = kind
        self.standing: EngineStanding | None = None
        self._question: object = None

    def compose(self) -> ComposeResult:
        host = self.answers.engine_host if self.answers.destination.value == self.kind else None
        yield Field("Address", host or "", width=36, enter="ask it")
        yield Facts(name_width=9)

    @property
    def host(self) -> str | None:
        """What was typed; None is the usual address."""
        return self.query_one(Field).value or None

    def take(self) -> None:
        self.change(engine_host=self.host)

    def ask(self) -> None:
        path, references = self.answers.path, tuple(image.reference for image in self.images)
        question = (self.host, path, references)
        if path is None or question == self._question:
            return
        self._question, self.standing = question, None
        kind, host, platform = self.kind, self.host, self.answers.settings.platform

        def work(token: CancelToken) -> EngineStanding:
            return engine_standing.ask(kind, host, path, references, token, platform)

        def answered(standing: EngineStanding) -> None:
            self.standing = standing
            self.changed()

        self.desk.send_for(kind, work, answered)

    def about(self) -> str:
        """Beside the choice: what the engine said."""
        if self.standing is None:
            return "Being asked .."
        return arrival.engine_in_words(self.standing)

    def tell(self) -> None:
        field, facts, standing = self.query_one(Field), self.query_one(Facts), self.standing
        if standing is None:
            field.note("Being asked ..", Mark.UNDER_WAY)
            facts.show(())
            return
        if standing.problem:
            field.note("No answer", Mark.NEEDS_YOU)
            facts.show(())
            return
        field.note("" if field.value else "Empty: the usual")
        room = Mark.NEEDS_YOU if standing.lacking else Mark.DONE
        shown = [
            Fact("Engine", f"{standing.name} at {standing.host}", Mark.DONE),
            Fact("Room", arrival.engine_room(standing), room),
        ]
        if standing.held:
            images = count(standing.held, "image")
            shown.append(Fact("There", f"{images} already; nothing is sent for them", Mark.DONE))
        if standing.unloadable:
            things = count(len(standing.unloadable), "item")
            shown.append(Fact("Left out", f"{things} that no engine takes", Mark.NEEDS_YOU))
        facts.show(shown)

    def missing(self) -> str:
        return arrival.engine_missing(NAMES[self.kind], self.standing)

    def said(self) -> Said:
        if self.standing is None:
            return Said()
        return Said(arrival.engine_trouble(self.standing) or arrival.names_stay())
