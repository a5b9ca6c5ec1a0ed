"""The images of Docker or Podman on this machine, through their API."""

from __future__ import annotations

import json
import shutil

from airgap_tui.engine.discovery import remedies
from airgap_tui.engine.discovery.finding import Kind, Place
from airgap_tui.engine.discovery.sources import engine_listing
from airgap_tui.engine.docker import hosts
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.jobs.discovery.findings import Findings
from airgap_tui.engine.redaction import redact


def read_engine(kind: Kind, insist: bool, findings: Findings) -> bool:
    """Read the engine, or tell why not; False where its program has to be asked instead."""
    name: hosts.Kind = "podman" if kind is Kind.PODMAN else "docker"
    try:
        with Engine.connect(None, name) as engine:
            images, found, where = engine.images(), engine.info.kind, engine.info.host
    except AirgapError as error:
        if kind is Kind.PODMAN and shutil.which("podman"):
            return False  # without its service, which few run
        if "not installed" in error.message and not insist:
            findings.absent("", kind, name)
        else:
            remedy = error.hint or remedies.remedy_for(kind)
            findings.failed("", kind, name, redact(error.message), remedy)
        return True
    kind = Kind.PODMAN if found == "podman" else Kind.DOCKER
    listing = [{"RepoTags": image.names, "RepoDigests": image.digests} for image in images]
    place = Place(redact(where))
    pieces = engine_listing.read(json.dumps(listing).encode(), place, kind) if listing else ()
    findings.take("", kind, place.path, pieces)
    return True
