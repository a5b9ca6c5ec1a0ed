"""Search, tags and select: the catalogue joined with the registry, which is the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine import images_list
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import NGC_USERNAME, Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, ConnectionFailure, NotFound, UsageError
from airgap_tui.engine.events import Note
from airgap_tui.engine.jobs import save
from airgap_tui.engine.jobs.ngc import search, select, tags
from airgap_tui.engine.jobs.ngc.access import open_ngc
from airgap_tui.engine.jobs.ngc.choice import Choice, SelectResult
from airgap_tui.engine.jobs.ngc.select_spec import SelectSpec
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.ngc.repository import RepositoryName
from airgap_tui.engine.ngc.selection import Rule
from airgap_tui.engine.settings import Settings
from tests.conftest import EventLog
from tests.engine.registry.exchange import QUICK
from tests.fakes import faults
from tests.fakes.ngc import KEY, LEGACY_KEY, FakeNgc, Tag, fill

NEWEST = Rule(include=("*-py3",), minimum="25.01", latest=2)


@pytest.fixture
def ngc() -> Iterator[FakeNgc]:
    with FakeNgc() as started:
        yield fill(started)


class Site:
    """A machine that asks one NGC, perhaps with a key."""

    def __init__(self, ngc: FakeNgc, token: CancelToken) -> None:
        self.ngc = ngc
        self.settings = Settings(network=QUICK, ngc=ngc.addresses)
        self.token = token
        self.events = EventLog()
        self.credentials = CredentialStore()

    def log_in(self, key: str) -> None:
        login = Credential(NGC_USERNAME, key, "the test")
        self.credentials = CredentialStore({self.ngc.registry.host: login})

    def search(self, words: str) -> search.SearchResult:
        spec = search.SearchSpec(words, settings=self.settings)
        return search.run(spec, self.events, self.token, self.credentials)

    def tags(self, repository: str, digests: bool = False) -> tags.TagsResult:
        spec = tags.TagsSpec(repository, digests, self.settings)
        return tags.run(spec, self.events, self.token, self.credentials)

    def select(self, *repositories: str, **more: object) -> SelectResult:
        spec = replace(SelectSpec(repositories, settings=self.settings), **more)  # type: ignore[arg-type]
        return select.run(spec, self.events, self.token, self.credentials)

    @property
    def notes(self) -> str:
        return "\n".join(note.text for note in self.events.of(Note))


@pytest.fixture
def site(ngc: FakeNgc, token: CancelToken) -> Site:
    return Site(ngc, token)


def names(result: SelectResult) -> list[str]:
    return [choice.reference.tagged_name.partition("/")[2] for choice in result.chosen]


def choice_of(result: SelectResult, tag: str) -> Choice:
    (found,) = [choice for choice in result.choices if choice.image.tag == tag]
    return found


# --- search ---------------------------------------------------------------------------------------


def test_search_tells_what_was_seen(site: Site) -> None:
    result = site.search("pytorch")
    assert result.scope == "public images only"
    assert result.total == 2
    value = result.to_json()
    assert json.loads(json.dumps(value)) == value
    assert value["repositories"][0]["reference"] == f"{site.ngc.registry.host}/nvidia/pytorch"


@pytest.mark.parametrize("key", [KEY, LEGACY_KEY])
def test_search_with_a_key_sees_its_organisations(site: Site, key: str) -> None:
    site.log_in(site.ngc.key(key, acme=("hpc",)))
    result = site.search("")
    assert result.scope == "with your organisations acme, acme/hpc"
    assert {"acme/solver", "acme/hpc/mesher"} <= {str(one.name) for one in result.repositories}
    assert result.exit_code == 0


def test_a_refused_key_is_told_and_public_images_are_shown(site: Site) -> None:
    site.log_in(KEY)
    result = site.search("pytorch")
    assert result.scope == "public images only"
    assert result.total == 2
    assert "refused the key from the test (401)" in site.notes
    assert site.select("nvidia/pytorch", rule=NEWEST).exit_code == 0, "the registry goes without it"


def test_a_retired_key_is_told(site: Site) -> None:
    site.log_in("0123456789abcdefghij" * 2)
    assert site.search("pytorch").total == 2
    assert "40-character key" in site.notes
    assert site.ngc.api.seen("POST") == []


def test_a_key_that_may_not_look_itself_up_is_used(site: Site) -> None:
    site.log_in(site.ngc.key(KEY, nim=()))
    site.ngc.api.script("POST", "get-caller-info", faults.status(403), forever=True)
    result = site.select("nim/meta/llama3-8b-instruct", rule=Rule(latest=1))
    assert names(result) == ["nim/meta/llama3-8b-instruct:1.0.10"]


def test_without_a_catalogue_a_whole_name_is_found_in_the_registry(site: Site) -> None:
    site.ngc.api.script("GET", "/search", faults.status(503), forever=True)
    result = site.search("nvidia/gpu-operator")
    (found,) = result.repositories
    assert found.latest_tag == "v25.10.0"
    assert "503" in result.error
    for words in ("pytorch", "nvidia/none"):
        with pytest.raises(ConnectionFailure, match="503") as down:
            site.search(words)
        assert "airgap-tui ngc tags" in down.value.hint


# --- tags -----------------------------------------------------------------------------------------


def test_tags_are_the_registrys_with_the_catalogues_facts(site: Site) -> None:
    """A tag that only one of the two knows is told as such."""
    repo = site.ngc.repos["nvidia/pytorch"]
    del site.ngc.registry.manifests["nvidia/pytorch"]["25.04-py3"]
    repo.tags["25.06-py3"].listed = False
    result = site.tags("nvidia/pytorch", digests=True)
    known = {one.image.tag: one.image for one in result.selection.decisions}
    assert "25.04-py3" not in known
    assert [image.tag for image in result.listing.unlisted] == ["25.04-py3"]
    assert known["25.06-py3"].size == 0, "the registry alone knows it"
    assert known["25.05-py3"].size == 11_000_000_000
    assert str(result.digests["25.05-py3"]) in site.ngc.registry.manifests["nvidia/pytorch"]
    value = result.to_json()
    assert value["notInRegistry"] == ["25.04-py3"]
    assert value["hidden"] == 1
    assert value["scheme"] == "month"
    assert result.exit_code == 0


def test_many_tags_come_in_pages(site: Site) -> None:
    site.ngc.add("nvidia/many", [f"1.{number}" for number in range(120)])
    result = site.tags("nvidia/many")
    assert [one.image.tag for one in result.selection.decisions][:2] == ["1.119", "1.118"]
    assert len(result.selection.decisions) == 120
    assert len(site.ngc.registry.seen("GET", "/tags/list")) > 3


def test_without_the_catalogue_tags_come_from_the_registry(site: Site) -> None:
    site.ngc.api.script("GET", "", faults.status(502), forever=True)
    result = site.tags("nvidia/pytorch")
    assert len(result.selection.decisions) == 7
    assert result.exit_code == 0
    assert "502" in (result.to_json()["catalogueError"] or "")
    assert "The catalogue does not answer" in site.notes
    assert "dates and sizes are missing" in site.notes


def test_a_catalogue_that_is_down_is_not_asked_for_each_repository(site: Site) -> None:
    site.ngc.api.script("GET", "", faults.status(502), forever=True)
    many = [site.ngc.add(f"nvidia/one-of-{number}", ["1.0"]).path for number in range(20)]
    result = site.select(*many, rule=Rule(latest=1))
    assert len(result.chosen) == 20
    assert len(site.ngc.api.seen("GET", "/images")) <= 4 * 3, "by those at work at first, no other"
    assert site.notes.count("The catalogue does not answer") == 1


def test_a_catalogue_that_cannot_be_reached_is_waited_for_once(site: Site) -> None:
    """Behind a firewall each attempt takes its whole time."""
    site.log_in(site.ngc.key(KEY, acme=()))
    site.ngc.api.script("GET", "", faults.no_answer(), forever=True)
    site.ngc.api.script("POST", "", faults.no_answer(), forever=True)
    result = site.select("nvidia/pytorch", "acme/solver", rule=Rule(latest=1))
    assert "acme/solver:2.1" in names(result)
    assert site.ngc.api.seen("GET") == []
    assert site.notes.count("The catalogue does not answer") == 1
    with pytest.raises(ConnectionFailure):
        site.search("pytorch")


def test_who_has_no_key_where_guests_see_nothing_gets_tags_all_the_same(
    token: CancelToken,
) -> None:
    with FakeNgc(guests=False) as ngc:
        site = Site(fill(ngc), token)
        result = site.tags("nvidia/pytorch")
        assert len(result.selection.decisions) == 7
        assert "only with a key" in (result.to_json()["catalogueError"] or "")


def test_what_the_registry_refuses_is_the_catalogues_word(site: Site) -> None:
    result = site.tags("nim/meta/llama3-8b-instruct")
    assert result.exit_code == 1
    assert isinstance(result.listing.registry_error, AccessDenied)
    assert result.selection.decisions[0].image.tag == "1.0.10"
    with pytest.raises((AccessDenied, NotFound)):
        site.tags("acme/solver")
    with pytest.raises(NotFound):
        site.tags("nvidia/none")


def test_an_expired_token_is_got_anew_from_the_first_realm(site: Site) -> None:
    """The second challenge names a realm that knows nobody without a key."""
    with open_ngc(site.settings, site.events, site.token, site.credentials) as ngc:
        name = RepositoryName.parse("nvidia/pytorch")
        assert ngc.listing(name, site.token).registry_error is None
        assert site.ngc.registry.tokens is not None
        site.ngc.registry.tokens.expire()
        assert ngc.listing(name, site.token).registry_error is None
    assert site.ngc.authn.requests == []


# --- select ---------------------------------------------------------------------------------------


def test_a_rule_chooses_and_tells_why(site: Site, tmp_path: Path) -> None:
    result = site.select("nvidia/pytorch", rule=NEWEST)
    assert names(result) == ["nvidia/pytorch:25.06-py3", "nvidia/pytorch:25.05-py3"]
    assert result.size == 22_200_000_000
    assert choice_of(result, "25.04-py3").reason == "Beyond newest 2"
    assert choice_of(result, "nightly-test").reason == "Not a version"
    digest = choice_of(result, "25.06-py3").digest
    assert str(digest) in site.ngc.registry.manifests["nvidia/pytorch"]
    assert choice_of(result, "25.04-py3").digest is None
    assert "1 tag with signatures" in result.notes[0]
    value = result.to_json()
    assert json.loads(json.dumps(value)) == value
    assert list(tmp_path.iterdir()) == []


def test_the_list_names_the_rule_and_each_digest(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    result = site.select("nvidia/pytorch", rule=NEWEST, target=path)
    assert result.written == path
    text = path.read_text()
    assert "nvidia/pytorch: newest 2 of each variant, only *-py3, from 25.01 on" in text
    for choice in result.chosen:
        assert f"{choice.reference}    # {choice.digest}, 2025-0" in text
    listed = images_list.parse([images_list.read(path)])
    assert listed.references == tuple(choice.reference for choice in result.chosen)


def test_again_only_what_changed_by_digest(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "june.txt"
    site.select("nvidia/pytorch", rule=NEWEST, target=path)
    site.ngc.push("nvidia/pytorch", site.ngc.repos["nvidia/pytorch"].tags["25.05-py3"], "again")
    site.ngc.add("nvidia/pytorch", [Tag("25.07-py3")])
    rule = replace(NEWEST, latest=3)
    result = site.select("nvidia/pytorch", rule=rule, since=(path,))
    assert names(result) == ["nvidia/pytorch:25.07-py3", "nvidia/pytorch:25.05-py3"]
    assert choice_of(result, "25.06-py3").reason == "Unchanged since june.txt"
    assert choice_of(result, "25.05-py3").reason.startswith("3rd newest; changed since june.txt (")
    assert choice_of(result, "25.07-py3").reason == "Newest"
    assert names(site.select("nvidia/pytorch", rule=NEWEST)) == [
        "nvidia/pytorch:25.07-py3", "nvidia/pytorch:25.06-py3",
    ]  # fmt: skip


def test_a_list_without_digests_leaves_nothing_out(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    host = site.ngc.registry.host
    path.write_text(f"{host}/nvidia/pytorch:25.06-py3 # mine {host}/nvidia/cuda:1\n")
    result = site.select("nvidia/pytorch", rule=NEWEST, since=(path,))
    assert len(result.chosen) == 2
    assert choice_of(result, "25.06-py3").reason == "Newest; in own.txt without a digest"


def test_what_a_bundle_holds_is_left_out(site: Site, tmp_path: Path) -> None:
    listed, bundle = tmp_path / "list.txt", tmp_path / "pod"
    chosen = site.select("nvidia/pytorch", rule=NEWEST, target=listed).chosen
    references = tuple(choice.reference for choice in chosen)
    saved = save.run(
        SaveSpec(references, bundle, site.settings), site.events, site.token, site.credentials
    )
    assert saved.exit_code == 0
    result = site.select("nvidia/pytorch", rule=NEWEST, since=(bundle,))
    assert names(result) == []
    assert choice_of(result, "25.06-py3").reason == "Unchanged since pod"
    assert result.exit_code == 0


def test_nothing_new_is_a_list_that_says_so(site: Site, tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    site.select("nvidia/pytorch", rule=NEWEST, target=first)
    site.select("nvidia/pytorch", rule=NEWEST, target=second, since=(first,))
    assert "Nothing was chosen." in second.read_text()
    assert images_list.parse([images_list.read(second)]).references == ()
    with pytest.raises(UsageError, match="would be replaced"):
        site.select("nvidia/pytorch", rule=NEWEST, target=first, since=(first,))


def test_what_the_replicator_copied_is_left_out_by_its_date(site: Site, tmp_path: Path) -> None:
    state = tmp_path / "state.yml"
    state.write_text(
        "!!python/object/apply:collections.defaultdict\nargs:\n- !!python/name:builtins.dict ''\n"
        "dictitems:\n  nvidia/pytorch:\n    25.06-py3: '2025-06-24T09:00:00.5Z'\n"
        "    25.05-py3: '2025-05-01T00:00:00Z'\n    25.04-py3: ''\n"
    )
    rule = replace(NEWEST, latest=3)
    result = site.select("nvidia/pytorch", rule=rule, replicator_state=state)
    reasons = {choice.image.tag: choice.reason for choice in result.choices}
    assert names(result) == ["nvidia/pytorch:25.05-py3", "nvidia/pytorch:25.04-py3"]
    assert reasons["25.06-py3"] == "Copied by the replicator, unchanged since 2025-06-24"
    assert reasons["25.05-py3"] == "2nd newest; changed since the replicator's copy"
    assert "at a date that is not known" in reasons["25.04-py3"]
    assert "had copied 3 tags of 1 repository." in result.notes[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (402, "entitlement"),
        (403, "no access"),
        (412, "accept its licence first"),
        (451, "legal reasons"),
    ],
)
def test_one_refusal_does_not_stop_the_others(
    site: Site, tmp_path: Path, status: int, words: str
) -> None:
    name = "nvidia/tritonserver" if status in (402, 403) else "nvidia/tritonserver:25.06-py3"
    site.ngc.refuse(name, status)
    path = tmp_path / "list.txt"
    result = site.select("nvidia/tritonserver", "nvidia/pytorch", rule=NEWEST, target=path)
    assert result.exit_code == 1
    assert "nvidia/pytorch:25.06-py3" in names(result)
    assert "nvidia/tritonserver:25.06-py3" not in names(result)
    (failed,) = [one for one in result.results if not one.succeeded]
    assert words in failed.error
    assert str(status) in failed.error
    assert words in path.read_text()


def test_projects_and_images_by_a_part_of_the_name_or_all_of_it(site: Site) -> None:
    rule = Rule(latest=1)
    loose = site.select(project="nvidia", images=("pytorch",), rule=rule)
    assert {one.name for one in loose.repositories} == {"nvidia/pytorch", "nvidia/l4t-pytorch"}
    assert "nvidia/l4t-pytorch only hold the text" in loose.notes[0]
    strict = site.select(project="nvidia", images=("pytorch",), strict=True, rule=rule)
    assert {one.name for one in strict.repositories} == {"nvidia/pytorch"}
    three = site.select(images=("dcgm-exporter",), strict=True, rule=rule)
    assert names(three) == [
        "nvidia/k8s/dcgm-exporter:4.2.3-4.1.3-ubi9",
        "nvidia/k8s/dcgm-exporter:4.2.3-4.1.3-ubuntu22.04",
    ]
    with pytest.raises(NotFound, match="nvidia has no repository whose name is torch"):
        site.select(images=("torch",), strict=True)


def test_a_preset_takes_the_last_months_of_all_its_repositories(site: Site) -> None:
    result = site.select(presets=("cuda-and-frameworks",))
    chosen = names(result)
    assert sum(name.startswith("nvidia/cuda:") for name in chosen) == 16
    months = {name for name in chosen if not name.startswith("nvidia/cuda:")}
    assert months == {
        "nvidia/pytorch:25.06-py3", "nvidia/pytorch:25.06-py3-igpu",
        "nvidia/pytorch:25.05-py3", "nvidia/pytorch:25.05-py3-igpu",
        "nvidia/tritonserver:25.06-py3", "nvidia/tritonserver:25.05-py3",
    }  # fmt: skip
    assert choice_of(result, "25.02-tf2-py3").reason == "Before 25.05", "it ended earlier"
    assert result.exit_code == 0, "what NGC no longer has is no failure of a preset"
    own = site.select(presets=("frameworks",), rule=Rule(include=("*-py3",), latest=1))
    assert names(own) == [
        "nvidia/pytorch:25.06-py3", "nvidia/tensorflow:25.02-tf2-py3",
        "nvidia/tritonserver:25.06-py3",
    ]  # fmt: skip


def test_external_images_join_the_list(site: Site, tmp_path: Path) -> None:
    path, listed = tmp_path / "external.yaml", tmp_path / "list.txt"
    host = site.ngc.registry.host
    path.write_text(
        f"images:\n- {{name: {host}/nvidia/gpu-operator, tag: v24.9.2}}\n"
        f"- {{name: {host}/nvidia/gpu-operator, tag: v0}}\n"
    )
    result = site.select(external=path, target=listed)
    assert names(result) == ["nvidia/gpu-operator:v24.9.2"]
    assert result.exit_code == 1
    assert "External image" in listed.read_text()


def test_descriptions_lie_beside(site: Site, tmp_path: Path) -> None:
    rule = Rule(latest=1)
    result = site.select("nvidia/pytorch", "nvidia/cuda", rule=rule, descriptions=tmp_path / "d")
    assert [path.name for path in result.descriptions] == ["description_nvidia%%pytorch.md"]
    assert result.descriptions[0].read_text().startswith("# PyTorch")
    assert any("nvidia/cuda has no description" in note for note in result.notes)


def test_architectures_are_looked_up_where_the_catalogue_is_silent(site: Site) -> None:
    rule = Rule(architectures=("arm64",), latest=1)
    expected = ["nvidia/pytorch:25.06-py3", "nvidia/pytorch:25.06-py3-igpu"]
    assert names(site.select("nvidia/pytorch", rule=rule)) == expected
    site.ngc.api.script("GET", "", faults.status(503), forever=True)
    assert names(site.select("nvidia/pytorch", rule=rule)) == expected
    assert names(site.select("nvidia/cuda", rule=rule)) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "nothing says which repositories"),
        ({"repositories": ("pytorch",)}, "not a repository of NGC"),
        ({"presets": ("none",)}, "there is no preset"),
        ({"project": "nvidia/k8s"}, "not a project"),
        ({"repositories": ("nvidia/cuda",), "rule": Rule(minimum="x")}, "not a version"),
    ],
)
def test_what_cannot_be_meant_asks_nobody(
    site: Site, more: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        site.select(**more)
    assert site.ngc.api.requests == []


def test_the_key_is_in_nothing_that_is_told(site: Site, tmp_path: Path) -> None:
    site.log_in(site.ngc.key(KEY, acme=("hpc",)))
    path = tmp_path / "list.txt"
    result = site.select("acme/hpc/mesher", rule=Rule(latest=1), target=path)
    assert names(result) == ["acme/hpc/mesher:0.20.1"]
    told = f"{result.to_json()} {result!r} {path.read_text()} {site.events}"
    assert KEY not in told
