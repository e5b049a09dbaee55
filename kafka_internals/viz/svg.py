"""A film's frame as a static picture, and a film as one that moves by itself without script.

The picture is what GitHub, print and PDF show, and what stands in a notebook until its cell has
run: the same table of kinds and attributes as the player's, colours written in (light, on white),
the caption as title and description. All text is escaped, control and bidi characters are shown as
what they are.
"""

import html
import re
from collections.abc import Iterable
from typing import Any

from kafka_internals.viz import encode
from kafka_internals.viz.canvas import SHAPES
from kafka_internals.viz.theme import TOKENS, colour_of, palette, resolve, width_of

UNSAFE, LOOK, PATH = (re.compile(SHAPES[name]) for name in ("unsafe", "look", "path"))
HEAD, LINE, BETWEEN, MARGIN = 40, 24, 20, 14      # units round the stages
CAPTION_SIZE = 17


def plain(text: Any) -> str:
    """Text that can neither hide nor reorder: control and bidi characters as escapes."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(text)).encode(
        "utf-8", "backslashreplace").decode()


def escape(text: Any) -> str:
    """`plain` text that is safe in markup and in quotes."""
    return html.escape(plain(text), quote=True)


class Styles:
    """One short class for each look that a picture uses, its colours written in."""

    def __init__(self) -> None:
        self.names: dict[tuple, str] = {}

    def name(self, kind: str, look: str) -> str:
        """The class of a shape of this kind and look."""
        declared = tuple(resolve(kind, look if LOOK.match(look) else "").items())
        return self.names.setdefault(declared, f"k{len(self.names)}")

    def sheet(self) -> str:
        """The style element's text."""
        return "".join(f".{name}{{{';'.join(f'{a}:{v}' for a, v in declared)}}}"
                       for declared, name in self.names.items())


def _number(value: Any) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def attributes(shape: dict) -> dict[str, str]:
    """The SVG attributes of a shape's numbers and path data."""
    names = SHAPES["kinds"][shape["k"]]
    found = {svg: _number(shape[a]) for a, svg in names.items() if a in shape}
    if shape["k"] in SHAPES["moved"]:
        found["transform"] = f"translate({_number(shape['x'])} {_number(shape['y'])})"
    if shape["k"] == "path" and PATH.match(shape["d"]):
        found["d"] = shape["d"]
    if "o" in shape:
        found["opacity"] = _number(shape["o"])
    return found


def _ordered(shapes: encode.Shapes, stage: int, group: str | None) -> list[tuple[str, dict]]:
    inside = [(key, s) for key, s in shapes.items()
              if s.get("st", 0) == stage and s.get("g") == group]
    return inside if group else sorted(inside, key=lambda item: item[1]["z"])


def _element(shapes: encode.Shapes, key: str, stage: int, style) -> str:
    shape = shapes[key]
    tag = "g" if shape["k"] == "group" else shape["k"]
    look = "" if tag == "g" else f' class="{style(shape["k"], shape["c"])}"'
    written = "".join(f' {name}="{escape(v)}"' for name, v in attributes(shape).items())
    if tag == "g":
        inner = "".join(_element(shapes, k, stage, style)
                        for k, _ in _ordered(shapes, stage, key))
    else:
        inner = escape(shape["t"]) if tag == "text" else ""
    return f"<{tag}{look}{written}>{inner}</{tag}>" if inner else f"<{tag}{look}{written}/>"


def stage_body(shapes: encode.Shapes, stage: int, style) -> str:
    """The shapes of one stage in order of z; `style(kind, look)` names their class."""
    return "".join(_element(shapes, key, stage, style)
                   for key, _ in _ordered(shapes, stage, None))


def inline(film: dict, index: int) -> str:
    """The stages as the player draws them, in the page's colours: it takes them over."""
    frame, shapes = film["frames"]["truth"][index], encode.materialise(
        film["frames"]["truth"])[index]
    width, height = film["size"]

    def style(_kind: str, look: str) -> str:
        return " ".join(f"ki-{word}" for word in look.split()) if LOOK.match(look) else ""
    return "".join(
        f'<svg class="ki-draw ki-stage" viewBox="0 0 {width} {height}" role="img" '
        f'style="--w:{width}" aria-label="{escape(frame["say"])}">'
        f"{stage_body(shapes, stage, style)}</svg>" for stage in range(2 if film["fork"] else 1))


