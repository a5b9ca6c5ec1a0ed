"""Enroot's file: what enroot and curl make of its lines, and lines that both understand."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.credentials.enroot import (
    EnrootCredentials,
    change,
    default_path,
    machines_for,
    seen_by_nodes,
)
from airgap_tui.engine.errors import EnvironmentFailure, UsageError

SECRET = "not-a-real-password"


def parse(*lines: str) -> EnrootCredentials:
    return EnrootCredentials.parse("\n".join(lines), "the file")


def found(credentials: EnrootCredentials, registry: str) -> tuple[str, str] | None:
    login = credentials.find(registry, "a/b")
    return (login.username, login.secret) if login is not None else None


@pytest.mark.parametrize(
    ("line", "registry", "username"),
    [
        (f"machine nvcr.io login $oauthtoken password {SECRET}", "nvcr.io", "$oauthtoken"),
        (f"\t machine  reg.lan\tlogin me  password {SECRET} \r", "reg.lan", "me"),
        (f"machine reg.lan login me password {SECRET}", "reg.lan:5000", "me"),
        (f"machine reg.lan:5000 login me password {SECRET}", "reg.lan:5000", "me"),
        (f"machine auth.docker.io login me password {SECRET}", "docker.io", "me"),
        (f"machine registry-1.docker.io login me password {SECRET}", "docker.io", "me"),
        (f"machine authn.nvidia.com login $oauthtoken password {SECRET}", "nvcr.io", "$oauthtoken"),
        (f'machine reg.lan login me password "{SECRET}" # mine', "reg.lan", "me"),
        (f"machine reg.lan login me password {SECRET} machine other", "reg.lan", "me"),
    ],
)
def test_lines(line: str, registry: str, username: str) -> None:
    assert found(parse("# comment", line), registry) == (username, SECRET)
    assert found(parse(line), "other.lan") is None


@pytest.mark.parametrize(
    "line",
    [
        "# machine reg.lan login me password x",
        "machine reg.lan password x login me",
        "machine reg.lan login me",
        "default login me password x",
        "machine",
        "",
    ],
)
def test_what_enroot_does_not_see(line: str) -> None:
    assert parse(line).kept == ()
    assert found(parse(line), "reg.lan") is None


def test_the_first_of_two_wins() -> None:
    lines = [f"machine reg.lan login {name} password x{name}" for name in ("first", "second")]
    assert found(parse(*lines), "reg.lan") == ("first", "xfirst")


def test_curl_sends_what_stands_for_the_host_of_the_token() -> None:
    lines = [
        "machine registry-1.docker.io login selects password x",
        "machine auth.docker.io login is-sent password y",
    ]
    assert found(parse(*lines), "docker.io") == ("is-sent", "y")
    assert parse(*lines).remarks == ()


@pytest.mark.parametrize("machine", ["registry-1.docker.io", "auth.docker.io"])
def test_one_line_alone_is_a_stranger_to_docker_hub(machine: str) -> None:
    (remark,) = parse(f"machine {machine} login me password x").remarks
    assert remark.startswith("the file: ") and "docker.io as well" in remark
    assert machine not in remark


def test_a_password_that_is_a_command_is_told_and_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "was-run"
    lines = [
        "machine reg.lan login me password $(touch " + str(trace) + " && echo secret)",
        "machine other.lan login you password $SECRET",
        "machine reg.lan login second password plain",
    ]
    credentials = parse(*lines)
    assert found(credentials, "reg.lan") is None, "enroot would run the first line"
    assert found(credentials, "other.lan") is None
    assert [(one.registry, one.username) for one in credentials.unusable] == [
        ("other.lan", "you"),
        ("reg.lan", "me"),
    ]
    assert "is a command" in credentials.unusable[0].reason
    assert "touch" not in repr(credentials) + str(credentials.unusable)
    assert not trace.exists()


def test_logins_over_several_lines_are_told() -> None:
    credentials = parse("machine reg.lan", "  login me", "  password x", "macdef init")
    assert credentials.kept == ()
    assert credentials.remarks == (
        "the file, line 1: enroot needs machine, login and password on one line",
    )


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    credentials = EnrootCredentials.parse(text, "it")
    for registry, _where in credentials.kept:
        assert credentials.find(registry) is not None


TOKEN = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
REGISTRIES = ["docker.io", "nvcr.io", "reg.lan", "reg.lan:5000"]


@given(TOKEN, TOKEN, st.sampled_from(REGISTRIES), st.sampled_from(["", "# mine\n", "default x\n"]))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, user: str, secret: str, registry: str, before: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"enroot-{os.getpid()}"
    path.write_text(before)
    try:
        planned = change(path, registry, user, secret)
    except UsageError:
        assert user[0] in '#"' or secret[0] in '$#"'
        return
    planned.apply()
    assert found(EnrootCredentials.read(path), registry) == (user, secret)
    assert EnrootCredentials.read(path).remarks == ()
    assert path.read_text().startswith(before)
    again = change(path, registry, user, secret)
    assert again.content == path.read_bytes(), "a second time nothing changes"


def test_everything_else_is_kept_and_the_place_too(tmp_path: Path) -> None:
    path = tmp_path / ".credentials"
    path.write_bytes(
        b"# caf\xe9\n\nmachine nvcr.io login old password old\n"
        b"machine other.lan login $(x) password $(secret tool)\n"
        b"machine nvcr.io login older password older"
    )
    path.chmod(0o644)
    planned = change(path, "nvcr.io", "$oauthtoken", SECRET)
    assert planned.before == "machine nvcr.io: login of old"
    assert SECRET not in repr(planned) + str(planned.to_json())
    assert path.read_bytes().startswith(b"# caf\xe9\n\nmachine nvcr.io login old ")
    planned.apply()
    assert path.read_bytes() == (
        b"# caf\xe9\n\n"
        b"machine nvcr.io login $oauthtoken password not-a-real-password\n"
        b"machine authn.nvidia.com login $oauthtoken password not-a-real-password\n"
        b"machine other.lan login $(x) password $(secret tool)\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_both_lines_that_hub_needs(tmp_path: Path) -> None:
    change(tmp_path / "c", "docker.io", "me", SECRET).apply()
    machines = [line.machine for line in EnrootCredentials.read(tmp_path / "c").lines]
    assert machines == ["registry-1.docker.io", "auth.docker.io"] == list(machines_for("docker.io"))


def test_ports_are_told(tmp_path: Path) -> None:
    planned = change(tmp_path / "c", "reg.lan:5000", "me", SECRET)
    assert "this login is for every port of reg.lan" in planned.notes[0]
    assert b"machine reg.lan login" in planned.content
    assert "ports" not in str(change(tmp_path / "c", "reg.lan", "me", SECRET).notes)


@pytest.mark.parametrize(
    ("username", "secret", "what"),
    [
        ("me", "two words", "password"),
        ("me", "$(cat key)", "runs as a command"),
        ("me", '"quoted', "password"),
        ("me", "line\nbreak", "password"),
        ("me", "#comment", "password"),
        ("my name", "x", "user name"),
        ("me", "pässword", "password"),
    ],
)
def test_what_a_line_cannot_hold(username: str, secret: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what) as refused:
        change(tmp_path / "c", "reg.lan", username, secret)
    assert secret == "x" or secret not in str(refused.value)
    assert not (tmp_path / "c").exists()


def test_a_line_of_another_form_that_would_win_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("machine reg.lan\n  login me password x\n")
    with pytest.raises(EnvironmentFailure, match=r"line 1: a login for reg\.lan in another form"):
        change(path, "reg.lan", "me", SECRET)
    change(path, "other.lan", "me", SECRET).apply()
    assert path.read_text().startswith("machine reg.lan\n  login me password x\nmachine other.lan")


def test_where_the_file_is(tmp_path: Path) -> None:
    system = {"HOME": "/home/me", "ENROOT_SYSCONF_PATH": str(tmp_path)}
    usual = Path("/home/me/.config/enroot/.credentials")
    assert default_path(system) == usual
    assert default_path({**system, "XDG_CONFIG_HOME": "/c"}) == Path("/c/enroot/.credentials")
    (tmp_path / "enroot.conf").write_text(
        "#ENROOT_CONFIG_PATH /no\nENROOT_CONFIG_PATH\t${HOME}/enroot   # theirs\n"
    )
    assert default_path(system) == Path("/home/me/enroot/.credentials")
    (tmp_path / "enroot.conf.d").mkdir()
    (tmp_path / "enroot.conf.d/50.conf").write_text("ENROOT_CONFIG_PATH /nfs/$USER/enroot\n")
    assert default_path({**system, "USER": "me"}) == Path("/nfs/me/enroot/.credentials")
    (tmp_path / "enroot.conf.d/60.conf").write_text("ENROOT_CONFIG_PATH /h/$(id -un)/enroot\n")
    assert default_path(system) == usual, "a command is not run"
    own = {**system, "ENROOT_CONFIG_PATH": "/own"}
    assert default_path(own) == Path("/own/.credentials")


def test_whether_other_nodes_see_the_file(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda1 / ext4 rw 0 0\nnas:/home /home nfs4 rw 0 0\nx /odd strange rw 0 0\n"
    )
    assert seen_by_nodes(Path("/home/me/.config/enroot/.credentials"), table) == ""
    assert "this host alone (ext4 at /)" in seen_by_nodes(Path("/homes/.credentials"), table)
    assert "cannot be told (strange)" in seen_by_nodes(Path("/odd/.credentials"), table)
    assert seen_by_nodes(Path("/home/x"), tmp_path / "absent") == ""
