"""All logins of a machine together: which of them wins, and what is said about it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.named_file import NamedFile
from airgap_tui.engine.credentials.source import Software
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, EnvironmentFailure, NotFound

KEY = "nvapi-" + "k" * 64


def write(path: Path, **logins: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    auths = {
        registry.replace("_", "."): {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}
        for registry, user in logins.items()
    }
    path.write_text(json.dumps({"auths": auths}))


def username(store: CredentialStore, registry: str, repository: str = "") -> str | None:
    found = store.find(registry, repository)
    return None if found is None else found.username


def test_nothing_anywhere(tmp_path: Path) -> None:
    store = CredentialStore.load({"HOME": str(tmp_path)})
    assert store.find("nvcr.io", "nvidia/cuda") is None
    assert store.problems == ()


def test_the_order(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    write(tmp_path / ".config/containers/auth.json", reg_lan="podman")
    assert username(CredentialStore.load(home), "reg.lan") == "podman"
    runtime = {**home, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    write(tmp_path / "run/containers/auth.json", reg_lan="runtime")
    assert username(CredentialStore.load(runtime), "reg.lan") == "runtime"
    write(tmp_path / ".docker/config.json", reg_lan="docker")
    assert username(CredentialStore.load(runtime), "reg.lan") == "docker"
    write(tmp_path / "named.json", reg_lan="named")
    named = {**runtime, "REGISTRY_AUTH_FILE": str(tmp_path / "named.json")}
    assert username(CredentialStore.load(named), "reg.lan") == "named"
    inline = {**named, "DOCKER_AUTH_CONFIG": (tmp_path / "named.json").read_text()}
    found = CredentialStore.load(inline).find("reg.lan")
    assert found is not None
    assert found.origin == "DOCKER_AUTH_CONFIG"
    given = Credential("given", "secret", "this run")
    assert username(CredentialStore.load(inline, {"reg.lan": given}), "reg.lan") == "given"


def test_the_old_file_that_podman_still_reads(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    old = tmp_path / ".dockercfg"
    old.write_text(json.dumps({"https://reg.lan/v1/": {"auth": encoded("old")}}))
    store = CredentialStore.load(home)
    assert username(store, "reg.lan") == "old"
    assert [software for software, _ in store.held("reg.lan")] == [Software.PODMAN]
    write(tmp_path / ".config/containers/auth.json", reg_lan="podman")
    assert username(CredentialStore.load(home), "reg.lan") == "podman"
    old.write_text("no JSON")
    assert [problem.text for problem in CredentialStore.load(home).problems] == [
        f"{old} is not JSON, so no login can be read from it"
    ]


def test_docker_config_of_the_environment(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/config.json", reg_lan="elsewhere")
    write(tmp_path / ".docker/config.json", reg_lan="home")
    environment = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "elsewhere")}
    assert username(CredentialStore.load(environment), "reg.lan") == "elsewhere"


def test_the_ngc_key_wins_over_files_and_is_for_nvcr_alone(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", nvcr_io="somebody", reg_lan="docker")
    environment = {"HOME": str(tmp_path), "NGC_API_KEY": KEY}
    store = CredentialStore.load(environment)
    found = store.find("nvcr.io", "nvidia/cuda")
    assert found is not None
    assert (found.username, found.secret, found.origin) == ("$oauthtoken", KEY, "NGC_API_KEY")
    for other in ("evilnvcr.io", "nvcr.io.example", "nvcr.io:443", "docker.io"):
        assert store.find(other) is None
    assert username(store, "reg.lan") == "docker"


def test_the_key_of_the_ngc_program(tmp_path: Path) -> None:
    found = CredentialStore.load({"HOME": str(tmp_path), "NGC_CLI_API_KEY": KEY}).find("nvcr.io")
    assert found is not None
    assert found.origin == "NGC_CLI_API_KEY"


@pytest.mark.parametrize("text", [f"{KEY}\n", f" {KEY}\r\n", f"{KEY[:20]}\n{KEY[20:]}"])
def test_line_breaks_in_a_key(text: str, tmp_path: Path) -> None:
    store = CredentialStore.load({"HOME": str(tmp_path), "NGC_API_KEY": text})
    found = store.find("nvcr.io")
    assert found is not None
    assert found.secret == KEY
    (remark,) = store.remarks
    assert remark.text == "NGC_API_KEY looks like a key with a line break; it was taken out"


def test_keys_of_the_dgx_registry_are_refused_in_plain_words(tmp_path: Path) -> None:
    store = CredentialStore.load({"HOME": str(tmp_path), "NGC_API_KEY": "a1" * 20})
    assert store.find("docker.io") is None
    with pytest.raises(AccessDenied, match="which NGC no longer takes") as refused:
        store.find("nvcr.io")
    assert "nvapi-" in refused.value.hint
    assert "a1" * 20 not in str(refused.value)


def test_a_broken_file_is_told_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{ broken")
    write(tmp_path / ".config/containers/auth.json", reg_lan="podman")
    store = CredentialStore.load({"HOME": str(tmp_path)})
    assert username(store, "reg.lan") == "podman"
    assert len(store.problems) == 1
    assert "not JSON" in store.problems[0].text
    assert store.problems[0].remedy == "Fix it, or log in again."


def test_a_helper_that_is_missing_is_told_once(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"credsStore": "is-absent"}))
    store = CredentialStore.load({"HOME": str(tmp_path)})
    assert store.find("reg.lan") is None
    assert store.find("reg.lan", "a/b") is None
    (problem,) = store.problems
    assert problem.text == "the credential helper docker-credential-is-absent is not installed"


def test_a_helper_whose_logins_end_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of clouds last an hour, and a job may last for days."""
    program = tmp_path / "bin" / "docker-credential-cloud"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/calls\n"
        f'echo "{{\\"Username\\":\\"u\\",\\"Secret\\":\\"hour-$(wc -l < {tmp_path}/calls)\\"}}"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"credsStore": "cloud"}))
    store = CredentialStore.load({"HOME": str(tmp_path)})
    first = [store.find("reg.lan", repository) for repository in ("a/b", "a/c", "a/b")]
    assert {login.secret for login in first if login is not None} == {"hour-1"}
    monkeypatch.setattr("airgap_tui.engine.credentials.helper.GOOD_FOR", 0.0)
    again = store.find("reg.lan", "a/b")
    assert again is not None and again.secret == "hour-2"


