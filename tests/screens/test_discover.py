"""Finding images in use: where to look, the looking and its stop, what was found, what is added."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.merging import merged
from airgap_tui.engine.events import ItemChanged, ItemState, JobStarted, Sink
from airgap_tui.engine.guide.answers import Origination
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import HostSeen, Looking
from airgap_tui.engine.guide.where import Where
from airgap_tui.engine.jobs.discovery import discover
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult, DiscoverSpec
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.plain_text import cells, harmless
from airgap_tui.engine.settings import Settings
from screens import discovered_rows
from screens.app import WizardApp
from screens.discover import DiscoverScreen
from screens.images import ImagesScreen
from screens.look import Look
from screens.modals.pages import ErrorPage, TextPage
from screens.widgets.controls import Checkbox
from screens.widgets.fields import Field
from screens.widgets.table import Table
from tests.screens import cluster
from tests.screens.arrivals import settled, until
from tests.screens.conftest import rows
from tests.screens.test_images import route
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
HISTORY = """\
#1748772000
docker run --rm nvcr.io/nvidia/pytorch:25.06-py3 nvidia-smi
#1748858400
docker run nvcr.io/nvidia/pytorch:25.06-py3
#1748858401
docker run lab/$MODEL:1
"""
CLUSTER = Where(hosts="dgx[01-03]")


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return Crossing(Settings(state_dir=state_dir))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DiscoverSpec]:
    """What was asked for; a cluster answers at once."""
    specs: list[DiscoverSpec] = []

    def run(spec: DiscoverSpec, sink: Sink, token: CancelToken) -> DiscoverResult:
        specs.append(spec)
        return cluster.at_once(spec, sink, token)

    monkeypatch.setattr(discover, "run", run)
    return specs


async def opened(pilot: Pilot[None]) -> DiscoverScreen:
    """The page, reached from Images as a person does."""
    pilot.app.screen.query_one("#find").focus()
    await pilot.press("enter")
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, DiscoverScreen)
    return screen


async def looked(pilot: Pilot[None]) -> list[str]:
    """The rows once looking is over."""
    screen = await opened(pilot)
    screen.way_on.focus()
    await pilot.press("enter")
    return await settled(pilot)


def seen(pilot: Pilot[None]) -> list[str]:
    return rows(pilot.app)  # type: ignore[arg-type]


# --- where to look --------------------------------------------------------------------------------


def test_nothing_is_asked_before_the_button_is_pressed(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec], snapshot: Callable[..., None]
) -> None:
    crossing.where = CLUSTER

    async def steps(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        assert not screen.under_way()
        shown = seen(pilot)
        assert shown[22].endswith("> [ Look on 4 machines ]"), "the likeliest control"
        assert "3 hosts" in shown[6]
        assert asked == []
        snapshot(pilot.app, "discover_where_80x24")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ImagesScreen)
        await opened(pilot)
        assert pilot.app.screen.query_one("#hosts", Field).value == "dgx[01-03]"
        await pilot.press("enter")
        await settled(pilot)
        assert [host.name for host in asked[0].hosts] == ["dgx01", "dgx02", "dgx03"]
        assert asked[0].here

    wizard(steps, route=route(crossing))


def test_what_cannot_be_read_shuts_the_way_on_with_the_reason(
    wizard: Drive, crossing: Crossing, tmp_path: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        for name, text, reason, shut in (
            ("hosts", "dgx[01-", "a bracket is not closed", "not a range of nodes"),
            ("hosts", "-oProxyCommand=x", "Not a host to log in to", "not a host to log in to"),
            (
                "hosts",
                f"{tmp_path}/absent",
                "There is no such inventory",
                "there is no such inventory",
            ),
            ("files", f"{tmp_path}/gone", "There is no such file:", "there is no such file"),
            ("files", "'x", "A quotation mark is not closed", "a quotation mark is not closed"),
        ):
            screen.query_one(f"#{name}", Field).value = text
            await pilot.pause()
            assert reason in " ".join(seen(pilot)), reason
            assert f"Not yet: {shut}" in seen(pilot)[22]
            screen.query_one(f"#{name}", Field).value = ""
            await pilot.pause()
            assert "Not yet" not in seen(pilot)[22]
        screen.query_one("#here", Checkbox).focus()
        await pilot.press("space")
        assert "Not yet: choose where to look." in seen(pilot)[22]

    wizard(steps, route=route(crossing))


@pytest.mark.parametrize(
    ("where", "command"),
    [
        (Where(), "airgap-tui discover"),
        (Where(hosts="n1 admin@n2:22"), "airgap-tui discover --here --host n1 --host admin@n2:22"),
        (Where(False, "dgx[01-02, 7],n1"), "airgap-tui discover --nodes 'dgx[01-02,7],n1'"),
        (Where(False, "ssh://n1"), "airgap-tui discover --host ssh://n1"),
    ],
)
def test_the_command_does_the_same(
    wizard: Drive, crossing: Crossing, where: Where, command: str
) -> None:
    crossing.where = where

    async def steps(pilot: Pilot[None]) -> None:
        assert (await opened(pilot)).command == command

    wizard(steps, route=route(crossing))


def test_an_inventory_is_opened_when_it_is_needed(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec], tmp_path: Path
) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_bytes(b"\xff\xfe broken")
    crossing.where = Where(False, str(inventory))

    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        assert isinstance(pilot.app.screen, ErrorPage)
        assert asked == []
        await pilot.press("escape")
        assert seen(pilot)[22].endswith("[ Look on all of them ]"), "what was typed stays"
        inventory.write_text("[all]\nn1\nn2 ansible_ssh_extra_args=-x\n")
        pilot.app.screen.query_one("#onward").focus()
        await pilot.press("enter")
        await settled(pilot)
        assert [host.name for host in asked[0].hosts] == ["n1", "n2"]
        await pilot.press("o")
        assert "ansible_ssh_extra_args is not used" in pilot.app.screen.query_one("TextPane").text  # type: ignore[attr-defined]

    wizard(steps, route=route(crossing))


# --- looking --------------------------------------------------------------------------------------


def test_counts_are_live_and_a_stop_keeps_what_was_found(
    wizard: Drive,
    crossing: Crossing,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: Callable[..., None],
) -> None:
    monkeypatch.setattr(discover, "run", cluster.until_stopped)
    now = [0.0]
    monkeypatch.setattr("screens.discover.monotonic", lambda: now[0])
    crossing.where = CLUSTER

    async def steps(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await pilot.press("enter")
        shown = await until(pilot, "2 of 4 hosts are read, 63 names found")
        assert "> ! dgx02" in shown[7] and "No answer: connection refused" in shown[7]
        assert any("slurmd logs" in row and "Not readable: it may not be" in row for row in shown)
        assert any("slurmd logs" in row and "41 names" in row for row in shown)
        assert "Opens by itself when looking ends." in shown[22]
        assert "[ Stop ]" in shown[22] and "Esc stop" in shown[23]
        now[0] = 12.5
        await until(pilot, "12 s so far")
        snapshot(pilot.app, "discover_looking_80x24")
        await pilot.press("escape")
        shown = await settled(pilot)
        assert isinstance(pilot.app.screen, DiscoverScreen)
        assert shown[3].startswith("  Stopped. 7 of 7 images in use are chosen")
        assert any("dgx01" in row and "Stopped before all of it was read" in row for row in shown)
        assert "[ Add 7 images ]" in shown[22]

    wizard(steps, route=route(crossing))


def test_leaving_the_program_in_the_middle_stops_the_job(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[CancelToken] = []

    def run(spec: DiscoverSpec, sink: Sink, token: CancelToken) -> DiscoverResult:
        tokens.append(token)
        return cluster.until_stopped(spec, sink, token)

    monkeypatch.setattr(discover, "run", run)

    async def steps(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, "names found")
        await pilot.press("f10")

    wizard(steps, route=route(crossing))
    assert tokens[0].cancelled


# --- what was found -------------------------------------------------------------------------------


def test_real_files_are_read(wizard: Drive, crossing: Crossing, tmp_path: Path) -> None:
    (tmp_path / ".bash_history").write_text(HISTORY)
    crossing.where = Where(False, "", f"{tmp_path}/.bash_history")

    async def steps(pilot: Pilot[None]) -> None:
        shown = await looked(pilot)
        assert shown[3] == "  1 of 1 image in use is chosen; 1 other name is not."
        assert any("> [x] nvcr.io/n../pytorch" in row and "2025-06-02" in row for row in shown)
        screen = pilot.app.screen
        assert isinstance(screen, DiscoverScreen)
        assert screen.command == f"airgap-tui discover {tmp_path}/.bash_history"
        await pilot.press("o")
        await pilot.pause()
        text = "\n".join(seen(pilot))
        assert "lab/$MODEL:1" in text and "it depends on $MODEL" in text
        await pilot.press("escape", "tab", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ImagesScreen)
        (wish,) = [wish for wish in crossing.collection.wishes if wish.chosen]
        assert (str(wish.reference), wish.found_in) == (
            "nvcr.io/nvidia/pytorch:25.06-py3",
            Origination.HISTORY,
        )

    wizard(steps, route=route(crossing))


def test_found_images_are_chosen_and_added_with_where_they_were(
    wizard: Drive,
    crossing: Crossing,
    asked: list[DiscoverSpec],
    snapshot: Callable[..., None],
) -> None:
    crossing.where = CLUSTER

    async def steps(pilot: Pilot[None]) -> None:
        shown = await looked(pilot)
        assert shown[3] == "  7 of 7 images in use are chosen; 3 other names are not."
        assert any(row.startswith("  * ! Everywhere") and "7 images" in row for row in shown)
        assert sum(row.startswith("  >") or " > [" in row for row in shown) == 1
        for _ in range(5):
            await pilot.press("down")
        assert (
            "Used 41 times, last on 2025-06-27; 29 times in the slurmd log of dgx03"
            in seen(pilot)[18]
        )
        snapshot(pilot.app, "discover_found_80x24")
        await pilot.press("home", "space")
        assert "6 of 7 images in use are chosen" in seen(pilot)[3]
        assert "[ Add 6 images ]" in seen(pilot)[22]
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ImagesScreen)
        assert len(crossing.collection.chosen) == 6
        await pilot.press("end", "up")
        shown = seen(pilot)
        assert any("> [x] nvcr.io/nvidia/pytorch" in row and "3 places" in row for row in shown)
        detail = "        Used 41 times, last on 2025-06-27; 29 times in the slurmd log of dgx03"
        assert detail in shown
        snapshot(pilot.app, "images_in_use_80x24")
        await opened(pilot)
        assert len(asked) == 1, "what was found is kept; nothing is asked again"
        assert "6 of 7 images in use are chosen" in seen(pilot)[3]
        await pilot.press("escape")
        assert len(crossing.collection.chosen) == 6

    wizard(steps, route=route(crossing))


def test_looking_elsewhere_can_be_thought_better_of(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec]
) -> None:
    crossing.where = CLUSTER

    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        pilot.app.screen.query_one("#again").focus()
        await pilot.press("enter")
        field = pilot.app.screen.query_one("#hosts", Field)
        field.value = "other["
        await pilot.pause()
        assert "Where are images in use?" in seen(pilot)[3]
        await pilot.press("escape")
        shown = seen(pilot)
        assert "7 of 7 images in use are chosen" in shown[3]
        assert "Looked in  This machine, 3 hosts" in shown[5]
        assert "airgap-tui discover --here --nodes 'dgx[01-03]'" in shown[21]
        assert "[ Add 7 images ]" in shown[22]
        pilot.app.screen.query_one("#again").focus()
        await pilot.press("enter")
        assert field.value == "other[", "what was typed stays"
        field.value = "other"
        await pilot.pause()
        assert "[ Look on 2 machines ]" in seen(pilot)[22]
        pilot.app.screen.query_one("#onward").focus()
        await pilot.press("enter")
        assert "Looked in  This machine, 1 host" in (await settled(pilot))[5]
        assert [len(spec.hosts) for spec in asked] == [3, 1]

    wizard(steps, route=route(crossing))


def test_nothing_chosen_shuts_the_way_on(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        await pilot.press("a")
        shown = seen(pilot)
        assert "Not yet: choose at least one image." in shown[22]
        assert not any("[x]" in row for row in shown)
        await pilot.press("a")
        assert "[ Add 7 images ]" in seen(pilot)[22]

    wizard(steps, route=route(crossing))


def test_a_filter_and_a_place_narrow_what_all_means(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        await pilot.press("slash", *"nvcr", "space", *"cuda", "enter", "a")
        assert "6 of 7 images in use are chosen" in seen(pilot)[3]
        await pilot.press("escape", "shift+tab")
        await pilot.press("end")
        assert pilot.app.screen.query_one("#spots", Table).current == "dgx03\nslurmd-log"
        assert len(pilot.app.screen.query_one("#images", Table).rows) == 3
        await pilot.press("tab", "a")
        assert "7 of 7 images in use are chosen" in seen(pilot)[3]
        await pilot.press("a")
        assert "4 of 7 images in use are chosen" in seen(pilot)[3]

    wizard(steps, route=route(crossing))


def test_what_could_not_be_read_is_told_with_its_remedy(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        await pilot.press("shift+tab", "down")
        shown = seen(pilot)
        assert "> ! dgx02" in shown[8]
        assert shown[18].startswith("    It cannot be reached: ssh: connect to host dgx02")
        assert shown[19] == "    Is it up, and does ssh get there from here? Try  ssh dgx02"
        await pilot.press("down", "down")
        shown = seen(pilot)
        assert shown[18] == "    dgx01:/var/log/slurm/slurmd.log: it may not be read"
        assert shown[19].startswith("    Run this as root, or copy the log here")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, TextPage)
        text = "\n".join(seen(pilot))
        assert "slurmd logs: Not readable: it may not be read" in text
        assert "Run this as root to read the histories of all users." in text
        await pilot.press("escape")
        await pilot.press("end", "up", "up", "up")
        assert "Not there, so not asked: Podman." in seen(pilot)[19]

    wizard(steps, route=route(crossing))


def test_nothing_found_never_looks_like_nothing_used(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cluster.result()
    empty = replace(whole, discovery=replace(whole.discovery, images=()))

    def run(spec: DiscoverSpec, sink: Sink, token: CancelToken) -> DiscoverResult:
        cluster.at_once(spec, sink, token)
        return empty

    monkeypatch.setattr(discover, "run", run)

    async def steps(pilot: Pilot[None]) -> None:
        shown = await looked(pilot)
        assert shown[3] == (
            "  No image in use was found; 2 sources not readable; 3 names left aside."
        )
        assert "Not yet: nothing was found to add." in shown[22]
        assert any(row.lstrip(" >").startswith("! Everywhere") for row in shown)

    wizard(steps, route=route(crossing))


def test_sorting_by_use_and_by_time(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        table = pilot.app.screen.query_one("#images", Table)
        await pilot.press("s")
        assert [row.cells[2] for row in table.rows] == ["41", "7", "4", "4", "2", "1", "1"]
        assert "Sorted by use." in seen(pilot)[23]
        await pilot.press("s")
        assert [row.cells[3] for row in table.rows][:3] == [
            "2025-06-27",
            "2025-06-26",
            "2025-06-24",
        ]

    wizard(steps, route=route(crossing))


@in_windows("120x40", "no_colour", look=ASCII)
def test_other_windows(
    wizard: Drive,
    crossing: Crossing,
    asked: list[DiscoverSpec],
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    crossing.where = CLUSTER

    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        snapshot(pilot.app, f"discover_found_{name}")

    wizard(steps, route=route(crossing), size=size, look=look)


def test_an_image_that_was_left_out_is_not_chosen_for_being_in_use(
    wizard: Drive, crossing: Crossing, asked: list[DiscoverSpec]
) -> None:
    ubuntu = Reference.parse("ubuntu:24.04")

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press(*"ubuntu", "colon", *"24", "full_stop", *"04", "enter")
        crossing.wish(crossing.collection.choosing(False, ubuntu))
        shown = await looked(pilot)
        assert "6 of 7 images in use are chosen" in shown[3]
        assert any("[ ] docker.io..y/ubuntu" in row for row in shown)

    wizard(steps, route=route(crossing))


# --- thousands, and hostile ones ------------------------------------------------------------------


def many(number: int) -> DiscoverResult:
    found = [
        Finding(f"x/y{n}:1", Reference.parse(f"x/y{n}:1"), Kind.HISTORY, Place("h", n + 1))
        for n in range(number)
    ]
    return replace(cluster.result(), discovery=merged(found), sources=(), hosts=())


def test_thousands_of_rows_stay_quick(wizard: Drive, crossing: Crossing) -> None:
    here = (HostSeen("this machine", ItemState.DONE),)
    crossing.searched = Searched(many(5000), hosts=here)
    taken: list[float] = []

    async def steps(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        assert "5000 of 5000 images" in seen(pilot)[3]
        for keys in (("down",), ("space",), ("a",), ("slash", "7"), ("enter", "s")):
            begun = time.process_time()
            await pilot.press(*keys)
            taken.append(time.process_time() - begun)
        screen.go_on()
        await pilot.pause()
        begun = time.process_time()
        await pilot.press("down", "a")
        taken.append(time.process_time() - begun)
        assert isinstance(pilot.app.screen, ImagesScreen)

    wizard(steps, route=route(crossing))
    assert max(taken) < 1.0, taken


@given(
    st.text(max_size=40),
    st.text(min_size=1, max_size=20),
    st.text(max_size=60),
    st.sampled_from(list(Kind)),
    st.booleans(),
)
def test_hostile_names_cannot_break_the_display(
    written: str, host: str, reason: str, kind: Kind, stopped: bool
) -> None:
    """Whatever a source says: each row and each line fits its cells, and nothing steers."""
    looking = Looking()
    looking.take(JobStarted("discover", "", (host,)))
    looking.take(ItemChanged(host, ItemState.FAILED, reason))
    image = Reference.parse("nvcr.io/nvidia/pytorch:1")
    found: list[Finding | Remark] = [
        Finding(written, None, kind, Place(written, 1, host), State.OTHER, reason=reason),
        Finding("x", image, kind, Place(written, 2, host)),
        Remark(kind, Place(written, 0, host), reason, written),
        Remark(None, Place("ssh", 0, host), reason, written),
    ]
    result = replace(cluster.result(stopped=stopped), discovery=merged(found))
    searched = Searched(result, hosts=looking.hosts(), remarks=(reason,))
    look = Look(ascii=True)
    for row in (*discovered_rows.live_rows(looking.hosts()), *discovered_rows.spot_rows(searched)):
        for cell in row.cells:
            assert look.text(cell).isascii() and harmless(look.text(cell)) == look.text(cell)
    for spot in discovered_rows.spots(searched.hosts):
        for line in discovered_rows.told(spot, searched):
            shown = look.text(line)
            assert "\n" not in shown and cells(shown) == len(shown)


def hostile(_spec: DiscoverSpec, sink: Sink, _token: CancelToken) -> DiscoverResult:
    evil = "\x1b[2J\x1b]0;owned\x07[bold red]x[/bold red]\u202e\n\r"
    sink(JobStarted("discover", "", ("this machine",)))
    sink(ItemChanged("this machine", ItemState.FAILED, evil))
    image = Reference.parse("nvcr.io/nvidia/pytorch:1")
    found: list[Finding | Remark] = [
        Finding(evil, None, Kind.HISTORY, Place(evil, 1, ""), State.OTHER, reason=evil),
        Finding("x", image, Kind.HISTORY, Place(evil, 2, "")),
        Remark(None, Place(evil, 0, ""), evil, evil),
    ]
    return replace(cluster.result(), discovery=merged(found))


def test_hostile_names_on_every_page(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discover, "run", hostile)

    def harmless_rows(pilot: Pilot[None]) -> None:
        shown = seen(pilot)
        assert len(shown) == 24
        assert all(row.isprintable() and cells(row) <= 80 for row in shown)
        assert shown[23].endswith("F1 help   F10 quit")

    async def steps(pilot: Pilot[None]) -> None:
        await looked(pilot)
        harmless_rows(pilot)
        for keys in (("enter",), ("escape", "shift+tab"), ("enter",), ("escape", "o")):
            await pilot.press(*keys)
            await pilot.pause()
            harmless_rows(pilot)

    wizard(steps, route=route(crossing))