# -- the whole picture --------------------------------------------------------------------------

def wrap(text: str, width: float, size: float = CAPTION_SIZE) -> list[str]:
    """Lines of whole words that fit into `width` units."""
    lines = [""]
    for word in plain(text).split(" "):
        tried = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(tried, size) > width:
            lines.append(word)
        else:
            lines[-1] = tried
    return lines


def _legend(film: dict, shapes: encode.Shapes, right: float, style) -> str:
    entries = [entry for entry in film["legend"] if _used(entry[0], shapes)]
    if film["question"]:
        entries.insert(0, (None, f"Colour: {film['question']}"))
    room = right - MARGIN - width_of(plain(film["title"]), 15, True) - 24
    while entries and sum(width_of(plain(w), 12) + 42 for _, w in entries) > room:
        entries.pop()
    x, parts = right, []
    for look, word in reversed(entries):
        x -= width_of(plain(word), 12)
        parts.append(f'<text class="{style("text", "s12 soft")}" x="{x:.1f}" y="25">'
                     f"{escape(word)}</text>")
        if look in SHAPES["chips"]:
            parts.append(f'<path class="{style("path", look)}" d="{SHAPES["chips"][look]}" '
                         f'transform="translate({x - 27:.1f} 14)"/>')
        elif look:
            parts.append(f'<rect class="{style("rect", look)}" x="{x - 27:.1f}" y="15" '
                         'width="20" height="12" rx="3"/>')
        x -= 42 if look else 0
    return "".join(parts)


def _used(look: str, shapes: encode.Shapes) -> bool:
    tones = [word for word in look.split() if colour_of(word)]
    needed = set(tones or look.split())
    return look in SHAPES["chips"] or any(needed <= set(s["c"].split()) for s in shapes.values())


def picture(film: dict, index: int | None = None) -> str:
    """The static picture of a frame of `truth` (the telling one): title, stage, caption."""
    frames = film["frames"]["truth"]
    index = encode.telling(film) if index is None else index
    say = frames[index]["say"] if frames else "Nothing has happened yet."
    shapes = encode.materialise(frames[:index + 1])[-1] if frames else {}
    styles, (width, height) = Styles(), film["size"]
    stages = 2 if film["fork"] else 1
    whole = width * stages + BETWEEN * (stages - 1)
    lines = wrap(say, whole - 2 * MARGIN)
    body = [header(film, shapes, whole, styles.name)]
    for stage in range(stages):
        body.append(f'<g transform="translate({stage * (width + BETWEEN)} {HEAD})">'
                    f"{stage_body(shapes, stage, styles.name)}</g>")
    body.append(caption(lines, HEAD + height, styles.name))
    tall = HEAD + height + LINE * len(lines) + 22
    return document(film, say, whole, tall, styles, "".join(body))


def header(film: dict, shapes: encode.Shapes, width: float, style) -> str:
    return (f'<text class="{style("text", "s15 w7")}" x="{MARGIN}" y="26">{escape(film["title"])}'
            f"</text>{_legend(film, shapes, width - MARGIN, style)}"
            f'<path class="{style("path", "grid")}" d="M0 {HEAD - .5}H{width}"/>')


def caption(lines: Iterable[str], top: float, style) -> str:
    return "".join(f'<text class="{style("text", "s17")}" x="{MARGIN}" y="{top + 24 + i * LINE}">'
                   f"{escape(line)}</text>" for i, line in enumerate(lines))


def document(film, say, width, height, styles, body) -> str:
    font, ground = TOKENS["font"]["sans"].replace('"', "'"), palette("light")["paper"]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="100%" style="max-width:{width * 1.34:.0f}px" role="img" '
            f'font-family="{font}" font-variant-numeric="tabular-nums">'
            f"<title>{escape(film['title'])}</title><desc>{escape(say)}</desc>"
            f"<style>{styles.sheet()}</style>"
            f'<rect width="100%" height="100%" fill="{ground}"/>{body}</svg>')
