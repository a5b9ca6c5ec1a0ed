"""stdout is data, and the exit code stands whatever becomes of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from airgap_tui.cli.failure import Failure
from airgap_tui.cli.output import Output, redacted
from airgap_tui.cli.results import of_all, show_items, tell_failures
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.errors import AccessDenied, ContentMismatch, Stopped
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.plain_text import cut, harmless
from airgap_tui.engine.redaction import remember
from tests.cli.conftest import Command

LONG = "nvcr.io/nim/meta/llama3-8b-instruct-with-a-name-that-has-no-end-in-sight:1.0.3-linux"


def test_a_reader_that_has_seen_enough_is_no_failure(environment: dict[str, str]) -> None:
    for arguments in (["--help"], ["save", "--help"], ["doctor"], ["doctor", "--json"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "airgap_tui", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        process.stderr.close()
        assert process.wait(60) == 0, said
        assert "Error" not in said
        assert "Exception" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not here")
def test_a_result_that_cannot_be_written_is_told(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "airgap_tui", "doctor"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=60,
        )
    assert done.returncode == 4
    assert "airgap-tui: the result cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_that_the_locale_cannot_write_are_escaped(environment: dict[str, str]) -> None:
    ascii_only = {**environment, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "airgap_tui", "plan", "ü", "-b", "B"],
        capture_output=True,
        env=ascii_only,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_what_nobody_foresaw_goes_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    remember("p4ssw0rd-here")
    try:
        raise KeyError("p4ssw0rd-here")
    except KeyError as error:
        failure = Failure.of(error)
    log = tmp_path / "airgap-tui" / "log"
    assert failure.exit_code == 1
    assert "KeyError" in failure.message
    assert str(log) in failure.hint
    text = log.read_text()
    assert "Traceback" in text
    assert "test_output.py" in text
    assert "p4ssw0rd-here" not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_the_log_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    log = tmp_path / "airgap-tui" / "log"
    log.parent.mkdir()
    log.write_bytes(b"x" * 2_000_000)
    Failure.of(ValueError("new"))
    assert log.stat().st_size < 10_000
    assert (tmp_path / "airgap-tui" / "log.1").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_log_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locked"))
    assert "cannot be written" in Failure.of(ValueError("x")).hint


def test_a_log_in_an_impossible_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert "cannot be written" in Failure.of(ValueError("x")).hint


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ContentMismatch("bad", hint="h"), 3, "bad"),
        (AccessDenied("denied", registry="r"), 4, "denied"),
        (Stopped(), 130, "stopped"),
        (KeyboardInterrupt(), 130, "stopped"),
        (click.Abort(), 130, "stopped"),
        (OSError(28, "No space left on device", "/x"), 4, "/x: No space left on device"),
        (MemoryError(), 4, "there is not enough memory"),
        (RuntimeError("x"), 1, "RuntimeError: x"),
    ],
)
def test_each_error_has_its_code(
    error: BaseException,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    failure = Failure.of(error)
    assert failure.exit_code == code
    assert message in failure.message


def items() -> list[ItemResult]:
    denied = AccessDenied("nvcr.io refused the key (401)", hint="airgap-tui login nvcr.io")
    return [
        ItemResult("nvcr.io/nvidia/cuda:1", ItemState.DONE, "sha256:0", 98_000_000),
        ItemResult(LONG, ItemState.HELD, "sha256:1", 11_200_000_000),
        ItemResult.failed("nvcr.io/private/a:1", denied),
        ItemResult.failed("nvcr.io/private/b:1", denied),
        ItemResult.failed("x:1", ContentMismatch("x:1 is damaged")),
    ]


def test_the_table_of_items(capsys: pytest.CaptureFixture[str]) -> None:
    show_items(Output(), items(), done="Saved")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Image", "State", "Size"]
    assert lines[1].split()[1:] == ["nvcr.io/nvidia/cuda:1", "Saved", "98", "MB"]
    assert LONG in lines[2], "on a pipe nothing is cut"
    assert "Already here" in lines[2]
    assert len({len(line) for line in lines[1:3]}) == 1
    assert "Failed" in lines[3]


def test_the_same_reason_and_the_same_hint_are_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_failures(Output(), items())
    assert capsys.readouterr().err.splitlines() == [
        "! 2 images failed for one reason: nvcr.io refused the key (401)",
        "    nvcr.io/private/a:1",
        "    nvcr.io/private/b:1",
        "! x:1 is damaged",
        "  airgap-tui login nvcr.io",
    ]


def test_the_sentence_about_all() -> None:
    assert of_all(items(), "saved") == "2 of 5 images are saved; 3 failed"
    assert of_all(items()[:2], "saved") == "All 2 images are saved"
    assert of_all(items()[:1], "saved") == "1 image is saved"
    assert of_all(items()[1:3], "saved") == "1 of 2 images is saved; 1 failed"
    assert of_all(items()[4:], "saved") == "0 of 1 image is saved; 1 failed"
    chart = ItemResult("reg.lan/charts/a:1", ItemState.LEFT_OUT)
    assert of_all([*items()[:2], chart], "loaded") == "2 of 3 images are loaded; 1 left out"


def test_a_table_without_sizes_has_no_column_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    show_items(Output(), [ItemResult("nvcr.io/nvidia/cuda:1", ItemState.DONE)], done="The same")
    assert capsys.readouterr().out.splitlines()[0].split() == ["Image", "State"]


def test_json_holds_no_secret_and_is_the_only_thing_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    remember("geheim-geheim")
    output = Output(as_json=True)
    output.data("not shown")
    show_items(output, items())
    output.document({"a": ["x geheim-geheim", {"b": ("nvapi-123", 5, None)}]})
    value = json.loads(capsys.readouterr().out)
    assert value == {"a": ["x ********", {"b": ["********", 5, None]}]}
    assert redacted(7) == 7


def test_tables_fit_their_width() -> None:
    columns = [Column("Image", flexible=True), Column("State"), Column("Size", right=True)]
    rows = [[LONG, "Already here", "11.2 GB"], ["b\x1b[1m", "Done", "9 MB"]]
    text = table(columns, rows, 60)
    assert [len(line) for line in text.splitlines()] == [60, 60, 60]
    assert "\x1b" not in text
    assert "1.0.3-linux" in text
    assert ".." in text
    assert table(columns, [], 60).split() == ["Image", "State", "Size"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdefgh", 6, "ab..gh"), ("abcdefgh", 7, "abc..gh")],
)
def test_names_are_cut_in_the_middle(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_text_from_outside_is_made_harmless() -> None:
    assert harmless("a\x1b[31m\x07\r\u202eb\tc\nd") == "a?[31m???b c\nd"


def test_doctor_gives_one_document(command: Command) -> None:
    ended = command("doctor", "--json", "--quiet")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.document["ok"] is True
    assert {"name", "standing", "finding", "purpose", "remedy"} == set(ended.document["checks"][0])
