"""The console's own looks: a calm dark one, a light one, and one safe for colour-blind eyes."""

from __future__ import annotations

from textual.theme import Theme

_VARIABLES = {
    "border": "#3a404a",
    "border-blurred": "#2c313a",
    "footer-background": "#1a1d22",
    "footer-key-foreground": "#e3b04b",
    "footer-description-foreground": "#9aa0a8",
    "block-cursor-foreground": "#15171b",
    "block-cursor-background": "#e3b04b",
    "block-cursor-text-style": "none",
    "input-selection-background": "#e3b04b 30%",
}

THEMES = (
    Theme(
        name="waggle",
        primary="#e3b04b",
        secondary="#6fa8c7",
        accent="#e3b04b",
        success="#86b46a",
        warning="#e0913f",
        error="#d8605b",
        dark=True,
        variables=_VARIABLES,
        foreground="#d8d6cf",
        background="#15171b",
        surface="#1a1d22",
        panel="#23272e",
    ),
    Theme(
        name="waggle-colourblind",
        primary="#e6b84c",
        secondary="#5aa9e6",
        accent="#e6b84c",
        success="#5aa9e6",
        warning="#f0d94a",
        error="#e2653f",
        dark=True,
        variables=_VARIABLES,
        foreground="#d8d6cf",
        background="#15171b",
        surface="#1a1d22",
        panel="#23272e",
    ),
    Theme(
        name="waggle-light",
        primary="#7d5200",
        secondary="#1f618d",
        accent="#7d5200",
        success="#366f25",
        warning="#9a5200",
        error="#b3302b",
        foreground="#24262a",
        background="#f6f4ee",
        surface="#efece4",
        panel="#e4e0d6",
        dark=False,
        variables={
            "border": "#c4beb0",
            "border-blurred": "#d6d1c6",
            "focus": "#7d5200 80%",
            "footer-background": "#efece4",
            "footer-key-foreground": "#7d5200",
            "footer-description-foreground": "#5c5f66",
        },
    ),
)
DEFAULT_THEME = "waggle"
FOCUS = 0.6
"""How strong the box is around what has the focus, of the theme's primary colour."""
