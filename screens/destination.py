"""Destination: where the images go, and whether they can: everything is asked before Review."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.guide import arrival, choices, commands
from airgap_tui.engine.guide.answers import Destination
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import media
from airgap_tui.engine.jobs.media import Contents
from airgap_tui.engine.quantities import count
from screens.destinations.engine import EngineForm
from screens.destinations.form import DestinationForm
from screens.destinations.registry import RegistryForm
from screens.destinations.serve import ServeForm
from screens.errands import ErrandScreen
from screens.keys import key
from screens.modals.pages import TextPage
from screens.steps import StepState
from screens.widgets.options import Choice, Option
from screens.widgets.text import Gap, Line, Paragraph


class DestinationScreen(ErrandScreen[None]):
    step = "Destination"
    help_text = (
        "A registry is asked whether it answers, takes the login and lets us write: an upload is"
        " begun and ended, nothing stays there. Only a project that a Harbor lacks is created,"
        " with the button beside it. An engine needs room for the unpacked layers, and for the copy"
        " that it makes while loading. Serving copies nothing: hosts pull from the medium, which"
        " has to stay here."
    )
    BINDINGS = [key("p", "names", "names")]  # noqa: RUF012

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._contents: Contents | None = None
        self._decided = False
        self._forms: dict[Destination, DestinationForm] = {
            Destination.REGISTRY: RegistryForm(crossing, self, id="to-registry"),
            Destination.DOCKER: EngineForm(crossing, self, "docker"),
            Destination.PODMAN: EngineForm(crossing, self, "podman"),
            Destination.SERVE: ServeForm(crossing, self, id="serve"),
        }

    def body(self) -> ComposeResult:
        self._propose()
        yield Choice(self._places(), current=self._crossing.delivery.destination.value, id="place")
        yield Gap()
        yield from self._forms.values()
        yield Gap()
        yield Line(indent=2, id="example")
        yield Line(indent=2, id="becomes")
        yield Paragraph(indent=2, id="said")

    def on_open(self) -> None:
        self.onward = "Next: Review"
        self._take_bundle()

    def on_return(self) -> None:
        if self._contents is None or self._contents is not self._crossing.contents:
            self._take_bundle()
        else:
            self._ask()

    def likeliest(self) -> Widget:
        return self.query_one("#place")

    def go_on(self) -> None:
        if self.not_yet:
            return
        choices.remember_destination(self._crossing.delivery, self.wizard.remembered)
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        self.wizard.step_on(self)

    # What there is to deliver

    def _take_bundle(self) -> None:
        contents, delivery = self._crossing.contents, self._crossing.delivery
        path, others, trust = delivery.path, delivery.others, delivery.settings.trust
        if contents is not None or path is None:
            self._bundle_known(contents)
            return
        self.not_yet = "Not yet: the bundle is being looked into."

        def work(token: CancelToken) -> Contents:
            return media.look_inside(path, token, others, trust)

        self.send_for("inside", work, self._bundle_known)

    def _bundle_known(self, contents: Contents | None) -> None:
        self._contents = self._crossing.contents = contents
        if contents is not None:
            self.wizard.bundle = contents.name
        self._ask()

    def _propose(self) -> None:
        """What was chosen last, else a registry that this host has a login for."""
        kept = (name for name, _origin in self._crossing.credentials().kept)
        answers, self._decided = choices.proposed_destination(
            self._crossing.delivery, self.wizard.remembered, kept
        )
        port = answers.listen.rpartition(":")[2]
        self._crossing.delivery = replace(answers, listen=f"{choices.EVERY_HOST}:{port}")

    # The choice

    @property
    def _form(self) -> DestinationForm:
        """The one that is seen."""
        return self._forms[self._crossing.delivery.destination]

    def _places(self) -> list[Option]:
        abouts = [f.about() for f in self._forms.values() if isinstance(f, EngineForm)]
        return [Option(one.key, one.text, one.about) for one in choices.places(*abouts)]

    def on_options_moved(self, event: Choice.Moved) -> None:
        self._decided = True
        self._choose(Destination(event.key))

    def _choose(self, place: Destination) -> None:
        self._crossing.delivery = replace(self._crossing.delivery, destination=place)
        self._form.take()
        self._form.ask()
        self._fill()

    def _ask(self) -> None:
        """Ask the engines of this host, for the choice says what they said, and what is chosen."""
        for form in self._forms.values():
            if isinstance(form, EngineForm) or form is self._form:
                form.ask()
        self._fill()

    def on_destination_form_changed(self, _event: DestinationForm.Changed) -> None:
        docker = self._forms[Destination.DOCKER]
        if not self._decided and isinstance(docker, EngineForm) and docker.standing is not None:
            # Nothing was used before: an engine that is there is the likeliest, but not to somebody
            # who has gone on to the fields.
            self._decided = True
            at_the_choice = self.focused in (None, self.query_one("#place"))
            free = at_the_choice and not self._crossing.delivery.registry
            if not docker.standing.problem and free:
                self._choose(Destination.DOCKER)
                return
        self._fill()

    def _fill(self) -> None:
        """Draw everything as it is now."""
        answers, form = self._crossing.delivery, self._form
        for other in self._forms.values():
            other.display = other is form
        contents = self._crossing.contents
        number = 0 if contents is None else len(arrival.going(contents, answers))
        self.excerpt = arrival.destination(number)
        self.command = commands.deliver(answers)
        self.query_one("#place", Choice).show(self._places(), answers.destination.value)
        form.tell()
        said = form.said()
        many = f"P shows all {number}" if said.example and number > 1 else ""
        for name, text, right in (("#example", said.example, many), ("#becomes", said.becomes, "")):
            line = self.query_one(name, Line)
            line.show(text, right=right)
            line.display = bool(text)
        self.query_one("#said", Paragraph).show(said.text)
        self.not_yet = form.missing() if number else "Not yet: no image can be delivered."
        self.refresh_bindings()

    # All names

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "names":
            return not isinstance(self._form, EngineForm) and self._crossing.contents is not None
        return super().check_action(action, parameters)

    def action_names(self) -> None:
        """What every image is called there."""
        names = self._form.names()
        if names:
            title = f"What {count(len(self._form.images), 'image')} will be called there."
            self.app.push_screen(TextPage(self, title, "\n".join(names)))
        else:
            self.say("There are no names to show yet.")
