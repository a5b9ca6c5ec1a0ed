"""Tags as versions: which scheme a repository follows, and how two of its tags compare.

A tag alone does not tell: `11.1-devel-ubuntu16.04` could be November's. So the scheme is decided
from all tags of a repository. Versions are integers compared one by one, 25.10 after 25.9; what
follows them, such as `-py3-igpu`, is the variant, and only within one variant is there a newest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from airgap_tui.engine.errors import UsageError

_NUMBERS = r"[0-9]{1,18}(?:\.[0-9]{1,18})*"
_FIRST = re.compile(rf"([vr]?)({_NUMBERS})(?=\Z|[^0-9.]|\.[a-z])")
_FURTHER = re.compile(r"-([0-9]{1,4}(?:\.[0-9]{1,9})*)(?=$|[-_+])")
_STAGE = re.compile(
    r"(?:[-._]?(alpha|beta|rc|dev|pre|preview|nightly|post)|(a|b))[-._]?([0-9]{1,9})?(?=$|[-_.+])"
)
_STAGES = {
    "dev": 0, "nightly": 0, "pre": 1, "preview": 1, "alpha": 2, "a": 2, "beta": 3, "b": 3, "rc": 4,
}  # fmt: skip
_RELEASE = (9,)
_POST = 10
_MONTH = re.compile(r"(1[7-9]|[2-9][0-9])\.(0?[1-9]|1[0-2])(\.[0-9]+)?(?![0-9.])")
_NOT_AN_IMAGE = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.[a-z0-9.-]+)?")
_CUDA_FLAVOURS = frozenset({"base", "runtime", "devel"})
_CUDA_SYSTEM = re.compile(r"(?:ubuntu|ubi|centos|rockylinux|opensuse|l4t)[0-9.]*")
_PYTHON = re.compile(r"py(?:thon)?([0-9][0-9.]*)")
_MOST = 0.8
_LONE_NUMBER = 1000


class Scheme(str, Enum):
    """How a repository counts."""

    MONTH = "month"
    """`25.06`: year and month of the release."""
    CUDA = "cuda"
    """`12.9.1-devel-ubuntu24.04`: CUDA's version, then what is in it."""
    SEMVER = "semver"
    """`1.2.3`, `v0.19.0`, `r35.2.1`."""
    OPAQUE = "opaque"
    """No tag is a version."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """`numbers` are one group for `1.2.3`, two for `3.3.5-3.4.1`, without zeros at their ends, so
    that 1.2 equals 1.2.0. `stage` orders what comes before and after a release."""

    numbers: tuple[tuple[int, ...], ...]
    stage: tuple[int, ...] = _RELEASE
    text: str = field(default="", compare=False)

    @property
    def prerelease(self) -> bool:
        return self.stage < _RELEASE

    @property
    def month(self) -> tuple[int, int] | None:
        """Year and month, where it is one of those."""
        match = _MONTH.match(self.text)
        return (2000 + int(match[1]), int(match[2])) if match else None

    def before(self, bound: Version) -> bool:
        """Whether it is older than a bound; what the bound does not name does not count."""
        return self._towards(bound) < bound

    def after(self, bound: Version) -> bool:
        return self._towards(bound) > bound

    def _towards(self, bound: Version) -> Version:
        return Version(self.numbers[: len(bound.numbers)], self.stage)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TagVersion:
    """What a tag says by itself. `version` is None where it is none in its repository's scheme."""

    tag: str
    version: Version | None
    variant: str = ""

    @property
    def python(self) -> str:
        """The version of Python that the tag names, as `3` or `3.11`."""
        found = (_PYTHON.fullmatch(part) for part in re.split(r"[-_]", self.tag))
        return next((match[1] for match in found if match), "")


@dataclass(frozen=True, slots=True)
class Classification:
    """All tags of a repository; those of signatures and the like are `hidden`."""

    scheme: Scheme
    tags: Mapping[str, TagVersion]
    hidden: tuple[str, ...] = ()


def is_image(tag: str) -> bool:
    """False for tags that hold signatures, attestations and lists of them."""
    return _NOT_AN_IMAGE.fullmatch(tag) is None


def parse_bound(text: str) -> Version:
    """A version as a person types it, `25.9` or `v1.2`. Raises `UsageError`."""
    version, variant = _split(text.strip())
    if version is None or variant:
        raise UsageError(
            f"not a version: {text!r}", hint="Write numbers with points, like 25.06 or 12.4.1."
        )
    return version


def classify(tags: Collection[str]) -> Classification:
    """Decide the scheme from all tags, and then what each tag is in it."""
    images = [tag for tag in tags if is_image(tag)]
    parsed = {tag: _split(tag) for tag in images}
    scheme = _scheme(parsed)
    dotted = any(version and _is_dotted(version) for version, _variant in parsed.values())

    def fits(version: Version) -> bool:
        if scheme is Scheme.MONTH:
            return version.month is not None
        if _is_dotted(version) or version.text[:1] in ("v", "r"):
            return scheme is not Scheme.OPAQUE
        # `20240611` beside `1.2.3` counts something else.
        return not dotted or version.numbers < ((_LONE_NUMBER,),)

    known = {}
    for tag, (version, variant) in parsed.items():
        if version is not None and fits(version):
            known[tag] = TagVersion(tag, version, variant)
        else:
            known[tag] = TagVersion(tag, None)
    return Classification(scheme, known, tuple(tag for tag in tags if not is_image(tag)))


def _scheme(parsed: Mapping[str, tuple[Version | None, str]]) -> Scheme:
    versions = [(version, variant) for version, variant in parsed.values() if version is not None]
    if not versions:
        return Scheme.OPAQUE
    cuda = sum(_is_cuda(variant) for _version, variant in versions)
    if cuda * 2 > len(versions):
        return Scheme.CUDA
    dotted = [version for version, _variant in versions if _is_dotted(version)]
    months = sum(version.month is not None for version in dotted)
    if dotted and months >= _MOST * len(dotted):
        return Scheme.MONTH
    return Scheme.SEMVER


def _is_dotted(version: Version) -> bool:
    return "." in version.text


def _is_cuda(variant: str) -> bool:
    parts = variant.split("-")
    return not _CUDA_FLAVOURS.isdisjoint(parts) and any(map(_CUDA_SYSTEM.fullmatch, parts))


def _split(tag: str) -> tuple[Version | None, str]:
    """The version that a tag begins with, and the rest."""
    first = _FIRST.match(tag)
    if first is None:
        return None, ""
    groups, end = [first[2]], first.end()
    while True:
        further = _FURTHER.match(tag, end)
        if further is None:
            break
        groups.append(further[1])
        end = further.end()
    stage: tuple[int, ...] = _RELEASE
    named = _STAGE.match(tag, end)
    if named is not None:
        word, count = named[1] or named[2], int(named[3] or 0)
        stage = (_POST, count) if word == "post" else (_STAGES[word], count)
        end = named.end()
    rest = tag[end:]
    if rest and rest[0] not in "-_+.":
        return None, ""
    text = first[1] + "-".join(groups) + (named[0] if named else "")
    return Version(tuple(map(_integers, groups)), stage, text), rest


def _integers(text: str) -> tuple[int, ...]:
    numbers = [int(number) for number in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
