"""The part of `doctor` that checks the network: proxy, CAs, logins."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, AirgapError, NotFound
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.settings import Network

USUAL_REGISTRIES = ("nvcr.io", "docker.io")

_LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "*")


def proxy(environment: Mapping[str, str]) -> Check:
    """HTTPS_PROXY and no_proxy, as the command line's tools read them."""

    def value(name: str) -> str:
        return environment.get(name.lower()) or environment.get(name.upper()) or ""

    purpose = "reaches registries through the site's proxy"
    used = value("https_proxy") or value("all_proxy")
    if not used:
        if value("http_proxy"):
            return Check(
                "Proxy",
                Standing.WARNING,
                f"only http_proxy is set ({value('http_proxy')}); registries speak HTTPS",
                purpose,
                "Set https_proxy too, if registries are reached through it.",
            )
        return Check("Proxy", Standing.GOOD, "none is set; hosts are reached directly", purpose)
    around = [part.strip() for part in value("no_proxy").split(",") if part.strip()]
    if not any(part in _LOOPBACK for part in around):
        return Check(
            "Proxy",
            Standing.WARNING,
            f"{used}, and no_proxy does not name localhost",
            purpose,
            "export no_proxy=localhost,127.0.0.1 and the registries inside, separated by commas.",
        )
    return Check("Proxy", Standing.GOOD, f"{used}, except {', '.join(around)}", purpose)


def trusted_cas(network: Network, environment: Mapping[str, str]) -> Iterator[Check]:
    """The files of CAs, and the client's certificate."""
    purpose = "trusts registries whose certificate a private CA has signed"
    named = [
        (variable, Path(environment[variable]))
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
        if environment.get(variable)
    ]
    if network.ca_file is not None:
        named.insert(0, ("--ca", network.ca_file))
    if not named:
        yield Check("CA", Standing.GOOD, "the system's CAs are trusted", purpose)
    for origin, path in named:
        problem = _problem_with_cas(path)
        finding = f"{origin} names {path}"
        if problem:
            remedy = f"Name a PEM file that can be read, or unset {origin}."
            yield Check("CA", Standing.FAILED, f"{finding}: {problem}", purpose, remedy)
        else:
            yield Check("CA", Standing.GOOD, finding, purpose)
    if network.client_certificate is not None:
        yield _client_certificate(network.client_certificate, network.client_key)


def _problem_with_cas(path: Path) -> str:
    if path.is_dir():
        return "" if any(path.iterdir()) else "the directory is empty"
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        return "it holds no certificate in PEM form"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _client_certificate(certificate: Path, key: Path | None) -> Check:
    purpose = "says who we are, to registries that ask for a certificate"
    context = ssl.create_default_context()
    try:
        # The password is never asked for: a key that needs one cannot be used by a job.
        context.load_cert_chain(str(certificate), None if key is None else str(key), lambda: b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        remedy = "Name a certificate and its key in PEM form, the key without a password."
        finding = f"{certificate} cannot be used: {reason}"
        return Check("Client certificate", Standing.FAILED, finding, purpose, remedy)
    return Check("Client certificate", Standing.GOOD, str(certificate), purpose)


def logins(environment: Mapping[str, str]) -> Check:
    """Which registries have a login, and where it is kept; no secret is asked for or shown."""
    purpose = "pulls private images, and avoids Docker Hub's limit for anonymous pulls"
    store = CredentialStore.load(environment)
    problems = (*store.problems, *store.remarks)
    kept = [f"{registry} ({origin})" for registry, origin in store.kept]
    finding = ", ".join(kept) if kept else "none; public images need none"
    if problems:
        remedy = "airgap-tui logins tells them one by one."
        return Check(
            "Logins",
            Standing.WARNING,
            "; ".join((finding, *(one.text for one in problems))),
            purpose,
            remedy,
        )
    if not kept:
        return Check("Logins", Standing.ABSENT, finding, purpose, "airgap-tui login nvcr.io")
    return Check("Logins", Standing.GOOD, finding, purpose)


def registries(names: Sequence[str], network: Network, token: CancelToken) -> Iterator[Check]:
    """Ask each registry whether it answers. The only check that uses the network."""
    credentials = CredentialStore.load()
    for name in names or USUAL_REGISTRIES:
        token.check()
        session = Session(name, network, credentials)
        purpose = f"plan, save or push with {name}"
        try:
            session.send(Request("GET", "", "", name), token, retry=False).close()
        except AccessDenied as error:
            yield Check(name, Standing.GOOD, f"answers: {error.message}", purpose)
        except NotFound:
            finding = "answers, but not as a registry"
            yield Check(name, Standing.WARNING, finding, purpose, "Is the name right?")
        except AirgapError as error:
            yield Check(name, Standing.FAILED, error.message, purpose, error.hint)
        else:
            yield Check(name, Standing.GOOD, "answers", purpose)
        finally:
            session.close()
