"""The words of a `#SBATCH` line, by Slurm's own rules, which are not those of a shell.

No variable is expanded, quotes and backslashes are taken off, and a `#` outside of them begins a
comment even in the middle of a word: `nvcr.io#nvidia/x` becomes `nvcr.io`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap_tui.engine.discovery.shell.assignment import Word

_DIRECTIVE = re.compile(r"#SBATCH[ \t]+([^\n]*)")


def directive(text: str, line: int) -> tuple[Word, ...]:
    """The line as a command of sbatch; empty where it is another comment."""
    found = _DIRECTIVE.match(text)
    if found is None:
        return ()
    values = [("sbatch", False), *_words(found[1])]
    return tuple(Word((value,), line, cut=cut) for value, cut in values)


def _words(line: str) -> Iterator[tuple[str, bool]]:
    """Each word as it was meant, and whether Slurm cuts it at a `#`; nothing after a cut word."""
    position, end = 0, len(line)
    while position < end:
        if line[position].isspace():
            position += 1
            continue
        if line[position] == "#":
            return
        word, quote, cut = "", "", False
        while position < end:
            c = line[position]
            position += 1
            if quote:
                if c == quote:
                    quote = ""
                    continue
            elif c in "'\"" and c in line[position:]:
                quote = c
                continue
            elif c.isspace():
                break
            elif c == "#":
                cut = True
            if c == "\\" and position < end and quote != "'":
                c = line[position]
                position += 1
            word += c
        yield word, cut
        if cut:
            return
