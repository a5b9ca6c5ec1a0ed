"""The keys that the user can sign with: those in the agent, and whether a key file works where
nobody can be asked for its passphrase."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.signatures import program, ssh_signature
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.settings import STATE_REMEDY

_MOST_KEYS = 20
_MOST_BYTES = 64 * 1024
_SECONDS = 15.0
_KEYS = "keys"


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key in the agent: `public` is its line without the comment."""

    public: str
    comment: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-add -l` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.public.split()[1])).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    @property
    def in_hardware(self) -> bool:
        """Whether it waits for a touch when it signs."""
        return self.public.startswith("sk-")


def keys_in_agent(token: CancelToken) -> tuple[AgentKey, ...]:
    """The keys that the agent has; none where there is no agent. Raises `Stopped`."""
    try:
        ran = program.run(["ssh-add", "-L"], b"", token, seconds=_SECONDS)
    except (NotFound, EnvironmentFailure):
        return ()
    if ran.code != 0:
        return ()
    found = []
    for line in ran.stdout.decode("utf-8", "replace").splitlines()[:_MOST_KEYS]:
        kind, _, rest = line.partition(" ")
        body, _, comment = rest.partition(" ")
        if _is_key(kind, body):
            found.append(AgentKey(f"{kind} {body}", harmless(comment)[:80]))
    return tuple(found)


def public_file(key: AgentKey, state_dir: Path, home: Path | None = None) -> Path:
    """A file with this public key, as `ssh-keygen -Y sign` wants one: the user's own where there is
    one, else one that is written into the state directory. Raises `EnvironmentFailure`."""
    for path in sorted(((home or Path.home()) / ".ssh").glob("*.pub"))[:_MOST_KEYS]:
        if _read(path).split()[:2] == key.public.split():
            return path
    name = hashlib.sha256(key.public.encode()).hexdigest()[:16]
    path = state_dir / _KEYS / f"{name}.pub"
    with writing(state_dir, STATE_REMEDY):
        path.parent.mkdir(parents=True, exist_ok=True)
    line = f"{key.public} {key.comment}\n".encode()
    replace_file(path, line, path.with_name(f".{path.name}.new"))
    return path


def why_not(key: Path, token: CancelToken) -> str:
    """Why a job in the background cannot sign with this file; empty where it can.

    `ssh-keygen -Y sign` takes a key from the agent, whichever of its files is named, and beside a
    public file looks for the private one. Raises `Stopped`."""
    if not os.path.isfile(key):
        return "There is no such file"
    try:
        listed = ssh_signature.fingerprint_of_key(key, token)
        if listed and listed in {one.fingerprint for one in keys_in_agent(token)}:
            return ""
        words = _read(key).split()
        if len(words) > 1 and _is_key(words[0], words[1]):
            public, key = key, key.with_suffix("")
            if public.suffix != ".pub" or not key.is_file():
                return "Not in the agent: ssh-add loads it"
        command = ["ssh-keygen", "-y", "-P", "", "-f", str(key.absolute())]
        ran = program.run(command, b"", token, seconds=_SECONDS)
    except (NotFound, EnvironmentFailure) as error:
        return error.message
    if ran.code == 0:
        return ""
    if "passphrase" in ran.stderr:
        return "It has a passphrase: ssh-add it first"
    lines = ran.stderr.splitlines()
    return harmless(lines[-1].rpartition(": ")[2])[:60] if lines else "It is not a private key"


def _is_key(kind: str, body: str) -> bool:
    if not kind.startswith(("ssh-", "ecdsa-", "sk-")):
        return False
    try:
        return bool(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError):
        return False


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
