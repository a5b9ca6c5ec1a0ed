"""Findings of many sources and hosts as one answer, the same in whatever order they came."""

from __future__ import annotations

import json
import random
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.discovery import merging
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.merging import Discovery, ImageSource, merged
from airgap_tui.engine.discovery.sources import engine_listing
from airgap_tui.engine.discovery.sources.mention import apart, mention

NOON = datetime(2025, 6, 30, 12, tzinfo=timezone(timedelta(hours=2)))
PYTORCH = "nvcr.io/nvidia/pytorch:25.06-py3"


def used(
    name: str,
    path: str = "log",
    line: int = 1,
    *,
    host: str = "",
    kind: Kind = Kind.SLURMD_LOG,
    when: datetime | None = None,
) -> Finding:
    return mention(name, kind, Place(path, line, host), time=when)


def failed(name: str, reason: str = "401") -> Finding:
    return mention(name, Kind.SLURMD_LOG, Place("log", 9), failed=reason)


def test_names_that_mean_the_same_are_one_image() -> None:
    discovery = merged(
        [
            used("ubuntu", line=7, when=NOON - timedelta(days=1)),
            used("docker://docker.io/library/ubuntu:latest", line=3, when=NOON),
            used("index.docker.io/ubuntu", "job.sh", 2, host="dgx02", kind=Kind.JOB_SCRIPT),
        ]
    )
    (image,) = discovery.images
    assert str(image.reference) == "docker.io/library/ubuntu:latest"
    assert (image.count, image.last_used) == (3, NOON)
    assert image.sources == (
        ImageSource(Kind.JOB_SCRIPT, Place("job.sh", 2, "dgx02"), 1),
        ImageSource(Kind.SLURMD_LOG, Place("log", 3), 2),
    )


def test_a_failed_pull_counts_only_where_nobody_uses_the_image() -> None:
    discovery = merged([failed("a/x:1"), failed("a/y:1", "b"), failed("a/y:1", "a"), used("a/x:1")])
    assert [str(image.reference) for image in discovery.images] == ["docker.io/a/x:1"]
    assert [(str(one.reference), one.count, one.reason) for one in discovery.failed] == [
        ("docker.io/a/y:1", 2, "a")
    ]


def test_what_is_no_image_of_a_registry_stands_apart() -> None:
    place = Place("job.sh", 4, "dgx01")
    discovery = merged(
        [
            mention("$IMAGE", Kind.JOB_SCRIPT, place),
            mention("./x.sqsh", Kind.JOB_SCRIPT, place),
            mention("./x.sqsh", Kind.JOB_SCRIPT, place),
        ]
    )
    assert discovery.images == ()
    assert [(one.written, one.count) for one in discovery.unresolved] == [("$IMAGE", 1)]
    assert [(one.written, one.count) for one in discovery.other] == [("./x.sqsh", 2)]


def test_what_a_docker_host_built_itself_is_no_image_of_the_hub_there() -> None:
    images = b'[{"RepoTags": ["mybuild:dev"], "RepoDigests": []}]'
    containers = b'[{"Image": "mybuild:dev", "ImageID": "sha256:1", "HostConfig": {}}]'
    found = [
        *engine_listing.read(images, Place("docker images", host="dgx01")),
        *engine_listing.read(containers, Place("docker ps", host="dgx01")),
    ]
    discovery = merged(found)
    assert discovery.images == ()
    assert [(one.written, one.count) for one in discovery.other] == [("mybuild:dev", 2)]
    elsewhere = merged([*found, used("mybuild:dev", host="dgx02", kind=Kind.DOCKER)])
    assert [str(image.reference) for image in elsewhere.images] == ["docker.io/library/mybuild:dev"]
    assert elsewhere.images[0].count == 1


