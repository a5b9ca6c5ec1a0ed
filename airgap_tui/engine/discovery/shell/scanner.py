"""Shell text as the simple commands in it, with the variables resolved that the text itself sets.

Made for what people leave behind: histories with half a line, scripts for several shells, logs. So
it never refuses a text: a quote that nobody closes is passed over. What a shell would do
in a condition or a loop is not decided: a variable then has several values, and a word that uses
it too. What is not set here stays in the word as it is written; the output of commands is not
guessed, but the commands in `$(…)` are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from airgap_tui.engine.discovery.shell.assignment import ASSIGNMENT, Word, assign, set_by
from airgap_tui.engine.discovery.shell.expansion import (
    Variables,
    ansi_end,
    ansi_quoted,
    braced,
    matching,
)
from airgap_tui.engine.discovery.shell.slurm_directive import directive_words

DEEPEST = 6
"""How deep scripts within scripts are read."""
_MOST_VALUES = 32
_FARTHEST = 1 << 18
_MOST_UNCLOSED = 2000
_MOST_UNENDED = 20
_BLANK = " \t\r\x0b\x0c"
_PLAIN = re.compile(r"[^\s'\"\\$`;&|()<>#]+")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-])")
_DIRECTIVE = re.compile(r"#SBATCH[ \t]+([^\n]*)")
_DOUBLE_QUOTED = re.compile(r"[^\"\\$`]+")
_SCRIPT_FILE = re.compile(r"\.(?:sh|bash|zsh|csh|sbatch|slurm|job)\Z")
_SHELL_SCRIPT = re.compile(r"#![^\n]*\b(?:ba|z|k|da|c|tc)?sh\b")

_BEGINS_CONDITION = frozenset({"if", "case"})
_ENDS_CONDITION = frozenset({"fi", "esac"})
_KEYWORDS = (
    frozenset({"then", "else", "elif", "while", "until", "do", "!", "{", "}"})
    | _BEGINS_CONDITION
    | _ENDS_CONDITION
)
_TAKES_SCRIPT = frozenset({"sbatch", "salloc", "srun", "bash", "sh", "zsh", "ksh", "dash", "ssh"})


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: the assignments in front of it, and its words, which may be none."""

    assignments: tuple[Word, ...]
    words: tuple[Word, ...]
    variables: Variables


@dataclass(slots=True)
class _Open:
    """The word that is being read."""

    values: list[str] = field(default_factory=lambda: [""])
    unset: set[str] = field(default_factory=set)
    line: int = 1
    begun: bool = False
    quoted: bool = False

    def add(self, *texts: str) -> None:
        self.begun = True
        if len(texts) == 1:
            self.values = [f"{value}{texts[0]}" for value in self.values]
        else:
            self.values = [f"{a}{b}" for a in self.values for b in texts][:_MOST_VALUES]


@dataclass(frozen=True, slots=True)
class _Here:
    """A here-document that begins at the next line."""

    delimiter: str
    tabs: bool
    literal: bool


