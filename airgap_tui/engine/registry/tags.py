"""Lists tags, page by page (distribution spec, "Listing Tags")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.http.endpoint import check_redirect, joined
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.documents import pull_scope
from airgap_tui.engine.registry.request import Fetched, Request
from airgap_tui.engine.registry.session import Session

_PAGE = 1000
_MAX_PAGE_BYTES = 16 * 1024 * 1024
_MAX_PAGES = 10_000
_LINK = re.compile(r"<([^>]*)>((?:[^,\"]|\"[^\"]*\")*)")
_NEXT = re.compile(r""";\s*rel\s*=\s*"?(?:[^";]*\s)?next(?:\s[^";]*)?"?\s*(?:;|$)""", re.IGNORECASE)


def listed(session: Session, reference: Reference, token: CancelToken) -> Iterator[str]:
    """Every tag once. Only a missing `Link` ends the list: pages may be shorter than asked."""
    path = f"{reference.repository}/tags/list?n={_PAGE}"
    url: str | None = session.endpoint.url(path)
    seen: set[str] = set()
    given: set[str] = set()
    while url is not None and url not in seen and len(seen) < _MAX_PAGES:
        seen.add(url)
        request = Request(
            "GET",
            url,
            reference.repository,
            f"the tags of {reference.name}",
            pull_scope(reference.repository),
            {"Accept": "application/json"},
        )
        answer = session.fetch(request, _MAX_PAGE_BYTES, token)
        for tag in _tags(answer.body, reference):
            if tag not in given:
                given.add(tag)
                yield tag
        url = next_address(answer)


def next_address(answer: Fetched) -> str | None:
    """The whole address of the next page, if there is one. Raises `ConnectionFailure` for one that
    cannot or must not be asked."""
    target = next_page(answer.links)
    if target is None:
        return None
    following = joined(answer.url, target)
    check_redirect(answer.url, following)
    return following


def next_page(links: Iterable[str]) -> str | None:
    """The address that `Link` headers name as `rel="next"`."""
    for header in links:
        for target, parameters in _LINK.findall(header):
            if _NEXT.search(parameters):
                return str(target)
    return None


def _tags(body: bytes, reference: Reference) -> list[str]:
    try:
        value = parse_json(body, f"the list of the tags of {reference.name}")
        listed_tags = value.get("tags") or []
    except (ValueError, AttributeError):
        raise MalformedContent(f"{reference.name}: the list of tags is not JSON") from None
    if not isinstance(listed_tags, list):
        raise MalformedContent(f"{reference.name}: the list of tags is not a list")
    return [tag for tag in listed_tags if isinstance(tag, str)]
