"""What the offline side says: of bundles, names, registries and engines; against real ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import NameConflict
from airgap_tui.engine.guide import arrival, handover
from airgap_tui.engine.guide.answers import Delivery, Destination, Security
from airgap_tui.engine.guide.internet import of_the_internet
from airgap_tui.engine.jobs import destination, engine_standing
from airgap_tui.engine.jobs.destination import DestinationAnswers
from airgap_tui.engine.jobs.engine_standing import EngineStanding
from airgap_tui.engine.jobs.media import Carried, Contents
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests import services
from tests.conftest import StartDistribution
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages

ONCE = Settings(Network(retry=RetryPolicy(attempts=1)))
ONE = Digest.parse("sha256:" + "a" * 64)


def image(name: str, problem: str = "") -> Carried:
    return Carried(Reference.parse(name), 5, problem=problem, files=frozenset({(ONE, 5)}))


def contents(*images: Carried) -> Contents:
    return Contents(Path("/media/usb1/pod"), "pod", images, "2025-07-02")


@pytest.mark.parametrize(
    ("registry", "public"),
    [
        ("nvcr.io", True),
        ("NVCR.io:443", True),
        ("registry-1.docker.io", True),
        ("eu.gcr.io", True),
        ("harbor.pod.lan", False),
        ("mynvcr.io", False),
        ("127.0.0.1:5000", False),
    ],
)
def test_registries_of_the_internet_are_known(registry: str, public: bool) -> None:
    assert of_the_internet(registry) is public


def test_what_goes_and_what_stays() -> None:
    good, bad, left = image("a.lan/good:1"), image("a.lan/bad:1", "missing"), image("a.lan/x:1")
    pod = contents(good, bad, left)
    assert arrival.opened(pod) == "pod is not complete: 2 of 3 images can go on."
    everything = Delivery(pod.path)
    assert arrival.going(pod, everything) == (good, left)
    chosen = Delivery(pod.path, images=(good.reference, bad.reference))
    assert (arrival.going(pod, chosen), arrival.staying(pod, chosen)) == ((good,), (bad, left))
    assert arrival.without_staying(pod, everything).images == (good.reference, left.reference)
    whole = contents(good, left)
    assert arrival.without_staying(whole, everything).images == ()
    nothing = Delivery(pod.path, images=(bad.reference,))
    assert arrival.without_staying(pod, nothing) == nothing, "empty would mean all of it"
    assert handover.missing(nothing, arrival.going(pod, nothing))


def test_files_that_images_share_count_once() -> None:
    assert arrival.inside(contents(image("a.lan/b:1"), image("a.lan/c:1"))).startswith(
        "1 kB in 1 file, saved 2025-07-02"
    )


def test_two_sources_with_one_name_are_told_in_the_guides_words() -> None:
    images = (image("nvcr.io/nvidia/cuda:1"), image("docker.io/nvidia/cuda:1"))
    answers = Delivery(registry="reg.lan:5000", project="p")
    with pytest.raises(NameConflict) as raised:
        arrival.assigned(answers, images)
    assert raised.value.message == (
        "2 images would both become p/nvidia/cuda:1: from nvcr.io and from docker.io"
    )
    assert raised.value.hint == "Choose With nvcr.io in the path."


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (
            EngineStanding("Docker 27.3.1+x", needed=190 * 10**9, free=1_100 * 10**9),
            "Version 27.3.1; needs about 190 GB, 1.1 TB free",
        ),
        (
            EngineStanding("Docker 27.3", needed=189_100_000_001),
            "Version 27.3; needs about 190 GB",
        ),
        (EngineStanding("Podman 4.9"), "Version 4.9; it has all of them already"),
        (
            EngineStanding(problem="Docker at x: permission denied", remedy="Use sudo."),
            "You may not use it: Use sudo",
        ),
        (
            EngineStanding(
                problem="Docker at x: permission denied",
                remedy="Add yourself to the group docker and log in again, or use sudo.",
            ),
            "You may not use it",
        ),
    ],
)
def test_an_engine_in_one_line(standing: EngineStanding, words: str) -> None:
    assert arrival.engine_in_words(standing) == words


@pytest.mark.parametrize(
    ("text", "capital"),
    [("no such file", "No such file"), ("reg.lan refuses", "reg.lan refuses"), ("", "")],
)
def test_a_host_keeps_its_name_at_the_beginning_of_a_sentence(text: str, capital: str) -> None:
    assert arrival.capital(text) == capital


@pytest.mark.parametrize("place", list(Destination))
def test_every_place_has_its_words(place: Destination) -> None:
    answers = Delivery(
        Path("/b"), destination=place, registry="reg.lan:5000", security=Security.PLAIN
    )
    images = (image("nvcr.io/a/b:1"),)
    assert handover.begin(answers, 1).endswith(" 1 image")
    assert handover.review(answers, images).endswith(".")
    assert handover.target(answers)
    assert handover.missing(answers, images) == ""


def asked(answers: Delivery, token: CancelToken) -> DestinationAnswers:
    settings = answers.network_settings
    return destination.ask(answers.naming, ("a/b",), settings, token, CredentialStore())


def test_what_is_wrong_with_a_real_registry_has_its_words(
    start_distribution: StartDistribution,
    authority: services.CertificateAuthority,
    token: CancelToken,
) -> None:
    secured = start_distribution(tls=authority.issue("127.0.0.1"))
    answers = Delivery(settings=ONCE, registry=secured.host)
    found = asked(answers, token)
    assert arrival.registry_in_words(found.registry) == "Signed by an unknown authority"
    assert "choose it under Security" in arrival.registry_trouble(answers, found)
    own = Delivery(
        settings=ONCE,
        registry=secured.host,
        security=Security.OWN_CA,
        ca_file=authority.certificate,
    )
    assert asked(own, token).good and arrival.registry_missing(own, asked(own, token)) == ""
    gone = Delivery(settings=ONCE, registry="127.0.0.1:1")
    assert arrival.registry_in_words(asked(gone, token).registry) == "Refused: the port is closed"


def test_a_real_engine_says_what_it_needs_and_holds(
    docker_engine: services.DockerEngine,
    tmp_path: Path,
    sample_images: SampleImages,
    token: CancelToken,
) -> None:
    save(tmp_path / "pod", (*sample_images.images, sample_images.zero_size))
    standing = engine_standing.ask("docker", docker_engine.host, tmp_path / "pod", (), token)
    assert standing.name.startswith("Docker ") and not standing.problem
    assert standing.free is not None and 0 < standing.needed < standing.free
    assert (standing.held, standing.lacking) == (0, 0)
    assert len(standing.unloadable) == 1
    assert docker_engine.client.images.list() == []
    absent = engine_standing.ask("docker", f"unix://{tmp_path}/none", tmp_path / "pod", (), token)
    assert arrival.engine_in_words(absent) == "Does not answer: check the address"
    assert arrival.engine_missing("Docker", absent) == "Not yet: Docker cannot be used."


@pytest.mark.parametrize(
    ("registry", "how"),
    [
        ("harbor.lan", "over TLS"),
        ("127.0.0.1:5000", "on this host"),
        ("[::1]:5000", "on this host"),
    ],
)
def test_a_registry_on_this_host_is_not_said_to_speak_tls(registry: str, how: str) -> None:
    answers = Delivery(registry=registry, project="ngc")
    assert handover.target(answers) == f"{registry}/ngc, {how}"
