"""Credential helpers: the programs `docker-credential-NAME` that keep logins outside of files."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import EnvironmentFailure

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NOT_FOUND = "credentials not found"
TIMEOUT = 30.0
"""Seconds that a helper may take: some ask a key ring, none may ask a person."""


GOOD_FOR = 600.0
"""Seconds that an answer holds. Clouds give out logins that end after an hour, and a job may last
for days; one that takes long, or fails, is not to be asked for each repository."""


@dataclass(frozen=True, slots=True)
class Helper:
    """Speaks the protocol of docker/docker-credential-helpers over stdin and stdout."""

    name: str

    @property
    def program(self) -> str:
        return f"docker-credential-{self.name}"

    def get(self, server: str) -> Credential | None:
        """The login for a server, None where there is none.

        Raises `EnvironmentFailure` where the helper is absent, fails or takes too long.
        """
        code, output = self._run("get", server)
        if code != 0:
            if _NOT_FOUND in output.lower():
                return None
            raise EnvironmentFailure(f"{self.program} failed: {_brief(output)}")
        try:
            value = json.loads(output)
            username, secret = str(value["Username"]), str(value["Secret"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise EnvironmentFailure(
                f"{self.program} answered with something other than a login"
            ) from None
        if username == "<token>":
            return Credential("", "", self.program, identity_token=secret)
        return Credential(username, secret, self.program) if username or secret else None

    def store(self, server: str, username: str, secret: str) -> None:
        """Keep a login. Raises `EnvironmentFailure`."""
        request = {"ServerURL": server, "Username": username, "Secret": secret}
        code, output = self._run("store", json.dumps(request))
        if code != 0:
            raise EnvironmentFailure(
                f"{self.program} could not store the login: {_brief(output)}",
                hint="docker-credential helpers are set in config.json under credsStore.",
            )

    def _run(self, verb: str, text: str) -> tuple[int, str]:
        if _NAME.fullmatch(self.name) is None:
            raise EnvironmentFailure(f"{self.name!r} is not the name of a credential helper")
        try:
            done = subprocess.run(
                [self.program, verb],
                input=text.encode(),
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            raise EnvironmentFailure(
                f"the credential helper {self.program} is not installed",
                hint="Install it, or take its name out of config.json.",
            ) from None
        except OSError as error:
            raise EnvironmentFailure(f"{self.program} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(
                f"{self.program} did not answer within {TIMEOUT:.0f} s"
            ) from None
        # Helpers tell their errors on stdout.
        output = done.stdout if done.returncode == 0 else done.stdout + done.stderr
        return done.returncode, output.decode(errors="replace").strip()


class Answers:
    """What helpers have said lately; a failure is an answer, too."""

    def __init__(self) -> None:
        self._known: dict[
            tuple[Helper, str], tuple[float, Credential | EnvironmentFailure | None]
        ] = {}

    def get(self, helper: Helper, server: str) -> Credential | None:
        """As `Helper.get`."""
        asked, answer = self._known.get((helper, server), (0.0, None))
        if not asked or time.monotonic() - asked >= GOOD_FOR:
            try:
                answer = helper.get(server)
            except EnvironmentFailure as error:
                answer = error
            self._known[helper, server] = time.monotonic(), answer
        if isinstance(answer, EnvironmentFailure):
            raise EnvironmentFailure(answer.message, hint=answer.hint)
        return answer


def _brief(output: str) -> str:
    lines = output.splitlines()
    return lines[0][:200] if lines else "it said nothing"
