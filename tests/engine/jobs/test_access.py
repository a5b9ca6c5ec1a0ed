"""Asking for every image: with no login, the right one, a wrong one, and no registry at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import access, destination, media
from airgap_tui.engine.jobs.access import AccessSpec, LoginStanding
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.conftest import StartDistribution
from tests.images import build_image, layer, push_image
from tests.services import Distribution

pytestmark = pytest.mark.distribution

ONCE = Settings(network=Network(retry=RetryPolicy(attempts=1)))
USER, PASSWORD = "robot", "correct horse battery staple"


def test_open_registries_need_no_login(
    distribution: Distribution, repository: str, token: CancelToken
) -> None:
    image = build_image(f"{repository}/a:1", [layer(repository, 1000)])
    push_image(distribution.host, image)
    there = Reference.parse(f"{distribution.host}/{image.name}")
    absent = Reference.parse(f"{distribution.host}/{repository}/b:1")
    result = access.run(AccessSpec((there, absent)), discard, token, CredentialStore())
    (one,) = result.registries
    assert [image.readable for image in one.images] == [True, False]
    assert one.standing is LoginStanding.MISSING
    result = access.run(AccessSpec((there,)), discard, token, CredentialStore())
    assert result.registries[0].standing is LoginStanding.NOT_NEEDED
    assert result.unreadable == ()


def test_a_login_is_accepted_or_refused(
    start_distribution: StartDistribution, token: CancelToken
) -> None:
    registry = start_distribution(htpasswd={USER: PASSWORD})
    image = build_image("lab/private:1", [layer("private", 1000)])
    push_image(registry.host, image, login=(USER, PASSWORD))
    spec = AccessSpec((Reference.parse(f"{registry.host}/{image.name}"),))

    def standing(secret: str | None) -> access.RegistryAccess:
        known = {registry.host: Credential(USER, secret, "the test")} if secret else {}
        store = CredentialStore(known)
        return access.run(spec, discard, token, store).registries[0]

    right = standing(PASSWORD)
    assert right.standing is LoginStanding.ACCEPTED and not right.unreadable
    assert (right.username, right.origin) == (USER, "the test")
    wrong = standing("something else")
    assert wrong.standing is LoginStanding.REFUSED and wrong.unreadable
    assert wrong.refusal is not None and "something else" not in str(wrong.refusal)
    none = standing(None)
    assert none.standing is LoginStanding.MISSING and none.unreadable


def test_a_registry_that_does_not_answer_is_asked_once(token: CancelToken) -> None:
    spec = AccessSpec((Reference.parse("127.0.0.1:1/a/b:1"),), ONCE)
    (one,) = access.run(spec, discard, token, CredentialStore()).registries
    assert one.standing is LoginStanding.UNKNOWN
    assert len(one.unreadable) == 1


def test_a_destination_says_what_may_be_done_there(
    start_distribution: StartDistribution, token: CancelToken
) -> None:
    registry = start_distribution(htpasswd={USER: PASSWORD})
    naming = Naming.parse(f"{registry.host}/ngc")
    right = CredentialStore({registry.host: Credential(USER, PASSWORD, "the test")})
    answers = destination.ask(naming, ["ngc/nvidia/cuda"], ONCE, token, right)
    assert answers.good, answers
    wrong = CredentialStore({registry.host: Credential(USER, "no", "the test")})
    answers = destination.ask(naming, ["ngc/nvidia/cuda"], ONCE, token, wrong)
    assert not answers.good and answers.registry.good
    assert answers.login is not None and not answers.login.good
    begun = [path for path in registry.root.rglob("_uploads/*/data") if path.stat().st_size]
    assert begun == [], "nothing was sent"


def test_a_closed_port_is_told(token: CancelToken) -> None:
    answers = destination.ask(Naming.parse("127.0.0.1:1"), ["a/b"], ONCE, token, CredentialStore())
    assert not answers.good and answers.first_problem is answers.registry
    assert "127.0.0.1:1" in answers.registry.finding


def test_bundles_are_found_on_media(tmp_path: Path, token: CancelToken) -> None:
    disk = tmp_path / "usb disk"
    with BundleWriter.open(disk / "2025" / "pod", "save") as writer:
        writer.finish(token)
    (tmp_path / "other" / "bundle.json").mkdir(parents=True)
    damaged = disk / "broken"
    damaged.mkdir()
    (damaged / "bundle.json").write_text("{")
    escaped = str(disk).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"36 35 8:1 / {escaped} rw - ext4 /dev/sdb1 rw\n")
    found = {bundle.name: bundle for bundle in media.find_bundles((disk,), mounts)}
    assert sorted(found) == ["broken", "pod"]
    assert found["pod"].problem == "" and "JSON" in found["broken"].problem
    assert media.find_bundles((), mounts) == (), "only media are looked at"
