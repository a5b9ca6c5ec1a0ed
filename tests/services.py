"""Real programs that tests talk to: started here, waited for, their logs kept, ended by their pid.

Each service has a directory of its own directly below the system's temporary directory, because a
Unix socket's path may have 107 bytes and pytest's own directories are longer.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from docker import DockerClient

PATIENCE = 120.0
"""Seconds until a test gives up what has to come: it costs nothing where it comes, and says that it
does not come only where no busy machine explains it."""
START_TIMEOUT = PATIENCE
STOP_TIMEOUT = 20.0
_CAP_SYS_ADMIN = 21

running: list[Service] = []
"""The services of this process; a failing test shows the ends of their logs."""


passwords: set[str] = set()
"""The passwords and tokens that services of this process took or gave: no output may hold one."""


class ServiceFailed(Exception):
    """A service ended or stayed silent; the text holds the end of its log."""


def program(name: str) -> str:
    """The path of a program; the test is skipped, with the reason, where there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"the program {name} is not installed")
    return found


def need_root() -> None:
    """Skip the test unless it may mount and start engines."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    status = Path("/proc/self/status").read_text()
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    if capabilities is None or not int(capabilities[1], 16) >> _CAP_SYS_ADMIN & 1:
        pytest.skip("needs CAP_SYS_ADMIN, which root lacks in this container")


def wait_for(condition: Callable[[], bool], timeout: float = PATIENCE, what: str = "") -> None:
    """Return as soon as the condition holds; raise `TimeoutError` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what or "the condition did not come true in time")
        time.sleep(0.02)


def free_port() -> int:
    """A port of this machine that nobody has and no connection is given by chance, since it is
    below those that the system hands out."""
    lowest, _highest = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    while True:
        port = 10_000 + secrets.randbelow(max(int(lowest) - 10_000, 10_000))
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory with a short path, removed afterwards."""
    path = _directory()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Service:
    """A child process with a log, in a directory of its own that goes when it stops."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.directory = directory
        self.log = directory / "log"
        # A test process that is killed takes its services along.
        setpriv = shutil.which("setpriv")
        prefix = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=directory,
                env={**os.environ, **(environment or {})},
            )
        running.append(self)

    @property
    def pid(self) -> int:
        return self.process.pid

    def log_tail(self, lines: int = 12) -> str:
        """The end of the log without what is only for information; empty when there is none."""
        with suppress(OSError):
            text = self.log.read_text(errors="replace").splitlines()
            told = [line[:300] for line in text if "level=info" not in line]
            return "\n".join(told[-lines:])
        return ""

    def wait_until(self, ready: Callable[[], bool], timeout: float = START_TIMEOUT) -> None:
        """Return when it answers; raise `ServiceFailed` when it ends or stays silent."""
        end = time.monotonic() + timeout
        while not ready():
            code = self.process.poll()
            if code is not None or time.monotonic() > end:
                why = "did not answer in time" if code is None else f"ended with {code}"
                raise ServiceFailed(f"{self.name} {why}:\n{self.log_tail()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a power failure would; its directory stays."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT)

    def stop(self) -> None:
        """End the process and remove its directory. May be called twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
        if self in running:
            running.remove(self)
        self._tidy_up()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tidy_up(self) -> None:
        """Take away what the process has left, before its directory goes."""

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _directory() -> Path:
    """With a path that leaves room for the names of sockets, wherever temporary files go here."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="at-", dir=usual if len(usual) <= 40 else "/tmp"))  # noqa: S108


# --- certificates ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A private authority in a directory, made with the `openssl` program."""

    directory: Path
    certificate: Path
    key: Path

    @classmethod
    def create(
        cls,
        directory: Path,
        name: str = "airgap-tui test authority",
        extensions: Sequence[str] = ("keyUsage=critical,keyCertSign,cRLSign",),
    ) -> CertificateAuthority:
        directory.mkdir(parents=True, exist_ok=True)
        certificate, key = directory / "ca.pem", directory / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "2",
            "-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={name}",
            *(word for extension in extensions for word in ("-addext", extension)),
        )  # fmt: skip
        return cls(directory, certificate, key)

    def issue(
        self,
        file_name: str = "server",
        names: Sequence[str] = ("DNS:localhost", "IP:127.0.0.1"),
        days: int = 2,
    ) -> KeyPair:
        """A certificate for these subject alternative names; good for servers and clients."""
        pair = KeyPair(self.directory / f"{file_name}.pem", self.directory / f"{file_name}.key")
        request = self.directory / f"{file_name}.csr"
        extensions = self.directory / f"{file_name}.ext"
        extensions.write_text(
            f"subjectAltName={','.join(names)}\nbasicConstraints=CA:FALSE\n"
            "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-sha256", "-keyout", str(pair.key),
            "-out", str(request), "-subj", f"/CN={file_name}",
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey",
            str(self.key), "-CAcreateserial", "-sha256", "-days", str(days),
            "-extfile", str(extensions), "-out", str(pair.certificate),
        )  # fmt: skip
        return pair


