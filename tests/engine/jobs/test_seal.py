"""Sealing in place: everything that the other side needs, nothing changed that is right, and a kill
at any moment leaves a bundle that seals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    BundleLocked,
    ContentMismatch,
    NotFound,
    SignatureRefused,
    UsageError,
)
from airgap_tui.engine.events import ItemState, discard
from airgap_tui.engine.jobs import export, seal, sign, verify
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.seal import SealSpec
from airgap_tui.engine.jobs.sign import SignSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.settings import Settings, Trust
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.services import run_program, short_directory
from tests.signing import Key, gpg, gpg_home, make_key

TOKEN = CancelToken()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "id", "ecdsa")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(tmp_path / "pod", [build_image("team/app:1", [layer("sealed"), layer("base")])])
    return tmp_path / "pod"


def files(bundle: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(bundle)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(bundle.rglob("*"))
        if path.is_file()
    }


def test_a_sealed_bundle_is_checked_by_the_commands_that_it_names(bundle: Path, key: Key) -> None:
    result = seal.run(SealSpec(bundle, key.file), discard, TOKEN)
    assert result.exit_code == 0
    assert [item.state for item in result.items] == [ItemState.DONE]
    assert result.signature.fingerprint == key.fingerprint
    text = (bundle / layout.START_HERE).read_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "nvcr.io/team/app:1" in text and key.fingerprint in text
    checks = text.partition("Check it first")[2].partition("With airgap-tui")[0]
    commands = [line.removeprefix("    ") for line in checks.splitlines() if line[:4] == "    "]
    shell = ["sh", "-ec", "\n".join(commands)]
    done = subprocess.run(shell, cwd=bundle, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert key.fingerprint in done.stdout
    assert verify.run(VerifySpec(bundle), discard, TOKEN).ok
    assert not (bundle / layout.PARTIAL).exists()


def test_a_bundle_without_images_is_not_carried(tmp_path: Path) -> None:
    save(tmp_path / "pod", [])
    with pytest.raises(NotFound, match="holds no image"):
        seal.run(SealSpec(tmp_path / "pod"), discard, TOKEN)
    with pytest.raises(NotFound, match="holds no image"):
        export.run(ExportSpec(tmp_path / "pod", tmp_path / "disk"), discard, TOKEN)


@pytest.mark.skopeo
def test_the_command_without_us_finds_the_image(tmp_path: Path) -> None:
    """Also by skopeo 1.9, which finds no image of Docker's types by its name."""
    bundle = tmp_path / "pod"
    docker = build_image("aaa/first:1", [layer("base")], docker=True)
    save(bundle, [docker, build_image("team/app:1", [layer("sealed"), layer("base")])])
    seal.run(SealSpec(bundle), discard, TOKEN)
    text = (bundle / layout.START_HERE).read_text()
    source = next(w for w in text.split() if w.startswith("oci:.:"))
    run_program(
        "skopeo", "--insecure-policy", "copy", source.replace("oci:.", f"oci:{bundle}"),
        f"dir:{tmp_path / 'out'}", check=True,
    )  # fmt: skip
    assert (tmp_path / "out" / "manifest.json").exists()


