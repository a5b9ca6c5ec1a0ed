"""Three of the drawn screens with example data: what the frame and the widgets are held against."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widget import Widget

from screens.base import WizardScreen
from screens.keys import key
from screens.look import Mark
from screens.steps import Route, StepState
from screens.widgets.controls import Button, Row
from screens.widgets.fields import Field
from screens.widgets.options import Choice, Option
from screens.widgets.rows import Column, TableRow
from screens.widgets.select import Select
from screens.widgets.table import Table
from screens.widgets.text import Bar, Gap, Line, Stops

IMAGES = [
    ("docker.io/library/registry", "2", "offered", True),
    ("nvcr.io/nim/meta/llama3-8b-instruct", "1.0.3", "typed", True),
    ("nvcr.io/nvidia/cuda", "11.8.0-devel-ubuntu22.04", "Docker", False),
    ("nvcr.io/nvidia/cuda", "12.9.1-base-ubuntu24.04", "list", True),
    ("nvcr.io/nvidia/cuda", "12.9.1-devel-ubuntu24.04", "list", True),
    ("nvcr.io/nvidia/hpc-benchmarks", "25.04", "NGC", True),
    ("nvcr.io/nvidia/k8s/dcgm-exporter", "4.2.3-4.1.3-ubuntu22.04", "pods", True),
    ("nvcr.io/nvidia/pytorch", "25.06-py3", "3 places", True),
    *((f"nvcr.io/nvidia/more-{n}", "1", "list", n > 2) for n in range(9)),
]


class ImagesScreen(WizardScreen[None]):
    step = "Images"
    help_text = "Which images to carry."

    def body(self) -> ComposeResult:
        yield Field(
            "Add one",
            "nvcr.io/nvidia/pytorch",
            below="No tag given: this means pytorch:latest, which changes.",
            enter="add",
            many=True,
            after=[Button("Add", id="add")],
            id="name",
        )
        yield Row(
            Button("NGC catalogue", label="Add many", id="ngc"),
            Button("Find images in use", id="find"),
            Button("List file", id="list"),
        )
        yield Gap()
        yield Table(
            [
                Column("Image", 35, grow=2),
                Column("Tag", 24, gap=1, grow=1),
                Column("Found in", 8),
            ],
            boxes=True,
            delete="remove",
            empty="No images yet. Type a name, or open one of the three sources above.",
            id="images",
        )

    def on_open(self) -> None:
        self.chosen = {f"{image}:{tag}" for image, tag, _, chosen in IMAGES if chosen}
        self.command = "airgap-tui plan -f images_list.txt -b /data/pod-2025-07"
        table = self.query_one("#images", Table)
        self.fill()
        table.current = "nvcr.io/nvidia/pytorch:25.06-py3"

    def fill(self) -> None:
        rows = [
            TableRow(f"{image}:{tag}", (image, tag, place), chosen=f"{image}:{tag}" in self.chosen)
            for image, tag, place, _ in IMAGES
        ]
        self.query_one("#images", Table).show(
            rows, detail="Used 41 times, last on 2025-06-27; 29 times in the slurmd log of dgx03"
        )
        count = len(self.chosen)
        self.excerpt = f"Choose the images to carry. {count} of {len(IMAGES)} are chosen."
        self.onward = "Next: Logins"
        self.not_yet = "" if count else "Not yet: choose at least one image."

    def likeliest(self) -> Widget:
        return self.query_one("#images")

    def on_table_chosen(self, event: Table.Chosen) -> None:
        if event.chosen:
            self.chosen.update(event.keys)
        else:
            self.chosen.difference_update(event.keys)
        self.fill()

    def go_on(self) -> None:
        self.wizard.step_on(self)


SAVING = [
    ("nvidia/hpc-benchmarks:25.04", Mark.NEEDS_YOU, "Failed", "-", "4.3 GB"),
    ("nvidia/tritonserver:25.06-py3", Mark.UNDER_WAY, "Saving 34%", "2.1 GB", "6.2 GB"),
    ("nim/meta/llama3-8b-instruct:1.0.3", Mark.UNDER_WAY, "Saving 17%", "900 MB", "5.2 GB"),
    (
        "nvidia/rapidsai/base:25.06-cuda12.8-py3.12",
        Mark.UNDER_WAY,
        "Retry in 8 s",
        "700 MB",
        "4.4 GB",
    ),
    ("nvidia/cuda:12.9.1-devel-ubuntu24.04", Mark.WAITING, "Waiting", "-", "3.5 GB"),
    ("nvidia/physicsnemo:25.06", Mark.WAITING, "Waiting", "-", "1.7 GB"),
    ("nvidia/tensorrt:25.06-py3", Mark.WAITING, "Waiting", "-", "1.5 GB"),
    ("nvidia/cuda:12.9.1-base-ubuntu24.04", Mark.WAITING, "Waiting", "-", "98 MB"),
    ("nvidia/cuda:12.9.0", Mark.WAITING, "Waiting", "-", "98 MB"),
    *((f"nvidia/done-{n}:1", Mark.DONE, "Done", "1.0 GB", "1.0 GB") for n in range(4)),
]


class SaveScreen(WizardScreen[None]):
    step = "Save"
    BINDINGS = [  # noqa: RUF012
        key("t", "layers", "layers"),
        key("g", "log", "log"),
        key("s", "stop", "stop"),
    ]

    def body(self) -> ComposeResult:
        yield Bar(44.3 / 63.2, id="bar")
        yield Stops(
            ["44.3 of 63.2 GB", "118 MB/s", "about 3 min left", "6 min 15 s so far"], id="rates"
        )
        yield Gap()
        yield Table(
            [
                Column("Image, on nvcr.io unless named", 42, grow=1),
                Column("State", 12, gap=1),
                Column("Done", 6, gap=2, right=True),
                Column("Of", 6, gap=3, right=True),
            ],
            marks=True,
            enter="details",
            filters=False,
            more="more rows",
            id="items",
        )
        yield Gap()
        yield Line(
            "nvcr.io answered 503 five times. The others go on; try again at the end.", id="said"
        )

    def on_open(self) -> None:
        self.excerpt = "Saving 13 images. You may close this window; the work goes on without it."
        self.command = "airgap-tui attach pod-2025-07"
        self.back, self.onward = "Stop", "Next: Verify"
        self.not_yet = "Opens by itself when saving ends."
        rows = [
            TableRow(name, (name, state, done, of), mark=mark)
            for name, mark, state, done, of in SAVING
        ]
        self.query_one(Table).show(rows, left="1 failed, 3 saving, 5 waiting, 4 done")

    def key_text(self, action: str) -> str | None:
        return "leave" if action == "leave" else super().key_text(action)


PLACES = [
    Option("registry", "An existing registry", "All hosts pull from it"),
    Option("new", "A new registry here", "Runs in Docker; this bundle holds registry:2"),
    Option("docker", "Docker on this host", "Version 27.3; needs about 190 GB, 1.1 TB free"),
    Option("serve", "Serve from here", "Hosts pull straight from the media; no copy"),
    Option("files", "Files for Slurm jobs", "One .sqsh per image, in a shared folder"),
]


class DestinationScreen(WizardScreen[None]):
    step = "Destination"
    BINDINGS = [key("p", "names", "names")]  # noqa: RUF012

    def body(self) -> ComposeResult:
        yield Choice(PLACES, id="place")
        yield Gap()
        yield Field("Registry", "harbor.pod.lan", width=26, note="Answers", id="registry")
        yield Field("Project", "ngc", width=26, note="Exists, and you may write to it")
        yield Field("Login", "robot$ngc", width=26, note="Accepted")
        yield Select(
            "Security", [Option("ca", "TLS, our own CA")], note="Checked with pod-ca.pem", id="tls"
        )
        yield Select(
            "Names",
            [
                Option("without", "Without nvcr.io"),
                Option("with", "With nvcr.io in the path"),
                Option("own", "Own rules"),
            ],
            note="13 names, all different",
            id="names",
        )
        yield Gap()
        yield Line("nvcr.io/nvidia/pytorch:25.06-py3 becomes", right="P shows all 13", indent=2)
        yield Line("harbor.pod.lan/ngc/nvidia/pytorch:25.06-py3", indent=2)
        yield Line("Scripts that say nvcr.io need the new name, or a rule on each host.", indent=2)

    def on_open(self) -> None:
        self.excerpt = "Where should the 13 images go? Nothing is changed before Review."
        self.command = "airgap-tui push /media/usb[123] harbor.pod.lan/ngc --ca /etc/pki/pod-ca.pem"
        self.onward = "Next: Review"


class PlaceholderScreen(WizardScreen[None]):
    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step  # type: ignore[misc]


class FirstScreen(WizardScreen[None]):
    title_text = "Welcome"


def online() -> Route:
    """The online side, with the steps as they are drawn."""
    return Route(
        "Online side",
        {
            "Images": ImagesScreen,
            "Logins": lambda: PlaceholderScreen("Logins"),
            "Review": lambda: PlaceholderScreen("Review"),
            "Save": SaveScreen,
            "Verify": lambda: PlaceholderScreen("Verify"),
            "Export": lambda: PlaceholderScreen("Export"),
        },
    )


def offline() -> Route:
    """The offline side, with the steps as they are drawn."""
    return Route(
        "Offline side",
        {
            "Open": lambda: PlaceholderScreen("Open"),
            "Verify": lambda: PlaceholderScreen("Verify"),
            "Destination": DestinationScreen,
            "Review": lambda: PlaceholderScreen("Review"),
            "Deliver": lambda: PlaceholderScreen("Deliver"),
        },
    )


def done_before(route: Route, name: str) -> Route:
    """The route with all steps before this one done."""
    for before in route.names[: route.names.index(name)]:
        route.set_state(before, StepState.DONE)
    return route