def _openssl(*arguments: str, stdin: bytes | None = None) -> bytes:
    done = subprocess.run(
        [program("openssl"), *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )
    if done.returncode:
        raise ServiceFailed(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


# --- CNCF Distribution ----------------------------------------------------------------------------


class Distribution(Service):
    """CNCF Distribution (`docker-registry`) on a port of 127.0.0.1 that it chose itself."""

    def __init__(self, directory: Path, config: Mapping[str, Any], root: Path) -> None:
        path = directory / "config.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        self.root = root
        self._path = path
        self.port = 0
        self.secure = "tls" in config["http"]
        super().__init__(
            "docker-registry", [program("docker-registry"), "serve", str(path)], directory
        )
        try:
            self.wait_until(self._listening)
        except ServiceFailed:
            self.stop()
            raise

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}"

    def _listening(self) -> bool:
        said = re.findall(r"listening on 127\.0\.0\.1:(\d+)", self.log.read_text(errors="replace"))
        if not said:
            return False
        self.port = int(said[-1])
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def blob_path(self, digest: str) -> Path:
        """Where the registry keeps a blob's bytes."""
        algorithm, _, hexadecimal = digest.partition(":")
        blobs = self.root / "docker/registry/v2/blobs"
        return blobs / algorithm / hexadecimal[:2] / hexadecimal / "data"


def start_distribution(
    *,
    htpasswd: Mapping[str, str] | None = None,
    tls: KeyPair | None = None,
    client_authority: Path | None = None,
    token_service: TokenService | None = None,
    delete: bool = True,
    port: int = 0,
    root: Path | None = None,
) -> Distribution:
    """Start a registry; the caller stops it.

    `htpasswd` maps users to passwords; `client_authority` is a PEM file whose clients alone are let
    in; `port` and `root` (the storage directory, which is then not removed) make a stopped registry
    come back as it was.
    """
    program("docker-registry")
    directory = _directory()
    storage = root or directory / "registry"
    http: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "secret": "for-tests-only"}
    if tls is not None:
        http["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
        if client_authority is not None:
            http["tls"]["clientcas"] = [str(client_authority)]
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            "delete": {"enabled": delete},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
    if htpasswd is not None:
        path = directory / "htpasswd"
        path.write_text("".join(_htpasswd_line(*login) for login in htpasswd.items()))
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(path)}}
    if token_service is not None:
        config["auth"] = {
            "token": {
                "realm": token_service.realm,
                "service": token_service.service,
                "issuer": token_service.issuer,
                "rootcertbundle": str(token_service.pair.certificate),
            }
        }
    return Distribution(directory, config, storage)


