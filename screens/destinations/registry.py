"""A registry as the destination: where, as whom, how secured, under which names.

The one thing that is done here, and not only asked: a Harbor's missing project is created, when the
button beside it is pressed.
"""

from __future__ import annotations

import os
from dataclasses import replace

from textual.app import ComposeResult

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import AirgapError, NameConflict
from airgap_tui.engine.guide import arrival, choices
from airgap_tui.engine.guide import projects as words
from airgap_tui.engine.guide.answers import Security
from airgap_tui.engine.guide.internet import of_the_internet
from airgap_tui.engine.jobs import destination, projects
from airgap_tui.engine.jobs.destination import DestinationAnswers
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.typed_path import typed_path
from screens.destinations.form import DestinationForm, Said
from screens.look import Mark
from screens.modals.login import LoginPrompt, Without
from screens.modals.question import Question
from screens.widgets.controls import Button
from screens.widgets.fields import Field
from screens.widgets.options import Option
from screens.widgets.select import Select

_SECURITY = [Option(one.key, one.text, one.about) for one in choices.SECURITY]
_SECURITY_NOTES = {"tls": "", "own-ca": "", "plain": "Nothing is encrypted"}


class RegistryForm(DestinationForm):
    """Asked anew whenever a field is left that the answer depends on."""

    _asked: tuple[object, DestinationAnswers] | None = None
    _asking: object = None

    def compose(self) -> ComposeResult:
        answers, login = self.answers, self._login
        yield Field("Registry", answers.registry, width=26, enter="ask it", id="registry")
        create = Button("Create it", id="create")
        create.display = False
        yield Field(
            "Project", answers.project, width=26, enter="ask it", after=[create], id="project"
        )
        username = login.username if login is not None else ""
        yield Field("Login", username, width=26, enter="give password", opens=True, id="login")
        yield Select("Security", _SECURITY, current=answers.security.value, id="security")
        ca_file = "" if answers.ca_file is None else str(answers.ca_file)
        yield Field("CA file", ca_file, width=26, enter="ask it", id="ca")
        yield Select("Names", (), id="names")

    def on_mount(self) -> None:
        self._show_choices("with" if self.answers.keep_registry else "without")

    def _show_choices(self, current: str | None = None) -> None:
        source = arrival.main_source(image.reference for image in self.images)
        options = [Option(one.key, one.text, one.about) for one in choices.naming(source)]
        self.select("#names").show(options, current)
        self.field("#ca").display = self.answers.security is Security.OWN_CA

    def take(self) -> None:
        registry, project = self.field("#registry").value, self.field("#project").value
        ca_file = self.field("#ca").value
        self.crossing.delivery = replace(
            choices.with_registry(self.answers, registry, project),
            security=Security(self.select("#security").current),
            ca_file=typed_path(ca_file) if ca_file else None,
            keep_registry=self.select("#names").current == "with",
        )

    def on_field_submitted(self, event: Field.Submitted) -> None:
        if event.field.id == "login":
            event.stop()
            self._enter_login(event.value)
        else:
            super().on_field_submitted(event)

    # A login

    @property
    def _login(self) -> Credential | None:
        return self.crossing.logins.get(self.answers.registry)

    def _enter_login(self, username: str) -> None:
        registry = self.answers.registry
        if not registry:
            # A box takes the password that may be on its way; a field would show it.
            question = Question("A login is for one registry: name that first.", "Name it")
            self.app.push_screen(question, lambda _answer: self.field("#registry").focus())
            return
        if not username:
            self.crossing.logins.pop(registry, None)
            self.settled()
            return

        def taken(answer: Credential | Without | None) -> None:
            if isinstance(answer, Credential):
                self.field("#login").value = answer.username
                self.crossing.logins[registry] = answer
                self.settled()

        text = f"The password of {username} at {registry}. It is tried at once, and not kept."
        self.app.push_screen(LoginPrompt(text, registry, username=username), taken)

    # Asking

    @property
    def _question(self) -> object:
        """What the registry's answer depends on."""
        a = self.answers
        return (a.registry, a.security, a.ca_file, self._login, self._repositories)

    @property
    def _repositories(self) -> tuple[str, ...]:
        """Those to be tried; none where there is nothing to ask."""
        try:
            return words.repositories(self.answers, self.images) if self.images else ()
        except AirgapError:
            return ()

    @property
    def _answer(self) -> DestinationAnswers | None:
        if self._asked is None or self._asked[0] != self._question:
            return None
        return self._asked[1]

    def ask(self) -> None:
        answers, question, repositories = self.answers, self._question, self._repositories
        under_way = self.desk.under_way("registry") and self._asking == question
        if self._answer is not None or under_way:
            return
        self.desk.call_off("registry")
        if not answers.registry or not repositories or self._ca_problem():
            return
        if of_the_internet(answers.registry):
            return
        settings, credentials = answers.network_settings, self.crossing.credentials()

        self._asking = question

        def work(token: CancelToken) -> DestinationAnswers:
            return destination.ask(answers.naming, repositories, settings, token, credentials)

        def answered(found: DestinationAnswers) -> None:
            self._asked = (question, found)
            self.changed()

        self.desk.send_for("registry", work, answered)

    # Creating a project

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        found, answers = self._answer, self.answers
        if found is None or not found.missing:
            return
        self.field("#project").focus()
        registry, settings = answers.naming.registry, answers.network_settings
        missing, credentials = found.missing, self.crossing.credentials()

        def work(token: CancelToken) -> None:
            projects.create(registry, missing, settings, token, credentials)

        def created(_nothing: None) -> None:
            self._ask_anew()

        def failed(error: AirgapError) -> None:
            self._ask_anew()  # one of several may be there now
            self.desk.wizard.show_error(error)

        self.desk.send_for("project", work, created, failed)
        self.changed()

    def _ask_anew(self) -> None:
        self._asked = self._asking = None
        self.ask()
        self.changed()

    # What came out

    def _ca_problem(self) -> str:
        answers = self.answers
        if answers.security is not Security.OWN_CA:
            return ""
        if answers.ca_file is None:
            return "Give the authority's file"
        return "" if os.path.isfile(answers.ca_file) else "No such file"

    def _assigned(self) -> tuple[dict[Reference, Reference], AirgapError | None]:
        """The names, or why there are none."""
        if not self.answers.registry:
            return {}, None
        try:
            return arrival.assigned(self.answers, self.images), None
        except AirgapError as error:
            return {}, error

    def tell(self) -> None:
        answers, found = self.answers, self._answer
        self._show_choices()
        registry = project = login = ("", True)
        if self.desk.under_way("registry"):
            self.field("#registry").note("Asking ..", Mark.UNDER_WAY)
        else:
            if not answers.registry:
                registry = ("Like harbor.pod.lan:5000", True)
            elif of_the_internet(answers.registry):
                registry = ("On the internet", False)
            elif found is not None:
                registry = (arrival.registry_in_words(found.registry), found.registry.good)
            self._note("#registry", *registry)
        if found is not None and found.login is not None:
            refused = "Refused" if self._login is not None else "Wanted: a name, then Enter"
            login = (found.login.finding if found.login.good else refused, found.login.good)
        if found is not None and found.project is not None:
            may = found.project.good
            refused = "You may read, not write"
            refused = words.beside_field(found.missing) if found.missing else refused
            project = (found.project.finding if may else refused, may)
        elif not answers.project:
            project = ("May be empty", True)
        self._note("#login", *login)
        creating = self.desk.under_way("project")
        if creating:
            self.field("#project").note("Creating ..", Mark.UNDER_WAY)
        else:
            self._note("#project", *project)
        create = self.query_one("#create", Button)
        missing = () if creating or found is None else found.missing
        create.show(words.button(missing))
        create.display = bool(missing)
        self.select("#security").note(_SECURITY_NOTES[answers.security.value])
        self._note("#ca", self._ca_problem(), not self._ca_problem())
        names, problem = self._assigned()
        if isinstance(problem, NameConflict):
            self.select("#names").note("2 images would get one name", Mark.NEEDS_YOU)
        else:
            many = f"{len(names)} names, all different" if len(names) > 1 else ""
            self.select("#names").note(many)

    def _note(self, name: str, text: str, good: bool) -> None:
        self.field(name).note(text, Mark.NONE if good else Mark.NEEDS_YOU)

    def missing(self) -> str:
        _names, problem = self._assigned()
        if of_the_internet(self.answers.registry):
            return arrival.registry_missing(self.answers, None)
        if isinstance(problem, NameConflict):
            return "Not yet: 2 images would get one name."
        if problem is not None:
            return "Not yet: this cannot be a registry."
        if self._ca_problem():
            return "Not yet: the CA file is missing."
        return arrival.registry_missing(self.answers, self._answer)

    def said(self) -> Said:
        names, problem = self._assigned()
        if of_the_internet(self.answers.registry):
            return Said(f"{arrival.registry_refused(self.answers.registry)}.")
        if problem is not None:
            return Said(f"{arrival.capital(problem.message)}. {problem.hint}")
        if self._answer is not None and not self._answer.good:
            return Said(arrival.registry_trouble(self.answers, self._answer))
        if not names:
            return Said()
        source = arrival.example(self.images)
        return Said(arrival.new_names(source.registry), f"{source} becomes", str(names[source]))

    def names(self) -> list[str]:
        names, _problem = self._assigned()
        return [
            line
            for source, target in names.items()
            for line in (f"{source} becomes", f"  {target}")
        ]
