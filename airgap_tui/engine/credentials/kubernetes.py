"""Pull secrets of Kubernetes, in manifests and in what `kubectl get secrets -o json` prints.

Both kinds are read: `kubernetes.io/dockerconfigjson`, a whole config.json, and the old
`kubernetes.io/dockercfg`, the entries alone. One is written as a manifest, because `kubectl create
secret docker-registry --docker-password=..` shows the password to every user of the host (ps) and
leaves it in the shell's history.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.credentials import docker_config, private_file, yaml_document
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.credentials.docker_config import DOCKER_HUB_KEY, DockerConfig
from airgap_tui.engine.credentials.source import Software
from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.oci.reference import DOCKER_HUB

TYPE, OLD_TYPE = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"
KEY, OLD_KEY = ".dockerconfigjson", ".dockercfg"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, slots=True)
class SecretName:
    """Which secret of which namespace; the current one where `namespace` is empty."""

    name: str
    namespace: str = ""

    @classmethod
    def of(cls, registry: str, name: str = "", namespace: str = "") -> SecretName:
        """The name that was given, or one after the registry. Raises `UsageError`."""
        name = name or f"pull-{_NOT_IN_NAMES.sub('-', registry.lower()).strip('-.')}"
        for text in (name, namespace):
            if text and _NAME.fullmatch(text) is None:
                raise UsageError(
                    f"not a name for Kubernetes: {text!r}",
                    hint="Small letters, digits, dots and hyphens.",
                )
        return cls(name, namespace)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class PullSecrets:
    """The secrets of one file, each read as the config.json that it holds."""

    secrets: tuple[DockerConfig, ...] = ()
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes, origin: str) -> PullSecrets:
        """Read JSON or YAML with any number of objects; raises `EnvironmentFailure` where it is
        neither. A secret that is broken is told in `problems`."""
        secrets, problems = [], []
        for found in _secrets(data.decode("utf-8", errors="replace"), origin):
            try:
                secrets.append(_config(found, f"{origin}, secret {_name(found)}"))
            except EnvironmentFailure as error:
                problems.append(error.message)
        return cls(tuple(secrets), tuple(problems))


def is_manifest(text: str) -> bool:
    """Whether a text looks like objects of Kubernetes with pull secrets."""
    return TYPE in text or OLD_TYPE in text


def change(path: Path, registry: str, username: str, secret: str, name: SecretName) -> Change:
    """How a manifest with the secret comes into a file, or the login into the secret that is there.

    Raises `EnvironmentFailure` where the file cannot be read, or is JSON without the secret.
    """
    origin = private_file.short(path)
    was = private_file.read(path)
    key = DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
    entry = docker_config.entry_of(username, secret)
    text = (was or b"").decode("utf-8", errors="surrogateescape")
    before = "no such file"
    there = None
    if was is not None:
        there = _node(text, name, origin)
        before = f"no secret {name}" if there is None else f"secret {name} with other logins"
    if there is not None:
        value, plain = there
        old = value.value if plain else _decoded(value.value, origin)
        changed = docker_config.with_entry(old, key, entry, origin)
        shown = changed if plain else _encoded(changed)
        content = yaml_document.edited(
            text, [yaml_document.replacing(text, value, json.dumps(shown))]
        )
    else:
        if text.lstrip("\ufeff \t\r\n").startswith("{"):
            raise EnvironmentFailure(
                f"{origin} is JSON and holds no secret {name}",
                hint="Name another file; kubectl takes several.",
            )
        lead = "" if not text.strip() or text.rstrip().endswith("\n---") else "---\n"
        body = text if not text or text.endswith("\n") else f"{text}\n"
        content = f"{body}{lead}{_manifest(name, docker_config.with_entry('{}', key, entry, ''))}"
    _check(content, name, registry, (username, secret), origin)
    return Change(
        path,
        before,
        f"secret {name} ({TYPE}): {key}, login of {username}",
        content.encode("utf-8", errors="surrogateescape"),
        was,
        notes=("base64 is not encryption: keep this file as secret as the password",),
        then=f"kubectl apply -f {shlex.quote(str(path))}\n{usage(name)}",
    )


def file_for_kubectl(
    path: Path, registry: str, username: str, secret: str, name: SecretName
) -> Change:
    """A config.json with this login, and the command that makes a secret of it: kubectl reads the
    secret from the file, so that it is on no command line."""
    planned = docker_config.change(path, registry, username, secret)
    if planned.helper is not None:
        raise EnvironmentFailure(
            f"{planned.place} would keep this login, and kubectl reads none of its",
            hint=f"Name a file of its own in the place of {private_file.short(path)}.",
        )
    words = ["kubectl", *(["--namespace", name.namespace] if name.namespace else [])]
    words += ["create", "secret", "generic", name.name, f"--type={TYPE}", f"--from-file={KEY}="]
    command = f"{shlex.join(words)}{shlex.quote(str(path))}"
    return replace(
        planned,
        notes=(
            "kubectl create secret docker-registry takes the password as an argument, which ps"
            " and the shell's history show; this way it is read from the file",
            "every login of this file goes into the secret; remove it afterwards",
        ),
        then=f"{command} && rm {shlex.quote(str(path))}\n{usage(name)}",
    )


def usage(name: SecretName) -> str:
    """How pods get the secret: one that names it, or all of a service account."""
    patch = json.dumps({"imagePullSecrets": [{"name": name.name}]})
    words = ["kubectl", *(["--namespace", name.namespace] if name.namespace else [])]
    words += ["patch", "serviceaccount", "default", "-p", patch]
    return (
        "# in a pod, or for all pods of the namespace with the command below:\n"
        f"spec:\n  imagePullSecrets:\n    - name: {name.name}\n\n{shlex.join(words)}"
    )


def _secrets(text: str, origin: str) -> Iterator[dict[str, Any]]:
    """The pull secrets among the documents and the items of lists."""
    for document in yaml_document.load_all(text, origin):
        items = document.get("items") if isinstance(document, dict) else None
        for value in items if isinstance(items, list) else [document]:
            if not isinstance(value, dict) or value.get("kind") != "Secret":
                continue
            if value.get("type") in (TYPE, OLD_TYPE):
                yield value


def _config(secret: dict[str, Any], origin: str) -> DockerConfig:
    old = secret.get("type") == OLD_TYPE
    key = OLD_KEY if old else KEY
    plain, encoded = secret.get("stringData"), secret.get("data")
    if isinstance(plain, dict) and isinstance(plain.get(key), str):  # wins, as in the API
        text = plain[key]
    elif isinstance(encoded, dict) and isinstance(encoded.get(key), str):
        text = _decoded(encoded[key], origin)
    else:
        raise EnvironmentFailure(f"{origin}: there is no {key} in it")
    if old:
        return DockerConfig.parse_entries(text, origin, Software.KUBERNETES)
    return DockerConfig.parse(text, origin, Software.KUBERNETES, helpers=False)


def _name(secret: dict[str, Any]) -> SecretName:
    metadata = secret.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    return SecretName(str(known.get("name") or "?"), str(known.get("namespace") or ""))


def _node(text: str, name: SecretName, origin: str) -> tuple[Any, bool] | None:
    """The scalar with the config.json of this secret, and whether it is plain text."""
    child = yaml_document.child
    for root in yaml_document.compose_all(text, origin):
        items = getattr(child(root, "items"), "value", None)
        for node in items if isinstance(items, list) else [root]:
            named = getattr(child(node, "metadata", "name"), "value", "")
            space = getattr(child(node, "metadata", "namespace"), "value", "")
            kind = getattr(child(node, "type"), "value", "")
            if (named, space, kind) != (name.name, name.namespace, TYPE):
                continue
            for group, plain in (("stringData", True), ("data", False)):
                value = child(node, group, KEY)
                if value is not None and isinstance(value.value, str):
                    return value, plain
    return None


def _manifest(name: SecretName, config: str) -> str:
    namespace = f"  namespace: {name.namespace}\n" if name.namespace else ""
    return (
        "apiVersion: v1\nkind: Secret\nmetadata:\n"
        f"  name: {name.name}\n{namespace}type: {TYPE}\n"
        f"data:\n  {KEY}: {json.dumps(_encoded(config))}\n"
    )


def _check(
    content: str, name: SecretName, registry: str, login: tuple[str, str], origin: str
) -> None:
    """Raise unless the new text reads as what was meant: it is somebody's file."""
    try:
        read = PullSecrets.parse(content.encode("utf-8", errors="surrogateescape"), origin).secrets
    except EnvironmentFailure:
        read = ()
    for config in read:
        found = config.find(registry) if config.origin.endswith(f" {name}") else None
        if found is not None and (found.username, found.secret) == login:
            return
    raise EnvironmentFailure(f"{origin} cannot be edited as it is", hint="Name another file.")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str, origin: str) -> str:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise EnvironmentFailure(f"{origin}: what is in it is not base64") from None
    return data.decode("utf-8", errors="replace")
