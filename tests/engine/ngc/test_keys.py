"""Keys: straight or by way of a token, what they open, and where they are never sent."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import NGC_USERNAME, Credential
from airgap_tui.engine.errors import AccessDenied, ConnectionFailure, TemporaryFailure
from airgap_tui.engine.events import discard
from airgap_tui.engine.ngc.connection import Connection, Question
from airgap_tui.engine.ngc.keys import Caller, Key, KeyKind, Organisation, fits, kind_of
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.settings import NgcAddresses
from tests.engine.ngc.conftest import OpenCatalogue, key_of
from tests.engine.registry.exchange import QUICK
from tests.fakes import faults
from tests.fakes.ngc import KEY, LEGACY_KEY, FakeNgc, Host
from tests.fakes.registry import Answer, failure

RETIRED = "0123456789abcdefghij" * 2


def secrets_in(ngc_host: Host, *secrets: str) -> list[str]:
    """The requests of a host that hold one of these, in any form."""
    forms = [*secrets]
    forms += [base64.b64encode(f"{NGC_USERNAME}:{one}".encode()).decode() for one in secrets]
    return [
        seen.path
        for seen in ngc_host.requests
        for text in [f"{seen.path} {seen.headers} {seen.body!r}"]
        if any(form in text for form in forms)
    ]


def test_a_personal_key_goes_straight(ngc: FakeNgc, token: CancelToken) -> None:
    key = key_of(ngc, ngc.key(KEY, acme=("hpc",), other=()))
    assert key.kind is KeyKind.SCOPED
    found = key.caller(token)
    acme = Organisation("acme", "ACME", ("hpc",))
    assert found == Caller("PERSONAL_KEY", (acme, Organisation("other", "OTHER")))
    (asked,) = ngc.api.seen("POST", "get-caller-info")
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert ngc.authn.requests == []
    key.close()


def test_a_service_key_has_the_organisation_that_it_is_of(ngc: FakeNgc, token: CancelToken) -> None:
    key = key_of(ngc, ngc.key(KEY, "SERVICE_KEY", acme=()))
    assert key.caller(token) == Caller("SERVICE_KEY", (Organisation("acme"),))
    key.close()


def test_an_older_key_is_exchanged_once_for_each_organisation(
    ngc: FakeNgc, token: CancelToken
) -> None:
    key = key_of(ngc, ngc.key(LEGACY_KEY, acme=("hpc",)))
    assert key.kind is KeyKind.LEGACY
    assert key.caller(token).organisations == (Organisation("acme", "", ("hpc",)),)
    first = key.authorization("acme", "hpc", token)
    assert key.authorization("acme", "hpc", token) == first
    asked = [seen.query["scope"] for seen in ngc.authn.seen("GET", "^/token")]
    assert asked == [["group/ngc"], ["group/ngc:acme"], ["group/ngc:acme", "group/ngc:acme/hpc"]]
    assert secrets_in(ngc.api, LEGACY_KEY) == []
    key.close()


def test_a_token_without_a_lifetime_is_for_one_use(ngc: FakeNgc, token: CancelToken) -> None:
    key = key_of(ngc, ngc.key(LEGACY_KEY, acme=()))
    for lifetime in ("", ', "expires_in": "soon"', ', "expires_in": -1'):
        body = f'{{"token": "abc"{lifetime}}}'.encode()
        ngc.authn.script("GET", "^/token", faults.changed(partial(replace, body=body)))
        assert key.authorization("acme", "", token) == "Bearer abc"
    key.authorization("acme", "", token)
    assert len(ngc.authn.requests) == 4
    key.close()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"token": 1}', b'{"token": "a\\nb"}'])
def test_what_is_no_token(ngc: FakeNgc, token: CancelToken, body: bytes) -> None:
    key = key_of(ngc, ngc.key(LEGACY_KEY, acme=()))
    ngc.authn.script("GET", "^/token", lambda _seen, _honest: Answer(200, body=body))
    with pytest.raises(ConnectionFailure, match="without a token"):
        key.authorization("acme", "", token)
    key.close()


@pytest.mark.parametrize("key", [KEY, LEGACY_KEY])
def test_a_key_that_is_wrong_revoked_or_expired(ngc: FakeNgc, token: CancelToken, key: str) -> None:
    known = key_of(ngc, key)
    with pytest.raises(AccessDenied, match="refused the key from the test") as refused:
        known.caller(token)
    assert refused.value.status == 401
    assert "wrong, revoked or expired" in refused.value.message
    assert f"airgap-tui login {ngc.registry.host}" in refused.value.hint
    assert key not in refused.value.message
    known.close()


def test_a_key_of_the_retired_registry_is_refused_unasked() -> None:
    with pytest.raises(AccessDenied, match="40-character key"):
        kind_of(RETIRED, "the test")


@pytest.mark.parametrize("text", ["nvapi-a b", "nvapi-a\r\nX-Header: b", "nvapi-ä"])
def test_what_can_be_no_key(text: str) -> None:
    with pytest.raises(AccessDenied, match="cannot be a key"):
        kind_of(text, "the test")


NVIDIAS = NgcAddresses()


@pytest.mark.parametrize(
    ("addresses", "right"),
    [
        (NVIDIAS, True),
        (replace(NVIDIAS, api="https://api.ngc.nvidia.com:443"), True),
        (replace(NVIDIAS, api="https://api.ngc.nvidia.com.evil.example"), False),
        (replace(NVIDIAS, api="https://evilapi.ngc.nvidia.com"), False),
        (replace(NVIDIAS, api="https://api.ngc.nvidia.com:444"), False),
        (replace(NVIDIAS, api="http://api.ngc.nvidia.com"), False),
        (replace(NVIDIAS, authn="https://authn.nvidia.com@evil.example"), False),
        (replace(NVIDIAS, authn="https://127.0.0.1"), False),
    ],
)
def test_a_key_of_nvcr_io_goes_to_nvidia_alone(addresses: NgcAddresses, right: bool) -> None:
    credential = Credential(NGC_USERNAME, KEY, "the test")
    assert fits(credential, addresses) is right
    if not right:
        with pytest.raises(AccessDenied, match="is not a key for"):
            Key(credential, addresses, QUICK, discard)


def test_a_login_with_a_name_is_no_key(ngc: FakeNgc) -> None:
    assert not fits(Credential("robot", KEY, "the test"), ngc.addresses)


def test_no_redirect_takes_the_key_along(
    ngc: FakeNgc, token: CancelToken, catalogue_of: OpenCatalogue
) -> None:
    """Another port is another host."""
    elsewhere = Host(lambda _seen: Answer(200, body=b"{}"))
    catalogue = catalogue_of(ngc, ngc.key(KEY, acme=()))
    away = faults.redirected(elsewhere.url + "{path}")
    ngc.api.script("GET", "/images", away, forever=True)
    catalogue.images(RepositoryName.parse("acme/solver"), token)
    assert elsewhere.seen("GET", "/images")
    assert secrets_in(elsewhere, KEY) == []
    ngc.api.script("POST", "get-caller-info", faults.redirected(elsewhere.url + "{path}"))
    assert catalogue.key is not None
    with pytest.raises(ConnectionFailure, match="redirects a login to another host"):
        catalogue.key.caller(token)
    assert elsewhere.seen("POST") == []
    elsewhere.stop()


def test_an_address_without_tls_is_refused_unless_it_is_here_or_named() -> None:
    with pytest.raises(ConnectionFailure, match="without TLS") as refused:
        Connection("http://ngc.example:8080", QUICK, discard)
    assert "--plain-http ngc.example:8080" in refused.value.hint
    named = replace(QUICK, plain_http=frozenset({"ngc.example:8080"}))
    Connection("http://ngc.example:8080", named, discard).close()


def test_the_key_does_not_show(ngc: FakeNgc) -> None:
    key = key_of(ngc, KEY)
    question = Question("v3", "the key", "POST", {"Authorization": KEY}, KEY.encode())
    assert KEY not in repr(key) + repr(question)
    key.close()


def test_an_outage_is_tried_again_and_then_told(ngc: FakeNgc, token: CancelToken) -> None:
    key = key_of(ngc, ngc.key(KEY, acme=()))
    ngc.api.script("POST", "get-caller-info", faults.status(502), faults.status(503))
    assert key.caller(token).organisations
    ngc.api.script("POST", "get-caller-info", faults.status(503), forever=True)
    with pytest.raises(TemporaryFailure, match="503"):
        key.caller(token)
    key.close()


def test_a_caller_that_may_not_list_teams_sees_its_organisation(
    ngc: FakeNgc, token: CancelToken
) -> None:
    key = key_of(ngc, ngc.key(KEY, acme=("hpc",)))
    ngc.api.script("GET", "/teams", lambda _seen, _honest: failure(403, "DENIED", "no"))
    assert key.caller(token).organisations == (Organisation("acme", "ACME"),)
    key.close()
