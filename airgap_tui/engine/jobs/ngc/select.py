"""`ngc select`: tags by rule, each with its reason, and the list of those that were chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine import images_list
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    EnvironmentFailure,
    NotFound,
    Stopped,
)
from airgap_tui.engine.events import ItemChanged, ItemState, JobFinished, JobStarted, Sink
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.ngc.access import Listing, Ngc, open_ngc
from airgap_tui.engine.jobs.ngc.choice import Choice, RepositoryChoice, SelectResult
from airgap_tui.engine.jobs.ngc.scope import names_of, scopes
from airgap_tui.engine.jobs.ngc.select_spec import SelectSpec
from airgap_tui.engine.jobs.ngc.since import Since
from airgap_tui.engine.ngc import descriptions, replicator
from airgap_tui.engine.ngc.repository import RepositoryName, TaggedImage
from airgap_tui.engine.ngc.selection import Rule
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.redaction import redact

_VERB = "ngc select"
_TITLE = "Chosen from NGC by  airgap-tui ngc select"
_LISTINGS = 4
_LOOKUPS = 8
_ONLY_DESCRIBED = "In the catalogue, not in the registry"


def run(
    spec: SelectSpec, sink: Sink, token: CancelToken, credentials: CredentialStore | None = None
) -> SelectResult:
    """Raises `UsageError` for an invalid rule or file, `NotFound` where no repository
    fits, and `EnvironmentFailure` where the list cannot be written; a repository or a tag that
    fails is told in the result."""
    spec.check()
    replicated = replicator.read_state(spec.replicator_state) if spec.replicator_state else None
    since = Since(spec.since, replicated)
    external = replicator.read_external_images(spec.external) if spec.external else ()
    notes = [replicated.explain()] if replicated is not None else []
    with open_ngc(spec.settings, sink, token, credentials) as ngc:
        choosing = _Choosing(ngc, since, sink, token)
        wanted = scopes(spec, ngc, token, notes)
        names = names_of(wanted)
        sink(JobStarted(_VERB, ngc.registry, names))
        listings = dict(zip(names, choosing.listings(names), strict=True))
        repositories = _joined(
            choosing.repository(listings[name], rule, offered=scope.offered)
            for scope in wanted
            for name, rule in scope.rules(listings)
        )
        others = in_parallel(choosing.external, external, _LOOKUPS, token)
        result = SelectResult(repositories, ngc.scope, tuple(others))
        if spec.descriptions is not None:
            written = tuple(_described(spec.descriptions, repositories, ngc, notes, token))
            result = replace(result, descriptions=written)
    hidden = sum(one.hidden for one in repositories)
    if hidden:
        notes.append(
            f"Not shown: {count(hidden, 'tag')} with signatures and attestations;"
            " save --with-signatures carries those of the images."
        )
    result = replace(result, notes=tuple(map(redact, notes)))
    if spec.target is not None:
        _write(spec.target, result)
        result = replace(result, written=spec.target)
    sink(JobFinished(_VERB, result.exit_code))
    return result


class _Choosing:
    """What every step of one run needs."""

    def __init__(self, ngc: Ngc, since: Since, sink: Sink, token: CancelToken) -> None:
        self._ngc = ngc
        self._since = since
        self._sink = sink
        self._token = token

    def listings(self, names: Sequence[str]) -> list[Listing]:
        def one(name: str) -> Listing:
            self._sink(ItemChanged(name, ItemState.RESOLVING))
            return self._ngc.listing(RepositoryName.parse(name, self._ngc.registry), self._token)

        return in_parallel(one, names, _LISTINGS, self._token)

    def repository(self, listing: Listing, rule: Rule, *, offered: bool) -> RepositoryChoice:
        """The decisions about one; it is not a failure that a preset offers what is gone."""
        name, error = str(listing.name), listing.registry_error
        if error is not None:
            denied = isinstance(error, AccessDenied) and error.status == 403
            gone = offered and (denied or isinstance(error, NotFound))
            state = ItemState.LEFT_OUT if gone else ItemState.FAILED
            self._sink(ItemChanged(name, state, redact(error.message)))
            return RepositoryChoice(
                name, str(rule), (), state, error=error, catalogue_error=listing.catalogue_error
            )
        selection = self._ngc.select(listing, rule, self._token)
        chosen = [self._named(listing, decision.image) for decision in selection.chosen]
        asked = in_parallel(self._digest, chosen, _LOOKUPS, self._token)
        digests = dict(zip(chosen, asked, strict=True))
        choices = []
        for decision in selection.decisions:
            reference = self._named(listing, decision.image)
            choice = Choice(reference, decision.image, decision.chosen, decision.reason)
            if decision.chosen:
                choice = self._settled(choice, digests[reference])
            choices.append(choice)
        choices += [
            Choice(self._named(listing, image), image, False, _ONLY_DESCRIBED)
            for image in sorted(listing.unlisted, key=lambda image: image.tag)
        ]
        self._sink(ItemChanged(name, ItemState.DONE))
        return RepositoryChoice(
            name,
            str(rule),
            tuple(choices),
            scheme=selection.scheme.value,
            hidden=selection.hidden,
            catalogue_error=listing.catalogue_error,
        )

    def external(self, reference: Reference) -> Choice:
        """An image of another registry; nothing but its digest is known of it."""
        choice = Choice(reference, TaggedImage(reference.tag or ""), True, "External image")
        return self._settled(choice, self._digest(reference))

    def _named(self, listing: Listing, image: TaggedImage) -> Reference:
        return listing.name.reference(self._ngc.registry, image.tag)

    def _digest(self, reference: Reference) -> Digest | AirgapError:
        return _tried(lambda: self._ngc.digest(reference, self._token))

    def _settled(self, choice: Choice, found: Digest | AirgapError) -> Choice:
        if isinstance(found, AirgapError):
            message = redact(found.message)
            self._sink(ItemChanged(str(choice.reference), ItemState.FAILED, message))
            return replace(choice, chosen=False, reason="Cannot be pulled", error=found)
        verdict = self._since.judge(choice.reference, choice.image, found, choice.reason)
        return replace(choice, chosen=verdict.chosen, reason=verdict.reason, digest=found)


def _tried(ask: Callable[[], Digest]) -> Digest | AirgapError:
    try:
        return ask()
    except Stopped:
        raise
    except AirgapError as error:
        return error


def _joined(parts: Iterable[RepositoryChoice]) -> tuple[RepositoryChoice, ...]:
    """One entry for each repository: a tag that any rule chooses is chosen."""
    joined: dict[str, RepositoryChoice] = {}
    for one in parts:
        known = joined.setdefault(one.name, one)
        if known is one or one.error is not None:
            continue
        choices = tuple(
            second if second.chosen and not first.chosen else first
            for first, second in zip(known.choices, one.choices, strict=True)
        )
        joined[one.name] = replace(known, choices=choices, rule=f"{known.rule}; or {one.rule}")
    return tuple(joined.values())


def _described(
    directory: Path,
    repositories: Iterable[RepositoryChoice],
    ngc: Ngc,
    notes: list[str],
    token: CancelToken,
) -> Iterator[Path]:
    """Write the descriptions of what was chosen; what cannot be had is noted."""
    for one in repositories:
        if not any(choice.chosen for choice in one.choices):
            continue
        name = RepositoryName.parse(one.name, ngc.registry)
        try:
            readme = ngc.catalogue.repository(name, token).readme
        except Stopped:
            raise
        except AirgapError as error:
            notes.append(f"The description of {name} is not to be had: {error.message}")
            continue
        if readme.strip():
            yield descriptions.write(directory, name, readme)
        else:
            notes.append(f"{name} has no description in the catalogue.")


def _write(target: Path, result: SelectResult) -> None:
    """Write the list anew; to one that is not of this verb add what is new, as `discover` does."""
    lines = [_TITLE]
    lines += [f"  {one.name}: {one.rule}" for one in result.repositories if one.error is None]
    failed = [one for one in result.results if not one.succeeded]
    lines += [f"Missing here: {one.reference}: {one.error}" for one in failed]
    chosen = result.chosen
    if not chosen:
        lines.append("Nothing was chosen.")
    notes = {choice.reference: choice.note for choice in chosen}
    try:
        if _may_be_replaced(target):
            images_list.write(target, notes, "\n".join(lines), notes)
        else:
            additions = [images_list.Addition(name, note) for name, note in notes.items()]
            images_list.update(target, additions, "\n".join(lines))
    except OSError as error:
        raise EnvironmentFailure(f"{target} cannot be written: {error.strerror}") from None


def _may_be_replaced(target: Path) -> bool:
    if not target.exists():
        return True
    content = images_list.read(target).content
    text = content if isinstance(content, str) else content.decode(errors="replace")
    return not text.strip() or text.startswith(f"# {_TITLE}")
