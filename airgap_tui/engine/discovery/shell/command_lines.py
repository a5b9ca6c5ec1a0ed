"""The images that command lines name, through all that people put in front of a command.

`sudo -E`, `srun … singularity exec`, `ssh host "…"`, `bash -c '…'`, `nohup time`, `env A=b`: each
hands on a command or a script, which is read in its turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark
from airgap_tui.engine.discovery.naming import Named, named
from airgap_tui.engine.discovery.shell.assignment import SETTERS, Word
from airgap_tui.engine.discovery.shell.expansion import Variables
from airgap_tui.engine.discovery.shell.options import Syntax, operands, split, syntax, value_of
from airgap_tui.engine.discovery.shell.programs import (
    PROGRAMS,
    Image,
    container_images,
    slurm_options,
)
from airgap_tui.engine.discovery.shell.scanner import DEEPEST, Script
from airgap_tui.engine.discovery.shell.statements import Command
from airgap_tui.engine.discovery.text import finding

_MOST_INPUTS = 1000
_IMAGE_VARIABLES = ("PYXIS_CONTAINER_IMAGE", "_SLURM_SPANK_OPTION_pyxis_container_image")
_USER_VARIABLE = re.compile(
    r"(?:SINGULARITY_|APPTAINER_)?DOCKER_USERNAME=(?:\$\{?oauthtoken\}?)?\Z"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ImageArgument:
    """An image named in a command. `line` counts from 1."""

    written: str
    meaning: Named
    line: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """What somebody wrote and cannot have meant."""

    text: str
    remedy: str
    line: int


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A program that runs another: its options, how many operands stand before the command, and
    whether its words are joined to a text that a shell reads."""

    options: Syntax
    operands: int = 0
    joined: bool = False


_PREFIXES: dict[str, _Prefix] = {
    "sudo": _Prefix(syntax("CDghprRTtuU", "--user --group --host --prompt --chdir --role --type")),
    "doas": _Prefix(syntax("Cu")),
    "env": _Prefix(syntax("uCS", "--unset --chdir")),
    "nohup": _Prefix(Syntax()),
    "time": _Prefix(syntax("fo", "--format --output")),
    "nice": _Prefix(syntax("n", "--adjustment")),
    "ionice": _Prefix(syntax("cnp", "--class --classdata")),
    "chrt": _Prefix(syntax("TPD"), 1),
    "taskset": _Prefix(Syntax(), 1),
    "stdbuf": _Prefix(syntax("ioe", "--input --output --error")),
    "timeout": _Prefix(syntax("ks", "--kill-after --signal"), 1),
    "setsid": _Prefix(Syntax()),
    "sshpass": _Prefix(syntax("pfdP")),
    "exec": _Prefix(syntax("a")),
    "command": _Prefix(Syntax()),
    "builtin": _Prefix(Syntax()),
    "noglob": _Prefix(Syntax()),
    "unbuffer": _Prefix(Syntax()),
    "fakeroot": _Prefix(syntax("lisbfu")),
    "flock": _Prefix(syntax("wEc", "--timeout --conflict-exit-code"), 1),
    "chroot": _Prefix(syntax("", "--userspec --groups"), 1),
    "xargs": _Prefix(syntax("aEIJLnPRSsd", "--arg-file --delimiter --max-args --max-procs")),
    **dict.fromkeys(("k3s", "microk8s", "rke2"), _Prefix(Syntax())),
    # Those that hand a text to a shell.
    "eval": _Prefix(Syntax(), joined=True),
    "ssh": _Prefix(syntax("bcDEeFIiJLlmOopQRSWwB"), 1, joined=True),
    "rsh": _Prefix(syntax("l"), 1, joined=True),
    "watch": _Prefix(syntax("nq", "--interval"), joined=True),
    "parallel": _Prefix(syntax("jIaSN", "--jobs --joblog --colsep --sshlogin"), joined=True),
    "pdsh": _Prefix(syntax("wxgtulfRSMCFI"), joined=True),
    "clush": _Prefix(syntax("wxgXfltuo"), joined=True),
    "dsh": _Prefix(syntax("wmgF"), joined=True),
    "screen": _Prefix(syntax("ScehpstT"), joined=True),
}
_LAUNCHERS = frozenset(
    {"mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prun", "aprun", "jsrun", "numactl", "strace"}
    | {"nsys", "ncu", "perf", "hwloc-bind", "likwid-pin"}
)
"""Those with options of one dash and several letters: the command is the first word known here."""
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "fish", "tcsh", "csh"})
_LAUNCHED = frozenset({*PROGRAMS, *_SHELLS, *_LAUNCHERS, "srun", "env", "timeout"})
_TEXT_OPTIONS = {
    "su": ("-c", "--command"),
    "sg": ("-c",),
    "script": ("-c", "--command"),
    "runuser": ("-c", "--command"),
    "ansible": ("-a", "--args"),
}
_TEXT_TABLE = syntax(
    "cabimnsgGufeT", "--command --args --user --module-name --inventory --shell --forks"
)
_TMUX = syntax("sntcFxye")
_CONDA = syntax("np", "--name --prefix --cwd")
_VERSION = re.compile(r"(?:nvidia-docker|singularity|apptainer)[-_]?v?[0-9][0-9.]*\Z")


