"""DeepOps' `docker_login_registries`: variables of Ansible, plain or in an Ansible Vault.

The vault may be the whole file, which is what DeepOps' own guide makes, or the password alone
(`!vault |`). What is written is vaulted either way: as the file is, or the password in a plain one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.credentials import ansible_vault, private_file, yaml_document
from airgap_tui.engine.credentials.ansible_vault import Vault
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.docker_config import DOCKER_HUB_KEY, registry_of
from airgap_tui.engine.credentials.source import Software, Unusable
from airgap_tui.engine.credentials.yaml_document import Edit, Literal, Vaulted, quoted
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, UsageError
from airgap_tui.engine.oci.reference import DOCKER_HUB
from airgap_tui.engine.quantities import count

VARIABLE = "docker_login_registries"
_TEMPLATES = ("{{", "{%", "{#")
_HINT = "Name the file with its password: --vault-password-file, or type it when asked."


@dataclass(frozen=True, slots=True)
class Entry:
    """One login of the list. `reason` says why there is no secret to use, if there is none."""

    registry: str
    username: str
    secret: str = field(repr=False)
    reason: str = ""
    vaulted: bool = False
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DeepOpsLogins:
    """The logins of one file of variables."""

    origin: str
    entries: tuple[Entry, ...] = ()
    remarks: tuple[str, ...] = ()
    software: Software = Software.DEEPOPS

    @classmethod
    def parse(cls, data: bytes, origin: str, password: str = "") -> DeepOpsLogins:
        """Read the file, vaults in it opened with the password. A vaulted file raises what
        `ansible_vault` raises, and `EnvironmentFailure` without a password."""
        if ansible_vault.is_vault(data):
            data = _opened(data, password, origin)
        entries, remarks = [], []
        for document in yaml_document.load_all(data.decode("utf-8", errors="replace"), origin):
            value = document.get(VARIABLE) if isinstance(document, dict) else None
            if value is not None and not isinstance(value, (list, str)):
                remarks.append(f"{origin}: {VARIABLE} is not a list")
            for item in value if isinstance(value, list) else ():
                if isinstance(item, dict):
                    entries.append(_entry(item, origin, password))
        return cls(origin, tuple(entries), tuple(remarks))

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The last login of the list that can be used: `docker login` replaces those before it."""
        for entry in reversed(self.entries):
            if entry.registry == registry and not entry.reason:
                return Credential(entry.username, entry.secret, self.origin)
        return None

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        usable = {entry.registry for entry in self.entries if not entry.reason}
        return tuple((name, self.origin) for name in sorted(usable))

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        return tuple(
            Unusable(entry.registry, self.origin, entry.reason, entry.username, entry.remedy)
            for entry in self.entries
            if entry.reason
        )


def needs_password(data: bytes) -> bool:
    """Whether there is a vault in a file, or the whole of it is one."""
    return ansible_vault.MARK in data


def change(path: Path, registry: str, username: str, secret: str, password: str) -> Change:
    """How a login comes into a file of variables, always vaulted; everything else stays as it is
    written. Raises `UsageError` and `EnvironmentFailure`, and what opening a vault raises."""
    origin = private_file.short(path)
    if not password:
        raise UsageError("no vault password is given for the variables of DeepOps", hint=_HINT)
    was = private_file.read(path)
    whole = was is None or ansible_vault.is_vault(was)
    label = Vault.parse(was, origin).label if was is not None and whole else ""
    plain = _opened(was, password, origin) if was is not None and whole else was or b""
    text = plain.decode("utf-8", errors="surrogateescape")
    if whole:
        value = _scalar(secret)
    else:
        if any(mark in secret for mark in _TEMPLATES):
            raise UsageError(
                f"{origin}: Ansible would take this password for a template",
                hint="Name a file that is vaulted as a whole, or a new one.",
            )
        lines = ansible_vault.encrypt(secret.encode(), password).decode()
        value = "!vault " + '"' + lines.rstrip("\n").replace("\n", "\\n") + '"'
    key = DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
    content = _with_entry(text, registry, (quoted(key), _scalar(username), value), origin)
    _check(text, content, registry, (username, secret), password, origin)
    data = content.encode("utf-8", errors="surrogateescape")
    if whole:
        data = ansible_vault.encrypt(data, password, label)
    before = DeepOpsLogins.parse(plain, origin, password)
    known = [entry for entry in before.entries if entry.registry == registry]
    others = [e for e in before.entries if e not in known and not (whole or e.vaulted or e.reason)]
    notes = ["the whole file is vaulted" if whole else "the password is vaulted, the rest is plain"]
    if any(entry.vaulted and entry.reason for entry in before.entries if entry not in known):
        notes.append("other passwords there are vaulted with another one, so Ansible needs both")
    if others:
        notes.append(f"{count(len(others), 'other password')} in this file can be read by anybody")
    there = f"login of {known[-1].username}" if known else f"no login for {registry}"
    playbook = "ansible-playbook --ask-vault-pass -e @FILE playbooks/container/docker-login.yml"
    return Change(
        path,
        "no such file" if was is None else there,
        f"{VARIABLE}: {key}, login of {username}",
        data,
        was,
        notes=tuple(notes),
        then=playbook.replace("FILE", str(path)),
    )


