"""The legend: every thing that the first pictures use, drawn once by the helpers that draw them."""

from kafka_internals.viz import svg
from kafka_internals.viz.charts import Chart
from kafka_internals.viz.film import still
from kafka_internals.viz.scene import Scene

ROW, LEFT, RIGHT, WORDS = 92, 30, 392, 132


def legend() -> Chart:
    """One picture with a word beside each mark."""
    scene = Scene("leader epoch", size=(720, 5 * ROW + 30), words={"epoch-1": "0"})
    entries = (_record, _batches, _marks, _leader, _follower, _down, _isr, _clients, _request,
               _answer)
    for at, entry in enumerate(entries):
        x, y = (LEFT, RIGHT)[at % 2], 40 + (at // 2) * ROW
        entry(scene, x, y)
    scene.caption("Filled or hollow: committed or not, leader or follower, answer or request.")
    return Chart(svg.picture(still(scene, "How everything looks")), scene.say)


def _word(scene: Scene, x: float, y: float, word: str, more: str) -> None:
    scene.text(f"word/{word}", x + WORDS, y + 2, word, "s14 w6")
    scene.text(f"word/{word}/more", x + WORDS, y + 20, more, "s12 soft")


def _record(scene: Scene, x: float, y: float) -> None:
    log = scene.log("record", x + 8, y - 16, end=2)
    log.batch(0, 0, "epoch-1")
    _word(scene, x, y, "record", "its offset inside; filled: committed")


def _batches(scene: Scene, x: float, y: float) -> None:
    log = scene.log("batch", x + 8, y - 16, end=3, cell=40)
    log.batch(0, 1, "epoch-1", "uncommitted")
    _word(scene, x, y, "record batch", "hollow: not committed yet")


def _marks(scene: Scene, x: float, y: float) -> None:
    log = scene.log("marks", x + 8, y - 10, end=2, cell=40, h=32)
    log.batch(0, 0, "epoch-1")
    log.batch(1, 1, "epoch-1", "uncommitted")
    log.high_watermark(1)
    log.log_end(2)
    scene.text("word/marks", x + 166, y + 2, "high watermark, log end", "s14 w6")
    scene.text("word/marks/more", x + 166, y + 20, "HW: readable below; LEO: next", "s12 soft")


def _leader(scene: Scene, x: float, y: float) -> None:
    scene.node("leader", x + 24, y, 1, "leader", label="")
    _word(scene, x, y, "broker that leads", "takes records and gives offsets")


def _follower(scene: Scene, x: float, y: float) -> None:
    scene.node("follower", x + 24, y, 2, "follower", label="")
    _word(scene, x, y, "broker that follows", "fetches what the leader has")


def _down(scene: Scene, x: float, y: float) -> None:
    scene.node("dead", x + 24, y, 3, "dead", label="")
    _word(scene, x, y, "broker that is down", "in grey: what its disk holds")


def _isr(scene: Scene, x: float, y: float) -> None:
    scene.node("isr/1", x + 24, y - 18, 1, "leader", label="")
    scene.node("isr/2", x + 24, y + 24, 2, "follower", label="")
    scene.rail("isr", x + 24, y - 18, y + 24, word="")
    _word(scene, x, y, "in-sync replicas (ISR)", "the rail joins its members")


def _clients(scene: Scene, x: float, y: float) -> None:
    scene.client("producer", x + 24, y, "P")
    scene.client("consumer", x + 72, y, "C")
    _word(scene, x, y, "producer, consumer", "your application's side")


def _request(scene: Scene, x: float, y: float) -> None:
    scene.message("request", "request", "fetch 1", ((x + 64, y + 34), (x + 64, y - 34)),
                  ident="#2", track=False)
    _word(scene, x, y, "request", "hollow: it asks; #2 is its number")


def _answer(scene: Scene, x: float, y: float) -> None:
    scene.message("answer", "response", "HW 1", ((x + 64, y - 34), (x + 64, y + 34)), ident="#2",
                  track=False)
    _word(scene, x, y, "answer", "filled; it keeps the number")
