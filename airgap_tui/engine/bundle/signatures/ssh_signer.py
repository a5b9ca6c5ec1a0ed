"""Signing with `ssh-keygen -Y` in two steps: the key is made ready while somebody is there to type
its passphrase, and signs what is known only later.

`ssh-keygen` loads its key before it reads what it is to sign. So it is begun early and reads from
pipes that stay empty until then: it holds the key itself, and nothing of it is ever known here.
Where this process ends, the pipes do, and so does it.
"""

from __future__ import annotations

import os
import select
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from airgap_tui.engine.bundle.signatures import program
from airgap_tui.engine.bundle.signatures.ssh_signature import NAMESPACE, TAIL
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.plain_text import harmless

_FOR_A_PERSON = 300.0
"""Seconds for a passphrase to be typed or a hardware key to be touched."""
_POLL = 0.1
_LOADED = "Signing "
_TOUCH = "Confirm user presence"
_NO_REASON = (_LOADED, "Write signature", _TOUCH, "@@@")
_HINTS = (
    ("incorrect passphrase", "Load the key with ssh-add, and name its .pub file."),
    ("agent", "Start an agent, load the key with ssh-add, and name its .pub file."),
    ("too open", "Make it readable for you only: chmod 600."),
    ("invalid format", "Name a private key of OpenSSH, or the .pub file of one in the agent."),
    ("unknown option", "Signing needs OpenSSH 8.2 or newer."),
)


class Signer:
    """A private key, or the public one of a key in the agent or in hardware; `say` hears what a
    person has to do, such as touching it. It signs `most` contents, and is asked for once."""

    def __init__(
        self,
        key: Path,
        token: CancelToken,
        say: Callable[[str], None] = lambda _line: None,
        *,
        most: int = 1,
    ) -> None:
        self.key = key
        self._token = token
        self._say = say
        self._most = most
        self._stack = ExitStack()
        self._running: program.Running | None = None
        self._pipes: list[int] = []
        self._directory = Path()
        self._given = 0

    def __enter__(self) -> Signer:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def make_ready(self) -> None:
        """Return when the key can sign; a passphrase is asked for now.

        Raises `NotFound` where the key or `ssh-keygen` is not there, `EnvironmentFailure` for a key
        that cannot sign, and `Stopped`."""
        if self._running is None:
            self._running = running = self._begun()

            def loaded() -> bool:
                return any(line.startswith(_LOADED) for line in running.lines)

            if not running.wait(loaded, _FOR_A_PERSON, self._token):
                raise self._failure(running.lines)

    def sign(self, content: bytes) -> bytes:
        """The signature of some content, armoured. Raises as `make_ready`."""
        self.make_ready()
        running, number = self._running, self._given
        assert running is not None  # noqa: S101 - it was made ready
        self._given += 1
        made, told = self._directory / f"{number}.sig", False

        def signed() -> bool:
            nonlocal told
            # One that waits for a touch says so before it has anything to sign.
            touches = [line for line in running.lines if line.startswith(_TOUCH)]
            if len(touches) > number and not told:
                told = True
                self._say(f"{harmless(touches[number])}: touch it")
            with suppress(FileNotFoundError):
                return made.read_bytes().rstrip().endswith(TAIL)
            return False

        self._give(number, content)
        if not running.wait(signed, _FOR_A_PERSON, self._token):
            raise self._failure(running.lines)
        return made.read_bytes()

    def _begun(self) -> program.Running:
        if not self.key.is_file():
            raise NotFound(
                f"there is no key {self.key}",
                hint="Name a private key, or the .pub file of a key in the agent.",
            )
        stack = self._stack
        self._directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="airgap-tui-"))
        )
        with ExitStack() as its_ends:
            read_ends = []
            for number in range(self._most):
                read_end, write_end = os.pipe()
                its_ends.callback(os.close, read_end)
                self._pipes.append(write_end)
                stack.callback(self._close, number)
                os.set_blocking(write_end, False)
                # The signature is written beside what is signed, under a name of its own.
                (self._directory / str(number)).symlink_to(f"/proc/self/fd/{read_end}")
                read_ends.append(read_end)
            files = [str(self._directory / str(number)) for number in range(self._most)]
            command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(self.key.absolute())]
            running = program.Running([*command, *files], b"", descriptors=read_ends)
        stack.callback(running.close)
        return running

    def _give(self, number: int, content: bytes) -> None:
        pipe, view = self._pipes[number], memoryview(content)
        with suppress(BrokenPipeError):  # it has ended, and said why
            while view:
                self._token.check()
                if select.select([], [pipe], [], _POLL)[1]:
                    view = view[os.write(pipe, view) :]
        self._close(number)

    def _close(self, number: int) -> None:
        pipe, self._pipes[number] = self._pipes[number], -1
        if pipe >= 0:
            os.close(pipe)

    def _failure(self, said: list[str]) -> EnvironmentFailure:
        lines = [line for line in said if not line.startswith(_NO_REASON)]
        every = " ".join(lines).lower()
        hint = next((hint for text, hint in _HINTS if text in every), "")
        reason = harmless(lines[-1])[:200] if lines else "ssh-keygen said nothing"
        return EnvironmentFailure(f"{self.key} cannot sign: {reason}", hint=hint)
