"""Enroot's `.credentials`: a login per line, found by enroot itself, then read by curl as netrc.

Enroot looks for `machine HOST login USER` on one line, HOST without its port, and the first match
wins. curl then takes the line of the host that gives the token out. Where the two hosts differ, as
for Docker Hub, both lines have to be there: with one alone enroot says "Authentication succeeded"
and is a stranger all the same. A password that begins with `$` is a command that enroot runs;
nothing here ever does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.credentials.credential import NGC_REGISTRY, Credential
from airgap_tui.engine.credentials.mounts import file_system_of
from airgap_tui.engine.credentials.source import Software, Unusable
from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.oci.reference import DOCKER_HUB
from airgap_tui.engine.quantities import count

_LINE = re.compile(
    r"[ \t]*machine[ \t]+(?P<machine>\S+)[ \t]+login[ \t]+(?P<login>\S+)"
    r"[ \t]+password[ \t]+(?P<secret>\S.*?)\s*"
)
_MACHINE = re.compile(r"(?:^|\s)machine\s+(\S+)")
_PORT = re.compile(r":[0-9]+")
_HUB_SELECTS, _HUB_TOKENS = "registry-1.docker.io", "auth.docker.io"
_NGC_TOKENS = "authn.nvidia.com"
_WRITTEN = {DOCKER_HUB: (_HUB_SELECTS, _HUB_TOKENS), NGC_REGISTRY: (NGC_REGISTRY, _NGC_TOKENS)}
_READ = {
    DOCKER_HUB: (_HUB_TOKENS, _HUB_SELECTS, DOCKER_HUB, "index.docker.io"),
    NGC_REGISTRY: (NGC_REGISTRY, _NGC_TOKENS),
}
_REGISTRY_OF = {machine: name for name, machines in _READ.items() for machine in machines}
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1. `command` says that the secret is one, for enroot to run."""

    number: int
    machine: str
    username: str
    secret: str = field(repr=False)

    @property
    def command(self) -> bool:
        return self.secret.startswith("$")


