"""Command lines of Apptainer: which word is the image, whatever options stand before it."""

from __future__ import annotations

import io
import re

import pytest

from airgap_tui.engine.discovery.finding import Finding, Place
from airgap_tui.engine.discovery.sources import history
from tests.services import program, run_program

IMAGE = "docker://nvcr.io/lab/solver:1"
_OPTION = re.compile(r"^ +(?:-(\w), )?(--[\w-]+)(?: (\w+))?(?:  |$)", re.MULTILINE)
_OPERANDS = {
    "pull": f"solver.sif {IMAGE}",
    "build": f"solver.sif {IMAGE}",
    "exec": f"{IMAGE} make",
    "run": f"{IMAGE} make",
    "shell": IMAGE,
    "test": IMAGE,
    "instance start": f"{IMAGE} solver",
}


def images(line: str) -> list[str]:
    found = history.read(io.BytesIO(f"{line}\n".encode()), Place("history"))
    return [one.written for one in found if isinstance(one, Finding)]


@pytest.mark.parametrize(
    "line",
    [
        f"apptainer build --userns solver.sif {IMAGE}",
        f"apptainer build --warn-unused-build-args solver.sif {IMAGE}",
        f"apptainer build --mksquashfs-args /x solver.sif {IMAGE}",
        f"apptainer exec --no-mount /scratch {IMAGE} make",
        f"apptainer run --netns-path /run/netns/fast {IMAGE} make",
    ],
)
def test_options_take_as_many_words_as_in_apptainer(line: str) -> None:
    assert images(line) == [IMAGE]


@pytest.mark.parametrize("verb", _OPERANDS)
def test_every_option_of_the_apptainer_that_is_installed(verb: str) -> None:
    program("apptainer")
    help_text = run_program("apptainer", *verb.split(), "--help").stdout
    options = _OPTION.findall(help_text)
    assert ("h", "--help", "") in options
    for letter, name, value in options:
        for option in (name, f"-{letter}") if letter else (name,):
            line = f"apptainer {verb} {option} {'/x' if value else ''} {_OPERANDS[verb]}"
            assert images(line) == [IMAGE], line
