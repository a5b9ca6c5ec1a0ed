"""What each verb shows: a table on stdout, a sentence and the next step on stderr; or one JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airgap_tui.cli.main import run
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.jobs.samples import make_samples
from airgap_tui.engine.jobs.serve import ServeSpec, serving
from tests.conftest import StartDistribution

SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with sample images."""
    bundle = tmp_path_factory.mktemp("samples") / "bundle"
    make_samples(bundle, CancelToken())
    with serving(ServeSpec((bundle,), port=0)) as server:
        yield server.address


@pytest.fixture(scope="module")
def bundle(host: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the images, saved."""
    path = tmp_path_factory.mktemp("saved") / "pod"
    arguments = ["save", f"{host}/samples/base:1", f"{host}/samples/tools:1", "-b", str(path)]
    assert run([*arguments, "--quiet"]) == 0
    return path


class Shown:
    """What a command wrote, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = run(arguments)
        captured = capsys.readouterr()
        self.out, self.err = captured.out, captured.err

    @property
    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]

    @property
    def document(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


def test_plan(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{host}/samples/base:1", f"{host}/samples/trainer:1"]
    shown = Shown(capsys, "plan", *names, "-b", str(tmp_path / "new"))
    assert shown.code == 0
    assert shown.rows[0] == ["Image", "Platform", "Digest", "Size", "Shared", "To", "fetch"]
    assert [row[:2] for row in shown.rows[1:3]] == [[name, "amd64"] for name in names]
    assert shown.rows[1][5] == "-", "nothing is shared with images above the first"
    assert shown.rows[2][5] != "-"
    assert shown.rows[3][0] == "All"
    assert "needed" in shown.err
    assert "Nothing is written yet." in shown.err
    assert list(tmp_path.iterdir()) == []


def test_plan_tells_what_an_interrupted_save_left(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, pod = f"{host}/samples/base:1", tmp_path / "pod"
    assert Shown(capsys, "save", name, "-b", str(pod)).code == 0
    blob = max((pod / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    left = blob.read_bytes()[:3000]
    blob.unlink()
    (pod / ".partial").mkdir()
    (pod / f".partial/sha256-{blob.name}").write_bytes(left)
    planned = Shown(capsys, "plan", name, "-b", str(pod))
    assert "3 kB of what is to fetch are here already" in planned.err
    document = Shown(capsys, "plan", name, "-b", str(pod), "--json").document
    assert document["bytes"]["begun"] == 3000


def test_plan_of_what_is_held(host: str, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, "plan", f"{host}/samples/base:1", "-b", str(bundle))
    assert "Held" in shown.rows[0]
    assert shown.rows[1][-1] == "-"


def test_dry_run_is_plan(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"{host}/samples/base:1", "-b", str(tmp_path / "new"), "--json", "--quiet"]
    planned = Shown(capsys, "plan", *arguments)
    dry = Shown(capsys, "save", "--dry-run", *arguments)
    assert planned.document["items"] == dry.document["items"]
    assert planned.document["bytes"]["toFetch"] > 0
    assert planned.err == dry.err == ""
    assert list(tmp_path.iterdir()) == []


def test_save_tells_each_image_and_the_next_step(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, target = f"{host}/samples/base:1", f"{host}/samples/none:1", str(tmp_path / "a b")
    shown = Shown(capsys, "save", good, bad, "-b", target, "--progress", "none")
    assert shown.code == 1
    assert [row[1:3] for row in shown.rows[1:]] == [[good, "Saved"], [bad, "Failed"]]
    assert f"! {bad}" in shown.err
    assert "1 of 2 images is saved; 1 failed." in shown.err
    assert f"Next: airgap-tui verify '{target}'" in shown.err
    again = Shown(capsys, "save", good, "-b", target, "--progress", "none")
    assert again.code == 0
    assert again.rows[1][2:4] == ["Already", "here"]


@pytest.mark.parametrize("name", [b"-dash", b"caf\xe9", b"two\nlines"])
def test_a_directory_of_any_name_holds_a_bundle(
    host: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: bytes,
) -> None:
    monkeypatch.chdir(tmp_path)
    directory = os.fsdecode(name)
    saved = Shown(capsys, "save", f"{host}/samples/base:1", "-b", directory)
    assert saved.code == 0
    if name == b"-dash":
        assert "Next: airgap-tui verify ./-dash" in saved.err
    assert Shown(capsys, "verify", f"./{directory}").code == 0
    assert Shown(capsys, "seal", f"./{directory}", "--no-tool").code == 0
    exported = Shown(capsys, "export", f"./{directory}", "disk", "--no-tool")
    assert (exported.code, len(exported.rows)) == (0, 2)
    (tmp_path / "disk/file").write_text("")
    there = Shown(capsys, "export", f"./{directory}", "disk/file")
    assert there.code == 4 and "a file is in the way of a directory" in there.err


def test_a_refresh_names_its_image(
    host: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = f"{host}/samples/base:1"
    shown = Shown(capsys, "plan", "-b", str(bundle), "--refresh", image, "--json", "-q")
    assert [item["reference"] for item in shown.document["items"]] == [image]


def test_save_as_json(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"{host}/samples/base:1", "-b", str(tmp_path / "b"), "--json", "--quiet"]
    shown = Shown(capsys, "save", *arguments)
    (item,) = shown.document["items"]
    assert item["state"] == "done"
    assert item["error"] is None
    assert item["digest"].startswith("sha256:")
    assert set(shown.document["bytes"]) == {"unique", "downloaded", "reused", "leftOut"}
    assert shown.document["seconds"] >= 0


def test_a_list_and_typed_names_are_joined(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text(f"{host}/samples/base:1 # comment\n")
    (tmp_path / "more.txt").write_text(f"{host}/samples/tools:1 {host}/samples/base:1\n")
    lists = ["-f", str(tmp_path / "list.txt"), "-f", str(tmp_path / "more.txt")]
    arguments = [f"{host}/samples/server:1", *lists, "-b", str(tmp_path / "b"), "--json", "-q"]
    references = [item["reference"] for item in Shown(capsys, "plan", *arguments).document["items"]]
    assert sorted(references) == [f"{host}/samples/{n}:1" for n in ("base", "server", "tools")]


def test_verify(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, "verify", str(bundle), "--progress", "none")
    assert shown.code == 0
    assert {row[2] for row in shown.rows[1:]} == {"Whole"}
    assert "All 2 images are whole." in shown.err
    assert "every byte read" in shown.err
    document = Shown(capsys, "--json", "verify", str(bundle), "-q").document
    assert document["ok"] is True
    assert document["bad"] == document["missing"] == []


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["verify"], ["load"], ["serve"], ["push"]):
        extra = ["reg.lan:5000"] if verb == ["push"] else []
        shown = Shown(capsys, *verb, str(tmp_path / "absent"), *extra, "--json")
        assert shown.code == 4, verb
        assert "absent" in shown.document["error"]["message"]


def test_archives_are_written_compressed_and_verified(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, archives = f"{host}/samples/base:1", tmp_path / "archives"
    saved = Shown(
        capsys, "save", name, "-b", str(tmp_path / "b"), "--archive", str(archives), "--codec",
        "none", "-q",
    )  # fmt: skip
    assert saved.code == 0
    (tar,) = archives.glob("*.tar")
    shown = Shown(capsys, "compress", "--codec", "gzip", str(tar), "--progress", "plain")
    assert shown.code == 0
    assert f"{tar}: Compressing\n" in shown.err
    assert shown.rows[1][1:3] == [str(tar), "Compressed"]
    assert "1 archive is compressed." in shown.err
    assert [path.suffix for path in archives.iterdir() if "tar" in path.suffixes[-1]] == []
    shown = Shown(capsys, "verify", str(archives), "--progress", "none")
    assert shown.code == 0
    assert "1 archive is whole." in shown.err
    assert shown.rows[1][-1] == name
    again = Shown(
        capsys, "save", "--from-archive", str(next(archives.glob("*.tar.gz"))), "-b",
        str(tmp_path / "c"), "--json", "-q",
    )  # fmt: skip
    assert again.code == 0
    assert [item["reference"] for item in again.document["items"]] == [name]


def test_rehearse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, "rehearse", "--directory", str(tmp_path), "--json")
    assert shown.code == 0
    assert shown.document["ok"] is True
    assert list(tmp_path.iterdir()) == []
    assert "rehearsal went well" in shown.err


def test_doctor_on_paper(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, "doctor")
    assert any(line[1:].split()[:1] == ["Python"] for line in shown.out.splitlines())
    assert shown.err == ""


@pytest.mark.distribution
def test_login_by_standard_input(
    start_distribution: StartDistribution,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    registry = start_distribution(htpasswd={"robot": SECRET})

    def login(secret: str) -> subprocess.CompletedProcess[str]:
        arguments = ["login", registry.host, "--username", "robot", "--password-stdin", "--json"]
        return subprocess.run(
            [sys.executable, "-m", "airgap_tui", *arguments],
            input=f"{secret}\n",
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )

    refused = login("wrong-" + SECRET)
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["error"]["exit_code"] == 4
    assert not (tmp_path / "home" / ".docker" / "config.json").exists()
    kept = login(SECRET)
    assert kept.returncode == 0
    assert json.loads(kept.stdout)["keptIn"] == "~/.docker/config.json"
    for ended in (refused, kept):
        assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.distribution
@pytest.mark.parametrize(
    "answers",
    [
        {b"User name": b"robot\n", b"not shown": SECRET.encode() + b"\n"},
        {b"User name": b"robot\n" + SECRET.encode() + b"\n"},
    ],
    ids=["one by one", "in one burst"],
)
def test_login_asks_on_a_terminal_without_showing_the_answer(
    start_distribution: StartDistribution, environment: dict[str, str], answers: dict[bytes, bytes]
) -> None:
    registry = start_distribution(htpasswd={"robot": SECRET})
    terminal, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "airgap_tui", "login", registry.host],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    seen = _answer(terminal, dict(answers))
    assert process.wait(60) == 0, seen
    assert f"{registry.host} accepts robot" in seen
    assert SECRET not in seen


def _answer(terminal: int, answers: dict[bytes, bytes]) -> str:
    """Type each answer when its question stands there; what the terminal showed."""
    seen = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the program has ended
            break
        seen += part
        for question in [q for q in answers if q in seen and seen.rstrip().endswith(b":")]:
            os.write(terminal, answers.pop(question))
    os.close(terminal)
    return seen.decode()


def test_plan_counts_media_and_samples_layers(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("plan", f"{host}/samples/tools:1", "-b", str(tmp_path / "pod"))
    shown = Shown(capsys, *arguments)
    assert "Fits on one 32 GB disk, or on one DVD." in shown.err
    assert "zstd" not in shown.err
    told = Shown(capsys, *arguments, "--sample", "--json").document
    assert told["media"]["dvd"] == told["media"]["bd100"] == 1
    assert [gain["compress"] for gain in told["gains"]] == ["zstd", "zstd:12"]
    assert all(gain["sampledBytes"] > 0 for gain in told["gains"])
    assert "zstd" in Shown(capsys, *arguments, "--sample").err
    assert not (tmp_path / "pod").exists()
