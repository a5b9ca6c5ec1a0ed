"""Fixtures that all tests share. Services start when the first test asks, one per test process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from airgap_tui.engine import redaction
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import Event
from tests import images, services

E = TypeVar("E")

# How long an example takes says how busy the machine is, not whether the code is right. The
# examples are the same in each run: a test that held fails only for a change.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
settings.load_profile("steady")

ORIGINAL_ENVIRONMENT = dict(os.environ)
"""The environment as it was, for tests that install packages with it."""

_PERSONAL = re.compile(
    r"AIRGAP_TUI_|XDG_|DOCKER_|CONTAINER|REGISTRY_AUTH_FILE|NGC_|(https?|no|all|ftp)_proxy$"
    r"|ENROOT_|APPTAINER_|SINGULARITY_|ANSIBLE_|KUBE"
    r"|NO_COLOR|FORCE_COLOR|CLICOLOR|COLUMNS$|LINES$|ACCESSIBLE$|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|SSL_CERT|SSH_A|SLURM_",
    re.IGNORECASE,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="take the screens as they are now for what they should look like",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "pythons: installs the package on another Python of this machine"
    )
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell that starts us in the background ignores Ctrl-C for us and for what we start.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test sees the logins, proxies or settings of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    for name in [name for name in os.environ if _PERSONAL.match(name)]:
        del os.environ[name]
    os.environ["HOME"] = str(home)
    # Tests that carry the tool say so: the others ask no package index for it.
    os.environ["AIRGAP_TUI_CARRY_TOOL"] = "no"
    yield home
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def no_secrets_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test gave as a secret is an ordinary word in the next."""
    monkeypatch.setattr(redaction, "_secrets", set())


def sections_with_secrets(sections: Iterable[tuple[str, str]]) -> list[str]:
    """The titles of the captured outputs that hold a password or token of a test's service."""
    return [
        title
        for title, text in sections
        if title.startswith("Captured") and any(secret in text for secret in services.passwords)
    ]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """A failing test shows what the services last wrote, and one that lets a secret out fails."""
    outcome = yield
    report = outcome.get_result()
    leaks = sections_with_secrets(report.sections)
    if leaks and report.passed:
        report.outcome = "failed"
        report.longrepr = f"a password or a token of a test registry is in: {', '.join(leaks)}"
    if report.failed:
        for service in services.running:
            report.sections.append((f"log of {service.name}", service.log_tail()))


class EventLog(list[Event]):
    """A sink that keeps what it gets."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self if isinstance(event, kind)]


@pytest.fixture
def token() -> CancelToken:
    return CancelToken()


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture(scope="session")
def sample_images() -> images.SampleImages:
    return images.build_samples()


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository that only this test uses in the shared registries."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.nodeid.lower()).strip("-")
    return f"tests/{name[-60:].strip('-')}-{os.urandom(3).hex()}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> services.CertificateAuthority:
    """A private certificate authority."""
    return services.CertificateAuthority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def distribution() -> Iterator[services.Distribution]:
    """An open registry over plain HTTP, shared: use fixture `repository`, and delete nothing."""
    registry = services.start_distribution()
    yield registry
    registry.stop()


class StartDistribution(Protocol):
    """As `services.start_distribution`."""

    def __call__(
        self,
        *,
        htpasswd: dict[str, str] | None = None,
        tls: services.KeyPair | None = None,
        client_authority: Path | None = None,
        token_service: services.TokenService | None = None,
        delete: bool = True,
        port: int = 0,
        root: Path | None = None,
    ) -> services.Distribution: ...


@pytest.fixture
def start_distribution() -> Iterator[StartDistribution]:
    """Starts registries of a test's own, which stop with the test."""
    started: list[services.Distribution] = []

    def start(**options: Any) -> services.Distribution:
        started.append(services.start_distribution(**options))
        return started[-1]

    yield start
    for registry in started:
        registry.stop()


@pytest.fixture
def start_token_service(
    authority: services.CertificateAuthority,
) -> Iterator[Callable[..., services.TokenService]]:
    """Starts token servers: `start_token_service({"user": "password"}, anonymous=True)`."""
    started: list[services.TokenService] = []

    def start(users: dict[str, str], **options: Any) -> services.TokenService:
        pair = services.KeyPair(authority.certificate, authority.key)
        started.append(services.TokenService(pair, users, **options))
        return started[-1]

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="session")
def _shared_docker_engine() -> Iterator[services.DockerEngine]:
    engine = services.start_docker_engine()
    yield engine
    engine.stop()


@pytest.fixture
def docker_engine(_shared_docker_engine: services.DockerEngine) -> Iterator[services.DockerEngine]:
    """A private `dockerd`, without images when the test begins."""
    _shared_docker_engine.remove_all_images()
    yield _shared_docker_engine
    _shared_docker_engine.remove_all_images()


@pytest.fixture
def containerd_store_engine() -> Iterator[services.DockerEngine]:
    """A private `dockerd` that keeps its images in containerd."""
    engine = services.start_docker_engine(containerd_store=True)
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def podman_socket() -> Iterator[services.PodmanService]:
    """Podman's Docker-compatible socket on private storage; call it to run podman there."""
    service = services.start_podman()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def containerd() -> Iterator[services.Containerd]:
    """A private `containerd`; call it to run ctr there."""
    service = services.start_containerd()
    yield service
    service.stop()


@pytest.fixture
def ssh_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[services.SshServer]:
    """Three hosts of a real `sshd`: `ssh node1` to `ssh node3` log in there, `node9` is dead."""
    server = services.start_ssh_server(("127.0.0.1", "127.0.0.2", "127.0.0.3"))
    monkeypatch.setenv("PATH", f"{server.client}:{os.environ['PATH']}")
    yield server
    server.stop()


class Run(Protocol):
    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def skopeo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs skopeo; with `check`, a failure fails the test."""
    services.program("skopeo")
    own = tmp_path_factory.mktemp("skopeo")
    (own / "auth.json").write_text("{}")

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return services.run_program(
            "skopeo",
            "--insecure-policy",
            *("--tmpdir", str(own)),
            *arguments,
            check=check,
            environment={"REGISTRY_AUTH_FILE": str(own / "auth.json")},
        )

    return run
