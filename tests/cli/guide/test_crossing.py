"""Both sides of a crossing by prompts alone, with a real registry and a real Docker."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.reader import BundleReader
from tests import images
from tests.cli.conftest import Command
from tests.cli.guide.conftest import CHOOSE, FIRST, Conversation, Known, Talk
from tests.conftest import StartDistribution
from tests.fakes.harbor import FakeHarbor
from tests.images import SampleImages
from tests.services import Distribution, DockerEngine, free_port

PASSWORD, WRONG = "correct-horse-battery", "wrong-horse-battery"


@pytest.fixture
def two(distribution: Distribution, sample_images: SampleImages, repository: str) -> list[str]:
    """Two images with a layer in common."""
    return [
        images.push_image(distribution.host, image, name=f"{repository}/{n}:1")
        for n, image in enumerate(sample_images.images[:2])
    ]


@pytest.fixture
def bundle(command: Command, two: list[str], tmp_path: Path) -> Path:
    saved = command("save", *two, "-b", "pod")
    assert saved.code == 0, saved.err
    return tmp_path / "pod"


def to_images(conversation: Conversation) -> None:
    conversation.hear(FIRST)
    conversation.answer("1")
    conversation.hear("step 1 of 6: Images")


def to_destination(conversation: Conversation) -> None:
    """From the start, with the bundle `pod` of the current directory."""
    conversation.hear(FIRST)
    conversation.answer("2")
    conversation.choose("pod: 2 images")
    conversation.choose("Verify 2 images")
    conversation.hear("All 2 images are whole")
    conversation.choose("Go on to Destination")
    conversation.hear("Where should the 2 images go")


def plain(text: str) -> None:
    """Nothing of what was said moves a cursor or has a colour."""
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\b" not in text
    assert "Traceback" not in text


def test_the_online_side(talk: Talk, two: list[str], tmp_path: Path, known: Known) -> None:
    (tmp_path / "images_list.txt").write_text(f"# what we run\n{two[0]}\n")
    conversation = talk()
    to_images(conversation)
    conversation.hear("0 of 1 are chosen")
    conversation.choose("Read a list file")
    conversation.hear(r"List file \[images_list.txt\]: ")
    conversation.answer()
    conversation.hear(rf"{two[0]}: chosen; list, in images_list.txt")
    conversation.hear(r"airgap-tui plan -f images_list.txt -b BUNDLE")
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(f"{two[1]} Not/AName")
    conversation.hear("Not a name: Not/AName: capital letters")
    conversation.hear("Image: ")
    conversation.answer()
    conversation.hear("2 of 3 are chosen")
    conversation.choose("Go on to Logins")
    conversation.hear("All 2 images can be read")
    conversation.choose("Go on to Review")
    conversation.hear(r"Save to \[")
    conversation.answer("pod")
    conversation.hear("to download")
    conversation.hear(r"airgap-tui save .* --then verify")
    conversation.choose("Save 2 images")
    conversation.hear("step 4 of 6: Save")
    conversation.hear("All 2 images are saved")
    conversation.hear("step 5 of 6: Verify")
    conversation.hear("All 2 images are whole")
    conversation.seal()
    assert "airgap-tui push /media/DISK/pod REGISTRY" in conversation.text
    assert conversation.end() == 0
    assert conversation.text.rstrip().endswith(" kB.")
    plain(conversation.text)
    assert {str(item.reference) for item in BundleReader.open(tmp_path / "pod").items} == set(two)
    assert [job.order.verbs for job in known()] == [("seal",), ("save", "verify")]
    assert (tmp_path / "pod/START-HERE.txt").is_file()


def test_going_back_keeps_the_answers(talk: Talk, two: list[str], tmp_path: Path) -> None:
    conversation = talk()
    to_images(conversation)
    conversation.choose("Add images by name")
    for name in two:
        conversation.hear("Image: ")
        conversation.answer(name)
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    conversation.choose("Go on to Review")
    conversation.hear(r"Save to \[")
    conversation.answer("pod")
    conversation.choose("Layers in another form")
    conversation.choose("zstd", r"Layers \[1\]: ")
    conversation.choose("Verify afterwards")
    conversation.hear(r"--compress zstd\n")
    conversation.hear(CHOOSE)
    conversation.answer("b")
    conversation.hear("step 2 of 6: Logins")
    conversation.hear(CHOOSE)
    conversation.answer("b")
    conversation.hear("step 1 of 6: Images")
    conversation.hear("2 of 3 are chosen")
    conversation.choose("Choose images or leave them out")
    conversation.hear(r"none\]: ")
    conversation.answer("1")
    conversation.hear("1 of 3 is chosen")
    conversation.choose("Go on to Logins")
    conversation.hear("The image can be read")
    conversation.choose("Go on to Review")
    conversation.hear(rf"airgap-tui save {two[1]} -b {tmp_path}/pod --compress zstd\n")
    conversation.hear("Layers in another form: now zstd")
    conversation.hear("Verify afterwards: now no")
    conversation.hear(CHOOSE)
    conversation.answer("?")
    conversation.hear("GB are decimal")
    conversation.hear(CHOOSE)
    conversation.answer("q")
    assert conversation.end() == 0
    assert not (tmp_path / "pod").exists()


def test_a_wrong_key_then_the_right_one(
    talk: Talk,
    two: list[str],
    sample_images: SampleImages,
    start_distribution: StartDistribution,
    tmp_path: Path,
    known: Known,
) -> None:
    private = start_distribution(htpasswd={"robot": PASSWORD})
    login = ("robot", PASSWORD)
    secret = images.push_image(private.host, sample_images.images[2], name="a/b:1", login=login)
    conversation = talk()
    to_images(conversation)
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(f"{two[0]} {secret}")
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    conversation.hear("1 of 2 cannot be read yet")
    conversation.hear(rf"{private.host}: login none; 0 of 1 image can be read")
    for password in (WRONG, PASSWORD):
        conversation.choose(f"Give a login for {private.host}")
        conversation.hear(r"User name at .*: ")
        conversation.answer("robot")
        conversation.hear("Password .*: ")
        conversation.answer(password)
        if password == WRONG:
            conversation.hear("refused")
    conversation.hear("accepts it")
    conversation.choose("For this run only")
    conversation.hear("It holds for this run")
    conversation.hear("All 2 images can be read")
    conversation.hear("login robot, accepted")
    conversation.choose("Go on to Review")
    conversation.hear(r"Save to \[")
    conversation.answer("pod")
    conversation.choose("Save 2 images")
    conversation.seal()
    assert conversation.end() == 0
    for text in (PASSWORD, WRONG):
        assert text not in conversation.text
        assert all(text not in path.read_text() for path in known()[0].directory.path.iterdir())


def test_what_cannot_be_read_is_left_out(
    talk: Talk, two: list[str], distribution: Distribution, tmp_path: Path
) -> None:
    conversation = talk()
    to_images(conversation)
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(f"{two[0]} {distribution.host}/there/is:none")
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    conversation.hear("1 of 2 cannot be read yet")
    conversation.choose("Leave out 1 image")
    conversation.hear("The image can be read")
    conversation.hear(CHOOSE)
    conversation.press(b"\x03")
    assert conversation.end() == 130


def test_push_to_a_registry(
    talk: Talk, bundle: Path, two: list[str], distribution: Distribution, repository: str
) -> None:
    conversation = talk(ACCESSIBLE="1")
    to_destination(conversation)
    conversation.choose("An existing registry")
    conversation.hear(r"Registry, as .*: ")
    conversation.answer("nvcr.io/nvidia")
    conversation.hear("nvcr.io is on the internet")
    conversation.hear(r"Registry, as .*: ")
    conversation.answer(distribution.host)
    conversation.hear(r"Project .*: ")
    conversation.answer(f"{repository}/mirror")
    conversation.hear("You may write to it")
    name = two[0].partition("/")[2]
    conversation.hear(rf"becomes {distribution.host}/{repository}/mirror/{name}")
    conversation.hear(rf"airgap-tui push {bundle} {distribution.host}/{repository}/mirror\n")
    conversation.choose("Show what each image is called there")
    conversation.choose("Push 2 images")
    conversation.hear("step 5 of 5: Deliver")
    conversation.hear(f"All 2 images are in {distribution.host}, not a bit different")
    digest = images.remote_digest(distribution.host, f"{repository}/mirror/{name[:-2]}", "1")
    conversation.hear(rf"digest\s+{digest}, the same there")
    conversation.choose("Finish")
    assert conversation.end() == 0
    plain(conversation.text)


def test_a_harbors_missing_project_is_created_where_one_says_so(
    talk: Talk, bundle: Path, two: list[str], tmp_path: Path
) -> None:
    with FakeHarbor({"admin": PASSWORD}, admins=frozenset({"admin"})) as harbor:
        auth = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        config = tmp_path / "docker"
        config.mkdir()
        (config / "config.json").write_text(json.dumps({"auths": {harbor.host: {"auth": auth}}}))
        conversation = talk(DOCKER_CONFIG=str(config))
        to_destination(conversation)
        conversation.choose("An existing registry")
        conversation.hear(r"Registry, as .*: ")
        conversation.answer(harbor.host)
        conversation.hear(r"Project .*: ")
        conversation.answer("ngc")
        conversation.hear("Project ngc does not exist")
        conversation.choose("Ask it again")
        conversation.hear("Project ngc does not exist")
        assert "ngc" not in harbor.projects
        conversation.choose("Create project ngc")
        conversation.hear("You may write to it")
        assert harbor.public == {"ngc": "false"}
        conversation.choose("Push 2 images")
        conversation.hear(f"All 2 images are in {harbor.host}, not a bit different")
        conversation.choose("Finish")
        assert conversation.end() == 0
        assert len(harbor.manifests) == 2
        assert PASSWORD not in conversation.text and auth not in conversation.text
    plain(conversation.text)


def test_what_was_verified_is_saved_as_a_report(
    talk: Talk, bundle: Path, two: list[str], tmp_path: Path
) -> None:
    conversation = talk()
    conversation.hear(FIRST)
    conversation.answer("2")
    conversation.choose("pod: 2 images")
    conversation.choose("Verify 2 images")
    conversation.hear("All 2 images are whole")
    conversation.choose("Save a report: text and JSON")
    conversation.hear(r"Save as, without an ending \[~/pod-verified-.*\]: ")
    conversation.answer("found")
    conversation.hear(r"Saved: found\.txt")
    conversation.hear(r"Saved: found\.json")
    conversation.hear("All 2 images are whole")
    conversation.answer("q")
    assert conversation.end() == 0
    assert "2 of 2 images whole" in (tmp_path / "found.txt").read_text()


def test_load_into_docker(
    talk: Talk, bundle: Path, two: list[str], docker_engine: DockerEngine, known: Known
) -> None:
    conversation = talk(DOCKER_HOST=docker_engine.host)
    to_destination(conversation)
    conversation.choose("Docker on this host: Version")
    conversation.hear("The names stay as they are")
    conversation.hear(rf"airgap-tui load {bundle}\n")
    conversation.choose("Load 2 images")
    conversation.hear("All 2 images are in Docker .*, not a bit different")
    conversation.hear(rf"docker run --rm {two[0]}\n")
    conversation.choose("Finish")
    assert conversation.end() == 0
    names = {tag for image in docker_engine.client.images.list() for tag in image.tags}
    assert names == set(two)
    assert known()[0].order.verbs == ("load",)


def test_an_engine_that_cannot_be_used_says_why(talk: Talk, bundle: Path) -> None:
    conversation = talk(DOCKER_HOST="unix:///no/such/socket")
    to_destination(conversation)
    conversation.choose("Docker on this host")
    conversation.hear("Not yet: Docker cannot be used")
    conversation.choose("Choose another place")
    conversation.hear("Where should the 2 images go")
    conversation.hear(CHOOSE)
    conversation.answer("b")
    conversation.hear("step 2 of 5: Verify")
    conversation.hear(CHOOSE)
    conversation.answer("q")
    assert conversation.end() == 0


def test_serve_from_here(talk: Talk, bundle: Path, two: list[str], known: Known) -> None:
    port = free_port()
    conversation = talk()
    to_destination(conversation)
    conversation.choose("Serve from here")
    conversation.choose("This host only", r"Serve to( \[\d\])?: ")
    conversation.hear(r"Port \[5000\]: ")
    conversation.answer(str(port))
    conversation.choose("Plain HTTP", r"Security \[1\]: ")
    conversation.hear(rf"docker pull 127.0.0.1:{port}/")
    conversation.choose("Serve 2 images")
    conversation.hear("Serving 2 items")
    name, _, tag = two[0].partition("/")[2].rpartition(":")
    images.remote_digest(f"127.0.0.1:{port}", name, tag)
    conversation.press(b"\x03")
    conversation.choose("Stop serving")
    conversation.hear(r"y or n \[n\]: ")
    conversation.answer("y")
    conversation.hear("Serving has ended: 1 request")
    conversation.choose("Finish")
    assert conversation.end() == 0
    assert known()[0].exit_code == 0


def test_a_damaged_bundle_goes_on_with_what_is_whole(
    talk: Talk, bundle: Path, two: list[str], distribution: Distribution, repository: str
) -> None:
    opened = BundleReader.open(bundle)
    item = next(item for item in opened.items if str(item.reference) == two[0])
    shared = {blob.digest for blob in opened.closure(opened.items[1]).needed}
    own = [b.digest for b in opened.closure(item).needed if b.digest not in shared]
    path = bundle / "blobs" / "sha256" / own[0].hex
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    conversation = talk()
    conversation.hear(FIRST)
    conversation.answer("2")
    conversation.choose("pod: 2 images")
    conversation.choose("Verify 2 images")
    conversation.hear("1 of 2 images is whole")
    conversation.hear(own[0].hex)
    conversation.choose("Read this layer again")
    conversation.hear("1 of 2 images is whole")
    conversation.choose("Go on with 1 image")
    conversation.choose("An existing registry")
    conversation.hear(r"Registry, as .*: ")
    conversation.answer(distribution.host)
    conversation.hear(r"Project .*: ")
    conversation.answer(f"{repository}/mirror")
    conversation.hear(rf"{two[0]} stays out: damaged")
    conversation.hear(rf"--image {two[1]}\n")
    conversation.choose("Push 1 image")
    conversation.choose("Finish")
    assert conversation.end() == 0


def test_rehearse(talk: Talk) -> None:
    conversation = talk()
    conversation.hear(FIRST)
    conversation.answer("3")
    conversation.hear("equal digests|digests are equal|arrived with equal")
    conversation.hear(FIRST)
    conversation.answer("b")
    assert conversation.end() == 0


def test_prompts_need_a_terminal(command: Command) -> None:
    for ended in (command("--plain"), command(ACCESSIBLE="1", TERM="vt100")):
        assert (ended.code, ended.out) == (2, "")
        assert "terminal" in ended.err
        assert "airgap-tui --help" in ended.err
