"""What cannot be meant: exit code 2, one message, one hint, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.cli.main import run
from tests.cli.conftest import Command

CASES = [
    (["frobnicate"], "there is no verb 'frobnicate'"),
    (["--nonsense"], "--nonsense"),
    (["save"], "Missing option '-b'"),
    (["save", "-b", "B"], "no image is named"),
    (["plan", "-b", "B"], "no image is named"),
    (["save", "nvidia/PyTorch", "-b", "B"], "capital letters are not allowed"),
    (["save", "https://nvcr.io/x", "-b", "B"], "begins with a protocol"),
    (["save", "x", "-b", "B", "--platform", "a/b/c/d"], "not a platform: 'a/b/c/d'"),
    (["save", "x", "-b", "B", "--compress", "lzma"], "not a compression"),
    (["save", "x", "-b", "B", "--compress", "zstd:99"], "no level '99'"),
    (["save", "x", "-b", "B", "--codec", "rar"], "'rar' is not one of"),
    (["save", "x", "-b", "B", "--from", "floppy"], "'floppy' is not one of"),
    (["save", "x", "-b", "B", "--from", "docker", "--from-archive", "f"], "cannot be used with"),
    (["save", "x", "-b", "B", "--host", "unix:///x"], "--host needs --from docker"),
    (["save", "x", "-b", "B", "--transfers", "0"], "0 is not in the range"),
    (["save", "x", "-b", "B", "--ca", "absent.pem"], "--ca: there is no file absent.pem"),
    (["save", "x", "-b", "B", "--client-key", "absent"], "--client-key: there is no file"),
    (["save", "x", "-b", "B", "--progress", "loud"], "'loud' is not one of"),
    (["save", "x", "-b", "B", "--refresh", "UP"], "capital letters"),
    (["push", "B"], "a bundle and a registry are needed, and only 'B' is given"),
    (["push", "B", "project"], "namespace of Docker Hub"),
    (["push", "B", "https://reg.lan"], "protocol"),
    (["push", "B", "reg.lan", "--map", "nonsense"], "not a mapping: 'nonsense'"),
    (["load", "B", "--keep-registry"], "need --retag"),
    (["load", "B", "--into", "floppy"], "'floppy' is not one of"),
    (["load"], "Missing argument 'BUNDLE|VOLUME|TAR...'"),
    (["verify"], "Missing argument 'BUNDLE"),
    (["serve", "B", "--listen", "host:port"], "not an address to listen on: 'host:port'"),
    (["serve", "B", "--listen", "99999"], "not an address to listen on"),
    (["serve", "B", "--tls-key", "k"], "--tls-key needs --tls-cert"),
    (["discover", "--host=-oProxyCommand=touch x"], "not a host to log in to"),
    (["discover", "--host", "root:secret@dgx01"], "not a host to log in to: 'dgx01' with a user"),
    (["discover", "--nodes", "dgx[1-99999]"], "more than 4096 hosts"),
    (["discover", "--nodes", "dgx[4-1]"], "not a range of nodes"),
    (["discover", "--search", "x"], "--search needs --host"),
    (["discover", "--live", "floppy"], "'floppy' is not one of"),
    (["discover", "--since", "yesterday"], "--since: neither days nor a date: 'yesterday'"),
    (["discover", "--timeout", "0"], "0.0 is not in the range"),
    (["doctor", "--registry", "x"], "--registry needs --online"),
    (["login"], "Missing argument 'REGISTRY'"),
    (["login", "reg.lan", "--password-stdin"], "no user name is given"),
    (["login", "https://reg.lan", "-u", "a"], "protocol"),
    (["login", "bad_host.lan", "-u", "a"], "is not a registry host"),
    (["login", "nvcr.io"], "there is no terminal to ask for the password"),
    (["login", "nvcr.io", "--dry-run"], "need --for"),
    (["login", "nvcr.io", "--for", "floppy", "--dry-run"], "no login can be kept for 'floppy'"),
    (["login", "nvcr.io", "--for", "docker", "--store", "f"], "--store is for docker alone"),
    (["login", "nvcr.io", "--for", "enroot"], "there is no terminal to ask for the password"),
    (["login", "nvcr.io", "--for", "deepops", "--dry-run"], "to ask for the vault's password"),
    (["login", "nvcr.io", "--for", "kubernetes", "--name", "A B", "--dry-run"], "not a name for"),
    (["logins", "nvidia/PyTorch"], "capital letters are not allowed"),
]


@pytest.mark.parametrize(("arguments", "message"), CASES, ids=[" ".join(c[0]) for c in CASES])
def test_a_mistake_is_named_and_nothing_is_begun(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "secret").write_text("hunter22")
    with (tmp_path / "secret").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.startswith("airgap-tui: ")
    assert "Traceback" not in shown.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_every_bad_line_of_a_list_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("good:1\nBad/Name\n\nx: # no tag\n")
    ended = command("plan", "-f", "list.txt", "-b", "B")
    assert ended.code == 2
    assert "2 image names cannot be read:" in ended.err
    assert "list.txt, line 2: 'Bad/Name': capital letters" in ended.err
    assert "list.txt, line 4: 'x:': the tag after the colon is missing" in ended.err


@pytest.mark.parametrize("verb", ["plan", "save"])
def test_a_list_without_a_name_is_no_success(command: Command, tmp_path: Path, verb: str) -> None:
    (tmp_path / "list.txt").write_text("# nothing yet\n\n")
    ended = command(verb, "-f", "list.txt", "-b", "bundle")
    assert ended.code == 2
    assert "list.txt: no image is named there" in ended.err
    assert not (tmp_path / "bundle").exists()


def test_a_list_can_come_from_standard_input(command: Command) -> None:
    ended = command("plan", "-f", "-", "-b", "B", stdin=b"\xef\xbb\xbfBad\r\n")
    assert ended.code == 2
    assert "1 image name cannot be read" in ended.err
    assert "standard input, line 1: 'Bad'" in ended.err


def test_a_list_that_is_not_there(command: Command) -> None:
    ended = command("plan", "-f", "absent.txt", "-b", "B")
    assert ended.code == 4
    assert "the list absent.txt cannot be read: No such file" in ended.err


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_failure_is_one_json_document_where_one_is_wanted(command: Command, where: str) -> None:
    arguments = ["save", "nvidia/PyTorch", "-b", "B"]
    arguments = ["--json", *arguments] if where == "before" else [*arguments, "--json"]
    ended = command(*arguments)
    assert ended.code == 2
    error = ended.document["error"]
    assert error["exit_code"] == 2
    assert "capital letters" in error["message"]
    assert set(error) == {"message", "hint", "exit_code"}
    assert "airgap-tui: not an image name" in ended.err


def test_a_command_line_that_cannot_be_parsed_is_json_too(command: Command) -> None:
    ended = command("--json", "save", "--nonsense")
    assert ended.code == 2
    assert ended.document["error"]["message"].startswith("No such option")
    ended = command("--json")
    assert ended.document["error"]["message"] == "no verb is given"


def test_with_json_lines_the_error_is_one_of_them(command: Command) -> None:
    import json

    ended = command("save", "UP", "-b", "B", "--progress", "json")
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert json.loads(line)["event"] == "error"


def test_a_mistake_in_the_settings_is_named(command: Command) -> None:
    ended = command("plan", "x", "-b", "B", AIRGAP_TUI_TRANSFERS="many")
    assert ended.code == 2
    assert "AIRGAP_TUI_TRANSFERS" in ended.err


def test_control_codes_in_names_do_not_reach_the_terminal(command: Command) -> None:
    ended = command("plan", "x\x1b]0;evil\x07y", "-b", "B")
    assert ended.code == 2
    assert "\x1b" not in ended.err
    assert "\x07" not in ended.err


def test_a_secret_in_a_name_is_masked(command: Command) -> None:
    ended = command("plan", "https://me:hunter22@nvcr.io/x", "-b", "B", "--json")
    assert ended.code == 2
    assert "hunter22" not in ended.err + ended.out
    ended = command("plan", "nvcr.io/nvapi-SECRETKEY:1", "-b", "B", "--json")
    assert "SECRETKEY" not in ended.err + ended.out
