"""Where to look for images in use: this machine, hosts, files. What is typed is read at once."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.where import Asked, Where, hosts_in_words, paths, understood
from airgap_tui.engine.quantities import count
from screens.look import Mark
from screens.widgets.controls import Checkbox
from screens.widgets.fields import Field
from screens.widgets.text import Fact, Facts, Gap

_ABOUT = [
    Fact(
        "This machine",
        "Docker, Podman, containerd, Kubernetes, shell histories,\n"
        "Enroot, and of Slurm logs, accounting and job scripts",
    ),
    Fact(
        "Hosts",
        "The same there, by ssh: admin@dgx01, a range such as\n"
        "dgx[01-04,7], or the file of an Ansible inventory",
    ),
    Fact(
        "Files",
        "Logs, histories, scripts, manifests, Dockerfiles, saved\n"
        "output of docker images; or directories of such files",
    ),
]


class WhereForm(Vertical):
    """Its answers are `crossing.where`. `asked` is what they mean, as far as they can be read;
    `missing` says why nothing can be asked yet."""

    class Changed(Message):
        """Something else is asked for now."""

    def __init__(self, crossing: Crossing, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.styles.height = "auto"
        self._crossing = crossing
        self.asked = Asked()
        self.missing = ""

    def compose(self) -> ComposeResult:
        where = self._crossing.where
        yield Checkbox("This machine", where.here, label="Look in", id="here")
        yield Field("Hosts", where.hosts, width=30, id="hosts")
        yield Field("Files", where.files, width=30, id="files")
        yield Gap()
        yield Facts(_ABOUT, name_width=14, id="about")

    def understand(self) -> None:
        """Read what is typed; what cannot be read is said beside its field."""
        self.missing = ""
        try:
            self.asked = understood(self._crossing.where)
        except UsageError as error:
            self.missing = f"Not yet: {error.message.partition(': ')[0]}."
        else:
            if not self.asked.somewhere:
                self.missing = "Not yet: choose where to look."
        self._say_places()

    def _say_places(self) -> None:
        where = self._crossing.where
        hosts, files = self.query_one("#hosts", Field), self.query_one("#files", Field)
        for field, text, words in (
            (hosts, where.hosts, hosts_in_words),
            (files, where.files, lambda text: count(len(paths(text)), "path")),
        ):
            try:
                field.note(words(text) if text else "")
                field.below("")
            except UsageError as error:
                field.note("Look at this again", Mark.NEEDS_YOU)
                field.below(f"{error.message[:1].upper()}{error.message[1:]}. {error.hint}".strip())

    def _typed(self) -> None:
        self._crossing.where = Where(
            self.query_one("#here", Checkbox).checked,
            self.query_one("#hosts", Field).value,
            self.query_one("#files", Field).value,
        )
        self.understand()
        self.post_message(self.Changed())

    def on_field_changed(self, event: Field.Changed) -> None:
        event.stop()
        if self.display:
            self._typed()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._typed()

    def on_field_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self.screen.focus_next()
