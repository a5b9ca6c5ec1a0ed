"""What a verify found, as rows, facts and text: pure functions of its result."""

from __future__ import annotations

from airgap_tui.engine.bundle.findings import Finding
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.guide import arrival, outcome
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.quantities import size
from screens import names
from screens.job_rows import layer_name
from screens.look import Mark
from screens.widgets.rows import Column, TableRow
from screens.widgets.text import Fact

_MOST_NAMED = 3
"""Images that are named below one damaged file; the rest are counted."""


def signature_facts(result: VerifyResult, side: Side) -> list[Fact]:
    """What the signature says; nothing of one that is not there yet on the online side."""
    signature = result.signature
    if side is Side.ONLINE and signature.standing is Standing.UNSIGNED:
        return []
    marks = {Standing.GOOD: Mark.DONE, Standing.UNSIGNED: Mark.NONE}
    mark = marks.get(signature.standing, Mark.NEEDS_YOU)
    return [Fact("Signature", arrival.signed(signature), mark)]


def facts_of(finding: Finding, sizes: dict[str, int], result: VerifyResult) -> list[Fact]:
    """One damaged file: which, how that was seen, and who needs it."""
    needed = list(finding.items[:_MOST_NAMED])
    if len(finding.items) > _MOST_NAMED:
        needed.append(f"and {len(finding.items) - _MOST_NAMED} more")
    name = "Layer" if finding.digest else "File"
    weight = sizes.get(finding.digest)
    called = layer_name(finding.digest) if finding.digest else finding.file
    where = outcome.on_volume(finding, result)
    weighed = f"{called}, {size(weight)}" if weight else called
    return [
        Fact(name, f"{weighed}, on {where}" if where else weighed),
        Fact("Problem", outcome.problem(finding)),
        Fact("Needed by", "\n".join(needed) if needed else "No image"),
    ]


def whole(result: VerifyResult) -> tuple[ItemResult, ...]:
    return tuple(item for item in result.items if item.succeeded)


def image_row(item: ItemResult, common: str, result: VerifyResult) -> TableRow:
    lacking = "Not here" if outcome.missing_volumes(result) else "Not saved"
    words, mark = ("Whole", Mark.DONE) if item.succeeded else (lacking, Mark.NEEDS_YOU)
    weight = size(item.bytes) if item.bytes else "-"
    return TableRow(item.reference, (names.short(item.reference, common), words, weight), mark=mark)


def finding_columns(result: VerifyResult) -> list[Column]:
    """The columns of the table of what is wrong; which volume it is on, where there are some."""
    volumes = result.volumes is not None
    return [
        Column("Layer", 14),
        Column("Size", 8, right=True),
        *([Column("Volume", 7, right=True)] if volumes else ()),
        Column("Problem", 10, grow=1),
        Column("Needed by", 26 if volumes else 34, grow=2),
    ]


def finding_row(
    finding: Finding, sizes: dict[str, int], common: str, result: VerifyResult
) -> TableRow:
    weight = sizes.get(finding.digest)
    first = names.short(finding.items[0], common) if finding.items else "No image"
    more = f" and {len(finding.items) - 1} more" if len(finding.items) > 1 else ""
    problem = outcome.problem_word(finding)
    called = layer_name(finding.digest) if finding.digest else finding.file
    numbers = ", ".join(map(str, finding.volumes)) or "-"
    volumes = (numbers,) if result.volumes is not None else ()
    cells = (called, size(weight) if weight else "-", *volumes, problem, f"{first}{more}")
    return TableRow(finding.file, cells)


def told(finding: Finding, sizes: dict[str, int], result: VerifyResult) -> str:
    lines = [f"File       {finding.file}"]
    if finding.digest in sizes:
        lines.append(f"Size       {size(sizes[finding.digest])}")
    if where := outcome.on_volume(finding, result):
        lines.append(f"Where      {where}")
    lines.append(f"Problem    {finding.problem}")
    lines += [f"Needed by  {item}" for item in finding.items]
    return "\n".join(lines)
