"""Registries that take one key, as the screens about logins see them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.guide.answers import Collection, Wish
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.access import (
    AccessResult,
    AccessSpec,
    ImageAccess,
    LoginStanding,
    RegistryAccess,
)
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from screens.logins import LoginsScreen
from screens.steps import Route
from tests.screens.gallery import PlaceholderScreen

PUBLIC = [Reference.parse(f"nvcr.io/nvidia/image-{number}:1") for number in range(11)]
PRIVATE = Reference.parse("nvcr.io/nim/meta/llama3-8b-instruct:1.0.3")
HUB = Reference.parse("docker.io/library/registry:2")
REFUSED = AccessDenied(
    "nvcr.io refused this key (401): it is wrong, revoked or expired", registry="nvcr.io"
)
KEY = "nvapi-right-and-secret"


class Registries:
    """Stands for `access.run`. `tried` has the keys that were tried, `errors` what the images of
    nvcr.io say although the key is right."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.errors: dict[Reference, AccessDenied] = {}
        self.shadows: tuple[str, ...] = ()

    def __call__(
        self, spec: AccessSpec, _sink: object, _token: object, credentials: CredentialStore
    ) -> AccessResult:
        known = credentials.find("nvcr.io")
        if spec.registries and known is not None:
            self.tried.append(known.secret)
        right = known is not None and known.secret == KEY
        names = sorted({*spec.registries, *(one.registry for one in spec.references)})
        asked = {name: [one for one in spec.references if one.registry == name] for name in names}
        return AccessResult(
            tuple(
                self._nvcr(images, right) if name == "nvcr.io" else _open(name, images)
                for name, images in asked.items()
            )
        )

    def _nvcr(self, references: list[Reference], right: bool) -> RegistryAccess:
        images = [
            ImageAccess(one, self.errors.get(one) if right else REFUSED if one == PRIVATE else None)
            for one in references
        ]
        return RegistryAccess(
            "nvcr.io",
            LoginStanding.ACCEPTED if right else LoginStanding.REFUSED,
            tuple(images),
            "$oauthtoken",
            "this run only" if right else "~/.docker/config.json",
            None if right else REFUSED,
            shadows=self.shadows,
        )


def _open(name: str, references: list[Reference]) -> RegistryAccess:
    return RegistryAccess(
        name, LoginStanding.NOT_NEEDED, tuple(ImageAccess(reference) for reference in references)
    )


def crossing_of(state_dir: Path, *more: Reference) -> Crossing:
    """The 13 images of the drawn screen, and more."""
    settings = Settings(state_dir=state_dir)
    made = Crossing(settings)
    wishes = tuple(Wish(reference) for reference in (*PUBLIC, PRIVATE, HUB, *more))
    made.collection = Collection(wishes, settings=settings)
    return made


def route(crossing: Crossing, *more: str) -> Route:
    makers: dict[str, Any] = {"Images": partial(PlaceholderScreen, "Images")}
    makers["Logins"] = partial(LoginsScreen, crossing)
    for name in ("Review", "Save", "Verify", *more):
        makers[name] = partial(PlaceholderScreen, name)
    return Route("Online side", makers)


async def type_key(pilot: Pilot[None], text: str = KEY) -> None:
    """Typed into what has the focus, with Enter."""
    await pilot.press(*("minus" if letter == "-" else letter for letter in text), "enter")
