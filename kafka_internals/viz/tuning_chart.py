"""Charts for tuning: what one setting does to times, requests and bytes, a dot for each run.

The dots stand side by side in the order of the values, since some settings have names for values.
Lines join them where the values are numbers. A value whose run is still to come has no dot.
"""

from math import isnan
from typing import Any, NamedTuple

from kafka_internals.viz.charts import COLOURS, drawn
from kafka_internals.viz.quantities import Costed, cost_line

WIDE, LOW, LONG = 8.2, 3.2, 30
MARGINS = {"left": 0.05, "right": 0.99, "top": 0.91, "bottom": 0.29, "wspace": 0.29}
QUEUED, LATENCY = "record-queue-time-avg", "request-latency-avg"
LINES = (("p99", "99 of 100 records", "ink-2", "^", 1.0), ("mean", "mean of all records", "ink",
                                                         "o", 2.0),
         (QUEUED, QUEUED, "c3-edge", "s", 1.4), (LATENCY, LATENCY, "c1", "D", 1.4))


class Tuned(NamedTuple):
    """What one run gave, a second or in ms from a record's arrival to its answer; where nobody
    answers (acks=0), until it left.

    `thread_percent` of an application's thread went into packing. `leader_only` records were
    acknowledged before every in-sync replica had them. `metrics` are the Java client's.
    """

    mean_ms: float
    p99_ms: float
    asked_per_s: int
    records_per_s: float
    requests_per_s: float
    wire_kib_per_s: float
    thread_percent: float
    leader_only: int
    metrics: tuple[tuple[str, float], ...]

    @property
    def done(self) -> str:
        """What became of a record: with acks=0 nobody answers, and nobody knows more."""
        return "sent" if isnan(dict(self.metrics)[LATENCY]) else "answered"

    def __repr__(self) -> str:
        told = "".join(f"\n  {name:<24}{value:>9,.2f}" for name, value in self.metrics)
        return (f"{self.asked_per_s:,} records a second arrive, {self.records_per_s:,.0f} are "
                f"{self.done}: mean {self.mean_ms:.1f} ms, 99 of 100 within {self.p99_ms:.1f} ms; "
                f"{self.requests_per_s:,.0f} requests and {self.wire_kib_per_s:,.0f} KiB a second"
                f"{told}")


class Tuning(NamedTuple):
    """The runs of one setting, by value; None for one that is still to come. Their cost model."""

    setting: str
    values: tuple
    runs: tuple[Tuned | None, ...]
    cost: Any

    def at(self, value: Any) -> Tuned:
        """The run of one value. KeyError where there is none."""
        return dict(zip(self.values, self.runs))[value]


def tuning_chart(tuning: Tuning, chosen: Any = None) -> Costed:
    """Times, requests and bytes against one setting; `chosen` is the value that is marked."""
    def draw(axes: Any) -> None:
        for place, title in zip(axes, ("ms, from arrival to answer", "requests a second",
                                       "KiB a second on the link")):
            place.set_title(title, fontsize=10, loc="left", y=1)     # else it is looked for
            _values(place, tuning, chosen)
        for name, label, colour, marker, width in LINES:
            _dots(axes[0], tuning, [_time(run, name) for run in tuning.runs], colour, marker,
                  width, label)
        axes[0].legend(facecolor="white", edgecolor="none", framealpha=1, fontsize=8,
                       loc="upper left", handlelength=1.6)
        _dots(axes[1], tuning, [run and run.requests_per_s for run in tuning.runs], "c1", "o")
        _dots(axes[2], tuning, [run and run.wire_kib_per_s for run in tuning.runs], "c2-edge", "o")
        _room(axes[0], 1.75)
        _room(axes[1], 1.15)
        _link(axes[2], tuning.cost.link_us_per_kib)
        cost_line(axes[0].figure, tuning.cost)

    return Costed(drawn(draw, told(tuning, chosen), size=(WIDE, LOW), columns=3,
                        margins=MARGINS), tuning.cost)


def _time(run: Tuned | None, name: str) -> float | None:
    if run is None:
        return None
    return {"p99": run.p99_ms, "mean": run.mean_ms, **dict(run.metrics)}[name]


def _dots(axes: Any, tuning: Tuning, given: list[float | None], colour: str, marker: str,
          width: float = 1.8, label: str | None = None) -> None:
    found = [(at, one) for at, one in enumerate(given) if one is not None and not isnan(one)]
    joined = "-" if all(isinstance(one, int) for one in tuning.values) else ""
    axes.plot([at for at, _ in found], [one for _, one in found], color=COLOURS[colour],
              marker=marker, markersize=4, linestyle=joined, linewidth=width, label=label)


def _values(axes: Any, tuning: Tuning, chosen: Any) -> None:
    names = [f"{one:,}" if isinstance(one, int) else one for one in tuning.values]
    crowded = sum(map(len, names)) > 24
    axes.set_xticks(range(len(names)), names, fontsize=8 if crowded else 9,
                    rotation=35 if crowded else 0, rotation_mode="anchor",
                    ha="right" if crowded else "center")
    axes.set_xlim(-0.4, len(names) - 0.6)
    axes.set_xlabel(tuning.setting, fontsize=10 if len(tuning.setting) < LONG else 8)
    if chosen in tuning.values:
        axes.axvspan(at := tuning.values.index(chosen) - 0.3, at + 0.6, linewidth=0,
                     color=COLOURS["c1"], alpha=0.13)


def _room(axes: Any, share: float) -> None:
    axes.set_ylim(0, max(1.0, axes.dataLim.ymax) * share)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _link(axes: Any, us_per_kib: int) -> None:
    """What fits through the link, as a line to stay below."""
    most = 1_000_000 / us_per_kib
    axes.axhline(most, color=COLOURS["rule"], linewidth=1, linestyle="--")
    axes.annotate("all that the link carries", (axes.get_xlim()[1], most), ha="right", va="bottom",
                  fontsize=8, color=COLOURS["ink-2"])
    _room(axes, 1.0)
    axes.set_ylim(0, most * 1.2)


def told(tuning: Tuning, chosen: Any = None) -> str:
    """The chart in words: each value and what its run gave."""
    done = [(value, run) for value, run in zip(tuning.values, tuning.runs) if run is not None]
    runs = "; ".join(f"{value}: {run.mean_ms:.1f} ms, 99 of 100 within {run.p99_ms:.1f}, "
                     f"{run.requests_per_s:.0f} requests, {run.wire_kib_per_s:.0f} KiB"
                     for value, run in done)
    marked = f", {chosen} is chosen" if chosen in tuning.values else ""
    return (f"Times from arrival to answer, requests and KiB a second against {tuning.setting}"
            f"{marked}. {runs}.")
