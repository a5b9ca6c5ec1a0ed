"""Settings: the file, over it the environment; a mistake names its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.errors import InvalidPlatform, UsageError
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.settings import Settings, parse_platform, state_dir


def load(tmp_path: Path, text: str | None, **environment: str) -> Settings:
    if text is not None:
        (tmp_path / "airgap-tui").mkdir(exist_ok=True)
        (tmp_path / "airgap-tui" / "config.yaml").write_text(text)
    return Settings.load({"XDG_CONFIG_HOME": str(tmp_path), **environment})


def test_without_file_and_environment_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(tmp_path, None)
    assert settings.platform == Platform("linux", "amd64")
    assert settings.transfers == 6
    assert settings.network.plain_http == frozenset()


def test_the_file_is_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        platform: all
        transfers: 8
        retries: 3
        plain-http: [registry.lan:5000, other.lan]
        minimum_rate: 10kB
        ca-file: ~/pod-ca.pem
        connect_timeout: 2.5
        """,
    )
    assert settings.platform is None
    assert settings.transfers == 8
    assert settings.network.retry.attempts == 4, "the first one, and three more"
    assert settings.network.plain_http == {"registry.lan:5000", "other.lan"}
    assert settings.network.minimum_rate == 10_000
    assert settings.network.ca_file == Path.home() / "pod-ca.pem"
    assert settings.network.connect_timeout == 2.5


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "transfers: 8\nplatform: all",
        AIRGAP_TUI_TRANSFERS="2",
        AIRGAP_TUI_PLAIN_HTTP="a.lan:5000, b.lan",
    )
    assert settings.transfers == 2
    assert settings.platform is None
    assert settings.network.plain_http == {"a.lan:5000", "b.lan"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_sets_nothing(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).transfers == Settings().transfers


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("tranfsers: 4", "tranfsers: there is no such setting"),
        ("transfers: 0", "transfers: 0 is less than 1"),
        ("transfers: many", "transfers: 'many' is not a whole number"),
        ("retries: -1", "retries: -1 is less than 0"),
        ("read_timeout: soon", "read_timeout: 'soon' is not a number of seconds"),
        ("read_timeout: -1", "read_timeout: -1 is not a time above 0"),
        ("connect_timeout: .nan", "connect_timeout: nan is not a time above 0"),
        ("platform: a/b/c/d", "platform: not a platform"),
        ("minimum_rate: fast", "minimum_rate: not a size"),
        ("retry: 5", "retry: there is no such setting"),
        ("- transfers", "holds no settings"),
        ("a: [", "cannot be read"),
        ("a: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_names_file_and_setting(
    tmp_path: Path, text: str, match: str
) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "airgap-tui" / "config.yaml") in caught.value.message


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="AIRGAP_TUI_TRANSFERS: -1 is less than 1"):
        load(tmp_path, None, AIRGAP_TUI_TRANSFERS="-1")
    with pytest.raises(UsageError, match="AIRGAP_TUI_SPEED: there is no such setting"):
        load(tmp_path, None, AIRGAP_TUI_SPEED="11")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "airgap-tui").mkdir()
    (tmp_path / "airgap-tui" / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path, None)


def test_the_state_directory_follows_xdg(tmp_path: Path) -> None:
    assert state_dir({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "airgap-tui"
    assert state_dir({}) == Path.home() / ".local/state/airgap-tui"
    assert state_dir({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/airgap-tui"
    settings = Settings.load({"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})
    assert settings.state_dir == tmp_path / "airgap-tui"


def test_a_platform_or_all() -> None:
    assert parse_platform("ALL ") is None
    assert parse_platform("linux/arm64") == Platform("linux", "arm64")
    with pytest.raises(InvalidPlatform):
        parse_platform("linux/")


def test_where_ngc_is_can_be_said(tmp_path: Path) -> None:
    assert load(tmp_path, None).ngc.api == "https://api.ngc.nvidia.com"
    settings = load(
        tmp_path,
        "ngc-authn: http://127.0.0.1:2",
        AIRGAP_TUI_NGC_API="https://gateway.lan:8443/",
        AIRGAP_TUI_NGC_REGISTRY="registry.lan:5000",
    )
    assert settings.ngc.api == "https://gateway.lan:8443"
    assert settings.ngc.authn == "http://127.0.0.1:2"
    assert settings.ngc.registry == "registry.lan:5000"


@pytest.mark.parametrize(
    "address",
    ["gateway.lan", "ftp://a", "https://", "https://a/path", "https://a?b", "https://u:p@a",
     "https://a:99999", "https://a:0", "https://[", "https://a#b"],
)  # fmt: skip
def test_what_is_no_address_of_ngc(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match=r"AIRGAP_TUI_NGC_API: .* is not an address"):
        load(tmp_path, None, AIRGAP_TUI_NGC_API=address)
