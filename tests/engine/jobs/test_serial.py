"""Specs and results as JSON: the same again, and nothing else taken for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.findings import Finding
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.left_out import LeftOut
from airgap_tui.engine.jobs.load import LoadResult, LoadSpec
from airgap_tui.engine.jobs.push import PushResult, PushSpec
from airgap_tui.engine.jobs.receipts import ReceiptsResult, ReceiptsSpec
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.jobs.seal import SealResult, SealSpec
from airgap_tui.engine.jobs.serial import from_json, to_json
from airgap_tui.engine.jobs.sign import SignResult, SignSpec
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact, remember
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings, Trust

SETTINGS = Settings(
    Network(
        Path("/etc/ca.pem"),
        plain_http=frozenset({"b.lan:5000", "a.lan"}),
        read_timeout=7.5,
        retry=RetryPolicy(attempts=2),
    ),
    platform=None,
    trust=Trust(Path("/etc/allowed_signers"), required=True),
    transfers=9,
    state_dir=Path("/state"),
)
PYTORCH = Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3")
PINNED = PYTORCH.pinned(Digest.of(b"x"))
ITEMS = (
    ItemResult(str(PYTORCH), ItemState.DONE, str(Digest.of(b"x")), 12),
    ItemResult("a.lan/b:1", ItemState.FAILED, error="no", hint="go", exit_code=4, target="r.lan/b"),
)
SIGNATURE = Signature(Standing.GOOD, "ssh", "ops@example.org", "SHA256:x")
VALUES = [
    SaveSpec((PYTORCH, PINNED), Path("/data/pod"), SETTINGS),
    SaveSpec(
        (PYTORCH,),
        Path("/data/pod"),
        Settings(platform=Platform("linux", "arm64", "v8", "10.0.1")),
        Compression(Codec.ZSTD, 12),
        Origin.ARCHIVE,
        (Path("/a.tar"), Path("/b.tar.xz")),
        "ssh://root@dgx03",
        True,
        (PINNED,),
        True,
        Path("/out"),
        Codec.GZIP,
    ),
    VerifySpec(Path("/data/pod"), SETTINGS, 3),
    LoadSpec((Path("/pod"),), "podman", None, Naming.parse("reg.lan:5000/x", maps=("a=b",))),
    PushSpec(Path("/pod"), Naming.parse("reg.lan", keep_registry=True), SETTINGS, (PYTORCH,)),
    PushSpec(Path("/pod"), Naming.parse("reg.lan/ngc"), create_projects=True),
    SaveSpec((PYTORCH,), Path("/pod"), have=(Path("/r.json"),), codes=("7K3M-Q2ZD-X81A",)),
    SealSpec(Path("/pod"), Path("/keys/id.pub"), SETTINGS, (Path("/sheet.csv"),)),
    SealResult(ITEMS, SIGNATURE, Path("/media/usb1"), ("SHA256SUMS",), 9, 0.5),
    SignSpec(Path("/pod"), Path("/keys/id"), SETTINGS),
    SignResult(SIGNATURE, 0.5),
    ReceiptsSpec(Path("/pod"), Path("/r"), Naming.parse("reg.lan"), "", (PYTORCH,), "pod"),
    ReceiptsResult(ITEMS, Path("/r"), 3, SIGNATURE, 0.5),
    VerifyResult(ITEMS, 2, 9, (), (), (), 0.2, SIGNATURE, (LeftOut("b", "r", ("d",), 1, ("i",)),)),
    SaveResult(ITEMS, 5, 3, 1.5, 2),
    VerifyResult(ITEMS, 2, 9, (Finding("f", "d", "p", ("a", "b")),), (), ("x",), 0.25),
    LoadResult(ITEMS, "Docker 27.3", 3, 1.0),
    PushResult((), 0, 2.0),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_the_same_comes_back(value: Any) -> None:
    assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value


@given(
    st.from_regex(r"[a-z0-9]+(\.[a-z0-9]+){1,2}(:[0-9]{1,5})?", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,9}(/[a-z0-9]{1,9}){0,2}", fullmatch=True),
    st.one_of(st.none(), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)),
    st.booleans(),
)
def test_references_come_back(registry: str, repository: str, tag: str | None, pin: bool) -> None:
    reference = Reference.parse(f"{registry}/{repository}" + (f":{tag}" if tag else ""))
    reference = reference.pinned(Digest.of(tag.encode())) if pin and tag else reference
    spec = SaveSpec((reference,), Path("/b"))
    assert from_json(SaveSpec, to_json(spec)).references == (reference,)


def test_paths_mean_the_same_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = from_json(VerifySpec, to_json(VerifySpec(Path("pod"))))
    assert spec.path == tmp_path / "pod"


def test_what_is_missing_gets_its_default() -> None:
    assert from_json(VerifySpec, {"path": "/pod"}).threads is None


def test_a_result_can_go_through_the_redactor() -> None:
    remember("tr0ub4dor-secret")
    item = ItemResult("a.lan/b:1", ItemState.FAILED, error="wrong: tr0ub4dor-secret")
    text = json.dumps(to_json(SaveResult((item,), 1, 1, 1.0), redact))
    assert "tr0ub4dor" not in text
    assert "a.lan/b:1" in text


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"path": 3},
        {"path": "/pod", "threads": "many"},
        {"path": "/pod", "threads": True},
        {"path": "/pod", "exec": "/bin/sh"},
        {"path": "/pod", "settings": {"transfers": 1.5}},
        {"path": "/pod", "settings": {"platform": "linux/amd64"}},
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(MalformedContent, match="VerifySpec"):
        from_json(VerifySpec, value)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("references", ["no name with blanks"]),
        ("origin", "moon"),
        ("compression", {"codec": "rar"}),
        ("archives", "/a.tar"),
    ],
)
def test_values_outside_their_grammar_are_refused(field: str, bad: object) -> None:
    value = to_json(VALUES[0])
    with pytest.raises(MalformedContent, match=field):
        from_json(SaveSpec, {**value, field: bad})


def test_what_has_no_json_is_not_written() -> None:
    with pytest.raises(TypeError):
        to_json(object())
