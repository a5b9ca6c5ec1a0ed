"""What is said of the NGC catalogue: what matches, what is missing, what was chosen."""

from __future__ import annotations

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide.grammar import sentence
from airgap_tui.engine.guide.ngc_catalogue import Candidates, Search
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.redaction import redact


def catalogue() -> str:
    return "NGC catalogue. Chosen tags join your list; nothing is downloaded yet."


def matching(found: Search, *, short: bool = False) -> str:
    """`3 of 812 match, public images only`; `short` leaves words out of whose images."""
    listed = len(found.repositories)
    scope = found.scope.replace("with your organisations", "with") if short else found.scope
    if found.outage is not None:
        return ""
    if listed < found.total:
        return f"{listed} of {found.total} shown, {scope}"
    if found.words:
        return f"{found.total} of {found.everything} match, {scope}"
    everything = "repository" if found.total == 1 else "repositories"
    return f"{found.total} {everything}, {scope}"


def catalogue_trouble(found: Search | None, candidates: Candidates | None) -> str:
    """What is missing from what the catalogue shows, and why; empty where nothing is."""
    listing = candidates.listing if candidates is not None else None
    outage = found.outage if found is not None else None
    parts = []
    if outage is not None:
        why = f" ({_status(outage)})" if _status(outage) else f": {_said(outage)}"
        parts.append(f"The catalogue does not answer{why}.")
    elif listing is not None and listing.catalogue_error is not None:
        parts.append(f"The catalogue does not tell of it: {_said(listing.catalogue_error)}.")
    if listing is not None and listing.registry_error is not None:
        if listing.images and _status(listing.registry_error) in (401, 403):
            status = _status(listing.registry_error)
            parts.append(f"The registry shows these tags with a login only ({status}).")
            parts.append("You can choose them now; step 2 asks for the login.")
        else:
            parts.append(f"The registry does not list them: {_said(listing.registry_error)}.")
    elif listing is not None and listing.catalogue_error is not None:
        parts.append("Tags come from the registry; dates and sizes are missing.")
    elif outage is not None and found is not None and not found.repositories:
        parts.append("Name a repository whole, as nvidia/pytorch: its registry knows its tags.")
    if found is not None and found.refusal is not None:
        parts.append(f"{sentence(_said(found.refusal))} Only public images are shown.")
    if found is not None and found.refused:
        parts.append(f"Not searched: {'; '.join(map(_said, found.refused))}.")
    return " ".join(parts)


def tags_chosen(candidates: Candidates) -> str:
    """`2 chosen, 22.2 GB before sharing`."""
    chosen = candidates.chosen
    known = [one.image.size for one in chosen if one.image.size]
    text = f"{len(chosen)} chosen"
    if known:
        text += f", {size(sum(known))} before sharing"
    if len(known) < len(chosen):
        unknown = len(chosen) - len(known)
        text += f" and {unknown} of unknown size" if known else ", sizes not known"
    return text


def add_tags(candidates: Candidates | None) -> str:
    """The button: `Add 2 tags`."""
    chosen = len(candidates.chosen) if candidates is not None else 0
    return f"Add {count(chosen, 'tag')}" if chosen else "Add tags"


def _said(error: AirgapError) -> str:
    """An error of elsewhere within a sentence of ours."""
    return redact(error.message).rstrip(".")


def _status(error: AirgapError) -> int:
    """Of the answer that it is about; 0 where there was none."""
    status = getattr(error, "status", 0)
    return status if isinstance(status, int) else 0