def _htpasswd_line(user: str, password: str) -> str:
    """bcrypt, the only kind that Distribution reads."""
    passwords.add(password)
    done = subprocess.run(
        [program("htpasswd"), "-n", "-i", "-B", "-C", "4", user],
        input=password,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip() + "\n"


class TokenService:
    """A token server as Distribution's specification describes it, for these users.

    `requests` are the parsed queries of all token requests, with `user` where a login was sent.
    `lifetime` is in seconds. Everyone may pull when `anonymous` is set.
    """

    service = "registry.test"
    issuer = "airgap-tui tests"

    def __init__(
        self,
        pair: KeyPair,
        users: Mapping[str, str],
        *,
        anonymous: bool = False,
        lifetime: int = 300,
    ) -> None:
        self.pair = pair
        self.users = dict(users)
        passwords.update(users.values())
        self.anonymous = anonymous
        self.lifetime = lifetime
        self.requests: list[dict[str, list[str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(STOP_TIMEOUT)
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        user = self._user(handler.headers.get("Authorization", ""))
        self.requests.append({**query, **({"user": [user]} if user else {})})
        if user is None or (not user and not self.anonymous):
            handler.send_response(401)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        access = [self._access(scope, bool(user)) for scope in query.get("scope", [])]
        body = json.dumps({"token": self.token(access, user), "expires_in": self.lifetime}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _user(self, authorization: str) -> str | None:
        """The name of the login; "" without one, None for a wrong one."""
        if not authorization:
            return ""
        kind, _, value = authorization.partition(" ")
        if kind.lower() != "basic":
            return None
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user if self.users.get(user) == password else None

    def _access(self, scope: str, everything: bool) -> dict[str, Any]:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        wanted = actions.split(",")
        return {
            "type": kind,
            "name": name,
            "actions": wanted if everything else [a for a in wanted if a == "pull"],
        }

    def token(self, access: Sequence[Mapping[str, Any]], user: str = "") -> str:
        """A signed JWT that grants this access."""
        now = int(time.time())
        der = base64.b64encode(
            _openssl("x509", "-in", str(self.pair.certificate), "-outform", "DER")
        ).decode()
        header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        claims = {
            "iss": self.issuer,
            "sub": user,
            "aud": self.service,
            "exp": now + self.lifetime,
            "nbf": now - 10,
            "iat": now,
            "jti": os.urandom(8).hex(),
            "access": list(access),
        }
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = _openssl("dgst", "-sha256", "-sign", str(self.pair.key), stdin=signed.encode())
        token = f"{signed}.{_base64url(signature)}"
        passwords.add(token)
        return token


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- engines --------------------------------------------------------------------------------------


class DockerEngine(Service):
    """A private `dockerd` without networks; `host` is its socket. Its images are in the classic
    store unless it is `containerd_store`, which engines before 24 do not have."""

    def __init__(
        self, directory: Path, options: Sequence[str] = (), *, containerd_store: bool = False
    ) -> None:
        config = directory / "daemon.json"
        config.write_text(json.dumps({"features": {"containerd-snapshotter": containerd_store}}))
        self.socket = directory / "docker.sock"
        self.data = directory / "data"
        self._client: DockerClient | None = None
        super().__init__(
            "dockerd",
            [
                program("dockerd"),
                *("--config-file", str(config), "--pidfile", str(directory / "pid")),
                *("--data-root", str(self.data), "--exec-root", str(directory / "exec")),
                *("--host", self.host, "--bridge", "none", "--userland-proxy=false"),
                *("--iptables=false", "--ip6tables=false", "--ip-forward=false"),
                *options,
            ],
            directory,
        )
        try:
            self.wait_until(self._answers)
        except ServiceFailed:
            self.stop()
            raise

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def client(self) -> DockerClient:
        """A client of the Docker SDK, closed when the engine stops."""
        if self._client is None:
            from docker import DockerClient

            self._client = DockerClient(base_url=self.host, timeout=120, version="auto")
        return self._client

    def _answers(self) -> bool:
        return answers_http(self.socket, "/_ping")

    def remove_all_images(self) -> None:
        """Leave the engine empty, whatever a test loaded."""
        for image in self.client.api.images(all=False):
            with suppress(Exception):
                self.client.api.remove_image(image["Id"], force=True)

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        super().stop()

    def _tidy_up(self) -> None:
        """Its containerd and its mount outlive an engine that is killed."""
        with suppress(OSError, ValueError):
            containerd = int((self.directory / "exec/containerd/containerd.pid").read_text())
            if os.fsencode(self.directory) in Path(f"/proc/{containerd}/cmdline").read_bytes():
                os.kill(containerd, signal.SIGKILL)
        subprocess.run(["umount", "--lazy", self.data], capture_output=True, timeout=PATIENCE)


def start_docker_engine(
    options: Sequence[str] = (), *, containerd_store: bool = False
) -> DockerEngine:
    """Start a `dockerd` with its own containerd; the caller stops it."""
    program("dockerd")
    program("containerd")
    need_root()
    if containerd_store and (version := _dockerd_version()) < 24:
        pytest.skip(f"Docker here is version {version}; containerd's image store came with 24")
    return DockerEngine(_directory(), options, containerd_store=containerd_store)


def _dockerd_version() -> int:
    told = run_program("dockerd", "--version").stdout
    found = re.search(r"version (\d+)", told)
    return int(found[1]) if found else 0


class PodmanService(Service):
    """`podman system service` on private storage; `host` is its socket."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "podman.sock"
        self._storage = [
            *("--root", str(directory / "root"), "--runroot", str(directory / "run")),
            *("--tmpdir", str(directory / "tmp"), "--storage-driver", "vfs"),
            *("--events-backend", "file", "--cgroup-manager", "cgroupfs"),
        ]
        command = [program("podman"), *self._storage, "system", "service", "--time", "0", self.host]
        super().__init__("podman", command, directory)
        try:
            self.wait_until(lambda: answers_http(self.socket, "/_ping"))
        except ServiceFailed:
            self.stop()
            raise

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman on the service's storage."""
        return run_program("podman", *self._storage, *arguments, check=check)


def start_podman() -> PodmanService:
    """Start Podman's Docker-compatible socket; the caller stops it."""
    program("podman")
    need_root()
    return PodmanService(_directory())


class Containerd(Service):
    """A private `containerd`; call it to run `ctr` against it. `socket` is where it listens."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "containerd.sock"
        config = directory / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{directory}/root"\nstate = "{directory}/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self.socket}"\n'
        )
        super().__init__("containerd", [program("containerd"), "-c", str(config)], directory)
        try:
            self.wait_until(lambda: not self("version", check=False).returncode)
        except ServiceFailed:
            self.stop()
            raise

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run_program("ctr", "--address", str(self.socket), *arguments, check=check)


def start_containerd() -> Containerd:
    """Start a `containerd` without networks and without Kubernetes; the caller stops it."""
    program("containerd")
    program("ctr")
    need_root()
    return Containerd(_directory())


# --- hosts to log in to ---------------------------------------------------------------------------


class SshServer(Service):
    """A private `sshd` on an unprivileged port of several loopback addresses, each of which acts as
    a host: `home(address)` is the home of root there, `bin(address)` comes first in its PATH.

    `client` is a directory whose `ssh` is the system's with a configuration that knows the key,
    the port and the names `node1` for 127.0.0.1 and so on; `node9` is one where nothing listens.
    """

    def __init__(self, directory: Path, addresses: Sequence[str]) -> None:
        self.client = directory / "client"
        self.client.mkdir()
        self.port = free_port()
        for name in ("host", "user"):
            key = str(directory / name)
            run_program("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        lines = [
            f"Port {self.port}",
            *(f"ListenAddress {address}" for address in addresses),
            f"HostKey {directory / 'host'}",
            f"AuthorizedKeysFile {directory / 'user.pub'}",
            f"PidFile {directory / 'pid'}",
            "StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password",
            "PasswordAuthentication no\nKbdInteractiveAuthentication no",
        ]
        for address in addresses:
            self.home(address, directory).mkdir(parents=True)
            self.bin(address, directory).mkdir()
            environment = f"HOME={self.home(address, directory)}"
            environment += f" PATH={self.bin(address, directory)}:$PATH"
            lines += [
                f"Match LocalAddress {address}",
                f'  ForceCommand env {environment} sh -c "$SSH_ORIGINAL_COMMAND"',
            ]
        config = directory / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        self._write_client(directory, addresses)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's, and nowhere else
        super().__init__("sshd", [program("sshd"), "-D", "-e", "-f", str(config)], directory)
        try:
            # Its word is taken for it: each try to connect would count as a login that failed.
            self.wait_until(lambda: all(map(self._listens, addresses)))
        except ServiceFailed:
            self.stop()
            raise

    def home(self, address: str, directory: Path | None = None) -> Path:
        return (directory or self.directory) / address / "home"

    def bin(self, address: str, directory: Path | None = None) -> Path:
        return (directory or self.directory) / address / "bin"

    def _listens(self, address: str) -> bool:
        said = self.log.read_text(errors="replace")
        return f"Server listening on {address} port {self.port}." in said

    def _write_client(self, directory: Path, addresses: Sequence[str]) -> None:
        public = (directory / "host.pub").read_text().split()[:2]
        known = [f"[{address}]:{self.port} {' '.join(public)}\n" for address in addresses]
        (directory / "known_hosts").write_text("".join(known))
        nodes = {f"node{n}": address for n, address in enumerate(addresses, start=1)}
        config = "".join(f"Host {n}\n  HostName {a}\n" for n, a in nodes.items())
        config += (
            f"Host node9\n  HostName 127.0.0.9\nHost *\n  Port {self.port}\n  User root\n"
            f"  IdentityFile {directory / 'user'}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {directory / 'known_hosts'}\n"
        )
        (directory / "ssh_config").write_text(config)
        wrapper = self.client / "ssh"
        system = program("ssh")
        wrapper.write_text(f'#!/bin/sh\nexec {system} -F {directory / "ssh_config"} "$@"\n')
        wrapper.chmod(0o755)


def start_ssh_server(addresses: Sequence[str] = ("127.0.0.1",)) -> SshServer:
    """Start an `sshd` for root with a key of its own; the caller stops it."""
    program("sshd")
    program("ssh")
    need_root()
    return SshServer(_directory(), addresses)


def answers_http(path: Path, request: str) -> bool:
    """Whether something answers 200 to a GET on this Unix socket."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(f"GET {request} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return b" 200 " in connection.recv(64)
    return False


def run_program(
    name: str,
    *arguments: str,
    check: bool = True,
    timeout: float = 300,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; with `check`, fail the test and show what it wrote."""
    done = subprocess.run(
        [program(name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if check and done.returncode:
        pytest.fail(
            f"{name} {' '.join(arguments)} ended with {done.returncode}:\n"
            f"{done.stdout}{done.stderr}",
            pytrace=False,
        )
    return done


def interrupt(process: subprocess.Popen[Any]) -> None:
    """What Ctrl-C sends."""
    process.send_signal(signal.SIGINT)
