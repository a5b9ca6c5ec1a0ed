"""This host as the destination: hosts pull from it, at a port, perhaps with a certificate."""

from __future__ import annotations

from textual.app import ComposeResult

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, choices
from airgap_tui.engine.jobs import serve
from airgap_tui.engine.typed_path import typed_path
from screens.destinations.form import DestinationForm, Said
from screens.look import Mark
from screens.widgets.fields import Field
from screens.widgets.options import Option
from screens.widgets.select import Select

_FOR = [Option(one.key, one.text, one.about) for one in choices.SERVED]
_SECURITY = [Option(one.key, one.text, one.about) for one in choices.SERVE_SECURITY]


class ServeForm(DestinationForm):
    """The port is tried whenever a field is left that it depends on; nothing is served yet."""

    _tried: tuple[object, str, tuple[str, ...]] | None = None
    _trying: object = None

    def compose(self) -> ComposeResult:
        host, _, port = self.answers.listen.rpartition(":")
        certificate, key = self.answers.tls_certificate, self.answers.tls_key
        yield Select(
            "For", _FOR, current=host if host == choices.THIS_HOST else choices.EVERY_HOST, id="for"
        )
        yield Field("Port", port, width=26, enter="try it", id="port")
        yield Select("Security", _SECURITY, current="tls" if certificate else "plain", id="tls")
        yield Field("Certificate", str(certificate or ""), width=26, enter="try it", id="cert")
        yield Field("Key", str(key or ""), width=26, enter="try it", id="key")

    @property
    def _secured(self) -> bool:
        return self.select("#tls").current == "tls"

    def take(self) -> None:
        certificate = self.field("#cert").value if self._secured else ""
        key = self.field("#key").value if self._secured else ""
        self.change(
            listen=f"{self.select('#for').current}:{self.field('#port').value}",
            tls_certificate=typed_path(certificate) if certificate else None,
            tls_key=typed_path(key) if key else None,
        )

    @property
    def _question(self) -> object:
        answers = self.answers
        return (answers.listen, answers.tls_certificate, answers.tls_key, answers.path)

    @property
    def _result(self) -> tuple[str, tuple[str, ...]] | None:
        """What is wrong, and the names that are not clear; None while that is not known."""
        if self._tried is None or self._tried[0] != self._question:
            return None
        return self._tried[1], self._tried[2]

    def ask(self) -> None:
        answers, question = self.answers, self._question
        if self._result is not None or arrival.listening_missing(answers, secured=self._secured):
            return
        if self.desk.under_way("address") and self._trying == question:
            return
        self._trying = question

        def work(_token: CancelToken) -> tuple[str, ...]:
            return serve.check(answers.serve_spec())

        def tried(conflicts: tuple[str, ...]) -> None:
            self._tried = (question, "", conflicts)
            self.changed()

        def failed(error: AirgapError) -> None:
            self._tried = (question, f"{error.message}. {error.hint}".strip(), ())
            self.changed()

        self.desk.send_for("address", work, tried, failed)

    def tell(self) -> None:
        for name in ("#cert", "#key"):
            self.field(name).display = self._secured
        self.field("#key").note("Empty: in the same file")
        result = self._result
        if result is None:
            self.field("#port").note("")
        elif result[0]:
            self.field("#port").note("Cannot be served so", Mark.NEEDS_YOU)
        else:
            self.field("#port").note("Free")

    def missing(self) -> str:
        missing = arrival.listening_missing(self.answers, secured=self._secured)
        if missing:
            return missing
        if self._result is None:
            return "Not yet: the port is being tried."
        return "Not yet: nothing can be served so." if self._result[0] else ""

    def said(self) -> Said:
        result, images = self._result, self.images
        if result is None or not images:
            return Said()
        problem, conflicts = result
        if problem:
            return Said(problem)
        said = f"{conflicts[0]}." if conflicts else ""
        host, _, port = self.answers.listen.rpartition(":")
        if not said and not self._secured and host == choices.EVERY_HOST:
            said = arrival.unencrypted(self.desk.wizard.host, port)
        example = arrival.example(images)
        pull = arrival.pulled_as(self.answers.listen, self.desk.wizard.host, example)
        return Said(said, "Hosts then pull with, for example:", pull)

    def names(self) -> list[str]:
        host = self.desk.wizard.host
        return [arrival.pulled_as(self.answers.listen, host, i.reference) for i in self.images]
