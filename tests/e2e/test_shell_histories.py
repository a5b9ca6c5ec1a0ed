"""Histories that the shells themselves wrote, from what somebody typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import services
from tests.e2e import command
from tests.e2e.terminal import Terminal

PYTORCH = "nvcr.io/nvidia/pytorch:25.06-py3"
TENSORFLOW = "nvcr.io/nvidia/tensorflow:25.05-tf2-py3"
UBUNTU = {"docker.io/library/ubuntu:22.04", "docker.io/library/ubuntu:24.04"}
NEMO = "nvcr.io/nvidia/nemo:25.01"

CONTINUED = [
    "docker run --rm nvcr.io/nvidia/pytorch:25.06-py3 \\",
    "  nvidia-smi  # größer",
    f"singularity pull 'docker://{TENSORFLOW}'",
]
LOOP = ["for v in 22.04 24.04", "do docker pull ubuntu:$v", "done"]
POSIX = [*CONTINUED, *LOOP, "T=25.01", "docker pull nvcr.io/nvidia/nemo:$T"]
FISH = [
    *CONTINUED,
    *("for v in 22.04 24.04", "docker pull ubuntu:$v", "end"),
    "set T 25.01",
    "docker pull nvcr.io/nvidia/nemo:$T",
]
ZSH_FILE = ".zsh_history"
KEEP_ZSH = f'PS1="typed> "; HISTFILE=$HOME/{ZSH_FILE} HISTSIZE=99 SAVEHIST=99'
# What the lines begin does nothing: only that they were typed is of interest.
NOTHING = ["docker() { :; }; singularity() { :; }"]
FISH_NOTHING = ["function docker; end; function singularity; end"]
FISH_FILE = ".local/share/fish/fish_history"
BASH_FILE = ".bash_history"
BASH = 'PS1="typed> " HISTTIMEFORMAT="%F %T " bash --norc --noprofile -i'

SHELLS = {
    "bash": ([BASH, *NOTHING, *POSIX], BASH_FILE),
    "zsh": (["zsh -i", KEEP_ZSH, *NOTHING, *POSIX], ZSH_FILE),
    "zsh-with-times": (
        ["zsh -i -o EXTENDED_HISTORY", KEEP_ZSH, *NOTHING, *POSIX],
        ZSH_FILE,
    ),
    "fish": (["fish", *FISH_NOTHING, *FISH], FISH_FILE),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_what_was_typed_is_found(shell: str, tmp_path: Path) -> None:
    services.program(shell.partition("-")[0])
    lines, name = SHELLS[shell]
    written = tmp_path / name
    # Without one zsh asks a new user; without reading any it keeps no history.
    (tmp_path / ".zshrc").touch()
    with Terminal(tmp_path, columns=120) as terminal:
        for line in lines:
            terminal.type(line)
            terminal.press("Enter")
        terminal.type("exit")
        terminal.press("Enter")
        terminal.type("echo back $((40 + 2))")
        terminal.press("Enter")
        terminal.wait("back 42", until=written.exists)
    finished = command.airgap_tui("discover", "--history", written, "--json")
    found = {image["reference"]: image for image in finished.document["images"]}
    assert found.keys() == {PYTORCH, TENSORFLOW, NEMO, *UBUNTU}
    assert {image["count"] for image in found.values()} == {1}
    timed = {image["lastUsed"] is not None for image in found.values()}
    assert timed == {shell != "zsh"}, "of these only a plain zsh notes no times"
