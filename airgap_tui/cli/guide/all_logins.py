"""All logins of this machine, line by line: from where, which one wins, what is wrong."""

from __future__ import annotations

from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import commands, login_list
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.login_list import LoginRow
from airgap_tui.engine.jobs.kept_logins import LoginsResult
from airgap_tui.engine.typed_path import typed_path

_CHOICES = (
    Choice("back", "Go back to the registries"),
    Choice("test", "Try every login", "That is sent to the registries"),
    Choice("file", "Use the logins of a file", "Pull secrets, DeepOps' variables, .credentials"),
)
_EXPLAINED = (
    "The first login of several for one registry wins. A file is read for this run only, and"
    " nothing of it is copied anywhere."
)


def show_all_logins(guide: Guide) -> None:
    """Ends when the user goes back."""
    crossing, dialogue = guide.crossing, guide.dialogue
    test = False
    while True:
        dialogue.say("The command that does the same:")
        dialogue.command(commands.logins(crossing.collection, test=test))
        try:
            result = _look(guide, test)
            dialogue.say(sentences.all_logins(result, tested=test))
            for row in login_list.rows(crossing, result):
                _tell(guide, row)
            answer = dialogue.choose(_CHOICES, "back", explanation=_EXPLAINED)
            if answer == "back":
                return
            test = answer == "test"
            if answer == "file":
                _read(guide)
        except Back:
            return


def _look(guide: Guide, test: bool) -> LoginsResult:
    saying = "Trying every login." if test else "Reading what there is."
    return guide.wait(saying, lambda token: login_list.look(guide.crossing, token, test=test))


def _tell(guide: Guide, row: LoginRow) -> None:
    mark = "! " if row.good is False else ""
    tested = f", {row.tested.lower()}" if row.tested != "-" else ""
    whose = f"{row.registry}: {row.username} from " if row.registry != "-" else ""
    guide.dialogue.say(f"{mark}{whose}{row.origin}: {row.use.lower()}{tested}.", indent=2)
    if row.account:
        guide.dialogue.say(row.account, indent=6)


def _read(guide: Guide) -> None:
    dialogue = guide.dialogue
    try:
        with dialogue.unseen():
            path = dialogue.ask("File")
            if not path:
                return
            file = login_list.read(typed_path(path))
            password = ""
            if file.needs_password:
                dialogue.say(f"{file.origin} is in an Ansible Vault.")
                password = dialogue.secret("Password of the vault")
        taken = login_list.take(guide.crossing, file, password)
    except Back:
        return
    except AirgapError as error:
        dialogue.error(error)
        return
    dialogue.say(sentences.file_taken(taken.registries, taken.origin))
