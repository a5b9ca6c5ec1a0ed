"""Logins: anonymous, Basic, tokens with all their quirks, and who may get a secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential, basic
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, ConnectionFailure
from airgap_tui.engine.events import HostPaused
from airgap_tui.engine.http.endpoint import Endpoint
from airgap_tui.engine.http.failures import Answer
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.auth import Authenticator, TokenRequest
from airgap_tui.engine.registry.challenge import Challenge
from airgap_tui.engine.registry.failures import Subject
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.source import RegistrySource
from tests.conftest import EventLog
from tests.engine.registry.conftest import OpenSource, OpenTarget, StartFake
from tests.engine.registry.exchange import QUICK, descriptor, logins, pull, push, read_once, send
from tests.fakes import faults
from tests.fakes.registry import Answer as FakeAnswer
from tests.fakes.registry import FakeRegistry, Seen, Tokens, failure
from tests.images import SampleImage, SampleImages
from tests.services import PATIENCE, wait_for

AMD64 = Platform("linux", "amd64")
SECRET = "a-very-secret-password"


def test_basic(
    start_fake: StartFake, open_source: OpenSource, open_target: OpenTarget,
    sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(basic={"user": SECRET})
    reference = Reference.parse(f"{fake.host}/a/b:1")
    right = logins(fake.host, "user", SECRET)
    push(open_target(fake.host, credentials=right), sample_images.base, reference, token)
    closure = open_source(credentials=right).resolve(reference, AMD64, token)
    assert str(closure.root.digest) == sample_images.base.digest

    with pytest.raises(AccessDenied, match="refused the login from the test") as refused:
        open_source(credentials=logins(fake.host, "user", "wrong")).resolve(reference, AMD64, token)
    assert refused.value.registry == fake.host
    assert refused.value.status == 401
    with pytest.raises(AccessDenied, match="needs a login") as missing:
        open_source().resolve(reference, AMD64, token)
    assert f"airgap-tui login {fake.host}" in missing.value.hint


@pytest.mark.parametrize("secret", ["gr\udcfcn", "\ud800"])
@pytest.mark.parametrize("basic", [True, False])
def test_a_secret_that_is_no_text_is_refused_as_any_wrong_one(
    secret: str, basic: bool,
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    """Bytes of the environment that are not UTF-8, and half a character out of JSON."""
    fake = start_fake(basic={"user": SECRET}) if basic else start_fake(tokens=Tokens())
    reference = Reference.parse(fake.add(sample_images.base))
    for login in (
        Credential("user", secret, "the test"),
        Credential("", "", "the test", identity_token=secret),
    ):
        source = open_source(credentials=CredentialStore({fake.host: login}))
        with pytest.raises(AccessDenied):
            source.resolve(reference, AMD64, token)


def test_anonymous_token(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens())
    reference = Reference.parse(fake.add(sample_images.base))
    closure = source.resolve(reference, AMD64, token)
    assert pull(source, closure, token) == sample_images.base.blobs
    asked = fake.seen("GET", "/token")
    assert len(asked) == 1, "one token is enough for one repository"
    assert asked[0].query == {
        "service": ["fake"],
        "scope": [f"repository:{reference.repository}:pull"],
    }
    assert "Authorization" not in asked[0].headers


@pytest.mark.parametrize(
    "tokens",
    [
        Tokens(service=None),
        Tokens(field_name="access_token"),
        Tokens(content_type="text/plain"),
        Tokens(lifetime=None),
        Tokens(lifetime=0),
        Tokens(lifetime=-5),
        Tokens(lifetime="600"),
        Tokens(lifetime="soon"),
        Tokens(lifetime=10**15),
        Tokens(challenge=lambda url, _scope: f'Bearer realm="{url}/token"'),
        Tokens(challenge=lambda _url, _scope: 'Bearer realm="/token",service=fake'),
        Tokens(challenge=lambda url, s: f'Bearer realm="{url}/token?x=1&scope={s}"'),
        Tokens(challenge=lambda url, s: f'Negotiate, Basic realm=x, Bearer realm="{url}/token"'),
    ],
)
def test_token_services_of_all_kinds(
    tokens: Tokens,
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tokens=tokens)
    first = Reference.parse(fake.add(sample_images.base))
    second = Reference.parse(fake.add(sample_images.docker))
    for reference in (first, second):
        closure = source.resolve(reference, AMD64, token)
        assert closure.blobs
        assert pull(source, closure, token)
    for asked in fake.seen("GET", "/token"):
        repositories = {s.split(":")[1] for s in asked.query["scope"]}
        assert len(repositories) == 1, "a token is asked for one repository, not for those before"


def test_a_realm_with_a_query_keeps_it(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    tokens = Tokens(challenge=lambda url, _s: f'Bearer realm="{url}/token?team=a%2Fb&service=own"')
    fake = start_fake(tokens=tokens)
    source.resolve(Reference.parse(fake.add(sample_images.base)), AMD64, token)
    query = fake.seen("GET", "/token")[0].query
    assert query["team"] == ["a/b"]
    assert query["service"] == ["own"]


def test_the_realm_that_flips_after_expiry(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    """An expired token is answered with another realm, which knows nobody without a key."""
    tokens = Tokens(
        service=None,
        expired=lambda url, scope: (
            f'Bearer realm="{url}/flipped",service="registry",scope="{scope}",error="invalid_token"'
        ),
    )
    fake = start_fake(tokens=tokens)
    reference = Reference.parse(fake.add(sample_images.base))
    closure = source.resolve(reference, AMD64, token)
    for _round in range(2):
        tokens.expire()
        assert pull(source, closure, token) == sample_images.base.blobs
    assert not fake.seen("GET", "/flipped")


def test_a_token_is_renewed_before_its_end(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    now = [1000.0]
    monkeypatch.setattr("airgap_tui.engine.registry.auth.time.monotonic", lambda: now[0])
    fake = start_fake(tokens=Tokens(lifetime=600))
    reference = Reference.parse(fake.add(sample_images.base))
    source.resolve(reference, AMD64, token)
    now[0] += 500
    source.head(reference, token)
    assert len(fake.seen("GET", "/token")) == 1
    now[0] += 90
    source.head(reference, token)
    assert len(fake.seen("GET", "/token")) == 2
    unauthorized = [r for r in fake.seen("HEAD") if "Authorization" not in r.headers]
    assert not unauthorized


def test_many_workers_share_one_token(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens())
    reference = Reference.parse(fake.add(sample_images.base))
    source.head(reference, token)
    threads = [threading.Thread(target=source.head, args=(reference, token)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(fake.seen("GET", "/token")) == 1


def test_a_login_gives_the_right_to_push(
    start_fake: StartFake, open_target: OpenTarget, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens(users={"user": SECRET}))
    reference = Reference.parse(f"{fake.host}/a/b:1")
    target = open_target(fake.host, credentials=logins(fake.host, "user", SECRET))
    push(target, sample_images.base, reference, token)
    assert fake.manifests["a/b"]["1"][1] == sample_images.base.manifest

    with pytest.raises(AccessDenied, match="needs a login"):
        push(open_target(fake.host), sample_images.base, reference, token)
    wrong = logins(fake.host, "user", "wrong")
    with pytest.raises(AccessDenied, match=r"refused the login from the test .*wrong, revoked"):
        push(open_target(fake.host, credentials=wrong), sample_images.base, reference, token)


def test_a_refused_login_is_never_replaced_by_none(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    """Everybody may read here, but somebody who gives a wrong key is told so."""
    fake = start_fake(tokens=Tokens(users={"user": SECRET}, anonymous=True))
    reference = Reference.parse(fake.add(sample_images.base))
    source = open_source(credentials=logins(fake.host, "user", "wrong"))
    with pytest.raises(AccessDenied, match="refused the login"):
        source.resolve(reference, AMD64, token)
    assert all("Authorization" in r.headers for r in fake.seen("GET", "/token"))


def test_a_right_that_is_missing_is_told_apart(
    start_fake: StartFake, open_target: OpenTarget, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens(users={"user": SECRET}))
    challenge = ("WWW-Authenticate", f'Bearer realm="{fake.url}/token",service="fake"')
    fake.script("POST", "uploads", faults.status(401, challenge), forever=True)
    target = open_target(fake.host, credentials=logins(fake.host, "user", SECRET))
    reference = Reference.parse(f"{fake.host}/a/b:1")
    with pytest.raises(AccessDenied, match="does not let the login from the test write"):
        send(target, reference, b"data", token)


def test_oauth_with_a_refresh_token(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    tokens = Tokens(post_status=200, refresh_tokens={"refresh"}, anonymous=False)
    fake = start_fake(tokens=tokens)
    reference = Reference.parse(fake.add(sample_images.base))
    store = CredentialStore({fake.host: Credential("", "", "the test", identity_token="refresh")})
    open_source(credentials=store).resolve(reference, AMD64, token)
    form = fake.seen("POST", "/token")[0].body.decode()
    assert "grant_type=refresh_token" in form
    assert "refresh_token=refresh" in form
    assert "service=fake" in form
    assert not fake.seen("GET", "/token")


@pytest.mark.parametrize("status", [404, 405])
def test_oauth_that_a_service_does_not_know(
    status: int,
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    tokens = Tokens(post_status=status, users={"<token>": "refresh"}, anonymous=False)
    fake = start_fake(tokens=tokens)
    reference = Reference.parse(fake.add(sample_images.base))
    store = CredentialStore({fake.host: Credential("", "", "the test", identity_token="refresh")})
    open_source(credentials=store).resolve(reference, AMD64, token)
    assert fake.seen("GET", "/token")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (FakeAnswer(200, body=b"<html>"), "something other than a token"),
        (FakeAnswer(200, body=b'{"nothing": 1}'), "without a token"),
        (FakeAnswer(200, body=b'{"token": "a\\nb"}'), "without a token"),
        (FakeAnswer(200, body=json.dumps({"token": "x" * 70_000}).encode()), "too long a token"),
    ],
)
def test_token_services_that_answer_nonsense(
    answer: FakeAnswer, message: str,
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tokens=Tokens(answer=lambda _seen: answer))
    reference = Reference.parse(fake.add(sample_images.base))
    with pytest.raises(ConnectionFailure, match=message):
        source.resolve(reference, AMD64, token)


@pytest.mark.parametrize(
    ("status", "message"),
    [(402, "entitlement"), (403, "no access, or no such image"), (451, "legal reasons")],
)
def test_token_services_that_refuse(
    status: int, message: str,
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tokens=Tokens(answer=lambda _seen: failure(status, "DENIED", "")))
    reference = Reference.parse(fake.add(sample_images.base))
    with pytest.raises(AccessDenied, match=message) as refused:
        source.resolve(reference, AMD64, token)
    assert refused.value.status == status


DENIED = failure(403, "DENIED", "denied")


def as_ghcr(seen: Seen) -> FakeAnswer | None:
    """ghcr.io's token service says 403 to a wrong login; this one also to a right one for /b/."""
    if seen.headers.get("Authorization") != basic("user", SECRET):
        return DENIED
    return DENIED if "/b/" in seen.query.get("scope", [""])[0] else None


