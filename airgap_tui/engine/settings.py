"""One frozen `Settings`: from the file, then the environment, then the command line."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.quantities import parse_size
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.typed_path import typed_path

ENVIRONMENT_PREFIX = "AIRGAP_TUI_"
STATE_REMEDY = (
    "Jobs and receipts are kept there: set XDG_STATE_HOME to a directory with room that you may"
    " write to."
)
"""What helps where the state directory cannot be written."""
_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_NGC = {"ngc_api": "api", "ngc_authn": "authn", "ngc_registry": "registry"}


@dataclass(frozen=True, slots=True)
class Network:
    """How hosts are contacted.

    `ca_file` is a PEM file of further CAs; `client_certificate` a PEM file with certificate
    and key, or only the certificate when `client_key` names the key. `plain_http` are the
    registries (`host[:port]`) that may be asked without TLS; loopback always may. Times are in
    seconds. A connection that brings fewer than `minimum_rate` bytes per second over
    `minimum_rate_window` is dropped and resumed.
    """

    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    plain_http: frozenset[str] = frozenset()
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    minimum_rate: int = 1024
    minimum_rate_window: float = 60.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True)
class NgcAddresses:
    """Where NVIDIA's catalogue is: two URLs without a path, and a registry as references name it.

    Others than these stand for a gateway of the site, or for tests. A key of nvcr.io is sent to
    none of them: they get the login that is kept for `registry`.
    """

    api: str = "https://api.ngc.nvidia.com"
    authn: str = "https://authn.nvidia.com"
    registry: str = "nvcr.io"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count. `allowed_signers` is a file as ssh-keygen(1) describes it, or public
    keys that GPG exported; None takes `allowed_signers` beside the settings file, if it is there.
    `required` refuses every bundle that is not signed by one of them."""

    allowed_signers: Path | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for a whole run. `platform` None stands for all platforms of an image.
    `transfers` layers move at a time: skopeo's default, which registries are used to.
    `carry_tool` False leaves airgap-tui itself off the media, unless a command asks for it."""

    network: Network = field(default_factory=Network)
    platform: Platform | None = DEFAULT_PLATFORM
    transfers: int = 6
    ngc: NgcAddresses = field(default_factory=NgcAddresses)
    trust: Trust = field(default_factory=Trust)
    carry_tool: bool = True
    state_dir: Path = field(default_factory=lambda: state_dir())

    @classmethod
    def load(
        cls, environment: Mapping[str, str] | None = None, file: Path | None = None
    ) -> Settings:
        """Read the settings file (`$XDG_CONFIG_HOME/airgap-tui/config.yaml`) and the environment.

        Raises `UsageError`, which names the file or variable and the setting.
        """
        environment = os.environ if environment is None else environment
        path = file or _xdg("XDG_CONFIG_HOME", ".config", environment) / "config.yaml"
        settings = cls(state_dir=state_dir(environment))
        values = [(f"{path}: {key}", key, value) for key, value in _file_values(path).items()]
        values += [
            (name, name.removeprefix(ENVIRONMENT_PREFIX).lower(), value)
            for name, value in sorted(environment.items())
            if name.startswith(ENVIRONMENT_PREFIX)
        ]
        for where, key, value in values:
            settings = _set(settings, where, key.replace("-", "_"), value)
        return settings


def parse_platform(text: str) -> Platform | None:
    """`all` is None; anything else is one platform. Raises `InvalidPlatform`."""
    return None if text.strip().lower() == "all" else Platform.parse(text)


def allowed_signers_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the list of trusted signers lies: `$XDG_CONFIG_HOME/airgap-tui/allowed_signers`."""
    return _xdg("XDG_CONFIG_HOME", ".config", environment) / "allowed_signers"


def state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Where jobs and the log are kept: `$XDG_STATE_HOME/airgap-tui`."""
    return _xdg("XDG_STATE_HOME", ".local/state", environment)


def cache_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Where lies what can be fetched again: `$XDG_CACHE_HOME/airgap-tui`."""
    return _xdg("XDG_CACHE_HOME", ".cache", environment)


def _xdg(variable: str, default: str, environment: Mapping[str, str] = os.environ) -> Path:
    base = environment.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / default) / "airgap-tui"


def _file_values(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    import yaml  # a tenth of the first screen's time, and most people have no such file

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _unreadable(path, error) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{path} holds no settings: expected lines like  transfers: 8")
    return {str(key): item for key, item in value.items()}


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path} cannot be read: {error}", hint="Fix it or move it away.")


def _set(settings: Settings, where: str, key: str, value: object) -> Settings:
    network = {f.name for f in fields(Network)} - {"retry"}
    try:
        if key == "platform":
            return replace(settings, platform=parse_platform(str(value)))
        if key == "transfers":
            return replace(settings, transfers=_whole(value, 1))
        if key in _NGC:
            address = str(value).strip() if key == "ngc_registry" else _base_url(value)
            return replace(settings, ngc=replace(settings.ngc, **{_NGC[key]: address}))
        if key == "allowed_signers":
            trust = replace(settings.trust, allowed_signers=typed_path(str(value)))
            return replace(settings, trust=trust)
        if key == "carry_tool":
            return replace(settings, carry_tool=_truth(value))
        if key == "require_signature":
            return replace(settings, trust=replace(settings.trust, required=_truth(value)))
        if key == "retries":
            retry = replace(settings.network.retry, attempts=1 + _whole(value, 0))
            return replace(settings, network=replace(settings.network, retry=retry))
        if key in network:
            changed: dict[str, Any] = {key: _network_value(key, value)}
            return replace(settings, network=replace(settings.network, **changed))
    except (ValueError, UsageError) as error:
        raise UsageError(f"{where}: {error}") from None
    others = {"platform", "transfers", "retries", "allowed_signers", "require_signature"}
    known = ", ".join(sorted({"carry_tool", *others, *_NGC} | network))
    raise UsageError(f"{where}: there is no such setting", hint=f"Known are {known}.")


def _network_value(key: str, value: object) -> object:
    if key == "plain_http":
        names = value if isinstance(value, list) else str(value).replace(",", " ").split()
        return frozenset(str(name) for name in names)
    if key == "minimum_rate":
        return parse_size(str(value))
    if key in ("ca_file", "client_certificate", "client_key"):
        return typed_path(str(value))
    return _seconds(value)


def _seconds(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a number of seconds") from None
    if not 0 < number < math.inf:
        raise ValueError(f"{value!r} is not a time above 0 seconds")
    return number


def _base_url(value: object) -> str:
    """An http or https URL of a host, without path, query and login."""
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or text != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        raise ValueError(f"{text!r} is not an address like https://ngc-gateway.lan")
    return text


def _truth(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUTH:
        raise ValueError(f"{value!r} is neither yes nor no")
    return _TRUTH[text]


def _whole(value: object, least: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a whole number") from None
    if number < least:
        raise ValueError(f"{number} is less than {least}")
    return number
