"""A job in a process of its own, which survives a closed window, a dropped connection and a killed
wizard.

`start` runs `python -m airgap_tui.engine.jobs.worker DIRECTORY`. That forks, so that nobody has the
worker for a child; it is the head of a session of its own, ignores SIGHUP, and stops cleanly at
SIGTERM. Secrets come through its standard input, once, and stay in its memory.

A program in one file cannot fork and leave: what it has unpacked goes when the process ends that
was started. There the worker is that process, and says on its standard output that it works.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from airgap_tui.engine import own_program
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import BundleLocked, EnvironmentFailure, Stopped
from airgap_tui.engine.jobs import chain as chains
from airgap_tui.engine.jobs.chain import Chain, Ended
from airgap_tui.engine.jobs.control import Control, credential_as_json, read_credential
from airgap_tui.engine.jobs.directory import JobDirectory, Occupant
from airgap_tui.engine.jobs.identity import Identity
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe, list_jobs, prune
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.recorder import Recorder
from airgap_tui.engine.jobs.survival import Survival, survival
from airgap_tui.engine.jobs.unattended import check_keys
from airgap_tui.engine.redaction import redact

_START_SECONDS = 60.0
_TERMINATED = 143
_MOST_SECRETS = 1024 * 1024
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|AUTH_CONFIG", re.IGNORECASE)


def start(
    chain: Chain,
    state_dir: Path,
    *,
    logins: Mapping[str, Credential | None] | None = None,
    command: str = "",
    surviving: Survival | None = None,
) -> JobInfo:
    """Start a worker on the chain and return when it works.

    `logins` are for this run alone, None for a registry that needs none; `command` is
    the command line that does the same; `surviving` is what `survival()` said, where the caller has
    told the user of it already. Raises `BundleLocked` where a job of ours writes the bundle,
    `EnvironmentFailure` where no process can be started, and as `check_keys`.
    """
    logins = logins or {}
    prune(state_dir)
    _refuse_a_second(chain, state_dir)
    check_keys(chain)
    directory = JobDirectory.create(state_dir, chain, command=command, logins=tuple(logins))
    secrets, environment = _apart(os.environ)
    given = {name: known and credential_as_json(known) for name, known in logins.items()}
    message = json.dumps({"logins": given, "environment": secrets}).encode()
    prefix = (surviving or survival()).prefix
    command_line = [*own_program.worker_command(__name__), str(directory.path.absolute())]
    begin = _begin_and_stay if own_program.is_one_file() else _begin
    try:
        with open(directory.log, "ab") as log:
            code = begin([*prefix, *command_line], message, log, environment)
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFailure(f"no worker process can be started: {error}") from None
    if code != 0:
        raise EnvironmentFailure(
            f"the worker process ended at once ({code})",
            hint=f"{directory.log} tells more.",
        )
    return describe(directory)


def _begin(
    command: Sequence[str], message: bytes, log: IO[bytes], environment: Mapping[str, str]
) -> int:
    """Start a worker that leaves the process that was started; how that one ended."""
    return subprocess.run(
        command,
        input=message,
        stdout=log,
        stderr=log,
        cwd="/",
        env=environment,
        start_new_session=True,
        timeout=_START_SECONDS,
        check=False,
    ).returncode


def _begin_and_stay(
    command: Sequence[str], message: bytes, log: IO[bytes], environment: Mapping[str, str]
) -> int:
    """Start a worker that is the process that was started; 0 as soon as it says that it works."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd="/",
        env=environment,
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - it was asked for
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with process.stdin, suppress(BrokenPipeError):
        process.stdin.write(message)
        process.stdin.flush()
    with process.stdout:
        ready = select.select([process.stdout], [], [], _START_SECONDS)[0]
        if ready and os.read(process.stdout.fileno(), 1):
            # Somebody has to take note of its end for as long as this process is there.
            threading.Thread(target=process.wait, name="worker", daemon=True).start()
            return 0
    if not ready:
        process.kill()
    return process.wait() or 1


def stop(job: JobInfo, *, at_once: bool = False) -> bool:
    """Ask the job to stop, or end it with `at_once`; False where it runs no more.

    Raises `EnvironmentFailure` where it is not ours to stop.
    """
    if job.state is not JobState.RUNNING or job.occupant is None:
        return False
    if not job.may_control:
        where = "another user's" if job.here else f"on {job.host}"
        raise EnvironmentFailure(
            f"{job.name}: this job is {where}, and can only be stopped there",
            hint=f"There: airgap-tui stop {job.id}",
        )
    return job.occupant.identity.send(signal.SIGKILL if at_once else signal.SIGTERM)