class Script:
    """One text, read once. `directives` says that `#SBATCH` lines at its head count."""

    def __init__(
        self,
        text: str,
        variables: Variables,
        *,
        line: int = 1,
        depth: int = 0,
        directives: bool = True,
    ) -> None:
        self._text = text
        self._variables = variables
        self._line = line
        self._depth = depth
        self._head = directives
        self._position = 0
        self._word = _Open()
        self._words: list[Word] = []
        self._ready: list[Command] = []
        self._heres: list[_Here] = []
        self._redirecting = ""
        self._conditional = False
        self._conditions = 0
        self._takes_script = False
        self._writes = ""
        self._unclosed = 0
        self._unended = 0

    def commands(self) -> Iterator[Command]:
        """The commands in their order, those of scripts inside at their place."""
        text, end = self._text, len(self._text)
        while self._position < end:
            self._step(text, text[self._position])
            if self._ready:
                yield from self._ready
                self._ready.clear()
        self._end_command("")
        yield from self._ready
        self._ready.clear()

    # --- characters -------------------------------------------------------------------------------

    def _step(self, text: str, c: str) -> None:
        plain = _PLAIN.match(text, self._position)
        if plain:
            self._begin()
            self._word.add(plain[0])
            self._position = plain.end()
        elif c == "\n":
            self._position += 1
            self._end_line()
        elif c in _BLANK or c.isspace():
            self._position += 1
            self._end_word()
        elif c == "#" and not self._word.begun:
            self._comment(text)
        elif c == "\\":
            self._escape(text)
        elif c in "'\"":
            self._quote(text, c)
        elif c in "$`":
            self._expand(text, quoted=False)
        elif c in "<>":
            self._redirect(text, c)
        elif c == "&" and text.startswith(("&>", "&>>"), self._position):
            self._end_word()
            self._position += 3 if text.startswith("&>>", self._position) else 2
            self._redirecting = ">"
        elif c == "(" and re.fullmatch(r"[A-Za-z_]\w*\+?=", self._word.values[0]):
            self._array(text)
        elif c in ";&|()":
            double = text.startswith(("&&", "||", ";;"), self._position)
            operator = text[self._position : self._position + (2 if double else 1)]
            self._position += len(operator)
            self._end_command(operator)
        else:
            self._begin()
            self._word.add(c)
            self._position += 1

    def _begin(self) -> None:
        if not self._word.begun:
            self._word.begun = True
            self._word.line = self._line

    def _comment(self, text: str) -> None:
        end = text.find("\n", self._position)
        end = len(text) if end < 0 else end
        at_start = self._position == 0 or text[self._position - 1] == "\n"
        found = _DIRECTIVE.match(text, self._position) if self._head and at_start else None
        if found:
            values = [("sbatch", False), *directive_words(found[1])]
            words = tuple(Word((value,), self._line, cut=cut) for value, cut in values)
            self._ready.append(Command((), words, self._variables))
        self._position = end

    def _escape(self, text: str) -> None:
        following = text[self._position + 1 : self._position + 2]
        if following == "\r" and text.startswith("\\\r\n", self._position):
            self._position += 1
            following = "\n"
        self._position += 2
        if following == "\n":
            self._line += 1
            return
        self._begin()
        self._word.quoted = True
        self._word.add(following)

    def _quote(self, text: str, mark: str) -> None:
        start = self._position + 1
        self._begin()
        self._word.quoted = True
        if mark == "'":
            end = text.find("'", start)
            if end < 0:
                self._position = start
                return
            self._literal(text[start:end])
            self._position = end + 1
            return
        if self._closing(start, '"') < 0:
            self._position = start
            return
        self._position = start
        while self._position < len(text) and text[self._position] != '"':
            c = text[self._position]
            if run := _DOUBLE_QUOTED.match(text, self._position):
                self._literal(run[0])
                self._position = run.end()
            elif c == "\\":
                following = text[self._position + 1 : self._position + 2]
                if following == "\n":
                    self._line += 1
                else:
                    self._word.add(following if following in '"\\$`' else f"\\{following}")
                self._position += 2
            else:
                self._expand(text, quoted=True)
        self._position += 1

    def _literal(self, run: str) -> None:
        self._word.add(run)
        self._line += run.count("\n")

    # --- expansions -------------------------------------------------------------------------------

    def _expand(self, text: str, *, quoted: bool) -> None:
        """A `$…` or a backtick at the position."""
        self._begin()
        start = self._position
        if text[start] == "`":
            end = text.find("`", start + 1)
            self._substituted(text, start + 1, end, "`" if end < 0 else "$(..)")
        elif text.startswith("$((", start):
            end = text.find("))", start, start + 1000)
            self._position = end + 2 if end >= 0 else start + 3
            self._word.add("$((..))")
            self._line += text.count("\n", start, self._position)
        elif text.startswith("$(", start):
            end = self._closing(start + 2, ")")
            self._substituted(text, start + 2, end, "$(..)")
        elif text.startswith("${", start) and (end := self._closing(start + 2, "}")) >= 0:
            self._position = end + 1
            self._line += text.count("\n", start, end)
            self._value(text[start + 2 : end], text[start : end + 1], quoted)
        elif text.startswith("$'", start) and not quoted and (end := ansi_end(text, start)) >= 0:
            self._word.quoted = True
            self._word.add(ansi_quoted(text[start + 2 : end]))
            self._line += text.count("\n", start, end)
            self._position = end + 1
        elif found := _NAME.match(text, start):
            self._position = found.end()
            self._value(found[1], found[0], quoted)
        else:
            self._word.add("$")
            self._position = start + 1

    def _substituted(self, text: str, start: int, end: int, stands: str) -> None:
        self._word.add(stands)
        if end < 0:
            self._position = start
            return
        self._read_inside(text[start:end], self._line)
        self._line += text.count("\n", start, end)
        self._position = end + 1

    def _value(self, inside: str, written: str, quoted: bool) -> None:
        values, unset = braced(inside, self._variables)
        self._word.unset |= unset
        if not values:
            # Defaults and patterns are left out: they may hold anything.
            self._word.add(written if not unset or len(written) < 3 else _stand_in(written, unset))
        elif quoted or len(values) > 1 or self._is_assignment() or values[0].split() == [values[0]]:
            self._word.add(*values)
        else:
            self._split(values[0])

    def _is_assignment(self) -> bool:
        return ASSIGNMENT.match(self._word.values[0]) is not None

    def _split(self, value: str) -> None:
        """An unquoted value with white space in it becomes several words, an empty one none."""
        if self._word.values == [""]:
            self._word.begun = self._word.quoted
        elif value[:1].isspace():
            self._end_word()
        parts = value.split()
        for number, part in enumerate(parts):
            if number:
                self._end_word()
            self._begin()
            self._word.add(part)
        if parts and value[-1].isspace():
            self._end_word()

    def _closing(self, start: int, closer: str) -> int:
        """As `matching`; looks less far in a text where much was never closed, and at last no more:
        the time that a text takes grows with its length only."""
        if self._unclosed > _MOST_UNCLOSED:
            return -1
        end = matching(self._text, start, closer, _FARTHEST >> min(self._unclosed, 10))
        self._unclosed += end < 0
        return end

    # --- redirections and here-documents ----------------------------------------------------------

    def _redirect(self, text: str, c: str) -> None:
        if text.startswith(("<(", ">("), self._position):
            end = self._closing(self._position + 2, ")")
            self._begin()
            self._substituted(text, self._position + 2, end, "$(..)")
            return
        if self._word.values[0].isdigit() and not self._word.quoted:
            self._word = _Open()
        else:
            self._end_word()
        for operator in ("<<<", "<<-", "<<", ">>", "<&", ">&", ">|", "<>", c):
            if text.startswith(operator, self._position):
                self._redirecting = operator
                self._position += len(operator)
                break

    def _end_line(self) -> None:
        self._end_command("\n")
        self._line += 1
        for here in self._heres:
            if self._unended < _MOST_UNENDED:
                self._take_body(here)
        self._heres.clear()
        self._takes_script, self._writes = False, ""

    def _take_body(self, here: _Here) -> None:
        """The lines up to the delimiter, or to the end as a shell has it; read as a script where
        somebody takes them for one."""
        start, line = self._position, self._line
        body: list[str] = []
        while self._position < len(self._text):
            end = self._text.find("\n", self._position)
            end = len(self._text) if end < 0 else end
            found = self._text[self._position : end].rstrip("\r")
            found = found.lstrip("\t") if here.tabs else found
            self._position = min(end + 1, len(self._text))
            self._line += 1
            if found == here.delimiter:
                break
            body.append(found)
        else:
            if not self._takes_script:
                # Half a history: what follows is read as if nothing were open.
                self._unended += 1
                self._position, self._line = start, line
                return
        script = "\n".join(body)
        if not (self._takes_script or (self._writes and self._is_script(script))):
            return
        if not here.literal:
            script = self._variables.substituted(script)
        self._read_inside(script, line, directives=True)

    def _is_script(self, body: str) -> bool:
        """Whether what is written to a file is one for a shell, by its name or its first line."""
        if _SCRIPT_FILE.search(self._writes):
            return True
        return body.startswith("#SBATCH") or _SHELL_SCRIPT.match(body) is not None

    def _read_inside(self, text: str, line: int, *, directives: bool = False) -> None:
        if self._depth < DEEPEST and text.strip():
            inner = Script(
                text,
                self._variables.copy(),
                line=line,
                depth=self._depth + 1,
                directives=directives,
            )
            self._ready.extend(inner.commands())

    # --- words and commands -----------------------------------------------------------------------

    def _array(self, text: str) -> None:
        """`NAME=(a b c)`: a variable with several values."""
        end = self._closing(self._position + 1, ")") if self._depth < DEEPEST else -1
        if end < 0:
            self._word.add("(")
            self._position += 1
            return
        inside = text[self._position + 1 : end]
        inner = Script(inside, self._variables, depth=self._depth + 1, directives=False)
        words = [w for one in inner.commands() for w in one.assignments + one.words]
        values = [value for word in words for value in word.values][:_MOST_VALUES]
        self._line += text.count("\n", self._position, end)
        self._position = end + 1
        self._word.add(*(values or [""]))

    def _end_word(self) -> None:
        word, self._word = self._word, _Open()
        if not word.begun:
            return
        if self._redirecting in ("<<", "<<-"):
            tabs = self._redirecting == "<<-"
            self._heres.append(_Here(word.values[0], tabs, word.quoted))
        elif self._redirecting == "<<<":
            self._read_inside(word.values[0], word.line)
        elif self._redirecting in (">", ">>", ">|"):
            self._writes = word.values[0]
        elif not self._redirecting:
            values = tuple(dict.fromkeys(word.values))
            self._words.append(Word(values, word.line, frozenset(word.unset)))
        self._redirecting = ""

    def _end_command(self, operator: str) -> None:
        self._end_word()
        self._redirecting = ""
        words, self._words = self._words, []
        if words:
            self._head = False
            self._finish(words)
        self._conditional = operator in ("&&", "||")

    def _finish(self, words: list[Word]) -> None:
        """One command is complete: what it sets is set, and it is handed out."""
        first = 0
        while first < len(words) and words[first].text in _KEYWORDS:
            keyword = words[first].text
            self._conditions += keyword in _BEGINS_CONDITION
            if keyword == "case":
                return
            if keyword in _ENDS_CONDITION:
                self._conditions = max(0, self._conditions - 1)
            first += 1
        words = words[first:]
        if not words:
            return
        if words[0].text in ("for", "select") and len(words) > 1:
            values = [v for word in words[3:] for v in word.values]
            self._variables.choose(words[1].text, values)
            return
        count = 0
        while count < len(words) and ASSIGNMENT.fullmatch(words[count].text):
            count += 1
        assignments, rest = tuple(words[:count]), tuple(words[count:])
        if not rest:
            assign(assignments, self._variables, add=self._undecided)
        else:
            set_by(rest, self._variables, add=self._undecided)
            programs = [word.text.rpartition("/")[2] for word in rest]
            self._takes_script |= not _TAKES_SCRIPT.isdisjoint(programs[:8])
            if "tee" in programs[:3] and not programs[-1].startswith("-"):
                self._writes = rest[-1].text
        self._ready.append(Command(assignments, rest, self._variables))

    @property
    def _undecided(self) -> bool:
        return bool(self._conditions or self._conditional)


def _stand_in(written: str, unset: frozenset[str]) -> str:
    return f"${{{min(unset)}}}" if written.startswith("${") else written
