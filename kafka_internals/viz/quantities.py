"""Charts of quantities: what was measured in runs, against a setting or over time.

The numbers come as plain tuples, so that this room needs no cluster. Each chart says what it
depends on: the cost model stands below it in one line, and beside it as a table in a fold.
"""

from html import escape
from typing import Any, NamedTuple

from kafka_internals.viz.charts import COLOURS, Chart, drawn

LINES = {"busy broker": ("c1", "o"), "idle broker": ("c3-edge", "s")}
WIDE, LOW = 8.2, 2.9
DECADES = (100, 1_000, 10_000)


class Measured(NamedTuple):
    """What one run gave: times from send() to the answer in ms, rates a second."""

    load: str
    mean_ms: float
    p99_ms: float
    records_per_s: float
    requests_per_s: float


class Sweep(NamedTuple):
    """The runs of one setting, by load and then by value; their cost model, and what else holds."""

    setting: str
    values: tuple[int, ...]
    runs: tuple[Measured, ...]
    cost: Any
    given: str

    def of(self, load: str) -> list[Measured]:
        """The runs of one load, in the order of the values."""
        return [one for one in self.runs if one.load == load]

    @property
    def loads(self) -> list[str]:
        """The loads, in order."""
        return list(dict.fromkeys(one.load for one in self.runs))


class Depths(NamedTuple):
    """(ms, in the queue, in handlers, in the purgatory) for each change, and the two limits."""

    points: tuple[tuple[float, int, int, int], ...]
    queue_limit: int
    handlers: int
    cost: Any


class Fetched(NamedTuple):
    """(offset, us a network thread took to send) of each fetch; from `fresh_from` on in memory."""

    fetches: tuple[tuple[int, int], ...]
    fresh_from: int
    cost: Any


class Costed:
    """A chart, and in a fold beside it the cost model that it depends on, with its reasons."""

    def __init__(self, chart: Chart, cost: Any) -> None:
        self.chart, self.cost = chart, cost

    def __repr__(self) -> str:
        return repr(self.chart)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.chart)
        display(CostTable(self.cost))


class CostTable:
    """A cost model as a table: each task, what it takes, and why so much."""

    def __init__(self, cost: Any) -> None:
        self.cost = cost

    def __repr__(self) -> str:
        return "\n".join(["What each task takes of a thread:", *(
            f"  {one.what:<10}{one.value:>5} {one.unit:<7}{one.reason}"
            for one in self.cost.rows())])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(one.what)}</td><td>{one.value} {escape(one.unit)}</td>"
                       f"<td style='text-align:left'>{escape(one.reason)}</td></tr>"
                       for one in self.cost.rows())
        return (f"<details><summary>What each task takes of a thread (the cost model)</summary>"
                f"<table><tr><th>task</th><th>takes</th><th style='text-align:left'>because"
                f"</th></tr>{rows}</table></details>")


def sweep_chart(sweep: Sweep) -> Costed:
    """Latency, throughput and requests against one setting of the producers, a line for a load."""
    panels = (("from send() to the answer, ms", "mean_ms"),
              ("records a second", "records_per_s"), ("requests a second", "requests_per_s"))

    def draw(axes: Any) -> None:
        for place, (title, what) in zip(axes, panels):
            place.set_title(title, fontsize=10, loc="left")
            for load in sweep.loads:
                colour, marker = LINES[load]
                place.plot(sweep.values, [getattr(one, what) for one in sweep.of(load)],
                           color=COLOURS[colour], marker=marker, markersize=3.5, linewidth=1.8)
            if max(sweep.values) > 100 * max(1, min(sweep.values)):
                place.set_xscale("log")
                place.set_xticks(DECADES, [f"{one:,}" for one in DECADES])
            place.set_ylim(0, 1.15 * max(getattr(one, what) for one in sweep.runs))
            place.set_xlabel(sweep.setting)
        _direct_labels(axes[1], sweep)
        cost_line(axes[0].figure, sweep.cost, sweep.given)

    return Costed(drawn(draw, _swept(sweep), size=(WIDE, LOW), columns=len(panels)), sweep.cost)


def _direct_labels(axes: Any, sweep: Sweep) -> None:
    """The name of each line at its end, on the side where the others are not."""
    ends = {load: sweep.of(load)[-1].records_per_s for load in sweep.loads}
    for load, end in ends.items():
        highest = end == max(ends.values())
        axes.annotate(load, (sweep.values[-1], end), ha="right", va="top" if highest else "bottom",
                      xytext=(0, -8 if highest else 6), textcoords="offset points", fontsize=9,
                      color=COLOURS[LINES[load][0]])


