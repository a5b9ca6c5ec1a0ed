"""Pull secrets: every form in which manifests and kubectl have them, and how a login is added."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.credentials.kubernetes import (
    PullSecrets,
    SecretName,
    change,
    file_for_kubectl,
)
from airgap_tui.engine.errors import EnvironmentFailure, UsageError

SECRET = "not-a-real-key"
NAME = SecretName("pull-reg.lan")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(registry: str = "reg.lan", username: str = "me", secret: str = SECRET) -> str:
    return json.dumps({"auths": {registry: {"auth": encoded(f"{username}:{secret}")}}})


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pull", "namespace": "lab"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": encoded(config())},
        **more,
    }


def old_manifest() -> dict[str, Any]:
    entries = json.loads(config())["auths"]
    data = {".dockercfg": encoded(json.dumps(entries))}
    return manifest(type="kubernetes.io/dockercfg", data=data)


PLAIN = manifest(stringData={".dockerconfigjson": config()}, data={})
BOTH = manifest(
    stringData={".dockerconfigjson": config()},
    data={".dockerconfigjson": encoded(config(username="stale"))},
)


@pytest.mark.parametrize("value", [manifest(), old_manifest(), PLAIN, BOTH])
@pytest.mark.parametrize("form", ["json", "yaml", "list", "documents"])
def test_forms(value: dict[str, Any], form: str) -> None:
    pod = {"kind": "Pod", "spec": {"imagePullSecrets": [{"name": "pull"}]}}
    text = {
        "json": json.dumps(value),
        "yaml": yaml.safe_dump(value),
        "list": json.dumps({"kind": "List", "items": [pod, value, {"kind": "Secret"}, None]}),
        "documents": f"---\n{yaml.safe_dump(pod)}---\n{yaml.safe_dump(value)}---\n",
    }[form]
    read = PullSecrets.parse(text.encode(), "file.yaml")
    (secret,) = read.secrets
    login = secret.find("reg.lan", "a/b")
    assert login is not None
    assert (login.username, login.secret) == ("me", SECRET)
    assert login.origin == "file.yaml, secret lab/pull"
    assert read.problems == ()
    assert SECRET not in repr(login)


def test_a_broken_secret_does_not_hide_the_others() -> None:
    broken = manifest(metadata={"name": "broken"}, data={".dockerconfigjson": "%%%"})
    empty = manifest(metadata={"name": "empty"}, data={})
    text = manifest(metadata="odd", data={".dockerconfigjson": encoded("[]")})
    items = [broken, empty, text, manifest()]
    read = PullSecrets.parse(json.dumps({"items": items}).encode(), "f")
    assert [secret.origin for secret in read.secrets] == ["f, secret lab/pull"]
    assert read.problems == (
        "f, secret broken: what is in it is not base64",
        "f, secret empty: there is no .dockerconfigjson in it",
        "f, secret ? is not JSON, so no login can be read from it",
    )


def test_a_manifest_chooses_no_program_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker-credential-evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    text = json.dumps({"auths": {"a.lan": {}}, "credsStore": "evil", "credHelpers": {"b": "evil"}})
    value = manifest(data={".dockerconfigjson": encoded(text)})
    (secret,) = PullSecrets.parse(json.dumps(value).encode(), "f").secrets
    assert [secret.find(name) for name in ("a.lan", "b", "c")] == [None, None, None]
    assert not (tmp_path / "was-run").exists()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for lead in (b"", b"kind: Secret\ntype: kubernetes.io/dockerconfigjson\n", b"{"):
        try:
            PullSecrets.parse(lead + data, "f")
        except EnvironmentFailure as error:
            assert error.message.startswith("f")


@pytest.mark.parametrize("text", ["&a [*a]", "&a {items: [*a]}", "[" * 5000, "? [a]\n: b", "!!x y"])
def test_odd_yaml(text: str) -> None:
    try:
        assert PullSecrets.parse(text.encode(), "f").secrets == ()
    except EnvironmentFailure as error:
        assert "not YAML" in error.message


LOGINS = st.text(st.characters(exclude_characters="\0:", exclude_categories=["Cs"]), min_size=1)


@given(LOGINS, LOGINS, st.sampled_from(["docker.io", "nvcr.io", "reg.lan:5000"]))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, user: str, secret: str, registry: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"secret-{os.getpid()}.yaml"
    path.unlink(missing_ok=True)
    name = SecretName.of(registry)
    change(path, registry, user, secret, name).apply()
    assert yaml.safe_load(path.read_text())["metadata"] == {"name": name.name}
    (read,) = PullSecrets.parse(path.read_bytes(), "f").secrets
    login = read.find(registry)
    assert login is not None
    assert (login.username, login.secret) == (user, secret)
    assert change(path, registry, user, secret, name).content == path.read_bytes()


def test_a_new_manifest(tmp_path: Path) -> None:
    path = tmp_path / "my secret.yaml"
    planned = change(path, "docker.io", "me", SECRET, SecretName("pull-hub", "lab"))
    assert SECRET not in repr(planned) + str(planned.to_json())
    assert encoded(f"me:{SECRET}") not in repr(planned) + str(planned.to_json())
    planned.apply()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    value = yaml.safe_load(path.read_text())
    assert value["metadata"] == {"name": "pull-hub", "namespace": "lab"}
    inner = json.loads(base64.b64decode(value["data"][".dockerconfigjson"]))
    assert inner == {"auths": {"https://index.docker.io/v1/": {"auth": encoded(f"me:{SECRET}")}}}
    assert f"kubectl apply -f '{path}'" in planned.then
    assert "imagePullSecrets:\n    - name: pull-hub" in planned.then
    assert "kubectl --namespace lab patch serviceaccount default" in planned.then


BEFORE = """\
# Ours, by hand.
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: v1
kind: Secret   # the one
metadata:
  name: pull-reg.lan
