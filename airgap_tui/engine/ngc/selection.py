"""A rule, and what it decides for each tag: chosen or not, and always why.

Globs come first, then what the image must be (Python, versions, platform), then the newest of each
variant. A tag that is not a version is never chosen by a version and never left out in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase

from airgap_tui.engine.errors import InvalidPlatform, UsageError
from airgap_tui.engine.ngc.repository import TaggedImage
from airgap_tui.engine.ngc.versions import Scheme, TagVersion, Version, classify, parse_bound
from airgap_tui.engine.oci.platform import Platform

NOT_A_VERSION = "Not a version"

PlatformsOf = Callable[[TaggedImage], tuple[Platform, ...]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is wanted of a repository; empty fields want nothing. `python` is like `py3`, `latest`
    counts versions in each variant, `architectures` must all be there."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    minimum: str = ""
    maximum: str = ""
    python: str = ""
    latest: int | None = None
    architectures: tuple[str, ...] = ()
    prereleases: bool = False

    def check(self) -> None:
        """Raise `UsageError` for an impossible choice."""
        lowest, highest = self.bounds
        if lowest and highest and lowest > highest:
            raise UsageError(f"no version is from {self.minimum} on and up to {self.maximum}")
        if self.latest is not None and self.latest < 1:
            raise UsageError(f"the newest {self.latest} of each variant are none")
        if self.python and not _python(self.python):
            raise UsageError(f"not a version of Python: {self.python!r}", hint="Write it like py3.")
        _wanted(self)

    @property
    def bounds(self) -> tuple[Version | None, Version | None]:
        """Raises `UsageError` for what is not a version."""
        low = parse_bound(self.minimum) if self.minimum else None
        return low, parse_bound(self.maximum) if self.maximum else None

    @property
    def counts_versions(self) -> bool:
        return bool(self.minimum or self.maximum or self.latest is not None)

    def __str__(self) -> str:
        parts = [f"newest {self.latest} of each variant"] if self.latest is not None else []
        parts += [f"only {' or '.join(self.include)}"] if self.include else []
        parts += [f"without {' and '.join(self.exclude)}"] if self.exclude else []
        parts += [f"from {self.minimum} on"] if self.minimum else []
        parts += [f"up to {self.maximum}"] if self.maximum else []
        parts += [f"for Python {_python(self.python)}"] if self.python else []
        parts += [f"for {' and '.join(self.architectures)}"] if self.architectures else []
        parts += ["with prereleases"] if self.prereleases else []
        return ", ".join(parts) or "every version"


class Standing(IntEnum):
    """How near a tag came to being chosen: the smaller, the less of the rule speaks against it."""

    CHOSEN = 0
    NOT_NEW = 1
    UNFIT = 2
    """For another platform or another Python, or before its release."""
    OTHER_VARIANT = 3
    OTHER_VERSION = 4
    EXCLUDED = 5
    NO_VERSION = 6


@dataclass(frozen=True, slots=True)
class Decision:
    """One tag. `reason` is never empty; `variant` is what follows the version in the tag."""

    image: TaggedImage
    chosen: bool
    reason: str
    version: Version | None = None
    variant: str = ""
    standing: Standing = Standing.CHOSEN


_Against = tuple[Standing, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Every tag of a repository, newest first, then what is not a version. `hidden` counts the tags
    that hold signatures and the like."""

    scheme: Scheme
    decisions: tuple[Decision, ...]
    hidden: int = 0

    @property
    def chosen(self) -> tuple[Decision, ...]:
        return tuple(decision for decision in self.decisions if decision.chosen)


def select(
    images: Iterable[TaggedImage],
    rule: Rule,
    platforms: PlatformsOf = lambda image: image.platforms,
) -> Selection:
    """Decide for each tag. `platforms` is asked, newest first, only where the rule wants
    architectures and nothing else has spoken against the tag."""
    known = {image.tag: image for image in images}
    classified = classify(known)
    tags = sorted(classified.tags.values(), key=lambda tag: tag.tag)
    tags.sort(key=lambda tag: tag.variant)
    versioned = [tag for tag in tags if tag.version is not None]
    versioned.sort(key=lambda tag: tag.version or Version(()), reverse=True)
    ordered = versioned + [tag for tag in tags if tag.version is None]
    judge = _Judge(rule, any(tag.python for tag in tags), platforms)
    decisions = tuple(judge.decide(tag, known[tag.tag]) for tag in ordered)
    return Selection(classified.scheme, decisions, len(classified.hidden))


