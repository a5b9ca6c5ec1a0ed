"""What a verify found, as rows, facts and text: pure functions of its result."""

from __future__ import annotations

from airgap_tui.engine.bundle.findings import Finding
from airgap_tui.engine.guide import outcome
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.quantities import size
from screens import names
from screens.job_rows import layer_name
from screens.look import Mark
from screens.widgets.rows import TableRow
from screens.widgets.text import Fact

_MOST_NAMED = 3
"""Images that are named below one damaged file; the rest are counted."""


def facts_of(finding: Finding, sizes: dict[str, int]) -> list[Fact]:
    """One damaged file: which, how that was seen, and who needs it."""
    needed = list(finding.items[:_MOST_NAMED])
    if len(finding.items) > _MOST_NAMED:
        needed.append(f"and {len(finding.items) - _MOST_NAMED} more")
    name = "Layer" if finding.digest else "File"
    weight = sizes.get(finding.digest)
    called = layer_name(finding.digest) if finding.digest else finding.file
    return [
        Fact(name, f"{called}, {size(weight)}" if weight else called),
        Fact("Problem", outcome.problem(finding)),
        Fact("Needed by", "\n".join(needed) if needed else "No image"),
    ]


def whole(result: VerifyResult) -> tuple[ItemResult, ...]:
    return tuple(item for item in result.items if item.succeeded)


def image_row(item: ItemResult, common: str) -> TableRow:
    words, mark = ("Whole", Mark.DONE) if item.succeeded else ("Not saved", Mark.NEEDS_YOU)
    weight = size(item.bytes) if item.bytes else "-"
    return TableRow(item.reference, (names.short(item.reference, common), words, weight), mark=mark)


def finding_row(finding: Finding, sizes: dict[str, int], common: str) -> TableRow:
    weight = sizes.get(finding.digest)
    first = names.short(finding.items[0], common) if finding.items else "No image"
    more = f" and {len(finding.items) - 1} more" if len(finding.items) > 1 else ""
    problem = outcome.problem_word(finding)
    called = layer_name(finding.digest) if finding.digest else finding.file
    cells = (called, size(weight) if weight else "-", problem, f"{first}{more}")
    return TableRow(finding.file, cells)


def told(finding: Finding, sizes: dict[str, int]) -> str:
    lines = [f"File       {finding.file}"]
    if finding.digest in sizes:
        lines.append(f"Size       {size(sizes[finding.digest])}")
    lines.append(f"Problem    {finding.problem}")
    lines += [f"Needed by  {item}" for item in finding.items]
    return "\n".join(lines)
