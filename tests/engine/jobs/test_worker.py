"""Workers as processes: they outlive whoever started them, stop, die, go on, and keep secrets."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import BundleLocked, EnvironmentFailure
from airgap_tui.engine.events import ItemState, LoginNeeded, LoginSettled, discard
from airgap_tui.engine.jobs import verify, worker
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.control import give_login, leave_out
from airgap_tui.engine.jobs.directory import JobDirectory
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe, list_jobs
from airgap_tui.engine.jobs.push import PushSpec
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.seal import SealSpec
from airgap_tui.engine.jobs.survival import Survival
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.fakes.registry import FakeRegistry, Tokens
from tests.fakes.valve import Valve
from tests.images import build_image, layer
from tests.services import wait_for
from tests.signing import make_key

ROOT = Path(__file__).resolve().parents[3]
OLD_KEY, NEW_KEY, OTHER = "correct-horse-battery", "newer-horse-battery", "proxy-horse-battery"
LAYERS = 5


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    """Reads only with a login."""
    with FakeRegistry(tokens=Tokens({"robot": OLD_KEY}, anonymous=False)) as registry:
        yield registry


@pytest.fixture
def valve(registry: FakeRegistry) -> Iterator[Valve]:
    """Of the open registry: a config and a layer come, the others wait."""
    valve = Valve(2)
    registry.script("GET", "/blobs/", valve, forever=True)
    yield valve
    valve.opened.set()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state directory; no worker is left behind."""
    yield tmp_path / "state"
    for job in list_jobs(tmp_path / "state"):
        if job.state is JobState.RUNNING and job.occupant is not None:
            job.occupant.identity.send(signal.SIGKILL)


def image_in(registry: FakeRegistry, name: str) -> str:
    layers = [layer(f"{name} {n}", 40_000) for n in range(LAYERS)]
    return registry.add(build_image(f"{name}:1", layers))


def saving(bundle: Path, *names: str, then_verify: bool = False) -> Chain:
    settings = Settings(Network(retry=RetryPolicy(attempts=2, first_wait=0.01)), transfers=2)
    references = tuple(Reference.parse(name) for name in names)
    steps = [Step("save", SaveSpec(references, bundle, settings))]
    return Chain((*steps, *([Step("verify", VerifySpec(bundle, settings))] if then_verify else [])))


def now(job: JobInfo) -> JobInfo:
    return describe(job.directory)


def finished(job: JobInfo) -> JobInfo:
    wait_for(lambda: now(job).state is not JobState.RUNNING, what=f"{job.id} still runs")
    return now(job)


def process_of(job: JobInfo) -> int:
    assert job.occupant is not None
    return job.occupant.identity.process


def fetched(registry: FakeRegistry) -> list[str]:
    return [seen.path for seen in registry.seen("GET", "/blobs/")]


# --- outliving


def test_save_then_verify_in_one_worker(
    registry: FakeRegistry, state: Path, tmp_path: Path
) -> None:
    chain = saving(tmp_path / "pod", image_in(registry, "team/x"), then_verify=True)
    job = worker.start(chain, state, command="airgap-tui save .. --then verify")
    assert job.state is JobState.RUNNING
    assert process_of(job) not in (os.getpid(), 0)
    job = finished(job)
    assert (job.state, job.exit_code, job.moment.step) == (JobState.FINISHED, 0, 2)
    assert [step.verb for step in job.directory.ended] == ["save", "verify"]
    assert job.directory.ended[0].result is not None
    assert job.directory.ended[0].result.items[0].state is ItemState.DONE
    assert job.order.command == "airgap-tui save .. --then verify"
    assert verify.run(VerifySpec(tmp_path / "pod"), discard, CancelToken()).ok


