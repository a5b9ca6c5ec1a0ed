"""Projects of a registry: which the images go to, and the words where a Harbor lacks some."""

from __future__ import annotations

from collections.abc import Sequence

from airgap_tui.engine.guide.answers import Delivery
from airgap_tui.engine.jobs.media import Carried
from airgap_tui.engine.oci.naming import one_of_each_project, project_of
from airgap_tui.engine.oci.reference import Reference


def repositories(answers: Delivery, images: Sequence[Carried]) -> tuple[str, ...]:
    """One repository of each project that will be written. Raises `UsageError` where registry or
    project cannot be names."""
    naming = answers.naming
    kinds: dict[tuple[str, str], Reference] = {}
    for image in images:
        kind = (image.reference.registry, project_of(image.reference.repository))
        kinds.setdefault(kind, image.reference)
    targets = (naming.target(reference).repository for reference in kinds.values())
    return tuple(one_of_each_project(targets).values())


def lacking(missing: Sequence[str]) -> str:
    """Why the way on is shut: `project ngc does not exist`."""
    if len(missing) == 1:
        return f"project {missing[0]} does not exist"
    return f"{len(missing)} projects do not exist"


def beside_field(missing: Sequence[str]) -> str:
    """`Does not exist`, or how many of them."""
    return "Does not exist" if len(missing) == 1 else f"{len(missing)} missing"


def button(missing: Sequence[str]) -> str:
    """`Create it`, or `Create them`."""
    return "Create them" if len(missing) > 1 else "Create it"


def choice(missing: Sequence[str]) -> str:
    """`Create project ngc`."""
    return f"Create project{'s' * (len(missing) > 1)} {', '.join(missing)}"
