"""Files that real programs wrote are read here, and what is written here is read by them."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from pathlib import Path

import pytest

from airgap_tui.engine.credentials import (
    ansible_vault,
    deepops,
    docker_config,
    enroot,
    kubernetes,
    playbook,
)
from airgap_tui.engine.credentials.deepops import DeepOpsLogins
from airgap_tui.engine.credentials.docker_config import DockerConfig
from airgap_tui.engine.credentials.kubernetes import PullSecrets, SecretName
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import EnvironmentFailure
from tests import services
from tests.conftest import StartDistribution
from tests.engine.credentials.conftest import Ansible

USER, SECRET = "robot", "not-a-real:password $HOME"
"""A colon, a blank and a dollar: all three have been cut off or filled in by somebody."""

PLAIN_SECRET = "not-a-real-password"
"""One that enroot's file can hold."""

VAULT_PASSWORD = "vault-password-of-the-test"
PULL = SecretName("pull", "lab")


@pytest.fixture
def registry(start_distribution: StartDistribution) -> services.Distribution:
    services.program("docker-registry")
    return start_distribution(htpasswd={USER: SECRET})


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    name, *arguments = command
    done = subprocess.run(
        [services.program(name), *arguments],
        input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done


# --- docker and podman ---


def podman(*arguments: str, stdin: str = "") -> str:
    """With storage of its own: what it finds in this machine's decides whether it runs at all."""
    with services.short_directory() as own:
        storage = ("--root", f"{own}/root", "--runroot", f"{own}/run", "--storage-driver", "vfs")
        return run("podman", *storage, *arguments, stdin=stdin).stdout


@pytest.mark.distribution
def test_docker_login(registry: services.Distribution, tmp_path: Path) -> None:
    options = ["--config", str(tmp_path), "--host", "unix:///nowhere/docker.sock"]
    arguments = ["login", registry.host, "--username", USER, "--password-stdin"]
    run("docker", *options, *arguments, stdin=SECRET)
    login = DockerConfig.read(tmp_path / "config.json").find(registry.host)
    assert login is not None
    assert (login.username, login.secret) == (USER, SECRET)


@pytest.mark.distribution
@pytest.mark.docker
def test_docker_uses_what_was_written(
    registry: services.Distribution, docker_engine: services.DockerEngine, tmp_path: Path
) -> None:
    docker_config.change(tmp_path / "config.json", registry.host, USER, SECRET).apply()
    # Without a password docker tries the one that it has.
    options = ["--config", str(tmp_path), "--host", docker_engine.host]
    assert "Login Succeeded" in run("docker", *options, "login", registry.host).stdout


@pytest.mark.distribution
@pytest.mark.podman
def test_podman_login(registry: services.Distribution, tmp_path: Path) -> None:
    path = tmp_path / "containers/auth.json"
    path.parent.mkdir()
    options = ["--authfile", str(path), "--tls-verify=false"]
    arguments = ["login", *options, "--username", USER, "--password-stdin", registry.host]
    podman(*arguments, stdin=SECRET)
    store = CredentialStore.load({"HOME": "/nonexistent", "XDG_CONFIG_HOME": str(tmp_path)})
    login = store.find(registry.host)
    assert login is not None
    assert (login.username, login.secret) == (USER, SECRET)


@pytest.mark.podman
@pytest.mark.parametrize("name", ["docker.io", "reg.lan:5000"])
def test_podman_finds_what_was_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    docker_config.change(path, name, USER, SECRET, hub="docker.io").apply()
    assert podman("login", "--authfile", str(path), "--get-login", name).strip() == USER


# --- enroot, by the curl that it uses ---


@pytest.mark.distribution
def test_curl_reads_enroots_file(start_distribution: StartDistribution, tmp_path: Path) -> None:
    registry = start_distribution(htpasswd={USER: PLAIN_SECRET})
    path = tmp_path / ".credentials"
    path.write_text(f"# first\nmachine reg.lan login x password y\nmachine {'z' * 20}\n")
    enroot.change(path, registry.host, USER, PLAIN_SECRET).apply()

    def status(*options: str) -> str:
        arguments = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", *options]
        return run("curl", *arguments, f"{registry.url}/v2/").stdout

    assert status() == "401"
    assert status("--netrc-file", str(path)) == "200"


# --- kubectl ---


def kubectl(*arguments: str) -> bytes:
    return run("kubectl", *arguments, "--dry-run=client", "--output=json").stdout.encode()


@pytest.mark.parametrize("server", ["reg.lan:5000", "https://index.docker.io/v1/"])
def test_a_secret_that_kubectl_made(server: str) -> None:
    made = kubectl(
        *("create", "secret", "docker-registry", "pull", "--docker-server", server),
        *("--docker-username", USER, "--docker-password", SECRET, "--docker-email", "a@b.c"),
    )
    (secret,) = PullSecrets.parse(made, "it").secrets
    login = secret.find(docker_config.registry_of(server))
    assert login is not None
    assert (login.username, login.secret) == (USER, SECRET)


def test_the_command_makes_the_secret_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "with blank.json"
    planned = kubernetes.file_for_kubectl(path, "reg.lan:5000", USER, SECRET, PULL)
    planned.apply()
    name, *arguments = shlex.split(planned.then.splitlines()[0].partition(" && ")[0])
    assert name == "kubectl"
    made = kubectl(*arguments)
    assert json.loads(made)["metadata"]["namespace"] == "lab"
    (secret,) = PullSecrets.parse(made, "it").secrets
    login = secret.find("reg.lan:5000")
    assert login is not None
    assert (login.username, login.secret) == (USER, SECRET)


def test_docker_would_take_the_secret_in_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_bytes(kubectl("create", "secret", "docker-registry", "pull", "--docker-server=a.lan",
                             "--docker-username=x", "--docker-password=y"))  # fmt: skip
    kubernetes.change(path, "reg.lan", USER, SECRET, SecretName("pull")).apply()
    inner = base64.b64decode(json.loads(path.read_text())["data"][".dockerconfigjson"])
    config = DockerConfig.parse(inner.decode(), "it")
    assert [name for name, _where in config.kept] == ["a.lan", "reg.lan"]


# --- ansible ---


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "vault-password"
    path.write_text(f"{VAULT_PASSWORD}\n")
    return path


@pytest.mark.parametrize("label", ["", "site"])
def test_vaults_of_ansible(
    label: str, ansible: Ansible, password_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "vars.yml"
    path.write_text(
        "docker_login_registries:\n- {registry: reg.lan, username: u, password: 'p w'}\n"
    )
    options = ["--vault-id", f"{label or 'default'}@{password_file}"]
    chosen = ["--encrypt-vault-id", label] if label else []
    ansible("ansible-vault", "encrypt", *options, *chosen, str(path))
    assert ansible_vault.Vault.parse(path.read_bytes(), "it").label == label
    login = DeepOpsLogins.parse(path.read_bytes(), "it", VAULT_PASSWORD).find("reg.lan")
    assert login is not None
    assert (login.username, login.secret) == ("u", "p w")
    deepops.change(path, "nvcr.io", USER, SECRET, VAULT_PASSWORD).apply()
    shown = ansible("ansible-vault", "view", *options, str(path)).stdout
    assert DeepOpsLogins.parse(shown.encode(), "it").find("nvcr.io") is not None


def test_a_line_of_encrypt_string(ansible: Ansible, password_file: Path) -> None:
    made = ansible(
        *("ansible-vault", "encrypt_string", "--vault-password-file", str(password_file)),
        *("--stdin-name", "password"),
        stdin=SECRET,
    ).stdout
    indented = made.replace("\n", "\n    ")
    text = f"docker_login_registries:\n  - registry: reg.lan\n    username: u\n    {indented}\n"
    login = DeepOpsLogins.parse(text.encode(), "it", VAULT_PASSWORD).find("reg.lan")
    assert login is not None
    assert login.secret == SECRET


@pytest.mark.distribution
@pytest.mark.parametrize("whole", [True, False])
def test_the_playbook_logs_in_with_the_vaulted_variables(
    whole: bool,
    ansible: Ansible,
    password_file: Path,
    registry: services.Distribution,
    tmp_path: Path,
) -> None:
    services.program("docker")
    variables, book = tmp_path / "docker-login.yml", tmp_path / "book.yml"
    if not whole:
        variables.write_text("# by hand\nother: 1\n")
    deepops.change(variables, registry.host, USER, SECRET, VAULT_PASSWORD).apply()
    playbook.change(book).apply()
    assert SECRET not in variables.read_text() + book.read_text()
    said = ansible(
        *("ansible-playbook", "--inventory", "localhost,", "--connection", "local", "-vvv"),
        *("--vault-password-file", str(password_file), "--extra-vars", f"@{variables}"),
        *("--extra-vars", "ansible_become=false", str(book)),
    )
    assert SECRET not in said.stdout + said.stderr
    made = DockerConfig.read(tmp_path / "ansible-home/.docker/config.json").find(registry.host)
    assert made is not None
    assert (made.username, made.secret) == (USER, SECRET)


def test_only_an_own_playbook_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "book.yml"
    playbook.change(path).apply()
    assert playbook.change(path).content == path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644
    path.write_text("- hosts: all\n")
    with pytest.raises(EnvironmentFailure, match="is there already"):
        playbook.change(path)
