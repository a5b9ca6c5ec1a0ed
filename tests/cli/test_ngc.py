"""`ngc search`, `ngc tags` and `ngc select` as a shell sees them, against NGC on loopback."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from airgap_tui.cli.main import run
from airgap_tui.cli.ngc import ngc as group
from tests.cli.conftest import Command
from tests.fakes import faults
from tests.fakes.ngc import KEY, USERNAME, FakeNgc, Tag, fill
from tests.services import PATIENCE


@pytest.fixture
def ngc(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNgc]:
    with FakeNgc() as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRGAP_TUI_RETRIES", "0")
        yield fill(started)


class Shown:
    """What a command wrote, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = run(["ngc", *arguments])
        captured = capsys.readouterr()
        self.out, self.err = captured.out, captured.err

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def document(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


def log_in(ngc: FakeNgc, home: Path) -> None:
    """Keep a key where docker keeps its logins."""
    auth = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
    path = home / ".docker" / "config.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {ngc.registry.host: {"auth": auth}}}))


@pytest.mark.parametrize("name", ["search", "tags", "select"])
def test_each_verb_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ngc", name, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"  airgap-tui ngc {name} " in out
    assert max(map(len, out.splitlines())) <= 80


def test_no_option_takes_a_key() -> None:
    context = click.Context(group)
    commands = [group.get_command(context, name) for name in group.list_commands(context)]
    for command in commands:
        assert command is not None
        for parameter in command.params:
            name = parameter.name or ""
            assert "key" not in name or name == "client_key"
            assert "token" not in name and "pass" not in name


def test_search(ngc: FakeNgc, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, "search", "PyTorch")
    assert shown.code == 0
    assert shown.lines[0].split() == ["Repository", "Newest", "Updated", "Size", "What", "it", "is"]
    assert [line.split()[0] for line in shown.lines[1:]] == ["nvidia/pytorch", "nvidia/l4t-pytorch"]
    assert "2 repositories fit, public images only." in shown.err
    limited = Shown(capsys, "search", "--limit", "1")
    assert "1 of 8 repositories fit" in limited.err
    assert "Nothing fits" in Shown(capsys, "search", "frobnicate").err


def test_search_with_a_key(
    ngc: FakeNgc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    log_in(ngc, tmp_path)
    ngc.key(KEY, acme=("hpc",))
    shown = Shown(capsys, "search", "mesher", "--json")
    assert shown.document["scope"] == "with your organisations acme, acme/hpc"
    assert shown.document["repositories"][0]["name"] == "acme/hpc/mesher"
    assert KEY not in shown.out + shown.err


def test_tags(ngc: FakeNgc, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, "tags", "nvidia/pytorch")
    assert shown.code == 0
    assert shown.lines[1].split() == ["25.06-py3", "2025-06-24", "11.2", "GB", "amd64", "arm64"]
    assert "7 tags, counted as year and month; 1 of signatures not shown." in shown.err
    shown = Shown(capsys, "tags", "nvidia/cuda", "--digests", "--json")
    assert all(tag["digest"].startswith("sha256:") for tag in shown.document["tags"])


def test_a_preview_tells_the_reason_for_each_tag(
    ngc: FakeNgc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = Shown(
        capsys, "select", "nvidia/pytorch", "--include", "*-py3", "--latest", "2",
        "--min-version", "25.01",
    )  # fmt: skip
    assert shown.code == 0
    reasons = [line.partition("arm64  ")[2] or line.partition("amd64  ")[2] for line in shown.lines]
    assert [reason.strip() for reason in reasons[1:]] == [
        "Newest", "2nd newest", "Other variant", "Other variant", "Beyond newest 2", "Before 25.01",
        "Not a version",
    ]  # fmt: skip
    assert "2 of 7 tags chosen, 22.2 GB before sharing. Nothing is written" in shown.err
    document = Shown(capsys, "select", "nvidia/pytorch", "--latest", "1", "--json").document
    (repository,) = document["repositories"]
    assert repository["tags"][0]["updated"] == "2025-06-24T09:00:00Z"
    (found, *_) = Shown(capsys, "search", "pytorch", "--json").document["repositories"]
    assert found["updated"].endswith("Z")
    assert list(tmp_path.iterdir()) == []


def test_the_list_is_what_plan_takes(
    ngc: FakeNgc, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.txt"
    arguments = ["select", "nvidia/pytorch", "--latest", "1", "--arch", "amd64", "-o", str(path)]
    shown = Shown(capsys, *arguments, "--json")
    assert shown.code == 0
    assert shown.document["list"] == str(path)
    assert shown.document["chosen"] == 1
    assert f"Next: airgap-tui plan -f {path} -b BUNDLE" in shown.err
    code = run(["plan", "-f", str(path), "-b", str(tmp_path / "pod"), "--json", "--quiet"])
    assert code == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["reference"] for item in items] == [
        f"{ngc.registry.host}/nvidia/pytorch:25.06-py3"
    ]


def test_a_list_of_somebody_else_is_added_to_and_an_own_one_begun_anew(
    ngc: FakeNgc, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, newest = tmp_path / "list.txt", f"{ngc.registry.host}/nvidia/pytorch:25.06-py3"
    arguments = ["select", "nvidia/pytorch", "--arch", "amd64", "-o", str(path), "--latest"]
    path.write_text("lab/solver:1  # mine\n")
    assert Shown(capsys, *arguments, "1").code == 0
    lines = path.read_text().splitlines()
    assert lines[0] == "lab/solver:1  # mine" and lines[-1].startswith(newest)
    assert Shown(capsys, *arguments, "1").code == 0
    assert path.read_text().splitlines() == lines
    path.unlink()
    assert Shown(capsys, *arguments, "2").code == 0
    assert Shown(capsys, *arguments, "1").code == 0
    named = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert [line.split()[0] for line in named] == [newest]


def test_exit_codes(ngc: FakeNgc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ngc.refuse("nvidia/cuda", 402)
    some = Shown(capsys, "select", "nvidia/cuda", "nvidia/pytorch", "--latest", "1", "--json")
    assert some.code == 1
    assert "entitlement" in some.err
    by_name = {one["repository"]: one for one in some.document["repositories"]}
    assert "402" in by_name["nvidia/cuda"]["error"]
    assert Shown(capsys, "select", "nvidia/cuda", "--latest", "1").code == 4
    assert Shown(capsys, "tags", "nvidia/none").code == 4
    assert Shown(capsys, "select", "--image", "none").code == 4
    ngc.api.script("GET", "", faults.status(503), forever=True)
    down = Shown(capsys, "search", "pytorch", "--json")
    assert down.code == 4
    assert "503" in down.document["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ngc needs to know what to do"),
        (["frobnicate"], "frobnicate"),
        (["tags"], "Missing argument 'REPOSITORY'"),
        (["tags", "pytorch"], "not a repository of NGC"),
        (["select"], "nothing says which repositories"),
        (["select", "nvidia/pytorch:25.06-py3"], "not a repository of NGC"),
        (["select", "nvidia/cuda", "--min-version", "new"], "not a version: 'new'"),
        (["select", "nvidia/cuda", "--latest", "0"], "0 is not in the range"),
        (["select", "nvidia/cuda", "--arch", "a/b/c/d"], "not a platform"),
        (["select", "nvidia/cuda", "--strict-name-match"], "needs --image"),
        (["select", "--preset", "everything"], "'everything' is not one of"),
        (["select", "nvidia/cuda", "--py-version", "snake"], "not a version of Python"),
        (["select", "a/b", "--since", "x.txt", "-o", "x.txt"], "would be replaced"),
    ],
)
def test_a_mistake_is_named_and_nobody_is_asked(
    ngc: FakeNgc,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = Shown(capsys, *arguments)
    assert shown.code == 2
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert ngc.api.requests == ngc.registry.requests == []
    assert list(tmp_path.iterdir()) == []


def test_json_may_stand_before_every_verb(ngc: FakeNgc, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--json", "ngc", "tags"],
        ["ngc", "--json", "tags"],
        ["ngc", "tags", "--json"],
    ):
        assert run([*arguments, "nvidia/cuda"]) == 0
        assert json.loads(capsys.readouterr().out)["repository"] == "nvidia/cuda"


def test_what_steers_a_terminal_does_not_reach_one(
    ngc: FakeNgc, capsys: pytest.CaptureFixture[str]
) -> None:
    ngc.add("nvidia/evil", [Tag("1.0")], description="a\x1b]0;owned\x07b\u202e")
    shown = Shown(capsys, "search", "evil")
    assert "\x1b" not in shown.out and "\u202e" not in shown.out and "\x07" not in shown.out


def test_the_fake_as_a_process_of_its_own(command: Command, environment: dict[str, str]) -> None:
    """As the tests of the wizard use it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.ngc"],
        stdout=subprocess.PIPE,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        home = Path(environment["HOME"])
        (home / ".docker").mkdir(parents=True)
        (home / ".docker" / "config.json").write_text(json.dumps(told["dockerConfig"]))
        ended = command("ngc", "select", "acme/hpc/mesher", "--latest", "1", "--json",
                        **told["environment"])  # fmt: skip
        assert ended.code == 0, ended.err
        assert ended.document["chosen"] == 1
        assert told["key"] not in ended.out + ended.err
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.stdout is not None
        process.stdout.close()
