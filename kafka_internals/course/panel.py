"""What a control panel is made of: labelled controls of ipywidgets around a player or a chart.

A panel is a live widget where a kernel and a browser are, and a sentence with a picture everywhere
else. Its controls carry `ki-controls`: the player's stylesheet dresses them, and the player's
module keeps JupyterLab from taking the keys that are pressed in them.
"""

import os
from collections.abc import Callable, Iterable
from html import escape
from typing import Any, NamedTuple

import ipywidgets
from ipywidgets import Box, Button, Dropdown, Text, VBox

from kafka_internals.viz.player import EMBED, Player, Still
from kafka_internals.viz.svg import plain

NO_KERNEL = "<p>This panel needs a kernel: open the notebook. This is how it begins:</p>"
VIEW = "application/vnd.jupyter.widget-view+json"


class Field(NamedTuple):
    """One choice: its name in the code, its label, what can be chosen, what is at first."""

    name: str
    label: str
    options: tuple
    default: Any = None


class Panel:
    """Controls around a player or a chart (`player`, too); whoever inherits fills `box` and says
    what stands in its place."""

    def __init__(self, player: Player | Still, controls: Iterable[Any],
                 below: tuple = ()) -> None:
        self.player = player
        self.message = ipywidgets.HTML()
        top = VBox([*controls, self.message, *below])
        top.add_class("ki-controls").add_class("ki-theme")
        self.box = VBox([top, player])
        self.box.add_class("ki-bench")

    def says(self, text: str, is_bad: bool = False) -> None:
        """One line under the controls: what was done, or what went wrong."""
        look = "ki-message ki-bad" if is_bad else "ki-message"
        role = "alert" if is_bad else "status"
        self.message.value = f"<p class='{look}' role='{role}'>{escape(plain(text))}</p>"

    def guarded(self, act: Callable[[], None]) -> Callable[..., None]:
        """`act` as a widget calls it: an error is shown in the panel, and nothing is lost."""
        def acted(*_: Any) -> None:
            try:
                act()
            except Exception as error:
                self.says(f"{type(error).__name__}: {error}", is_bad=True)
        return acted

    def _told(self) -> str:
        """HTML that stands above the film where there is no kernel."""
        return f"<p>{escape(repr(self))}</p>"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        still = {"text/plain": repr(self), "image/svg+xml": self.player.picture}
        if os.environ.get(EMBED) == "embed":
            shown, _ = self.player._repr_mimebundle_(**kwargs)
            return still | {"text/html": self._told() + NO_KERNEL + shown["text/html"]}, {}
        bundle = self.box._repr_mimebundle_(**kwargs)
        return (bundle[0] if isinstance(bundle, tuple) else bundle or {}) | still, {}


def button(label: str, act: Callable[..., None], tip: str = "") -> Button:
    """A button with a word on it."""
    made = Button(description=label, tooltip=tip or label)
    made.on_click(act)
    return made


def choice(field: Field) -> Dropdown:
    """A choice with its label before it."""
    return Dropdown(options=list(field.options), description=field.label,
                    value=_first(field.options) if field.default is None else field.default,
                    style={"description_width": "initial"})


def text(label: str, value: str) -> Text:
    """A line to write in; Enter submits it."""
    return Text(value=value, description=label, continuous_update=False,
                style={"description_width": "initial"})


def row(*widgets: Any, word: str = "") -> Box:
    """Widgets side by side, wrapped where the page is narrow; `word` names them."""
    named = [ipywidgets.HTML(f"<b class='ki-group'>{escape(word)}</b>")] if word else []
    made = Box([*named, *widgets])
    made.add_class("ki-row")
    return made


def _first(options: tuple) -> Any:
    return options[0][1] if isinstance(options[0], tuple) else options[0]
