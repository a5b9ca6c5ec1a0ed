"""Files as hosts have them, each with a table of what is to be found in it, and nothing else.

`corpus/SOURCE/NAME` is the file, `corpus/SOURCE/NAME.expected.yaml` its table: `findings` are lists
of line, state, reference or null, the name as written, and the time or null; of what is not `used`
also the reason. `remarks` are lists of line and text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.sources import (
    definition_file,
    enroot,
    history,
    job_environment,
    job_script,
    sif,
    slurmd_log,
    submit_line,
)

DIRECTORY = Path(__file__).with_name("corpus")
SUFFIX = ".expected.yaml"
Read = Callable[[Stream, Place], Iterator[Finding | Remark]]
READERS: dict[str, Read] = {
    "history": history.read,
    "definition": definition_file.read,
    "sif": sif.read,
    "slurmd-log": slurmd_log.read,
    "job-output": partial(slurmd_log.read, kind=Kind.JOB_OUTPUT),
    "job-script": job_script.read,
    "submit-line": submit_line.read,
    "job-environment": job_environment.read,
    "enroot": enroot.read,
}


def files() -> list[str]:
    """`SOURCE/NAME` of every file of the corpus."""
    return sorted(
        str(path.relative_to(DIRECTORY))
        for path in DIRECTORY.glob("*/*")
        if not path.name.endswith(SUFFIX)
    )


def expected(name: str) -> dict[str, Any]:
    table = yaml.safe_load((DIRECTORY / f"{name}{SUFFIX}").read_text("utf-8"))
    assert set(table) == {"findings", "remarks"}
    return dict(table)


def read(source: str, content: bytes, path: str = "the file") -> list[Finding | Remark]:
    return list(READERS[source](io.BytesIO(content), Place(path, host="dgx01")))


def found(name: str) -> dict[str, Any]:
    """What the reader finds in a file, as the tables have it."""
    source, _, path = name.partition("/")
    results = read(source, (DIRECTORY / name).read_bytes(), path)
    for one in results:
        assert one.kind is not None
        assert (one.kind.value, one.place.path, one.place.host) == (source, path, "dgx01")
    return {
        "findings": [row(one) for one in results if isinstance(one, Finding)],
        "remarks": [[one.place.line, one.text] for one in results if isinstance(one, Remark)],
    }


def row(one: Finding) -> list[Any]:
    assert (one.reference is not None) == (one.state in (State.USED, State.FAILED))
    assert bool(one.reason) == (one.state is not State.USED)
    reference = str(one.reference) if one.reference else None
    time = one.time.isoformat() if one.time else None
    columns = [one.place.line, one.state.value, reference, one.written, time]
    return [*columns, one.reason] if one.reason else columns
