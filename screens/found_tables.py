"""Images in use, as they are found: the hosts and sources, and the images of the one in focus."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from airgap_tui.engine.discovery.merging import DiscoveredImage
from airgap_tui.engine.guide import in_use
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import HostSeen
from screens import discovered_rows, names
from screens.discovered_rows import EVERYWHERE, ORDERS, Spot, image_cells, in_order
from screens.widgets.controls import Button, Row
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap, Line

_SPOTS = [
    Column("Host and source", 22, grow=1),
    Column("Found", 10, gap=1, right=True),
    Column("State", 37, grow=2),
]
_NUMBERS = [
    Column("Used", 5, gap=1, right=True),
    Column("Last use", 10),
    Column("Found in", 8, gap=1),
]


class FoundTables(Vertical):
    """`spots` and `images` are the tables; two lines below them tell of the row in focus."""

    def __init__(self, crossing: Crossing, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._crossing = crossing
        self._found: Searched | None = None
        self._order = ORDERS[0]
        self._spots: dict[str, Spot] = {}
        self._images: dict[str, DiscoveredImage] = {}
        self._cells: dict[str, tuple[str, ...]] = {}
        self.spots = Table(
            _SPOTS, marks=True, belongs=True, status=False, enter="details", id="spots"
        )
        self.images = Table(_NUMBERS, boxes=True, enter="details", id="images")
        self.spots.styles.height, self.images.styles.height = "4fr", "7fr"
        self._looked, self._again = (
            Line(id="looked", indent=2),
            Button("Look elsewhere", id="again"),
        )
        self._between = Gap()
        self._told, self._more = Line(indent=2, id="told"), Line(indent=2, id="more")

    def compose(self) -> ComposeResult:
        yield Row(self._looked, self._again, id="places")
        yield self.spots
        yield self._between
        yield self.images
        yield self._told
        yield self._more

    # What they show

    def begin(self, where: str) -> None:
        """Nothing is found yet."""
        self._show_images(False)
        self._found = None
        self._looked.show(f"Looking in  {where}")
        self.spots.styles.max_height = None
        self.spots.show([], empty="Beginning ..")

    def draw(self, hosts: Sequence[HostSeen]) -> None:
        """What is found until now."""
        self._spots = {spot.key: spot for spot in discovered_rows.spots(hosts)}
        self.spots.show(discovered_rows.live_rows(hosts))
        self.tell()

    def end(self, found: Searched) -> None:
        """All of what was found."""
        self._show_images(True)
        self._found = found
        self._looked.show(f"Looked in  {found.asked.in_words}")
        self._spots = {spot.key: spot for spot in discovered_rows.spots(found.hosts)}
        self._images = {str(image.reference): image for image in found.images}
        common = names.common_registry(self._images)
        self._cells = {name: image_cells(image, common) for name, image in self._images.items()}
        heading = f"Image, on {common}" if common else "Image"
        self.images.show(
            columns=[
                Column(heading, 19, grow=1),
                Column("Tag", 23, gap=1, grow=1),
                *_NUMBERS,
            ]
        )
        rows = discovered_rows.spot_rows(found)
        self.spots.styles.max_height = len(rows) + 1
        self.spots.show(rows)
        self.spots.current = EVERYWHERE if len(found.hosts) > 1 else rows[0].key if rows else ""
        self.choose(found)

    def choose(self, found: Searched) -> None:
        """The same with other images chosen."""
        self._found = found
        spot = self._spots.get(self.spots.current)
        images = [
            (name, image) for name, image in self._images.items() if spot is None or spot.has(image)
        ]
        rows = [
            TableRow(name, self._cells[name], chosen=image.reference not in found.left_out)
            for name, image in in_order(images, self._order)
        ]
        nothing = "No image in use is named here." if found.images else "Nothing is in use."
        self.images.show(rows, empty=nothing)
        self.tell()

    def _show_images(self, shown: bool) -> None:
        self._again.display = self._between.display = self.images.display = shown

    def tell(self) -> None:
        """Two lines on the row in focus."""
        text, more = "", ""
        image = self._images.get(self.images.current)
        if self.spots.has_focus or self._found is None or image is None:
            spot = self._spots.get(self.spots.current)
            if spot is not None:
                text, more = discovered_rows.told(spot, self._found)
        else:
            listed = any(w.reference == image.reference for w in self._crossing.collection.wishes)
            text = in_use.used(image)
            more = f"{'In your list already; ' * listed}{in_use.places(image)}"
        self._told.show(text)
        self._more.show(more)

    def on_table_moved(self, event: Table.Moved) -> None:
        event.stop()
        if event.table is self.spots and self._found is not None:
            self.choose(self._found)
        else:
            self.tell()

    # What can be asked of them

    def these(self, keys: Sequence[str]) -> list[DiscoveredImage]:
        """The images of rows."""
        return [self._images[name] for name in keys if name in self._images]

    def spot(self, key: str) -> Spot | None:
        """What a row of the hosts and sources stands for."""
        return self._spots.get(key)

    def sort(self) -> str:
        """Put the images in the next order, and name it."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        if self._found is not None:
            self.choose(self._found)
        return self._order