def test_without_the_login_of_one_registry_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path / ".docker" / "config.json", nvcr_io="a", reg_lan="b")
    store = CredentialStore.load({"HOME": str(tmp_path), "NGC_API_KEY": KEY})
    without = store.without("nvcr.io")
    assert without.find("nvcr.io") is None
    assert username(without, "reg.lan") == "b"
    assert store.find("nvcr.io") is not None


def encoded(username: str) -> str:
    return base64.b64encode(f"{username}:secret".encode()).decode()


def line(username: str, machine: str = "reg.lan") -> str:
    return f"machine {machine} login {username} password secret\n"


def test_the_order_of_what_other_software_keeps(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "ENROOT_SYSCONF_PATH": str(tmp_path)}
    enroot = tmp_path / ".config/enroot/.credentials"
    enroot.parent.mkdir(parents=True)
    enroot.write_text(line("enroot"))
    assert username(CredentialStore.load(environment), "reg.lan") == "enroot"
    write(tmp_path / ".singularity/docker-config.json", reg_lan="singularity")
    assert username(CredentialStore.load(environment), "reg.lan") == "singularity"
    write(tmp_path / ".apptainer/docker-config.json", reg_lan="apptainer")
    assert username(CredentialStore.load(environment), "reg.lan") == "apptainer"
    write(tmp_path / ".config/containers/auth.json", reg_lan="podman")
    write(tmp_path / "named.json", reg_lan="named")
    sources, problems = NamedFile.load(tmp_path / "named.json").sources()
    assert problems == ()
    store = CredentialStore.load(environment, named=sources)
    assert [(software, login.username) for software, login in store.held("reg.lan")] == [
        (Software.DOCKER, "named"),
        (Software.PODMAN, "podman"),
        (Software.APPTAINER, "apptainer"),
        (Software.SINGULARITY, "singularity"),
        (Software.ENROOT, "enroot"),
    ]
    assert username(store, "reg.lan") == "named"
    given = Credential("given", "secret", "this run")
    store.give("reg.lan", given)
    assert store.held("reg.lan")[0] == (None, given)
    assert store.find("reg.lan") == given


