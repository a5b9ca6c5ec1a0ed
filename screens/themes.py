"""The three themes: dark, light, and the terminal's own colours.

Six tones carry all colour there is; each only repeats what a mark or a word says.
"""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

DARK, LIGHT, ANSI = "dark", "light", "ansi"
NAMES = (DARK, LIGHT, ANSI)

THEMES = (
    Theme(
        name=DARK,
        primary="#8fb8de",
        foreground="#d7dae0",
        background="#16191f",
        surface="#16191f",
        panel="#1f242c",
        success="#8fbf8f",
        warning="#d9b36c",
        error="#e08585",
        accent="#8fb8de",
        dark=True,
        variables={"rest": "#8b929e"},
    ),
    Theme(
        name=LIGHT,
        primary="#1f5f99",
        foreground="#22262c",
        background="#fbfaf7",
        surface="#fbfaf7",
        panel="#efede7",
        success="#2e6b34",
        warning="#855900",
        error="#a32626",
        accent="#1f5f99",
        dark=False,
        variables={"rest": "#666c76"},
    ),
    Theme(
        name=ANSI,
        ansi=True,
        primary="ansi_blue",
        secondary="ansi_cyan",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        success="ansi_green",
        warning="ansi_yellow",
        error="ansi_red",
        accent="ansi_cyan",
        dark=True,
        variables={
            # Textual's own styles ask for some variables of its ANSI themes.
            **BUILTIN_THEMES["ansi-dark"].variables,
            "rest": "ansi_default",
            "input-cursor-background": "ansi_default",
            "input-cursor-foreground": "ansi_default",
            "input-selection-background": "ansi_default",
            "input-selection-foreground": "ansi_default",
        },
    ),
)