def test_sealing_again_changes_nothing_and_asks_no_key(
    bundle: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECDSA signs differently each time, so a second signature would show."""
    first = seal.run(SealSpec(bundle, key.file), discard, TOKEN)
    before = files(bundle)
    again = seal.run(SealSpec(bundle, key.file), discard, TOKEN)
    assert files(bundle) == before
    assert (first.changed, again.changed) == ((layout.START_HERE, layout.CHECKSUMS), ())
    kept = seal.run(SealSpec(bundle), discard, TOKEN)
    assert files(bundle) == before
    assert kept.signature == first.signature


def test_another_key_signs_anew(bundle: Path, key: Key, tmp_path: Path) -> None:
    seal.run(SealSpec(bundle, key.file), discard, TOKEN)
    other = make_key(tmp_path / "other")
    result = seal.run(SealSpec(bundle, other.file), discard, TOKEN)
    assert result.signature.fingerprint == other.fingerprint
    assert verify.run(VerifySpec(bundle), discard, TOKEN).ok


def test_signing_by_itself_keeps_the_seal_whole(bundle: Path, key: Key, tmp_path: Path) -> None:
    trust = Settings(trust=Trust(key.allowed(tmp_path / "allowed"), required=True))
    signed = sign.run(SignSpec(bundle, key.file, trust), discard, TOKEN)
    assert signed.signature.standing is Standing.GOOD
    assert verify.run(VerifySpec(bundle, trust), discard, TOKEN).ok


def test_a_signature_of_gpg_stays_and_is_named(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_directory() as short, gpg_home(short / "g", "ops <ops@example.org>") as home:
        monkeypatch.setenv("GNUPGHOME", home["GNUPGHOME"])
        target = str(bundle / layout.GPG_SIGNATURE)
        gpg(home, "--armor", "--output", target, "--detach-sign", str(bundle / layout.INVENTORY))
        result = seal.run(SealSpec(bundle), discard, TOKEN)
        assert (result.signature.standing, result.signature.form) == (Standing.GOOD, "gpg")
    assert "gpg --verify bundle.json.asc bundle.json" in (bundle / layout.START_HERE).read_text()


def test_a_signature_that_is_not_of_this_bundle_is_not_sealed_in(bundle: Path, key: Key) -> None:
    seal.run(SealSpec(bundle, key.file), discard, TOKEN)
    inventory = bundle / layout.INVENTORY
    inventory.write_bytes(inventory.read_bytes() + b"\n")
    with pytest.raises(SignatureRefused):
        seal.run(SealSpec(bundle), discard, TOKEN)
    assert seal.run(SealSpec(bundle, key.file), discard, TOKEN).exit_code == 0
    assert verify.run(VerifySpec(bundle), discard, TOKEN).ok


def test_what_cannot_be_carried_is_not_sealed(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(UsageError):
        seal.run(SealSpec(file), discard, TOKEN)
    save(tmp_path / "begun", [build_image("team/app:1", [layer("begun")])], finish=False)
    with pytest.raises(AirgapError, match="did not finish"):
        seal.run(SealSpec(tmp_path / "begun"), discard, TOKEN)
    largest = max((bundle / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.unlink()
    with pytest.raises(ContentMismatch, match="1 file missing or damaged"):
        seal.run(SealSpec(bundle), discard, TOKEN)
    assert not (bundle / layout.START_HERE).exists()


def test_one_writer_at_a_time(bundle: Path) -> None:
    from airgap_tui.engine.bundle.lock import BundleLock

    lock = BundleLock(bundle, "save")
    try:
        with pytest.raises(BundleLocked, match="by save"):
            seal.run(SealSpec(bundle), discard, TOKEN)
    finally:
        lock.release()


_KILLED = """
import os, sys
from pathlib import Path
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import seal
left = int(sys.argv[2])
for name in ("fsync", "replace", "unlink"):
    def counting(*arguments, _real=getattr(os, name), **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return _real(*arguments, **named)
    setattr(os, name, counting)
seal.run(seal.SealSpec(Path(sys.argv[1]), Path(sys.argv[3])), discard, CancelToken())
"""


def test_killed_at_any_step_it_continues_to_the_same_end(bundle: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path / "ed")
    killed = 0
    for step in range(40):
        command = [sys.executable, "-c", _KILLED, str(bundle), str(step), str(key.file)]
        ended = subprocess.run(command, env=dict(os.environ), timeout=60, check=False)
        assert verify.run(VerifySpec(bundle), discard, TOKEN).ok, f"killed at step {step}"
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        killed += 1
    assert killed >= 5
    after = {name: content for name, (content, _) in files(bundle).items()}
    assert seal.run(SealSpec(bundle, key.file), discard, TOKEN).changed == ()
    assert {name: content for name, (content, _) in files(bundle).items()} == after
    assert ".partial" not in {name.split("/")[0] for name in after}