def test_the_key_wins_over_apptainers_variables_and_these_over_its_file(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "APPTAINER_DOCKER_USERNAME": "$oauthtoken"}
    environment["APPTAINER_DOCKER_PASSWORD"] = "a" * 20
    write(tmp_path / ".apptainer/docker-config.json", nvcr_io="somebody")
    found = CredentialStore.load(environment).find("nvcr.io")
    assert found is not None and found.origin == "APPTAINER_DOCKER_PASSWORD"
    found = CredentialStore.load({**environment, "NGC_API_KEY": KEY}).find("nvcr.io")
    assert found is not None and found.origin == "NGC_API_KEY"


def test_what_is_not_used_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "DOCKER_USERNAME": "me", "DOCKER_PASSWORD": "secret"}
    enroot = tmp_path / ".config/enroot/.credentials"
    enroot.parent.mkdir(parents=True)
    enroot.write_text(line("x", "auth.docker.io") + "machine a.lan login y password $(cmd)\n")
    store = CredentialStore.load(environment)
    assert [(one.registry, one.username) for one in store.unusable] == [("", "me"), ("a.lan", "y")]
    assert ["registry-1.docker.io as well" in remark.text for remark in store.remarks] == [True]
    assert store.kept == (("docker.io", str(enroot)),)


@pytest.mark.parametrize(
    ("text", "software"),
    [
        (json.dumps({"auths": {"reg.lan": {"auth": encoded("me")}}}), Software.DOCKER),
        (line("me"), Software.ENROOT),
        (
            "docker_login_registries: [{registry: reg.lan, username: me, password: secret}]",
            Software.DEEPOPS,
        ),
        (
            "kind: Secret\ntype: kubernetes.io/dockercfg\nstringData:\n  .dockercfg: >\n"
            '    {"reg.lan": {"username": "me", "password": "secret"}}\n',
            Software.KUBERNETES,
        ),
        (
            "mirrors:\n  nvcr.io:\n    endpoint: [https://reg.lan]\nconfigs:\n  reg.lan:\n"
            "    auth:\n      username: me\n      password: secret\n"
            "  other.lan:\n    tls: {ca_file: /ca}\n",
            Software.KUBERNETES,
        ),
        (f"configs:\n  https://reg.lan:\n    auth: {{auth: {encoded('me')}}}", Software.KUBERNETES),
    ],
)
def test_a_named_file_shows_what_it_is(text: str, software: Software, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    (source,), problems = NamedFile.load(path).sources()
    found = source.find("reg.lan")
    assert found is not None
    assert (found.username, found.secret) == ("me", "secret")
    assert (source.software, problems) == (software, ())
    assert not NamedFile.load(path).needs_password


def test_a_token_in_registries_yaml(tmp_path: Path) -> None:
    path = tmp_path / "registries.yaml"
    path.write_text(
        "configs:\n  docker.io:\n    auth:\n      identity_token: refresh\n  odd: [1]\n"
    )
    (source,), _problems = NamedFile.load(path).sources()
    found = source.find("docker.io")
    assert found is not None and found.identity_token == "refresh"
    assert source.kept == (("docker.io", str(path)),)
    path.write_text("configs: {unclosed\n")
    with pytest.raises(EnvironmentFailure):
        NamedFile.load(path).sources()


def test_a_named_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"hello\n", b"\x7fELF\0\0", b"[1, 2]"):
        path.write_bytes(data)
        with pytest.raises(EnvironmentFailure, match="is not a file with logins"):
            NamedFile.load(path).sources()
    with pytest.raises(NotFound):
        NamedFile.load(tmp_path / "absent")
    with pytest.raises(EnvironmentFailure, match="cannot be read"):
        NamedFile.load(tmp_path)


def test_a_large_list_of_kubectl_is_read_and_large_yaml_is_not(tmp_path: Path) -> None:
    secret = {
        "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "pull"},
        "stringData": {".dockerconfigjson": json.dumps({"auths": {"reg.lan": {
            "auth": encoded("me")}}})},
    }  # fmt: skip
    release = {"kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": "A" * 5_000_000}}
    path = tmp_path / "secrets"
    path.write_text(json.dumps({"kind": "List", "items": [release, secret]}))
    (source,), _problems = NamedFile.load(path).sources()
    assert source.origin == f"{path}, secret pull"
    path.write_text("# " + "x" * 5_000_000 + "\nkind: Secret\ntype: kubernetes.io/dockercfg\n")
    with pytest.raises(EnvironmentFailure, match="larger than 4 MiB"):
        NamedFile.load(path).sources()
