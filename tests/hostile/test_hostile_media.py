"""Whoever prepares a medium to do harm is refused by every verb, for a reason that is named, and
nothing is written but where it should be. What no verb needs of a medium does no harm either."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from airgap_tui.cli import main as cli
from airgap_tui.engine.bundle.archives.docker_archive import DockerArchive
from airgap_tui.engine.bundle.archives.file import open_archive
from airgap_tui.engine.bundle.archives.passing import PassingArchive
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, MalformedContent
from airgap_tui.engine.events import Event, Note
from airgap_tui.engine.jobs.load_bundles import choose
from airgap_tui.engine.jobs.serve import ServeSpec, serving
from airgap_tui.engine.jobs.sources import open_bundles
from airgap_tui.engine.jobs.trust import check_signatures
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.settings import Trust
from tests import images
from tests.engine.bundle.sample_source import save
from tests.hostile import media
from tests.hostile.media import (
    CANARY,
    Make,
    Place,
    as_pipe,
    as_volumes,
    base_as,
    image_with,
    in_directory,
    in_iso,
    in_tar,
    item,
    largest,
    linked,
    listed,
    member,
    rewritten,
    sparse,
    tar_listed,
    with_members,
)
from tests.services import Distribution

pytestmark = pytest.mark.distribution
VERBS = ("push", "load", "serve", "import", "verify")
BASE = images.layer("a base", 60_000)
APP = images.build_image("lab/app:1", [BASE, images.layer("app", 30_000)])
TOOL = images.build_image("lab/tool:2", [BASE, images.layer("tool", 20_000, codec="zstd")])
STRANGER = "blobs/sha256/" + "e" * 64
UNNEEDED = frozenset(VERBS) - {"verify"}
"""Verbs that do not look at what only `verify` and other programs read."""


@dataclass(frozen=True, slots=True)
class Case:
    """`reason` is what is said; `code` the exit code. The verbs in `harmless` do their work as if
    the medium were good."""

    name: str
    make: Make
    reason: str
    code: int | tuple[int, ...] = 3
    harmless: frozenset[str] = field(default=frozenset())


def exchanged(value: dict[str, Any]) -> None:
    first, second = value["items"]
    first["digest"], second["digest"] = second["digest"], first["digest"]


NOT_A_FILE = "is not a (plain )?regular file|1 file (damaged|missing)|cannot be read here"
DAMAGED = "digest should be|holds other content|damaged|other bytes|cannot be read here"
LINK = "is a link; a bundle holds no links"

CASES = (
    # Lists that lie.
    Case("a manifest is altered", in_directory(lambda b: media.flipped(media.first_manifest(b))),
         DAMAGED),
    Case("names are exchanged", in_directory(rewritten(exchanged)), "and bundle.json does not"),
    Case("index.json names something else", in_directory(rewritten(
        lambda v: v["manifests"][0].update(digest=v["manifests"][1]["digest"]), "index.json")),
        "index.json says that nvcr.io/lab/app:1 is .* and bundle.json does not"),
    Case("index.json names one more", in_directory(rewritten(
        lambda v: v["manifests"].append({**v["manifests"][0],
                                         "annotations": {"io.containerd.image.name": "evil/x:1"}}),
        "index.json")), "says that evil/x:1 is"),
    Case("manifest.json leaves out a layer", in_directory(rewritten(
        lambda v: v[0].update(Layers=v[0]["Layers"][:1]), "manifest.json")),
        "manifest.json: it names other content", harmless=UNNEEDED),
    Case("manifest.json leads out", in_directory(rewritten(
        lambda v: v[0].update(Config="../../outside"), "manifest.json")),
        "names something outside blobs"),
    Case("an image is a layer", in_directory(
        lambda b: media.put_manifest(b, media.blobs_of(b)[-1].read_bytes())),
        "manifest is not JSON|damaged|cannot be read here"),
    Case("a size is negative", in_directory(item(size=-1)), "size is not a count"),
    Case("a size lies", in_directory(item(size=2**60)), "1 file damaged", harmless=UNNEEDED),
    Case("a size has hundreds of digits", in_directory(item(bytes=10**400)),
         "bytes is not a count"),
    Case("a name leads out", in_directory(item(reference="../../../outside")),
         "'..' is not a registry host"),
    Case("a name steers the terminal", in_directory(item(reference="nvcr.io/a\x1b[2J:1")),
         "not an image name"),
    Case("a name is half a character", in_directory(rewritten(
        lambda v: v.update(name="\ud800"))), "name is not a text"),
    Case("an ID is half a character", in_directory(rewritten(lambda v: v.update(id="\ud800"))),
         "id is not a text"),
    Case("an ID leads out", in_directory(rewritten(lambda v: v.update(id="../../../outside"))),
         "bundle.json: it is not what SHA256SUMS says", harmless=UNNEEDED),
    Case("an image is there twice", in_directory(rewritten(
        lambda v: v["items"].append(v["items"][0]))), "holds nvcr.io/lab/app:1 twice"),
    Case("a newer schema", in_directory(rewritten(lambda v: v.update(schemaVersion=99))),
         "has schema 99", code=4),
    # Sizes without end.
    *(Case(f"{name} is without end", in_directory(sparse(name, 2**40)),
           f"{name} has 1099511627776 bytes; more than .* are refused")
      for name in ("bundle.json", "index.json", "manifest.json")),
    Case("SHA256SUMS is without end", in_directory(sparse("SHA256SUMS", 2**40)),
         "1099511627776 bytes; more than", harmless=UNNEEDED),
    Case("a manifest is without end", in_directory(
        lambda b: os.truncate(media.first_manifest(b), 2**40)),
        "1099511627776 bytes|1 file damaged|cannot be read here"),
    Case("a layer is without end", in_directory(largest(lambda p: os.truncate(p, 2**40))),
         "1099511627776 bytes|damaged|other bytes"),
    Case("deep JSON", in_directory(media.replaced("bundle.json", b'{"x":' + b"[" * 200_000)),
         "is not JSON"),
    Case("wide JSON", in_directory(media.replaced(
        "bundle.json", b'{"schemaVersion":1,"items":[' + b"[]," * 20_000_000 + b"[]]}")),
        "bundle.json has millions of parts"),
    Case("wide index.json", in_directory(media.replaced(
        "index.json", b'{"manifests":[' + b"[]," * 20_000_000 + b"[]]}")),
        "index.json has millions of parts"),
    Case("indexes too deep", in_directory(media.nested(20, 1)),
         "nested too deeply|1 file damaged", harmless=frozenset({"serve"})),
    Case("indexes that name each other again and again", in_directory(media.nested(6, 20)),
         "SHA256SUMS: it leaves out", harmless=UNNEEDED),
    # Manifests that lie.
    Case("a layer's size lies", in_directory(image_with(lambda v: v["layers"][0].update(size=5))),
         "damaged|its manifest says 5", harmless=frozenset({"serve"})),
    Case("a layer's size is negative", in_directory(image_with(
        lambda v: v["layers"][0].update(size=-5))), "is -5|1 file damaged|cannot be read here"),
    Case("a layer's digest leads out", in_directory(image_with(
        lambda v: v["layers"][0].update(digest="sha256:../../../outside"))),
        "not a digest|1 file damaged|cannot be read here"),
    Case("the config is a layer", in_directory(image_with(
        lambda v: v.update(config={**v["layers"][0], "mediaType": v["config"]["mediaType"]}))),
        "config is not JSON|1 file damaged", harmless=frozenset({"serve"})),
    Case("thousands of layers", in_directory(image_with(
        lambda v: v.update(layers=v["layers"] * 500))),
        "layers,? and (its config|the manifest)|names 2 layers|1 file damaged",
        harmless=frozenset({"serve"})),
    # Content that is not what its name says.
    Case("two layers are exchanged", in_directory(media.two_exchanged), DAMAGED),
    Case("a layer is cut off", in_directory(largest(lambda p: os.truncate(p, 100))), DAMAGED),
    Case("a layer is altered", in_directory(largest(media.flipped)), DAMAGED),
    Case("a layer is altered in a tar", in_tar(largest(media.flipped)), DAMAGED),
    Case("a layer is altered in an ISO", in_iso(largest(media.flipped)), DAMAGED),
    # What is no file.
    Case("a layer is a link", in_directory(media.base_linked), NOT_A_FILE),
    Case("a layer is a device", in_directory(base_as(
        lambda p: os.mknod(p, 0o020666, os.makedev(1, 5)))), NOT_A_FILE),
    Case("a layer is a pipe", in_directory(base_as(os.mkfifo)), NOT_A_FILE),
    Case("a layer is a directory", in_directory(base_as(Path.mkdir)), NOT_A_FILE),
    *(Case(f"{name} is a link", in_directory(linked(name)), f"{name} {NOT_A_FILE}")
      for name in ("bundle.json", "index.json", "manifest.json")),
    *(Case(f"{name} is a pipe", in_directory(as_pipe(name)), f"{name} {NOT_A_FILE}")
      for name in ("bundle.json", "bundle.json.sig", "volume.json")),
    Case("SHA256SUMS is a link", in_directory(linked("SHA256SUMS")), NOT_A_FILE, harmless=UNNEEDED),
    Case("blobs is a link", in_directory(media.directory_linked("blobs")), LINK),
    Case("the note of damage is a pipe", in_directory(as_pipe(".partial/damaged")), "",
         code=0, harmless=frozenset(VERBS)),
    Case("a link in an ISO", in_iso(media.base_linked), NOT_A_FILE),
    Case("a pipe in an ISO", in_iso(base_as(os.mkfifo)), NOT_A_FILE),
    *(Case(f"a member of kind {kind!r}", with_members((member(STRANGER, kind, "/outside"), b"")),
           f"{STRANGER} is not a plain regular file")
      for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)),
    Case("a member leads out", with_members((member("../../outside"), b"x")), "leads out of"),
    Case("a member is absolute", with_members((member("/outside"), b"x")), "leads out of"),
    Case("a member is there twice", with_members((member("./bundle.json"), b"{}")), "there twice"),
    # Volumes that lie.
    Case("a place beyond the end", tar_listed(
        lambda v: v["files"][-1].update(offset=v["files"][-1]["offset"] * 512)),
        "is cut off within|damaged|cannot be read here"),
    Case("two places in one", tar_listed(
        lambda v: v["files"][-1].update(offset=v["files"][-2]["offset"])), "an impossible offset"),
    Case("a place before the start", tar_listed(lambda v: v["files"][-1].update(offset=-512)),
         "offset is not a count"),
    Case("a file is listed twice", listed(lambda v: v["files"].insert(0, v["files"][0])), "twice"),
    Case("a path leads out", listed(lambda v: v["files"][0].update(path="../../outside")),
         "which no volume holds"),
    Case("number 9 of 2", listed(lambda v: v.update(number=9)), "is number 9 of 2"),
    Case("a billion volumes", listed(lambda v: v.update(count=10**9)), "count is not a count"),
    Case("another digest than the name's", listed(
        lambda v: media.file_of(v, "blobs").update(sha256="0" * 64)), "another digest than its"),
    Case("a huge size", listed(lambda v: media.file_of(v, "blobs").update(size=2**50)),
         "1125899906842624|1 file missing|damaged|cannot be read here"),
    Case("a piece far behind the end", media.piece_elsewhere(10**17), "an impossible place"),
    Case("a piece behind the end", media.piece_elsewhere(10**12),
         "beyond its end|damaged|missing|not hold|holds no", code=(3, 4)),
    Case("a piece over another", media.piece_elsewhere(1),
         "missing|digest should be|not hold|holds no|not there|damaged", code=(3, 4)),
    Case("a piece is altered", as_volumes(lambda v: media.flipped(media.base_piece(v))), DAMAGED),
    Case("pieces is a link", as_volumes(media.directory_linked("pieces")),
         f"{LINK}|damaged|cannot be read here"),
    Case("volumes of two sets", media.of_another_set, "two different sets", code=2),
    Case("volumes that do not agree", media.with_another_inventory, "have a different bundle.json"),
    # What nobody asks for.
    Case("foreign files", in_directory(lambda b: [
        (b / "autorun.inf").write_bytes(b"x"), (b / "blobs/sha256/evil").write_bytes(b"x")]),
        "", code=0, harmless=frozenset(VERBS)),
    Case("content under a wrong name", in_directory(lambda b: (b / STRANGER).write_bytes(b"x")),
         f"{STRANGER}: its content has the digest", harmless=UNNEEDED),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    said: str


Verb = Callable[[list[Path], Path, Distribution], Outcome]


def by_command(*arguments: str | Path) -> Outcome:
    """As the command line ends, without the time that a process takes to start."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run([*map(str, arguments), "--progress", "none"])
    return Outcome(code, err.getvalue() + out.getvalue())


