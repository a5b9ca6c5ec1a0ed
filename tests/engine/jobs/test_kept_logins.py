"""`logins`: what is kept, what wins, what works, and each cause once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.named_file import NamedFile
from airgap_tui.engine.credentials.source import Software
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.events import ItemChanged
from airgap_tui.engine.jobs import kept_logins
from airgap_tui.engine.jobs.access import LoginStanding
from airgap_tui.engine.jobs.kept_logins import LoginsResult, LoginsSpec, RegistryLogins
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.conftest import EventLog
from tests.fakes.registry import FakeRegistry, Tokens
from tests.images import SampleImages

SECRET = "a-password-of-the-logins-test"
ONCE = Settings(network=Network(retry=RetryPolicy(attempts=1)))
FILES = Path(__file__).parents[1] / "credentials/files"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    with FakeRegistry(tokens=Tokens(users={"user": SECRET}, anonymous=False)) as fake:
        yield fake


def keep(path: Path, **logins: str) -> None:
    """Logins of docker's format; the names' underscores are dots."""
    path.parent.mkdir(parents=True, exist_ok=True)
    auths = {
        name.replace("_", "."): {"auth": base64.b64encode(f"{user}:{SECRET}".encode()).decode()}
        for name, user in logins.items()
    }
    path.write_text(json.dumps({"auths": auths}))


def run(
    home: Path, spec: LoginsSpec, events: EventLog, token: CancelToken, **variables: str
) -> LoginsResult:
    environment = {"HOME": str(home), "ENROOT_SYSCONF_PATH": str(home), **variables}
    password = environment.pop("VAULT", "")
    result = kept_logins.run(spec, events, token, vault_password=password, environment=environment)
    assert SECRET not in repr(result) + json.dumps(result.to_json()) + repr(list(events))
    return result


def named(result: LoginsResult, name: str) -> RegistryLogins:
    (found,) = [one for one in result.registries if one.name == name]
    return found


def test_nothing(home: Path, events: EventLog, token: CancelToken) -> None:
    result = run(home, LoginsSpec(test=True, settings=ONCE), events, token)
    assert result == LoginsResult(())
    assert result.exit_code == 0


def test_which_wins_and_what_it_shadows(home: Path, events: EventLog, token: CancelToken) -> None:
    keep(home / ".docker/config.json", reg_lan="docker", nvcr_io="docker")
    keep(home / ".config/containers/auth.json", reg_lan="podman", only_lan="podman")
    enroot = home / ".config/enroot/.credentials"
    enroot.parent.mkdir()
    enroot.write_text(
        f"machine reg.lan login enroot password {SECRET}\n"
        f"machine only.lan login x password $(echo {SECRET})\n"
    )
    result = run(
        home, LoginsSpec(), events, token,
        NGC_API_KEY=f"nvapi-{SECRET}", DOCKER_USERNAME="me", DOCKER_PASSWORD=SECRET,
    )  # fmt: skip
    assert [one.name for one in result.registries] == ["nvcr.io", "only.lan", "reg.lan"]
    reg = named(result, "reg.lan")
    assert reg.winner is not None and reg.winner.software is Software.DOCKER
    assert [login.username for login in reg.shadowed] == ["podman", "enroot"]
    key = named(result, "nvcr.io").winner
    assert key is not None
    assert (key.username, key.origin) == ("$oauthtoken", "NGC_API_KEY")
    (lost,) = named(result, "only.lan").unusable
    assert "is a command" in lost.reason
    (nameless,) = result.nameless
    assert (nameless.username, nameless.origin) == ("me", "DOCKER_PASSWORD")
    assert all(one.access is None for one in result.registries)
    assert result.exit_code == 0
    value = result.to_json()["registries"][2]
    assert value["wins"]["origin"].endswith(".docker/config.json")
    assert [one["software"] for one in value["shadowed"]] == ["podman", "enroot"]
    assert "standing" not in value


def test_an_old_key_is_told(home: Path, events: EventLog, token: CancelToken) -> None:
    result = run(home, LoginsSpec(), events, token, NGC_API_KEY="a1" * 20)
    (lost,) = named(result, "nvcr.io").unusable
    assert "old 40-character key" in lost.reason
    assert "a1" * 20 not in repr(result)


def test_named_files_win(home: Path, events: EventLog, token: CancelToken) -> None:
    keep(home / ".docker/config.json", nvcr_io="docker")
    spec = LoginsSpec(files=(NamedFile.load(FILES / "vault-1.2.yml"),))
    result = run(home, spec, events, token, VAULT="fixture-vault-password")
    ngc = named(result, "nvcr.io")
    assert [login.software for login in ngc.logins] == [Software.DEEPOPS, Software.DOCKER]
    with pytest.raises(AccessDenied, match="does not open the vault"):
        run(home, spec, events, token, VAULT="wrong")
    assert "fixture" not in repr(spec) and "ANSIBLE" not in repr(spec)


def test_a_login_is_tried_alone(
    home: Path, private: FakeRegistry, events: EventLog, token: CancelToken
) -> None:
    keep(home / ".docker/config.json", **{private.host: "user"})
    result = run(home, LoginsSpec(test=True, settings=ONCE), events, token)
    asked = named(result, private.host).access
    assert asked is not None and asked.standing is LoginStanding.ACCEPTED
    assert result.exit_code == 0
    keep(home / ".docker/config.json", **{private.host: "another"})
    refused = run(home, LoginsSpec(test=True, settings=ONCE), events, token)
    (cause,) = refused.causes
    assert cause.registries == (private.host,) and cause.images == ()
    assert "refused the login from" in cause.reason
    assert refused.exit_code == AccessDenied.exit_code


def test_each_cause_is_told_once(
    home: Path, private: FakeRegistry, events: EventLog, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    there = Reference.parse(private.add(sample_images.base))
    absent = [Reference.parse(f"{private.host}/{there.repository}:{n}") for n in range(20)]
    keep(home / ".docker/config.json", **{private.host: "user"})
    spec = LoginsSpec((there, *absent), settings=ONCE)
    result = run(home, spec, events, token)
    (cause,) = result.causes
    assert cause.images == tuple(map(str, absent))
    assert result.exit_code == 1
    assert [e.reason for e in events.of(ItemChanged) if e.reason] == []
    keep(home / ".docker/config.json", **{private.host: "another"})
    (cause,) = run(home, spec, events, token).causes
    assert "refused the login from" in cause.reason
    assert len(cause.images) == 21, "all of them need the login that is refused"
    (home / ".docker/config.json").unlink()
    result = run(home, spec, events, token)
    (cause,) = result.causes
    assert cause.reason == f"needs a login at {private.host} (401)"
    assert result.exit_code == AccessDenied.exit_code
    asked = named(result, private.host)
    assert asked.access is not None and asked.access.standing is LoginStanding.MISSING


def test_a_registry_that_is_not_there(home: Path, events: EventLog, token: CancelToken) -> None:
    names = [Reference.parse(f"127.0.0.1:1/{name}:1") for name in "abc"]
    result = run(home, LoginsSpec(tuple(names), settings=ONCE), events, token)
    (cause,) = result.causes
    assert len(cause.images) == 3 and cause.registries == ("127.0.0.1:1",)
    assert "cannot be reached" in cause.reason


def test_what_cannot_be_tried_by_itself_is_left_alone(
    home: Path, events: EventLog, token: CancelToken
) -> None:
    keep(home / ".docker/config.json", **{"127.0.0.1:1/team": "part"})
    enroot = home / ".config/enroot/.credentials"
    enroot.parent.mkdir(parents=True)
    enroot.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    result = run(home, LoginsSpec(test=True, settings=ONCE), events, token)
    assert {one.name: one.access for one in result.registries} == {
        "127.0.0.1": None,
        "127.0.0.1:1/team": None,
    }


def test_places_that_cannot_be_read_are_told(
    home: Path, events: EventLog, token: CancelToken
) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{ broken")
    secret = {"kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "x"}}
    (home / "secret.json").write_text(json.dumps(secret))
    spec = LoginsSpec(files=(NamedFile.load(home / "secret.json"),))
    result = run(home, spec, events, token, DOCKER_PASSWORD=SECRET)
    assert len(result.problems) == 3
    for part in ("not JSON", "there is no .dockerconfigjson", "no variable with its user name"):
        assert any(part in said.text for said in result.problems)
