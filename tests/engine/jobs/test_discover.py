"""Discovery of this machine's engines, of hosts over a real sshd, and of files, as one answer."""

from __future__ import annotations

import gzip
import json
import os
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.discovery.hosts import ssh
from airgap_tui.engine.discovery.hosts.collecting import LIVE
from airgap_tui.engine.discovery.hosts.ssh_host import nodes, parse_host
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.events import ItemChanged, ItemState, SourceRead, SourceState, discard
from airgap_tui.engine.jobs.discovery import discover, discovered_list
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult, DiscoverSpec
from airgap_tui.engine.jobs.discovery.named_files import NamedPath
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.snapshot import SourceCount
from tests.conftest import EventLog
from tests.engine.discovery.conftest import LeapingClock
from tests.images import build_image, layer, push_image
from tests.services import (
    PATIENCE,
    Containerd,
    Distribution,
    DockerEngine,
    PodmanService,
    SshServer,
)

KEY = "nvapi-" + "Kz8" * 12


def names(result: DiscoverResult) -> list[str]:
    return [str(image.reference) for image in result.discovery.images]


def live(*kinds: Kind, insist: bool = True, **more: float) -> DiscoverSpec:
    return DiscoverSpec(live=frozenset(kinds), here=True, insist=insist, **more)  # type: ignore[arg-type]


def count_of(result: DiscoverResult, host: str, kind: Kind) -> SourceCount:
    (found,) = [s for s in result.sources if (s.host, s.kind) == (host, kind.value)]
    return found


@pytest.fixture
def pushed(distribution: Distribution, repository: str) -> str:
    """An image in a registry, by its full reference."""
    image = build_image(f"{repository}/app:1", [layer(repository, 1000)])
    return push_image(distribution.host, image)


