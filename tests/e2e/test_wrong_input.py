"""What a user can get wrong, and what is then said: names, lists, logins, hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import images, services
from tests.conftest import StartDistribution
from tests.e2e.command import PASSWORDS, airgap_tui
from tests.images import SampleImages

RIGHT, WRONG = PASSWORDS


def test_every_bad_line_of_a_list_is_told(tmp_path: Path) -> None:
    listed = tmp_path / "images_list.txt"
    listed.write_text("ubuntu:22.04\nUPPER/Case:1 # no\n\nnvcr.io/nvidia/cuda:\n")
    refused = airgap_tui("save", "-f", listed, "-b", tmp_path / "pod", code=2)
    assert f"{listed}, line 2: 'UPPER/Case:1'" in refused.err
    assert f"{listed}, line 4: 'nvcr.io/nvidia/cuda:'" in refused.err
    assert not (tmp_path / "pod").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("save", "-b", "pod"),
        ("save", "ubuntu"),
        ("save", "ubuntu", "-b", "pod", "--platform", "linux/"),
        ("save", "ubuntu", "-b", "pod", "--compress", "lzma:99"),
        ("push", "pod"),
        ("no-such-verb",),
        (),
    ],
)
def test_wrong_usage_ends_with_2_and_a_hint(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = airgap_tui(*arguments, code=2)
    assert refused.err.strip()
    assert list(tmp_path.iterdir()) == []


def test_errors_are_json_too(tmp_path: Path) -> None:
    refused = airgap_tui("verify", tmp_path / "none", "--json", code=4)
    assert refused.document["error"]["exit_code"] == 4
    assert str(tmp_path / "none") in refused.document["error"]["message"]


@pytest.mark.distribution
def test_one_unknown_image_does_not_stop_the_others(
    distribution: services.Distribution, source: dict[str, str], tmp_path: Path
) -> None:
    good = next(iter(source.values()))
    unknown = f"{distribution.host}/nobody/nothing:1"
    no_tag = good.rpartition(":")[0] + ":none"
    told = airgap_tui("save", unknown, good, no_tag, "-b", tmp_path / "pod", "--json", code=1)
    states = {item["reference"]: item for item in told.document["items"]}
    assert states[good]["state"] == "done"
    for name in (unknown, no_tag):
        assert states[name]["state"] == "failed"
        assert name in states[name]["error"]
        assert states[name]["error"] in told.err
    assert airgap_tui("verify", tmp_path / "pod", code=None).code in (0, 1)
    alone = airgap_tui("save", unknown, "-b", tmp_path / "other", code=4)
    assert unknown in alone.err


@pytest.mark.distribution
def test_unknown_platform_names_those_that_there_are(
    source: dict[str, str], sample_images: SampleImages, tmp_path: Path
) -> None:
    name = source[sample_images.multi.name]
    told = airgap_tui("save", name, "-b", tmp_path / "x", "--platform", "linux/s390x", code=4)
    for known in ("linux/amd64", "linux/arm64", "linux/s390x"):
        assert known in told.err


def test_nobody_answers(tmp_path: Path) -> None:
    more = {"AIRGAP_TUI_RETRIES": "1"}
    told = airgap_tui("save", "127.0.0.1:1/a/b:1", "-b", tmp_path / "pod", code=4, more=more)
    assert "127.0.0.1:1" in told.err


@pytest.mark.distribution
def test_logins(
    start_distribution: StartDistribution, sample_images: SampleImages, tmp_path: Path
) -> None:
    """Denied, wrong, stored, used; the password is nowhere but in the store."""
    registry = start_distribution(htpasswd={"ann": RIGHT})
    images.push_image(registry.url, sample_images.base, login=("ann", RIGHT))
    name = f"{registry.host}/{sample_images.base.name}"
    more = {"DOCKER_CONFIG": str(tmp_path / "docker"), "HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    bundle = tmp_path / "pod"

    denied = airgap_tui("save", name, "-b", bundle, code=4, more=more)
    assert f"airgap-tui login {registry.host}" in denied.err

    login = ("login", registry.host, "--username", "ann", "--password-stdin")
    airgap_tui(*login, given=f"{WRONG}\n", code=4, more=more)
    assert not (tmp_path / "docker/config.json").exists()
    airgap_tui(*login, given=f"{RIGHT}\n", more=more)
    assert registry.host in json.loads((tmp_path / "docker/config.json").read_text())["auths"]
    assert (tmp_path / "docker/config.json").stat().st_mode & 0o077 == 0

    airgap_tui("save", name, "-b", bundle, "-v", more=more)
    airgap_tui("push", bundle, f"{registry.host}/again", "-v", more=more)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    written.remove(tmp_path / "docker/config.json")
    for path in written:
        for password in PASSWORDS:
            assert password.encode() not in path.read_bytes(), path


@pytest.mark.distribution
def test_registry_with_a_private_authority(
    start_distribution: StartDistribution,
    authority: services.CertificateAuthority,
    sample_images: SampleImages,
    tmp_path: Path,
) -> None:
    registry = start_distribution(tls=authority.issue())
    ca = authority.certificate
    images.push_image(registry.url, sample_images.base, ca=str(ca))
    name = f"{registry.host}/{sample_images.base.name}"
    refused = airgap_tui("save", name, "-b", tmp_path / "pod", code=4)
    assert "--ca" in refused.err
    airgap_tui("save", name, "-b", tmp_path / "pod", "--ca", ca)
    airgap_tui("push", tmp_path / "pod", f"{registry.host}/again", "--ca", ca)