@dataclass(frozen=True, slots=True)
class EnrootCredentials:
    """The logins of one file. `remarks` tell what enroot does not understand there."""

    origin: str
    lines: tuple[Line, ...] = ()
    remarks: tuple[str, ...] = ()
    software: Software = Software.ENROOT

    @classmethod
    def parse(cls, text: str, origin: str) -> EnrootCredentials:
        """Read the text; lines that are no login of enroot's form are told, not refused."""
        lines, others = [], []
        for number, line in enumerate(text.split("\n"), 1):
            found = _LINE.fullmatch(line)
            if found is not None:
                secret = _secret(found["secret"])
                lines.append(Line(number, found["machine"], found["login"], secret))
            elif line.lstrip().startswith("machine") and _MACHINE.search(line):
                others.append(number)
        remarks = [
            f"{origin}, line {number}: enroot needs machine, login and password on one line"
            for number in others[:10]
        ]
        return cls(origin, tuple(lines), (*remarks, *_hub_remarks(origin, lines)))

    @classmethod
    def read(cls, path: Path) -> EnrootCredentials:
        """Read a file; one that is not there holds no logins. Raises `EnvironmentFailure`."""
        data = private_file.read(path)
        origin = private_file.short(path)
        return cls.parse((data or b"").decode("utf-8", errors="replace"), origin)

    def line_for(self, registry: str) -> Line | None:
        """The line that decides for a registry: the first of the first of its machines."""
        for machine in _machines_read(registry):
            for line in self.lines:
                if line.machine == machine:
                    return line
        return None

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The login for a registry; its repositories all have the same. None for a command."""
        line = self.line_for(registry)
        if line is None or line.command:
            return None
        return Credential(line.username, line.secret, self.origin)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, self.origin) for name in self._registries if self.find(name))

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        deciding = [(name, self.line_for(name)) for name in self._registries]
        reason = "its password is a command, which enroot runs and nothing here does"
        return tuple(
            Unusable(
                name,
                f"{self.origin}, line {line.number}",
                reason,
                line.username,
                f"Log in for this program as well: airgap-tui login {name}",
            )
            for name, line in deciding
            if line is not None and line.command
        )

    @property
    def _registries(self) -> list[str]:
        return sorted({_REGISTRY_OF.get(line.machine, line.machine) for line in self.lines})


def default_path(environment: Mapping[str, str]) -> Path:
    """`$ENROOT_CONFIG_PATH/.credentials`; the variable, or what enroot.conf sets it to."""
    home = environment.get("HOME") or str(Path.home())
    folder = environment.get("ENROOT_CONFIG_PATH") or _configured(environment, home)
    if not folder:
        folder = f"{environment.get('XDG_CONFIG_HOME') or f'{home}/.config'}/enroot"
    return Path(folder) / ".credentials"


def change(path: Path, registry: str, username: str, secret: str) -> Change:
    """How a login comes into the file: all lines that it needs, in the place of its old ones.

    Raises `UsageError` for a login that a line cannot hold, and `EnvironmentFailure` where a line
    of another form would win over it.
    """
    if secret.startswith("$"):
        raise UsageError(
            "enroot's file cannot hold this password: what begins with $ it runs as a command",
            hint="Choose a password that begins with another character.",
        )
    for what, text in (("user name", username), ("password", secret)):
        if _TOKEN.fullmatch(text) is None or text.startswith(("#", '"')):
            raise UsageError(
                f"enroot's file cannot hold this {what}: it has a blank, a quote or another sign"
                " that curl reads otherwise",
                hint="Choose one of letters, digits and - . _ for the hosts that run enroot.",
            )
    was = private_file.read(path)
    machines = machines_for(registry)
    text = (was or b"").decode("utf-8", errors="surrogateescape")
    old = EnrootCredentials.parse(text, private_file.short(path))
    kept, at = _without(text, machines, private_file.short(path))
    kept[at:at] = [f"machine {machine} login {username} password {secret}" for machine in machines]
    content = "\n".join(kept).rstrip("\n") + "\n"
    known = old.line_for(registry)
    return Change(
        path,
        "no such file" if was is None else _before(registry, known),
        ", ".join(f"machine {machine} login {username}" for machine in machines),
        content.encode("utf-8", errors="surrogateescape"),
        was,
        notes=tuple(_notes(registry, path)),
    )


def machines_for(registry: str) -> tuple[str, ...]:
    """The machines whose lines enroot and curl need for a registry."""
    return _WRITTEN.get(registry, (_PORT.sub("", registry),))


def seen_by_nodes(path: Path, table: Path = Path("/proc/self/mounts")) -> str:
    """What to say of the place of enroot's file; empty where all nodes see it.

    Enroot pulls on the node where a job begins: a file that lies on this host alone is not there.
    """
    found = file_system_of(path, table)
    if found is None or found.shared:
        return ""
    if found.shared is None:
        return f"whether other nodes see this file cannot be told ({found.kind})"
    return (
        f"this file lies on this host alone ({found.kind} at {found.mounted_at}): jobs on other"
        " nodes do not see it; copy it there, or set ENROOT_CONFIG_PATH to a shared directory"
    )


def _machines_read(registry: str) -> tuple[str, ...]:
    return _READ.get(registry, tuple(dict.fromkeys((registry, _PORT.sub("", registry)))))


def _secret(text: str) -> str:
    """A command whole, anything else up to its first blank: curl reads no further."""
    if text.startswith("$"):
        return text
    if text.startswith('"'):
        quoted = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        if quoted is not None:
            return re.sub(r"\\(.)", r"\1", quoted[1])
    return text.split()[0]


def _hub_remarks(origin: str, lines: list[Line]) -> list[str]:
    machines = {line.machine for line in lines}
    both = {_HUB_SELECTS, _HUB_TOKENS}
    if not machines & both or both <= machines:
        return []
    (missing,) = both - machines
    return [f"{origin}: enroot stays anonymous at Docker Hub without a line for {missing} as well"]


def _without(text: str, machines: tuple[str, ...], origin: str) -> tuple[list[str], int]:
    """The lines but those of these machines, and where the first of these was."""
    kept: list[str] = []
    at = None
    for number, line in enumerate(text.rstrip("\n").split("\n") if text else [], 1):
        found = _LINE.fullmatch(line)
        if found is not None and found["machine"] in machines:
            at = len(kept) if at is None else at
            continue
        if found is None and not line.lstrip().startswith("#"):
            for machine in _MACHINE.findall(line):
                if machine in machines:
                    raise EnvironmentFailure(
                        f"{origin}, line {number}: a login for {machine} in another form would win",
                        hint="Write it on one line, or take it out; then run the same again.",
                    )
        kept.append(line)
    return kept, len(kept) if at is None else at


def _before(registry: str, known: Line | None) -> str:
    if known is None:
        return f"no login for {registry}"
    what = "a command" if known.command else f"login of {known.username}"
    return f"machine {known.machine}: {what}"


def _notes(registry: str, path: Path) -> list[str]:
    notes = []
    if _PORT.search(registry):
        host = _PORT.sub("", registry)
        notes.append(
            f"netrc knows no ports: this login is for every port of {host}, and enroot before 3.4"
            " does not find it"
        )
    lines = machines_for(registry)
    if len(lines) > 1:
        notes.append(f"{count(len(lines), 'line')}: one selects the login, one is sent for a token")
    place = seen_by_nodes(path)
    return [*notes, place] if place else notes


def _configured(environment: Mapping[str, str], home: str) -> str:
    """`ENROOT_CONFIG_PATH` of enroot.conf and enroot.conf.d; empty where a command computes it."""
    folder = Path(environment.get("ENROOT_SYSCONF_PATH") or "/etc/enroot")
    known = {"XDG_CONFIG_HOME": f"{home}/.config", **environment, "HOME": home}
    value = ""
    try:
        files = [folder / "enroot.conf", *sorted((folder / "enroot.conf.d").glob("*.conf"))]
        for file in files:
            text = (private_file.read(file) or b"").decode("utf-8", errors="replace")
            for line in text.splitlines():
                name, _, rest = line.split(" #")[0].strip().replace("\t", " ").partition(" ")
                value = rest.strip() if name == "ENROOT_CONFIG_PATH" else value
    except (OSError, EnvironmentFailure):
        return ""
    value = re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda m: known.get(m[1] or m[2], "$"), value)
    return value if value.startswith("/") and "$" not in value and "\0" not in value else ""
