"""The script that gathers, in every shell that may be sh, and the stream that it writes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Finding, Kind, State
from airgap_tui.engine.discovery.hosts import collecting, ssh
from airgap_tui.engine.discovery.hosts.collecting import (
    LIVE,
    Material,
    Notice,
    StreamReader,
    Wanted,
)
from airgap_tui.engine.discovery.hosts.ssh_host import parse_host
from airgap_tui.engine.discovery.reading import read_material
from airgap_tui.engine.errors import EnvironmentFailure, Stopped
from tests import services
from tests.engine.discovery.conftest import LeapingClock, MadeUpHost, gather
from tests.services import SshServer

NOBODY = 65534
_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
AWKWARD = b"docker run x\n\xff\x00\nno newline at the end"


def only(*kinds: Kind) -> Wanted:
    return Wanted(frozenset(kinds))


def test_histories_come_byte_for_byte(made_up_host: MadeUpHost, shell: str) -> None:
    made_up_host.file("home/ann/.bash_history", AWKWARD)
    made_up_host.file("home/ann/.zsh_history", ": 1:0;docker run y\n\n\n")
    made_up_host.file("home/ann/.local/share/fish/fish_history", "- cmd: docker run z\n")
    made_up_host.file("home/ann/.histfile", b"")
    gathered = made_up_host.gather(only(Kind.HISTORY), shell)
    assert gathered.complete and gathered.ended == ssh.Ended(0)
    assert {Path(m.path).name: m.content for m in gathered.of(Kind.HISTORY)} == {
        ".bash_history": AWKWARD,
        ".zsh_history": b": 1:0;docker run y\n\n\n",
        "fish_history": b"- cmd: docker run z\n",
    }
    assert all(m.status == 0 and not m.cut for m in gathered.materials)


def test_homes_below_an_automounter_are_left_alone(made_up_host: MadeUpHost, shell: str) -> None:
    made_up_host.file("home/ann/.bash_history", AWKWARD)
    made_up_host.file("other/bob/.bash_history", AWKWARD)
    other = made_up_host.root / "other/bob"
    made_up_host.program("getent", f"echo a:x:1:1::{made_up_host.home}:; echo b:x:2:2::{other}:")
    made_up_host.program("sed", f"echo {made_up_host.home.parent}")  # of /proc/mounts
    gathered = made_up_host.gather(only(Kind.HISTORY, Kind.ENROOT), shell)
    assert [m.path for m in gathered.of(Kind.HISTORY)] == [str(other / ".bash_history")]
    assert [n.count for n in gathered.notice("unmounted", Kind.HISTORY)] == [1]


def test_engines_are_asked_as_they_can_be_read(made_up_host: MadeUpHost, shell: str) -> None:
    made_up_host.program("docker", '[ "$1" = image ] && echo \'{"Repository":"a"}\'; cat; exit 0')
    made_up_host.program("podman", "echo '[]'; echo 'what it thinks of it' >&2; exit 125")
    gathered = made_up_host.gather(only(Kind.DOCKER, Kind.PODMAN), shell)
    (docker,) = gathered.of(Kind.DOCKER, "lines")
    assert docker.content == b'{"Repository":"a"}\n'
    (podman,) = gathered.of(Kind.PODMAN, "json")
    assert (podman.status, podman.said) == (125, "what it thinks of it")


def test_a_docker_that_is_podman_is_not_asked_twice(made_up_host: MadeUpHost, shell: str) -> None:
    made_up_host.program("docker", "echo podman version 4.3.1")
    gathered = made_up_host.gather(only(Kind.DOCKER), shell)
    assert not gathered.materials and gathered.notice("absent", Kind.DOCKER)


def test_logs_of_slurmd_keep_the_numbers_of_their_lines(
    made_up_host: MadeUpHost, shell: str
) -> None:
    log = made_up_host.root / "log" / "slurmd.log"
    made_up_host.file("slurm.conf", f"SlurmdPort=1\n SlurmdLogFile = {log} # where\n")
    made_up_host.file("log/slurmd.log", b"start\n\xff[7.0] pyxis: imported docker image: a\nend\n")
    made_up_host.file("log/slurmd.log.1", "nothing\n")
    made_up_host.file("log/slurmd.log.2.gz", "x\nx\n[3.0] pyxis: imported docker image: b\n")
    made_up_host.file("log/slurmd.log.3.gz.bak", b"")
    broken = made_up_host.file("log/slurmd.log.4", b"")
    broken.rename(broken.with_suffix(".4.gz")).write_bytes(b"\x1f\x8bthis is no gzip")
    logs = {
        Path(m.path).name: m
        for m in made_up_host.gather(only(Kind.SLURMD_LOG), shell).of(Kind.SLURMD_LOG)
        if m.path.startswith(str(made_up_host.root))
    }
    assert logs["slurmd.log"].content == b"2:\xff[7.0] pyxis: imported docker image: a\n"
    assert logs["slurmd.log.1"].content == b"" and logs["slurmd.log.1"].status == 0
    assert logs["slurmd.log.2.gz"].content == b"3:[3.0] pyxis: imported docker image: b\n"
    assert "gzip" in logs["slurmd.log.4.gz"].said


def test_slurm_is_asked_for_submit_lines_and_scripts(made_up_host: MadeUpHost, shell: str) -> None:
    made_up_host.program("sacct", 'echo "$*" >&2; echo "JobID|SubmitLine"')
    made_up_host.program("squeue", "printf '12\\n7\\n8\\n12\\n'")
    made_up_host.program(
        "scontrol",
        'case $3 in 7) echo "#!/bin/sh"; echo ;; 8) echo "Access/permission denied" >&2; exit 1 ;;'
        ' *) echo "no batch script" >&2; exit 1 ;; esac',
    )
    gathered = made_up_host.gather(
        Wanted(frozenset({Kind.SUBMIT_LINE, Kind.JOB_SCRIPT}), days=7), shell
    )
    (sacct,) = gathered.of(Kind.SUBMIT_LINE)
    assert sacct.content == b"JobID|SubmitLine\n" and "-S now-7days" in sacct.said
    assert "-X" not in sacct.said.split(), "without its steps a job script's srun is not told"
    (job,) = gathered.of(Kind.JOB_SCRIPT)
    assert (job.path, job.content) == ("job 7", b"#!/bin/sh\n")
    assert [n.count for n in gathered.notice("unread", Kind.JOB_SCRIPT)] == [1]


def test_enroot_tells_containers_with_the_head_of_their_rc(
    made_up_host: MadeUpHost, shell: str
) -> None:
    made_up_host.file(
        "home/ann/.local/share/enroot/pt/etc/rc", "# enroot-provenance: docker://a#b\n"
    )
    made_up_host.file("home/ann/nvidia+pytorch+25.06.sqsh", b"")
    gathered = made_up_host.gather(only(Kind.ENROOT), shell)
    (container,) = gathered.of(Kind.ENROOT, "container")
    assert container.path.endswith("/enroot/pt")
    assert container.content == b"# enroot-provenance: docker://a#b\n"
    (squashfs,) = gathered.of(Kind.ENROOT, "squashfs")
    assert squashfs.path.endswith("/nvidia+pytorch+25.06.sqsh") and not squashfs.content
    (hint,) = read_material(squashfs, Kind.ENROOT)
    assert isinstance(hint, Finding) and hint.state is State.UNRESOLVED


def test_what_an_importer_noted_beside_a_squashfs_file_names_its_image(
    made_up_host: MadeUpHost, shell: str
) -> None:
    made_up_host.program(
        "getfattr",
        '[ "$*" = "--absolute-names -n user.image_uri --only-values $HOME/cache+7.sqsh" ] &&'
        " printf docker://nvcr.io#nvidia/pytorch:25.06-py3",
    )
    made_up_host.file("home/ann/cache+7.sqsh", b"")
    gathered = made_up_host.gather(only(Kind.ENROOT), shell)
    (squashfs,) = gathered.of(Kind.ENROOT, "squashfs")
    (found,) = read_material(squashfs, Kind.ENROOT)
    assert isinstance(found, Finding)
    assert str(found.reference) == "nvcr.io/nvidia/pytorch:25.06-py3"
    assert found.place.path == squashfs.path


def test_kubectl_is_asked_only_where_it_has_a_configuration(
    made_up_host: MadeUpHost, shell: str
) -> None:
    made_up_host.program(
        "kubectl",
        'case $1 in api-resources) echo clusterpolicies.nvidia.com ;; *) echo "{}" ;; esac',
    )
    gathered = made_up_host.gather(only(Kind.KUBERNETES), shell)
    assert not gathered.materials and gathered.notice("absent", Kind.KUBERNETES)
    made_up_host.file("home/ann/.kube/config", "{}")
    gathered = made_up_host.gather(only(Kind.KUBERNETES), shell)
    assert [m.path for m in gathered.of(Kind.KUBERNETES)] == [
        "kubectl get pods",
        "kubectl get workloads",
        "kubectl get nodes",
        "kubectl get clusterpolicies.nvidia.com",
    ]


def test_named_directories_are_searched_and_no_others(made_up_host: MadeUpHost, shell: str) -> None:
    wanted = {
        "jobs/train.sbatch": "#!/bin/sh\n",
        "jobs/deep er/run": "#!/bin/bash\nsrun\n",
        "jobs/base.def": "Bootstrap: docker\n",
        "jobs/Dockerfile": "FROM a\n",
        "jobs/it's $(odd).sh": "x\n",
    }
    left = ("jobs/data.bin", "jobs/.git/hook.sh", "elsewhere/run.sh", "jobs/notes")
    for name, content in [*wanted.items(), *((name, "x\n") for name in left)]:
        made_up_host.file(name, content)
    made_up_host.file("jobs/big.sh", b"x" * 3_000_000)
    made_up_host.file("jobs/new\nline.sh", "x\n")
    made_up_host.file("jobs/a.sif", b"")
    made_up_host.program("apptainer", 'cat; echo "{\\"$3\\": 1}"')
    folder = str(made_up_host.root / "jobs")
    gathered = made_up_host.gather(Wanted(frozenset(), directories=(folder, "/nonexistent")), shell)
    assert gathered.complete
    assert {
        m.path.removeprefix(f"{made_up_host.root}/"): m.content.decode()
        for m in gathered.of(None, "file")
    } == wanted
    (label,) = gathered.of(Kind.SIF)
    assert "a.sif" in label.content.decode()
    assert [n.what for n in gathered.notice("missing", None)] == ["/nonexistent"]
    assert [n.what for n in gathered.notice("unread", None) if "line break" in n.what]


def test_what_may_not_be_read_is_told(shell: str) -> None:
    """As another user, because root may read everything."""
    services.need_root()
    services.program("setpriv")
    with services.short_directory() as directory:
        host = MadeUpHost(directory / "host")
        log = host.file("log/slurmd.log", "pyxis: imported docker image: a\n")
        host.file("slurm.conf", f"SlurmdLogFile={log}\n")
        history = host.file("home/ann/.bash_history", "docker run a\n")
        history.chmod(0)
        log.parent.chmod(0)
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        gathered = gather(
            [*_AS_NOBODY, *host.command(shell)],
            only(Kind.HISTORY, Kind.SLURMD_LOG),
        )
    assert gathered.complete
    assert [n.what for n in gathered.notice("denied", Kind.HISTORY)] == [str(history)]
    assert str(log.parent) in [n.what for n in gathered.notice("denied", Kind.SLURMD_LOG)]
    assert [n.what for n in gathered.notice("read", Kind.HISTORY)] == [str(NOBODY)]


def test_a_program_without_end_is_cut(
    made_up_host: MadeUpHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST_OF_ONE", 100_000)
    made_up_host.program(
        "docker", '[ "$1" = image ] || exit; while :; do echo \'{"Repository":"a"}\'; done'
    )
    made_up_host.program("podman", "echo '[]'")
    gathered = made_up_host.gather(only(Kind.DOCKER, Kind.PODMAN))
    (docker,) = gathered.of(Kind.DOCKER)
    assert docker.cut and len(docker.content) == 100_000
    assert docker.whole_lines.endswith(b'{"Repository":"a"}\n')
    assert gathered.of(Kind.PODMAN) and gathered.complete


def test_a_host_that_is_too_slow_keeps_what_came(
    made_up_host: MadeUpHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_host.file("home/ann/.bash_history", AWKWARD)
    root = made_up_host.root
    made_up_host.program("sacct", f"touch {root}/begun; while [ -d {root} ]; do sleep 0.1; done")
    monkeypatch.setattr(ssh, "time", LeapingClock((root / "begun").exists))
    gathered = made_up_host.gather(only(Kind.HISTORY, Kind.SUBMIT_LINE), seconds=600)
    assert gathered.ended.timed_out and not gathered.complete
    assert [m.content for m in gathered.of(Kind.HISTORY)] == [AWKWARD]
    (sacct,) = gathered.of(Kind.SUBMIT_LINE)
    assert sacct.cut and sacct.status is None


def test_a_stop_ends_the_child_at_once(made_up_host: MadeUpHost) -> None:
    made_up_host.program("docker", f"touch {made_up_host.root}/begun; exec sleep 9")
    token = CancelToken()

    def cancel() -> None:
        services.wait_for((made_up_host.root / "begun").exists)
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(Stopped):
        gather(made_up_host.command(), only(Kind.DOCKER), token=token)
    thread.join()


def test_too_much_of_all_is_broken_off() -> None:
    ended = ssh.run(
        ["sh", "-c", "cat /dev/zero"],
        b"",
        lambda _chunk: None,
        seconds=services.PATIENCE,
        token=CancelToken(),
        most=1_000_000,
    )
    assert ended.too_much


def test_the_last_words_and_the_code_of_a_failure_are_kept() -> None:
    ended = ssh.run(
        ["sh", "-c", "echo first >&2; printf 'last \\033[2J\\n\\n' >&2; exit 7"],
        b"x" * 1_000_000,
        lambda _chunk: None,
        seconds=services.PATIENCE,
        token=CancelToken(),
    )
    assert (ended.code, ended.said) == (7, "last ?[2J")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(EnvironmentFailure):
        ssh.run(["/nonexistent/sh"], b"", lambda _: None, seconds=1, token=CancelToken())


def test_a_child_that_leaves_stderr_open_is_not_waited_for() -> None:
    """As `ssh` does that keeps a connection for later."""
    ended = ssh.run(
        ["sh", "-c", "sleep 600 >/dev/null & echo $! ; exit 0"],
        b"",
        (seen := bytearray()).extend,
        seconds=services.PATIENCE,
        token=CancelToken(),
    )
    os.kill(int(seen), 15)  # it is still there
    assert ended.code == 0


# --- the stream -----------------------------------------------------------------------------------


def frames(mark: str, *parts: tuple[str, bytes]) -> bytes:
    out = b"Welcome to dgx01!\n\n"
    out += f"\n{mark} hello 0 dgx01\n".encode()
    for path, content in parts:
        out += f"\n{mark} begin history text {path}\n".encode() + content
        out += f"\n{mark} said\n\n0\n{mark} end\n".encode()
    return out + f"\n{mark} done\n".encode()


contents = st.lists(
    st.one_of(st.binary(max_size=40), st.sampled_from([b"\n", b"\n\n", b"airgap-tui-", b"\nM "])),
    max_size=5,
)


@given(contents, st.data())
def test_any_bytes_come_through_in_any_pieces(parts: list[bytes], data: st.DataObject) -> None:
    mark = "MARKED"
    stream = frames(mark, *((f"/h/{n}", part) for n, part in enumerate(parts)))
    reader = StreamReader(mark)
    found: list[Material | Notice] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found.extend(reader.feed(stream[:size]))
        stream = stream[size:]
    materials = [one for one in found if isinstance(one, Material)]
    assert [m.content for m in materials] == parts
    assert [m.path for m in materials] == [f"/h/{n}" for n in range(len(parts))]
    assert reader.complete and not list(reader.end())


@given(
    st.lists(
        st.sampled_from(
            [
                b"\nM hello 0 x\n",
                b"\nM begin history text /p\n",
                b"\nM said\n",
                b"\n0\nM end\n",
                b"\nM done\n",
                b"\nM ",
                b"text",
                b"\n",
                b"\nM unread a b c\n",
                b"\nM denied\n",
                b"\nM begin\n",
            ]
        ),
        max_size=12,
    )
)
def test_frames_in_any_order_crash_nothing(pieces: list[bytes]) -> None:
    reader = StreamReader("M")
    for piece in pieces:
        list(reader.feed(piece))
    list(reader.end())


def test_a_host_that_floods_is_held_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MOST_OF_ONE", 50_000)
    for start in (b"", b"\nM hello 0 x\n\nM begin history text /p\n"):
        reader = StreamReader("M")
        list(reader.feed(start))
        for _ in range(50):
            list(reader.feed(b"x" * 10_000))
            assert len(reader._buffer) < 100_000
        list(reader.feed(b"\nM hello 0 x\n" if not start else b"\nM said\n\n0\nM end\n"))
        assert reader.began


def test_paths_of_a_host_steer_no_terminal() -> None:
    reader = StreamReader("M")
    found = list(reader.feed(b"\nM hello 0 x\n\nM denied history /a\x1b]0;x\x07\xff\n"))
    assert found[1] == Notice("denied", Kind.HISTORY, "/a?]0;x?\ufffd")


# --- over ssh -------------------------------------------------------------------------------------


@pytest.mark.sshd
def test_the_script_runs_over_ssh(ssh_server: SshServer) -> None:
    home = ssh_server.home("127.0.0.2")
    (home / ".bash_history").write_bytes(AWKWARD)
    getent = ssh_server.bin("127.0.0.2") / "getent"
    getent.write_text(f"#!/bin/sh\necho root:x:0:0::{home}:/bin/sh\n")
    getent.chmod(0o755)
    gathered = gather(ssh.command(parse_host("node2")), only(Kind.HISTORY))
    assert gathered.complete and gathered.ended.code == 0
    assert [(m.path, m.content) for m in gathered.materials] == [
        (str(home / ".bash_history"), AWKWARD)
    ]


@pytest.mark.sshd
def test_a_dead_host_says_why(ssh_server: SshServer) -> None:
    gathered = gather(ssh.command(parse_host("node9")), Wanted(LIVE))
    assert gathered.ended.code == 255 and "refused" in gathered.ended.said
    assert not gathered.materials


@pytest.mark.sshd
def test_a_host_that_wants_a_password_is_not_waited_for(ssh_server: SshServer) -> None:
    (ssh_server.directory / "user.pub").write_text("")
    gathered = gather(ssh.command(parse_host("node1")), Wanted(LIVE), seconds=services.PATIENCE)
    assert gathered.ended.code == 255 and "Permission denied" in gathered.ended.said
