"""What a job reports: typed, frozen facts. `Sink` takes them, from any thread, quickly.

A job never draws. Front ends fold events into a `progress.Snapshot` and draw that when they like.
Items and blobs are named by text here (an item by its full reference, a blob by its digest), so
that an event serialises to JSON as it is: `as_json()`. They are named tuples, because every program
start defines them all and every chunk of a layer makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple


class ItemState(str, Enum):
    """The states of an item, in JSON, journal and screens."""

    WAITING = "waiting"
    RESOLVING = "resolving"
    SAVING = "saving"
    COMPRESSING = "compressing"
    VERIFYING = "verifying"
    EXPORTING = "exporting"
    IMPORTING = "importing"
    LOADING = "loading"
    PUSHING = "pushing"
    RETRYING = "retrying"
    HELD = "held"
    LEFT_OUT = "left-out"
    FAILED = "failed"
    DONE = "done"

    @property
    def final(self) -> bool:
        return self in (ItemState.HELD, ItemState.LEFT_OUT, ItemState.FAILED, ItemState.DONE)


class JobStarted(NamedTuple):
    """A verb begins on these items; `subject` is the bundle, registry or engine it works on."""

    verb: str
    subject: str
    items: tuple[str, ...]


class ItemChanged(NamedTuple):
    """An item entered a state. `reason` says why for failed, left-out, held and retrying."""

    item: str
    state: ItemState
    reason: str = ""
    digest: str = ""


class ItemSized(NamedTuple):
    """An item is resolved: `size` bytes in all, of which `to_do` are not there yet."""

    item: str
    size: int
    to_do: int


class BlobPlanned(NamedTuple):
    """A distinct blob has to be moved or read; the total grows by `size` bytes."""

    blob: str
    size: int
    items: tuple[str, ...]


class BlobStarted(NamedTuple):
    """A transfer is under way; `offset` bytes of it were there from an earlier run."""

    blob: str
    offset: int = 0


class BlobProgress(NamedTuple):
    """So many more `bytes` of a blob went over the wire or the disk."""

    blob: str
    bytes: int


class BlobRetrying(NamedTuple):
    """A transfer broke and is tried again in `delay` seconds from `offset` bytes on."""

    blob: str
    reason: str
    delay: float
    offset: int


class BlobDone(NamedTuple):
    """A blob is where it belongs, whole and checked."""

    blob: str


class BlobDropped(NamedTuple):
    """A blob will not be moved after all (failed, or only failed items need it)."""

    blob: str
    reason: str = ""


class HostPaused(NamedTuple):
    """A host asked for a pause; every transfer with it waits `seconds`."""

    host: str
    seconds: float
    reason: str


class BlobPaused(NamedTuple):
    """A transfer waits for a login to its registry; what it has stays."""

    blob: str
    reason: str


class LoginNeeded(NamedTuple):
    """A registry refuses the login in the middle: its items wait for another one."""

    registry: str
    reason: str


class LoginSettled(NamedTuple):
    """The wait for a login is over: one was `given`, or the registry's items are left out."""

    registry: str
    given: bool


class Served(NamedTuple):
    """What was served until now: requests, those of them refused, bytes of answers."""

    requests: int
    refused: int
    sent: int


class SourceState(str, Enum):
    """How a source of images in use fared."""

    READ = "read"
    ABSENT = "absent"
    """There is no such source on that host."""
    FAILED = "failed"
    """It is there, or was named, and could not be read, or not whole."""


class SourceRead(NamedTuple):
    """A source of images in use has been read, or not, and named `found` of them. `host` is empty
    for this machine; `reason` says why of every state but read."""

    host: str
    kind: str
    path: str
    found: int
    state: SourceState = SourceState.READ
    reason: str = ""


class Level(str, Enum):
    """How much a `Note` matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Note(NamedTuple):
    """One sentence for a person: the narration of a job."""

    text: str
    level: Level = Level.INFO


class JobFinished(NamedTuple):
    """A verb has ended with this exit code."""

    verb: str
    exit_code: int


Event = (
    JobStarted
    | ItemChanged
    | ItemSized
    | BlobPlanned
    | BlobStarted
    | BlobProgress
    | BlobRetrying
    | BlobDone
    | BlobDropped
    | HostPaused
    | BlobPaused
    | LoginNeeded
    | LoginSettled
    | Served
    | SourceRead
    | Note
    | JobFinished
)

Sink = Callable[[Event], None]


def discard(_event: Event) -> None:
    """The sink for those who do not listen."""


def as_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object; `event` names its kind in kebab case."""
    return {"event": name_of(type(event)), **event._asdict()}


def name_of(kind: type) -> str:
    """What JSON calls a kind of event: `ItemChanged` is `item-changed`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("-")