def push(paths: list[Path], work: Path, registry: Distribution) -> Outcome:
    name = f"{registry.host}/{work.name.lower()}"
    return by_command("push", *paths, name, "--plain-http", registry.host)


def import_(paths: list[Path], work: Path, _registry: Distribution) -> Outcome:
    return by_command("import", *paths, "-b", work / "kept")


def verify(paths: list[Path], _work: Path, _registry: Distribution) -> Outcome:
    return by_command("verify", *paths)


def load(paths: list[Path], _work: Path, _registry: Distribution) -> Outcome:
    """All that `load` does but for the engine, which would get the stream."""
    try:
        bundles = open_bundles(paths)
        check_signatures(bundles, Trust(), lambda _event: None, CancelToken())
        wanted, results = choose(bundles, (), None, DEFAULT_PLATFORM)
        failed = [(result.exit_code, result.error) for result in results if result.exit_code]
        for one in wanted:
            try:
                archive = DockerArchive(CancelToken())
                archive.add(one.image)
                for _chunk in archive.chunks():
                    pass
            except AirgapError as error:
                failed.append((error.exit_code, error.message))
    except AirgapError as error:
        failed = [(error.exit_code, error.message)]
    codes = [code for code, _said in failed]
    code = 3 if 3 in codes else max(codes, default=0)
    return Outcome(code, harmless("\n".join(said for _code, said in failed)))


