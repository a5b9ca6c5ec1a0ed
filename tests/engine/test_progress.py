"""The fold of events: totals that hold, a rate that is true, and a price that stays low."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPaused,
    BlobPlanned,
    BlobProgress,
    BlobRetrying,
    BlobStarted,
    Event,
    HostPaused,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    LoginNeeded,
    LoginSettled,
    Note,
    Served,
    SourceRead,
    SourceState,
)
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.snapshot import LoginWanted, Snapshot, SourceCount


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(clock)


def take(progress: Progress, *events: Event) -> Snapshot:
    for event in events:
        progress.take(event)
    return progress.snapshot()


def test_before_anything_happens_there_is_nothing_to_do(progress: Progress) -> None:
    snapshot = progress.snapshot()
    assert (snapshot.done, snapshot.total, snapshot.fraction) == (0, 0, 1.0)
    assert snapshot.items == ()
    assert snapshot.time_left is None


def test_while_names_are_looked_up_nothing_is_said_to_be_moved(progress: Progress) -> None:
    looking = ItemChanged("x", ItemState.RESOLVING)
    snapshot = take(progress, JobStarted("save", "/b", ("x", "y")), looking)
    assert (snapshot.measured, snapshot.fraction) == (False, 0.0)
    held = (ItemChanged(name, ItemState.HELD, "already in the bundle") for name in "xy")
    snapshot = take(progress, *held)
    assert (snapshot.measured, snapshot.fraction) == (True, 1.0)


def test_an_item_goes_from_waiting_to_done(progress: Progress) -> None:
    first = take(progress, JobStarted("save", "/b", ("x", "y")))
    assert [(item.item, item.state) for item in first.items] == [
        ("x", ItemState.WAITING),
        ("y", ItemState.WAITING),
    ]
    snapshot = take(
        progress,
        ItemChanged("x", ItemState.SAVING),
        ItemSized("x", 150, 100),
        BlobPlanned("a", 100, ("x",)),
        BlobStarted("a"),
        BlobProgress("a", 40),
    )
    item = snapshot.items[0]
    assert (item.state, item.size, item.to_do, item.done) == (ItemState.SAVING, 150, 100, 40)
    assert (snapshot.verb, snapshot.subject) == ("save", "/b")
    (transfer,) = snapshot.transfers
    assert (transfer.blob, transfer.size, transfer.done, transfer.items) == ("a", 100, 40, ("x",))
    ended = take(
        progress, BlobProgress("a", 60), BlobDone("a"), ItemChanged("x", ItemState.DONE, "", "d")
    )
    assert ended.transfers == ()
    assert (ended.items[0].state, ended.items[0].done) == (ItemState.DONE, 100)
    assert ended.items[0].digest == "d"
    assert (ended.done, ended.total, ended.blobs_done, ended.blobs_total) == (100, 100, 1, 1)


def test_a_shared_blob_counts_for_each_item_and_once_in_all(progress: Progress) -> None:
    snapshot = take(
        progress,
        BlobPlanned("shared", 100, ("x", "y")),
        BlobPlanned("own", 10, ("y",)),
        BlobStarted("shared"),
        BlobProgress("shared", 30),
    )
    assert [item.done for item in snapshot.items] == []  # nobody has spoken of the items yet
    take(progress, ItemSized("x", 100, 100), ItemSized("y", 110, 110))
    snapshot = progress.snapshot()
    assert {item.item: item.done for item in snapshot.items} == {"x": 30, "y": 30}
    snapshot = take(progress, BlobDone("shared"), BlobDone("own"))
    assert {item.item: item.done for item in snapshot.items} == {"x": 100, "y": 110}
    assert (snapshot.done, snapshot.total) == (110, 110)


def test_a_dropped_blob_leaves_the_total_so_that_the_bar_ends_full(progress: Progress) -> None:
    snapshot = take(
        progress,
        BlobPlanned("a", 100, ("x",)),
        BlobPlanned("b", 900, ("y",)),
        BlobStarted("b"),
        BlobProgress("b", 300),
        BlobDone("a"),
    )
    assert snapshot.fraction == 0.4
    snapshot = take(progress, BlobDropped("b", "no such layer"))
    assert (snapshot.done, snapshot.total, snapshot.fraction) == (400, 400, 1.0)
    assert (snapshot.blobs_done, snapshot.blobs_total) == (1, 1)


def test_a_blob_that_was_never_begun_can_be_dropped(progress: Progress) -> None:
    failed = ItemChanged("x", ItemState.FAILED, "no such layer")
    snapshot = take(progress, BlobPlanned("a", 100, ("x",)), BlobDropped("a"), failed)
    assert (snapshot.total, snapshot.fraction) == (0, 1.0)


def test_what_an_earlier_run_left_counts_as_done_and_not_for_the_rate(
    progress: Progress, clock: Clock
) -> None:
    take(progress, JobStarted("save", "", ()), BlobPlanned("a", 10_000, ()), BlobStarted("a", 9000))
    clock.now += 1
    take(progress, BlobProgress("a", 0))
    progress.take(BlobProgress("a", 1))
    clock.now += 10
    snapshot = take(progress, BlobProgress("a", 99))
    assert snapshot.done == 9100
    assert snapshot.rate == pytest.approx(10, rel=0.02)


def test_the_rate_is_that_of_the_last_quarter_minute(progress: Progress, clock: Clock) -> None:
    take(progress, JobStarted("save", "", ()), BlobPlanned("a", 10**9, ()), BlobStarted("a"))
    for _ in range(600):
        clock.now += 0.1
        progress.take(BlobProgress("a", 100))
    assert progress.snapshot().rate == pytest.approx(1000, rel=0.03)
    for _ in range(150):
        clock.now += 0.1
        progress.take(BlobProgress("a", 500))
    assert progress.snapshot().rate == pytest.approx(5000, rel=0.03)


def test_the_rate_falls_while_nothing_moves(progress: Progress, clock: Clock) -> None:
    take(progress, JobStarted("save", "", ()), BlobPlanned("a", 10**9, ()), BlobStarted("a"))
    for _ in range(200):
        clock.now += 0.1
        progress.take(BlobProgress("a", 1000))
    before = progress.snapshot().rate
    clock.now += 7.5
    middle = progress.snapshot()
    assert 0.3 * before < middle.rate < 0.7 * before
    assert middle.quiet_for == pytest.approx(7.5)
    clock.now += 10
    assert progress.snapshot().rate == 0
    assert progress.snapshot().time_left is None


def test_time_left_is_not_told_in_the_first_quarter_minute(
    progress: Progress, clock: Clock
) -> None:
    take(progress, JobStarted("save", "", ()), BlobPlanned("a", 4000, ()), BlobStarted("a"))
    for second in range(20):
        progress.take(BlobProgress("a", 100))
        assert (progress.snapshot().time_left is None) == (second < 15)
        clock.now += 1
    assert progress.snapshot().time_left == pytest.approx(20, rel=0.1)


def test_a_retry_is_counted_and_what_is_thrown_away_too(progress: Progress, clock: Clock) -> None:
    take(progress, BlobPlanned("a", 100, ("x",)), BlobStarted("a"), BlobProgress("a", 80))
    snapshot = take(progress, BlobRetrying("a", "the connection broke", 8.0, 50))
    assert (snapshot.done, snapshot.repeated, snapshot.retries) == (50, 30, 1)
    clock.now += 3
    (transfer,) = progress.snapshot().transfers
    assert (transfer.retry_in, transfer.reason) == (5.0, "the connection broke")
    snapshot = take(progress, BlobStarted("a", 50), BlobProgress("a", 10))
    assert snapshot.transfers[0].retry_in is None
    assert (snapshot.done, snapshot.repeated) == (60, 30)


def test_a_target_that_begins_anew_after_a_retry_is_counted(progress: Progress) -> None:
    take(progress, BlobPlanned("a", 100, ("x",)), BlobStarted("a"), BlobProgress("a", 80))
    snapshot = take(progress, BlobRetrying("a", "broken", 0, 80), BlobStarted("a", 0))
    assert (snapshot.done, snapshot.repeated) == (0, 80)


def test_the_same_blob_for_a_second_repository_does_not_go_backwards(progress: Progress) -> None:
    take(progress, BlobPlanned("a", 100, ("x", "y")), BlobStarted("a"), BlobProgress("a", 100))
    snapshot = take(progress, BlobStarted("a", 0), BlobProgress("a", 60))
    assert (snapshot.done, snapshot.repeated) == (100, 0)


def test_a_blob_planned_twice_counts_once_for_both_items(progress: Progress) -> None:
    take(progress, ItemSized("x", 1, 1), ItemSized("y", 1, 1))
    snapshot = take(
        progress, BlobPlanned("a", 100, ("x",)), BlobPlanned("a", 100, ("y",)), BlobDone("a")
    )
    assert (snapshot.done, snapshot.total) == (100, 100)
    assert [item.done for item in snapshot.items] == [100, 100]


def test_a_pause_is_shown_until_it_ends(progress: Progress, clock: Clock) -> None:
    take(progress, HostPaused("nvcr.io", 100, "429"))
    clock.now += 40
    (pause,) = progress.snapshot().pauses
    assert (pause.host, pause.seconds, pause.reason) == ("nvcr.io", 60, "429")
    clock.now += 61
    assert progress.snapshot().pauses == ()


def test_elapsed_time_stops_when_the_job_has_ended(progress: Progress, clock: Clock) -> None:
    take(progress, JobStarted("save", "", ()))
    clock.now += 12
    take(progress, JobFinished("save", 1))
    clock.now += 30
    snapshot = progress.snapshot()
    assert (snapshot.elapsed, snapshot.exit_code) == (12, 1)


def test_the_next_job_of_a_chain_begins_anew(progress: Progress) -> None:
    take(progress, JobStarted("save", "", ("x",)), BlobPlanned("a", 5, ()), JobFinished("save", 0))
    snapshot = take(progress, JobStarted("verify", "", ("x", "y")))
    assert (snapshot.verb, snapshot.total, snapshot.exit_code) == ("verify", 0, None)
    assert [item.state for item in snapshot.items] == [ItemState.WAITING] * 2


def test_notes_are_kept_in_a_bounded_number(progress: Progress) -> None:
    for number in range(500):
        progress.take(Note(str(number), Level.WARNING))
    notes = progress.snapshot().notes
    assert len(notes) < 100
    assert notes[-1].text == "499"


def test_events_about_unknown_blobs_do_no_harm(progress: Progress) -> None:
    snapshot = take(
        progress,
        BlobStarted("?"),
        BlobProgress("?", 5),
        BlobRetrying("?", "", 0, 0),
        BlobDone("?"),
        BlobDropped("?"),
        ItemChanged("new", ItemState.FAILED, "why"),
    )
    assert (snapshot.done, snapshot.total) == (0, 0)
    assert snapshot.items[0].reason == "why"


def test_a_snapshot_is_json(progress: Progress) -> None:
    snapshot = take(
        progress,
        JobStarted("save", "/b", ("x",)),
        BlobPlanned("a", 100, ("x",)),
        BlobStarted("a"),
        HostPaused("h", 5, "r"),
        Note("n", Level.WARNING),
    )
    value = json.loads(json.dumps(snapshot.to_json()))
    assert value["items"][0]["state"] == "waiting"
    assert value["transfers"][0]["blob"] == "a"
    assert value["notes"][0]["level"] == "warning"
    assert value["time_left"] is None


def test_what_was_served_is_counted_and_comes_back(progress: Progress) -> None:
    assert progress.snapshot().served is None
    snapshot = take(progress, JobStarted("serve", "h:5000", ()), Served(3, 1, 4_000))
    assert snapshot.served == Served(3, 1, 4_000)
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot


def test_sources_are_counted_by_host_and_kind_and_come_back(progress: Progress) -> None:
    snapshot = take(
        progress,
        JobStarted("discover", "", ("this machine", "dgx01")),
        SourceRead("dgx01", "history", "/root/.bash_history", 3),
        SourceRead("dgx01", "history", "/home/a/.bash_history", 0, SourceState.FAILED, "denied"),
        SourceRead("", "podman", "podman", 0, SourceState.ABSENT, "not installed"),
    )
    assert snapshot.sources == (
        SourceCount("dgx01", "history", read=1, failed=1, found=3),
        SourceCount("", "podman", absent=1),
    )
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot


def test_a_snapshot_does_not_change_afterwards(progress: Progress) -> None:
    take(progress, JobStarted("save", "", ("x",)), BlobPlanned("a", 9, ("x",)))
    before = progress.snapshot()
    copy = before.to_json()
    take(progress, BlobDone("a"), ItemChanged("x", ItemState.DONE))
    assert before.to_json() == copy


SIZES = {"a": 0, "b": 1, "c": 70, "d": 1000}
blobs = st.sampled_from(sorted(SIZES))
steps: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda b: BlobPlanned(b, SIZES[b], ("x", b)), blobs),
    st.builds(BlobStarted, blobs, st.integers(0, 1200)),
    st.builds(BlobProgress, blobs, st.integers(-50, 500)),
    st.builds(BlobRetrying, blobs, st.just("r"), st.floats(0, 5), st.integers(0, 1200)),
    st.builds(BlobDone, blobs),
    st.builds(BlobDropped, blobs),
)


@given(st.lists(st.tuples(steps, st.floats(0, 20)), max_size=60))
def test_whatever_happens_the_sums_hold(events: Sequence[tuple[Event, float]]) -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.take(JobStarted("save", "", ("x", *SIZES)))
    moved = 0
    for event, seconds in events:
        clock.now += seconds
        snapshot = take(progress, event)
        assert 0 <= snapshot.done <= snapshot.total
        assert snapshot.rate >= 0
        assert snapshot.done + snapshot.repeated >= moved, "backwards without being counted"
        moved = snapshot.done + snapshot.repeated
        items = {item.item: item.done for item in snapshot.items}
        assert items["x"] == snapshot.done, "x needs every blob"
        assert sum(items[blob] for blob in SIZES) == snapshot.done
    for blob in SIZES:
        snapshot = take(progress, BlobDone(blob))
    assert snapshot.done == snapshot.total


def test_folding_from_many_threads_loses_nothing() -> None:
    progress = Progress()
    workers, steps_each = 8, 2000
    for worker in range(workers):
        progress.take(BlobPlanned(str(worker), steps_each, ("x",)))

    def work(worker: int) -> None:
        progress.take(BlobStarted(str(worker)))
        for _ in range(steps_each):
            progress.take(BlobProgress(str(worker), 1))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(workers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert progress.snapshot().done <= workers * steps_each
    for thread in threads:
        thread.join()
    assert progress.snapshot().done == workers * steps_each


def test_a_thousand_items_and_ten_thousand_blobs_stay_cheap() -> None:
    """A drawing 4 times a second may cost a few hundredths of a core, whatever has finished."""
    progress = Progress()
    items = tuple(f"registry.lan/image-{n}:1" for n in range(1000))
    progress.take(JobStarted("save", "", items))
    for number in range(10_000):
        progress.take(BlobPlanned(f"sha256:{number:064}", 1000, items[number % 1000 :][:5]))
    for number in range(9_990):
        progress.take(BlobDone(f"sha256:{number:064}"))
    for number in range(9_990, 9_994):
        progress.take(BlobStarted(f"sha256:{number:064}"))
    best = 99.0
    for _ in range(20):
        begun = time.thread_time()
        snapshot = progress.snapshot()
        best = min(best, time.thread_time() - begun)
    assert len(snapshot.items) == 1000
    assert (snapshot.blobs_done, len(snapshot.transfers)) == (9_990, 4)
    assert best < 0.01


# --- logins, and the way over a file


def test_a_registry_waits_for_a_login_until_it_is_settled() -> None:
    progress = Progress()
    progress.take(JobStarted("save", "pod", ("a.lan/b:1",)))
    progress.take(LoginNeeded("a.lan", "refused"))
    progress.take(LoginNeeded("b.lan", "expired"))
    wanted = progress.snapshot().logins
    assert wanted == (LoginWanted("a.lan", "refused"), LoginWanted("b.lan", "expired"))
    progress.take(LoginSettled("a.lan", given=False))
    assert progress.snapshot().logins == (LoginWanted("b.lan", "expired"),)


def test_a_paused_transfer_is_not_under_way_and_keeps_what_it_has() -> None:
    progress = Progress()
    progress.take(JobStarted("save", "pod", ("a.lan/b:1",)))
    progress.take(BlobPlanned("sha256:1", 100, ("a.lan/b:1",)))
    progress.take(BlobStarted("sha256:1"))
    progress.take(BlobProgress("sha256:1", 60))
    progress.take(BlobPaused("sha256:1", "refused"))
    snapshot = progress.snapshot()
    assert snapshot.transfers == ()
    assert (snapshot.done, snapshot.items[0].done) == (60, 60)
    progress.take(BlobStarted("sha256:1", 50))
    snapshot = progress.snapshot()
    assert (snapshot.done, snapshot.repeated) == (50, 10)
    assert [transfer.done for transfer in snapshot.transfers] == [50]


def test_a_snapshot_comes_back_from_json() -> None:
    progress = Progress()
    progress.take(JobStarted("save", "pod", ("a.lan/b:1", "a.lan/c:1")))
    progress.take(BlobPlanned("sha256:1", 100, ("a.lan/b:1", "a.lan/c:1")))
    progress.take(BlobStarted("sha256:1", 10))
    progress.take(BlobRetrying("sha256:1", "cut", 5.0, 10))
    progress.take(ItemChanged("a.lan/c:1", ItemState.FAILED, "no such tag"))
    progress.take(HostPaused("a.lan", 60.0, "too many requests"))
    progress.take(LoginNeeded("a.lan", "refused"))
    progress.take(Note("mind this", Level.WARNING))
    snapshot = progress.snapshot()
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot
    with pytest.raises((KeyError, TypeError, ValueError)):
        Snapshot.from_json({**snapshot.to_json(), "novelty": 1})
