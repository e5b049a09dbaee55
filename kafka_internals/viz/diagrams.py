"""Graphviz: where the states of a machine and the arrows between them go.

The diagram is made from the engine's own TRANSITIONS, laid out once, and drawn with the shapes of
every other picture, so that the player can light the state and the edge that was taken. Text is
never given to Graphviz as markup: a name is an escaped label, and what comes back is numbers. One
renderer on every machine (graphviz-pure); a `dot` on the PATH stands in for it.
"""

import json
import shutil
import subprocess
import sysconfig
from functools import cache
from typing import Any, NamedTuple

import graphviz

POINTS_PER_INCH = 72


class Edge(NamedTuple):
    """One transition: a path (relative to 0 0), its arrow's tip and direction, and its label."""

    start: str
    event: str
    end: str
    d: str
    tip: tuple[float, float]
    before_tip: tuple[float, float]
    label: tuple[float, float]


class Diagram(NamedTuple):
    """A laid out machine: states as name -> (x, y, w, h) around their middle; y runs down."""

    size: tuple[float, float]
    states: dict[str, tuple[float, float, float, float]]
    edges: tuple[Edge, ...]


def renderer() -> str:
    """The program that lays out; RuntimeError names what to install."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("graphviz-pure", path=scripts) or shutil.which("graphviz-pure") \
        or shutil.which("dot")
    if found is None:
        raise RuntimeError("no Graphviz: install graphviz-pure (pip) or Graphviz's dot")
    return found


def dot_of(transitions: tuple) -> str:
    """DOT text of a table: ((state, event, next state), ...)."""
    graph = graphviz.Digraph(graph_attr={"rankdir": "LR", "nodesep": "0.5", "ranksep": "1.5"},
                             node_attr={"shape": "box", "fontname": "Arial", "fontsize": "14",
                                        "height": "0.55", "width": "1.3"},
                             edge_attr={"fontname": "Arial", "fontsize": "12"})
    names = _states(transitions)
    for at, state in enumerate(names):
        graph.node(f"state{at}", label=graphviz.escape(state))
    for at, (state, event, end) in enumerate(transitions):
        graph.edge(f"state{names.index(state)}", f"state{names.index(end)}", id=str(at),
                   label=graphviz.escape(event))
    return graph.source


def _states(transitions: tuple) -> list[str]:
    """Every state once, in the order of the table."""
    return list(dict.fromkeys(s for row in transitions for s in (row[0], row[2])))


@cache
def layout(transitions: tuple) -> Diagram:
    """Lay the machine out. Distances are stage units (Graphviz's points)."""
    done = subprocess.run([renderer(), "-Tjson"], input=dot_of(transitions).encode(),
                          capture_output=True, check=True)
    data = json.loads(done.stdout)
    _, _, width, height = map(float, data["bb"].split(","))
    names = _states(transitions)
    states = {names[int(one["name"][5:])]: _box(one, height) for one in data["objects"]}
    edges = tuple(_edge(one, transitions[int(one["id"])], height) for one in data["edges"])
    return Diagram((width, height), states, edges)


def _box(one: dict, height: float) -> tuple[float, float, float, float]:
    x, y = map(float, one["pos"].split(","))
    return (x, height - y, float(one["width"]) * POINTS_PER_INCH,
            float(one["height"]) * POINTS_PER_INCH)


def _edge(one: dict, row: tuple[str, str, str], height: float) -> Edge:
    tip, points = None, []
    for part in one["pos"].split():
        if part.startswith("e,"):
            tip = _point(part[2:], height)
        else:
            points.append(_point(part, height))
    first, rest = points[0], points[1:]
    d = f"M{first[0]:.1f} {first[1]:.1f}C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in rest)
    return Edge(*row, d, tip or points[-1], points[-1], _point(one["lp"], height))


def _point(text: str, height: float) -> tuple[float, float]:
    x, y = map(float, text.split(","))
    return x, round(height - y, 2)


def rows(transitions: Any) -> tuple:
    """A TRANSITIONS table as rows that can be laid out."""
    return tuple((state, event, end) for (state, event), end in transitions.items())