class _Judge:
    """Takes the tags of one repository, newest first."""

    def __init__(self, rule: Rule, names_python: bool, platforms: PlatformsOf) -> None:
        self._rule = rule
        self._lowest, self._highest = rule.bounds
        self._python = _python(rule.python) if names_python else ""
        self._wanted = _wanted(rule)
        self._platforms = platforms
        self._taken: dict[str, list[Version]] = {}

    def decide(self, tag: TagVersion, image: TaggedImage) -> Decision:
        against = self._against(tag, image)
        standing, reason = against or (Standing.CHOSEN, self._for(tag))
        return Decision(image, against is None, reason, tag.version, tag.variant, standing)

    def _against(self, tag: TagVersion, image: TaggedImage) -> _Against | None:
        rule, version = self._rule, tag.version
        for glob in rule.exclude:
            if fnmatchcase(tag.tag, glob):
                return Standing.EXCLUDED, f"Excluded by {glob}"
        if rule.include and not any(fnmatchcase(tag.tag, glob) for glob in rule.include):
            if version is None:
                return Standing.NO_VERSION, NOT_A_VERSION
            return Standing.OTHER_VARIANT, "Other variant"
        if version is None:
            # Only a glob can mean it: by its whole name, or where no version is asked for.
            if tag.tag not in rule.include and (rule.counts_versions or not rule.include):
                return Standing.NO_VERSION, NOT_A_VERSION
        else:
            against = self._against_version(version, named=tag.tag in rule.include)
            if against is not None:
                return against
        if self._python and not _same_python(tag.python, self._python):
            return Standing.UNFIT, f"Not for Python {self._python}"
        if version is not None and self._beyond(tag.variant, version):
            return Standing.NOT_NEW, f"Beyond newest {rule.latest}"
        unfit = self._against_platforms(image)
        if unfit:
            return Standing.UNFIT, unfit
        if version is not None:
            taken = self._taken.setdefault(tag.variant, [])
            if version not in taken:
                taken.append(version)
        return None

    def _against_version(self, version: Version, *, named: bool) -> _Against | None:
        rule = self._rule
        if self._lowest is not None and version.before(self._lowest):
            return Standing.OTHER_VERSION, f"Before {rule.minimum}"
        if self._highest is not None and version.after(self._highest):
            return Standing.OTHER_VERSION, f"After {rule.maximum}"
        meant = named or rule.prereleases or (rule.include and not rule.counts_versions)
        if version.prerelease and not meant:
            return Standing.UNFIT, "Prerelease"
        return None

    def _beyond(self, variant: str, version: Version) -> bool:
        taken = self._taken.get(variant, [])
        latest = self._rule.latest
        return latest is not None and version not in taken and len(taken) >= latest

    def _against_platforms(self, image: TaggedImage) -> str:
        if not self._wanted:
            return ""
        there = self._platforms(image)
        if not there:
            return "Platforms not known"
        missing = [
            wanted.architecture
            for wanted in self._wanted
            if not any(platform.matches(wanted) for platform in there)
        ]
        return f"Not for {' and '.join(missing)}" if missing else ""

    def _for(self, tag: TagVersion) -> str:
        rule = self._rule
        if tag.version is None or tag.tag in rule.include:
            return "Named" if tag.tag in rule.include else f"Fits {_first_fit(tag.tag, rule)}"
        if rule.latest is not None:
            return _ordinal(self._taken[tag.variant].index(tag.version) + 1)
        if rule.minimum:
            end = f" up to {rule.maximum}" if rule.maximum else " on"
            return f"From {rule.minimum}{end}"
        if rule.maximum:
            return f"Up to {rule.maximum}"
        return f"Fits {_first_fit(tag.tag, rule)}" if rule.include else "Every version"


def _first_fit(tag: str, rule: Rule) -> str:
    return next(glob for glob in rule.include if fnmatchcase(tag, glob))


def _ordinal(number: int) -> str:
    if number == 1:
        return "Newest"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending} newest"


def _python(text: str) -> str:
    """`py3` and `3` are Python 3; empty where it is not a version of Python."""
    number = text.strip().lower().removeprefix("python").removeprefix("py")
    return number if number and all(part.isdecimal() for part in number.split(".")) else ""


def _same_python(named: str, wanted: str) -> bool:
    """Whether a tag's `310` or `3.10` is the wanted `3` or `3.10`."""
    return named.replace(".", "").startswith(wanted.replace(".", ""))


def _wanted(rule: Rule) -> Sequence[Platform]:
    try:
        return [Platform.parse(text) for text in rule.architectures]
    except InvalidPlatform as error:
        raise UsageError(error.message, hint="Write it like amd64 or arm64.") from None