def _swept(sweep: Sweep) -> str:
    told = []
    for load in sweep.loads:
        runs = sweep.of(load)
        best = min(range(len(runs)), key=lambda at: runs[at].mean_ms)
        told.append(f"{load}: {runs[0].mean_ms:.1f} ms at {sweep.values[0]}, least "
                    f"{runs[best].mean_ms:.1f} ms at {sweep.values[best]}, {runs[-1].mean_ms:.1f} "
                    f"ms at {sweep.values[-1]}, {runs[0].requests_per_s:.0f} requests a second "
                    f"down to {runs[-1].requests_per_s:.0f}")
    return f"Time from send() to the answer against {sweep.setting}. " + "; ".join(told) + "."


def depth_chart(depths: Depths) -> Costed:
    """The request queue, the busy handlers and the purgatory of a broker over time, in steps."""
    end_ms = depths.points[-1][0]
    panels = (("in the request queue", 1, "c2-edge"), ("handlers busy", 2, "c1"),
              ("in the purgatory", 3, "c4-edge"))

    def draw(axes: Any) -> None:
        for place, (title, column, colour) in zip(axes, panels):
            at_ms, values = _steps(depths.points, column)
            place.set_title(title, fontsize=10, loc="left")
            place.step(at_ms, values, where="post", color=COLOURS[colour], linewidth=1.8)
            place.fill_between(at_ms, values, step="post", color=COLOURS[colour], alpha=0.15,
                               linewidth=0)
            place.set_ylim(0, max(values) * 1.15 + 0.5)
            place.set_xlabel("ms")
        axes[1].axhline(depths.handlers, color=COLOURS["rule"], linewidth=1, linestyle="--")
        axes[1].annotate(f"all {depths.handlers}", (end_ms, depths.handlers), ha="right",
                         va="bottom", fontsize=9, color=COLOURS["ink-2"])
        axes[1].set_ylim(0, depths.handlers * 1.25)
        cost_line(axes[0].figure, depths.cost)

    most = [max(point[column] for point in depths.points) for column in (1, 2, 3)]
    told = (f"A broker over {end_ms:.0f} ms: at most {most[0]} of {depths.queue_limit} requests "
            f"in the queue, {most[1]} of {depths.handlers} handlers busy, {most[2]} requests in "
            f"the purgatory.")
    return Costed(drawn(draw, told, size=(WIDE, LOW), columns=len(panels)), depths.cost)


def _steps(points: tuple, column: int) -> tuple[list[float], list[int]]:
    """When one column changed, and to what: of one instant only the last value."""
    last = {point[0]: point[column] for point in points}
    kept = [(at_ms, value) for (at_ms, value), before in zip(last.items(), [None, *last.values()])
            if value != before]
    at_ms, values = zip(*kept, (points[-1][0], points[-1][column]))
    return list(at_ms), list(values)


def read_chart(read: Fetched) -> Costed:
    """How long a network thread is held by each answer of a reader that walks through a log."""
    kinds = (("from the disk", "c2-edge", "v", [one for one in read.fetches
                                                if one[0] < read.fresh_from]),
             ("from the page cache", "c1", "o", [one for one in read.fetches
                                                 if one[0] >= read.fresh_from]))

    def draw(axes: Any) -> None:
        for name, colour, marker, fetches in kinds:
            axes.plot(*zip(*fetches), color=COLOURS[colour], marker=marker, linestyle="",
                      markersize=5)
            offset, us = fetches[len(fetches) // 2]
            axes.annotate(name, (offset, us), ha="center", va="bottom", fontsize=9.5,
                          xytext=(0, 7), textcoords="offset points", color=COLOURS[colour])
        axes.axvline(read.fresh_from, color=COLOURS["rule"], linewidth=1, linestyle="--")
        axes.set_title("what sending one answer takes of a network thread, us", fontsize=10,
                       loc="left")
        axes.set_ylim(0, max(us for _, us in read.fetches) * 1.3)
        axes.set_xlabel("offset of the fetch")
        cost_line(axes.figure, read.cost)

    told = "; ".join(f"{name}: {len(fetches)} fetches, {min(us for _, us in fetches)} to "
                     f"{max(us for _, us in fetches)} us" for name, _, _, fetches in kinds)
    told = f"One reader through a log, and what each answer takes of a network thread. {told}."
    return Costed(drawn(draw, told, size=(WIDE, LOW)), read.cost)


def cost_line(figure: Any, cost: Any, given: str = "") -> None:
    """The line below a chart that says what its numbers depend on."""
    told = "; ".join(filter(None, (given, cost.described())))
    figure.supxlabel(told, fontsize=7.5, color=COLOURS["ink-2"])