STARTER = """
import fcntl, json, sys, termios, time
from pathlib import Path
from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
chain = Chain.from_json(json.loads(sys.argv[2]))
print(worker.start(chain, Path(sys.argv[1])).id, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", ["kill", "hangup"])
def test_the_end_of_its_starter_is_not_its_own(
    registry: FakeRegistry, valve: Valve, state: Path, tmp_path: Path, end: str
) -> None:
    """`kill -9` of the wizard; and a line that drops, which hangs up the terminal's session."""
    chain = saving(tmp_path / "pod", image_in(registry, "team/x"))
    arguments = [sys.executable, "-c", STARTER, str(state), json.dumps(chain.to_json())]
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        arguments,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        start_new_session=True,
    ) as starter:
        try:
            valve.wait()
            (job,) = list_jobs(state)
            assert job.state is JobState.RUNNING
            assert os.getsid(process_of(job)) != os.getsid(starter.pid)
            if end == "kill":
                starter.kill()
        finally:
            os.close(terminal)
            os.close(screen)
        assert starter.wait(20) == (-signal.SIGKILL if end == "kill" else -signal.SIGHUP)
    os.kill(process_of(job), signal.SIGHUP)
    assert now(job).state is JobState.RUNNING
    valve.opened.set()
    assert finished(job).exit_code == 0


def test_it_leaves_no_child_and_holds_no_directory(
    registry: FakeRegistry, valve: Valve, state: Path, tmp_path: Path
) -> None:
    job = worker.start(saving(tmp_path / "pod", image_in(registry, "team/x")), state)
    status = Path(f"/proc/{process_of(job)}/stat").read_text().rpartition(") ")[2].split()
    assert int(status[1]) != os.getpid(), "its parent is somebody else"
    assert os.readlink(f"/proc/{process_of(job)}/cwd") == "/"
    assert os.readlink(f"/proc/{process_of(job)}/fd/0") == os.devnull


# --- stopping, dying, going on


def test_stopped_and_continued(
    registry: FakeRegistry, valve: Valve, state: Path, tmp_path: Path
) -> None:
    job = worker.start(saving(tmp_path / "pod", image_in(registry, "team/x")), state)
    valve.wait()
    blobs = tmp_path / "pod/blobs/sha256"
    wait_for(lambda: any(blobs.iterdir()), what="a layer that is whole")
    assert worker.stop(job)
    stopped = finished(job)
    valve.opened.set()
    assert (stopped.state, stopped.exit_code) == (JobState.STOPPED, 143)
    assert stopped.continuable
    assert not worker.stop(stopped)
    kept = {path.name for path in blobs.iterdir()}
    before = fetched(registry)
    again = finished(worker.start(stopped.directory.chain, state))
    assert again.exit_code == 0
    assert not next(j for j in list_jobs(state) if j.id == stopped.id).continuable
    # The layers that had come are not fetched again.
    assert not kept & {path.rpartition(":")[2] for path in fetched(registry)[len(before) :]}


def test_killed_is_seen_and_can_go_on(
    registry: FakeRegistry, valve: Valve, state: Path, tmp_path: Path
) -> None:
    job = worker.start(saving(tmp_path / "pod", image_in(registry, "team/x")), state)
    valve.wait()
    assert worker.stop(job, at_once=True)
    died = finished(job)
    assert died.state is JobState.DIED
    assert died.exit_code is None
    assert died.continuable
    assert died.verb == "save"
    valve.opened.set()
    assert finished(worker.start(died.directory.chain, state)).exit_code == 0


def test_one_worker_writes_a_bundle(
    registry: FakeRegistry, valve: Valve, state: Path, tmp_path: Path
) -> None:
    chain = saving(tmp_path / "pod", image_in(registry, "team/x"))
    job = worker.start(chain, state)
    with pytest.raises(BundleLocked, match=job.id):
        worker.start(chain, state)
    assert len(list_jobs(state)) == 1


def test_what_cannot_be_done_says_why(state: Path, tmp_path: Path) -> None:
    job = finished(worker.start(Chain((Step("verify", VerifySpec(tmp_path / "no")),)), state))
    assert (job.state, job.exit_code) == (JobState.FINISHED, 4)
    (ended,) = job.directory.ended
    assert "no" in ended.error
    assert ended.error in job.directory.log.read_text()


