"""The page cache and the disk of one broker: what a power loss could take at this instant.

Kafka writes into the operating system's page cache and leaves it to the system when that reaches
the disk. Each file is a row of pages of 4 KiB, above the shore as the page cache has them, below it
as the disk has them. Only what is below survives without power; a process that dies takes nothing.
The broker's copy of the metadata log is left out: any part of it can be fetched again.
"""

from collections.abc import Iterable
from typing import Any

from kafka_internals.viz.camera import Look
from kafka_internals.viz.film import view
from kafka_internals.viz.scene import Scene

WIDTH, LEFT, CELL, PAGES, FILES = 720, 250, 40, 9, 4
TOP, ROW = 74, 74
PAGE_BYTES = 4096
METADATA_LOG = "__cluster_metadata-0/"


@view(lambda broker: f"The page cache of broker {broker}", of_data=True)
def page_cache_view(look: Look, broker: int, whose: Any) -> Scene:
    """The files of a broker as their pages: the newest segments, then what else has room."""
    return pages_scene(look, broker, look.disk(broker).files)


def pages_scene(look: Look, broker: int, files: Iterable, first: str = "",
                marked: range = range(0)) -> Scene:
    """The same, with the file `first` on top and the `marked` pages of it pointed at."""
    written = [one for one in files if one.pages and not one.name.startswith(METADATA_LOG)]
    files = [one for one in written if one.name.endswith(".log")][-FILES:]
    files += [one for one in written if not one.name.endswith(".log")][:FILES - len(files)]
    if top := [one for one in written if one.name == first]:
        files = [*top, *(one for one in files if one not in top)][:FILES]
    rows = len(files) if first else FILES   # a still needs no room for files to come
    scene = Scene("", size=(WIDTH, TOP + rows * ROW + 8))
    scene.field("broker", 34, 30, "broker", broker)
    scene.field("state", 104, 30, "state", look(f"broker-{broker}").state,
                ask=(f"broker-{broker}", "state"))
    for at, one in enumerate(files):
        _file(scene, one, TOP + at * ROW, marked if one.name == first else range(0))
    scene.caption(_say(look, broker, written))
    return scene


def _file(scene: Scene, one: Any, y: float, marked: range) -> None:
    """One file: its pages in the page cache, the shore, and what the disk has of them."""
    key, shown = one.name, one.pages[-PAGES:]
    directory, _, name = one.name.rpartition("/")
    scene.text(f"{key}/name", 34, y + 13, name or one.name, "s12 w6")
    scene.text(f"{key}/directory", 34, y + 30, directory or "log directory", "s12 faint")
    scene.text(f"{key}/size", 34, y + 47, f"{one.written_bytes} bytes written", "s12 soft")
    scene.pages(f"{key}/cache", LEFT, y, [{"flushed": "clean", "evicted": "absent"}.get(page, page)
                                          for page in shown], cell=CELL)
    scene.line(f"{key}/shore", LEFT - 8, y + 24, LEFT + PAGES * CELL, y + 24, "rule dash", z=0)
    scene.pages(f"{key}/disk", LEFT, y + 32, ["absent" if page == "dirty" else "clean"
                                              for page in shown], cell=CELL)
    scene.text(f"{key}/word", WIDTH - 12, y + 13, "page cache", "s12 faint right")
    scene.text(f"{key}/disk/word", WIDTH - 12, y + 45, "disk", "s12 faint right")
    hidden = len(one.pages) - len(shown)
    for page in range(max(hidden, marked.start), marked.stop):
        scene.rect(f"{key}/marked/{page}", LEFT + (page - hidden) * CELL - 4, y - 4, CELL + 4, 56,
                   "highlight", r=6, z=0, inspect=_page(one, page))
    if len(one.pages) > PAGES:
        scene.text(f"{key}/more", LEFT - 12, y + 47, f"{len(one.pages) - PAGES} more",
                   "s12 faint right")


def _page(one: Any, page: int) -> dict:
    """What a click on a page that is pointed at tells."""
    last = min((page + 1) * PAGE_BYTES, one.written_bytes) - 1
    return {"title": f"Page {page}", "where": one.name, "fields": [
        ["bytes", f"{page * PAGE_BYTES} to {last}"],
        ["page cache", "has left it" if one.pages[page] == "evicted" else "has it"],
        ["disk", "has not all of it" if one.pages[page] == "dirty" else "has it"]]}


def _say(look: Look, broker: int, files: list) -> str:
    for change in look.changes:
        if change.subject == f"broker-{broker}" and change.attribute == "state":
            if change.new == "without power":
                return (f"Broker {broker} has lost power: what had not reached its disk is gone, "
                        f"but for pages that happened to be written back.")
            if change.new == "running" and change.old != "paused":
                held = "its disk" if change.old == "without power" else "its page cache and disk"
                return f"Broker {broker} begins again with what {held} held."
            if change.new == "crashed":
                return f"The process of broker {broker} has died. Its page cache is still there."
    dirty = sum(page == "dirty" for one in files for page in one.pages)
    lost = sum(one.unflushed_bytes for one in files)
    if not files:
        return f"Broker {broker} has written nothing of a topic yet."
    if not dirty:
        return f"Everything that broker {broker} has written of its topics is on its disk."
    return (f"{lost} bytes in {dirty} dirty page{'s' * (dirty > 1)} of broker {broker} are not on "
            f"its disk: a power loss may take them, a crash of the process does not.")
