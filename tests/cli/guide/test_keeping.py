"""The plain twin: a login kept elsewhere after a yes, and all logins of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.guide.conftest import CHOOSE, FIRST, Conversation, Talk
from tests.fakes.registry import FakeRegistry, Tokens
from tests.images import SampleImages

PASSWORD = "a-password-of-the-plain-twin"
VAULT = "a-vault-password-of-the-plain-twin"
FILES = Path(__file__).parents[2] / "engine/credentials/files"


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    with FakeRegistry(tokens=Tokens(users={"user": PASSWORD}, anonymous=False)) as fake:
        yield fake


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    return Path(environment["HOME"])


def to_logins(talk: Talk, private: FakeRegistry, sample_images: SampleImages) -> Conversation:
    name = private.add(sample_images.base)
    conversation = talk()
    conversation.hear(FIRST)
    conversation.answer("1")
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(name)
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    return conversation


def give(conversation: Conversation, private: FakeRegistry) -> None:
    conversation.choose(f"Give a login for {private.host}")
    conversation.hear(r"User name at .*: ")
    conversation.answer("user")
    conversation.hear("Password .*: ")
    conversation.answer(PASSWORD)
    conversation.hear("accepts it")
    conversation.hear("Where to keep it:")


def leave(conversation: Conversation) -> None:
    conversation.hear(CHOOSE)
    conversation.answer("q")
    assert conversation.end() == 0
    assert PASSWORD not in conversation.text and VAULT not in conversation.text


def test_what_changes_is_told_before_it_is_written(
    talk: Talk, private: FakeRegistry, sample_images: SampleImages, home: Path
) -> None:
    conversation = to_logins(talk, private, sample_images)
    give(conversation, private)
    conversation.choose("Enroot")
    conversation.hear(rf"airgap-tui login {private.host} --for enroot\n")
    conversation.hear("Nothing is written yet")
    conversation.hear(r"\.credentials, mode 0600: only you can read it")
    conversation.hear("There now no such file")
    conversation.hear(r"Write this, y or n \[n\]: ")
    assert not list(home.rglob(".credentials"))
    conversation.answer()
    conversation.hear("Nothing was written. It holds for this run.")
    conversation.choose(f"Keep the login of {private.host} elsewhere")
    conversation.choose("Enroot", "Choose: ")
    conversation.hear(r"Write this, y or n \[n\]: ")
    conversation.answer("y")
    conversation.hear(r"The login is kept in .*\.credentials\.")
    leave(conversation)
    (path,) = home.rglob(".credentials")
    assert PASSWORD in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_vault_and_a_secret_of_kubernetes(
    talk: Talk, private: FakeRegistry, sample_images: SampleImages, tmp_path: Path
) -> None:
    conversation = to_logins(talk, private, sample_images)
    give(conversation, private)
    conversation.choose("DeepOps")
    for typed in (VAULT, "another", VAULT, VAULT):
        conversation.hear(r"(Password of the Ansible Vault|Once more).*: ")
        conversation.answer(typed)
    conversation.hear("The whole file is vaulted")
    conversation.hear(r"Write this, y or n \[n\]: ")
    conversation.answer("y")
    conversation.hear("ansible-playbook --ask-vault-pass")
    conversation.choose(f"Keep the login of {private.host} elsewhere")
    conversation.choose("Kubernetes", "Choose: ")
    conversation.hear("Name of the secret .*: ")
    conversation.answer("ngc")
    conversation.hear("Namespace .*: ")
    conversation.answer("ml")
    conversation.hear(r"--for kubernetes --name ngc --namespace ml\n")
    conversation.hear(r"Write this, y or n \[n\]: ")
    conversation.answer("y")
    conversation.hear("What to do next")
    leave(conversation)
    assert (tmp_path / "docker-login.yml").read_text().startswith("$ANSIBLE_VAULT")
    assert list(tmp_path.glob("pull-*.yaml"))


def test_all_logins_and_a_vaulted_file(
    talk: Talk, private: FakeRegistry, sample_images: SampleImages, home: Path
) -> None:
    enroot = home / ".config/enroot/.credentials"
    enroot.parent.mkdir(parents=True)
    enroot.write_text(f"machine only.lan login you password $(echo {PASSWORD})\n")
    conversation = to_logins(talk, private, sample_images)
    conversation.choose("Show all logins of this machine")
    conversation.hear("No registry has a login here")
    conversation.hear(r"! only\.lan: you from .*line 1: not used\.")
    conversation.hear("its password is a command")
    conversation.hear("airgap-tui login only.lan")
    conversation.choose("Use the logins of a file")
    conversation.hear("File: ")
    conversation.answer(str(FILES / "vault-1.2.yml"))
    conversation.hear("Password of the vault .*: ")
    conversation.answer("fixture-vault-password")
    conversation.hear(r"of vault-1\.2\.yml for this run")
    conversation.hear(r"nvcr\.io: \$oauthtoken from .*vault-1\.2\.yml: used")
    conversation.choose("Go back to the registries")
    conversation.hear("1 of 1 cannot be read yet")
    leave(conversation)