def refused_by(
    fake: FakeRegistry, open_source: OpenSource, image: SampleImage, secret: str
) -> AccessDenied:
    reference = Reference.parse(fake.add(image, "a/b/c:1"))
    source = open_source(credentials=logins(fake.host, "user", secret))
    with pytest.raises(AccessDenied) as refused:
        source.resolve(reference, AMD64, CancelToken())
    assert refused.value.status == 403
    return refused.value


def test_a_wrong_login_that_is_answered_403(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages
) -> None:
    fake = start_fake(tokens=Tokens({"user": SECRET}, answer=as_ghcr))
    error = refused_by(fake, open_source, sample_images.base, "wrong")
    assert error.login_refused
    assert f"{fake.host} refused the login from the test (403)" in error.message
    assert "wrong, revoked or expired" in error.message
    assert error.hint == f"Log in with: airgap-tui login {fake.host}"
    first, alone = fake.seen("GET", "/token")
    assert first.query["scope"] and "scope" not in alone.query


def test_a_login_that_is_right_and_has_no_right_is_not_called_wrong(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages
) -> None:
    fake = start_fake(tokens=Tokens({"user": SECRET}, answer=as_ghcr))
    error = refused_by(fake, open_source, sample_images.base, SECRET)
    assert not error.login_refused
    assert "no access, or no such image (403): denied" in error.message
    assert "wrong" not in error.message
    assert error.hint == "Use a login that has this right."


