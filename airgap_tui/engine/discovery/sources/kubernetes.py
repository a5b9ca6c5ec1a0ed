"""What Kubernetes runs or is told to run: `kubectl get -o json|yaml`, manifests, rendered charts.

Images stand in containers of all kinds, in image volumes, in resources of operators, as one text
or as repository, image and version, and in what nodes say that they hold. One walk over what an
object specifies finds them; its status is asked only for what the specification does not tell,
so that nothing counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources.documents import (
    Broken,
    Document,
    Value,
    documents,
    line_of,
)
from airgap_tui.engine.discovery.sources.engine_json import by_tag
from airgap_tui.engine.discovery.sources.mention import apart, mention
from airgap_tui.engine.discovery.sources.operator_images import Candidate, candidates

NODE_IMAGES = 50
"""A node tells so many images at most (the kubelet's `nodeStatusMaxImages`)."""

_NO_OBJECT = "it holds no Kubernetes object"
_SAVE = "Save kubectl get pods -A -o json; for a chart the output of helm template."
_TEMPLATE = "Save the output of helm template (or helm get manifest) instead."
_PULL_ERRORS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
    | {"RegistryUnavailable", "SignatureValidationFailed"}
)
_CONTAINERS = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_NOT_CONTAINERS = re.compile(r"(?:\A|\.)(?:cluster\.x-k8s\.io|metal3\.io)/")
_COUNTED = re.compile(r"[0-9]+")


def read(content: bytes, place: Place) -> Iterator[Finding | Remark]:
    """The images of objects in JSON or YAML, or of the list of names that `-o jsonpath` prints."""
    known = False
    for document in documents(content):
        at = Place(place.path, document.line, place.host)
        if isinstance(document, Broken):
            known = True
            what = "a template, not rendered" if document.template else "neither YAML nor JSON"
            remedy = _TEMPLATE if document.template else "Save it again; the rest of it counts."
            yield Remark(Kind.KUBERNETES, at, f"a document is {what}", remedy)
        elif isinstance(document.value, str):
            names = _plain_names(document.value)
            known = known or bool(names)
            yield from (mention(name, Kind.KUBERNETES, at) for name in names)
        else:
            for thing in _objects(document):
                known = True
                yield from _of_object(thing, at)
    if not known:
        yield Remark(Kind.KUBERNETES, place, _NO_OBJECT, _SAVE)


def _objects(document: Document) -> Iterator[dict[str, Value]]:
    """The objects of a document; lists may hold lists."""
    waiting = [document.value]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, dict) and isinstance(value.get("kind"), str):
            if isinstance(items := value.get("items"), list):
                waiting += reversed(items)
                # An empty list is an answer too.
                if not items:
                    yield {"kind": "List"}
            else:
                yield value


def _of_object(thing: Mapping[str, Value], place: Place) -> Iterator[Finding | Remark]:
    kind = thing.get("kind")
    if kind == "Node":
        yield from _of_node(thing, place)
        return
    group = thing.get("apiVersion")
    if kind == "CustomResourceDefinition" or (
        isinstance(group, str) and _NOT_CONTAINERS.search(group)
    ):
        return
    if kind == "ReplicaSet" and _is_old(thing):
        return
    time = _time_of(thing)
    statuses = _statuses(thing) if kind == "Pod" else {}
    for candidate in candidates(thing):
        yield _finding(candidate, statuses.get(candidate.container), place, time)


def _finding(
    candidate: Candidate, status: Mapping[str, Value] | None, place: Place, time: datetime | None
) -> Finding:
    at = Place(place.path, line_of(candidate.written) or place.line, place.host)
    written = str(candidate.written)
    if candidate.unresolved:
        return apart(written, Kind.KUBERNETES, at, State.UNRESOLVED, candidate.unresolved)
    failed = ""
    if status is not None:
        pulled = status.get("imageID")
        reason = _waits_for(status)
        if reason in _PULL_ERRORS and not pulled:
            failed = f"Kubernetes could not pull it: {reason}"
        # A container may name its image by ID alone; the status then knows where it came from.
        if isinstance(pulled, str) and named(written).reference is None:
            by_status = mention(pulled, Kind.KUBERNETES, at, time=time)
            if by_status.reference is not None:
                return by_status
    return mention(written, Kind.KUBERNETES, at, time=time, failed=failed)


def _of_node(node: Mapping[str, Value], place: Place) -> Iterator[Finding | Remark]:
    status = node.get("status")
    images = status.get("images") if isinstance(status, dict) else None
    if not isinstance(images, list):
        return
    for image in images:
        names = image.get("names") if isinstance(image, dict) else None
        texts = [one for one in names if isinstance(one, str)] if isinstance(names, list) else []
        for name in by_tag(texts):
            at = Place(place.path, line_of(name) or place.line, place.host)
            yield mention(name, Kind.KUBERNETES, at)
    if len(images) >= NODE_IMAGES:
        metadata = node.get("metadata")
        own = metadata.get("name") if isinstance(metadata, dict) else ""
        yield Remark(
            Kind.KUBERNETES,
            place,
            f"the node {own if isinstance(own, str) else ''} tells {len(images)} images, which "
            "is as many as a node tells: there may be more",
            "Run crictl images -o json on the node too.",
        )


def _is_old(replica_set: Mapping[str, Value]) -> bool:
    """A revision that a Deployment keeps for going back to, and that runs nothing."""
    specification, metadata = replica_set.get("spec"), replica_set.get("metadata")
    return (
        isinstance(specification, dict)
        and str(specification.get("replicas")) == "0"
        and isinstance(metadata, dict)
        and bool(metadata.get("ownerReferences"))
    )


def _statuses(pod: Mapping[str, Value]) -> dict[str, Mapping[str, Value]]:
    """The status of each container by its name."""
    status = pod.get("status")
    if not isinstance(status, dict):
        return {}
    found: dict[str, Mapping[str, Value]] = {}
    for key in _CONTAINERS:
        listed = status.get(key)
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and isinstance(name := one.get("name"), str):
                found[name] = one
    return found


def _waits_for(status: Mapping[str, Value]) -> str:
    state = status.get("state")
    waiting = state.get("waiting") if isinstance(state, dict) else None
    reason = waiting.get("reason") if isinstance(waiting, dict) else None
    return str(reason) if isinstance(reason, str) else ""


def _time_of(thing: Mapping[str, Value]) -> datetime | None:
    """When it was last begun: a pod or a job, or a cron job's last run."""
    status = thing.get("status")
    if not isinstance(status, dict):
        return None
    text = status.get("lastScheduleTime") or status.get("startTime")
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _plain_names(text: str) -> list[str]:
    """The names of the list that the documentation of Kubernetes makes with `-o jsonpath`, with or
    without counts; none where a word is not a name."""
    words = [word for word in text.split() if not _COUNTED.fullmatch(word)]
    for word in words:
        if named(word).state is not State.USED or not ("/" in word or ":" in word):
            return []
    return words
