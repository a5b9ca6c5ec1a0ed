"""No output of the test run holds a password or token: what the check itself sees.

The check runs for every test (`conftest.pytest_runtest_makereport`); the end-to-end tests look at
what the program and its children wrote, and at the files it left.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import services
from tests.conftest import StartDistribution, sections_with_secrets


@pytest.mark.distribution
def test_passwords_of_registries_are_known(start_distribution: StartDistribution) -> None:
    start_distribution(htpasswd={"ann": "opal-lantern-42"})
    assert sections_with_secrets(
        [
            ("Captured stdout call", "logged in with opal-lantern-42"),
            ("Captured stderr call", "logged in with ********"),
            ("log of docker-registry", "opal-lantern-42"),
        ]
    ) == ["Captured stdout call"]


def test_tokens_are_known(start_token_service: Callable[..., services.TokenService]) -> None:
    tokens = start_token_service({"ann": "opal-lantern-42"})
    token = tokens.token([], "ann")
    assert sections_with_secrets([("Captured log call", f"Bearer {token}")])
    assert not sections_with_secrets([("Captured log call", "Bearer ********")])