def image_arguments(
    text: str, variables: Variables | None = None, *, line: int = 1, depth: int = 0
) -> Iterator[ImageArgument | Mistake]:
    """The images that a script or a command line names, in its order. Never raises."""
    script = Script(
        text, variables if variables is not None else Variables(), line=line, depth=depth
    )
    for command in script.commands():
        yield from _of_command(command, depth)


def findings(
    text: str,
    kind: Kind,
    place: Place,
    variables: Variables | None = None,
    *,
    line: int = 1,
    time: datetime | None = None,
    one_line: bool = False,
) -> Iterator[Finding | Remark]:
    """The same as findings; with `one_line` the whole text stands on that line of the file."""
    for argument in image_arguments(text, variables, line=line):
        at = line if one_line else argument.line
        if isinstance(argument, Mistake):
            yield Remark(kind, replace(place, line=at), argument.text, argument.remedy)
        else:
            yield finding(argument.written, argument.meaning, kind, place, at, time)


def _of_command(command: Command, depth: int) -> Iterator[ImageArgument | Mistake]:
    settings = command.assignments
    if command.words and command.words[0].text in SETTERS:
        settings = (*settings, *command.words[1:])
    for word in settings:
        name, equals, _ = word.text.partition("=")
        if equals and name in _IMAGE_VARIABLES:
            yield from _told(Image(_after(word, len(name) + 1), _by_enroot))
        yield from _mistakes(word)
    yield from _of_words(command.words, command.variables, depth)


