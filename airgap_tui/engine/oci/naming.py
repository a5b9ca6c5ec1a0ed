"""Which name an image gets in a registry of the offline side.

`nvcr.io/nvidia/pytorch:T` becomes `REGISTRY/PREFIX/nvidia/pytorch:T`, or with the source registry
kept in the path `REGISTRY/PREFIX/nvcr.io/nvidia/pytorch:T`; own rules come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from airgap_tui.engine.errors import InvalidReference, NameConflict, UsageError
from airgap_tui.engine.oci.reference import DOCKER_HUB, Reference

_PORT = re.compile(r":[0-9]+")
_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class Rule:
    """Names that are `source`, or lie below it, get `target` in its place.

    Both are `registry[/path]` or a path alone, without tags, compared by whole path components.
    """

    source: str
    target: str

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read `FROM=TO`, as in `nvcr.io/nvidia=mirror/nv`; raise `UsageError` otherwise."""
        source, equals, target = text.partition("=")
        source, target = source.strip().strip("/"), target.strip().strip("/")
        if not equals or not source:
            raise UsageError(
                f"not a mapping: {text!r}", hint="Write it like --map nvcr.io/nvidia=mirror/nvidia."
            )
        return cls(source, target)

    def apply(self, name: str) -> str | None:
        """The name with its beginning replaced, or None where the rule does not apply."""
        if name == self.source:
            return self.target
        rest = name.removeprefix(f"{self.source}/")
        if rest == name:
            return None
        return f"{self.target}/{rest}" if self.target else rest


@dataclass(frozen=True, slots=True)
class Naming:
    """Names in `registry` below `prefix`. The first rule that fits decides over the path."""

    registry: str
    prefix: str = ""
    keep_registry: bool = False
    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, text: str, *, keep_registry: bool = False, maps: Sequence[str] = ()) -> Naming:
        """Read `registry[:port][/prefix]`; raise `UsageError` for anything else."""
        registry, _, prefix = text.strip().rstrip("/").partition("/")
        try:
            known = Reference.parse(f"{registry}/{prefix or 'x'}/x")
        except InvalidReference as error:
            raise UsageError(
                f"not a registry: {text!r}: {error.reason}",
                hint="Write it like registry.lan:5000 or harbor.lan/project.",
            ) from None
        if known.registry != registry:
            raise UsageError(
                f"not a registry: {text!r}: {registry!r} reads like a namespace of Docker Hub",
                hint=f"Add the port, like {registry}:5000, or the domain.",
            )
        rules = tuple(Rule.parse(rule) for rule in maps)
        return cls(registry, prefix, keep_registry, rules)

    def target(self, reference: Reference) -> Reference:
        """The name that this reference gets; its tag and digest stay."""
        path = self._path(reference)
        repository = f"{self.prefix}/{path}" if self.prefix else path
        try:
            Reference.parse(f"{self.registry}/{repository}")
        except InvalidReference as error:
            raise UsageError(
                f"{reference} cannot be named {repository!r}: {error.reason}"
            ) from None
        return replace(reference, registry=self.registry, repository=repository)

    def assign(self, references: Iterable[Reference]) -> dict[Reference, Reference]:
        """Each reference with its new name; raise `NameConflict` where two would get the same."""
        taken: dict[str, Reference] = {}
        result: dict[Reference, Reference] = {}
        for reference in references:
            target = self.target(reference)
            other = taken.setdefault(target.tagged_name, reference)
            if other != reference:
                raise NameConflict(
                    f"{other} and {reference} would both become {target.tagged_name}",
                    hint="Use --keep-registry, which keeps the source registry in the path,"
                    " or --map FROM=TO.",
                )
            result[reference] = target
        return result

    def _path(self, reference: Reference) -> str:
        for rule in self.rules:
            mapped = rule.apply(reference.name)
            if mapped is None:
                mapped = rule.apply(reference.repository)
            if mapped is not None:
                return mapped
        if self.keep_registry:
            return f"{as_path(reference.registry)}/{reference.repository}"
        return reference.repository


def project_of(repository: str) -> str:
    """The first component of a repository's path, which some registries keep rights for."""
    return repository.partition("/")[0]


def one_of_each_project(repositories: Iterable[str]) -> dict[str, str]:
    """Each project with the first of these repositories that is in it."""
    found: dict[str, str] = {}
    for repository in repositories:
        found.setdefault(project_of(repository), repository)
    return found


def parse_registry(text: str) -> str:
    """A registry as references have it; raise `UsageError` for anything else."""
    return DOCKER_HUB if text.strip() in _HUB_HOSTS else Naming.parse(text).registry


def as_path(registry: str) -> str:
    """A registry as the beginning of a repository, which takes no colon and no capitals:
    `reg:5000` becomes `reg_5000`."""
    return _PORT.sub(lambda port: f"_{port[0][1:]}", registry.lower())
