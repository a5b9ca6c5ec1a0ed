"""`sign`, `seal`, `receipt` and what they change in other verbs, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.signing import NAME, Key, make_key


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(tmp_path / "pod", [build_image("team/app:1", [layer("a"), layer("b")])])
    return tmp_path / "pod"


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return make_key(tmp_path / "id")


def test_sealing_a_disk(command: Command, bundle: Path, key: Key, tmp_path: Path) -> None:
    ended = command("seal", str(bundle), "--sign", str(key.file), "--sheet", "sheet.txt")
    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("1 image, ")
    assert key.fingerprint in ended.out
    assert "You may unplug it now." in ended.err
    assert key.fingerprint in (tmp_path / "sheet.txt").read_text()
    assert (bundle / "START-HERE.txt").exists()


def test_a_signature_that_is_required(command: Command, bundle: Path, key: Key) -> None:
    allowed = str(key.allowed(bundle.parent / "allowed"))
    required = ("--require-signature", "--allowed-signers", allowed)
    refused = command("verify", str(bundle), *required)
    assert refused.code == 3
    assert "not signed" in refused.err and "airgap-tui sign" in refused.err
    assert command("sign", str(bundle), "--key", str(key.file)).code == 0
    verified = command("--json", "verify", str(bundle), *required)
    assert verified.code == 0
    assert verified.document["signature"]["standing"] == "good"
    assert f"signed by {NAME}" in verified.err
    inventory = bundle / "bundle.json"
    inventory.write_bytes(inventory.read_bytes() + b"\n")
    for verb in (("push", str(bundle), "127.0.0.1:1"), ("serve", str(bundle), "--listen", "0")):
        altered = command(*verb)
        assert altered.code == 3
        assert "altered after it was signed" in altered.err
    told = command("verify", str(bundle), "--allowed-signers", allowed)
    assert told.code == 3
    assert f"Altered after it was signed by {NAME}. Do not use it" in told.err


def test_the_requirement_may_stand_in_the_settings(command: Command, bundle: Path) -> None:
    ended = command("verify", str(bundle), AIRGAP_TUI_REQUIRE_SIGNATURE="yes")
    assert ended.code == 3
    wrong = command("verify", str(bundle), AIRGAP_TUI_REQUIRE_SIGNATURE="perhaps")
    assert wrong.code == 2


def test_a_list_that_is_not_there_is_wrong_usage(command: Command, bundle: Path) -> None:
    ended = command("verify", str(bundle), "--allowed-signers", "none")
    assert ended.code == 2
    assert "--allowed-signers: there is no file none" in ended.err


def test_a_receipt_and_a_code(command: Command, bundle: Path, tmp_path: Path) -> None:
    ended = command(
        *("receipt", "-b", str(bundle), "-o", "r.json", "--site", "pod"),
        *("--want", "nvcr.io/nvidia/nemo:25.07"),
    )
    assert ended.code == 0
    assert "nvcr.io/team/app:1" in ended.out
    written = json.loads((tmp_path / "r.json").read_text())
    assert (written["site"], written["wanted"]) == ("pod", ["nvcr.io/nvidia/nemo:25.07"])
    wrong = command("receipt", "-b", str(bundle), "-o", "c.json", "--code", "7K3M-Q2ZD-X81A")
    assert wrong.code == 4
    assert "a slip of one character" in wrong.err
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "docker"), "--have needs images from registries"),
        (("--compress", "zstd"), "--have and --compress cannot be used together"),
        ((), "there is no receipt none.json"),
    ],
)
def test_have_that_cannot_be(command: Command, options: tuple[str, ...], said: str) -> None:
    ended = command("plan", "127.0.0.1:1/a:1", "-b", "new", "--have", "none.json", *options)
    assert ended.code in (2, 4)
    assert said in ended.err


def test_the_tool_is_chosen_or_left_out(command: Command, bundle: Path, tmp_path: Path) -> None:
    """The index of pip is an empty directory."""
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    for verb in (("seal", str(bundle)), ("export", str(bundle), "medium")):
        for options, told in (
            (("--no-tool", "--tool-for", "all"), "cannot be used together"),
            (("--tool-for", "3.9"), "cannot be carried for '3.9'"),
            (("--tool", str(script)), "is not a Linux executable"),
        ):
            ended = command(*verb, *options, **offline)
            assert (ended.code, told in ended.err) == (2, True), ended.err
        asked = command(*verb, "--tool-for", "3.11/x86_64", **offline)
        assert asked.code == 4 and "--no-tool" in asked.err
    assert not (tmp_path / "medium").exists()
    usual = command("seal", str(bundle), "--json", AIRGAP_TUI_CARRY_TOOL="yes", **offline)
    assert usual.code == 0 and usual.document["tool"] is None
    assert "airgap-tui itself is not carried" in usual.err
    silent = command("seal", str(bundle), "--no-tool", AIRGAP_TUI_CARRY_TOOL="yes", **offline)
    assert silent.code == 0 and "not carried" not in silent.err
