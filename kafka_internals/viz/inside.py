"""What is inside a produce request: films of its batches, to open by a click on the request.

A batch has its bytes from the moment in which it is sent. From its append on they are shown as they
lie in the leader's log, and so are the lookup of its offset and the pages of its file. Each film is
made within the run that is filmed, at the event that it shows, and its title says when that was.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.storage.dump_log_segments import DumpSnapshot
from kafka_internals.viz.byte_view import batch_scene
from kafka_internals.viz.camera import Look
from kafka_internals.viz.film import still, stills
from kafka_internals.viz.page_cache_view import PAGE_BYTES, pages_scene
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.segment_view import segment_film

MOST_REQUESTS = 16                          # in one film: the first that are appended
MOST_BYTES = 65_536                         # of a batch that is laid out byte by byte
BYTES, PLACE, PAGES = "its bytes", "where it lies", "its pages"
Picture = list[Any]                         # [event from which on there is one, label, film]


class Insides:
    """Looks on while a camera films, and collects {"request orders-0": pictures}."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[int, str, dict[str, bytes]]] = {}
        self._batches: dict[str, Batch] = {}
        self._requests: list[str] = []

    def look(self, look: Look, appends: dict[tuple[str, int], str], scenes: list) -> None:
        """Take what this event has sent, and of its `appends` what the scenes show."""
        if len(self._requests) < MOST_REQUESTS:
            for one in look.changes:
                if one.attribute == "asked" and str(one.new).startswith("produce "):
                    self._note(look, one.subject)
        for (replica, offset), request in appends.items():
            if self._has_room(request) and request in _requests_of(scenes):
                if request not in self._sent:                  # it was before the film began
                    self._note(look, request)
                self._batch(request, replica.rpartition("@")[0]).appended(look, replica, offset)

    def _note(self, look: Look, request: str) -> None:
        self._sent[request] = look.event, _time(look), look.sent(request)
        self._dump = look.dump

    def _has_room(self, request: str) -> bool:
        return request in self._requests or len(self._requests) < MOST_REQUESTS

    def _batch(self, request: str, name: str) -> "Batch":
        key, (event, when, sent) = f"{request} {name}", self._sent[request]
        if request not in self._requests:
            self._requests.append(request)
        if key not in self._batches:
            self._batches[key] = Batch(request, name, event, when, self._dump,
                                       sent.get(name))
        return self._batches[key]

    def film(self, scenes: list) -> dict[str, list[Picture]]:
        """What the film gets: also what was sent and shown, and never appended."""
        shown = _requests_of(scenes)
        for request, (_, _, sent) in self._sent.items():
            if request in shown and self._has_room(request):
                for name in sent:
                    self._batch(request, name)
        return {key: one.pictures for key, one in self._batches.items() if one.pictures}


class Batch:
    """One batch of a request, and the pictures of it so far."""

    def __init__(self, request: str, partition: str, event: int, when: str, dump: Callable,
                 sent: bytes | None) -> None:
        self.partition = partition
        self.client, _, self.number = request.partition("-")[2].rpartition(".")
        self.pictures: list[Picture] = []
        self._frames: list[tuple[Scene, tuple[str, str]]] = []
        self._sent: DumpSnapshot | None = None
        if sent is not None and len(sent) <= MOST_BYTES:
            self._sent = dump(sent, "the batch")
            self._frame(event, f"as sent at {when}", self._sent, (), f"as {self.client} sent it",
                        f"The batch as {self.client} sends it: {len(sent)} bytes, with base "
                        f"offset 0 and leader epoch -1. Both are the leader's to write.")

    def _frame(self, event: int, when: str, shown: DumpSnapshot, new: tuple, text: str,
               say: str) -> None:
        """One more frame of its bytes; the film as it is from now on."""
        scene = batch_scene(shown, new)
        scene.caption(say)
        self._frames.append((scene, ("append" if self._frames else "byte", text)))
        scenes, steps = zip(*self._frames)
        scene.size = scene.size[0], max(one.size[1] for one in scenes)
        self.pictures.append([event, BYTES, stills(
            list(scenes), f"Batch for {self.partition}, request #{self.number} of {self.client}, "
            f"{when}", steps)])

    def appended(self, look: Look, replica: str, offset: int) -> None:
        """The leader has appended it in this event."""
        (lookup, file, stored), when = look.found(replica, offset), _time(look)
        at = f"as appended at {when}"
        name, _, broker = replica.rpartition("@")
        if stored and len(stored.content) <= MOST_BYTES:
            written = _written(self._sent, stored)
            self._frame(look.event, at, stored, written, "as it lies in the log",
                        self._say(stored, written))
        self.pictures.append([look.event, PLACE, segment_film(
            lookup, f"Offset {offset} of {name} on broker {broker}, {at}")])
        if lookup.found and (pages := _pages(look, int(broker), file, lookup.found, when)):
            self.pictures.append([look.event, PAGES, pages])

    def _say(self, stored: DumpSnapshot, written: tuple[str, ...]) -> str:
        where, size = stored.name[0].upper() + stored.name[1:], len(stored.content)
        if self._sent is None:
            return f"{where}: {size} bytes."
        if not written:
            return (f"{where}: the leader has built it anew, {size} bytes in place of "
                    f"{len(self._sent.content)}.")
        names = " and ".join(filter(None, (", ".join(written[:-1]), written[-1])))
        same = "" if "crc" in written else ", the checksum too"
        return (f"{where}: the leader has written {names}; the rest is as {self.client} sent "
                f"it{same}.")


def _requests_of(scenes: list) -> set[str]:
    """The requests that scenes show, by their identities."""
    return {(shape.get("s") or shape["a"][0]).partition(" ")[0] for scene in scenes
            for shape in scene.shapes.values() if "s" in shape or "a" in shape}


def _time(look: Look) -> str:
    return f"{look.now_us / 1000:.1f} ms".replace(".0 ", " ")


def _written(sent: DumpSnapshot | None, stored: DumpSnapshot) -> tuple[str, ...]:
    """Names of the header's fields that differ from what was sent; none where all of it does."""
    if sent is None or len(sent.content) != len(stored.content):
        return ()
    return tuple(one.name for one in stored.fields if one.group == stored.fields[0].group and
                 sent.content[one.start:one.end] != stored.content[one.start:one.end])


def _pages(look: Look, broker: int, file: str, batch: Any, when: str) -> dict | None:
    """The file with the batch, and what else this broker has written."""
    files = look.disk(broker).files
    shown = next((one for one in files if one.name == file), None)
    if shown is None:
        return None
    pages = range(batch.position // PAGE_BYTES,
                  (batch.position + batch.size - 1) // PAGE_BYTES + 1)
    scene = pages_scene(look, broker, files, file, pages)
    states = {shown.pages[page] for page in pages}
    where = f"page {pages[0]}, which is" if len(pages) == 1 else \
        f"pages {pages[0]} to {pages[-1]}, which are"
    told = "dirty: a power loss may take the batch, a crash of the process does not" \
        if "dirty" in states else "on the disk"
    scene.caption(f"Just appended, the batch lies in {where} {told}.")
    for shape in scene.shapes.values():     # a still has no history to ask
        shape.pop("a", None)
    return still(scene, f"The page cache of broker {broker}, at {when}")
