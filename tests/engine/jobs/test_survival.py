"""What ends programs at the logout, as the system's files say it, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.survival import SCOPE, Survival, runs, survival

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
ENDS = "[Login]\nKillUserProcesses=yes\n"

System = Callable[..., Path]


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A system's files: `system({"etc/systemd/logind.conf": "…"}, linger="ops")`."""

    def made(files: dict[str, str], *, cgroup: str = SESSION, linger: str = "") -> Path:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
        for name, text in {"proc/self/cgroup": cgroup, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if linger:
            (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
            (tmp_path / "var/lib/systemd/linger" / linger).touch()
        return tmp_path

    return made


def works(_command: Sequence[str]) -> bool:
    return True


def fails(_command: Sequence[str]) -> bool:
    return False


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"},
        {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=no\n"},
        {"etc/systemd/logind.conf": "not a file of this kind\n"},
        {"etc/systemd/logind.conf": "[Other]\nKillUserProcesses=yes\n"},
        {"etc/systemd/logind.conf": f"{ENDS}KillExcludeUsers=root ops\n"},
        {"etc/systemd/logind.conf": f"{ENDS}KillOnlyUsers=students\n"},
        {
            "usr/lib/systemd/logind.conf.d/10-kill.conf": ENDS,
            "etc/systemd/logind.conf.d/20-keep.conf": "[Login]\nKillUserProcesses = no\n",
        },
        {
            "usr/lib/systemd/logind.conf.d/10-kill.conf": ENDS,
            "etc/systemd/logind.conf.d/10-kill.conf": "",
        },
    ],
)
def test_where_nothing_is_ended_nothing_is_done(system: System, files: dict[str, str]) -> None:
    assert survival(system(files), "ops", fails) == Survival()


def test_without_systemd_nothing_is_done(tmp_path: Path) -> None:
    assert survival(tmp_path, "ops", fails) == Survival()


def test_outside_of_a_login_session_nothing_is_ended(system: System) -> None:
    root = system({"etc/systemd/logind.conf": ENDS}, cgroup="0::/system.slice/cron.service\n")
    assert survival(root, "ops", fails) == Survival()


@pytest.mark.parametrize(
    "files",
    [
        {"etc/systemd/logind.conf": ENDS},
        {"usr/lib/systemd/logind.conf": ENDS},
        {"usr/lib/systemd/logind.conf": ENDS, "etc/systemd/logind.conf": "[Login]\n"},
        {"etc/systemd/logind.conf": "[Login]\n killuserprocesses = TRUE \n"},
        {"etc/systemd/logind.conf": f"{ENDS}KillExcludeUsers=root\n"},
        {"etc/systemd/logind.conf": f"{ENDS}KillOnlyUsers=students ops\n"},
        {
            "etc/systemd/logind.conf": "[Login]\nKillUserProcesses=no\n",
            "run/systemd/logind.conf.d/site.conf": "[Login]\nKillUserProcesses=1\n",
        },
    ],
)
def test_a_scope_of_a_lingering_manager_survives(system: System, files: dict[str, str]) -> None:
    assert survival(system(files, linger="ops"), "ops", works) == Survival(SCOPE)


def test_without_lingering_the_remedy_is_told(system: System) -> None:
    found = survival(system({"etc/systemd/logind.conf": ENDS}, linger="eva"), "ops", works)
    assert found.prefix == ()
    assert "when you log out" in found.warning
    assert "loginctl enable-linger" in found.remedy


def test_without_a_manager_that_answers_it_is_told(system: System) -> None:
    found = survival(system({"etc/systemd/logind.conf": ENDS}, linger="ops"), "ops", fails)
    assert found.prefix == ()
    assert "Stay logged in" in found.remedy


def test_root_is_spared_unless_it_is_named(system: System) -> None:
    root = system({"etc/systemd/logind.conf": ENDS})
    assert survival(root, "root", fails) == Survival()
    (root / "etc/systemd/logind.conf").write_text(f"{ENDS}KillExcludeUsers=\n")
    assert survival(root, "root", fails).warning


def test_a_program_is_tried() -> None:
    assert runs(("true",))
    assert not runs(("false",))
    assert not runs(("no-such-program-anywhere",))