def serve(paths: list[Path], _work: Path, _registry: Distribution) -> Outcome:
    """A client that asks for all images, and believes no digest that it has not computed."""
    told: list[str] = []
    wrong: list[str] = []

    def sink(event: Event) -> None:
        if isinstance(event, Note):
            told.append(event.text)

    try:
        with serving(ServeSpec(tuple(paths), port=0), sink) as served:
            for held in served.catalogue.held:
                reference = held.item.reference
                url = f"{served.url}/v2/{reference.registry}/{reference.repository}"
                wrong += asked(f"{url}/manifests/{reference.tag}", url, str(held.item.digest))
    except AirgapError as error:
        return Outcome(error.exit_code, harmless(error.message))
    return Outcome(3 if wrong else 0, "\n".join([*wrong, *told]))


def asked(manifest: str, repository: str, digest: str) -> list[str]:
    """What is wrong with an image that is served."""
    with images.registry_session() as session:
        answer = session.get(manifest, headers={"Accept": images.ACCEPT}, timeout=20)
        if answer.status_code != 200:
            return [answer.text]
        if images.digest_of(answer.content) != digest:
            return ["other bytes than the digest says"]
        wrong = []
        value = answer.json()
        parts = [value["config"], *value["layers"]] if "config" in value else []
        for wanted in sorted({part["digest"] for part in parts}):
            wrong += blob_is_wrong(session, f"{repository}/blobs/{wanted}", wanted)
        return wrong


