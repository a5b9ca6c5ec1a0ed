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

from airgap_tui.engine.discovery.shell.closing import Closings, ansi_end
from airgap_tui.engine.discovery.shell.expansion import Variables, ansi_quoted, braced, stand_in
from airgap_tui.engine.discovery.shell.here_document import HereDocuments
from airgap_tui.engine.discovery.shell.open_word import MOST_VALUES, OpenWord
from airgap_tui.engine.discovery.shell.slurm_directive import directive
from airgap_tui.engine.discovery.shell.statements import Command, Statements

DEEPEST = 6
"""How deep scripts within scripts are read."""
_BLANK = " \t\r\x0b\x0c"
_PLAIN = re.compile(r"[^\s'\"\\$`;&|()<>#]+")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-])")
_REDIRECTION = re.compile(r"[<>]\(|<<<|<<-|<<|>>|<&|>&|>\||<>|&>>|&>|<|>")
_WRITES = (">", ">>", ">|", "&>", "&>>")
_DOUBLE_QUOTED = re.compile(r"[^\"\\$`]+")


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
        self._statements = Statements(variables)
        self._closings = Closings(text)
        self._line = line
        self._depth = depth
        self._directives = directives
        self._position = 0
        self._word = OpenWord()
        self._ready: list[Command] = []
        self._heres = HereDocuments()
        self._redirecting = ""

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

    # --- characters -------------------------------------------------------------------------------

    def _step(self, text: str, c: str) -> None:
        if plain := _PLAIN.match(text, self._position):
            self._word.begin(self._line)
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
        elif redirection := _REDIRECTION.match(text, self._position):
            self._redirect(text, redirection[0])
        elif c == "(" and re.fullmatch(r"[A-Za-z_]\w*\+?=", self._word.values[0]):
            self._array(text)
        elif c in ";&|()":
            double = text.startswith(("&&", "||", ";;"), self._position)
            operator = text[self._position : self._position + (2 if double else 1)]
            self._position += len(operator)
            self._end_command(operator)
        else:
            self._word.begin(self._line)
            self._word.add(c)
            self._position += 1

    def _comment(self, text: str) -> None:
        end = text.find("\n", self._position)
        end = len(text) if end < 0 else end
        at_start = self._position == 0 or text[self._position - 1] == "\n"
        head = self._directives and not self._statements.begun
        if head and at_start and (words := directive(text[self._position : end], self._line)):
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
        self._word.begin(self._line, quoted=True)
        self._word.add(following)

    def _quote(self, text: str, mark: str) -> None:
        start = self._position + 1
        self._word.begin(self._line, quoted=True)
        if mark == "'":
            end = text.find("'", start)
            if end < 0:
                self._position = start
                return
            self._literal(text[start:end])
            self._position = end + 1
            return
        if self._closings.after(start, '"') < 0:
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
        self._word.begin(self._line)
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
            end = self._closings.after(start + 2, ")")
            self._substituted(text, start + 2, end, "$(..)")
        elif text.startswith("${", start) and (end := self._closings.after(start + 2, "}")) >= 0:
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
            self._word.add(stand_in(written, unset))
        elif (
            quoted
            or len(values) > 1
            or self._word.is_assignment
            or values[0].split() == [values[0]]
        ):
            self._word.add(*values)
        else:
            self._split(values[0])

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
            self._word.begin(self._line)
            self._word.add(part)
        if parts and value[-1].isspace():
            self._end_word()

    # --- redirections and here-documents ----------------------------------------------------------

    def _redirect(self, text: str, operator: str) -> None:
        if operator in ("<(", ">("):
            end = self._closings.after(self._position + 2, ")")
            self._word.begin(self._line)
            self._substituted(text, self._position + 2, end, "$(..)")
            return
        if operator[0] != "&" and self._word.values[0].isdigit() and not self._word.quoted:
            self._word = OpenWord()
        else:
            self._end_word()
        self._redirecting = operator
        self._position += len(operator)

    def _end_line(self) -> None:
        """Here-documents follow the line; those that somebody takes for a script are read."""
        self._end_command("\n")
        self._line += 1
        line = self._statements
        for body in self._heres.bodies(self._text, self._position, to_the_end=line.takes_script):
            if line.hands_on(body.text):
                script = body.text if body.literal else self._variables.substituted(body.text)
                self._read_inside(script, self._line, directives=True)
            self._position = body.end
            self._line += body.lines
        line.end_line()

    def _read_inside(self, text: str, line: int, *, directives: bool = False) -> None:
        if self._depth < DEEPEST and text.strip():
            variables, depth = self._variables.copy(), self._depth + 1
            inner = Script(text, variables, line=line, depth=depth, directives=directives)
            self._ready.extend(inner.commands())

    # --- words and commands -----------------------------------------------------------------------

    def _array(self, text: str) -> None:
        """`NAME=(a b c)`: a variable with several values."""
        end = self._closings.after(self._position + 1, ")") if self._depth < DEEPEST else -1
        if end < 0:
            self._word.add("(")
            self._position += 1
            return
        inside = text[self._position + 1 : end]
        inner = Script(inside, self._variables, depth=self._depth + 1, directives=False)
        words = [w for one in inner.commands() for w in one.assignments + one.words]
        values = [value for word in words for value in word.values][:MOST_VALUES]
        self._line += text.count("\n", self._position, end)
        self._position = end + 1
        self._word.add(*(values or [""]))

    def _end_word(self) -> None:
        word, self._word = self._word, OpenWord()
        if not word.begun:
            return
        if self._redirecting in ("<<", "<<-"):
            self._heres.begin(word, tabs=self._redirecting == "<<-")
        elif self._redirecting == "<<<":
            self._read_inside(word.values[0], word.line)
        elif self._redirecting in _WRITES:
            self._statements.writes = word.values[0]
        elif not self._redirecting:
            self._statements.take(word.closed())
        self._redirecting = ""

    def _end_command(self, operator: str) -> None:
        self._end_word()
        self._redirecting = ""
        if (command := self._statements.end(operator)) is not None:
            self._ready.append(command)
