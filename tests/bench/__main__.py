"""Measure the program against its peers: `tests/bench/run --help`."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests import services
from tests.bench import cases, content
from tests.bench.report import Report


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(cases.CASES)}")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side; usually 5")
    parser.add_argument("--cache", type=Path, help="where the content is kept (25 GB)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in cases.CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(cases.CASES)}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache: Path = options.cache or home / "airgap-tui-bench"
    data = content.prepare(cache, say)
    for package in ("airgap_tui", "screens", "tests/bench"):
        compileall.compile_dir(cases.ROOT / package, quiet=1)  # as pip does on installing
    text = (
        f"Content: {len(data.images)} images, {len(data.used)} distinct gzip layers,"
        f" {data.size / 1e9:.2f} GB, {data.unpacked / 1e9:.2f} GB unpacked;"
        f" medians of {options.repeats} runs, in turn with the peer."
    )
    say(text)
    report = Report(machine(), text)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # cleans up
    work = Path(tempfile.mkdtemp(prefix="work-", dir=cache))
    bench = cases.Bench(data, work, options.repeats, say, report)
    bench.registry = services.start_distribution(root=cache / "registry")
    failed = []
    try:
        bench.fill_registry()
        for name in options.cases or cases.CASES:
            try:
                cases.CASES[name](bench)
            except Exception as error:
                # The other cases still tell something.
                say(f"{name} failed: {error}")
                failed.append(name)
    finally:
        bench.registry.stop()
        shutil.rmtree(work, ignore_errors=True)
    report.comparisons = [one for one in report.comparisons if one.ours]
    sys.stdout.write(report.to_markdown())
    if options.markdown:
        options.markdown.write_text(report.to_markdown())
    if options.json:
        options.json.write_text(json.dumps(report.to_json(), indent=1) + "\n")
    return 1 if failed else 0


def machine() -> str:
    """What the numbers were taken on."""
    model = platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line for line in lines if line.startswith("model name")).partition(": ")[2]
    cores = len(os.sched_getaffinity(0))
    return f"Machine: {cores} cores, {model}, Python {platform.python_version()}."


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
