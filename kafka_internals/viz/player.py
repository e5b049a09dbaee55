"""`Player`: a film in a notebook, in a file to send, in a page of the documentation (contract 4).

The browser owns cursor, speed and selection; the widget carries the packed film and the page's
texts, and hears nothing back. Beside the widget its output carries the telling frame as a static
SVG, and in plain text a sentence with the digest of what is shown.
"""

import base64
import html
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kafka_internals.viz import encode, svg
from kafka_internals.viz.theme import EVENT_MARKS, ICONS, STATIC, variables

PARTS = ("dom", "film", "why", "stage", "notes", "scrubber", "panels", "save", "player", "build",
         "inside", "fork", "guard", "main")
EMBED = "KAFKA_INTERNALS_RENDER"            # "embed": a live page in a frame instead of a widget
EMBED_HEIGHT = 1010                         # px until the page inside has told its own
LISTEN = ("<script>addEventListener('message',e=>{const f=[...document.querySelectorAll('iframe')]"
          ".find(f=>f.contentWindow===e.source),h=e.data?.kafkaFilmHeight;"
          "if(f&&h>0)f.style.height=Math.ceil(h)+'px'})</script>")


def _constant(name: str, value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    return f"const {name} = {text};\n"


@cache
def module() -> str:
    """The player as one ES module: the tables it shares with Python, then its parts in order."""
    shapes = json.loads((STATIC / "shapes.json").read_text(encoding="utf-8"))
    tables = (_constant("TOKENS", {"icons": ICONS, "event_marks": EVENT_MARKS})
              + _constant("SHAPES", shapes) + _constant("PAGE", _static("page.html"))
              + _constant("MOUNT", _static("mount.html")))
    return tables + "".join(_static(f"player/{part}.js") for part in PARTS)


@cache
def stylesheet() -> str:
    """Variables of the themes, looks of the shapes, the player around them."""
    return variables() + _static("looks.css") + _static("player.css")


def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _filled(template: str, parts: dict[str, str]) -> str:
    head, *rest = _static(template).split("{{")
    return head + "".join(parts[name] + text
                          for name, text in (piece.split("}}", 1) for piece in rest))


def page(title: str, body: str, css: str = "") -> str:
    """A page that asks nothing of the network: `body` is HTML, players in it by `mount()`."""
    return _filled("page.html", {"title": svg.escape(title), "css": stylesheet() + css,
                                 "module": module(), "body": body})


class Player(anywidget.AnyWidget):
    """Plays a film (v1). `spoiler`: neither the first picture nor the text tells how it ends.

    >>> player = Player(film)                                       # doctest: +SKIP
    >>> player.save("failover.html")     # one file, plays anywhere # doctest: +SKIP
    """

    _esm = module()
    _css = stylesheet() + _static("panel.css")
    film = traitlets.Bytes().tag(sync=True)
    card = traitlets.Dict().tag(sync=True)
    picture = traitlets.Unicode().tag(sync=True)
    forks = traitlets.Dict().tag(sync=True)         # what the reader may change; `back`: to what

    def __init__(self, film: dict, spoiler: bool = False) -> None:
        super().__init__(**self._traits_of(film, spoiler))
        self._forks: Any = None
        self.on_msg(lambda _, asked, __: self.hear(asked))

    def show(self, film: dict, spoiler: bool = False, forks: dict | None = None) -> None:
        """Play another film in the same place: film, card and picture change in one message."""
        traits = self._traits_of(film, spoiler) | {"forks": forks or {}}
        with self.hold_sync():
            for name, value in traits.items():
                self.set_trait(name, value)

    # -- two futures ------------------------------------------------------------------------------
    def offer(self, forks: Any) -> None:
        """Let the reader fork this film: `forks` says what may be changed, and films both."""
        self._forks, self._whole = forks, self._source
        self.forks = forks.offered

    def hear(self, asked: dict) -> None:
        """A command of the reader: a fork at an event, or the way back. Errors are told there."""
        try:
            if self._forks is None:
                raise ValueError("this film cannot be forked")
            if "back" in asked:
                self.show(self._whole | {"telling": asked["back"]}, forks=self._forks.offered)
                return
            film = self._forks.film(asked["event"], asked["change"], asked["longer_ms"])
            self.show(film, forks={"back": asked["event"]})
        except Exception as error:
            self.send({"failed": f"{type(error).__name__}: {svg.plain(error)}"})

    @property
    def source(self) -> dict:
        """The film that is played, as plain data."""
        return self._source

    def _traits_of(self, film: dict, spoiler: bool) -> dict[str, Any]:
        frames = film["frames"]["truth"]
        index = 0 if spoiler and frames else encode.telling(film)
        self._source, self._index, self._spoiler = film, index, spoiler
        shown = frames[index] if frames else {"say": "Nothing has happened yet.", "event": 0}
        card = {"title": film["title"], "say": shown["say"], "event": shown["event"],
                "steps": len(frames), "size": [*film["size"], 2 if film["fork"] else 1]}
        return {"film": encode.pack(film), "card": card, "picture": svg.picture(film, index)}

    def __repr__(self) -> str:
        steps = f"{self.card['steps']} step{'' if self.card['steps'] == 1 else 's'}"
        told = f"Run this cell to play {steps}"
        if not self._spoiler:
            told = f"{svg.plain(self.card['title'])}, {steps}: {svg.plain(self.card['say'])}"
        return f"{told} [film {encode.digest(self._source)[:12]}]"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if bundle else ({}, {})
        if os.environ.get(EMBED) == "embed":
            data = {"text/html": self._frame()}
        return data | {"text/plain": repr(self), "image/svg+xml": self.picture}, metadata

    def save(self, path: str | os.PathLike) -> Path:
        """Write the player and its film as one HTML file that asks nothing of the network."""
        path = Path(path)
        path.write_text(self._page(), encoding="utf-8")
        return path

    def _page(self) -> str:
        return page(self.card["title"], self.mount())

    def mount(self) -> str:
        """The player as a part of a `page`: its static picture, and the film behind it."""
        return _filled("mount.html", {
            "title": svg.escape(self.card["title"]), "say": svg.escape(self.card["say"]),
            "event": str(self.card["event"]), "count": str(self.card["size"][2]),
            "card": html.escape(json.dumps(self.card, ensure_ascii=True)),
            "film": base64.b64encode(self.film).decode(),
            "picture": svg.inline(self._source, self._index) if self.card["steps"] else ""})

    def _frame(self) -> str:
        return (f'<iframe title="{svg.escape(self.card["title"])}" sandbox="allow-scripts" '
                f'style="width:100%;height:{EMBED_HEIGHT}px;border:0;display:block" '
                f'srcdoc="{html.escape(self._page(), quote=True)}"></iframe>{LISTEN}')


class Still(anywidget.AnyWidget):
    """A picture that Python changes, such as a chart under a panel's controls."""

    _esm = _static("player/guard.js") + _static("still.js")
    _css = stylesheet() + _static("panel.css")
    picture = traitlets.Unicode().tag(sync=True)
    say = traitlets.Unicode().tag(sync=True)

    def show(self, svg: str, say: str) -> None:
        """Another picture, and the sentence that says what it shows, in one message."""
        with self.hold_sync():
            self.say, self.picture = say, svg

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if bundle else ({}, {})
        if os.environ.get(EMBED) == "embed":
            data = {"text/html": f"<figure>{self.picture}</figure>"}
        return data | {"text/plain": self.say, "image/svg+xml": self.picture}, metadata
