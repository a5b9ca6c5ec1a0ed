"""Destination: four kinds of places, each asked before Review, and names without conflicts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.guide.answers import Destination, Security
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_DESTINATION, LAST_REGISTRY, Remembered
from airgap_tui.engine.jobs import destination, engine_standing, serve
from airgap_tui.engine.jobs.destination import Answer, DestinationAnswers
from airgap_tui.engine.jobs.engine_standing import EngineStanding
from airgap_tui.engine.jobs.serve import ServeSpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.look import Look
from screens.modals.login import LoginPrompt
from screens.modals.pages import TextPage
from screens.widgets.fields import Field
from tests.fakes.harbor import FakeHarbor
from tests.screens.arrivals import PLACE, carried, opened, route, settled, until
from tests.screens.conftest import rows
from tests.screens.jobs import GB
from tests.screens.typist import typed_ahead
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
DOCKER = EngineStanding(
    "Docker 27.3.1", "unix:///var/run/docker.sock", "/var/lib/docker", 190 * GB, 1_100 * GB
)
ABSENT = EngineStanding(
    problem="Podman is not installed here: there is no unix:///run/podman/podman.sock",
    remedy="Install Podman, or name another host with --host or DOCKER_HOST.",
)
FINE = DestinationAnswers(
    Answer(True, "Answers"), Answer(True, "Not needed"), Answer(True, "You may write to it")
)
WANTS_LOGIN = DestinationAnswers(
    Answer(True, "Answers"), Answer(False, "harbor.pod.lan wants a login (401)", "Log in.")
)


NO_PROJECT = replace(
    FINE,
    project=Answer(
        False,
        "Project ngc does not exist",
        "It can be created here, for its members only.",
    ),
    missing=("ngc",),
)
PASSWORD = "correct-horse-battery"


ask_for_real = destination.ask
ask_engine_for_real = engine_standing.ask


@pytest.fixture
def harbor() -> Iterator[FakeHarbor]:
    users = {"admin": PASSWORD, "ann": PASSWORD}
    with FakeHarbor(users, admins=frozenset({"admin"})) as harbor:
        yield harbor


class Network:
    """What registries, engines and ports say; tests change it."""

    def __init__(self) -> None:
        self.answers = FINE
        self.asked: list[tuple[Naming, tuple[str, ...], Settings, CredentialStore]] = []
        self.engines = {"docker": DOCKER, "podman": ABSENT}
        self.engine_hosts: list[tuple[str, str | None]] = []
        self.port: EnvironmentFailure | None = None
        self.served: list[ServeSpec] = []

    def ask(
        self,
        naming: Naming,
        repositories: tuple[str, ...],
        settings: Settings,
        _token: CancelToken,
        credentials: CredentialStore,
    ) -> DestinationAnswers:
        self.asked.append((naming, repositories, settings, credentials))
        if self.answers is WANTS_LOGIN and credentials.find(naming.registry) is not None:
            return replace(FINE, login=Answer(True, "Accepted, as robot$ngc"))
        return self.answers

    def ask_engine(self, kind: str, host: str | None, *_rest: object) -> EngineStanding:
        self.engine_hosts.append((kind, host))
        return self.engines[kind]

    def check(self, spec: ServeSpec) -> tuple[str, ...]:
        self.served.append(spec)
        if self.port is not None:
            raise self.port
        return ()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    monkeypatch.setattr(destination, "ask", network.ask)
    monkeypatch.setattr(engine_standing, "ask", network.ask_engine)
    monkeypatch.setattr(serve, "check", network.check)
    return network


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return opened(state_dir)


@pytest.fixture
def registry_before(state_dir: Path) -> None:
    remembered = Remembered(state_dir)
    remembered.set(LAST_DESTINATION, "registry")
    remembered.set(LAST_REGISTRY, "harbor.pod.lan/ngc")


def drive(wizard: Drive, steps: object, crossing: Crossing, **options: object) -> WizardApp:
    return wizard(steps, route=route(crossing), at="Destination", host="mgmt01", **options)


def line(shown: list[str], beginning: str) -> str:
    return next(row for row in shown if row[4:].startswith(beginning) or beginning in row[:16])


@pytest.mark.usefixtures("registry_before")
@in_windows("80x24", "120x40", "no_colour", look=ASCII)
def test_the_registry_used_last_is_asked_and_all_is_said(
    wizard: Drive,
    crossing: Crossing,
    network: Network,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "Where should the 13 images go? Nothing is changed before Review." in text
        assert "Version 27.3.1; needs about 190 GB, 1.1 TB free" in text
        assert "Not installed here" in text
        assert "13 names, all different" in text
        assert (
            "nvcr.io/nim/meta/llama3-8b-instruct:1.0.3 becomes" in text and "P shows all 13" in text
        )
        assert "harbor.pod.lan/ngc/nim/meta/llama3-8b-instruct:1.0.3" in text
        assert shown[-2].endswith("[ Next: Review ]")
        assert getattr(pilot.app.focused, "id", "") == "place"
        snapshot(pilot.app, f"destination_{name}")

    drive(wizard, steps, crossing, size=size, look=look)
    ((naming, repositories, _settings, _store),) = network.asked
    assert (str(naming.registry), repositories) == (
        "harbor.pod.lan",
        ("ngc/library/registry",),
    )


def test_without_a_history_docker_is_proposed_where_it_is_there(
    wizard: Drive, crossing: Crossing, network: Network, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "> (*) Docker on this host" in text
        assert "about 190 GB needed, 1.1 TB free in /var/lib/docker" in text
        assert shown[21].endswith("airgap-tui load /media/usb1/pod-2025-07")
        assert shown[22].endswith("[ Next: Review ]")
        snapshot(pilot.app, "destination_docker")

    drive(wizard, steps, crossing)
    assert crossing.delivery.destination is Destination.DOCKER
    assert network.asked == []


def test_without_docker_a_registry_is_asked_for(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    network.engines["docker"] = ABSENT

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert any("> (*) An existing registry" in row for row in shown)
        assert shown[22].endswith("Not yet: no registry is named.   Next: Review")
        await pilot.press("tab", *"harbor.pod.lan", "tab")
        shown = await settled(pilot)
        assert "Answers" in line(shown, "Registry")
        assert "You may write to it" in line(shown, "Project")
        assert shown[22].endswith("[ Next: Review ]")
        assert shown[21].endswith("airgap-tui push /media/usb1/pod-2025-07 harbor.pod.lan")

    drive(wizard, steps, crossing)


def test_while_it_is_typed_nobody_is_asked(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    network.engines["docker"] = ABSENT

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", *"harbor.pod.lan")
        shown = await settled(pilot)
        assert network.asked == []
        assert shown[22].endswith("Not yet: the registry has not answered.   Next: Review")
        await pilot.press("enter")
        await settled(pilot)
        assert len(network.asked) == 1

    drive(wizard, steps, crossing)


@pytest.mark.parametrize("name", ["nvcr.io", "docker.io", "https://index.docker.io", "Quay.io"])
def test_a_registry_of_the_internet_is_never_asked(
    wizard: Drive, crossing: Crossing, network: Network, name: str
) -> None:
    network.engines["docker"] = ABSENT

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", *name, "enter", "tab")
        shown = await settled(pilot)
        assert "! On the internet" in line(shown, "Registry")
        assert "is on the internet.   Next: Review" in shown[22]

    drive(wizard, steps, crossing)
    assert network.asked == []


@pytest.mark.usefixtures("registry_before")
@pytest.mark.parametrize(
    ("finding", "remedy", "short", "advice"),
    [
        ("the name harbor.pod.lan cannot be looked up", "", "No such host", "looked up."),
        (
            "harbor.pod.lan does not speak TLS",
            "If it is meant to be without: --plain-http harbor.pod.lan",
            "Speaks plain HTTP",
            "choose Plain HTTP under Security",
        ),
        (
            "the certificate of harbor.pod.lan cannot be trusted: unable to get local issuer",
            "If it was issued by a private CA, name the CA's certificate with --ca FILE.",
            "Signed by an unknown authority",
            "choose it under Security",
        ),
        (
            "harbor.pod.lan cannot be reached: connection refused",
            "",
            "Refused: the port is closed",
            "refused.",
        ),
    ],
)
def test_what_is_wrong_with_a_registry_is_said_with_the_next_step(
    wizard: Drive,
    crossing: Crossing,
    network: Network,
    finding: str,
    remedy: str,
    short: str,
    advice: str,
) -> None:
    network.answers = DestinationAnswers(Answer(False, finding, remedy))

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert f"! {short}"[:30] in line(shown, "Registry")
        said = " ".join(row.strip() for row in shown[16:20])
        assert advice in said and "--" not in said
        assert shown[22].endswith("Not yet: the registry cannot be used.   Next: Review")

    drive(wizard, steps, crossing)


@pytest.mark.usefixtures("registry_before")
def test_a_login_is_tried_and_kept_for_this_run_only(
    wizard: Drive, crossing: Crossing, network: Network, snapshot: Callable[..., None]
) -> None:
    network.answers = WANTS_LOGIN

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert "! Wanted: a name, then Enter" in line(shown, "Login")
        assert shown[22].endswith("Not yet: the registry wants a login.   Next: Review")
        snapshot(pilot.app, "destination_login")
        await pilot.press("tab", "tab", "tab", *"robot$ngc", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, LoginPrompt)
        await pilot.press(*"correct-horse-battery", "enter")
        shown = await settled(pilot)
        assert "Accepted, as robot$ngc" in line(shown, "Login")
        assert shown[22].endswith("[ Next: Review ]")
        assert "correct-horse" not in "\n".join(shown)
        await pilot.press(*["backspace"] * 9, "enter")
        shown = await settled(pilot)
        assert "Wanted" in line(shown, "Login") and not crossing.logins

    drive(wizard, steps, crossing)


def burst(pilot: Pilot[None], *keys: str) -> None:
    """Keys as a slow line delivers them: all there before the first one is taken in."""
    for name in keys:
        pilot.app.post_message(Key(name, name if len(name) == 1 else None))


@pytest.mark.usefixtures("registry_before")
@pytest.mark.parametrize("pasted", [False, True], ids=["typed", "pasted"])
def test_name_and_password_in_one_burst_land_where_they_belong(
    wizard: Drive, crossing: Crossing, network: Network, pasted: bool
) -> None:
    network.answers = WANTS_LOGIN

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        field = pilot.app.screen.query_one("#login", Field)
        field.focus()
        await pilot.pause()
        if pasted:
            pilot.app.post_message(Paste(f"robot\n{PASSWORD}"))
            await until(pilot, "[........")
            burst(pilot, "enter")
        else:
            burst(pilot, *"robot", "enter", *PASSWORD, "enter")
        seen = await until(pilot, "Accepted, as robot$ngc")
        assert field.value == "robot"
        assert PASSWORD[:3] not in "\n".join(seen)
        assert crossing.logins["harbor.pod.lan"] == Credential(
            "robot", PASSWORD, "what was typed for this run"
        )
        burst(pilot, "x")
        await until(pilot, "robotx")  # keys are taken again

    drive(wizard, steps, crossing)


def test_a_password_in_one_burst_shows_nowhere_though_no_registry_is_named(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.screen.query_one("#login", Field).focus()
        await pilot.pause()
        burst(pilot, *"robot", "enter", *PASSWORD)
        seen = "\n".join(await until(pilot, "name that first"))
        assert PASSWORD[:3] not in seen
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.focused is pilot.app.screen.query_one("#registry", Field).input
        values = [field.value for field in pilot.app.screen.query(Field)]
        assert values.count("robot") == 1 and not any(PASSWORD[:1] == v[:1] for v in values)

    crossing.delivery = replace(crossing.delivery, destination=Destination.REGISTRY)
    drive(wizard, steps, crossing)


@pytest.mark.usefixtures("registry_before")
def test_a_missing_project_is_created_by_its_button_alone(
    wizard: Drive,
    crossing: Crossing,
    network: Network,
    snapshot: Callable[..., None],
    harbor: FakeHarbor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(destination, "ask", ask_for_real)
    crossing.delivery = replace(crossing.delivery, registry=harbor.host, project="ngc")
    crossing.logins[harbor.host] = Credential("admin", PASSWORD, "typed")

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        row = line(shown, "Project")
        assert "! Does not exist" in row and "[ Create it ]" in row
        assert "Project ngc does not exist. It can be created here" in "\n".join(shown)
        assert shown[22].endswith("Not yet: project ngc does not exist.   Next: Review")
        pilot.app.screen.query_one("#registry", Field).value = "harbor.pod.lan"
        pilot.app.screen.query_one("#registry", Field).value = harbor.host
        await pilot.press("tab", "tab", "enter")  # asks again, and creates nothing
        await settled(pilot)
        assert not harbor.seen("POST", "/api/")
        await pilot.press("tab")
        assert getattr(pilot.app.focused, "id", "") == "create"
        await pilot.press("enter")
        shown = await settled(pilot)
        assert "You may write to it" in line(shown, "Project")
        assert "Create" not in "\n".join(shown)
        assert shown[22].endswith("[ Next: Review ]")
        assert pilot.app.focused is pilot.app.screen.query_one("#project", Field).input
        assert PASSWORD not in "\n".join(shown)

    drive(wizard, steps, crossing)
    assert harbor.public == {"ngc": "false"}


@pytest.mark.usefixtures("registry_before")
@in_windows("80x24", "120x40", "no_colour", look=ASCII)
def test_a_missing_project_in_the_picture(
    wizard: Drive,
    crossing: Crossing,
    network: Network,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    network.answers = NO_PROJECT

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "tab", "tab")
        await settled(pilot)
        snapshot(pilot.app, f"destination_no_project_{name}")

    drive(wizard, steps, crossing, size=size, look=look)


@pytest.mark.usefixtures("registry_before")
def test_who_may_not_create_a_project_is_told_who_may(
    wizard: Drive,
    crossing: Crossing,
    network: Network,
    harbor: FakeHarbor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(destination, "ask", ask_for_real)
    crossing.delivery = replace(crossing.delivery, registry=harbor.host, project="")
    crossing.logins[harbor.host] = Credential("ann", PASSWORD, "what was typed for this run")

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        row = line(shown, "Project")
        assert "! 2 missing" in row and "[ Create them ]" in row
        await pilot.press("tab", "tab", "tab", "enter")
        text = " ".join(" ".join(await until(pilot, "administrators")).split())
        assert "does not let ann from what was typed for this run create project" in text
        await pilot.press("escape")
        shown = await settled(pilot)
        assert "[ Create them ]" in line(shown, "Project")

    drive(wizard, steps, crossing)
    assert harbor.public == {}


@pytest.mark.usefixtures("registry_before")
def test_an_own_authority_needs_its_file(
    wizard: Drive, crossing: Crossing, network: Network, tmp_path: Path
) -> None:
    authority = tmp_path / "pod-ca.pem"
    authority.write_text("PEM")

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "tab", "tab", "tab", "enter")
        await pilot.pause()
        await pilot.press("down", "enter")
        shown = await settled(pilot)
        assert "! Give the authority's file" in line(shown, "CA file")
        assert shown[22].endswith("Not yet: the CA file is missing.   Next: Review")
        await pilot.press("tab", *"/nowhere", "enter")
        assert "! No such file" in line(await settled(pilot), "CA file")
        pilot.app.screen.query_one("#ca", Field).value = str(authority)
        await pilot.press("enter")
        shown = await settled(pilot)
        assert shown[22].endswith("[ Next: Review ]")
        assert pilot.app.screen.command.endswith(f"--ca {authority}")  # type: ignore[attr-defined]

    drive(wizard, steps, crossing)
    assert crossing.delivery.security is Security.OWN_CA
    assert network.asked[-1][2].network.ca_file == authority


@pytest.mark.usefixtures("registry_before")
def test_plain_http_goes_by_the_registrys_name(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "tab", "tab", "tab", "enter")
        await pilot.pause()
        await pilot.press("down", "down", "enter")
        shown = await settled(pilot)
        assert "Nothing is encrypted" in line(shown, "Security")
        assert "--plain-http harbor.pod.lan" in pilot.app.screen.command  # type: ignore[attr-defined]

    drive(wizard, steps, crossing)
    assert network.asked[-1][2].network.plain_http == {"harbor.pod.lan"}


@pytest.mark.usefixtures("registry_before")
def test_two_sources_that_would_get_one_name_are_refused_here(
    wizard: Drive, crossing: Crossing, network: Network, snapshot: Callable[..., None]
) -> None:
    assert crossing.contents is not None
    twin = carried("docker.io/nvidia/pytorch:25.06-py3", GB, 700)
    crossing.contents = replace(crossing.contents, images=(*crossing.contents.images, twin))

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        said = " ".join(row.strip() for row in shown[16:20])
        assert (
            "2 images would both become ngc/nvidia/pytorch:25.06-py3: from nvcr.io and from"
            " docker.io. Choose With nvcr.io in the path." in said
        )
        assert "! 2 images would get one name" in line(shown, "Names")
        assert shown[22].endswith("Not yet: 2 images would get one name.   Next: Review")
        snapshot(pilot.app, "destination_conflict")
        await pilot.press("tab", "tab", "tab", "tab", "tab", "enter")
        await pilot.pause()
        await pilot.press("down", "enter")
        shown = await settled(pilot)
        assert "14 names, all different" in line(shown, "Names")
        assert shown[22].endswith("[ Next: Review ]")

    drive(wizard, steps, crossing)
    assert crossing.delivery.keep_registry


@pytest.mark.usefixtures("registry_before")
def test_p_shows_all_names_but_not_in_a_text_field(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("p")
        shown = await settled(pilot)
        assert isinstance(pilot.app.screen, TextPage)
        text = "\n".join(shown)
        assert "What 13 images will be called there." in text
        assert "nvcr.io/nvidia/nemo:25.04 becomes" in text
        await pilot.press("escape", "tab", "p")
        assert "harbor.pod.lanp" in line(await settled(pilot), "Registry")

    drive(wizard, steps, crossing)


def test_an_engine_without_room_shuts_the_way_on(
    wizard: Drive, crossing: Crossing, network: Network, snapshot: Callable[..., None]
) -> None:
    network.engines["docker"] = replace(DOCKER, free=100 * GB, held=2)

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "90.0 GB of room is missing" in text
        assert "2 images already; nothing is sent for them" in text
        assert shown[22].endswith("Not yet: 90.0 GB of room is missing.   Next: Review")
        snapshot(pilot.app, "destination_no_room")

    drive(wizard, steps, crossing)


def test_an_engine_that_is_not_there_stays_and_says_why(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    network.engines["docker"] = EngineStanding(
        problem="Docker is not running at unix:///var/run/docker.sock (Docker's usual socket)",
        remedy="Start it: sudo systemctl start docker",
    )

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "Docker on this host    Stopped: sudo systemctl start docker" in text
        await pilot.press("down")
        shown = await settled(pilot)
        assert shown[22].endswith("Not yet: Docker cannot be used.   Next: Review")
        await pilot.press("tab", *"unix:///run/other.sock")
        network.engines["docker"] = DOCKER
        await pilot.press("enter")
        shown = await settled(pilot)
        assert shown[22].endswith("[ Next: Review ]")
        assert pilot.app.screen.command.endswith("--host unix:///run/other.sock")  # type: ignore[attr-defined]

    drive(wizard, steps, crossing)
    assert crossing.delivery.engine_host == "unix:///run/other.sock"
    assert network.engine_hosts[-1] == ("docker", "unix:///run/other.sock")


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("docker", "Docker on this host    Stopped: sudo systemctl start docker"),
        ("podman", "Podman on this host    Stopped: systemctl --user start podman.socket"),
    ],
)
def test_the_remedy_beside_an_engine_that_is_stopped_is_whole(
    wizard: Drive, crossing: Crossing, network: Network, tmp_path: Path, kind: Kind, remedy: str
) -> None:
    address = tmp_path / "left-behind.sock"
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(str(address))
    network.engines[kind] = ask_engine_for_real(kind, f"unix://{address}", PLACE, (), CancelToken())

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert any(row.endswith(remedy) for row in shown), "\n".join(shown)

    drive(wizard, steps, crossing)


def test_serving_tries_the_port_and_says_what_hosts_type(
    wizard: Drive, crossing: Crossing, network: Network, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("down", "down")
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "Free" in line(shown, "Port")
        assert "docker pull mgmt01:5000/nim/meta/llama3-8b-instruct:1.0.3" in text
        assert "each host must list mgmt01:5000 among its insecure" in text
        assert shown[22].endswith("[ Next: Review ]")
        snapshot(pilot.app, "destination_serve")
        await pilot.press("tab", "tab", *["backspace"] * 4, *"70000", "tab")
        shown = await settled(pilot)
        assert shown[22].endswith("Not yet: a port is a number up to 65535.   Next: Review")
        network.port = EnvironmentFailure("cannot listen on 0.0.0.0:7000: another program does")
        await pilot.press("shift+tab", "backspace", "enter")
        shown = await settled(pilot)
        assert "! Cannot be served so" in line(shown, "Port")
        assert "another program does" in "\n".join(shown)
        assert shown[22].endswith("Not yet: nothing can be served so.   Next: Review")

    drive(wizard, steps, crossing)
    assert network.served[0].paths == (PLACE,)
    assert (network.served[0].host, network.served[0].port) == ("0.0.0.0", 5000)  # noqa: S104


def test_serving_with_tls_needs_a_certificate(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("down", "down", "tab", "tab", "tab", "enter")
        await pilot.pause()
        await pilot.press("down", "enter")
        shown = await settled(pilot)
        assert shown[22].endswith("Not yet: TLS needs a certificate.   Next: Review")
        await pilot.press("tab", *"/srv.pem", "tab")
        shown = await settled(pilot)
        assert shown[22].endswith("[ Next: Review ]")
        assert network.served[-1].tls_certificate == Path("/srv.pem")
        assert "insecure" not in "\n".join(shown)

    drive(wizard, steps, crossing)


@pytest.mark.usefixtures("registry_before")
def test_back_keeps_the_answers_and_next_remembers_them(
    wizard: Drive, crossing: Crossing, network: Network, state_dir: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "tab", *"x", "tab")
        await settled(pilot)
        pilot.app.screen.query_one("#onward").focus()
        await pilot.press("enter")
        await until(pilot, "[4 Review]")
        await pilot.press("escape")
        shown = await settled(pilot)
        assert "[ngcx " in line(shown, "Project")
        assert "[3 Destination]" in shown[1]
        assert len(network.asked) == 2

    drive(wizard, steps, crossing)
    assert Remembered(state_dir).get(LAST_REGISTRY) == "harbor.pod.lan/ngcx"


def test_the_shown_rows_never_leave_the_frame(
    wizard: Drive, crossing: Crossing, network: Network
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        for press in ("home", "down", "down", "down"):
            await pilot.press(press)
            await settled(pilot)
            assert all(len(row) <= 78 for row in rows(pilot.app))  # type: ignore[arg-type]

    drive(wizard, steps, crossing)


def test_an_engine_that_answers_late_does_not_change_what_is_being_typed(
    wizard: Drive, crossing: Crossing, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def slow(*arguments: Any) -> EngineStanding:
        answer.wait(30)
        return network.ask_engine(*arguments)

    monkeypatch.setattr(engine_standing, "ask", slow)

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, "Being asked ..")
        typed_ahead(pilot, "tab")
        await pilot.pause()
        answer.set()
        await until(pilot, "27.3")
        await pilot.press(*"reg")
        assert pilot.app.screen.query_one("#registry", Field).value == "reg"
        assert crossing.delivery.destination is Destination.REGISTRY

    drive(wizard, steps, crossing)
