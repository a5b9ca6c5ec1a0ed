"""Where a registry is on the network: its host, port and scheme, and which hosts may get what."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from airgap_tui.engine.errors import ConnectionFailure
from airgap_tui.engine.oci.reference import DOCKER_HUB

_DOCKER_HUB_HOST = "registry-1.docker.io"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registry's base address. `registry` is the name as references have it."""

    registry: str
    scheme: str
    authority: str

    @classmethod
    def of(cls, registry: str, plain_http: Collection[str] = ()) -> Endpoint:
        """TLS, unless the registry is on loopback or named among `plain_http`; a session finds out
        when one on loopback speaks TLS after all."""
        authority = _DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
        host = urlsplit(f"//{authority}").hostname or authority
        plain = is_loopback(host) or registry in plain_http or host in plain_http
        return cls(registry, "http" if plain else "https", authority)

    @property
    def host(self) -> str:
        return urlsplit(f"//{self.authority}").hostname or self.authority

    @property
    def base(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def url(self, path: str) -> str:
        """The address of something below `/v2/`."""
        return f"{self.base}/v2/{path}"


def split(url: str) -> SplitResult:
    """The parts of an http or https URL; raise `ConnectionFailure` for any other text."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise _unaskable(url)
    return parts


def joined(base: str, location: str) -> str:
    """The address that a server means by `location` in its answer from `base`."""
    try:
        return urljoin(base, location)
    except ValueError:  # an IPv6 address that is none
        raise _unaskable(location) from None


def authority(url: str) -> str:
    """Host and port as messages show them: without a login that the address may hold."""
    return split(url).netloc.rpartition("@")[2]


def _unaskable(address: str) -> ConnectionFailure:
    return ConnectionFailure(f"a server named the address {address[:200]!r}, which is not valid")


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what has to be equal for `Authorization` to be sent along."""
    parts = split(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1, localhost and names below it."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def is_internal(host: str) -> bool:
    """Loopback, link-local (where clouds keep their metadata service) and unspecified addresses."""
    if is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_link_local or mapped.is_loopback or mapped.is_unspecified


def check_redirect(source: str, target: str) -> None:
    """Raise `ConnectionFailure` for a redirect that must not be followed."""
    scheme, host, _port = origin(source)
    new_scheme, new_host, _new_port = origin(target)
    if scheme == "https" and new_scheme != "https":
        raise ConnectionFailure(
            f"{host} redirects from TLS to plain HTTP ({new_host}), which is refused"
        )
    if is_internal(new_host) and not is_internal(host):
        raise ConnectionFailure(
            f"{host} redirects to {new_host}, an address of this machine itself; that is refused"
        )