def blob_is_wrong(session: requests.Session, url: str, digest: str) -> list[str]:
    with session.get(url, stream=True, timeout=20) as answer:
        if answer.status_code != 200:
            return [answer.text]
        # More than a client takes of a layer whose size it knows.
        head = next(answer.iter_content(200_000), b"")
        return [] if images.digest_of(head) == digest else ["other bytes than the digest says"]


DO: dict[str, Verb] = {
    "push": push, "load": load, "serve": serve, "import": import_, "verify": verify,
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "pod"
    save(path, [APP, TOOL])
    return path


@pytest.fixture
def place(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    here = Place(good, tmp_path)
    here.outside.write_bytes(CANARY)
    yield here
    blobs = {path.name: path.read_bytes() for path in (good / "blobs/sha256").iterdir()}
    for path in (tmp_path / "kept").glob("blobs/*/*"):
        assert path.is_file() and not path.is_symlink()
        assert Digest.of(path.read_bytes()).hex == path.name
    assert blobs.keys() >= {image.digest[7:] for image in (APP, TOOL)}
    known = {"medium", "outside", "kept", "state", "elsewhere"}
    assert {path.name for path in tmp_path.iterdir()} <= known


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_verb_refuses(case: Case, place: Place, distribution: Distribution) -> None:
    paths = case.make(place)
    outside = place.outside.read_bytes()
    for verb in VERBS:
        outcome = DO[verb](paths, place.work, distribution)
        told = f"{verb}: {outcome.code}\n{outcome.said}"
        assert "unforeseen" not in outcome.said, told
        assert "\x1b" not in outcome.said, told
        if verb in case.harmless:
            assert outcome.code == 0, told
            continue
        codes = (case.code,) if isinstance(case.code, int) else case.code
        assert outcome.code in codes, told
        assert re.search(case.reason, outcome.said), told
    assert place.outside.read_bytes() == outside


# --- what unpacks without end ---------------------------------------------------------------------


def zstd_frame(start: bytes, zeros: int) -> bytes:
    """A frame of these bytes and so many zeros: RFC 8878, 3.1.1.2, blocks of one byte repeated."""
    block = 128 * 1024
    raw = (len(start) << 3).to_bytes(3, "little") + start
    zero = (block << 3 | 0b010).to_bytes(3, "little") + b"\0"
    last = (block << 3 | 0b011).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x38" + raw + zero * (zeros // block) + last


def member_of(size: int) -> bytes:
    info = tarfile.TarInfo("layer.tar")
    info.size = size
    return info.tobuf()


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "zeros.tar.zst": (lambda: zstd_frame(bytes(1024), 2**36), "megabytes follow its end"),
    "zeros.tar.gz": (lambda: gzip.compress(bytes(2**27), 1), "megabytes follow its end"),
    "zeros.tar.xz": (lambda: lzma.compress(bytes(2**27), preset=0), "megabytes follow its end"),
    "layer.tar.zst": (
        lambda: zstd_frame(member_of(2**36), 2**36),
        "unpacks to more than 2000 times its size",
    ),
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_an_archive_that_unpacks_without_end(
    name: str, place: Place, distribution: Distribution
) -> None:
    make, reason = BOMBS[name]
    archive = place.media / name
    archive.write_bytes(make())
    for verb in ("verify", "push"):
        outcome = DO[verb]([archive], place.work, distribution)
        assert outcome.code == 3, outcome.said
        assert re.search(reason, outcome.said), outcome.said
    assert [path.name for path in place.media.iterdir()] == [name]


def test_what_an_engine_gets_of_such_an_archive_is_bounded(place: Place) -> None:
    """Neither is it kept in memory while its end is looked for."""
    archive = place.media / "zeros.tar.zst"
    archive.write_bytes(zstd_frame(bytes(1024), 2**36))
    with contextlib.closing(open_archive(archive)) as file:
        with contextlib.closing(ReadAhead(file, token=CancelToken())) as source:
            passing = PassingArchive(source, "it")
            with pytest.raises(MalformedContent, match="megabytes follow its end"):
                for _chunk in passing.chunks():
                    pass
        assert file.position < 1_000_000


def test_a_layer_that_unpacks_without_end(place: Place, distribution: Distribution) -> None:
    """An engine that cannot read zstd gets plain layers, whose size is looked for before."""
    bomb = replace(images.layer("bomb", codec="zstd"), blob=zstd_frame(b"x", 2**36))
    save(place.media / "pod", [images.build_image("lab/bomb:1", [bomb])])
    outcome = load([place.media / "pod"], place.work, distribution)
    assert outcome.code == 3
    assert "unpacks to more than 2000 times its size" in outcome.said