def _entry(item: dict[str, Any], origin: str, password: str) -> Entry:
    registry = item.get("registry", item.get("registry_url")) or DOCKER_HUB_KEY
    username, secret = item.get("username", ""), item.get("password", "")
    vaulted = isinstance(secret, Vaulted)
    try:
        texts = [_plain(value, origin, password) for value in (registry, username, secret)]
    except AirgapError as error:
        known = username if isinstance(username, str) and not isinstance(username, Vaulted) else ""
        name = registry if isinstance(registry, str) and not isinstance(registry, Vaulted) else ""
        return Entry(registry_of(name), known, "", error.message, vaulted, error.hint)
    name, username, secret = texts
    reason = "" if secret else "it has no password"
    return Entry(registry_of(name), username, secret, reason, vaulted)


def _plain(value: object, origin: str, password: str) -> str:
    """The text of a value; raises `AirgapError` where it is none that can be known here."""
    if isinstance(value, Vaulted):
        return _opened(value.encode(), password, origin).decode("utf-8", errors="replace")
    if not isinstance(value, str):
        raise EnvironmentFailure("it is not text")
    if not isinstance(value, Literal) and any(mark in value for mark in _TEMPLATES):
        raise EnvironmentFailure("it is a template, which Ansible fills in and nothing here does")
    return value


def _opened(data: bytes, password: str, origin: str) -> bytes:
    if not password:
        raise EnvironmentFailure(f"{origin} is in an Ansible Vault, and no password is given")
    return ansible_vault.decrypt(data, password, origin)


def _scalar(text: str) -> str:
    tag = "!unsafe " if any(mark in text for mark in _TEMPLATES) else ""
    return tag + quoted(text)


def _with_entry(text: str, registry: str, values: tuple[str, str, str], origin: str) -> str:
    """The text with the login; `values` are registry, user name and password as YAML."""
    import yaml

    roots = yaml_document.compose_all(text, origin)
    node = yaml_document.child(roots[0], VARIABLE) if roots else None
    if node is None:
        lead = text if not text or text.endswith("\n") else f"{text}\n"
        return f"{lead}{VARIABLE}:\n  {_item(values, '  ')}\n"
    if isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null"):
        start, end = node.start_mark.index, node.end_mark.index
        return f"{text[:start].rstrip(' ')}\n  {_item(values, '  ')}{text[end:]}"
    if not isinstance(node, yaml.SequenceNode):
        raise EnvironmentFailure(f"{origin}: {VARIABLE} is not a list", hint="Name another file.")
    for item in node.value:
        named = yaml_document.child(item, "registry")
        if registry_of(str(getattr(named, "value", DOCKER_HUB_KEY))) == registry:
            return yaml_document.edited(text, list(_edits(text, item, values)))
    start = node.start_mark.index
    if node.flow_style:
        keys = ("registry", "username", "password")
        pairs = ", ".join(f"{key}: {value}" for key, value in zip(keys, values, strict=True))
        more = ", " if node.value else ""
        return f"{text[: start + 1]}{{{pairs}}}{more}{text[start + 1 :]}"
    indent = " " * node.start_mark.column
    return f"{text[:start]}{_item(values, indent)}\n{indent}{text[start:]}"


def _item(values: tuple[str, str, str], indent: str) -> str:
    registry, username, password = values
    return f"- registry: {registry}\n{indent}  username: {username}\n{indent}  password: {password}"


def _edits(text: str, item: Any, values: tuple[str, str, str]) -> Iterator[Edit]:
    """Put user name and password in the places of the old ones, or after the first value."""
    missing = []
    for key, value in (("username", values[1]), ("password", values[2])):
        node = yaml_document.child(item, key)
        if node is not None:
            yield yaml_document.replacing(text, node, value)
        else:
            missing.append(f"{key}: {value}")
    if missing:
        start = item.start_mark.index
        if item.flow_style:
            yield start + 1, start + 1, "".join(f"{pair}, " for pair in missing)
        else:
            indent = " " * item.start_mark.column
            yield start, start, "".join(f"{pair}\n{indent}" for pair in missing)


def _check(
    old: str, new: str, registry: str, login: tuple[str, str], password: str, origin: str
) -> None:
    """Raise unless the new text has the login and all that the old one had: it is somebody's."""

    def rest(text: str) -> list[Any]:
        kept: list[Any] = []
        for document in yaml_document.load_all(text, origin):
            if isinstance(document, dict):
                items = document.pop(VARIABLE, None)
                if isinstance(items, list):
                    kept += [item for item in items if _registry_of_item(item) != registry]
            kept += [document] if document else []
        return kept

    data = new.encode("utf-8", errors="surrogateescape")
    before = rest(old)
    try:
        found = DeepOpsLogins.parse(data, origin, password).find(registry)
        good = found is not None and (found.username, found.secret) == login
        good = good and before == rest(new)
    except EnvironmentFailure:
        good = False
    if not good:
        raise EnvironmentFailure(f"{origin} cannot be edited as it is", hint="Name another file.")


def _registry_of_item(item: object) -> str:
    name = item.get("registry", DOCKER_HUB_KEY) if isinstance(item, dict) else ""
    return registry_of(str(name))