def test_the_json_is_as_the_design_has_it() -> None:
    discovery = merged(
        [
            used(PYTORCH, "/var/log/slurm/slurmd.log", 3, host="dgx01", when=NOON),
            used("ubuntu", "docker images", 0, kind=Kind.DOCKER),
            failed("nvcr.io/x:1", "401 Unauthorized"),
            mention("$IMAGE", Kind.JOB_SCRIPT, Place("job.sh", 4)),
            mention("library://x", Kind.HISTORY, Place(".bash_history", 2)),
            Remark(None, Place("dgx09"), "it did not answer", "Is it on?"),
            Remark(None, Place("dgx09"), "it did not answer", "Is it on?"),
        ]
    )
    assert json.loads(json.dumps(discovery.to_json())) == {
        "images": [
            {
                "reference": "docker.io/library/ubuntu:latest",
                "count": 1,
                "lastUsed": None,
                "sources": [{"kind": "docker", "path": "docker images", "line": None, "count": 1}],
                "sourcesLeftOut": False,
            },
            {
                "reference": PYTORCH,
                "count": 1,
                "lastUsed": "2025-06-30T10:00:00Z",
                "sources": [
                    {
                        "kind": "slurmd-log",
                        "host": "dgx01",
                        "path": "/var/log/slurm/slurmd.log",
                        "line": 3,
                        "count": 1,
                    }
                ],
                "sourcesLeftOut": False,
            },
        ],
        "failed": [
            {
                "reference": "nvcr.io/x:1",
                "count": 1,
                "lastUsed": None,
                "sources": [{"kind": "slurmd-log", "path": "log", "line": 9, "count": 1}],
                "sourcesLeftOut": False,
                "reason": "401 Unauthorized",
            }
        ],
        "unresolved": [
            {
                "text": "$IMAGE",
                "reason": "it depends on $IMAGE",
                "count": 1,
                "lastUsed": None,
                "sources": [{"kind": "job-script", "path": "job.sh", "line": 4, "count": 1}],
                "sourcesLeftOut": False,
            }
        ],
        "other": [
            {
                "text": "library://x",
                "reason": "an image of a Singularity library, not of a registry",
                "count": 1,
                "lastUsed": None,
                "sources": [{"kind": "history", "path": ".bash_history", "line": 2, "count": 1}],
                "sourcesLeftOut": False,
            }
        ],
        "warnings": [
            {
                "kind": None,
                "path": "dgx09",
                "line": None,
                "text": "it did not answer",
                "remedy": "Is it on?",
            }
        ],
    }
    assert merged([]) == Discovery()


def test_the_first_sources_of_very_many_are_kept_whatever_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "MOST_SOURCES", 5)
    findings = [used(PYTORCH, f"job-{n:03}.sh", line) for n in range(100) for line in (9, 4)]
    expected = tuple(ImageSource(Kind.SLURMD_LOG, Place(f"job-{n:03}.sh", 4), 2) for n in range(5))
    for seed in range(5):
        random.Random(seed).shuffle(findings)  # noqa: S311 - test data
        (image,) = merged(findings).images
        assert (image.count, image.sources, image.sources_left_out) == (200, expected, True)


def test_remarks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MOST_REMARKS", 3)
    remarks = [Remark(None, Place(f"host-{n:02}"), "it did not answer") for n in range(50)]
    random.Random(1).shuffle(remarks)  # noqa: S311 - test data
    assert [one.place.path for one in merged(remarks).remarks] == ["host-00", "host-01", "host-02"]


def test_a_hundred_thousand_findings_are_cheap() -> None:
    findings = [used(f"nvcr.io/nvidia/pytorch:{n % 300}", f"log.{n % 40}", n) for n in range(100)]
    merge = merging.Merging()
    began = time.process_time()
    for _ in range(1000):
        for one in findings:
            merge.add(one)
    assert sum(image.count for image in merge.result().images) == 100_000
    assert time.process_time() - began < 5


some_findings = st.lists(
    st.one_of(
        st.builds(
            used,
            st.sampled_from(["ubuntu", "a/b:1", "a/b:2", PYTORCH]),
            st.sampled_from(["one", "two"]),
            st.integers(0, 3),
            host=st.sampled_from(["", "dgx01"]),
            kind=st.sampled_from([Kind.DOCKER, Kind.HISTORY]),
            when=st.sampled_from([None, NOON, NOON - timedelta(days=1)]),
        ),
        st.builds(failed, st.sampled_from(["ubuntu", "x/y"]), st.sampled_from(["a", "b"])),
        st.builds(
            apart,
            st.sampled_from(["$A", "./b"]),
            st.just(Kind.HISTORY),
            st.just(Place("h", 1)),
            st.sampled_from([State.OTHER, State.UNRESOLVED]),
            st.just("why"),
        ),
        st.builds(
            Remark, st.none(), st.builds(Place, st.sampled_from("ab")), st.sampled_from("xy")
        ),
    ),
    max_size=30,
)


@given(some_findings, st.randoms())
def test_the_order_does_not_matter_and_nothing_is_lost(
    findings: list[Finding | Remark], chance: random.Random
) -> None:
    discovery = merged(findings)
    shuffled = list(findings)
    chance.shuffle(shuffled)
    assert merged(shuffled) == discovery
    states = [one.state for one in findings if isinstance(one, Finding)]
    assert sum(image.count for image in discovery.images) == states.count(State.USED)
    for image in discovery.images:
        assert sum(source.count for source in image.sources) == image.count
    assert sum(one.count for one in discovery.other) == states.count(State.OTHER)
