"""A login that was typed: tried with every chosen image, taken, kept elsewhere, and listed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.named_file import NamedFile
from airgap_tui.engine.credentials.places import Kind
from airgap_tui.engine.errors import AccessDenied, UsageError
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import keeping, login_list, logins
from airgap_tui.engine.guide import login_sentences as sentences
from airgap_tui.engine.guide.answers import Collection, Wish
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.keeping import Keeping
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import AccessSpec, LoginStanding, RegistryAccess
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.fakes import faults
from tests.fakes.registry import FakeRegistry, Tokens
from tests.images import SampleImages

SECRET = "a-password-of-the-guide-test"
FILES = Path(__file__).parents[1] / "credentials/files"


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    with FakeRegistry(tokens=Tokens(users={"user": SECRET}, anonymous=False)) as fake:
        yield fake


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ENROOT_SYSCONF_PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def crossing(tmp_path: Path, private: FakeRegistry, sample_images: SampleImages) -> Crossing:
    """Three images of the registry, all to be read by the user alone."""
    names = [
        private.add(image, f"team/image-{n}:1") for n, image in enumerate(sample_images.images)
    ]
    network = Network(retry=RetryPolicy(attempts=1))
    made = Crossing(Settings(state_dir=tmp_path, network=network))
    wishes = tuple(Wish(Reference.parse(name)) for name in names[:3])
    made.collection = Collection(wishes, settings=made.settings)
    return made


def asked(crossing: Crossing, token: CancelToken) -> RegistryAccess:
    spec = AccessSpec(crossing.collection.chosen, crossing.collection.settings)
    crossing.access = access.run(spec, discard, token, crossing.credentials())
    return crossing.access.registries[0]


def test_every_image_is_asked_for_with_it(
    crossing: Crossing, private: FakeRegistry, token: CancelToken
) -> None:
    one = asked(crossing, token)
    assert len(one.unreadable) == 3
    before = len(private.seen("HEAD"))
    tried = logins.attempt(crossing, one, "user", f" {SECRET}\n", token)
    assert tried.access.standing is LoginStanding.ACCEPTED
    assert not tried.access.unreadable
    assert {seen.path for seen in private.seen("HEAD")[before:]} >= {
        f"/v2/{reference.repository}/manifests/1" for reference in crossing.collection.chosen
    }
    logins.take(crossing, tried)
    assert crossing.access is not None and not crossing.access.unreadable
    assert sentences.origin(crossing.access.registries[0]) == "this run only"
    found = crossing.logins[one.registry]
    assert found is not None and (found.username, found.secret) == ("user", SECRET)
    assert SECRET not in repr(tried)


def test_a_refused_one_is_not_taken(crossing: Crossing, token: CancelToken) -> None:
    one = asked(crossing, token)
    with pytest.raises(AccessDenied, match="401"):
        logins.attempt(crossing, one, "user", "wrong-password", token)
    with pytest.raises(UsageError, match="user name is missing"):
        logins.attempt(crossing, one, "", SECRET, token)
    assert crossing.logins == {}


def test_causes_are_told_once_with_their_images(
    crossing: Crossing, private: FakeRegistry, token: CancelToken
) -> None:
    """The login is right; two images lack the right to be read, one wants its licence."""
    one = asked(crossing, token)
    private.script("HEAD", "image-[01]/", faults.status(403, body=b""), forever=True)
    private.script("GET", "image-[01]/manifests", faults.status(403, body=b""), forever=True)
    private.script("HEAD", "image-2/", faults.status(412, body=b""), forever=True)
    private.script("GET", "image-2/manifests", faults.status(412, body=b""), forever=True)
    tried = logins.attempt(crossing, one, "user", SECRET, token)
    reason, image, hint = logins.explained(tried.access)
    assert reason.startswith("2 images cannot be read: no access, or no such image (403)")
    assert reason.endswith("; 1 more for another reason:")
    assert image.endswith("/image-0:1 and 2 others")
    assert hint == "", "the command that it names is on the screen already"
    text = logins.images_in_words(tried.access)
    assert text.count("(403)") == 1 and text.count("(412)") == 1
    for reference in crossing.collection.chosen:
        assert text.count(f"  {reference}") == 1


def test_the_other_logins_that_it_wins_over(
    crossing: Crossing, private: FakeRegistry, home: Path, token: CancelToken
) -> None:
    auth = base64.b64encode(f"user:{SECRET}".encode()).decode()
    (home / ".docker").mkdir()
    auths = {"auths": {private.host: {"auth": auth}}}
    (home / ".docker/config.json").write_text(json.dumps(auths))
    one = asked(crossing, token)
    assert one.shadows == ()
    tried = logins.attempt(crossing, one, "user", SECRET, token)
    logins.take(crossing, tried)
    assert crossing.access is not None
    (one,) = crossing.access.registries
    assert sentences.origin(one) == "this run only (wins over ~/.docker/config.json)"
    assert asked(crossing, token).shadows == ("~/.docker/config.json",)


@pytest.mark.parametrize(
    "kind", [Kind.DOCKER, Kind.PODMAN, Kind.ENROOT, Kind.APPTAINER, Kind.SINGULARITY]
)
def test_it_is_kept_where_the_place_says(
    crossing: Crossing, private: FakeRegistry, home: Path, token: CancelToken, kind: Kind
) -> None:
    host = private.host
    crossing.logins[host] = Credential("user", SECRET, "this run only")
    credential = keeping.credential_of(crossing, host)
    planned = keeping.plan(Keeping(kind), host, credential)
    text = sentences.change(planned)
    assert SECRET not in text + repr(planned)
    assert "mode 0600: only you can read it" in text and "no such file" in text
    assert not [path for path in home.rglob("*") if path.is_file()]
    assert keeping.write(crossing, planned, host, credential) == ""
    (path,) = (path for path in home.rglob("*") if path.is_file())
    assert path.stat().st_mode & 0o777 == 0o600
    assert keeping.place(kind, host) == f"~/{path.relative_to(home)}"
    given = crossing.logins[host]
    assert given is not None and given.origin == keeping.place(kind, host)
    crossing.logins.clear()
    assert asked(crossing, token).standing is LoginStanding.ACCEPTED


def test_what_a_place_needs_besides() -> None:
    assert [kind for kind in map(Kind, ("docker", "enroot")) if Keeping(kind).wants_more] == []
    assert Keeping(Kind.KUBERNETES).wants_name and Keeping(Kind.DEEPOPS).wants_vault
    assert "secret" not in repr(Keeping(Kind.DEEPOPS, vault_password="secret"))
    assert keeping.makes_vault(Keeping(Kind.DEEPOPS), "nvcr.io")
    vaulted = Keeping(Kind.DEEPOPS, FILES / "vault-1.2.yml")
    assert not keeping.makes_vault(vaulted, "nvcr.io")


def test_no_login_to_be_kept(crossing: Crossing) -> None:
    with pytest.raises(UsageError, match="to be kept"):
        keeping.credential_of(crossing, "reg.lan")


def test_a_files_logins_are_used_in_this_run(crossing: Crossing, token: CancelToken) -> None:
    crossing.access = access.AccessResult(())
    taken = login_list.take(
        crossing, NamedFile.load(FILES / "vault-1.2.yml"), "fixture-vault-password"
    )
    assert "nvcr.io" in taken.registries
    assert crossing.access is None, "what was asked without them says nothing now"
    result = login_list.look(crossing, token, test=False)
    row = next(row for row in login_list.rows(crossing, result) if row.registry == "nvcr.io")
    assert row.origin.endswith("vault-1.2.yml") and row.use == "Used"


def test_a_part_of_a_registry_is_not_taken_from_a_file(crossing: Crossing, home: Path) -> None:
    auth = base64.b64encode(f"user:{SECRET}".encode()).decode()
    (home / "config.json").write_text(json.dumps({"auths": {"reg.lan/team": {"auth": auth}}}))
    taken = login_list.take(crossing, NamedFile.load(home / "config.json"))
    assert taken.registries == () and crossing.logins == {}
    (lost,) = crossing.not_taken
    assert lost.registry == "reg.lan/team" and "a part of a registry" in lost.reason
