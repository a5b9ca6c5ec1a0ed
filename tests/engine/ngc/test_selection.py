"""A rule decides for every tag, with a reason that is never empty."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.ngc.presets import PRESETS, first_month, preset
from airgap_tui.engine.ngc.repository import RepositoryName, TaggedImage
from airgap_tui.engine.ngc.selection import Rule, select
from airgap_tui.engine.ngc.versions import classify
from airgap_tui.engine.oci.platform import Platform

PYTORCH = [
    "24.12-py3",
    "25.04-py3",
    "25.05-py3",
    "25.06-py3",
    "25.06-py3-igpu",
    "25.05-py3-igpu",
    "nightly-test",
    "latest",
    f"sha256-{'0' * 64}.sig",
]
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def decide(tags: Sequence[str], rule: Rule) -> dict[str, str]:
    """The reason for each tag, with + before it where it is chosen."""
    decisions = select([TaggedImage(tag) for tag in tags], rule).decisions
    return {one.image.tag: f"{'+' if one.chosen else ''}{one.reason}" for one in decisions}


def chosen(tags: Sequence[str], rule: Rule) -> set[str]:
    return {tag for tag, reason in decide(tags, rule).items() if reason.startswith("+")}


def test_globs_then_versions_then_the_newest() -> None:
    rule = Rule(include=("*-py3",), minimum="25.01", latest=2)
    assert decide(PYTORCH, rule) == {
        "25.06-py3": "+Newest",
        "25.05-py3": "+2nd newest",
        "25.04-py3": "Beyond newest 2",
        "25.06-py3-igpu": "Other variant",
        "25.05-py3-igpu": "Other variant",
        "24.12-py3": "Before 25.01",
        "latest": "Not a version",
        "nightly-test": "Not a version",
    }


def test_the_order_is_newest_first_and_what_is_no_version_last() -> None:
    selection = select([TaggedImage(tag) for tag in sorted(PYTORCH)], Rule())
    assert [one.image.tag for one in selection.decisions] == [
        "25.06-py3", "25.06-py3-igpu", "25.05-py3", "25.05-py3-igpu", "25.04-py3", "24.12-py3",
        "latest", "nightly-test",
    ]  # fmt: skip
    assert selection.hidden == 1


def test_the_newest_of_each_variant() -> None:
    assert chosen(PYTORCH, Rule(latest=1)) == {"25.06-py3", "25.06-py3-igpu"}


def test_a_bound_is_a_number() -> None:
    """As floats, 18.10 would be before 18.9."""
    tags = ["18.08", "18.09", "18.10", "18.11", "18.12"]
    assert chosen(tags, Rule(minimum="18.9")) == set(tags[1:])
    assert chosen(tags, Rule(minimum="18.9", maximum="18.11")) == set(tags[1:4])
    reasons = decide(tags, Rule(minimum="18.9", maximum="18.11"))
    assert reasons["18.12"] == "After 18.11"
    assert reasons["18.10"] == "+From 18.9 up to 18.11"


def test_what_is_no_version_is_chosen_by_a_glob_alone() -> None:
    tags = ["1.0", "latest", "edge"]
    assert chosen(tags, Rule()) == {"1.0"}
    assert chosen(tags, Rule(include=("l*",))) == {"latest"}
    assert chosen(tags, Rule(include=("*",), latest=1)) == {"1.0"}
    assert chosen(tags, Rule(include=("latest", "1*"), latest=1)) == {"1.0", "latest"}
    assert decide(tags, Rule(include=("latest",)))["latest"] == "+Named"
    assert decide(["main", "edge"], Rule(latest=1)) == {
        "edge": "Not a version", "main": "Not a version",
    }  # fmt: skip


def test_exclude_wins_over_include() -> None:
    reasons = decide(PYTORCH, Rule(include=("*-py3*",), exclude=("*-igpu",)))
    assert reasons["25.06-py3-igpu"] == "Excluded by *-igpu"
    assert reasons["25.06-py3"] == "+Fits *-py3*"


def test_prereleases_are_asked_for() -> None:
    tags = ["1.0", "1.1-rc1", "1.1-rc2"]
    assert decide(tags, Rule(latest=1)) == {
        "1.1-rc2": "Prerelease", "1.1-rc1": "Prerelease", "1.0": "+Newest",
    }  # fmt: skip
    assert chosen(tags, Rule(latest=1, prereleases=True)) == {"1.1-rc2"}
    assert chosen(tags, Rule(include=("*-rc*",))) == {"1.1-rc1", "1.1-rc2"}
    assert chosen(tags, Rule(include=("*",), latest=1)) == {"1.0"}


def test_python_counts_where_tags_name_one() -> None:
    tags = ["19.10-py2", "19.10-py3", "19.10"]
    assert chosen(tags, Rule(python="py3")) == {"19.10-py3"}
    assert decide(tags, Rule(python="3"))["19.10-py2"] == "Not for Python 3"
    assert chosen(["12.4.1-base-ubi9"], Rule(python="py3")) == {"12.4.1-base-ubi9"}
    tags = ["24.06-cuda12.2-py3.10", "24.06-cuda12.2-py3.11", "24.06-cuda12.2-py311"]
    assert chosen(tags, Rule(python="py3.11")) == set(tags[1:])


def test_equal_versions_are_one() -> None:
    assert chosen(["1.0", "1", "0.9"], Rule(latest=1)) == {"1.0", "1"}
    assert chosen(["1.0.10", "1.0.9", "1.0", "1", "latest"], Rule(latest=1)) == {"1.0.10"}


def test_architectures() -> None:
    images = [
        TaggedImage("3.0", platforms=(AMD64,)),
        TaggedImage("2.0", platforms=(AMD64, Platform("linux", "arm64", "v8"))),
        TaggedImage("1.0"),
    ]
    reasons = [(one.chosen, one.reason) for one in
               select(images, Rule(architectures=("arm64",), latest=2)).decisions]  # fmt: skip
    expected = [(False, "Not for arm64"), (True, "Newest"), (False, "Platforms not known")]
    assert reasons == expected


def test_platforms_are_asked_for_only_until_enough_are_there() -> None:
    asked: list[str] = []

    def platforms(image: TaggedImage) -> tuple[Platform, ...]:
        asked.append(image.tag)
        return (ARM64,) if image.tag != "4.0" else (AMD64,)

    images = [TaggedImage(f"{number}.0") for number in range(1, 5)]
    selection = select(images, Rule(architectures=("arm64",), latest=1), platforms)
    assert [one.image.tag for one in selection.chosen] == ["3.0"]
    assert asked == ["4.0", "3.0"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(minimum="new"), "not a version: 'new'"),
        (Rule(maximum="25.06-py3"), "not a version"),
        (Rule(minimum="25.06", maximum="25.01"), "no version is from 25.06 on and up to 25.01"),
        (Rule(latest=0), "are none"),
        (Rule(python="snake"), "not a version of Python"),
        (Rule(architectures=("a/b/c/d",)), "not a platform"),
    ],
)
def test_what_cannot_be_meant(rule: Rule, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rule.check()


def test_a_rule_in_words() -> None:
    assert str(Rule()) == "every version"
    rule = Rule(("*-py3",), ("*rc*",), "25.01", "25.06", "py3", 2, ("arm64",))
    assert str(rule) == (
        "newest 2 of each variant, only *-py3, without *rc*, from 25.01 on, up to 25.06,"
        " for Python 3, for arm64"
    )


tags_ = st.sets(
    st.sampled_from(PYTORCH) | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    max_size=25,
)
bounds = st.sampled_from(["", "1", "25.01", "25.6", "v2.3-rc1"])
globs = st.lists(st.sampled_from(["*", "*-py3", "25*", "[", "latest", "?"]), max_size=2).map(tuple)
rules = st.builds(
    Rule, globs, globs, bounds, bounds, st.sampled_from(["", "py3", "2"]),
    st.none() | st.integers(1, 3), st.sampled_from([(), ("arm64",)]), st.booleans(),
)  # fmt: skip


@given(tags_, rules)
def test_every_tag_has_one_decision_with_a_reason(tags: set[str], rule: Rule) -> None:
    selection = select([TaggedImage(tag) for tag in tags], rule)
    assert len(selection.decisions) + selection.hidden == len(tags)
    assert all(one.reason for one in selection.decisions)
    if rule.latest is not None:
        for variant in {one.variant for one in selection.chosen}:
            here = {one.version for one in selection.chosen if one.variant == variant}
            here -= {one.version for one in selection.chosen if one.reason == "Named"}
            assert len(here) <= rule.latest


def test_presets_name_repositories_that_can_be() -> None:
    for one in PRESETS:
        assert preset(one.name) is one
        for part in one.parts:
            part.rule.check()
            assert [RepositoryName.parse(name).path for name in part.repositories] == list(
                part.repositories
            )
    with pytest.raises(UsageError, match="there is no preset 'all'"):
        preset("all")


def test_the_last_months_are_those_of_all_together() -> None:
    live = classify(["25.01-py3", "24.12-py3", "24.11-py3"])
    ended = classify(["20.11-tf1-py3", "20.10-tf1-py3"])
    other = classify(["99.1.2", "3.4.5"])
    assert first_month([ended, live, other], 2) == "24.12"
    assert first_month([live], 3) == "24.11"
    assert first_month([live], 14) == "23.12"
    assert first_month([other], 2) == ""


def test_names_of_repositories() -> None:
    name = RepositoryName.parse("nvcr.io/nvidia/k8s/dcgm-exporter")
    assert (name.org, name.team, name.name) == ("nvidia", "k8s", "dcgm-exporter")
    assert str(RepositoryName.parse("nvidia/pytorch")) == "nvidia/pytorch"
    page = "https://catalog.ngc.nvidia.com/orgs/nvidia/teams/k8s/containers/dcgm-exporter"
    assert name.page == page
    for text in (
        "pytorch",
        "a/b/c/d",
        "nvidia/pytorch:25.06",
        "nvidia/PyTorch",
        "",
        "a//b",
        "../a/b",
    ):
        with pytest.raises(UsageError, match="not a repository of NGC"):
            RepositoryName.parse(text)
