"""networkx: where the replicas of a topic lie, by racks, and what a lost rack takes away.

Partitions stand above, brokers below in their racks; a line is a replica, a thick one the preferred
leader. All is as the controller has written it. A rack that is lost takes its brokers; what is left
of each partition says whether it is still read and whether acks=all is still answered.
"""

from typing import Any, NamedTuple

from kafka_internals.viz.charts import COLOURS, Chart, drawn

NO_RACK = "no rack"
LINES = {"leader": ("ink", 2.6, "-"), "follower": ("rule", 1.3, "-"), "lost": ("danger", 1.3, ":")}


class Left(NamedTuple):
    """What is left of a partition: its replicas, and what that is enough for."""

    partition: str
    replicas: tuple[int, ...]
    kept: tuple[int, ...]
    min_isr: int

    @property
    def said(self) -> str:
        """In a few words."""
        if not self.kept:
            return "all replicas lost"
        if len(self.kept) < self.min_isr:
            return f"{len(self.kept)} left: acks=all is refused"
        return f"{len(self.kept)} of {len(self.replicas)} left" \
            if len(self.kept) < len(self.replicas) else "untouched"


def what_is_left(cluster: Any, topic: str, lost_rack: str | None = None) -> list[Left]:
    """Of each partition of a topic: who is left when a rack is gone.

    Errors: ValueError for a rack in which no broker is, with the racks that there are.
    """
    racks = _racks(cluster)
    if lost_rack is not None and lost_rack not in racks.values():
        raise ValueError(f"no broker is in rack {lost_rack!r}; racks are "
                         f"{', '.join(sorted(set(racks.values())))}")
    found = []
    for number in range(cluster.partitions_of(topic)):
        one = cluster.look(f"{topic}-{number}@{_controller(cluster)}")
        kept = tuple(broker for broker in one.replicas if racks[broker] != lost_rack)
        found.append(Left(f"{topic}-{number}", one.replicas, kept,
                          _min_isr(cluster, f"{topic}-{number}", one)))
    return found


def _controller(cluster: Any) -> str:
    return next(name for name in cluster.subjects() if name.startswith("controller-"))


def _racks(cluster: Any) -> dict[int, str]:
    """The rack of each broker that is registered."""
    at = _controller(cluster)
    return {one.broker_id: one.rack or NO_RACK for name in cluster.subjects()
            if name.startswith("broker-") and name.endswith(f"@{at}")
            for one in (cluster.look(name),)}


def _min_isr(cluster: Any, partition: str, one: Any) -> int:
    names = [f"{partition}@{broker}" for broker in one.replicas]
    known = [cluster.look(name).min_isr for name in names if name in cluster.subjects()]
    return known[0] if known else 1


def placement(cluster: Any, topic: str, lost_rack: str | None = None) -> Chart:
    """The replicas of a topic over brokers and racks; with `lost_rack`, what that takes away."""
    import networkx as nx

    left, racks = what_is_left(cluster, topic, lost_rack), _racks(cluster)
    brokers = sorted(racks, key=lambda broker: (racks[broker], broker))
    graph = nx.Graph()
    graph.add_nodes_from((one.partition for one in left), bipartite=0)
    graph.add_nodes_from(brokers, bipartite=1)
    graph.add_edges_from((one.partition, broker) for one in left for broker in one.replicas)
    places = _places(left, brokers, racks)

    def draw(axes: Any) -> None:
        for one in left:
            for broker in one.replicas:
                _replica(axes, nx, graph, places, one, broker)
        for one in left:
            _box(axes, places[one.partition], f"{one.partition}\n{one.said}"
                 if lost_rack else one.partition, "c1-tint" if one.kept else "paper",
                 lost=not one.kept)
        for broker in brokers:
            _box(axes, places[broker], f"broker {broker}", "paper", lost=racks[broker] == lost_rack)
        for rack in sorted(set(racks.values())):
            _rack(axes, rack, [places[broker][0] for broker in brokers if racks[broker] == rack],
                  rack == lost_rack)
        axes.text(-0.05, -0.62, "thick: the preferred leader's replica", fontsize=8,
                  color=COLOURS["ink-2"])
        axes.set_xlim(-0.06, 1.06)
        axes.set_ylim(-0.66, 1.25)
        axes.set_axis_off()

    return drawn(draw, _sentence(topic, left, racks, lost_rack), size=(8.2, 3.6),
                 margins={"left": 0.01, "right": 0.99, "bottom": 0.01, "top": 0.99})


def _places(left: list[Left], brokers: list[int], racks: dict[int, str]) -> dict:
    """Partitions in a row above; brokers below, with room between racks."""
    names = [one.partition for one in left]
    places: dict = {name: ((at + 0.5) / len(names), 1.0) for at, name in enumerate(names)}
    order, at = {}, 0.0
    for one, before in zip(brokers, [None, *brokers]):
        at += 0 if before is None else 1.6 if racks[before] != racks[one] else 1.0
        order[one] = at
    return places | {broker: ((x + 0.5) / (at + 1), 0.0) for broker, x in order.items()}


def _replica(axes: Any, nx: Any, graph: Any, places: dict, one: Left, broker: int) -> None:
    kind = "lost" if broker not in one.kept else \
        "leader" if broker == one.replicas[0] else "follower"
    colour, width, style = LINES[kind]
    nx.draw_networkx_edges(graph, places, ax=axes, edgelist=[(one.partition, broker)],
                           edge_color=COLOURS[colour], width=width, style=style)


def _box(axes: Any, place: tuple, text: str, fill: str, lost: bool) -> None:
    axes.text(*place, text, ha="center", va="center", fontsize=9, parse_math=False, zorder=4,
              color=COLOURS["danger" if lost else "ink"],
              bbox={"boxstyle": "round,pad=0.45", "facecolor": COLOURS[fill], "linewidth": 1.2,
                    "edgecolor": COLOURS["danger" if lost else "rule"],
                    "linestyle": "--" if lost else "-"})


def _rack(axes: Any, rack: str, xs: list[float], lost: bool) -> None:
    """A rack is a bracket below its brokers, never a closed box."""
    low, high, colour = min(xs) - 0.06, max(xs) + 0.06, COLOURS["danger" if lost else "ink-2"]
    axes.plot([low, low, high, high], [-0.2, -0.27, -0.27, -0.2], color=colour, linewidth=1.6)
    axes.text((low + high) / 2, -0.32, f"{'' if rack == NO_RACK else 'rack '}{rack}"
              f"{', lost' if lost else ''}", ha="center", va="top", fontsize=9.5, color=colour,
              parse_math=False)


def _sentence(topic: str, left: list[Left], racks: dict[int, str], lost_rack: str | None) -> str:
    many, names = len(left), sorted(set(racks.values()))
    listed = ", ".join(names)
    where = (f"{topic}: {many} partition{'s' * (many > 1)} on {len(racks)} brokers, "
             f"{'which name no rack' if names == [NO_RACK] else f'in racks {listed}'}.")
    if lost_rack is None:
        spread = min(len({racks[broker] for broker in one.replicas}) for one in left)
        told = "No" if spread > 1 else "A"
        return f"{where} {told} lost rack takes every replica of a partition."
    told = "; ".join(f"{one.partition} {one.said}" for one in left)
    return f"{where} Without rack {lost_rack}: {told}."