def test_a_worker_that_does_not_start_is_told(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain((Step("verify", VerifySpec(tmp_path / "no")),))
    with pytest.raises(EnvironmentFailure, match="ended at once") as caught:
        worker.start(chain, state, surviving=Survival(("false",)))
    assert "log" in caught.value.hint
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(EnvironmentFailure, match="no worker process"):
        worker.start(chain, state)


def test_a_key_that_cannot_sign_is_told_before_any_work(
    registry: FakeRegistry, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    locked = make_key(tmp_path / "id", passphrase="correct horse").file
    (save,) = saving(tmp_path / "pod", image_in(registry, "team/x")).steps
    chain = Chain((save, Step("seal", SealSpec(tmp_path / "pod", locked))))
    with pytest.raises(EnvironmentFailure, match="cannot sign in the background") as caught:
        worker.start(chain, state)
    assert caught.value.hint == "It has a passphrase: ssh-add it first."
    assert list_jobs(state) == ()


def test_what_nobody_foresaw_is_in_the_log(state: Path, tmp_path: Path) -> None:
    directory = JobDirectory.create(state, Chain((Step("verify", VerifySpec(tmp_path)),)))
    path = directory.path / "spec.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chain": [{"verb": "fly"}]}))
    with open(directory.log, "ab") as log:
        subprocess.run(
            [sys.executable, "-m", worker.__name__, directory.path],
            input=b'{"logins": {}, "environment": {}}',
            stderr=log,
            cwd=ROOT,
            timeout=60,
            check=True,
        )
    job = finished(describe(directory))
    assert (job.state, job.exit_code) == (JobState.FINISHED, 1)
    assert "does not know" in directory.ended[0].error
    assert "Traceback" in directory.log.read_text()


# --- secrets


def secrets_on_disk(directory: Path, *secrets: str) -> list[str]:
    found = []
    for path in directory.rglob("*"):
        with suppress(OSError):
            content = path.read_bytes() if path.is_file() else b""
            found += [str(path) for secret in secrets if secret.encode() in content]
    return found


