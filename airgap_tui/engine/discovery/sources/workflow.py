"""Workflow files: the containers of Nextflow processes and Snakemake rules.

Both are programs; what stands in them as a plain text is read, and what they compute is told as
unresolved. Nextflow's pipelines choose between a Singularity file and an image by a condition: both
are told, and the file is none of a registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.naming import Named, named, named_by_singularity
from airgap_tui.engine.discovery.sources.mention import apart, mention
from airgap_tui.engine.discovery.text import decoded
from airgap_tui.engine.quantities import size

MAX_CONTENT = 1024 * 1024
"""Workflow files are written by people."""

_DIRECTIVE = re.compile(r"\b(?:container|containerized|singularity)\b")
_SNAKEMAKE = re.compile(
    r"^[ \t]*(?:(?:rule|checkpoint|use rule|module)\b[^\n#]*"
    r"|(?:container|containerized|singularity|configfile|include|workdir)[ \t]*):",
    re.MULTILINE,
)
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>'''.*?(?:'''|\Z)|\"\"\".*?(?:\"\"\"|\Z)|'(?:[^'\\\n]|\\.)*'
    |"(?:[^"\\\n$]|\\.|\$\{[^}"$]{0,4000}\}|\$)*")
    |(?P<word>[A-Za-z_][\w.]*)
    |(?P<sign>[^\s\w])
    |(?P<line>\n)""",
    re.VERBOSE | re.DOTALL,
)
_PYTHON = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<prefix>[rRbBuUfF]{0,2})(?P<text>'''.*?(?:'''|\Z)|\"\"\".*?(?:\"\"\"|\Z)
    |'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<word>[A-Za-z_]\w*)
    |(?P<sign>[^\s\w])
    |(?P<line>\n)""",
    re.VERBOSE | re.DOTALL,
)
_PARAMETER = re.compile(r"\$\{\s*(params\.\w+)\s*\}|\$(params\.\w+)")
_CONDITION = re.compile(r"\?\s*(['\"])(.*?)\1\s*:\s*(['\"])(.*?)\3\s*\}?\s*\Z", re.DOTALL)
_COMPUTED = "it is computed when the workflow runs"
_REGISTRY_OPTION = (
    "it has no registry here: docker.registry of nextflow.config goes before it, as quay.io"
)


@dataclass(frozen=True, slots=True)
class _Token:
    """A word, a string or a mark of a script, and what stood before the string."""

    kind: str
    text: str
    line: int
    prefix: str = ""


def read(content: bytes, place: Place) -> Iterator[Finding | Remark]:
    """The containers of a Nextflow script or configuration, or of a Snakefile."""
    if len(content) > MAX_CONTENT:
        remedy = "Check that it is a workflow file."
        text = f"only its first {size(MAX_CONTENT)} were read"
        yield Remark(Kind.WORKFLOW, place, text, remedy)
    text = decoded(content[:MAX_CONTENT])
    if not _DIRECTIVE.search(text):
        return  # most scripts of a pipeline name no container
    if _SNAKEMAKE.search(text):
        yield from _snakemake(_tokens(_PYTHON, text), place)
    else:
        yield from _nextflow(_tokens(_TOKEN, text), place)


def _tokens(pattern: re.Pattern[str], text: str) -> list[_Token]:
    tokens: list[_Token] = []
    line, counted = 1, 0
    for found in pattern.finditer(text):
        line, counted = line + text.count("\n", counted, found.start()), found.start()
        kind = str(found.lastgroup)
        if kind != "comment":
            prefix = found["prefix"] if kind == "text" and "prefix" in pattern.groupindex else ""
            tokens.append(_Token(kind, found[kind], line, prefix or ""))
    return tokens


def _inside(text: str) -> str:
    """The text without its quotes."""
    width = 3 if text[:3] in ("'''", '"""') else 1
    return text[width:-width] if len(text) >= 2 * width else ""


# --- Nextflow -------------------------------------------------------------------------------------


