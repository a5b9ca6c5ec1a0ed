"""What can be chosen in the steps, with what each choice means; and what is proposed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from airgap_tui.engine.guide.answers import Collection, Origination, Wish
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several: `text` names it, `about` says what it does."""

    key: str
    text: str
    about: str = ""


STARTS = (
    Choice("online", "Collect images", "This machine can reach the internet"),
    Choice("offline", "Bring images in", "This machine is in the offline network"),
    Choice("rehearse", "Rehearse", "Try both sides here with small samples, then tidy up"),
)
LAYERS = (
    Choice("keep", "As published", "Digests and signatures stay"),
    Choice(
        "zstd",
        "zstd, smaller",
        "About 12% less; digests change; Docker before 23 and Enroot before 4 cannot read it",
    ),
)
PLATFORMS = (
    Choice("linux/amd64", "linux/amd64", "Intel and AMD: DGX A100, H100, B200"),
    Choice("linux/arm64", "linux/arm64", "Grace, Jetson, DGX Spark"),
    Choice("all", "All of each image", "Larger; keeps the index and its signatures"),
)
KEEPING = (
    Choice("run", "For this run only, in memory"),
    Choice("file", "In Docker's config.json: readable by you, not encrypted"),
)
OFFERED = Wish(
    Reference.parse("docker.io/library/registry:2"),
    Origination.OFFERED,
    chosen=False,
    note="Lets you start a registry on the offline side",
)
"""What a new list begins with."""


def platform_key(platform: Platform | None) -> str:
    """The key among `PLATFORMS` of a setting."""
    return "all" if platform is None else str(Platform(platform.os, platform.architecture))


def layers_key(answers: Collection) -> str:
    """The key among `LAYERS` of the answers."""
    return "keep" if answers.compression is None else answers.compression.codec.value


def proposed_bundle(answers: Collection, last: str) -> Path:
    """Where to save: what was chosen already, else a new bundle of this month beside the `last`."""
    if answers.bundle is not None:
        return answers.bundle
    parent = Path(last).parent if last else Path.cwd()
    return parent / f"bundle-{datetime.now().astimezone():%Y-%m}"
