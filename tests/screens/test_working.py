"""A watched job: what is drawn of it, how it is stopped, left, helped and tried again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import control, worker
from airgap_tui.engine.jobs.chain import Chain, Ended
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.snapshot import ItemProgress, Snapshot
from screens.app import WizardApp
from screens.base import WizardScreen
from screens.exporting import export_step
from screens.job_rows import JobRows, state_in_words
from screens.look import Look
from screens.modals.question import Question
from screens.steps import Route, StepState
from screens.verifying import verify_step
from screens.widgets.table import Table
from screens.working import SavingScreen
from tests.screens import jobs
from tests.screens.conftest import drawing, rows
from tests.screens.gallery import PlaceholderScreen
from tests.screens.windows import ASCII, in_windows
from tests.services import PATIENCE

Drive = Callable[..., WizardApp]


def app_of(pilot: Pilot[None]) -> WizardApp:
    assert isinstance(pilot.app, WizardApp)
    return pilot.app


def online(crossing: Crossing) -> Route:
    """The online side as far as these screens go."""
    makers: dict[str, Callable[[], WizardScreen[Any]]] = {
        **{name: partial(PlaceholderScreen, name) for name in Side.ONLINE.steps[:3]},
        "Save": partial(SavingScreen, crossing),
        "Verify": partial(verify_step, crossing, Side.ONLINE),
        "Export": partial(export_step, crossing),
    }
    return Route(Side.ONLINE.heading, makers)


async def seen(pilot: Pilot[None], text: str, seconds: float = PATIENCE) -> list[str]:
    """The rows of the screen once the text is on it."""
    end = time.monotonic() + seconds
    while not any(text in row for row in rows(app_of(pilot))):
        assert time.monotonic() < end, "\n".join(rows(app_of(pilot)))
        await asyncio.sleep(0.02)
        await pilot.pause()
    return rows(app_of(pilot))


def said_to_the_shell(pilot: Pilot[None]) -> str:
    """What stands in the terminal when the wizard has ended."""
    return app_of(pilot).farewell


@pytest.fixture
def job(state_dir: Path) -> jobs.WrittenJob:
    return jobs.WrittenJob(state_dir, jobs.chain("save", "verify"))


@pytest.fixture
def watched(wizard: Drive, state_dir: Path, job: jobs.WrittenJob) -> Drive:
    """Runs steps at step Save, where the job is watched."""

    def run(steps: Callable[[Pilot[None]], object], **options: object) -> WizardApp:
        crossing = jobs.crossing(state_dir, job)
        return wizard(steps, route=online(crossing), at="Save", **options)

    return run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> list[Chain]:
    """The chains that workers would have been started on; each is written down as running."""
    chains: list[Chain] = []

    def start(chain: Chain, _state_dir: Path, **_options: object) -> JobInfo:
        chains.append(chain)
        made = jobs.WrittenJob(state_dir, chain)
        made.now(jobs.saving())
        return made.info

    monkeypatch.setattr(worker, "start", start)
    return chains


# --- what is drawn


def test_a_save_is_drawn_cell_by_cell(watched: Drive, job: jobs.WrittenJob) -> None:
    """Against the drawing: all but the rows' own content, which is this test's."""
    job.now(jobs.saving())

    async def steps(pilot: Pilot[None]) -> None:
        got = await seen(pilot, "70%")
        wanted = drawing("6_save")
        for row in (0, 2, 3, 5, 6, 8, 21, 22, 23):
            assert got[row] == wanted[row]
        assert got[9] == wanted[9], "the first row is the one that needs somebody"

    watched(steps, look=ASCII)


@in_windows("80x24", "120x40", "ascii")
@pytest.mark.parametrize("what", ["running", "paused", "ended"])
def test_pictures(
    watched: Drive,
    job: jobs.WrittenJob,
    snapshot: Callable[..., None],
    what: str,
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    if what == "ended":
        job = jobs.WrittenJob(job.directory.path.parents[1], jobs.chain("save"))
        failed = (jobs.NAMES[2],)
        job.end_step(jobs.save_ended(failed), jobs.over(failed), 1)
    else:
        job.now(jobs.saving() if what == "running" else jobs.paused())
    crossing = jobs.crossing(job.directory.path.parents[1], job)

    async def steps(pilot: Pilot[None]) -> None:
        app_of(pilot).begin(_done(online(crossing)), at="Save")
        await seen(pilot, "Try 1 again" if what == "ended" else "44.3 of")
        snapshot(pilot.app, f"working_{what}_{name}")

    watched(steps, size=size, look=look)


def _done(route: Route) -> Route:
    for name in route.names[:3]:
        route.set_state(name, StepState.DONE)
    return route


def test_rows_are_in_the_order_of_need(watched: Drive, job: jobs.WrittenJob) -> None:
    job.now(jobs.saving())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "70%")
        states = [row.cells[1].split()[0] for row in pilot.app.screen.query_one(Table).rows]
        assert states == [
            *("Failed", "Retry", "Saving", "Saving"),
            *["Waiting"] * 5,
            "Already",
            *["Done"] * 3,
        ]

    watched(steps)


def test_the_focus_follows_need_until_somebody_moves_it(
    watched: Drive, job: jobs.WrittenJob
) -> None:
    fine = tuple(
        replace(item, state=ItemState.WAITING, reason="") if item.item == jobs.NAMES[2] else item
        for item in jobs.saving().items
    )
    job.now(jobs.saving(items=fine))

    async def steps(pilot: Pilot[None]) -> None:
        table = pilot.app.screen.query_one(Table)
        await seen(pilot, "3 saving")
        assert table.current == jobs.NAMES[6], "the first under way"
        job.now(jobs.saving())
        await seen(pilot, "1 failed")
        assert table.current == jobs.NAMES[2], "the first that needs somebody"
        await pilot.press("down")
        chosen = table.current
        job.now(jobs.paused())
        await seen(pilot, "3 paused")
        assert table.current == chosen

    watched(steps)


def test_one_cause_is_told_once(watched: Drive, job: jobs.WrittenJob) -> None:
    failed = jobs.NAMES[:6]
    job.now(replace(jobs.over(failed), exit_code=None))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, f"6 images failed for one reason: {jobs.FAILURE[:20]}")

    watched(steps)


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (jobs.waiting_for_host(), "nvcr.io asks us to wait: 1 min 40 s"),
        (jobs.saving(quiet_for=20.0, transfers=jobs.saving().transfers[:2]), "no data for 20 s"),
        (jobs.saving(transfers=jobs.saving().transfers[2:]), "trying again in 8 s"),
    ],
)
def test_trouble_speaks_in_the_line_of_the_rate(
    watched: Drive, job: jobs.WrittenJob, snapshot: Snapshot, said: str
) -> None:
    job.now(snapshot)

    async def steps(pilot: Pilot[None]) -> None:
        assert said in (await seen(pilot, said))[6]

    watched(steps)


def test_nothing_that_a_registry_says_breaks_the_screen(
    watched: Drive, job: jobs.WrittenJob
) -> None:
    nasty = "[status=500, body={'a[0]'}] \x1b[31m\x07\u202e [/b]"
    items = tuple(replace(item, reason=nasty) for item in jobs.saving().items)
    job.now(jobs.saving(items=items))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "[status=500, body={'a[0]'}]")
        await pilot.press("enter")
        await seen(pilot, "Reason")
        assert not any("\x1b" in row for row in rows(app_of(pilot)))

    watched(steps)


def test_details_layers_and_log_open_and_close(watched: Drive, job: jobs.WrittenJob) -> None:
    job.now(jobs.saving())
    job.directory.log.write_text("2025-07-02 10:00:00 save /data/pod-2025-07: 13 items\n")

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "70%")
        await pilot.press("enter")
        await seen(pilot, "answered 503")
        await pilot.press("escape", "t")
        page = await seen(pilot, "301 of 486 layers are finished.")
        assert any("7c1d0f93a6b2  50%" in row for row in page)
        assert any("Retry in 8 s" in row for row in page)
        await pilot.press("escape", "g")
        await seen(pilot, "save /data/pod-2025-07: 13 items")
        await pilot.press("escape")
        await seen(pilot, "S stop")

    watched(steps)


# --- stopping and leaving


def test_stop_asks_first_and_go_on_has_the_focus(
    watched: Drive, job: jobs.WrittenJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    def stop(info: JobInfo) -> bool:
        stopped.append(info.id)
        job.now(jobs.saving(), 143)
        return True

    monkeypatch.setattr(worker, "stop", stop)
    job.now(jobs.saving())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "70%")
        await pilot.press("s")
        await seen(pilot, "Stop saving? 44.3 GB are kept, and it continues from")
        await seen(pilot, "F10 leave")
        await pilot.press("enter")
        await seen(pilot, "S stop")
        assert stopped == []
        await pilot.press("escape")
        await seen(pilot, "Stop saving?")
        await pilot.press("tab", "enter")
        await seen(pilot, "Stopped: 4 of 13 images are saved; it can continue.")
        assert stopped == [job.info.id]
        await seen(pilot, "> [ Continue saving ]")
        assert not any("S stop" in row for row in rows(app_of(pilot)))

    watched(steps)


@pytest.mark.parametrize("key", ["f10", "ctrl+q"])
def test_leaving_leaves_the_job_running_and_says_so(
    watched: Drive, job: jobs.WrittenJob, key: str
) -> None:
    job.now(jobs.saving())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "F10 leave")
        await pilot.press(key)
        left.append(said_to_the_shell(pilot))

    left: list[str] = []
    assert watched(steps).return_code == 0
    assert left == ["pod-2025-07 goes on without you. Back to it: airgap-tui attach pod-2025-07"]


def test_another_users_job_is_watched_but_not_stopped(
    watched: Drive, job: jobs.WrittenJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    job.now(jobs.paused())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "[ Back ]")
        assert not any("S stop" in row for row in rows(app_of(pilot)))
        await pilot.press("s", "enter")
        await seen(pilot, "Reason")  # Enter shows details: the login is not theirs to give

    watched(steps)


@pytest.mark.parametrize("state", ItemState)
def test_every_state_fits_into_its_column_with_its_share(state: ItemState) -> None:
    column = next(one for one in JobRows().columns(Snapshot()) if one.title == "State")
    words, _mark = state_in_words(ItemProgress("x", state, size=100, to_do=100, done=99))
    assert len(words) <= column.width


@pytest.mark.parametrize("verb", ["save", "verify", "export", "import", "load", "push"])
@pytest.mark.parametrize("number", [1, 13, 100, 1234])
def test_the_sentence_at_the_top_is_not_cut(verb: str, number: int) -> None:
    items = tuple(ItemProgress(str(n), ItemState.WAITING) for n in range(number))
    text = sentences.working(Snapshot(verb, "/b", items))
    assert len(text) <= 76 and text.endswith((" without it.", "the work goes on."))


# --- a login in the middle


def test_a_login_wanted_while_names_are_looked_up(watched: Drive, job: jobs.WrittenJob) -> None:
    """Nothing is known of sizes yet, and nothing is claimed to be done."""
    job.now(jobs.refused_at_the_look_up())

    async def steps(pilot: Pilot[None]) -> None:
        got = await seen(pilot, "Press Enter to give another")
        assert got[5].split() == ["[" + "-" * 68 + "]", "0%"]
        assert "size not known yet" in got[6] and "paused: nvcr.io now refuses" in got[6]
        assert "3 paused, 10 saving" in "\n".join(got)
        await pilot.press("enter")
        await seen(pilot, "[ Leave out 3 images ]")

    watched(steps, look=ASCII)


def test_a_login_wanted_in_the_middle_is_given(
    watched: Drive, job: jobs.WrittenJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, Credential]] = []

    def give(_info: JobInfo, registry: str, credential: Credential) -> bool:
        given.append((registry, credential))
        job.now(jobs.saving())
        return True

    monkeypatch.setattr(control, "give_login", give)
    job.now(jobs.paused())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Press Enter to give another; nothing is lost.")
        await pilot.press("enter")
        await seen(pilot, "Leave out 3 images")
        assert any("$oauthtoken" in row for row in rows(app_of(pilot)))
        await pilot.press("enter")
        await seen(pilot, "Empty")
        await pilot.press(*"nvapi-new", "enter")
        await seen(pilot, "3 saving")
        assert [(r, c.username, c.secret) for r, c in given] == [
            ("nvcr.io", "$oauthtoken", "nvapi-new")
        ]
        assert not any("nvapi-new" in row for row in rows(app_of(pilot)))

    watched(steps)


def test_a_registry_whose_login_is_lost_can_be_left_out(
    watched: Drive, job: jobs.WrittenJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out: list[str] = []

    def leave_out(_info: JobInfo, registry: str) -> bool:
        left_out.append(registry)
        return True

    monkeypatch.setattr(control, "leave_out", leave_out)
    job.now(jobs.paused())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Press Enter")
        await pilot.press("enter", "tab", "tab", "enter")
        await seen(pilot, "S stop")
        assert left_out == ["nvcr.io"]

    watched(steps)


# --- ends


def test_a_chain_moves_on_by_itself_to_the_result(watched: Drive, job: jobs.WrittenJob) -> None:
    job.now(jobs.saving())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "70%")
        verifying = Snapshot(
            "verify", str(jobs.BUNDLE), jobs.over().items, done=10**9, total=67 * 10**9
        )
        job.end_step(jobs.save_ended(), verifying)
        await seen(pilot, "Verifying 13 images.")
        await seen(pilot, "[5 Verify]")
        await seen(pilot, "+ Save")
        job.end_step(jobs.verify_ended(), verifying, 0)
        await seen(pilot, "All 13 images are whole: 486 files, 67.5 GB")
        await seen(pilot, "> [ Next: Export ]")

    watched(steps)


def test_a_question_that_is_open_when_a_step_ends_is_answered_first(
    watched: Drive, job: jobs.WrittenJob
) -> None:
    """Its Enter must not reach what comes next."""
    job.now(jobs.saving())

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "70%")
        await pilot.press("s")
        await seen(pilot, "Stop saving?")
        job.end_step(jobs.save_ended(), Snapshot("verify", str(jobs.BUNDLE)))
        await seen(pilot, "13 images are saved")
        assert isinstance(pilot.app.screen, Question)
        await pilot.press("enter")
        await seen(pilot, "[5 Verify]")

    watched(steps)


def test_a_chain_to_the_media_ends_in_what_is_carried(wizard: Drive, state_dir: Path) -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain("save", "verify", "seal"))
    job.now(jobs.saving())
    crossing = jobs.crossing(state_dir, job)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "70%")
        job.end_step(jobs.save_ended(), Snapshot("verify", str(jobs.BUNDLE), jobs.over().items))
        await seen(pilot, "[5 Verify]")
        job.end_step(jobs.verify_ended(), Snapshot("seal", str(jobs.BUNDLE), jobs.over().items))
        await seen(pilot, "[6 Export]")
        await seen(pilot, "Sealing 13 images.")
        job.end_step(jobs.seal_ended(), Snapshot("seal"), 0)
        await seen(pilot, "pod-2025-07 is ready to carry: 13 images, 67.5 GB.")
        await seen(pilot, "> [ Finish ]")
        await pilot.press("enter")
        assert "pod-2025-07 is ready to carry" in said_to_the_shell(pilot)

    assert wizard(steps, route=online(crossing), at="Save").return_code == 0


def test_a_chain_that_is_far_ahead_is_caught_up_with(wizard: Drive, state_dir: Path) -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain("save", "verify", "seal"))
    job.end_step(jobs.save_ended(), Snapshot("verify"))
    job.end_step(jobs.verify_ended(), Snapshot("seal", str(jobs.BUNDLE), jobs.over().items))
    crossing = jobs.crossing(state_dir, job)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "[6 Export]")
        await seen(pilot, "Sealing 13 images.")
        job.end_step(jobs.seal_ended(), Snapshot("seal"), 0)
        await seen(pilot, "pod-2025-07 is ready to carry")
        await pilot.press("escape")
        await seen(pilot, "[5 Verify]")
        await seen(pilot, "All 13 images are whole.")
        await pilot.press("enter")
        await seen(pilot, "pod-2025-07 is ready to carry")

    wizard(steps, route=online(crossing), at="Save")


def test_back_from_verify_does_not_throw_forward_again(
    watched: Drive, job: jobs.WrittenJob
) -> None:
    job.end_step(jobs.save_ended(), Snapshot("verify", str(jobs.BUNDLE), jobs.over().items))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "[5 Verify]")
        app_of(pilot).show_step("Save")
        await seen(pilot, "All 13 images are saved.")
        await asyncio.sleep(0.6)  # two looks at the job
        assert any("[4 Save]" in row for row in rows(app_of(pilot)))
        await pilot.press("enter")
        await seen(pilot, "[5 Verify]")

    watched(steps)


def test_what_failed_is_tried_again(
    watched: Drive, state_dir: Path, started: list[Chain], wizard: Drive
) -> None:
    failed = (jobs.NAMES[2], jobs.NAMES[4])
    job = jobs.WrittenJob(state_dir, jobs.chain("save"))
    job.end_step(jobs.save_ended(failed), jobs.over(failed), 1)
    crossing = jobs.crossing(state_dir, job)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "11 of 13 images are saved. 2 failed and can be tried again.")
        await seen(pilot, "> [ Try 2 again ]")
        assert any("[ Next: Verify ]" in row for row in rows(app_of(pilot)))
        await pilot.press("enter")
        await seen(pilot, "Saving 13 images.")
        assert not any("Try 2 again" in row for row in rows(app_of(pilot)))

    wizard(steps, route=online(crossing), at="Save")
    assert [chain.verbs for chain in started] == [("save",)]


def test_a_save_alone_is_verified_when_next_is_pressed(
    wizard: Drive, state_dir: Path, started: list[Chain]
) -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain("save"))
    job.end_step(jobs.save_ended(), jobs.over(), 0)
    crossing = jobs.crossing(state_dir, job)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "> [ Next: Verify ]")
        await pilot.press("enter")
        await seen(pilot, "[5 Verify]")
        end = time.monotonic() + PATIENCE
        while not started and time.monotonic() < end:
            await pilot.pause(0.02)

    wizard(steps, route=online(crossing), at="Save")
    assert [chain.verbs for chain in started] == [("verify",)]
    assert started[0].place == jobs.BUNDLE


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("die", "The process of this save is gone; nothing finished is lost."),
        ("restart_machine", "The machine restarted during save; nothing finished is lost."),
    ],
)
def test_a_job_that_died_is_continued(
    watched: Drive, job: jobs.WrittenJob, started: list[Chain], how: str, said: str
) -> None:
    job.now(jobs.saving())
    getattr(job, how)()

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, said)
        await seen(pilot, "> [ Continue saving ]")
        await pilot.press("enter")
        await seen(pilot, "S stop")

    watched(steps)
    assert [chain.verbs for chain in started] == [("save", "verify")]


def test_an_error_that_ends_the_whole_job_is_told_with_its_remedy(
    watched: Drive, job: jobs.WrittenJob
) -> None:
    error = "16.3 GB of room is missing on /data"
    ended = Ended("save", 4, None, error, "Choose another disk.")
    job.end_step(ended, Snapshot("save", str(jobs.BUNDLE)), 4)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Saving ended before its time. Nothing finished is lost.")
        await seen(pilot, f"{error}. Choose another disk.")
        await seen(pilot, "> [ Try again ]")
        await pilot.press("f10")

    assert watched(steps).return_code == 4


def test_a_login_that_only_that_run_had_is_asked_for(
    wizard: Drive, state_dir: Path, started: list[Chain]
) -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain("save"), logins=("harbor.lan",))
    job.now(jobs.saving(), 143)
    crossing = jobs.crossing(state_dir, job)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "> [ Continue saving ]")
        await pilot.press("enter")
        await seen(pilot, "The login for harbor.lan was given for that run only.")
        await pilot.press(*"ops", "tab", *"secret", "enter")
        await seen(pilot, "S stop")

    wizard(steps, route=online(crossing), at="Save")
    login = crossing.logins["harbor.lan"]
    assert login is not None
    assert (login.username, login.secret) == ("ops", "secret")
    assert len(started) == 1


def test_without_a_job_nothing_is_under_way(wizard: Drive, state_dir: Path) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Nothing is under way.")
        await seen(pilot, "Not yet: nothing was begun.")

    wizard(steps, route=online(jobs.crossing(state_dir)), at="Save")


@pytest.mark.parametrize("number", [1000])
def test_a_thousand_images_are_drawn_quickly(
    watched: Drive, job: jobs.WrittenJob, number: int
) -> None:
    items = tuple(
        replace(jobs.saving().items[n % 13], item=f"nvcr.io/nvidia/image-{n}:1")
        for n in range(number)
    )
    job.now(jobs.saving(items=items))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "more rows")
        table = pilot.app.screen.query_one(Table)
        assert len(table.rows) == number
        assert isinstance(pilot.app.screen, SavingScreen)
        begin = time.thread_time()
        for _ in range(20):
            pilot.app.screen._draw()
        assert (time.thread_time() - begin) / 20 < 0.05

    watched(steps)