@pytest.mark.parametrize(
    "alone", [FakeAnswer(403, body=faults.HTML), FakeAnswer(400)], ids=["a proxy", "not taken"]
)
def test_where_nothing_tells_which_it_is_both_are_named(
    alone: FakeAnswer,
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages,
) -> None:  # fmt: skip
    tokens = Tokens({"user": SECRET}, answer=lambda s: DENIED if "scope" in s.query else alone)
    fake = start_fake(tokens=tokens)
    error = refused_by(fake, open_source, sample_images.base, SECRET)
    assert not error.login_refused
    assert "no access, or no such image, or the login from the test is wrong" in error.message
    assert f"airgap-tui login {fake.host}" in error.hint
    assert "use a login that has this right" in error.hint


@pytest.mark.parametrize("hint", ["", "repository:user/image:pull"])
def test_a_wrong_login_that_is_tried_alone(hint: str, start_fake: StartFake) -> None:
    """As `login` tries it; ghcr.io names a scope even there, of an image that is none."""
    tokens = Tokens(
        {"user": SECRET},
        answer=as_ghcr,
        challenge=lambda url, _s: f'Bearer realm="{url}/token"' + f',scope="{hint}"' * bool(hint),
    )
    fake = start_fake(tokens=tokens)
    for secret in ("wrong", SECRET):
        session = Session(fake.host, QUICK, logins(fake.host, "user", secret))
        request = Request("GET", "", "", fake.host)
        with closing(session):
            if secret == SECRET:
                session.fetch(request, 1000, CancelToken())
                continue
            with pytest.raises(AccessDenied, match="refused the login") as refused:
                session.fetch(request, 1000, CancelToken())
            assert refused.value.login_refused