def _refuse_a_second(chain: Chain, state_dir: Path) -> None:
    if not chain.writes:
        return
    for job in list_jobs(state_dir):
        writes = "save" in job.order.verbs[job.moment.step :]
        if job.state is JobState.RUNNING and writes and job.order.place == chain.place:
            raise BundleLocked(
                f"{chain.place} is being written by the job {job.id}",
                hint=f"See how far it is: airgap-tui attach {job.id}",
            )


def _apart(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The variables with secrets, which go through the pipe, and the others with the way to us."""
    secret = {
        name: value
        for name, value in environment.items()
        if _SECRET_NAMES.search(name) or redact(value) != value
    }
    others = {name: value for name, value in environment.items() if name not in secret}
    root = Path(__file__).resolve().parents[3]
    if own_program.is_installed() and root.name not in ("site-packages", "dist-packages"):
        # Run from a source tree: the worker starts in /, and would not find it.
        paths = [str(root), *others.get("PYTHONPATH", "").split(os.pathsep)]
        others["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
    return secret, others


# --- in the worker


def main(path: str) -> int:
    """Take the secrets, leave everybody who started us, say who we are, and do the job."""
    secrets = json.loads(sys.stdin.buffer.read(_MOST_SECRETS))
    writer = _stay() if own_program.is_one_file() else _leave()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the secrets
    os.environ.update(secrets["environment"])
    logins = {name: value and read_credential(value) for name, value in secrets["logins"].items()}
    return _work(JobDirectory(Path(path)), logins, writer)


def _leave() -> int:
    """Go on as a process that nobody has for a child; where to say that the worker works."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        # Nothing to read means that the worker ended before it could say that it works.
        os._exit(0 if os.read(reader, 1) else 1)
    os.close(reader)
    return writer


def _stay() -> int:
    """Keep standard output for saying that the worker works; what is printed goes to the log."""
    writer = os.dup(1)
    os.dup2(2, 1)
    return writer


def _work(directory: JobDirectory, given: Mapping[str, Credential | None], started: int) -> int:
    token = CancelToken()

    def terminate(_number: int, _frame: FrameType | None) -> None:
        token.cancel()

    signal.signal(signal.SIGTERM, terminate)
    with Recorder(directory) as recorder:
        logins = Logins(CredentialStore.load(overrides=given), recorder.take)
        with Control(logins) as control:
            directory.occupy(Occupant(Identity.own(), _user(), control.name))
            os.write(started, b"+")
            os.close(started)
            job = _Job(directory, recorder, token, logins)
            job.start()
            # The main thread only waits: a handler that runs in it meets no lock of the job's.
            while job.is_alive():
                job.join(timeout=1.0)
        recorder.finish(job.exit_code)
    return job.exit_code


class _Job(threading.Thread):
    """The chain in a thread; `exit_code` is there when that has ended."""

    def __init__(
        self, directory: JobDirectory, recorder: Recorder, token: CancelToken, logins: Logins
    ) -> None:
        super().__init__(name="job", daemon=True)
        self._directory = directory
        self._recorder = recorder
        self._token = token
        self._logins = logins
        self.exit_code = 1

    def run(self) -> None:
        verb = ""
        try:
            chain = self._directory.chain
            verb = chain.verbs[0]
            done = chains.run(
                chain, self._recorder.take, self._token, self._logins, self._recorder.ended
            )
            self.exit_code = chains.exit_code(done)
        except Stopped:
            self.exit_code = _TERMINATED
        except Exception as error:
            sys.stderr.write(redact(traceback.format_exc()))
            sys.stderr.flush()
            said = redact(f"something unforeseen went wrong: {type(error).__name__}: {error}")
            hint = f"{self._directory.log} has the details. Add them to a report of this fault."
            self._recorder.ended(Ended(verb or "save", self.exit_code, None, said, hint))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _arguments() -> Any:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m airgap_tui.engine.jobs.worker DIRECTORY")
    return sys.argv[1]


if __name__ == "__main__":
    sys.exit(main(_arguments()))
