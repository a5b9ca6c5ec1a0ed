"""Dockerfiles and Containerfiles: the images that they build upon and copy from.

`FROM`, `COPY --from=`, `RUN --mount=from=` and the `# syntax=` line name images; the names of
stages and `scratch` are none. Arguments before the first `FROM` are resolved by their defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources.mention import mention
from airgap_tui.engine.discovery.sources.variables import expand
from airgap_tui.engine.discovery.text import decoded

_DIRECTIVE = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_COPY_FROM = re.compile(r"COPY\s+(?:--\S+\s+)*?--from=(\S+)\s", re.IGNORECASE)
_MOUNTS = re.compile(r"--mount=(\S+)")
_RUN = re.compile(r"RUN\s+((?:--\S+\s+)*)", re.IGNORECASE)
_ARGUMENT = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)(?:=("[^"]*"|'[^']*'|\S*))?(?:\s+|\Z)""")
_HEREDOC = re.compile(r"<<-?([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")


@dataclass(frozen=True, slots=True)
class _Instruction:
    """An instruction with its continued lines as one, and where it begins."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class _Base:
    """What a stage is built from, and the name of the stage."""

    image: str
    stage: str


def read(content: bytes, place: Place) -> Iterator[Finding | Remark]:
    """The images of a Dockerfile, or a remark where it has no `FROM`."""
    found, has_base = _images(decoded(content), place)
    yield from found
    if not has_base:
        yield Remark(
            Kind.DOCKERFILE, place, "it has no FROM line", "Check that it is a Dockerfile."
        )


def inline(text: str, place: Place) -> list[Finding]:
    """The images of a Dockerfile that stands in another file; `place` is its first line."""
    return _images(text, place)[0]


def _images(text: str, place: Place) -> tuple[list[Finding], bool]:
    findings: list[Finding] = []
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    count = 0

    def found(written: str, line: int) -> None:
        at = Place(place.path, place.line + line - 1 if place.line else line, place.host)
        meaning = named(expand(written, arguments))
        findings.append(mention(written, Kind.DOCKERFILE, at, meaning=meaning))

    syntax, escape = _directives(text)
    if syntax is not None:
        found(syntax.text, syntax.line)
    for instruction in _instructions(text, escape):
        word = instruction.text.split(None, 1)[0].upper()
        if word == "ARG" and not count:
            for name, value in _ARGUMENT.findall(instruction.text[3:].strip()):
                if value:
                    arguments[name] = expand(value.strip("\"'"), arguments)
        elif word == "FROM" and (base := _base(instruction.text)):
            image = expand(base.image, arguments)
            if image.lower() not in stages and image != "scratch":
                found(base.image, instruction.line)
            count += 1
            stages.add(base.stage)
        else:
            for image in _other_images(instruction.text):
                if image.lower() not in stages and not image.isdecimal() and image != "scratch":
                    found(image, instruction.line)
    return findings, bool(count)


def _base(text: str) -> _Base | None:
    """What a `FROM` names; a name that is still a template may have blanks in it."""
    words = text.split()[1:]
    while words and words[0].startswith("--"):
        del words[0]
    stage = ""
    if len(words) >= 3 and words[-2].upper() == "AS":
        stage, words = words[-1].lower(), words[:-2]
    return _Base(" ".join(words), stage) if words else None


def _directives(text: str) -> tuple[_Instruction | None, str]:
    """The frontend that `# syntax=` names, and the escape character: only the first lines count."""
    syntax, escape = None, "\\"
    for number, line in enumerate(text.splitlines(), start=1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        if directive[1].lower() == "syntax" and syntax is None:
            syntax = _Instruction(number, directive[2])
        elif directive[1].lower() == "escape" and directive[2] == "`":
            escape = "`"
    return syntax, escape


def _instructions(text: str, escape: str) -> Iterator[_Instruction]:
    """Whole instructions: continued lines in one, without comments and the bodies of heredocs."""
    parts: list[str] = []
    begun = 0
    ends: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if ends:
            if stripped == ends[0]:
                del ends[0]
            continue
        if not stripped or stripped.startswith("#"):
            continue
        begun = begun or number
        if stripped.endswith(escape):
            parts.append(stripped[:-1])
            continue
        parts.append(stripped)
        whole = " ".join(parts).strip()
        if whole:
            yield _Instruction(begun, whole)
        if re.match(r"(?:RUN|COPY|ADD)\s", whole, re.IGNORECASE):
            ends = [name for _, name in _HEREDOC.findall(whole)]
        parts, begun = [], 0
    if whole := " ".join(parts).strip():
        yield _Instruction(begun, whole)


def _other_images(text: str) -> list[str]:
    """What an instruction other than `FROM` takes from elsewhere: a stage, a number, an image."""
    if copied := _COPY_FROM.match(text):
        return [copied[1]]
    if (run := _RUN.match(text)) and "from=" in run[1]:
        options = [option for mount in _MOUNTS.findall(run[1]) for option in mount.split(",")]
        return [option[5:] for option in options if option.startswith("from=") and option[5:]]
    if text[:8].upper() == "ONBUILD ":
        return _other_images(text[8:].strip())
    return []
