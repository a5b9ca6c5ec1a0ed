"""Apptainer and SingularityCE: variables that name no registry, and a file that hides docker's."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.credentials import docker_config
from airgap_tui.engine.credentials.apptainer import (
    Variables,
    change,
    default_path,
    exports,
    singularity_path,
)
from airgap_tui.engine.credentials.docker_config import DockerConfig

SECRET = "not-a-real-key"
NGC = "$oauthtoken"


@pytest.mark.parametrize("prefix", ["APPTAINER_", "SINGULARITY_", ""])
def test_a_key_of_ngc_is_for_nvcr_alone(prefix: str) -> None:
    environment = {f"{prefix}DOCKER_USERNAME": NGC, f"{prefix}DOCKER_PASSWORD": f"{SECRET}\n"}
    variables = Variables.of(environment)
    login = variables.find("nvcr.io", "nvidia/cuda")
    assert login is not None
    assert (login.username, login.secret) == (NGC, SECRET)
    assert login.origin == f"{prefix}DOCKER_PASSWORD"
    assert variables.find("docker.io") is None
    assert variables.find("evilnvcr.io") is None
    assert variables.kept == (("nvcr.io", f"{prefix}DOCKER_PASSWORD"),)
    assert variables.unusable == () == variables.remarks


def test_apptainers_own_win_and_the_two_are_looked_up_apart() -> None:
    environment = {
        "DOCKER_USERNAME": "plain",
        "SINGULARITY_DOCKER_USERNAME": NGC,
        "APPTAINER_DOCKER_PASSWORD": SECRET,
        "DOCKER_PASSWORD": "other",
    }
    login = Variables.of(environment).find("nvcr.io")
    assert login is not None
    assert (login.username, login.secret, login.origin) == (
        NGC, SECRET, "APPTAINER_DOCKER_PASSWORD",
    )  # fmt: skip


def test_another_name_is_told_and_sent_nowhere() -> None:
    variables = Variables.of({"DOCKER_USERNAME": "me", "DOCKER_PASSWORD": SECRET})
    for registry in ("docker.io", "nvcr.io", "reg.lan"):
        assert variables.find(registry) is None
    (lost,) = variables.unusable
    assert (lost.registry, lost.username, lost.origin) == ("", "me", "DOCKER_PASSWORD")
    assert "names no registry" in lost.reason
    assert SECRET not in repr(variables)


def test_a_name_that_the_shell_has_emptied_is_told() -> None:
    environment = {"SINGULARITY_DOCKER_USERNAME": "", "SINGULARITY_DOCKER_PASSWORD": SECRET}
    variables = Variables.of(environment)
    (remark,) = variables.remarks
    assert "SINGULARITY_DOCKER_USERNAME is empty" in remark
    assert "export SINGULARITY_DOCKER_USERNAME='$oauthtoken'" in remark
    assert variables.find("nvcr.io") is None
    (missing,) = Variables.of({"DOCKER_PASSWORD": SECRET}).remarks
    assert "no variable with its user name" in missing
    assert Variables.of({}) == Variables() == Variables.of({"DOCKER_USERNAME": "x"})


def test_the_shell_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "login env.sh"
    path.write_text("# mine\nexport SINGULARITY_DOCKER_PASSWORD=old\nPATH=$PATH:/x\n")
    planned = exports(path, NGC, SECRET)
    assert SECRET not in repr(planned) + str(planned.to_json())
    planned.apply()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("# mine\nPATH=$PATH:/x\nexport APPTAINER_DOCKER_USERNAME=")
    assert "old" not in path.read_text()
    assert sourced(planned.then, tmp_path) == variables(NGC, SECRET)
    assert Variables.of(variables(NGC, SECRET)).find("nvcr.io") is not None
    again = exports(path, NGC, SECRET)
    assert again.content == path.read_bytes()


@given(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1))
def test_any_password_survives_the_quotes(
    tmp_path_factory: pytest.TempPathFactory, secret: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "exports.sh"
    path.unlink(missing_ok=True)
    exports(path, NGC, secret).apply()
    assert sourced(f". {path}", path.parent) == variables(NGC, secret)


def test_without_a_file_nothing_is_written_and_the_password_is_typed() -> None:
    planned = exports(None, NGC, SECRET)
    planned.apply()
    assert planned.path is None and SECRET not in planned.then + repr(planned)
    done = subprocess.run(
        ["bash", "-c", f"{planned.then}\nenv -0"],
        input=f"{SECRET}\n", capture_output=True, text=True, check=True, env={},
    )  # fmt: skip
    assert wanted(done.stdout) == variables(NGC, SECRET)


def sourced(command: str, directory: Path) -> dict[str, str]:
    """The variables of a shell that has run the command."""
    done = subprocess.run(
        ["sh", "-c", f"{command}\nenv -0"],
        capture_output=True, text=True, check=True, env={}, cwd=directory,
    )  # fmt: skip
    return wanted(done.stdout)


def wanted(text: str) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in text.split("\0"))
    return {name: value for name, _, value in pairs if "_DOCKER_" in name}


def variables(username: str, secret: str) -> dict[str, str]:
    values = {"USERNAME": username, "PASSWORD": secret}
    prefixes = ("APPTAINER_DOCKER_", "SINGULARITY_DOCKER_")
    return {prefix + name: value for prefix in prefixes for name, value in values.items()}


def test_where_the_files_are() -> None:
    home = {"HOME": "/home/me"}
    assert default_path(home) == Path("/home/me/.apptainer/docker-config.json")
    assert singularity_path(home) == Path("/home/me/.singularity/docker-config.json")
    moved = {**home, "SINGULARITY_CONFIGDIR": "/s"}
    assert default_path(moved) == singularity_path(moved) == Path("/s/docker-config.json")
    both = {**moved, "APPTAINER_CONFIGDIR": "/a"}
    assert default_path(both) == Path("/a/docker-config.json")


def test_a_file_that_begins_to_exist_hides_dockers(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    docker = docker_config.default_path(environment)
    for registry in ("reg.lan", "other.lan"):
        docker_config.change(docker, registry, "me", SECRET).apply()
    path = default_path(environment)
    planned = change(path, "reg.lan", "me", SECRET, environment)
    (note,) = planned.notes
    assert "is no longer read" in note and "1 login there (other.lan)" in note
    planned.apply()
    login = DockerConfig.read(path).find("reg.lan")
    assert login is not None and login.secret == SECRET
    assert change(path, "other.lan", "me", SECRET, environment).notes == ()
    assert list(json.loads(path.read_text())["auths"]) == ["reg.lan"]
