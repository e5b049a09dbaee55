"""What the bench films, and the two other ways to show the same scenes in a notebook.

`busy` is the worst that a view may do: 200 shapes, of which about six change in each of 300 frames,
by the dice. `orders` is a run of the engine as `replica_view` films it. The peers are what people
use today: ipywidgets' Play with an HTML widget that gets each frame's SVG from the kernel, and with
a matplotlib figure that is drawn anew (`%matplotlib inline` in an Output).
"""

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.sim.world import World
from kafka_internals.viz import encode, svg
from kafka_internals.viz.film import still
from kafka_internals.viz.player import Player
from kafka_internals.viz.replica_view import replica_view
from kafka_internals.viz.scene import Scene

FRAMES, SHAPES, CHANGES = 300, 200, 6
WIDTH, HEIGHT = 720, 452
LOOKS = [f"batch epoch-{epoch} {state}" for epoch in range(1, 6)
         for state in ("committed", "uncommitted", "doomed")]


def busy() -> dict:
    """A film (v1) of 300 frames x 200 shapes: half of them batches, half of them texts."""
    draw = World(1).draw("bench", "busy film")
    scene = Scene("leader epoch", size=(WIDTH, HEIGHT))
    for n in range(SHAPES // 2):
        x, y = n % 10 * 70 + 10.0, n // 10 * 44 + 8.0
        scene.rect(f"b{n // 10}/batch/{n % 10}", x, y, 60, 30, LOOKS[n % len(LOOKS)], r=4)
        scene.text(f"b{n // 10}/offset/{n % 10}", x + 8, y + 20, draw(1000))
    keys, shapes, frames, events = list(scene.shapes), scene.shapes, [], []
    for at in range(FRAMES):
        shapes = dict(shapes)
        for key in (keys[draw(SHAPES)] for _ in range(CHANGES if at else 0)):
            shapes[key] = shapes[key] | _change(shapes[key], draw)
        say = f"Broker {draw(3) + 1} appends {draw(1000)} to {draw(1000)}; nothing waits."
        frames.append({"t_us": at * 1000 + draw(1000), "event": at + 1, "say": say,
                       "shapes": shapes})
        events.append([at + 1, frames[-1]["t_us"], at, f"broker-{draw(3) + 1}", "append", say])
    return still(scene, "A busy cluster") | {"frames": {"truth": encode.delta(frames)},
                                             "events": events, "telling": 1}


def _change(shape: dict, draw: Any) -> dict:
    """A text says something else; a batch moves, or is something else."""
    if shape["k"] == "text":
        return {"t": str(draw(1000))}
    if draw(2):
        return {"x": 10 + draw(WIDTH - 80), "y": 8 + draw(HEIGHT - 40)}
    return {"c": LOOKS[draw(len(LOOKS))]}


def _shop(producer, consumer):
    while True:
        yield producer.send("orders", "a book", partition=0).get()
        yield consumer.poll(50)


def _run(events: int) -> Cluster:
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(acks="all", linger_ms=0)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    cluster.run_app(_shop, producer, consumer)
    cluster.run_until(lambda: cluster.event >= events)
    return cluster


def orders(frames: int) -> Cluster:
    """A shop's run that ends where its film has so many frames (1.4 events make one, and some 40
    are over before the first record is sent)."""
    cluster = _run(frames * 2 + 40)
    taken = replica_view.data(cluster, "orders-0")["frames"]["truth"]
    return cluster.again(upto=taken[frames - 1]["event"])


def film_sizes(notebook: Path) -> list[int]:
    """Bytes of every film that a notebook's cells make, packed; they are run in this process."""
    sizes: list[int] = []
    made = Player.__init__

    def noted(player: Player, *args: Any, **options: Any) -> None:
        made(player, *args, **options)
        sizes.append(len(player.film))

    names: dict[str, Any] = {}
    with patch.object(Player, "__init__", noted), redirect_stdout(StringIO()):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    return sizes


# -- the peers, in the kernel ----------------------------------------------------------------------
def _played(name: str, shown: Any, frames: int, draw: Callable[[int], None]) -> Any:
    """Play, a slider that follows it and that arrow keys step, and what they show."""
    from ipywidgets import IntSlider, Play, VBox, jslink

    play, slider = (kind(min=0, max=frames - 1, value=0) for kind in (Play, IntSlider))
    jslink((play, "value"), (slider, "value"))
    slider.observe(lambda change: draw(change.new), "value")
    draw(0)
    shown.add_class("bench-shown")
    return VBox([play, slider, shown]).add_class(name)


def from_kernel(film: dict) -> Any:
    """Play with an HTML widget: the kernel makes each frame's SVG when it is asked for."""
    from ipywidgets import HTML

    scenes = encode.materialise(film["frames"]["truth"])
    shown = HTML()

    def draw(at: int) -> None:
        body = svg.stage_body(scenes[at], 0, lambda kind, look: f"ki-{look.replace(' ', ' ki-')}")
        shown.value = f'<svg class="ki-draw" viewBox="0 0 {WIDTH} {HEIGHT}">{body}</svg>'

    return _played("bench-html", shown, len(scenes), draw)


def with_matplotlib(film: dict) -> Any:
    """Play with an Output in which each frame is a new figure."""
    from ipywidgets import Output
    from matplotlib import pyplot

    scenes = encode.materialise(film["frames"]["truth"])
    shown = Output()

    def draw(at: int) -> None:
        with shown:
            shown.clear_output(wait=True)
            plotted(scenes[at])
            pyplot.show()

    return _played("bench-matplotlib", shown, len(scenes), draw)


def plotted(shapes: encode.Shapes) -> Any:
    """One scene as a figure of the same size."""
    from matplotlib import pyplot
    from matplotlib.patches import FancyBboxPatch

    figure, axes = pyplot.subplots(figsize=(WIDTH / 100, HEIGHT / 100))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    for shape in shapes.values():
        if shape["k"] == "text":
            axes.text(shape["x"], shape["y"], shape["t"], fontsize=8)
        else:
            axes.add_patch(FancyBboxPatch((shape["x"], shape["y"]), shape["w"], shape["h"],
                                          facecolor=f"C{LOOKS.index(shape['c']) % 10}"))
    return figure
