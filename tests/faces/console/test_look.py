"""The colours of the console can be told apart: WCAG 2.2, 1.4.3 (text) and 1.4.11 (controls), in light and in dark."""

from __future__ import annotations

import re

import pytest

from tagtower.faces.console.files import contents

TEXT, CONTROL = 4.5, 3.0
GROUNDS = ("page", "card", "sunk")
ON = {
    **dict.fromkeys(GROUNDS, ("ink", "soft", "accent", "bad")),
    "accent": ("accent-ink",),
    "accent-wash": ("ink", "soft", "accent"),
    "good-wash": ("good",),
    "bad-wash": ("bad", "ink", "soft"),
    "warn-wash": ("warn",),
}
"""What is written on what."""


def styles() -> str:
    return "".join(text.decode() for name, text in sorted(contents().items()) if name.endswith(".css"))


def palettes() -> dict[str, dict[str, str]]:
    """The colours by their names, of the light theme and of the dark one."""
    css = styles()
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.S)
    )
    return {"light": light, "dark": {**light, **dark}}


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, definition of relative luminance."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_counted_as_the_standard_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(theme):
    palette = palettes()[theme]
    weak = {
        f"{ink} on {ground}": round(contrast(palette[ink], palette[ground]), 2)
        for ground, inks in ON.items()
        for ink in inks
        if contrast(palette[ink], palette[ground]) < TEXT
    }
    assert weak == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_control_can_be_seen(theme):
    palette = palettes()[theme]
    weak = {
        f"{edge} on {ground}": round(contrast(palette[edge], palette[ground]), 2)
        for ground in ("page", "card")
        for edge in ("edge", "accent", "bad", "good")
        if contrast(palette[edge], palette[ground]) < CONTROL
    }
    assert weak == {}


def test_the_dark_theme_has_every_colour_of_its_own():
    css = styles()
    light, dark = (
        set(re.findall(r"--([a-z-]+): #", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    )
    assert light == dark


def test_every_colour_is_a_variable():
    css = styles()
    rules = re.sub(r":root \{.*?\}", "", css, flags=re.S)
    # The player and what lies upon pictures is black and white in both themes.
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", rules)) <= {"#000", "#fff", "#c8ccd0"}


def test_whoever_wants_no_motion_gets_none():
    css = styles()
    moving = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", css, flags=re.S)
    assert "transition" not in moving
    assert "animation" not in moving