def _of_words(
    words: Sequence[Word], variables: Variables, depth: int
) -> Iterator[ImageArgument | Mistake]:
    """A command may stand in a command: this goes on to the next until none is left."""
    while words and depth <= DEEPEST:
        program = words[0].text.rpartition("/")[2]
        program = program.removeprefix("microk8s.").removeprefix("\\")
        if _VERSION.fullmatch(program):
            program = re.split(r"[-_]?v?[0-9]", program)[0]
        rest = words[1:]
        if program in PROGRAMS:
            for image in PROGRAMS[program](rest):
                yield from _told(image)
            if program in ("docker", "podman"):
                yield from _login_mistakes(rest)
            return
        if program in ("srun", "salloc", "sbatch"):
            options, words = slurm_options(program, rest)
            for image in container_images(options):
                yield from _told(image)
            for word in value_of(options, "--wrap"):
                yield from image_arguments(
                    word.text, variables.copy(), line=word.line, depth=depth + 1
                )
            if program == "sbatch":
                return
        elif program in _SHELLS:
            yield from _of_shell(rest, variables, depth)
            return
        elif program in _TEXT_OPTIONS:
            options, _ = operands(rest, _TEXT_TABLE)
            for word in value_of(options, *_TEXT_OPTIONS[program]):
                yield from image_arguments(word.text, Variables(), line=word.line, depth=depth + 1)
            return
        elif program == "tmux":
            _, after = split(rest[1:], _TMUX)
            yield from _of_text(after, Variables(), depth)
            return
        elif program in ("conda", "mamba", "micromamba") and rest and rest[0].text == "run":
            _, words = split(rest[1:], _CONDA)
        elif program in _LAUNCHERS:
            words = rest
            while words and words[0].text.rpartition("/")[2] not in _LAUNCHED:
                words = words[1:]
        elif program in _PREFIXES:
            prefix = _PREFIXES[program]
            options, words = split(rest, prefix.options)
            words = words[prefix.operands :]
            if program == "flock":
                for word in value_of(options, "-c"):
                    yield from image_arguments(
                        word.text, variables.copy(), line=word.line, depth=depth + 1
                    )
            while words and _ASSIGNMENT.fullmatch(words[0].text):
                for image_variable in _IMAGE_VARIABLES:
                    if words[0].text.startswith(f"{image_variable}="):
                        value = _after(words[0], len(image_variable) + 1)
                        yield from _told(Image(value, _by_enroot))
                yield from _mistakes(words[0])
                words = words[1:]
            if prefix.joined:
                inside = Variables() if program in ("ssh", "rsh", "pdsh", "clush") else variables
                yield from _of_text(words, inside, depth)
                return
        elif re.fullmatch(r"\$\{?\w+\}?", program):
            words = rest  # $SUDO docker …, where nothing tells what SUDO is
        else:
            return


def _of_text(
    words: Sequence[Word], variables: Variables, depth: int
) -> Iterator[ImageArgument | Mistake]:
    """Words that a program joins with blanks and gives to a shell; `parallel` takes those behind
    `:::` one after the other."""
    texts = [word.text for word in words]
    if not texts or depth >= DEEPEST:
        return
    commands = [" ".join(texts)]
    if ":::" in texts:
        start, inputs = texts[: texts.index(":::")], texts[texts.index(":::") + 1 :]
        text = " ".join(start)
        text = text if "{}" in text else f"{text} {{}}"
        commands = [text.replace("{}", one) for one in inputs[:_MOST_INPUTS] if one != ":::"]
    for command in commands:
        yield from image_arguments(command, variables.copy(), line=words[0].line, depth=depth + 1)


def _of_shell(
    words: Sequence[Word], variables: Variables, depth: int
) -> Iterator[ImageArgument | Mistake]:
    """`bash -lc TEXT`; the text is the first operand once a `c` was among the letters."""
    options, rest = split(words, syntax("oO", "--rcfile --init-file"))
    if rest and depth < DEEPEST and any(option.name == "-c" for option in options):
        for text in rest[0].values:
            yield from image_arguments(text, variables.copy(), line=rest[0].line, depth=depth + 1)


def _told(image: Image) -> Iterator[ImageArgument]:
    for value in image.word.values:
        if value.strip():
            yield ImageArgument(value.strip(), image.meaning(value), image.word.line)


def _by_enroot(text: str) -> Named:
    return named(text, enroot=True)


def _after(word: Word, count: int) -> Word:
    return Word(tuple(value[count:] for value in word.values), word.line, word.unset, word.cut)


def _mistakes(word: Word) -> Iterator[Mistake]:
    if "oauthtoken" in word.unset and _USER_VARIABLE.match(word.text):
        yield _expanded(word)


def _login_mistakes(words: Sequence[Word]) -> Iterator[Mistake]:
    """`docker login -u $oauthtoken`."""
    if words and words[0].text == "login":
        yield from (_expanded(word) for word in words if "oauthtoken" in word.unset)


def _expanded(word: Word) -> Mistake:
    return Mistake(
        "$oauthtoken without quotes: a shell makes it an empty user name",
        "Write it in single quotes: '$oauthtoken'.",
        word.line,
    )
