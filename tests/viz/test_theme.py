"""Colour: every pair that carries meaning keeps its contrast, in every scheme."""

import re

import pytest

from kafka_internals.viz import theme

COUNT = range(1, theme.TONE_COUNT + 1)
SCHEMES = ("light", "dark", "print")
GROUNDS = ("paper", "wash")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_reads_on_every_ground(scheme):
    colours = theme.palette(scheme)
    for ground in GROUNDS:
        for role in ("ink", "ink-2", "ink-3", "danger", "focus"):
            assert theme.contrast(colours[role], colours[ground]) >= 4.5, (role, ground)
        assert theme.contrast(colours["rule"], colours[ground]) >= 3
    for ink in ("ink", "ink-2"):
        assert theme.contrast(colours[ink], colours["now"]) >= 4.5
    assert theme.contrast(colours["danger-on"], colours["danger"]) >= 4.5
    assert theme.contrast(colours["danger"], colours["danger-wash"]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("number", COUNT)
def test_a_tone_carries_its_text_and_its_edge_stands_out(scheme, number):
    colours, tone = theme.palette(scheme), f"c{number}"
    assert theme.contrast(colours[tone], colours[f"{tone}-on"]) >= 4.5
    assert theme.contrast(colours["ink"], colours[f"{tone}-tint"]) >= 7
    for ground in GROUNDS:
        assert theme.contrast(colours[f"{tone}-edge"], colours[ground]) >= 4.5


def test_contrast_is_that_of_the_standard():
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert theme.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("tone, colour", [
    ("epoch-1", "c1"), ("epoch-6", "c6"), ("epoch-7", "c1"), ("member-14", "c2"),
    ("fetch", "c2"), ("region-3", "c3"), ("leader", None), ("s13", None), ("epoch-x", None)])
def test_which_colour_a_tone_takes(tone, colour):
    assert theme.colour_of(tone) == colour


def test_every_role_that_a_stylesheet_names_is_defined_in_each_scheme():
    sheets = "".join((theme.STATIC / name).read_text() for name in ("looks.css", "player.css"))
    named = set(re.findall(r"var\(--ki-([\w-]+)", sheets))
    fixed = {name for group in ("font", "type", "line", "space", "motion")
             for name in theme.TOKENS[group]}
    for scheme in SCHEMES:
        assert named - fixed - set(theme.palette(scheme)) == set()


def test_only_the_tokens_know_colours():
    for sheet in ("looks.css", "player.css"):
        text = (theme.STATIC / sheet).read_text()
        assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", text)) <= {"#fff"}    # the fallback's ground


def test_lab_decides_before_the_system_and_print_is_light():
    css = theme.variables()
    system = css.index("prefers-color-scheme: dark")
    lab = css.index('[data-jp-theme-light="true"]')
    assert system < lab < css.index("@media print")
    assert f"--ki-paper:{theme.palette('light')['paper']}" in css[css.index("@media print"):]


def test_a_look_resolves_to_colours_of_its_scheme():
    light = theme.resolve("rect", "batch epoch-2 committed")
    dark = theme.resolve("rect", "batch epoch-2 committed", "dark")
    assert light["fill"] == theme.palette("light")["c2"]
    assert dark["stroke"] == theme.palette("dark")["c2-edge"]
    assert theme.resolve("rect", "batch epoch-2 ghost")["fill"] == "none"
    assert theme.resolve("text", "s12 faint")["font-size"] == "12px"


def test_widths_leave_slack_for_every_font_of_the_stack():
    assert theme.width_of("HW", 10) == pytest.approx((722 + 944) / 100 * theme.SLACK)
    assert theme.width_of("HW", 10, bold=True) > theme.width_of("HW", 10)