type: kubernetes.io/dockerconfigjson
DATA
# the end
"""
DATAS = {
    "data": f"data:\n  .dockerconfigjson: {encoded(config('other.lan'))}  # keep",
    "folded": f"data:\n  .dockerconfigjson: >-\n    {encoded(config('other.lan'))}",
    "quoted": f'data: {{".dockerconfigjson": "{encoded(config("other.lan"))}"}}',
    "plain": f"stringData:\n  .dockerconfigjson: |\n    {config('other.lan')}",
}


@pytest.mark.parametrize("data", DATAS.values(), ids=DATAS)
def test_a_secret_that_is_there_gets_the_login_and_the_rest_stays(
    data: str, tmp_path: Path
) -> None:
    path = tmp_path / "f.yaml"
    before = BEFORE.replace("DATA", data)
    path.write_text(before)
    planned = change(path, "reg.lan", "me", SECRET, NAME)
    assert planned.before == "secret pull-reg.lan with other logins"
    planned.apply()
    text = path.read_text()
    for line in before.replace(data, "").splitlines():
        assert line in text
    assert ("# keep" in before) == ("# keep" in text)
    (secret,) = PullSecrets.parse(text.encode(), "f").secrets
    for registry in ("reg.lan", "other.lan"):
        login = secret.find(registry)
        assert login is not None and login.secret == SECRET


def test_json_of_kubectl_is_changed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    value = manifest(metadata={"name": "pull-reg.lan", "uid": "1"})
    path.write_text(json.dumps({"kind": "List", "items": [manifest(), value]}, indent=4))
    change(path, "reg.lan", "new", SECRET, NAME).apply()
    after = json.loads(path.read_text())
    assert after["items"][0] == manifest()
    assert after["items"][1]["metadata"] == {"name": "pull-reg.lan", "uid": "1"}
    read = PullSecrets.parse(path.read_bytes(), "f").secrets[1].find("reg.lan")
    assert read is not None and read.username == "new"


def test_another_secret_is_added_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    for before in ("kind: Pod", "kind: Pod\n---\n", "", "# nothing\n"):
        path.write_text(before)
        planned = change(path, "reg.lan", "me", SECRET, NAME)
        assert planned.before == "no secret pull-reg.lan"
        planned.apply()
        assert path.read_text().startswith(before)
        assert len(PullSecrets.parse(path.read_bytes(), "f").secrets) == 1
    path.write_text('{"kind": "Pod"}')
    with pytest.raises(EnvironmentFailure, match="is JSON and holds no secret"):
        change(path, "reg.lan", "me", SECRET, NAME)


def test_a_file_that_cannot_be_read_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: [b\n")
    with pytest.raises(EnvironmentFailure, match="line 2 is not YAML"):
        change(path, "reg.lan", "me", SECRET, NAME)
    assert path.read_text() == "a: [b\n"


def test_the_command_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "one.dockerconfigjson"
    planned = file_for_kubectl(path, "reg.lan", "me", SECRET, SecretName("pull", "lab"))
    assert SECRET not in repr(planned) + str(planned.to_json())
    assert f"--from-file=.dockerconfigjson={path}" in planned.then
    assert "--docker-password" not in planned.then
    assert "takes the password as an argument" in planned.notes[0]
    path.write_text('{"credsStore": "pass"}')
    with pytest.raises(EnvironmentFailure, match="docker-credential-pass would keep"):
        file_for_kubectl(path, "reg.lan", "me", SECRET, SecretName("pull", "lab"))


def test_names() -> None:
    assert str(SecretName.of("Reg.lan:5000")) == "pull-reg.lan-5000"
    assert str(SecretName.of("x", "a.b-c", "lab")) == "lab/a.b-c"
    for name, namespace in (("A", ""), ("a b", ""), ("-a", ""), ("a", "x\ny"), ("a" * 254, "")):
        with pytest.raises(UsageError, match="not a name for Kubernetes"):
            SecretName.of("reg.lan", name, namespace)
