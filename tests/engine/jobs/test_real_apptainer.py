"""Apptainer makes its images from what is served, from bundles and archives, and with the logins
that are kept for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread

import pytest

from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.places import Kind, Login, Place, change
from airgap_tui.engine.events import Note, discard
from airgap_tui.engine.jobs import save, serve
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.serve import ServeSpec
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog, StartDistribution
from tests.images import SampleImage, build_image, layer, push_image
from tests.services import Distribution, program, run_program, wait_for

pytestmark = pytest.mark.distribution
TOKEN = CancelToken()
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def apptainer(tmp_path: Path) -> Run:
    """Nothing that it has pulled before is taken for what it is to pull."""
    program("apptainer")
    environment = {"APPTAINER_CACHEDIR": str(tmp_path / "cache"), "APPTAINER_TMPDIR": str(tmp_path)}

    def run(*arguments: str, home: Path = tmp_path, check: bool = True) -> CompletedProcess[str]:
        return run_program(
            "apptainer", *arguments, check=check, environment={**environment, "HOME": str(home)}
        )

    return run


@pytest.fixture(params=["OCI", "Docker"])
def image(request: pytest.FixtureRequest, repository: str) -> SampleImage:
    return build_image(f"{repository}:1", [layer(repository)], docker=request.param == "Docker")


def saved(
    distribution: Distribution, image: SampleImage, bundle: Path, archives: Path | None = None
) -> Path:
    push_image(distribution.host, image)
    reference = Reference.parse(f"{distribution.host}/{image.name}")
    spec = SaveSpec((reference,), bundle, archive_dir=archives, archive_codec=Codec.NONE)
    save.run(spec, discard, TOKEN)
    return bundle


def made_of(apptainer: Run, sif: Path) -> str:
    """What it says that an image of its own was made from."""
    return apptainer("inspect", "--labels", str(sif)).stdout


def test_it_pulls_what_is_served_as_the_first_lines_say(
    distribution: Distribution, image: SampleImage, tmp_path: Path, apptainer: Run, events: EventLog
) -> None:
    spec = ServeSpec((saved(distribution, image, tmp_path / "pod"),), port=0)
    token = CancelToken()
    serving = Thread(target=serve.run, args=(spec, events, token))
    serving.start()
    try:
        wait_for(lambda: bool(said(events)), what="no line for Apptainer")
        (line,) = said(events)
        address, option = line.partition("  ")[2].split("  with ")
        apptainer("pull", option, str(tmp_path / "pulled.sif"), address)
        assert address.removeprefix("docker://") in made_of(apptainer, tmp_path / "pulled.sif")
        refused = apptainer("pull", str(tmp_path / "other.sif"), address, check=False)
        assert "server gave HTTP response to HTTPS client" in refused.stderr
    finally:
        token.cancel()
        serving.join()


def said(events: EventLog) -> list[str]:
    return [note.text for note in events.of(Note) if "For Apptainer" in note.text]


def test_it_builds_from_a_bundle_by_digest_and_from_archives(
    distribution: Distribution, image: SampleImage, tmp_path: Path, apptainer: Run
) -> None:
    bundle = saved(distribution, image, tmp_path / "pod", tmp_path / "archives")
    (archive,) = (tmp_path / "archives").glob("*.tar")
    for name, source in (
        ("bundle", f"oci:{bundle}@{image.digest}"),
        ("docker", f"docker-archive:{archive}"),
        ("oci", f"oci-archive:{archive}"),
    ):
        apptainer("build", str(tmp_path / f"{name}.sif"), source)
        assert "bootstrap" in made_of(apptainer, tmp_path / f"{name}.sif")


@pytest.mark.parametrize("kind", [Kind.APPTAINER, Kind.DOCKER])
def test_it_pulls_with_a_login_that_was_kept_for_it(
    kind: Kind,
    repository: str,
    tmp_path: Path,
    apptainer: Run,
    start_distribution: StartDistribution,
) -> None:
    registry = start_distribution(htpasswd={"robot": "secret word"})
    image = build_image(f"{repository}:1", [layer(repository)])
    name = f"docker://{push_image(registry.host, image, login=('robot', 'secret word'))}"
    home = tmp_path / "home"
    pull = ("pull", "--no-https", str(tmp_path / "pulled.sif"), name)
    assert apptainer(*pull, home=home, check=False).returncode != 0
    login = Login(registry.host, "robot", "secret word")
    change(Place(kind), login, {"HOME": str(home)}).apply()
    apptainer(*pull, home=home)
