"""Keeping a login where other software looks for it: asked for, shown, and only then written."""

from __future__ import annotations

from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.credentials.places import Kind
from airgap_tui.engine.guide import commands, keeping
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.keeping import Keeping


def keep_login(guide: Guide, registry: str, kind: str) -> None:
    """Raises `Back` where nothing was written, and as planning and writing do."""
    crossing, dialogue = guide.crossing, guide.dialogue
    wanted = _asked(guide, registry, Keeping(Kind(kind)))
    dialogue.say("The command that does the same:")
    dialogue.command(commands.login(registry, *keeping.command_options(wanted)))
    credential = keeping.credential_of(crossing, registry)
    planned = keeping.plan(wanted, registry, credential)
    dialogue.say(sentences.change_heading(registry))
    dialogue.say(sentences.change(planned), indent=2)
    if not dialogue.confirm("Write this", False):
        dialogue.say("Nothing was written.")
        raise Back
    dialogue.say(sentences.kept(planned, keeping.write(crossing, planned, registry, credential)))


def _asked(guide: Guide, registry: str, wanted: Keeping) -> Keeping:
    """What the place needs besides the login."""
    dialogue = guide.dialogue
    if wanted.wants_name:
        name = dialogue.optional("Name of the secret (without one, named after the registry)")
        namespace = dialogue.optional("Namespace (without one, the current one)")
        return Keeping(wanted.kind, None, name, namespace)
    if not wanted.wants_vault:
        return wanted
    with dialogue.unseen():
        password = dialogue.secret("Password of the Ansible Vault")
        if keeping.makes_vault(wanted, registry):
            while dialogue.secret("Once more, for the vault is a new one") != password:
                dialogue.say("The two passwords differ.")
                password = dialogue.secret("Password of the Ansible Vault")
    return Keeping(wanted.kind, vault_password=password.strip())
