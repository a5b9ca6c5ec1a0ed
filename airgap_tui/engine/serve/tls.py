"""TLS for the embedded registry: version 1.2 or later, with a certificate from files."""

from __future__ import annotations

import ssl
from pathlib import Path

from airgap_tui.engine.errors import EnvironmentFailure, UsageError


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """A context from PEM files: the certificate (with its chain) and its key, or both in one file.

    Raises `EnvironmentFailure` for files that cannot be read, `UsageError` for ones that do not
    fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # All ciphers offered are sound, and each client puts first what its processor does fastest.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        if path is not None:
            _check_readable(path)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        raise UsageError(
            f"{certificate} and its key cannot be used for TLS: {error.reason or error}",
            hint="Both are PEM files, and the key belongs to the certificate.",
        ) from None
    return context


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}") from None


def _no_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal.
    raise UsageError(
        "the TLS key is protected by a passphrase",
        hint="Write one without for the server:  openssl pkey -in KEY -out SERVER-KEY",
    )
