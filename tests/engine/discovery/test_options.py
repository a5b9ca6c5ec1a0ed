"""Which word of a command line is the image, whatever options stand before it: options take as many
words here as in the programs themselves, each of whose options is tried where it is installed."""

from __future__ import annotations

import io
import re

import pytest

from airgap_tui.engine.discovery.finding import Finding, Place
from airgap_tui.engine.discovery.sources import history
from tests.services import program, run_program

NAME = "nvcr.io/lab/solver:1"
IMAGE = f"docker://{NAME}"
_OPTION = re.compile(
    r"^ +(?:-(?P<letter>\w), )?(?P<name>--[\w.-]+)(?: (?P<value>[^\s=]+(?!\S)))?", re.MULTILINE
)
_LINES = {
    "apptainer": f"pull solver.sif {IMAGE}",
    "apptainer pull": f"solver.sif {IMAGE}",
    "apptainer build": f"solver.sif {IMAGE}",
    "apptainer exec": f"{IMAGE} make",
    "apptainer run": f"{IMAGE} make",
    "apptainer shell": IMAGE,
    "apptainer test": IMAGE,
    "apptainer instance start": f"{IMAGE} solver",
    "skopeo": f"copy {IMAGE} dir:/y",
    "skopeo copy": f"{IMAGE} dir:/y",
    "skopeo sync": f"--src docker --dest dir {NAME} /y",
    **{
        f"{engine}{verb}": operands
        for engine in ("docker", "podman")
        for verb, operands in (
            ("", f"pull {NAME}"),
            (" run", f"{NAME} make"),
            (" container create", f"{NAME} make"),
            (" pull", NAME),
            (" image save", NAME),
        )
    },
}


def images(line: str) -> list[str]:
    found = history.read(io.BytesIO(f"{line}\n".encode()), Place("history"))
    return [one.written.removeprefix("docker://") for one in found if isinstance(one, Finding)]


@pytest.mark.parametrize(
    "line",
    [
        f"apptainer build --userns solver.sif {IMAGE}",
        f"apptainer build --warn-unused-build-args solver.sif {IMAGE}",
        f"apptainer build --mksquashfs-args /x solver.sif {IMAGE}",
        f"apptainer exec --no-mount /scratch {IMAGE} make",
        f"apptainer run --netns-path /run/netns/fast {IMAGE} make",
        f"skopeo copy --dest-oci-accept-uncompressed-layers {IMAGE} dir:/y",
        f"podman --imagestore /data pull {NAME}",
        f"podman --hooks-dir /etc/hooks run {NAME} make",
    ],
)
def test_options_take_as_many_words_as_in_the_program(line: str) -> None:
    assert images(line) == [NAME]


@pytest.mark.parametrize("start", _LINES)
def test_every_option_of_a_program_that_is_installed(start: str) -> None:
    name, *verb = start.split()
    program(name)
    options = list(_OPTION.finditer(run_program(name, *verb, "--help").stdout))
    assert options
    for option in options:
        if option["name"] == "--rootfs":
            continue  # then it runs a directory
        for written in (option["name"], *([f"-{option['letter']}"] if option["letter"] else [])):
            value = "/x" if option["value"] else ""
            line = f"{start} {written} {value} {_LINES[start]}"
            assert images(line) == [NAME], line
