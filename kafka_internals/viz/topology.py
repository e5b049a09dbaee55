"""networkx: graphs whose layout says something - what builds on what, and what caused what."""

from textwrap import fill as fill_text
from typing import Any

from kafka_internals.sim.trace import Trace
from kafka_internals.viz.charts import COLOURS, Chart, drawn
from kafka_internals.viz.svg import plain


def module_map(modules: Any) -> Chart:
    """The modules of the course as a graph: an arrow leads from what comes first.

    Columns are the steps of the longest way to a module (`networkx.topological_generations`).
    """
    import networkx as nx

    graph = nx.DiGraph((first, module.number) for module in modules for first in module.builds_on)
    columns: dict[int, list[str]] = {}
    rank: dict[str, float] = {}
    for column, names in enumerate(nx.topological_generations(graph)):
        columns[column] = sorted(names, key=lambda name: (
            _mean(rank, graph.pred[name]), -len(nx.descendants(graph, name)), name))
        rank |= {name: (at + 1) / (len(names) + 1) for at, name in enumerate(columns[column])}
    places = nx.multipartite_layout(graph, subset_key=columns)
    by_number = {module.number: module for module in modules}

    def draw(axes: Any) -> None:
        boxes = {name: _module_box(axes, by_number[name], place) for name, place in places.items()}
        for first, name in graph.edges:
            axes.annotate("", places[name], places[first], zorder=0, arrowprops={
                "arrowstyle": "-|>", "color": COLOURS["rule"], "shrinkA": 3, "shrinkB": 3,
                "patchA": boxes[first], "patchB": boxes[name]})
        for limits, at in ((axes.set_xlim, 0), (axes.set_ylim, 1)):
            low, high = (pick(place[at] for place in places.values()) for pick in (min, max))
            limits(low - 0.1 * (high - low), high + 0.1 * (high - low))
        axes.set_axis_off()

    names = ", ".join(f"{m.number} {m.title}" for m in modules if m.ready)
    return drawn(draw, f"The map of the course. Ready now: {names}.", size=(8.2, 4.4))


def _mean(rank: dict[str, float], names: Any) -> float:
    """Where a module's predecessors stand: near them, its arrows cross fewer others."""
    return sum(rank[name] for name in names) / max(1, len(names))


def _module_box(axes: Any, module: Any, place: Any) -> Any:
    fill, ink = ("c1", "c1-on") if module.ready else ("paper", "ink-2")
    text = axes.text(*place, f"{module.number}\n{fill_text(module.title, 13)}", ha="center",
                     va="center", fontsize=8.5, color=COLOURS[ink], parse_math=False,
                     bbox={"boxstyle": "round,pad=0.5", "facecolor": COLOURS[fill],
                           "edgecolor": COLOURS["rule"], "linewidth": 1})
    return text.get_bbox_patch()


def why_graph(cluster: Any, subject: Any, attribute: str, links: int = 14) -> Chart:
    """What a value goes back to: each change is a numbered node, each read an arrow.

    Time runs to the right, one row for each subject; the list below says what each number is. Only
    the last `links` changes before the value are drawn.
    """
    import networkx as nx

    answer = cluster.why(subject, attribute)
    trace: Trace = cluster.trace
    index = trace.latest(answer.subject, attribute, cluster.event)
    graph, todo = nx.DiGraph(), set() if index is None else {index}
    while todo and len(graph) < links:
        at = max(todo)
        todo.remove(at)
        graph.add_node(at)
        todo.update(trace.links(at))
    graph.add_edges_from((read, at) for at in list(graph) for read in trace.links(at)
                         if read in graph)
    order = sorted(graph)
    rows = list(dict.fromkeys(_row(trace.change(at).subject) for at in order))
    height = 0.42 * len(rows) + 0.21 * len(order) + 0.5
    return drawn(lambda axes: _draw_causes(axes, graph, order, rows, trace, cluster.words),
                 f"{cluster.words.question(answer.subject, attribute, answer.value)} "
                 f"{len(order)} changes that led to it, over {len(rows)} subjects.",
                 size=(8.2, height))


def _row(subject: str) -> str:
    """Requests of one client share a row."""
    return subject.rpartition(".")[0] if subject.startswith("request-") else subject


def _draw_causes(axes: Any, graph: Any, order: list[int], rows: list[str], trace: Trace,
                 words: Any) -> None:
    import networkx as nx

    places = {at: (column, -2 * rows.index(_row(trace.change(at).subject)))
              for column, at in enumerate(order)}
    nx.draw_networkx_edges(graph, places, ax=axes, edge_color=COLOURS["rule"], node_size=330,
                           arrowsize=9, connectionstyle="arc3,rad=0.1")
    nx.draw_networkx_nodes(graph, places, ax=axes, node_size=300, linewidths=1.2,
                           node_color=[COLOURS["c1" if at == order[-1] else "c1-tint"]
                                       for at in graph], edgecolors=COLOURS["c1-edge"])
    for number, at in enumerate(order, 1):
        ink = COLOURS["c1-on" if at == order[-1] else "ink"]
        axes.text(*places[at], number, ha="center", va="center", fontsize=8, color=ink)
        change = trace.change(at)
        said = f"{trace.event(change.event).t_us / 1000:.3f} ms   {words.change(change)}"
        axes.text(-2.6, -2 * len(rows) - number + 0.6, f"{number:2d}", fontsize=8, ha="right",
                  color=COLOURS["ink"])
        axes.text(-2.3, -2 * len(rows) - number + 0.6, plain(said), fontsize=8, parse_math=False,
                  color=COLOURS["ink-2"])
    for row, name in enumerate(rows):
        axes.text(-0.7, -2 * row, _row_name(name, words), ha="right", va="center", fontsize=8,
                  color=COLOURS["ink-2"], parse_math=False)
    axes.set_xlim(-3.4, len(order) - 0.4)
    axes.set_ylim(-2 * len(rows) - len(order) - 0.4, 1)
    axes.set_axis_off()


def _row_name(name: str, words: Any) -> str:
    if name.startswith("request-"):
        return plain(f"requests of {name[8:]}")
    return plain(words.place(name))