def test_a_token_service_that_is_down_for_a_moment(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens())
    fake.script("GET", "/token", faults.status(503), faults.no_answer(done=False))
    reference = Reference.parse(fake.add(sample_images.base))
    source.resolve(reference, AMD64, token)
    assert len(fake.seen("GET", "/token")) == 3


def test_a_pause_that_a_token_service_asks_for_is_told_and_shared(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages,
    events: EventLog, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tokens=Tokens())
    fake.script("GET", "/token", faults.status(429, ("Retry-After", "1")))
    first = Reference.parse(fake.add(sample_images.base))
    second = Reference.parse(fake.add(sample_images.docker))
    source, started = open_source(sink=events), time.monotonic()
    waiting = threading.Thread(target=source.resolve, args=(first, AMD64, token))
    waiting.start()
    wait_for(lambda: bool(events.of(HostPaused)))
    source.resolve(second, AMD64, token)
    waiting.join(PATIENCE)
    assert time.monotonic() - started >= 0.95
    (pause,) = events.of(HostPaused)
    assert (pause.host, pause.seconds) == (fake.host, 1.0)
    assert "allows no more requests for now (429)" in pause.reason
    assert len(fake.seen("GET", "/token")) == 3


@pytest.mark.parametrize(
    "realm", ["http://[", "http://[1::2::3]/token", "http://h:99999/", "ftp://h/token"]
)
def test_a_realm_that_cannot_be_asked(
    realm: str,
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake(tokens=Tokens(challenge=lambda _url, _scope: f'Bearer realm="{realm}"'))
    reference = Reference.parse(fake.add(sample_images.base))
    with pytest.raises(ConnectionFailure, match="is not valid"):
        source.resolve(reference, AMD64, token)


@pytest.mark.parametrize(
    "header", [(), (("WWW-Authenticate", "Negotiate"),), (("WWW-Authenticate", 'Bearer x="y"'),)]
)
def test_401_without_a_usable_challenge_does_not_loop(
    header: tuple[tuple[str, str], ...],
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken,
) -> None:  # fmt: skip
    fake = start_fake()
    reference = Reference.parse(fake.add(sample_images.base))
    fake.script("GET", "manifests", faults.status(401, *header), forever=True)
    with pytest.raises(AccessDenied):
        source.resolve(reference, AMD64, token)
    assert len(fake.requests) == 1


def test_401_for_ever_does_not_loop(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(tokens=Tokens())
    reference = Reference.parse(fake.add(sample_images.base))
    challenge = ("WWW-Authenticate", f'Bearer realm="{fake.url}/token"')
    fake.script("GET", "manifests", faults.status(401, challenge), forever=True)
    with pytest.raises(AccessDenied):
        source.resolve(reference, AMD64, token)
    assert len(fake.seen("GET", "manifests")) == 2


def test_a_token_that_expires_in_the_middle_of_a_blob(
    start_fake: StartFake, source: RegistrySource, sample_images: SampleImages, token: CancelToken
) -> None:
    tokens = Tokens()
    fake = start_fake(tokens=tokens)
    reference = Reference.parse(fake.add(sample_images.base))
    data = sample_images.base.layers[0]
    source.resolve(reference, AMD64, token)
    tokens.expire()
    assert read_once(source, reference, descriptor(data), 1000, token) == data[1000:]


def test_the_login_goes_to_no_host_that_a_token_service_redirects_to(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    other = start_fake(tokens=Tokens())
    fake = start_fake(tokens=Tokens(users={"user": SECRET}))
    fake.script("GET", "/token", faults.redirected(other.url + "/token?moved=1"))
    reference = Reference.parse(fake.add(sample_images.base))
    source = open_source(credentials=logins(fake.host, "user", SECRET))
    with pytest.raises(AccessDenied):
        source.resolve(reference, AMD64, token)
    assert other.requests
    assert all("Authorization" not in request.headers for request in other.requests)


# --- whom a secret is sent to, told by the authenticator alone: no packet leaves for nvcr.io ---


class Asked:
    """A token service that notes who asks."""

    def __init__(self, status: int = 200) -> None:
        self.requests: list[TokenRequest] = []
        self.status = status

    def __call__(self, request: TokenRequest) -> Answer:
        self.requests.append(request)
        return Answer(self.status, {}, b'{"token": "given"}', "service")


def _authenticator(registry: str, credential: Credential | None) -> Authenticator:
    return Authenticator(Endpoint.of(registry), lambda _repository: credential, frozenset())


def _get(
    registry: str, realm: str, credential: Credential | None, asked: Callable[[TokenRequest], Any]
) -> str:
    authenticator = _authenticator(registry, credential)
    scopes = frozenset({"repository:nvidia/cuda:pull"})
    challenge = Challenge("bearer", {"realm": realm})
    assert authenticator.learn((challenge,), f"https://{registry}/v2/", scopes, "")
    subject = Subject(registry, "nvidia/cuda", f"{registry}/nvidia/cuda:1")
    return authenticator.header(scopes, subject, asked)


NGC = Credential("$oauthtoken", "nvapi-key-of-somebody", "NGC_API_KEY")


@pytest.mark.parametrize(
    "realm", ["https://nvcr.io/proxy_auth", "https://authn.nvidia.com/token", "/proxy_auth"]
)
def test_the_ngc_key_goes_to_nvidia(realm: str) -> None:
    asked = Asked()
    assert _get("nvcr.io", realm, NGC, asked) == "Bearer given"
    assert asked.requests[0].authorization.startswith("Basic ")


@pytest.mark.parametrize(
    "realm",
    [
        "https://nvcr.io@attacker.example/token",
        "https://evilnvcr.io/token",
        "https://nvcr.io.attacker.example/token",
        "https://nvcr.io:443@x.example/token",
        "http://nvcr.io/proxy_auth",
        "http://authn.nvidia.com/token",
        "https://user@nvcr.io/token",
    ],
)
def test_the_ngc_key_goes_nowhere_else(realm: str) -> None:
    asked = Asked()
    with pytest.raises(ConnectionFailure, match="refused"):
        _get("nvcr.io", realm, NGC, asked)
    assert not asked.requests


def test_other_registries_name_their_own_realm_but_only_over_tls() -> None:
    login = Credential("user", SECRET, "the test")
    asked = Asked()
    assert _get("docker.io", "https://auth.docker.io/token", login, asked)
    with pytest.raises(ConnectionFailure, match="without TLS"):
        _get("docker.io", "http://auth.docker.io/token", login, asked)
    assert len(asked.requests) == 1
    assert _get("docker.io", "http://auth.docker.io/token", None, asked), "nothing to protect"


def test_a_wrong_ngc_key_is_said_to_be_wrong() -> None:
    with pytest.raises(AccessDenied) as refused:
        _get("nvcr.io", "https://nvcr.io/proxy_auth", NGC, Asked(401))
    assert refused.value.message == (
        "nvcr.io refused the key from NGC_API_KEY (401) for nvcr.io/nvidia/cuda:1:"
        " it is wrong, revoked or expired"
    )
    assert refused.value.registry == "nvcr.io"
    assert NGC.secret not in repr(NGC)


def test_seen_requests_hold_what_tests_look_at() -> None:
    seen = Seen("GET", "/token?scope=a&scope=b", {})
    assert seen.query == {"scope": ["a", "b"]}
