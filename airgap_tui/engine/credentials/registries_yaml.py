"""`registries.yaml` of RKE2 and k3s: the logins under `configs`, for the containerd of a node."""

from __future__ import annotations

import re
from typing import Any

from airgap_tui.engine.credentials import yaml_document
from airgap_tui.engine.credentials.docker_config import DockerConfig, registry_of
from airgap_tui.engine.credentials.source import Software

_CONFIGS = re.compile(r"^configs[ \t]*:", re.MULTILINE)


def is_registries_yaml(text: str) -> bool:
    """Whether a text looks like one that holds logins."""
    return _CONFIGS.search(text) is not None


def parse(text: str, origin: str) -> DockerConfig:
    """The logins as docker would keep them. Raises `EnvironmentFailure` where it is not YAML."""
    auths: dict[str, dict[str, Any]] = {}
    for document in yaml_document.load_all(text, origin):
        configs = document.get("configs") if isinstance(document, dict) else None
        for host, config in configs.items() if isinstance(configs, dict) else ():
            entry = config.get("auth") if isinstance(config, dict) else None
            if isinstance(entry, dict):
                token = entry.get("identity_token", "")
                auths[registry_of(str(host))] = {**entry, "identitytoken": token}
    return DockerConfig(origin, auths, software=Software.KUBERNETES)
