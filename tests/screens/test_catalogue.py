"""The NGC catalogue: search as you type, the rule and the hand, and what comes into the list."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.cli.main import run
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.catalogue import CatalogueScreen
from screens.images import ImagesScreen
from screens.look import Look
from screens.steps import Route
from screens.widgets.fields import Field
from screens.widgets.table import Table
from tests.engine.registry.exchange import QUICK
from tests.fakes import faults
from tests.fakes.ngc import KEY, USERNAME, FakeNgc, Repo, Tag
from tests.fakes.valve import Valve
from tests.screens.arrivals import settled, until
from tests.screens.conftest import drawing, rows
from tests.screens.gallery import PlaceholderScreen
from tests.screens.typist import typed_ahead
from tests.screens.windows import in_windows

Drive = Callable[..., WizardApp]
GB = 10**9
BOTH = ("amd64", "arm64")
PYTORCH = [
    Tag("25.06-py3", 11_200_000_000, "2025-06-24T09:00:00Z", platforms=BOTH),
    Tag("25.05-py3", 11_000_000_000, "2025-05-22T09:00:00Z", platforms=BOTH),
    Tag("25.04-py3", 10_900_000_000, "2025-04-25T09:00:00Z", platforms=BOTH),
    Tag("24.12-py3", 10_200_000_000, "2024-12-20T09:00:00Z", platforms=BOTH),
    Tag("25.06-py3-igpu", 6_300_000_000, "2025-06-24T10:00:00Z", platforms=("arm64",)),
    Tag("nightly-test", 11_400_000_000, "2025-06-25T09:00:00Z"),
    *(Tag(f"nightly-test-{n:03}", 11 * GB, "2025-05-25T09:00:00Z") for n in range(142)),
]


@pytest.fixture
def ngc() -> Iterator[FakeNgc]:
    """The catalogue as it is drawn: three of 812 repositories match."""
    with FakeNgc() as ngc:
        ngc.add(
            "nvidia/pytorch", PYTORCH, title="PyTorch", description="PyTorch", newest="25.06-py3"
        )
        ngc.add(
            "nvidia/l4t-pytorch",
            [Tag("r35.2.1", 5 * GB, "2023-02-08T09:00:00Z", platforms=("arm64",))],
            title="PyTorch for Jetson",
        )
        ngc.add(
            "nvidia/physicsnemo",
            [Tag("25.06", 9 * GB, "2025-06-26T09:00:00Z")],
            title="Physics with AI",
            description="Physics with AI, made with PyTorch",
        )
        for number in range(809):
            ngc.add(f"nvidia/more-{number:03}", [])
        yield ngc


@pytest.fixture
def crossing(ngc: FakeNgc, state_dir: Any) -> Crossing:
    return Crossing(Settings(state_dir=state_dir, network=QUICK, ngc=ngc.addresses))


def route(crossing: Crossing) -> Route:
    makers: dict[str, Any] = {"Images": partial(ImagesScreen, crossing)}
    for name in ("Logins", "Review", "Save", "Verify", "Export"):
        makers[name] = partial(PlaceholderScreen, name)
    return Route("Online side", makers)


async def open_catalogue(pilot: Pilot[None]) -> CatalogueScreen:
    """By its button on the Images screen."""
    pilot.app.screen.query_one("#ngc").focus()
    await pilot.press("enter")
    await until(pilot, "public images only")
    screen = pilot.app.screen
    assert isinstance(screen, CatalogueScreen)
    return screen


_NAMES = {
    "*": "asterisk",
    "-": "minus",
    ".": "full_stop",
    "/": "slash",
    " ": "space",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
}


async def typed(pilot: Pilot[None], field: str, text: str) -> None:
    """Put a text in the place of what is in a field, key by key."""
    screen = pilot.app.screen
    screen.query_one(f"#{field}").query_one("Input").focus()
    await pilot.press("end", "ctrl+u", *(_NAMES.get(letter, letter) for letter in text))


def put(pilot: Pilot[None], field: str, text: str) -> None:
    """Put a text into a field, as if pasted."""
    pilot.app.screen.query_one(f"#{field}", Field).value = text


async def as_drawn(pilot: Pilot[None]) -> CatalogueScreen:
    screen = await open_catalogue(pilot)
    put(pilot, "search", "pytorch")
    await until(pilot, "3 of 812 match")
    await until(pilot, "nightly-test")
    for field, text in (("latest", "2"), ("variants", "*-py3"), ("minimum", "25.01")):
        put(pilot, field, text)
    await until(pilot, "22.2 GB before sharing")
    screen.query_one("#tags").focus()
    await settled(pilot)
    return screen


def test_the_screen_is_as_drawn(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await as_drawn(pilot)
        assert shown(pilot) == drawing("3_ngc")

    wizard(steps, route=route(crossing))


@in_windows("80x24", "120x40", "ascii")
def test_pictures(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await as_drawn(pilot)
        snapshot(pilot.app, f"catalogue_{name}")

    wizard(steps, route=route(crossing), size=size, look=look)


def searched(ngc: FakeNgc) -> list[str]:
    """What the catalogue was asked to find, in order; the count of everything is left out."""
    asked = [json.loads(seen.query["q"][0]) for seen in ngc.api.seen("GET", "/search/catalog")]
    return [str(one["query"]) for one in asked if one["pageSize"] > 1]


def shown(pilot: Pilot[None]) -> list[str]:
    return rows(pilot.app)  # type: ignore[arg-type]


def row_of(pilot: Pilot[None], text: str) -> str:
    return next(row for row in shown(pilot) if text in row)


def test_nothing_is_sent_before_it_is_opened(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        hosts = (ngc.api, ngc.authn, ngc.registry)
        assert [host.requests for host in hosts] == [[], [], []]
        screen = await open_catalogue(pilot)
        assert "812 repositories, public images only" in shown(pilot)[5]
        assert screen.query_one("#search").query_one("Input").has_focus
        assert searched(ngc) == ["*"]

    wizard(steps, route=route(crossing))


def test_a_newer_search_takes_the_place_of_an_older_one(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await open_catalogue(pilot)
        await settled(pilot)
        before = shown(pilot)[6:]
        valve = Valve(0)
        ngc.api.script("GET", "more", valve)
        put(pilot, "search", "more")
        await until(pilot, "]  looking up ..")
        assert [row for row in shown(pilot)[6:10]] == before[:4], "the list stays still"
        for length in range(1, 8):
            put(pilot, "search", "physics"[:length])
        await until(pilot, "1 of 812 match")
        assert "nvidia/physicsnemo" in shown(pilot)[7]
        valve.opened.set()
        await settled(pilot)
        assert "1 of 812 match" in shown(pilot)[5], "what was asked before is not heard any more"
        assert searched(ngc) == ["*", "more", "physics"], "not for each letter"

    wizard(steps, route=route(crossing))


def test_the_rule_counts_variants_apart_and_says_why(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await open_catalogue(pilot)
        await typed(pilot, "search", "pytorch")
        await until(pilot, "25.06-py3-igpu")
        assert row_of(pilot, "25.06-py3-igpu").endswith("Newest")
        assert row_of(pilot, "24.12-py3").endswith("Beyond newest 1")
        await typed(pilot, "variants", "*-igpu nightly-test")
        await until(pilot, "Named")
        assert row_of(pilot, "[x] 25.06-py3-igpu").endswith("Newest")
        assert row_of(pilot, "[ ] 25.06-py3  ").endswith("Other variant")
        await typed(pilot, "variants", "")
        await typed(pilot, "latest", "")
        await until(pilot, "Every version")
        assert "Add 5 tags" in shown(pilot)[22], "what is no version is never chosen in silence"

    wizard(steps, route=route(crossing))


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("latest", "x", "Not yet: not a number: 'x'."),
        ("latest", "0", "Not yet: the newest 0 of each variant are none."),
        ("minimum", "[b]", "Not yet: not a version: '[b]'."),
        ("variants", "*-none", "Not yet: choose at least one tag."),
    ],
)
def test_a_rule_that_cannot_be_meant_shuts_the_way_on(
    wizard: Drive, crossing: Crossing, field: str, text: str, said: str
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await open_catalogue(pilot)
        await until(pilot, "25.06-py3-igpu")
        await typed(pilot, field, text)
        await until(pilot, said)
        screen.go_on()
        assert pilot.app.screen is screen
        await typed(pilot, field, "1" if field == "latest" else "")
        await until(pilot, "[ Add 2 tags ]")

    wizard(steps, route=route(crossing))


def test_what_is_chosen_by_hand_the_rule_no_longer_touches(
    wizard: Drive, crossing: Crossing
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await as_drawn(pilot)
        await pilot.press("space", "down", "down", "space")
        assert row_of(pilot, "[ ] 25.06-py3  ").endswith("Left out by hand")
        assert row_of(pilot, "25.04-py3").endswith("Chosen by hand")
        await typed(pilot, "latest", "1")
        await until(pilot, "Beyond newest 1")
        assert row_of(pilot, "[ ] 25.06-py3  ").endswith("Left out by hand")
        assert row_of(pilot, "[x] 25.04-py3").endswith("Chosen by hand")
        assert row_of(pilot, "[ ] 25.05-py3").endswith("Beyond newest 1")
        screen.query_one("#tags", Table).current = "25.04-py3"
        screen.query_one("#tags").focus()
        await pilot.press("space")
        assert row_of(pilot, "[ ] 25.04-py3").endswith("Beyond newest 1"), "the rule's again"
        await pilot.press("slash", *"igpu", "enter", "a")
        await until(pilot, "Filter igpu: 1 of 148")
        assert crossing.ngc.by_hand == {"25.06-py3": False, "25.06-py3-igpu": True}

    wizard(steps, route=route(crossing))


def test_the_command_chooses_the_same(
    wizard: Drive,
    crossing: Crossing,
    ngc: FakeNgc,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ngc.environment.items():
        monkeypatch.setenv(name, value)
    commands: list[tuple[str, set[str]]] = []

    async def steps(pilot: Pilot[None]) -> None:
        screen = await as_drawn(pilot)

        def keep() -> None:
            chosen = {row.key for row in screen.query_one("#tags", Table).rows if row.chosen}
            commands.append((screen.command, chosen))

        keep()
        await pilot.press("space", "down", "down", "space", "end", "space")
        keep()

    wizard(steps, route=route(crossing))
    assert commands[0][0] == (
        "airgap-tui ngc select nvidia/pytorch --include '*-py3' --latest 2 --min-version 25.01"
    )
    assert len(commands[1][1]) == 3 and "nightly-test-141" in commands[1][1]
    for command, chosen in commands:
        capsys.readouterr()
        assert run([*shlex.split(command)[1:], "--json"]) == 0
        tags = json.loads(capsys.readouterr().out)["repositories"][0]["tags"]
        found = {tag["reference"].rpartition(":")[2] for tag in tags if tag["chosen"]}
        assert found == chosen


def test_tags_join_the_list_and_coming_back_finds_everything(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await as_drawn(pilot)
        await pilot.press("down", "space", "down", "space")
        await until(pilot, "[ Add 2 tags ]")
        await pilot.press("enter", "enter")
        await until(pilot, "Choose the images to carry. 2 of 3 are chosen.")
        assert isinstance(pilot.app.screen, ImagesScreen)
        assert pilot.app.screen.query_one("#images").has_focus
        text = "\n".join(shown(pilot))
        assert f"{ngc.registry.host}/nvidia/pytorch" in text
        assert "25.04-py3" in row_of(pilot, "  NGC") and "25.06-py3" in text
        assert "In NGC since 2025-06-24, 11.2 GB; newest" in text
        await pilot.press("up")
        assert "In NGC since 2025-04-25, 10.9 GB; chosen by hand" in "\n".join(shown(pilot))
        await open_catalogue(pilot)
        await until(pilot, "Left out by hand")
        assert "[pytorch " in shown(pilot)[5] and "[25.01 ]" in row_of(pilot, "Rule ")
        assert "[ Add 2 tags ]" in shown(pilot)[22]
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ImagesScreen)
        assert len(crossing.collection.wishes) == 3

    wizard(steps, route=route(crossing))


def test_the_mark_stands_at_the_repository_whose_tags_are_shown(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await as_drawn(pilot)
        await pilot.press("tab")
        assert row_of(pilot, "nvidia/pytorch ").startswith("  > ")
        valve = Valve(0)
        ngc.registry.script("GET", "l4t-pytorch", valve, forever=True)
        await pilot.press("down")
        await until(pilot, "looking up nvidia/l4t-pytorch ..")
        valve.opened.set()
        await until(pilot, "Other variant")
        await pilot.press("enter")
        assert row_of(pilot, "nvidia/l4t-pytorch").startswith("  * ")
        assert row_of(pilot, "[ ] r35.2.1").startswith("  > ")
        before = len(ngc.registry.seen("GET", "/tags/list"))
        await pilot.press("tab", "up")
        await until(pilot, "[ Add 2 tags ]")
        assert len(ngc.registry.seen("GET", "/tags/list")) == before, "what came is kept"

    wizard(steps, route=route(crossing))


def test_there_is_one_focus_mark_wherever_the_focus_is(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await as_drawn(pilot)
        seen = []
        for _ in range(len(screen.focus_chain)):
            text = "\n".join(shown(pilot))
            assert text.count(">") == 1, text
            assert screen.focused is not None
            parent = screen.focused.parent
            owner = parent.parent if screen.focused.id is None and parent is not None else None
            seen.append((owner or screen.focused).id)
            await pilot.press("tab")
        assert seen == [
            "tags", "repositories", "latest", "variants", "minimum", "onward", "back", "search",
        ]  # fmt: skip
        screen.query_one("#search").query_one("Input").focus()
        await pilot.press("down")
        assert screen.query_one("#repositories").has_focus

    wizard(steps, route=route(crossing))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_key_adds_the_organisations(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc, size: tuple[int, int]
) -> None:
    ngc.add("acme/hpc/mesher", ["0.9.2", "0.20.1"], public=False)
    ngc.key(KEY, acme=("hpc",))
    crossing.logins[ngc.registry.host] = Credential(USERNAME, KEY, "the test")

    async def steps(pilot: Pilot[None]) -> None:
        pilot.app.screen.query_one("#ngc").focus()
        await pilot.press("enter")
        await until(pilot, "acme, acme/hpc")
        await typed(pilot, "search", "mesher")
        await until(pilot, "1 of 813 match, with acme, acme/hpc")
        await until(pilot, "0.20.1")
        assert row_of(pilot, "[x] 0.20.1").endswith("Newest")

    wizard(steps, route=route(crossing), size=size)


def test_a_key_that_is_refused_is_told(wizard: Drive, crossing: Crossing, ngc: FakeNgc) -> None:
    crossing.logins[ngc.registry.host] = Credential(USERNAME, KEY, "NGC_API_KEY")

    async def steps(pilot: Pilot[None]) -> None:
        await open_catalogue(pilot)
        text = " ".join(" ".join(shown(pilot)).split())
        assert (
            "NGC refused the key from NGC_API_KEY (401): it is wrong, revoked or expired." in text
        )
        assert "Only public images are shown." in text
        assert KEY not in text

    wizard(steps, route=route(crossing))


def test_what_needs_a_login_can_be_chosen_before_it_is_given(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc
) -> None:
    ngc.add("nim/meta/llama3-8b-instruct", ["1.0.3", "1.0.10"], gated=True)

    async def steps(pilot: Pilot[None]) -> None:
        screen = await open_catalogue(pilot)
        await typed(pilot, "search", "llama3")
        await until(pilot, "with a login only (403)")
        assert "step 2 asks for the login" in "\n".join(shown(pilot))
        screen.go_on()
        await until(pilot, "1.0.10")
        assert [str(one.tag) for one in crossing.collection.chosen] == ["1.0.10"]

    wizard(steps, route=route(crossing))


def test_tags_come_from_the_registry_where_the_catalogue_is_down(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc, snapshot: Callable[..., None]
) -> None:
    down = threading.Event()
    down.set()
    fault = faults.status(503)
    ngc.api.script(
        "GET", "", lambda seen, honest: fault(seen, honest) if down.is_set() else honest(),
        forever=True,
    )  # fmt: skip

    async def steps(pilot: Pilot[None]) -> None:
        pilot.app.screen.query_one("#ngc").focus()
        await pilot.press("enter")
        await until(pilot, "Name a repository whole")
        assert "The catalogue does not answer (503)." in "\n".join(shown(pilot))
        await typed(pilot, "search", "nvidia/pytorch")
        await until(pilot, "25.06-py3-igpu")
        text = " ".join(" ".join(shown(pilot)).split())
        said = "Tags come from the registry; dates and sizes are missing."
        assert f"The catalogue does not answer (503). {said}" in text
        assert "2 chosen, sizes not known" in text
        snapshot(pilot.app, "catalogue_down")
        down.clear()
        await pilot.press("enter")
        await until(pilot, "of 812 match")
        await until(pilot, "17.5 GB before sharing")
        assert "does not answer" not in "\n".join(shown(pilot))

    wizard(steps, route=route(crossing))


def test_text_from_outside_breaks_nothing(wizard: Drive, crossing: Crossing, ngc: FakeNgc) -> None:
    hostile = "[bold]x[/] \x1b[2J\x07\u202e\u0000 [link=http://x]{'a[0]'} \u6f22\u5b57 " * 9
    tags = [Tag("[bold]a"), Tag("\x1b[2Jb"), Tag("a/../b"), Tag("-x"), Tag(""), Tag("x" * 400),
            Tag("1.0"), Tag("2" * 18), Tag("L" * 128)]  # fmt: skip
    for tag in tags:
        tag.updated, tag.platforms = "[red]", ("[red]", "\x1b[2J")
    ngc.repos["nvidia/hostile"] = Repo(
        "nvidia/hostile", f"hostile {hostile}", hostile, newest="\x1b[2Jb",
        tags={tag.name: tag for tag in tags},
    )  # fmt: skip
    ngc.repos["nvidia/../x"] = Repo("nvidia/../hostile", "hostile", "")
    ngc.push("nvidia/hostile", Tag("1.0"))
    ngc.push("nvidia/hostile", Tag("L" * 128))

    async def steps(pilot: Pilot[None]) -> None:
        await open_catalogue(pilot)
        await typed(pilot, "search", "hostile")
        await until(pilot, "1 chosen")
        drawn = "".join(shown(pilot))
        assert drawn.isprintable() and len(shown(pilot)) == 24
        assert row_of(pilot, "[x] 1.0").endswith("Newest")
        assert "Not in registry" in drawn, "the catalogue's word for what nobody can pull"
        pilot.app.screen.query_one("#tags").focus()
        await pilot.press("end", "space")
        assert "The registry does not have it" in shown(pilot)[23]
        assert "1 chosen" in "".join(shown(pilot))

    wizard(steps, route=route(crossing))


def test_thousands_of_repositories_and_tags(
    wizard: Drive, crossing: Crossing, ngc: FakeNgc
) -> None:
    months = [f"{year}.{month:02}" for year in range(17, 26) for month in range(1, 13)]
    tags = [Tag(f"{month}.{patch}-py3{variant}", GB) for month in months for patch in range(12)
            for variant in ("", "-igpu")]  # fmt: skip
    ngc.add("nvidia/large", tags, title="Large")
    for number in range(2000):
        path = f"nvidia/large-{number}"
        ngc.repos[path] = Repo(path, "more", "")

    async def steps(pilot: Pilot[None]) -> None:
        await open_catalogue(pilot)
        await typed(pilot, "search", "large")
        await until(pilot, "1000 of 2001 shown")
        await until(pilot, "of 2592")
        pilot.app.screen.query_one("#tags").focus()
        await pilot.press("a")
        await until(pilot, "2592 chosen, 2.6 TB before sharing")
        await pilot.press("end", "space")
        await until(pilot, "2591 chosen")
        assert row_of(pilot, "  > ").startswith("  > [ ] 17.01.0-py3-igpu")

    wizard(steps, route=route(crossing))


def test_what_is_typed_behind_a_search_is_for_its_tags(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await open_catalogue(pilot)
        await settled(pilot)
        typed_ahead(pilot, *"physicsnemo", "enter", "space")
        await until(pilot, "by hand")
        assert crossing.ngc.repository == "nvidia/physicsnemo"
        assert screen.query_one("#tags", Table).has_focus

    wizard(steps, route=route(crossing))
