"""Colour, type and widths for Python and for the page: one source, `static/tokens.json`.

A view says tones ("epoch-2") and states ("committed"); `static/looks.css` says what those words
look like, in roles ("ink", "tone-edge"); the tokens say which colour a role has in light, dark and
print. `resolve` follows that chain in Python, so that a static picture needs no stylesheet and a
test can ask for a contrast.
"""

import json
import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TOKENS = json.loads((STATIC / "tokens.json").read_text(encoding="utf-8"))
ICONS, EVENT_MARKS = TOKENS["icons"], TOKENS["event_marks"]
NODE_SHAPES, ADVANCE = TOKENS["node_shapes"], TOKENS["advance_per_mille"]
TONE_COUNT = 6                          # a seventh value starts again at c1: its label differs
TONE_PARTS = ("", "-edge", "-on", "-tint")
UNKNOWN_ADVANCE = 620
SLACK, BOLD_SLACK = 1.06, 1.12          # the fonts of the stack differ by that much

SCHEMES = (
    (".ki-theme", "light", ""),
    (".ki-theme", "dark", "@media (prefers-color-scheme: dark)"),
    ('[data-jp-theme-light="true"] .ki-theme', "light", ""),       # Lab's word wins over the system
    ('[data-jp-theme-light="false"] .ki-theme', "dark", ""),
    (".ki-theme, [data-jp-theme-light] .ki-theme", "print", "@media print"),
)


def width_of(text: str, size: float, bold: bool = False) -> float:
    """How wide a text may get in any font of the stack, in stage units."""
    slack = BOLD_SLACK if bold else SLACK
    return sum(ADVANCE.get(letter, UNKNOWN_ADVANCE) for letter in text) / 1000 * size * slack


def palette(scheme: str) -> dict[str, str]:
    """Role -> "#RRGGBB" for "light", "dark" or "print" (print is light on white)."""
    if scheme == "print":
        return TOKENS["colour"]["light"] | TOKENS["colour"]["print"]
    return TOKENS["colour"][scheme]


@cache
def colour_of(tone: str) -> str | None:
    """Which of c1..c6 a tone takes: "epoch-7" takes c1 again; None for a word that is no tone."""
    if tone in TOKENS["tones"]["named"]:
        return TOKENS["tones"]["named"][tone]
    family, dash, number = tone.rpartition("-")
    if dash and family in TOKENS["tones"]["numbered"] and number.isdecimal():
        return f"c{(int(number) - 1) % TONE_COUNT + 1}"
    return None


def _luminance(colour: str) -> float:
    channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two "#RRGGBB" colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def variables() -> str:
    """The stylesheet of custom properties: the schemes, and what each tone's words mean."""
    fixed = {n: v for group in ("font", "type", "line", "space", "motion")
             for n, v in TOKENS[group].items()}
    sheets = []
    for i, (selector, scheme, media) in enumerate(SCHEMES):
        names = (fixed if i == 0 else {}) | palette(scheme)
        body = "".join(f"--ki-{name}:{value};" for name, value in names.items())
        scheme_word = "dark" if scheme == "dark" else "light"
        rule = f"{selector}{{{body}color-scheme:{scheme_word}}}"
        sheets.append(f"{media}{{{rule}}}" if media else rule)
    return "\n".join(sheets + [_tone_rule(*group) for group in _tone_groups()]) + "\n"


def _tone_groups() -> list[tuple[str, list[str]]]:
    numbered, named = TOKENS["tones"]["numbered"], TOKENS["tones"]["named"]
    return [(f"c{n}", [f"{family}-{n}" for family in numbered]
             + [tone for tone, colour in named.items() if colour == f"c{n}"])
            for n in range(1, TONE_COUNT + 1)]


def _tone_rule(colour: str, tones: list[str]) -> str:
    body = ";".join(f"--tone{part}:var(--ki-{colour}{part})" for part in TONE_PARTS)
    return ",".join(f".ki-{tone}" for tone in tones) + f"{{{body}}}"


@cache
def class_words(words: str) -> str:
    """Look words as the stylesheet knows them: a tone's number folded into 1..6."""
    return " ".join(f"{word.rpartition('-')[0]}-{colour[1:]}"
                    if (colour := colour_of(word)) and word not in TOKENS["tones"]["named"]
                    else word for word in words.split())


# -- what a shape looks like, followed in Python ------------------------------------------------

@cache
def _rules() -> list[tuple[tuple[int, int], str, frozenset[str], dict[str, str]]]:
    """(specificity, element or "", class words, declarations) of looks.css, weakest first."""
    sheet = re.sub(r"/\*.*?\*/", "", (STATIC / "looks.css").read_text(encoding="utf-8"), flags=re.S)
    rules = []
    for selectors, body in re.findall(r"([^{}]+)\{([^}]*)\}", sheet):
        declared = dict(part.strip().split(":", 1) for part in body.split(";") if part.strip())
        for selector in selectors.split(","):
            scope, target = selector.split()
            assert scope == ".ki-draw", f"looks.css: {selector!r} must begin with .ki-draw"
            element, *classes = target.split(".")
            words = frozenset(word.removeprefix("ki-") for word in classes)
            rules.append(((len(words), bool(element)), element, words, declared))
    return sorted(rules, key=lambda rule: rule[0])


def known_words() -> frozenset[str]:
    """Every word that looks.css gives a meaning."""
    return frozenset().union(*(words for _, _, words, _ in _rules()))


@cache
def resolve(kind: str, words: str, scheme: str = "light") -> dict[str, str]:
    """The declarations that apply to a shape, with colours in place of roles."""
    have, found = set(words.split()), {}
    for _, element, needed, declared in _rules():
        if element in ("", kind) and needed <= have:
            found |= declared
    colours = palette(scheme)
    tone = next((c for word in words.split() if (c := colour_of(word))), None)
    return {name.strip(): _colour(value.strip(), colours, tone) for name, value in found.items()}


def _colour(value: str, colours: dict[str, str], tone: str | None) -> str:
    untoned = {"": "ink-3", "-edge": "ink-2", "-on": "paper", "-tint": "ghost"}

    def role(match: re.Match[str]) -> str:
        if match[1] is not None:
            return colours[f"{tone}{match[1]}" if tone else untoned[match[1]]]
        name = match[2]
        return colours[name] if name in colours else TOKENS["font"][name]
    return re.sub(r"var\(--(?:tone((?:-\w+)?)|ki-([\w-]+))\)", role, value)
