"""Hosts of an Ansible inventory, such as DeepOps's `config/inventory`, as INI or YAML.

Read are the hosts of all groups with their ranges, and of the variables those that say how to log
in. Nothing is evaluated: what depends on a template or on a program is told and left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from airgap_tui.engine.discovery.hosts.ssh_host import MOST_HOSTS, SshHost
from airgap_tui.engine.errors import NotFound, UsageError
from airgap_tui.engine.plain_text import cut

MAX_BYTES = 8 * 1024 * 1024
"""A larger file is not an inventory."""

_SECTION = re.compile(r"\[([^:\]]+)(?::(children|vars|hosts))?\]\s*(?:[#;].*)?")
_YAML_START = re.compile(r"(?m)^(?:---|[A-Za-z0-9_-]+:\s*(?:#.*)?$|\{)")
_RANGE = re.compile(r"\[([0-9]+|[a-z]|[A-Z]):([0-9]+|[a-z]|[A-Z])(?::([0-9]{1,9}))?\]")
_PORT = re.compile(r"([^:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_MEANINGS = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_ssh_private_key_file": "identity",
    "ansible_private_key_file": "identity",
    "ansible_connection": "connection",
}
_NOT_USED = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
_DEEPEST = 64
_MOST_STEPS = 100_000
_HINT = "ansible-inventory -i FILE --list --yaml > hosts.yml  makes one that can be read."


@dataclass(frozen=True, slots=True)
class Inventory:
    """`remarks` tell what of it is not used; `this_machine` is whether it names this one too."""

    hosts: tuple[SshHost, ...]
    remarks: tuple[str, ...] = ()
    this_machine: bool = False


@dataclass(slots=True)
class _Group:
    """A group of an inventory: its hosts with their variables, and the groups below it."""

    hosts: dict[str, dict[str, str]] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Knows no tag: `!vault` and the like are values that nobody needs here."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def read(path: Path) -> Inventory:
    """The inventory of a file. Raises `NotFound` and `UsageError`."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory, not an inventory", hint=_HINT)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(f"the inventory {path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES} bytes: not an inventory")
    return parse(content, str(path))