def _nextflow(tokens: list[_Token], place: Place) -> Iterator[Finding]:
    parameters, registry = _settings(tokens)
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        if token.kind != "word" or token.text not in ("container", "process.container"):
            continue
        if before is not None and before.kind != "line" and before.text not in "{};":
            continue
        value = _value(tokens, index + 1)
        if value is None:
            continue
        if value.kind == "word":
            if (known := parameters.get(value.text)) is None:
                at = Place(place.path, value.line, place.host)
                yield apart(value.text, Kind.WORKFLOW, at, State.UNRESOLVED, _COMPUTED)
            else:
                yield _by_nextflow(known, value.line, place, registry)
            continue
        raw = _inside(value.text)
        for offset, written in _choices(raw):
            name = _PARAMETER.sub(lambda m: parameters.get(m[1] or m[2], m[0]), written)
            chosen = written is not raw
            yield _by_nextflow(name, value.line + offset, place, registry, chosen=chosen)


def _value(tokens: list[_Token], index: int) -> _Token | None:
    """What `container` is set to: the text or the word that follows it, on its line or after an
    opening sign."""
    if [token.text for token in tokens[index : index + 2]] == ["=", "="]:
        return None
    for token in tokens[index : index + 6]:
        if token.kind == "text":
            return token
        if token.kind == "word":
            return token
        if tokens[index].kind == "line" or (token.kind != "line" and token.text not in "={("):
            return None
    return None


def _choices(raw: str) -> list[tuple[int, str]]:
    """The names in a text, with the lines that stand before them: two where a condition chooses."""
    text = raw.strip()
    if text.startswith("${") and (both := _CONDITION.search(raw)):
        return [(raw.count("\n", 0, both.start(n)), both[n].strip()) for n in (2, 4)]
    return [(0, raw)]


def _by_nextflow(
    name: str, line: int, place: Place, registry: str, *, chosen: bool = False
) -> Finding:
    at = Place(place.path, line, place.host)
    meaning = named(name)
    first = name.strip().partition("/")[0]
    bare = not name.startswith("docker:") and not (
        "." in first or ":" in first or first == "localhost"
    )
    if meaning.reference is not None and bare:
        if registry:
            meaning = named(f"{registry}/{name.strip()}")
        elif chosen:
            meaning = Named(None, State.UNRESOLVED, _REGISTRY_OPTION)
    return mention(name, Kind.WORKFLOW, at, meaning=meaning)


def _settings(tokens: list[_Token]) -> tuple[dict[str, str], str]:
    """The parameters that the file sets to plain texts, as `params.NAME`, and `docker.registry`."""
    parameters: dict[str, str] = {}
    registry = ""
    scopes: list[str] = []
    signs = [token for token in tokens if token.kind != "line"]
    for index, token in enumerate(signs):
        following = [one.text for one in signs[index + 1 : index + 2]]
        if token.text == "{":
            scopes.append(signs[index - 1].text if index else "")
        elif token.text == "}" and scopes:
            scopes.pop()
        elif token.kind == "word" and following == ["="] and index + 2 < len(signs):
            value = signs[index + 2]
            name = ".".join([*scopes[-1:], token.text]) if scopes else token.text
            if value.kind == "text" and "$" not in value.text:
                if name.startswith("params."):
                    parameters.setdefault(name, _inside(value.text))
                elif name in ("docker.registry", "podman.registry", "singularity.registry"):
                    registry = registry or _inside(value.text)
    return parameters, registry


# --- Snakemake ------------------------------------------------------------------------------------


def _snakemake(tokens: list[_Token], place: Place) -> Iterator[Finding]:
    begins = True
    for index, token in enumerate(tokens):
        first, begins = begins, token.kind == "line"
        directive = token.text in ("container", "containerized", "singularity")
        if not (first and token.kind == "word" and directive):
            continue
        if [one.text for one in tokens[index + 1 : index + 2]] != [":"]:
            continue
        value = next((one for one in tokens[index + 2 : index + 8] if one.kind != "line"), None)
        if value is None or value.text == "None":
            continue
        at = Place(place.path, value.line, place.host)
        if value.kind != "text":
            computed = "".join(
                one.text for one in tokens[index + 2 :][:20] if one.line == value.line
            )
            yield apart(computed, Kind.WORKFLOW, at, State.UNRESOLVED, _COMPUTED)
            continue
        name = _inside(value.text)
        if "{" in name and "f" in value.prefix.lower():
            yield apart(name, Kind.WORKFLOW, at, State.UNRESOLVED, _COMPUTED)
        else:
            yield mention(name, Kind.WORKFLOW, at, meaning=named_by_singularity(name))
