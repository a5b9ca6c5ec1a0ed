"""What a running wizard shows, drawn as SVG: one screen, or several one after the other.

Textual's own screenshots draw a window around each screen and fetch a font from the internet. These
fetch nothing, take a tenth of the bytes, and hold several screens: a row that comes back is drawn
once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI

from screens.app import WizardApp

_CELL, _ROW, _SIZE, _RISE, _MARGIN = 8.4, 18, 14, 13.5, 12
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

_WORDS = re.compile(r"[^ ]+(?: [^ ]+)*")
"""Words one blank apart: what SVG keeps apart by itself."""

Row = tuple[tuple[str, Style], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen, and for how many seconds it is seen."""

    rows: tuple[Row, ...]
    background: str
    seconds: float = 3.0

    @classmethod
    def of(cls, app: WizardApp, seconds: float = 3.0) -> Frame:
        """What is on the screen now."""
        strips = app.screen._compositor.render_strips()
        rows = tuple(tuple(_runs(list(strip))) for strip in strips)
        return cls(rows, app.current_theme.background or "#000000", seconds)

    @property
    def text(self) -> str:
        return "\n".join("".join(text for text, _style in row).rstrip() for row in self.rows)


def draw(frames: Sequence[Frame], title: str) -> str:
    """One SVG of all frames; several of them follow each other for ever."""
    return _Drawing(frames[0].background).draw(frames, title)


@dataclass
class _Drawing:
    background: str
    classes: dict[str, str] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)

    def draw(self, frames: Sequence[Frame], title: str) -> str:
        columns = max(sum(len(text) for text, _style in row) for row in frames[0].rows)
        width = round(columns * _CELL) + 2 * _MARGIN
        height = len(frames[0].rows) * _ROW + 2 * _MARGIN
        bodies = [self._frame(frame) for frame in frames]
        moving = _moving(frames) if len(frames) > 1 else ""
        styles = "".join(f".{name}{{{rule}}}" for rule, name in self.classes.items())
        shapes = "\n".join(f'<g id="{name}">{shape}</g>' for shape, name in self.rows.items())
        groups = "\n".join(
            f'<g class="f f{number}">{body}</g>' for number, body in enumerate(bodies)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img">\n'
            f"<title>{escape(title)}</title>\n"
            f"<style>text{{font:{_SIZE}px {_FONT}}}{styles}{moving}</style>\n"
            f'<rect width="{width}" height="{height}" rx="6" fill="{self.background}"/>\n'
            f"<defs>\n{shapes}\n</defs>\n"
            f'<g transform="translate({_MARGIN} {_MARGIN})">\n{groups}\n</g>\n</svg>\n'
        )

    def _frame(self, frame: Frame) -> str:
        uses = []
        for number, row in enumerate(frame.rows):
            shape = self._row(row)
            if shape:
                name = self.rows.setdefault(shape, f"r{len(self.rows)}")
                uses.append(f'<use href="#{name}" y="{number * _ROW}"/>')
        return "".join(uses)

    def _row(self, row: Row) -> str:
        column, shapes = 0, []
        for text, style in row:
            back = _back(style, self.background)
            if back != self.background:
                x, width = _px(column * _CELL), _px(len(text) * _CELL)
                rule = self._class(f"fill:{back}")
                shapes.append(f'<rect x="{x}" width="{width}" height="{_ROW}" class="{rule}"/>')
            for part in _WORDS.finditer(text):
                x, length = _px((column + part.start()) * _CELL), _px(len(part[0]) * _CELL)
                rule = self._class(_look(style, back))
                shapes.append(
                    f'<text x="{x}" y="{_RISE}" textLength="{length}" class="{rule}">'
                    f"{escape(part[0])}</text>"
                )
            column += len(text)
        return "".join(shapes)

    def _class(self, rule: str) -> str:
        return self.classes.setdefault(rule, f"c{len(self.classes)}")


def _moving(frames: Sequence[Frame]) -> str:
    """One frame at a time; whoever wants no motion sees the last."""
    total = sum(frame.seconds for frame in frames)
    rules, begun = [f".f{{opacity:0;animation:{total:g}s step-end infinite}}"], 0.0
    for number, frame in enumerate(frames):
        start, end = 100 * begun / total, 100 * (begun + frame.seconds) / total
        before = "0%{opacity:0}" if number else ""
        after = f"{_px(end)}%{{opacity:0}}" if end < 99.99 else "to{opacity:1}"
        rules.append(
            f"@keyframes k{number}{{{before}{_px(start)}%{{opacity:1}}{after}}}"
            f".f{number}{{animation-name:k{number}}}"
        )
        begun += frame.seconds
    last = f".f{len(frames) - 1}{{opacity:1}}"
    return f"{''.join(rules)}@media(prefers-reduced-motion:reduce){{.f{{animation:none}}{last}}}"


def _runs(segments: list[Segment]) -> list[tuple[str, Style]]:
    """Neighbours of one style joined."""
    runs: list[tuple[str, Style]] = []
    for segment in segments:
        style = segment.style or Style()
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + segment.text, style)
        else:
            runs.append((segment.text, style))
    return runs


def _look(style: Style, back: str) -> str:
    fore = _hex(style.bgcolor, False) if style.reverse else _hex(style.color, True)
    rule = f"fill:{fore}"
    if style.bold:
        rule += ";font-weight:bold"
    if style.underline:
        rule += ";text-decoration:underline"
    return rule + (";opacity:.7" if style.dim and back else "")


def _back(style: Style, background: str) -> str:
    if style.reverse:
        return _hex(style.color, True)
    return background if style.bgcolor is None else _hex(style.bgcolor, False)


def _hex(color: Color | None, foreground: bool) -> str:
    found = (color or Color.default()).get_truecolor(DIMMED_MONOKAI, foreground)
    return f"#{found.red:02x}{found.green:02x}{found.blue:02x}"


def _px(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
