"""DeepOps' logins: plain, vaulted whole or inline, and changed without a reprint."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.credentials import ansible_vault, deepops
from airgap_tui.engine.credentials.deepops import DeepOpsLogins, change
from airgap_tui.engine.errors import AccessDenied, AirgapError, EnvironmentFailure, UsageError

FILES = Path(__file__).parent / "files"
PASSWORD = "fixture-vault-password"
KEY, OTHER = "not-a-real-key", "not-a-real-password"


def parse(data: bytes | str, password: str = "") -> DeepOpsLogins:
    return DeepOpsLogins.parse(data.encode() if isinstance(data, str) else data, "vars", password)


def found(logins: DeepOpsLogins, registry: str) -> tuple[str, str] | None:
    login = logins.find(registry, "a/b")
    return (login.username, login.secret) if login is not None else None


@pytest.mark.parametrize("name", ["plain.yml", "vault-1.1.yml", "vault-1.2.yml"])
def test_whole_files(name: str) -> None:
    data = (FILES / name).read_bytes()
    assert deepops.needs_password(data) is name.startswith("vault")
    logins = parse(data, PASSWORD)
    assert found(logins, "nvcr.io") == ("$oauthtoken", KEY)
    assert found(logins, "docker.io") == ("someone", OTHER)
    assert found(logins, "reg.lan") is None
    assert logins.kept == (("docker.io", "vars"), ("nvcr.io", "vars"))
    assert KEY not in repr(logins)


def test_inline_vaults() -> None:
    data = (FILES / "inline.yml").read_bytes()
    assert deepops.needs_password(data)
    logins = parse(data, PASSWORD)
    assert found(logins, "nvcr.io") == ("$oauthtoken", KEY)
    assert found(logins, "reg.lan:5000") == ("robot", OTHER)
    locked = parse(data)
    assert locked.kept == ()
    assert [(one.registry, one.username) for one in locked.unusable] == [
        ("nvcr.io", "$oauthtoken"),
        ("reg.lan:5000", "robot"),
    ]
    assert "no password is given" in locked.unusable[0].reason
    assert "does not open" in parse(data, "wrong").unusable[0].reason


def test_a_whole_vault_without_its_password() -> None:
    data = (FILES / "vault-1.1.yml").read_bytes()
    with pytest.raises(EnvironmentFailure, match="no password is given"):
        parse(data)
    with pytest.raises(AccessDenied, match="does not open"):
        parse(data, "wrong")


@pytest.mark.parametrize(
    ("item", "registry", "login", "reason"),
    [
        ("{username: me, password: x1}", "docker.io", ("me", "x1"), ""),
        ("{registry: '', username: me, password: x1}", "docker.io", ("me", "x1"), ""),
        (
            "{registry: 'https://index.docker.io/v1/', username: me, password: x1}",
            "docker.io", ("me", "x1"), "",
        ),
        ("{registry_url: reg.lan, username: me, password: x1}", "reg.lan", ("me", "x1"), ""),
        ("{registry: reg.lan, username: me, password: 0123}", "reg.lan", ("me", "0123"), ""),
        ("{registry: reg.lan, username: me, password: yes}", "reg.lan", ("me", "yes"), ""),
        ("{registry: reg.lan, username: me}", "reg.lan", None, "it has no password"),
        ("{registry: reg.lan, username: me, password: [1]}", "reg.lan", None, "it is not text"),
        (
            "{registry: reg.lan, username: me, password: \"{{ lookup('env', 'X') }}\"}",
            "reg.lan", None, "it is a template",
        ),
        (
            "{registry: reg.lan, username: me, password: !unsafe '{{ x }}'}",
            "reg.lan", ("me", "{{ x }}"), "",
        ),
        (
            "{registry: reg.lan, username: me, password: !vault 'damaged'}",
            "reg.lan", None, "is unknown",
        ),
    ],
)  # fmt: skip
def test_items(item: str, registry: str, login: tuple[str, str] | None, reason: str) -> None:
    logins = parse(f"docker_login_registries: [{item}]\n", PASSWORD)
    assert found(logins, registry) == login
    reasons = [one.reason for one in logins.unusable]
    assert len(reasons) == (1 if reason else 0)
    assert all(reason in one for one in reasons)


def test_of_two_the_later_is_what_docker_login_leaves() -> None:
    items = [f"{{registry: reg.lan, username: {name}, password: x}}" for name in ("a", "b")]
    assert found(parse(f"docker_login_registries: [{', '.join(items)}]"), "reg.lan") == ("b", "x")


@pytest.mark.parametrize(
    "text", ["", "- a\n", "other: 1\n", "docker_login_registries: [1, x, null]", "--- \n...\n"]
)
def test_files_without_logins(text: str) -> None:
    assert parse(text).entries == ()


def test_what_is_no_list_is_told() -> None:
    assert "is not a list" in parse("docker_login_registries: {a: b}").remarks[0]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for lead in (b"", b"docker_login_registries:\n", b"docker_login_registries: !vault |\n  "):
        try:
            parse(lead + data, PASSWORD)
        except AirgapError as error:
            assert error.message.startswith("vars")


# --- writing ---


def test_a_new_file_is_a_vault(tmp_path: Path) -> None:
    path = tmp_path / "docker-login.yml"
    planned = change(path, "nvcr.io", "$oauthtoken", KEY, PASSWORD)
    assert KEY not in repr(planned) + str(planned.to_json())
    assert PASSWORD not in repr(planned) + str(planned.to_json())
    assert planned.notes == ("the whole file is vaulted",)
    planned.apply()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ansible_vault.is_vault(path.read_bytes())
    assert found(parse(path.read_bytes(), PASSWORD), "nvcr.io") == ("$oauthtoken", KEY)


@pytest.mark.parametrize(("name", "label"), [("vault-1.1.yml", ""), ("vault-1.2.yml", "site")])
def test_a_vault_stays_one_with_its_label_and_all_that_is_in_it(
    name: str, label: str, tmp_path: Path
) -> None:
    path = tmp_path / "vars.yml"
    path.write_bytes((FILES / name).read_bytes())
    planned = change(path, "nvcr.io", "$oauthtoken", "another", PASSWORD)
    assert planned.before == "login of $oauthtoken"
    planned.apply()
    assert ansible_vault.Vault.parse(path.read_bytes(), "it").label == label
    text = ansible_vault.decrypt(path.read_bytes(), PASSWORD, "it").decode()
    assert text == (FILES / "plain.yml").read_text().replace(f'"{KEY}"', "'another'").replace(
        '"$oauthtoken"', "'$oauthtoken'"
    )
    with pytest.raises(AccessDenied):
        change(path, "nvcr.io", "me", "x", "wrong")


def test_in_a_plain_file_the_password_alone_is_vaulted(tmp_path: Path) -> None:
    path = tmp_path / "all.yml"
    path.write_bytes((FILES / "plain.yml").read_bytes())
    planned = change(path, "nvcr.io", "$oauthtoken", "another-key", PASSWORD)
    assert "1 other password in this file can be read by anybody" in planned.notes
    planned.apply()
    text = path.read_text()
    assert "another-key" not in text and KEY not in text
    assert text.startswith("# Logins of root on all nodes.\ndocker_login_registries:\n")
    assert text.endswith(
        "    password: not-a-real-password\n    email: someone@example.com\n"
        "other_variable: [1, 2]\n"
    )
    logins = parse(text, PASSWORD)
    assert found(logins, "nvcr.io") == ("$oauthtoken", "another-key")
    assert found(logins, "docker.io") == ("someone", OTHER)


def test_an_inline_vault_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "all.yml"
    path.write_bytes((FILES / "inline.yml").read_bytes())
    for registry in ("nvcr.io", "reg.lan:5000", "new.lan"):
        change(path, registry, "me", f"secret-of-{registry}", PASSWORD).apply()
    logins = parse(path.read_bytes(), PASSWORD)
    assert len(logins.entries) == 3
    for registry in ("nvcr.io", "reg.lan:5000", "new.lan"):
        assert found(logins, registry) == ("me", f"secret-of-{registry}")
    assert path.read_text().endswith("other: 1\n")


BEFORE = {
    "nothing": "",
    "comments": "# mine\n\n",
    "another variable": "a: 1",
    "no value": "docker_login_registries:\nb: 2\n",
    "no value, comment": "docker_login_registries:   # none yet\nb: 2\n",
    "null": "docker_login_registries: null  # none yet\n",
    "empty list": "docker_login_registries: []\nb: 2\n",
    "flow list": "docker_login_registries: [{registry: a.lan, username: u, password: p}]\n",
    "flow item": "docker_login_registries: [{registry: nvcr.io, username: u, password: p, "
    "email: e}]",
    "flow item in a block": "docker_login_registries:\n- {registry: nvcr.io, password: p}  # c\n",
    "unindented": "docker_login_registries:\n- registry: a.lan\n  username: u\n  password: p\n",
    "incomplete": "docker_login_registries:\n  - registry: nvcr.io # c\n    email: e\nb: 2\n",
    "password first": "docker_login_registries:\n  - password: >\n      long\n      one\n\n"
    "    registry: nvcr.io\n    # c\n    username: u\n",
    "document marks": "---\ndocker_login_registries:\n  - registry: nvcr.io\n    username: u\n",
    "windows": "a: 1\r\ndocker_login_registries:\r\n  - registry: nvcr.io\r\n    username: u\r\n",
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("whole", [True, False])
def test_every_way_of_writing_the_list(before: str, whole: bool, tmp_path: Path) -> None:
    path = tmp_path / "vars.yml"
    data = before.encode()
    path.write_bytes(ansible_vault.encrypt(data, PASSWORD) if whole else data)
    old = parse(before)
    change(path, "nvcr.io", "$oauthtoken", KEY, PASSWORD).apply()
    after = path.read_bytes()
    text = ansible_vault.decrypt(after, PASSWORD, "it") if whole else after
    assert (KEY.encode() in text) is whole
    logins = parse(text, PASSWORD)
    assert found(logins, "nvcr.io") == ("$oauthtoken", KEY)
    others = [entry for entry in old.entries if entry.registry != "nvcr.io"]
    assert [entry for entry in logins.entries if entry.registry != "nvcr.io"] == others
    for comment in ("# mine", "# none yet", "# c", "email: e", "a: 1", "b: 2"):
        assert (comment in before) == (comment.encode() in text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("docker_login_registries: '{{ logins }}'\n", "is not a list"),
        ("a: 1\n...\n", "cannot be edited"),
        ("- a\n", "not YAML|cannot be edited"),
        ("a: [\n", "not YAML"),
        ("{a: 1}\n", "not YAML|cannot be edited"),
    ],
)
def test_what_cannot_be_changed_stays(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "vars.yml"
    path.write_text(text)
    with pytest.raises(EnvironmentFailure, match=message):
        change(path, "nvcr.io", "me", KEY, PASSWORD)
    assert path.read_text() == text


def test_another_vault_password_in_the_same_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "all.yml"
    path.write_bytes((FILES / "inline.yml").read_bytes())
    planned = change(path, "new.lan", "me", KEY, "another-vault-password")
    assert any("Ansible needs both" in note for note in planned.notes)
    assert not any("needs both" in note for note in change(path, "x", "me", KEY, PASSWORD).notes)


def test_without_a_password_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no vault password"):
        change(tmp_path / "new.yml", "nvcr.io", "me", KEY, "")
    path = tmp_path / "plain.yml"
    path.write_text("a: 1\n")
    with pytest.raises(UsageError, match="take this password for a template"):
        change(path, "nvcr.io", "me", "{{ x }}", PASSWORD)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=30)
@given(TEXTS, TEXTS, st.sampled_from(["docker.io", "nvcr.io", "reg.lan:5000"]), st.booleans())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, user: str, secret: str, registry: str, whole: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"vars-{os.getpid()}.yml"
    path.unlink(missing_ok=True)
    if not whole:
        path.write_text("a: 1\n")
    try:
        change(path, registry, user, secret, PASSWORD).apply()
    except UsageError:
        assert not whole and "{" in secret
        return
    assert found(parse(path.read_bytes(), PASSWORD), registry) == (user, secret)
