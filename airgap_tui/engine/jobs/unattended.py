"""What a job needs when nobody can be asked: tested before it begins, not after hours of work."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.jobs.chain import Chain


def check_keys(chain: Chain) -> None:
    """Raise `EnvironmentFailure` where a step signs with a key that wants a passphrase, or that is
    not there."""
    keys = [getattr(step.spec, "key", None) for step in chain.steps]
    for key in dict.fromkeys(key for key in keys if isinstance(key, Path)):
        # Few jobs sign, and importing what runs programs takes time.
        from airgap_tui.engine.bundle.signatures.signing_keys import why_not

        reason = why_not(key, CancelToken())
        if reason:
            raise EnvironmentFailure(f"{key} cannot sign in the background", hint=f"{reason}.")
