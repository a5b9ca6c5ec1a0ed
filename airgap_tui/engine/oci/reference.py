"""Image references: `registry/repository[:tag][@digest]`.

The grammar and the normalisation are those of distribution/reference (reference.go, normalize.go),
with two departures that are wanted for mirroring: a tag is kept beside a digest (pull by digest,
tag with the tag), and an empty registry, as in `ho_st.com/a`, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from airgap_tui.engine.errors import InvalidDigest, InvalidReference
from airgap_tui.engine.oci.digest import Digest

DOCKER_HUB = "docker.io"

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:_|\.|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_REPOSITORY_MAX_BYTES = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """A normalised reference: the registry is always there, and a tag or a digest, or both."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read what people write (`ubuntu`, `nvcr.io/nvidia/cuda:12.4.1-base`, `x@sha256:…`).

        No tag and no digest means `latest`. Raises `InvalidReference` with the reason.
        """
        if not text:
            raise InvalidReference(text, "it is empty")
        if "://" in text:
            raise InvalidReference(
                text, "it begins with a protocol", hint="Leave out what stands before ://"
            )
        rest, at, digest_text = text.partition("@")
        digest = _parse_digest(text, digest_text) if at else None
        if _IMAGE_ID.fullmatch(rest):
            raise InvalidReference(text, "64 hex digits are an image ID, not a name")
        registry, path = _split_registry(rest)
        head, colon, last = path.rpartition(":")
        tag: str | None = None
        if colon and "/" not in last:
            path, tag = head, last
        _check_registry(text, registry)
        if registry == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        _check_repository(text, path)
        if tag is not None and _TAG.fullmatch(tag) is None:
            raise InvalidReference(text, _why_not_a_tag(tag))
        if tag is None and digest is None:
            tag = "latest"
        return cls(registry, path, tag, digest)

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return f"{self.registry}/{self.repository}"

    @property
    def tagged_name(self) -> str:
        """`registry/repository:tag`, or with the digest where there is no tag: the name that the
        content gets on the other side."""
        return f"{self.name}:{self.tag}" if self.tag else f"{self.name}@{self.digest}"

    @property
    def locator(self) -> str:
        """What a manifest is asked by: the digest where there is one, else the tag."""
        return str(self.digest) if self.digest else str(self.tag)

    def pinned(self, digest: Digest) -> Reference:
        """This reference with `digest` beside its tag."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def _parse_digest(text: str, digest: str) -> Digest:
    try:
        return Digest.parse(digest)
    except InvalidDigest as error:
        raise InvalidReference(text, error.message, hint=error.hint) from None


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    named = first == "localhost" or "." in first or ":" in first or first != first.lower()
    if not slash or not named:
        return DOCKER_HUB, text
    if first == "index.docker.io":
        return DOCKER_HUB, rest
    return first, rest


def _check_registry(text: str, registry: str) -> None:
    if _REGISTRY.fullmatch(registry) is None or not _is_address(registry):
        raise InvalidReference(text, f"{registry!r} is not a registry host")


def _is_address(registry: str) -> bool:
    """Whether what stands in brackets, if anything does, is an IPv6 address."""
    if not registry.startswith("["):
        return True
    import ipaddress  # few names have one

    try:
        ipaddress.IPv6Address(registry[1 : registry.index("]")])
    except ValueError:
        return False
    return True


def _check_repository(text: str, repository: str) -> None:
    if _REPOSITORY.fullmatch(repository) is None:
        raise InvalidReference(text, _why_not_a_repository(repository))
    if len(repository) > _REPOSITORY_MAX_BYTES:
        raise InvalidReference(
            text, f"the repository is longer than {_REPOSITORY_MAX_BYTES} characters"
        )


def _why_not_a_repository(repository: str) -> str:
    if not repository:
        return "the repository is missing"
    if any(c.isspace() for c in repository):
        return "there is white space in it"
    if repository != repository.lower():
        return f"capital letters are not allowed in {repository}"
    if "//" in repository or repository.startswith("/") or repository.endswith("/"):
        return "a part between slashes is empty"
    bad = sorted(set(re.sub(r"[a-z0-9._/-]", "", repository)))
    if bad:
        return f"{' '.join(bad)} is not allowed in {repository!r}"
    return (
        f"{repository!r}: each part begins and ends with a letter or digit, joined by . _ __ or -"
    )


def _why_not_a_tag(tag: str) -> str:
    if not tag:
        return "the tag after the colon is missing"
    if len(tag) > 128:
        return "the tag is longer than 128 characters"
    return f"{tag!r} is not a tag: letters, digits, _ . and - only, and neither . nor - first"
