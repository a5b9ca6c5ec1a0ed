"""A user name and the secret after it, as they are typed on a terminal.

A terminal shows what comes in until it is told not to: a password that is pasted together with the
name before it would be read by everybody before it is asked for. So from the question for the name
on the terminal shows nothing by itself, and the name is shown from here, letter by letter.
"""

from __future__ import annotations

import codecs
import os
import select
import signal
import termios
from types import TracebackType
from typing import Any, TextIO

from airgap_tui.engine.plain_text import cells

_LOCAL_MODES, _CONTROLS = 3, 6
_BACKSPACES = "\b\x7f"


def line_from(source: TextIO) -> str:
    """A line with its end, or nothing where no more comes. Raises `KeyboardInterrupt`.

    A Ctrl-C that comes before the wait for a terminal has quite begun ends it as well: without the
    wake-up descriptor Python would notice it only behind the line. What is typed ahead stays with
    the terminal, where the next wait sees it.
    """
    if not source.isatty():
        return source.readline()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        select.select([source.fileno(), reader], [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        os.close(reader)
    line = b""
    while not line.endswith(b"\n") and (sign := os.read(source.fileno(), 1)):
        line += sign
    return line.decode(source.encoding, "replace")


class Typed:
    """While entered, the terminal of `source` shows nothing by itself; what is typed ahead answers
    the next question. A source that is not a terminal is read by lines."""

    def __init__(self, source: TextIO, target: TextIO) -> None:
        self._source = source
        self._target = target
        self._before: list[Any] | None = None
        self._keys = dict.fromkeys(("erase", "kill", "word", "end"), "")
        self._after = termios.TCSADRAIN

    def __enter__(self) -> Typed:
        if self._source.isatty():
            descriptor = self._source.fileno()
            self._before = termios.tcgetattr(descriptor)
            modes = termios.tcgetattr(descriptor)
            controls = modes[_CONTROLS]
            for name, index in (
                ("erase", termios.VERASE),
                ("kill", termios.VKILL),
                ("word", termios.VWERASE),
                ("end", termios.VEOF),
            ):
                self._keys[name] = controls[index].decode("latin-1")
            modes[_LOCAL_MODES] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON)
            controls[termios.VMIN], controls[termios.VTIME] = 1, 0
            termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(self._source.fileno(), self._after, self._before)
            self._before = None

    def line(self, question: str) -> str:
        """A line that is seen. Raises `EOFError`."""
        return self._asked(question, seen=True)

    def secret(self, question: str) -> str:
        """A line that is not seen. What comes behind it, as of a key with a line break in it, is
        thrown away in the end. Raises `EOFError`."""
        self._after = termios.TCSAFLUSH
        return self._asked(question, seen=False)

    def _asked(self, question: str, *, seen: bool) -> str:
        self._write(question)
        if self._before is not None:
            return self._edited(seen)
        line = self._source.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def _edited(self, seen: bool) -> str:
        """What the terminal does with a line of its own: letters, and the keys that take some
        back; keys that send more than one sign do nothing."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = ""
        escaped = ""
        while True:
            try:
                data = os.read(self._source.fileno(), 1)
            except OSError:  # the terminal is gone
                data = b""
            if not data:
                raise EOFError
            sign = decoder.decode(data)
            if not sign:
                continue  # the first bytes of one
            if escaped:
                escaped = _going_on(escaped, sign)
            elif sign in "\r\n":
                self._write("\n")
                return text
            elif sign == self._keys["end"] and not text:
                self._write("\n")
                raise EOFError
            elif sign == "\x1b":
                escaped = sign
            elif sign in _BACKSPACES or sign == self._keys["erase"]:
                text = self._back(text, text[:-1], seen)
            elif sign == self._keys["kill"]:
                text = self._back(text, "", seen)
            elif sign == self._keys["word"]:
                text = self._back(text, text.rstrip().rpartition(" ")[0], seen)
            elif sign.isprintable():
                text += sign
                self._write(sign if seen else "")

    def _back(self, text: str, shorter: str, seen: bool) -> str:
        gone = cells(text[len(shorter) :]) if seen else 0
        self._write("\b \b" * gone)
        return shorter

    def _write(self, text: str) -> None:
        self._target.write(text)
        self._target.flush()


def _going_on(escaped: str, sign: str) -> str:
    """What was read of a key that sends several signs (ECMA-48, 5.4); empty at its end."""
    if escaped == "\x1b":
        return escaped + sign if sign in "[O" else ""
    return "" if "@" <= sign <= "~" else escaped
