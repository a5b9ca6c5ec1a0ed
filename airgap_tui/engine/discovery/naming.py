"""What a name means where somebody wrote it: an image of a registry, or something else.

The same word is read differently by the programs that take it: a plain name is an image for Docker
and a file for Singularity; `REG#IMG` and `USER@` exist for enroot only; only `docker://` names a
registry among the transports. What is not an image of a registry is told apart, with the reason;
what depends on a variable is unresolved. A user part may hold a key, so it is masked before
anything else happens, and no reason quotes more of a name than the names of its variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airgap_tui.engine.discovery.finding import State
from airgap_tui.engine.errors import InvalidReference
from airgap_tui.engine.oci.reference import DOCKER_HUB, Reference
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact

_MASK = "********"
_LONGEST_SHOWN = 400
_LONGEST_NAME = 1024

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_TRANSPORT = re.compile(
    r"(docker-daemon|docker-archive|oci-archive|oci|dir|sif|ostree|tarball|containers-storage"
    r"|dockerfile|buildkit|localimage):"
)
_DIGEST = re.compile(r"@(?:sha256|sha512):[^@]*\Z")
_TAG_THAT_IS_A_DIGEST = re.compile(r":(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z")
_COMMAND = re.compile(r"\$\((?![A-Za-z_][A-Za-z0-9_.]*\)).*|`.*", re.DOTALL)
_DEFAULT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}?")
_VARIABLE = re.compile(r"\$[({]?([A-Za-z_][A-Za-z0-9_.]*|[0-9@*#?!-])|\{+\s*([A-Za-z_][\w.]*)")
_UNRESOLVED = re.compile(r"[$`{}]")
_PLACEHOLDER = re.compile(r"<[^<>]*>")
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}|sha256:[0-9a-f]{7,63}|(?=.*[0-9])[0-9a-f]{12}")
_FILE = re.compile(r"\.(?:sqsh|squashfs|sqfs|sif|simg|img|ext3|tar|tar\.gz|tgz)\Z", re.IGNORECASE)
_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})

_APART = {
    "dockerd": "an image of the Docker engine on the host",
    "podman": "an image of Podman on the host",
    "docker-daemon": "an image of the Docker engine on the host",
    "containers-storage": "an image of Podman on the host",
    "docker-archive": "an archive file",
    "oci-archive": "an archive file",
    "tarball": "an archive file",
    "oci": "a local directory",
    "dir": "a local directory",
    "ostree": "a local directory",
    "sif": "a local file",
    "localimage": "a local file",
    "file": "a local file",
    "dockerfile": "built from a Dockerfile",
    "buildkit": "built from a Dockerfile",
    "library": "an image of a Singularity library, not of a registry",
    "shub": "an image of Singularity Hub, which is closed",
    "oras": "a SIF file in a registry, not an image",
    "ipfs": "a file fetched from IPFS",
    "instance": "a running instance",
    "http": "a file fetched from a web address",
    "https": "a file fetched from a web address",
}


@dataclass(frozen=True, slots=True)
class Named:
    """What a name means. `reference` is there exactly where the state is used; `reason` says more
    of the other states and holds no secret."""

    reference: Reference | None
    state: State
    reason: str = ""


def named(written: str, *, enroot: bool = False) -> Named:
    """The meaning of a name as Docker and most programs read it, or as enroot and Pyxis do.

    `docker://` and `docker-pullable://` are taken off; a `#` after `docker://` is enroot's, whoever
    reads it. Never raises.
    """
    text = written.strip()
    if not text:
        return _other("no name is given")
    scheme = _SCHEME.match(text)
    transport = scheme or _TRANSPORT.match(text)
    if transport is not None and transport[1] not in ("docker", "docker-pullable"):
        return _other(_APART.get(transport[1], "its protocol is not that of a registry"))
    rest = text[scheme.end() :] if scheme else text
    enroot = enroot or (scheme is not None and "#" in rest)
    if not scheme and (reason := _local(rest)):
        return _other(reason)
    user, rest = _split_user(rest)
    if user and not (scheme or enroot):
        return _other("not an image name: there is no digest after @")
    if reason := why_unresolved(rest):
        return Named(None, State.UNRESOLVED, reason)
    if _IMAGE_ID.fullmatch(rest):
        return _other("an image ID, not a name")
    if redact(rest) != rest:
        return Named(None, State.UNRESOLVED, "it holds what looks like a key")
    return _by_enroot(rest) if enroot else _parsed(rest)


def named_by_singularity(written: str) -> Named:
    """The meaning of an image argument of Singularity and Apptainer: without a transport it is a
    file or a directory, whatever it looks like."""
    text = written.strip()
    if _SCHEME.match(text) or _TRANSPORT.match(text):
        return named(text)
    if text.startswith("docker:"):
        return _other("docker: without // is refused by Singularity")
    if _FILE.search(text) is None and (reason := why_unresolved(text)):
        return Named(None, State.UNRESOLVED, reason)
    return _other("a local file" if text else "no name is given")


def shown(written: str) -> str:
    """The name as written, without secrets: no user part, no command whose output it takes, no
    default of a variable, nothing that steers a terminal; cut where it is absurdly long."""
    text = _DEFAULT.sub(r"${\1}", _COMMAND.sub("$(..)", written.strip()[: 4 * _LONGEST_NAME]))
    scheme = _SCHEME.match(text)
    start = scheme[0] if scheme else ""
    user, rest = _split_user(text[len(start) :])
    digest = _DIGEST.search(rest)
    name, end = (rest[: digest.start()], digest[0]) if digest else (rest, "")
    # The redactor sees the name and the digest apart: together, `://x@` looks like a login.
    text = f"{start}{f'{_MASK}@' if user else ''}{redact(name)}{redact(end)}"
    text = harmless(" ".join(text.split()))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} .."


def why_unresolved(text: str) -> str:
    """Why this text is not final: which variables it depends on; empty where it depends on none."""
    if _COMMAND.search(text):
        return "it depends on the output of a command"
    if _UNRESOLVED.search(text):
        names = dict.fromkeys(f"${a}" if a else b for a, b in _VARIABLE.findall(text))
        told = ", ".join(name for name in list(names)[:5] if redact(name) == name)
        return f"it depends on {told[:200] or 'a variable'}"
    return "it holds a placeholder" if _PLACEHOLDER.search(text) else ""


def _other(reason: str) -> Named:
    return Named(None, State.OTHER, reason)


def _local(text: str) -> str:
    """Why a name without protocol is not an image of a registry; empty where it may be one."""
    if re.fullmatch(r"<none>(?:[:@]<none>)?", text):
        return "it has no name"
    if text.startswith((".", "/", "~")) or _FILE.search(text):
        return "a local file"
    return ""


def _split_user(text: str) -> tuple[str, str]:
    """What stands before the last `@` that begins no digest, and the rest."""
    digest = _DIGEST.search(text)
    name, end = (text[: digest.start()], digest[0]) if digest else (text, "")
    user, at, rest = name.rpartition("@")
    return (user or at, f"{rest}{end}") if at else ("", text)


def _by_enroot(text: str) -> Named:
    """`[REGISTRY#]IMAGE[:TAG]`; `X:sha256:…` and `X@sha256:…` are both a digest; a slash after the
    `#` is seen often and works. Without `#`, a first part is a registry only with a dot or colon
    (not `localhost`)."""
    text = _TAG_THAT_IS_A_DIGEST.sub(r"@\1", text)
    registry, hash_, image = text.rpartition("#")
    if not hash_:
        first, slash, _ = text.partition("/")
        plain = slash and "." not in first and ":" not in first
        if plain and first != first.lower():
            return _other("not an image name: capital letters are not allowed in it")
        return _parsed(f"{DOCKER_HUB}/{text}" if plain else text)
    image = image.lstrip("/")
    if not registry or registry in _HUB_HOSTS:
        registry = DOCKER_HUB
    result = _parsed(f"{registry}/{image}")
    if result.reference is not None and result.reference.registry != registry:
        return Named(
            None,
            State.UNRESOLVED,
            "its registry has neither a domain nor a port, which an image name needs",
        )
    return result


def _parsed(text: str) -> Named:
    if len(text) > _LONGEST_NAME:
        return _other("not an image name: it is too long")
    try:
        return Named(Reference.parse(text), State.USED)
    except InvalidReference as error:
        # Of the error's words only those that quote nothing of the name.
        reason = "" if any(c in error.reason for c in "'\"") else error.reason
        if "capital letters" in reason:
            reason = "capital letters are not allowed in it"
        return _other(f"not an image name{f': {reason}' if reason else ''}")
