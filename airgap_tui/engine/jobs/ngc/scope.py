"""Which repositories a selection looks at, and the rule that holds for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound
from airgap_tui.engine.jobs.ngc.access import Listing, Ngc
from airgap_tui.engine.jobs.ngc.select_spec import SelectSpec
from airgap_tui.engine.ngc.presets import Part, first_month, preset
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.ngc.selection import Rule
from airgap_tui.engine.ngc.versions import Scheme, classify

_DEFAULT_PROJECT = "nvidia"
_MAX_REPOSITORIES = 5000


@dataclass(frozen=True, slots=True)
class Scope:
    """Some repositories and their rule. Those of a preset are `offered`: one that NGC no longer has
    is not a failure. `months` keeps the newest so many months of all of them."""

    repositories: tuple[str, ...]
    rule: Rule
    months: int = 0
    offered: bool = False

    def rules(self, listings: Mapping[str, Listing]) -> Iterator[tuple[str, Rule]]:
        """Each repository with its rule; "two months" become a version here."""
        classified = {
            name: classify([image.tag for image in listings[name].images])
            for name in self.repositories
        }
        first = first_month(classified.values(), self.months) if self.months else ""
        for name, known in classified.items():
            rule = self.rule
            if self.months and known.scheme is Scheme.MONTH:
                rule = replace(rule, minimum=first)
            elif self.months:
                rule = replace(rule, latest=self.months)
            yield name, rule


def scopes(spec: SelectSpec, ngc: Ngc, token: CancelToken, notes: list[str]) -> list[Scope]:
    """Raises `NotFound` where a project has nothing that fits; `notes` gets what is worth saying.

    What is asked about versions takes the place of a preset's months.
    """
    found = [_offered(part, spec.rule) for name in spec.presets for part in preset(name).parts]
    named = [RepositoryName.parse(name, ngc.registry).path for name in spec.repositories]
    if spec.project or spec.images:
        named += _of_project(spec, ngc, token, notes)
    if named:
        found.append(Scope(tuple(dict.fromkeys(named)), spec.rule))
    return found


def names_of(found: Iterable[Scope]) -> tuple[str, ...]:
    """Every repository once."""
    return tuple(dict.fromkeys(name for scope in found for name in scope.repositories))


def _offered(part: Part, own: Rule) -> Scope:
    """A preset's part, with what was asked for besides over its rule."""
    usual = Rule()
    names = (field.name for field in fields(Rule))
    asked = {n: getattr(own, n) for n in names if getattr(own, n) != getattr(usual, n)}
    rule = replace(part.rule, **asked)
    return Scope(part.repositories, rule, 0 if own.counts_versions else part.months, offered=True)


def _of_project(spec: SelectSpec, ngc: Ngc, token: CancelToken, notes: list[str]) -> list[str]:
    project = spec.project or _DEFAULT_PROJECT
    names = [str(one.name) for one in ngc.catalogue.repositories(project, token)]
    if not spec.images:
        fitting = names
    elif spec.strict:
        wanted = {image.strip().rpartition("/")[2] for image in spec.images}
        fitting = [name for name in names if name.rpartition("/")[2] in wanted]
    else:
        fitting = [name for name in names if any(image in name for image in spec.images)]
        exact = [name for name in fitting if name.rpartition("/")[2] in spec.images]
        if exact and len(exact) < len(fitting):
            others = ", ".join(name for name in fitting if name not in exact)
            notes.append(f"{others} only hold the text; --strict-name-match leaves them out.")
    if not fitting:
        which = f" whose name {'is' if spec.strict else 'holds'} {' or '.join(spec.images)}"
        raise NotFound(
            f"{project} has no repository{which if spec.images else ' that is shown'}",
            hint=f"airgap-tui ngc search {' '.join(spec.images) or project} lists what there is.",
        )
    return sorted(fitting)[:_MAX_REPOSITORIES]