def parse(content: bytes, name: str = "the inventory") -> Inventory:
    """The inventory in these bytes; `name` is what messages call it. Raises `UsageError`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text", hint=_HINT) from None
    if text.startswith("#!"):
        raise UsageError(f"{name} is a program, and programs are not run", hint=_HINT)
    if text.startswith("$ANSIBLE_VAULT;"):
        raise UsageError(f"{name} is encrypted", hint="Decrypt it: ansible-vault view FILE")
    in_yaml = name.endswith((".yml", ".yaml", ".json")) or (
        _YAML_START.search(text) is not None and not re.search(r"(?m)^\[[^\]]+\]", text)
    )
    groups = _from_yaml(text, name) if in_yaml else _from_ini(text, name)
    return _resolved(groups, name)


# --- INI ------------------------------------------------------------------------------------------


def _from_ini(text: str, name: str) -> dict[str, _Group]:
    groups: dict[str, _Group] = {"all": _Group()}
    group, part = groups.setdefault("ungrouped", _Group()), "hosts"
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and (section := _SECTION.fullmatch(line)):
            group = groups.setdefault(section[1].strip(), _Group())
            part = section[2] or "hosts"
            continue
        if part == "vars":
            key, equals, value = line.partition("=")
            if equals:
                group.variables[key.strip()] = _unquoted(value)
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageError(f"{name}, line {number}: {str(error).lower()}", hint=_HINT) from None
        if part == "children":
            group.children.update(dict.fromkeys(words[:1]))
            continue
        variables = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        for host in _expanded(words[0], f"{name}, line {number}"):
            group.hosts.setdefault(host, {}).update(variables)
    return groups


def _unquoted(value: str) -> str:
    """The value of `key = value  # comment`, as Ansible takes it: a Python literal or text."""
    value = re.sub(r"\s#.*", "", value).strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


# --- YAML -----------------------------------------------------------------------------------------


def _from_yaml(text: str, name: str) -> dict[str, _Group]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise UsageError(f"{name}{where}: this is not YAML", hint=_HINT) from None
    if not isinstance(document, dict):
        raise UsageError(f"{name} is not an inventory: it holds no groups", hint=_HINT)
    groups: dict[str, _Group] = {"all": _Group()}
    steps = 0

    def add(key: str, value: object, depth: int) -> None:
        nonlocal steps
        steps += 1
        if depth > _DEEPEST or steps > _MOST_STEPS:
            raise UsageError(f"{name} is nested too deep for an inventory", hint=_HINT)
        group = groups.setdefault(key, _Group())
        if value is not None and not isinstance(value, dict):
            raise UsageError(f"{name}: the group {cut(key, 80)!r} is not a mapping", hint=_HINT)
        parts: Mapping[Any, Any] = value or {}
        group.variables.update(_texts(parts.get("vars")))
        for pattern, variables in _items(parts.get("hosts")):
            for host in _expanded(pattern, name):
                steps += 1
                group.hosts.setdefault(host, {}).update(_texts(variables))
        for child, below in _items(parts.get("children")):
            group.children[child] = None
            add(child, below, depth + 1)

    for key, value in document.items():
        if key != "_meta":
            add(str(key), value, 1)
    return groups


def _items(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, list):
        yield from ((str(key), None) for key in value)
    elif isinstance(value, str):
        yield value, None


def _texts(value: object) -> dict[str, str]:
    return (
        {str(key): str(item) for key, item in value.items() if isinstance(item, (str, int))}
        if isinstance(value, dict)
        else {}
    )


# --- what comes of it -----------------------------------------------------------------------------


def _expanded(pattern: str, where: str) -> list[str]:
    """`dgx[01:04]`, `rack[a:c]-[1:9:2]`, each host of it."""
    done, open_ = [], [pattern]
    while open_:
        text = open_.pop()
        match = _RANGE.search(text)
        if match is None:
            done.append(text)
        else:
            values = _values(match, where)
            open_ += [text[: match.start()] + v + text[match.end() :] for v in reversed(values)]
        if len(done) + len(open_) > MOST_HOSTS:
            raise UsageError(f"{where}: {cut(pattern, 80)} names more than {MOST_HOSTS} hosts")
    return done


def _values(match: re.Match[str], where: str) -> list[str]:
    first, last, step = match[1], match[2], int(match[3] or 1)
    numbers = first.isdigit() and last.isdigit()
    if not step or numbers != (first.isdigit() or last.isdigit()):
        raise UsageError(f"{where}: {match[0]} is not a range like [01:04]")
    low, high = (int(first), int(last)) if numbers else (ord(first), ord(last))
    if high < low or high - low >= MOST_HOSTS * step:
        raise UsageError(f"{where}: {match[0]} is not a range like [01:04]")
    made = range(low, high + 1, step)
    return [str(n).zfill(len(first)) if numbers else chr(n) for n in made]


def _resolved(groups: dict[str, _Group], name: str) -> Inventory:
    found: dict[str, SshHost] = {}
    remarks: dict[str, None] = {}
    this_machine = False
    depths = _depths(groups)
    for group in groups.values():
        for host in group.hosts:
            if host in found:
                continue
            known = _variables(host, groups, depths)
            remarks.update(dict.fromkeys(f"{name}: {r}" for r in _not_used(host, known)))
            values = {
                _MEANINGS[key]: value
                for key, value in known.items()
                if key in _MEANINGS and "{{" not in value
            }
            connection = values.pop("connection", "")
            if connection == "local" or (host in ("localhost", "127.0.0.1") and not values):
                this_machine = True
                continue
            if connection not in ("", "ssh", "smart", "paramiko", "paramiko_ssh"):
                remarks[f"{name}: {host} is reached by {cut(connection, 40)}, not by ssh"] = None
                continue
            found[host] = _host(host, values, name)
    if not found and not this_machine:
        raise UsageError(f"{name} names no host", hint=_HINT)
    if len(found) > MOST_HOSTS:
        raise UsageError(f"{name} names more than {MOST_HOSTS} hosts")
    return Inventory(tuple(found.values()), tuple(remarks), this_machine)


def _host(host: str, values: dict[str, str], name: str) -> SshHost:
    port = values.get("port", "")
    if port and not re.fullmatch("[0-9]{1,5}", port):
        raise UsageError(f"{name}: {cut(host, 80)}: {cut(port, 40)!r} is not a port")
    address = values.get("address", "")
    if not address and (match := _PORT.fullmatch(host)):
        address, port = match[1].strip("[]"), port or match[2]
    try:
        return SshHost(
            host, address, values.get("user", ""), int(port or 0), values.get("identity", "")
        ).checked()
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}", hint=error.hint) from None


def _not_used(host: str, known: Mapping[str, str]) -> Iterator[str]:
    for key in _NOT_USED:
        if known.get(key):
            yield f"{key} is not used; what ssh needs belongs in ~/.ssh/config"
    for key, value in known.items():
        if key in _MEANINGS and "{{" in value:
            yield f"{key} of {cut(host, 80)} is a template, and is not used"


def _variables(
    host: str, groups: Mapping[str, _Group], depths: Mapping[str, int]
) -> dict[str, str]:
    """The host's own over those of its groups, the deeper group over the higher."""
    member = {name for name, group in groups.items() if host in group.hosts}
    above = {"all", *member}
    while True:
        more = {n for n, g in groups.items() if above & g.children.keys()} - above
        if not more:
            break
        above |= more
    known: dict[str, str] = {}
    for name in sorted(above, key=lambda name: (depths[name], name)):
        known.update(groups[name].variables)
    for name in sorted(member, key=lambda name: (depths[name], name)):
        known.update(groups[name].hosts[host])
    return known


def _depths(groups: Mapping[str, _Group]) -> dict[str, int]:
    """How deep each group lies below `all`; a circle of groups ends where it begins."""
    depths = {name: 0 if name == "all" else 1 for name in groups}
    for _round in range(min(len(groups), _DEEPEST)):
        changed = False
        for name, group in groups.items():
            for child in group.children:
                if child in depths and child != "all" and depths[child] <= depths[name] < _DEEPEST:
                    depths[child] = depths[name] + 1
                    changed = True
        if not changed:
            break
    return depths
