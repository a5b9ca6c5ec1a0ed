"""What an engine of this host says before anything is loaded: is it there, may we use it, is there
room for what a bundle would bring? Nothing is changed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.jobs.engine_room import load_needs
from airgap_tui.engine.jobs.load_bundles import choose, held, weights
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class EngineStanding:
    """`name` is what answers, such as `Docker 27.3`, and empty where nothing does; `problem` and
    `remedy` then say why. `host` is its address, `root` its directory on this machine. `needed` and
    `free` are bytes of its disk, `free` None where that cannot be seen; `held` are the images that
    it has already, and `unloadable` those that no engine takes."""

    name: str = ""
    host: str = ""
    root: str = ""
    needed: int = 0
    free: int | None = None
    held: int = 0
    unloadable: tuple[str, ...] = ()
    problem: str = ""
    remedy: str = ""

    @property
    def lacking(self) -> int:
        """Bytes of room that are missing."""
        return 0 if self.free is None else max(0, self.needed - self.free)


def ask(
    kind: Kind,
    host: str | None,
    bundle: Path,
    references: Sequence[Reference],
    token: CancelToken,
    platform: Platform | None = DEFAULT_PLATFORM,
) -> EngineStanding:
    """Ask the engine at `host`, or where environment and contexts say; `references` empty stands
    for all of the bundle. Raises `Stopped`."""
    try:
        with Engine.connect(host, kind) as engine:
            token.check()
            wanted, left = choose(
                (BundleReader.open(bundle),), references, None, platform or DEFAULT_PLATFORM
            )
            to_send = []
            for one in wanted:
                token.check()
                if not held(engine, one):
                    to_send.append(one)
            info = engine.info
            return EngineStanding(
                info.name,
                info.host,
                "" if info.root is None else str(info.root),
                load_needs(engine, *weights(to_send)),
                engine.room(),
                len(wanted) - len(to_send),
                tuple(result.reference for result in left if not result.error),
            )
    except AirgapError as error:
        token.check()
        return EngineStanding(problem=error.message, remedy=error.hint)
