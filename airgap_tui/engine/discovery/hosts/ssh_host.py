"""Which hosts to ask: `user@node`, and the node ranges of Slurm.

What is named here becomes an argument of the `ssh` program, so it has to look like a host: a name
that begins with `-` would be an option, and `ProxyCommand` hands names to a shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.plain_text import cut

MOST_HOSTS = 4096
"""More than this is a slip of the pen, such as `dgx[1-99999]`."""

_ADDRESS = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.-]+)?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\-]{0,127}")
_RANGES = re.compile(r"\[([^\[\]]*)\]")
_SPAN = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True, order=True)
class SshHost:
    """A host as `ssh` is told of it. `name` is what results call it; `address` where that is
    another one, and `user`, `port` (0) and `identity` (a key's file) may be empty: `ssh` then does
    what its own configuration says."""

    name: str
    address: str = ""
    user: str = ""
    port: int = 0
    identity: str = ""

    @property
    def destination(self) -> str:
        return self.address or self.name

    @property
    def spelled(self) -> str:
        """What people write after `ssh`."""
        port = f"-p {self.port} " if self.port else ""
        return f"{port}{self.user}@{self.destination}" if self.user else port + self.destination

    def checked(self) -> SshHost:
        """Itself; raises `UsageError` for what must not be handed to `ssh`."""
        for what, text, fits in (
            ("host", self.destination, _is_address(self.destination)),
            ("user", self.user, not self.user or _is_user(self.user)),
            ("port", str(self.port), 0 <= self.port < 65536),
        ):
            if not fits:
                raise UsageError(
                    f"not a {what} to log in to: {cut(text, 80)!r}",
                    hint="Write it like dgx01, admin@dgx01 or ssh://admin@dgx01:2222.",
                )
        return self


def parse_host(text: str) -> SshHost:
    """Read `node`, `user@node`, `user@node:port` or `ssh://user@node:port`.

    The name of such a host is what was written, without the port's scheme.
    """
    name = text.strip().removeprefix("ssh://").rstrip("/")
    user, at, rest = name.rpartition("@")
    address, port = _split_port(rest)
    if at and (not user or ":" in user):
        hint = "A password cannot be given here: ssh uses its keys." if ":" in user else ""
        raise UsageError(f"not a host to log in to: {cut(address, 80)!r} with a user", hint=hint)
    host = SshHost(name, address, user, port).checked()
    return replace(host, address="") if host.name == host.address else host


def expand_nodes(text: str) -> tuple[str, ...]:
    """The nodes that Slurm means by `dgx[01-04,7],login1` or `rack[1-2]n[01-16]`, each once."""
    found: dict[str, None] = {}
    for part in _parts(text):
        if part:
            found.update(dict.fromkeys(_expanded(part)))
        if len(found) > MOST_HOSTS:
            raise _too_many(text)
    if not found:
        raise UsageError("no node is named", hint="Write them like dgx[01-04,7],login1.")
    return tuple(found)


def nodes(text: str) -> tuple[SshHost, ...]:
    """Slurm's node range as hosts; a user before it is of all: `admin@dgx[01-04]`."""
    user, at, rest = text.strip().rpartition("@")
    return tuple(parse_host(f"{user}{at}{node}") for node in expand_nodes(rest))


def distinct(hosts: Iterable[SshHost]) -> tuple[SshHost, ...]:
    """Each host once, in the order in which they were first named."""
    found: dict[tuple[str, str, int], SshHost] = {}
    for host in hosts:
        found.setdefault((host.destination, host.user, host.port), host)
    if len(found) > MOST_HOSTS:
        raise _too_many(f"{len(found)} hosts")
    return tuple(found.values())


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text) or (":" in text and _IPV6.fullmatch(text)))


def _is_user(text: str) -> bool:
    return bool(_USER.fullmatch(text)) and not text.endswith("\\")


def _split_port(text: str) -> tuple[str, int]:
    """`node:22` and `[::1]:22`; an IPv6 address without brackets has no port."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        good = re.fullmatch(r"\[[^\[\]]*\](?::[0-9]{1,5})?", text)
        port = rest.removeprefix(":")
    else:
        address, colon, port = text.partition(":")
        if ":" in port:
            return text, 0
        good = re.fullmatch("[0-9]{1,5}", port) if colon else re.fullmatch("", port)
    if not good:
        raise UsageError(f"not a host to log in to: {cut(text, 80)!r}: the port is not a number")
    return address, int(port or 0)


def _parts(text: str) -> Iterator[str]:
    """Split at the commas that stand outside of brackets."""
    depth, begin = 0, 0
    for index, character in enumerate(text):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth not in (0, 1):
            break
        if character == "," and not depth:
            yield text[begin:index].strip()
            begin = index + 1
    if depth:
        raise UsageError(
            f"not a range of nodes: {cut(text, 80)!r}: a bracket is not closed",
            hint="Write it like dgx[01-04,7],login1.",
        )
    yield text[begin:].strip()


def _expanded(part: str) -> list[str]:
    pieces = _RANGES.split(part)
    choices = [list(_spans(piece, part)) if n % 2 else [piece] for n, piece in enumerate(pieces)]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > MOST_HOSTS:
        raise _too_many(part)
    return ["".join(combination) for combination in product(*choices)]


def _spans(text: str, part: str) -> Iterator[str]:
    made = 0
    for span in text.split(","):
        match = _SPAN.fullmatch(span.strip())
        first, last = (match[1], match[2] or match[1]) if match else ("", "")
        if not match or int(last) < int(first):
            raise UsageError(
                f"not a range of nodes: {cut(part, 80)!r}: {span!r} is not like 01-04",
                hint="Write it like dgx[01-04,7],login1.",
            )
        made += int(last) - int(first) + 1
        if made > MOST_HOSTS:
            raise _too_many(part)
        for number in range(int(first), int(last) + 1):
            yield str(number).zfill(len(first))


def _too_many(text: str) -> UsageError:
    return UsageError(
        f"{cut(text, 80)} names more than {MOST_HOSTS} hosts",
        hint="Give them in several runs, into one list with -o.",
    )