def test_secrets_are_in_memory_alone(
    private: FakeRegistry,
    registry: FakeRegistry,
    valve: Valve,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NGC_API_KEY", OTHER)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{OTHER}@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    logins = {private.host: Credential("robot", OLD_KEY, "typed")}
    chain = saving(tmp_path / "pod", image_in(private, "a/b"), image_in(registry, "team/x"))
    job = worker.start(chain, state, logins=logins)
    valve.wait()
    process = Path(f"/proc/{process_of(job)}")
    for name in ("cmdline", "environ"):
        content = (process / name).read_bytes()
        assert content
        assert OLD_KEY.encode() not in content
        assert OTHER.encode() not in content
    assert re.search(r"Max core file size +0 +0 ", (process / "limits").read_text())
    valve.opened.set()
    job = finished(job)
    assert job.exit_code == 0, job.directory.log.read_text()
    assert job.order.logins == (private.host,)
    assert not secrets_on_disk(tmp_path, OLD_KEY, OTHER)


def test_a_key_revoked_in_the_middle(
    private: FakeRegistry, registry: FakeRegistry, state: Path, tmp_path: Path
) -> None:
    """It pauses that registry, goes on with the others, and continues with the next key."""
    valve = Valve(2)
    private.script("GET", "/blobs/", valve, forever=True)
    logins = {private.host: Credential("robot", OLD_KEY, "typed")}
    bundle = tmp_path / "pod"
    chain = saving(bundle, image_in(private, "a/b"), image_in(registry, "team/x"))
    job = worker.start(chain, state, logins=logins)
    valve.wait()
    assert private.tokens is not None
    private.tokens.users = {"robot": NEW_KEY}
    private.tokens.expire()
    valve.opened.set()
    wait_for(lambda: bool(now(job).snapshot.logins))
    (wanted,) = now(job).snapshot.logins
    assert wanted.registry == private.host
    assert "refused the login" in wanted.reason
    states = {item.item: item.state for item in now(job).snapshot.items}
    assert states[f"{private.host}/a/b:1"] is ItemState.RETRYING
    wait_for(
        lambda: (
            {i.item: i.state for i in now(job).snapshot.items}[f"{registry.host}/team/x:1"]
            is ItemState.DONE
        )
    )
    give_login(now(job), private.host, Credential("robot", "mistyped-horse", "typed"))
    wait_for(lambda: len([e for e in job.directory.journal()[0] if type(e) is LoginNeeded]) == 2)
    assert give_login(now(job), private.host, Credential("robot", NEW_KEY, "typed"))
    job = finished(job)
    assert job.exit_code == 0, job.directory.log.read_text()
    settled = [e for e in job.directory.journal()[0] if isinstance(e, LoginSettled)]
    assert settled == [LoginSettled(private.host, True)] * 2
    assert verify.run(VerifySpec(bundle), discard, CancelToken()).ok
    assert not secrets_on_disk(tmp_path, OLD_KEY, NEW_KEY, "mistyped-horse")


def test_left_out_in_the_middle(
    private: FakeRegistry, registry: FakeRegistry, state: Path, tmp_path: Path
) -> None:
    valve = Valve(1)
    private.script("GET", "/blobs/", valve, forever=True)
    logins = {private.host: Credential("robot", OLD_KEY, "typed")}
    chain = saving(tmp_path / "pod", image_in(private, "a/b"), image_in(registry, "team/x"))
    job = worker.start(chain, state, logins=logins)
    valve.wait()
    assert private.tokens is not None
    private.tokens.users = {}
    private.tokens.expire()
    valve.opened.set()
    wait_for(lambda: bool(now(job).snapshot.logins))
    assert leave_out(now(job), private.host)
    job = finished(job)
    assert job.exit_code == 1
    items = {item.item: item.state for item in job.snapshot.items}
    assert items[f"{private.host}/a/b:1"] is ItemState.FAILED
    assert items[f"{registry.host}/team/x:1"] is ItemState.DONE


def test_a_wait_for_a_login_can_be_stopped(
    private: FakeRegistry, state: Path, tmp_path: Path
) -> None:
    valve = Valve(1)
    private.script("GET", "/blobs/", valve, forever=True)
    logins = {private.host: Credential("robot", OLD_KEY, "typed")}
    job = worker.start(saving(tmp_path / "pod", image_in(private, "a/b")), state, logins=logins)
    valve.wait()
    assert private.tokens is not None
    private.tokens.users = {}
    private.tokens.expire()
    valve.opened.set()
    wait_for(lambda: bool(now(job).snapshot.logins))
    assert worker.stop(now(job))
    assert finished(job).state is JobState.STOPPED


def test_a_key_revoked_while_pushing(
    private: FakeRegistry, registry: FakeRegistry, state: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "pod"
    assert (
        finished(worker.start(saving(bundle, image_in(registry, "team/x")), state)).exit_code == 0
    )
    valve = Valve(1)
    private.script("PATCH", "/uploads/", valve, forever=True)
    chain = Chain((Step("push", PushSpec(bundle, Naming.parse(private.host))),))
    login = Credential("robot", OLD_KEY, "typed")
    job = worker.start(chain, state, logins={private.host: login})
    valve.wait()
    assert private.tokens is not None
    private.tokens.users = {"robot": NEW_KEY}
    private.tokens.expire()
    valve.opened.set()
    wait_for(lambda: bool(now(job).snapshot.logins))
    assert now(job).snapshot.logins[0].registry == private.host
    assert give_login(now(job), private.host, Credential("robot", NEW_KEY, "typed"))
    job = finished(job)
    assert job.exit_code == 0, job.directory.log.read_text()
    assert private.manifests["team/x"]["1"] == registry.manifests["team/x"]["1"]