# --- engines of this machine ----------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.distribution
def test_docker(
    docker_engine: DockerEngine, pushed: str, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    docker_engine.client.images.pull(pushed)
    result = discover.run(live(Kind.DOCKER), discard, token)
    assert names(result) == [pushed]
    assert result.exit_code == 0
    (source,) = result.discovery.images[0].sources
    assert (source.kind, source.place.path) == (Kind.DOCKER, docker_engine.host)
    docker_engine.remove_all_images()
    result = discover.run(live(Kind.DOCKER), discard, token)
    assert names(result) == [] and result.exit_code == 0
    assert count_of(result, "", Kind.DOCKER) == SourceCount("", "docker", read=1)


@pytest.mark.podman
@pytest.mark.distribution
def test_podman(
    podman_socket: PodmanService, pushed: str, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman_socket("pull", "--tls-verify=false", pushed)
    with monkeypatch.context() as changed:  # with it, podman itself would speak to the service
        changed.setenv("CONTAINER_HOST", podman_socket.host)
        result = discover.run(live(Kind.PODMAN), discard, token)
    podman_socket("rmi", pushed)
    assert pushed in names(result)
    assert result.discovery.images[0].sources[0].kind is Kind.PODMAN


def test_podman_without_its_service_is_asked_by_its_program(
    tmp_path: Path, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    program = tmp_path / "podman"
    program.write_text(
        '#!/bin/sh\necho \'[{"Id":"1","RepoTags":null,"Names":["quay.io/a/b:1"]}]\'\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert names(discover.run(live(Kind.PODMAN), discard, token)) == ["quay.io/a/b:1"]


@pytest.mark.distribution
def test_containerd(
    containerd: Containerd, pushed: str, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINERD_ADDRESS", str(containerd.socket))
    for space in ("k8s.io", "lab", "moby"):
        containerd("-n", space, "content", "fetch", "--plain-http", pushed)
    containerd("-n", "k8s.io", "images", "tag", pushed, "nvcr.io/nvidia/cuda:12.9.1-base")
    result = discover.run(live(Kind.CONTAINERD), discard, token)
    assert {pushed, "nvcr.io/nvidia/cuda:12.9.1-base"} <= set(names(result))
    found = {str(image.reference): image for image in result.discovery.images}
    spaces = [source.place.path.split()[2] for source in found[pushed].sources]
    assert spaces == ["k8s.io", "lab"], "what is in moby, Docker tells"


def test_an_engine_that_is_absent_is_a_failure_only_where_it_was_asked_for(
    tmp_path: Path, token: CancelToken, monkeypatch: pytest.MonkeyPatch, events: EventLog
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    asked = discover.run(live(Kind.DOCKER), events, token)
    assert asked.exit_code == 4
    (event,) = events.of(SourceRead)
    assert (event.kind, event.state) == ("docker", SourceState.FAILED)
    assert [remark.remedy for remark in asked.discovery.remarks] != [""]


# --- files ----------------------------------------------------------------------------------------


def test_files_and_directories_of_every_kind(
    tmp_path: Path, token: CancelToken, events: EventLog
) -> None:
    jobs = tmp_path / "jobs"
    (jobs / ".git").mkdir(parents=True)
    (jobs / ".git/hook.sh").write_text("#!/bin/sh\ndocker run hidden/image:1\n")
    (jobs / "train.sbatch").write_text(
        "#!/bin/sh\n#SBATCH -N1\nsrun --container-image=nvcr.io#nvidia/pytorch:25.06-py3 true\n"
    )
    (jobs / "base.def").write_text("Bootstrap: docker\nFrom: ubuntu:22.04\n")
    (jobs / "compose.yaml").write_text("services:\n  db:\n    image: postgres:16\n")
    (jobs / "data.csv").write_text("1,2\n")
    log = tmp_path / "slurmd.log"
    log.write_text(
        "[2025-06-01T10:00:00.123] [7.0] pyxis: version v0.20.0\n"
        "[2025-06-01T10:00:00.123] [7.0] pyxis: imported docker image: nvcr.io#nvidia/cuda:12.9.1\n"
    )
    history = tmp_path / "anything"
    history.write_text(f"docker run -e NGC_API_KEY={KEY} nvcr.io/nvidia/tritonserver:25.06-py3\n")
    spec = DiscoverSpec(
        (NamedPath(jobs), NamedPath(log), NamedPath(history, Kind.HISTORY)),
    )
    result = discover.run(spec, events, token)
    assert result.exit_code == 0
    assert names(result) == [
        "docker.io/library/postgres:16",
        "docker.io/library/ubuntu:22.04",
        "nvcr.io/nvidia/cuda:12.9.1",
        "nvcr.io/nvidia/pytorch:25.06-py3",
        "nvcr.io/nvidia/tritonserver:25.06-py3",
    ]
    cuda = result.discovery.images[2]
    assert (cuda.sources[0].place.line, cuda.last_used is not None) == (2, True)
    assert {(e.kind, e.found) for e in events.of(SourceRead)} == {
        ("job-script", 1),
        ("definition", 1),
        ("compose", 1),
        ("slurmd-log", 1),
        ("history", 1),
    }
    assert KEY not in json.dumps(result.to_json())


def test_a_log_is_read_with_its_rotated_siblings_and_each_once(
    tmp_path: Path, token: CancelToken
) -> None:
    for name, image in (("slurmd.log", "a"), ("slurmd.log.1", "b"), ("slurmd.log.2.gz", "c")):
        line = f"[2025-06-01T10:00:00.123] [7.0] pyxis: imported docker image: x/{image}:1\n"
        data = line.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    log = NamedPath(tmp_path / "slurmd.log", Kind.SLURMD_LOG)
    again = NamedPath(tmp_path / "slurmd.log.1", Kind.SLURMD_LOG)
    result = discover.run(DiscoverSpec((log, again, NamedPath(tmp_path))), discard, token)
    assert [(str(i.reference), i.count) for i in result.discovery.images] == [
        (f"docker.io/x/{name}:1", 1) for name in "abc"
    ]


def test_a_squashfs_file_tells_what_an_importer_noted_beside_it(
    tmp_path: Path, token: CancelToken
) -> None:
    image = tmp_path / "cache" / "nvidia+nemo+24.05.sqsh"
    image.parent.mkdir()
    image.write_bytes(b"hsqs" + bytes(200))
    spec = DiscoverSpec((NamedPath(image.parent),))
    hinted = discover.run(spec, discard, token)
    assert names(hinted) == [] and "nvidia/nemo:24.05" in hinted.discovery.unresolved[0].reason
    try:
        os.setxattr(image, "user.image_uri", b"docker://nvcr.io#nvidia/nemo:24.05")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    told = discover.run(spec, discard, token)
    assert names(told) == ["nvcr.io/nvidia/nemo:24.05"] and not told.discovery.unresolved


def test_a_sif_is_asked_for_its_labels(
    tmp_path: Path, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "images" / "tool.sif"
    image.parent.mkdir()
    image.write_bytes(b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\0" + bytes(200))
    spec = DiscoverSpec((NamedPath(image.parent),))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    without = discover.run(spec, discard, token)
    assert without.exit_code == 4
    assert "apptainer" in without.discovery.remarks[0].remedy
    label = "org.label-schema.usage.singularity.deffile"
    labels = {f"{label}.bootstrap": "docker", f"{label}.from": "nvcr.io/nvidia/cuda:12.9.1"}
    document = json.dumps({"data": {"attributes": {"labels": labels}}, "type": "container"})
    program = tmp_path / "bin" / "apptainer"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = 'inspect --json {image}' ] && echo '{document}'\n")
    program.chmod(0o755)
    assert names(discover.run(spec, discard, token)) == ["nvcr.io/nvidia/cuda:12.9.1"]


def test_a_file_that_cannot_be_read_never_looks_like_one_that_names_nothing(
    tmp_path: Path, token: CancelToken
) -> None:
    (tmp_path / "empty_history").write_text("ls\n")
    (tmp_path / "unknown.bin").write_bytes(bytes(range(256)))
    paths = (
        NamedPath(tmp_path / "absent"),
        NamedPath(tmp_path / "unknown.bin"),
        NamedPath(tmp_path / "empty_history", Kind.HISTORY),
    )
    result = discover.run(DiscoverSpec(paths), discard, token)
    assert result.exit_code == 1
    told = {remark.place.path: remark for remark in result.discovery.remarks}
    assert set(told) == {str(path.path) for path in paths[:2]}
    assert all(remark.text and remark.remedy for remark in told.values())
    assert discover.run(DiscoverSpec(paths[:2]), discard, token).exit_code == 4
    assert discover.run(DiscoverSpec(paths[2:]), discard, token).exit_code == 0


def test_what_is_too_old_is_counted_and_left_out(tmp_path: Path, token: CancelToken) -> None:
    history = tmp_path / ".bash_history"
    history.write_text("#1500000000\ndocker run old/image:1\n#1748772000\ndocker run new/image:1\n")
    spec = DiscoverSpec((NamedPath(history),), since=datetime(2025, 1, 1, tzinfo=timezone.utc))
    result = discover.run(spec, discard, token)
    assert names(result) == ["docker.io/new/image:1"] and result.too_old == 1


# --- hosts ----------------------------------------------------------------------------------------


def furnish(server: SshServer, address: str, image: str, more: str = "") -> None:
    """A host with a history, and a `getent` that knows only its home."""
    home = server.home(address)
    (home / ".bash_history").write_text(f"docker run {image}\n{more}")
    getent = server.bin(address) / "getent"
    getent.write_text(f"#!/bin/sh\necho root:x:0:0::{home}:/bin/sh\n")
    getent.chmod(0o755)


def slow_program(server: SshServer, address: str, name: str) -> Path:
    """A program that never ends while the server is there; the file that says that it has begun."""
    program, begun = server.bin(address) / name, server.directory / f"{name} of {address}"
    program.write_text(
        f"#!/bin/sh\ntouch '{begun}'\nwhile [ -d {server.directory} ]; do sleep 0.1; done\n"
    )
    program.chmod(0o755)
    return begun


@pytest.mark.sshd
def test_three_hosts_one_of_them_dead_and_one_slow(
    ssh_server: SshServer, token: CancelToken, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(ssh_server, "127.0.0.1", "nvcr.io/nvidia/pytorch:25.06-py3", "docker run only/here:1\n")
    furnish(ssh_server, "127.0.0.2", "nvcr.io/nvidia/pytorch:25.06-py3")
    begun = slow_program(ssh_server, "127.0.0.2", "find")  # which comes after all else

    def alone() -> bool:
        return begun.exists() and len([e for e in events.of(ItemChanged) if e.state.final]) == 2

    monkeypatch.setattr(ssh, "time", LeapingClock(alone))
    for address in ("127.0.0.1", "127.0.0.2"):
        (ssh_server.home(address) / "jobs").mkdir()
    spec = DiscoverSpec(
        live=frozenset({Kind.HISTORY}),
        hosts=(*nodes("node[1-2]"), parse_host("node9")),
        search=("jobs",),
        timeout=600,
    )
    result = discover.run(spec, events, token)
    assert result.exit_code == 1
    assert names(result) == ["docker.io/only/here:1", "nvcr.io/nvidia/pytorch:25.06-py3"]
    both = result.discovery.images[1]
    assert [source.place.host for source in both.sources] == ["node1", "node2"]
    states = {host.host: host for host in result.hosts}
    assert states["node1"].state is ItemState.DONE
    assert states["node2"].state is ItemState.FAILED and "10 min" in states["node2"].reason
    assert states["node9"].state is ItemState.FAILED and "refused" in states["node9"].reason
    assert "ssh" in states["node9"].hint
    warned = {remark.place.host: remark for remark in result.discovery.remarks}
    assert "refused" in warned["node9"].text and warned["node2"].remedy
    assert count_of(result, "node1", Kind.HISTORY) == SourceCount("node1", "history", 1, 0, 0, 2)
    assert {(e.host, e.found) for e in events.of(SourceRead) if e.kind == "history"} == {
        ("node1", 2),
        ("node2", 1),
    }


@pytest.mark.sshd
def test_a_home_on_a_shared_disk_counts_once(ssh_server: SshServer, token: CancelToken) -> None:
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        furnish(ssh_server, address, "lab/tool:1")
        getent = ssh_server.bin(address) / "getent"
        getent.write_text(f"#!/bin/sh\necho root:x:0:0::{ssh_server.home('127.0.0.1')}:/bin/sh\n")
    spec = DiscoverSpec(live=frozenset({Kind.HISTORY}), hosts=nodes("node[1-3]"))
    result = discover.run(spec, discard, token)
    assert result.exit_code == 0
    assert [image.count for image in result.discovery.images] == [1]
    assert sum(source.read for source in result.sources) == 3


@pytest.mark.sshd
def test_a_directory_of_the_hosts_is_searched(ssh_server: SshServer, token: CancelToken) -> None:
    jobs = ssh_server.home("127.0.0.3") / "jobs"
    jobs.mkdir()
    (jobs / "train.sh").write_text("#!/bin/bash\nsrun --container-image nvcr.io#nvidia/a:1 x\n")
    (jobs / "nvidia+nemo+25.04.sqsh").write_bytes(b"hsqs")
    spec = DiscoverSpec(hosts=(parse_host("node3"),), search=("jobs", "/nonexistent"))
    result = discover.run(spec, discard, token)
    assert names(result) == ["nvcr.io/nvidia/a:1"]
    assert [one.sources[0].place.path for one in result.discovery.unresolved] == [
        str(jobs / "nvidia+nemo+25.04.sqsh")
    ]
    assert result.exit_code == 1
    assert [remark.place.path for remark in result.discovery.remarks] == ["/nonexistent"]


def slurm_client(server: SshServer, address: str, cluster: str, accounts: str) -> None:
    """A host of a Slurm whose `sacct` does this, and keeps a note that it was asked."""
    programs = {
        "scontrol": f"echo 'ClusterName             = {cluster}'",
        "sacct": f"echo {address} >> {server.directory}/asked; {accounts}",
    }
    for name, body in programs.items():
        program = server.bin(address) / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)


def submitted(image: str) -> str:
    row = f"7|2025-06-01T10:00:00|COMPLETED|srun --container-image={image} x"
    return f"printf '%s\\n' 'JobID|Submit|State|SubmitLine' '{row}'"


def asked(server: SshServer) -> list[str]:
    return sorted((server.directory / "asked").read_text().split())


@pytest.mark.sshd
def test_a_cluster_is_asked_once_for_what_it_knows_as_a_whole(
    ssh_server: SshServer, token: CancelToken
) -> None:
    for address in ("127.0.0.1", "127.0.0.2"):
        slurm_client(ssh_server, address, "pod", submitted("lab/a:1"))
    slurm_client(ssh_server, "127.0.0.3", "other", submitted("lab/b:1"))
    spec = DiscoverSpec(live=frozenset({Kind.SUBMIT_LINE}), hosts=nodes("node[1-3]"), insist=True)
    result = discover.run(spec, discard, token)
    assert [(str(i.reference), i.count) for i in result.discovery.images] == [
        ("docker.io/lab/a:1", 1),
        ("docker.io/lab/b:1", 1),
    ]
    assert asked(ssh_server) == ["127.0.0.1", "127.0.0.3"]
    assert result.exit_code == 0 and result.discovery.remarks == ()
    assert [host.state for host in result.hosts] == [ItemState.DONE] * 3


@pytest.mark.sshd
def test_hosts_that_belong_to_no_cluster_are_told_of(
    ssh_server: SshServer, tmp_path: Path, token: CancelToken
) -> None:
    (tmp_path / "history").write_text("docker run lab/a:1\n")
    spec = DiscoverSpec(
        (NamedPath(tmp_path / "history", Kind.HISTORY),),
        live=frozenset({Kind.KUBERNETES}),
        hosts=nodes("node[1-2]"),
    )
    result = discover.run(spec, discard, token)
    assert [(s.host, s.kind, s.read, s.absent) for s in result.sources] == [
        ("", "history", 1, 0),
        ("node1", "kubernetes", 0, 1),
        ("node2", "kubernetes", 0, 1),
    ]


@pytest.mark.sshd
def test_where_one_host_of_a_cluster_may_not_another_is_asked(
    ssh_server: SshServer, token: CancelToken
) -> None:
    refused = "echo 'sacct: error: slurm_persist_conn_open: refused' >&2; exit 1"
    slurm_client(ssh_server, "127.0.0.1", "pod", refused)
    slurm_client(ssh_server, "127.0.0.2", "pod", submitted("lab/a:1"))
    slurm_client(ssh_server, "127.0.0.3", "pod", submitted("lab/a:1"))
    spec = DiscoverSpec(live=frozenset({Kind.SUBMIT_LINE}), hosts=nodes("node[1-3]"))
    result = discover.run(spec, discard, token)
    assert names(result) == ["docker.io/lab/a:1"]
    assert asked(ssh_server) == ["127.0.0.1", "127.0.0.2"]
    assert ["refused" in remark.text for remark in result.discovery.remarks] == [True]


@pytest.mark.sshd
def test_what_was_found_survives_a_stop(ssh_server: SshServer, token: CancelToken) -> None:
    furnish(ssh_server, "127.0.0.1", "lab/tool:1")
    slow_program(ssh_server, "127.0.0.1", "sacct")
    seen = threading.Event()

    def sink(event: object) -> None:
        if isinstance(event, SourceRead) and event.found:
            seen.set()

    def stop() -> None:
        seen.wait(PATIENCE)
        token.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    spec = DiscoverSpec(
        live=frozenset({Kind.HISTORY, Kind.SUBMIT_LINE}), hosts=(parse_host("node1"),)
    )
    result = discover.run(spec, sink, token)
    thread.join()
    assert result.stopped and result.exit_code == 130
    assert names(result) == ["docker.io/lab/tool:1"]
    assert result.hosts[0].state is ItemState.LEFT_OUT


@pytest.mark.sshd
def test_no_secret_of_a_host_gets_out(
    ssh_server: SshServer, token: CancelToken, events: EventLog
) -> None:
    furnish(
        ssh_server,
        "127.0.0.1",
        "lab/tool:1",
        f"enroot import 'docker://$oauthtoken:{KEY}@nvcr.io#nvidia/a:1'\n"
        f"docker login -p {KEY} nvcr.io; docker run nvcr.io/$X/{KEY}:1\n",
    )
    docker = ssh_server.bin("127.0.0.1") / "docker"
    docker.write_text(f"#!/bin/sh\necho 'the key {KEY} is wrong' >&2; exit 1\n")
    docker.chmod(0o755)
    spec = DiscoverSpec(
        live=frozenset({Kind.HISTORY, Kind.DOCKER}), hosts=(parse_host("node1"),), insist=True
    )
    result = discover.run(spec, events, token)
    assert "nvcr.io/nvidia/a:1" in names(result)
    told = json.dumps(result.to_json()) + repr(result) + repr(list(events))
    assert KEY not in told


# --- all of a machine, and the list ---------------------------------------------------------------


def test_every_live_source_is_told_of(token: CancelToken, events: EventLog) -> None:
    """Whatever this machine has: each is read, absent or failed, and a failure has a reason."""
    spec = DiscoverSpec(live=LIVE, here=True, timeout=60)
    result = discover.run(spec, events, token)
    assert {source.kind for source in result.sources} >= {kind.value for kind in LIVE}
    assert all(e.reason for e in events.of(SourceRead) if e.state is not SourceState.READ)


def test_the_list_says_where_each_image_was_seen_and_keeps_edits(
    tmp_path: Path, token: CancelToken
) -> None:
    history = tmp_path / ".bash_history"
    history.write_text("#1748772000\ndocker run lab/a:1\n#1748772001\ndocker run lab/b:1\n")
    result = discover.run(DiscoverSpec((NamedPath(history),)), discard, token)
    path = tmp_path / "images_list.txt"
    path.write_text("# mine\nlab/c:1\n# lab/b:1\n")
    update = discovered_list.write(path, result.discovery)
    assert update.added == (Reference.parse("lab/a:1"),)
    assert update.left_out == (Reference.parse("lab/b:1"),)
    text = path.read_text()
    assert text.startswith("# mine\nlab/c:1\n# lab/b:1\n")
    assert "docker.io/lab/a:1    # 1 time, last 2025-06-01; history\n" in text
    assert discovered_list.write(path, result.discovery).added == ()
    assert path.read_text() == text


def test_the_comment_of_many_hosts_is_short() -> None:
    from airgap_tui.engine.discovery.finding import Finding, Place
    from airgap_tui.engine.discovery.merging import merged

    reference = Reference.parse("lab/a:1")
    found = [
        Finding("lab/a:1", reference, kind, Place("/x", 1, f"dgx{n:02}"))
        for n in range(1, 10)
        for kind in ((Kind.HISTORY, Kind.DOCKER) if n < 3 else (Kind.DOCKER,))
    ]
    (image,) = merged(found).images
    assert discovered_list.comment(image) == (
        "11 times; dgx01, dgx02: docker, history; dgx03, dgx04, dgx05, dgx06 and 3 more: docker"
    )


def test_a_list_that_cannot_be_written_is_told_before_anybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    discovered_list.check(tmp_path / "new.txt")
    with pytest.raises(NotFound, match="no directory"):
        discovered_list.check(tmp_path / "none" / "list.txt")
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path)
    with pytest.raises(EnvironmentFailure, match="permission denied") as caught:
        discovered_list.check(tmp_path / "new.txt")
    assert "that you may write to" in caught.value.hint
