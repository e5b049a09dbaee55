"""The strips of a topic: where each key's records lie, how far readers are, what retention took."""

import pytest

from kafka_internals import canonical
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.viz import encode
from kafka_internals.viz.camera import FUTURE
from kafka_internals.viz.futures import data as futures
from kafka_internals.viz.strips_view import strips_view
from tests.viz.pictures import unreadable

KEYS = ("ada", "bob", "noa", "ada", "kim", "bob", "ada")


def _film(cluster, topic="orders", **options):
    """[(sentence, shapes)] of a film that can be read and says one sentence a frame."""
    film = strips_view.data(cluster, topic, **options)
    assert unreadable(film) == []
    says = [frame["say"] for frame in film["frames"]["truth"]]
    assert all(say[0].isupper() and say.endswith(".") for say in says)
    return list(zip(says, encode.materialise(film["frames"]["truth"])))


def _cells(shapes, partition):
    """{offset: look words} of the records that a strip shows."""
    return {int(key.rpartition("/")[2]): shape["c"].split() for key, shape in shapes.items()
            if key.startswith(f"{partition}/batch/") and key.count("/") == 3}


def _text(shapes, key):
    return shapes[key]["t"] if key in shapes else None


@pytest.fixture(scope="module")
def shop():
    cluster = canonical.healthy()
    producer = cluster.producer(linger_ms=0, metadata_max_age_ms=200)
    for number, key in enumerate(KEYS):
        producer.send("orders", f"order {number}", key=key).get()
    cluster.create_partitions("orders", 4)
    producer.send("orders", "before", key="lea").get()
    cluster.run(ms=200)
    producer.send("orders", "after", key="lea").get()
    producer.send("orders", "loose").get()
    return cluster


@pytest.fixture(scope="module")
def frames(shop):
    return _film(shop)


def test_every_record_is_a_cell_with_its_offset_and_its_key(shop, frames):
    shapes = frames[-1][1]
    for number in range(4):
        name = f"orders-{number}"
        records = shop.log(name, 1)
        assert list(_cells(shapes, name)) == [one.offset for one in records]
        assert [_text(shapes, f"{name}/key/{one.offset}") for one in records] == \
            [one.key for one in records]


def test_a_key_has_one_tone_in_every_partition_and_frame(frames):
    tones = {}
    for _, shapes in frames:
        for key, shape in shapes.items():
            if key.startswith("orders-") and "/key/" in key:
                tones.setdefault(shape["t"], set()).add(shape["c"].split()[-1])
    assert {key: len(found) for key, found in tones.items()} == dict.fromkeys(
        ("ada", "bob", "noa", "kim", "lea"), 1)
    assert len(set.union(*tones.values())) == 5


def test_the_legend_names_the_keys_and_what_has_none(shop):
    words = [word for _, word in strips_view.data(shop, "orders")["legend"]]
    assert words == ["ada", "bob", "noa", "kim", "lea", "not committed", "no key"]


def test_a_send_shows_key_then_partition_then_offset(frames):
    seen = [tuple(_text(shapes, f"send/{at}") for at in (0, 2, 3))
            for _, shapes in frames]
    steps = [("kim", "orders-2", "not yet"), ("kim", "orders-2", "2")]
    assert [one for one in dict.fromkeys(seen) if one[0] == "kim"] == steps
    says = [say for say, _ in frames]
    story = ["The record of producer-1 with the key kim goes to orders-2.",
             "Orders-2 grows at its end: its last offset is 2 now.",
             "Every in-sync replica has orders-2 below offset 3: consumers may read it.",
             "Producer-1 is told the place of its record: orders-2, offset 2."]
    places = [says.index(one) for one in story]
    assert places == sorted(places)


def test_a_record_is_hollow_until_it_is_committed(frames):
    states = [_cells(shapes, "orders-0")[0] for _, shapes in frames
              if 0 in _cells(shapes, "orders-0")]
    hollow = ["uncommitted" in words for words in states]
    assert hollow[0] and not hollow[-1] and hollow == sorted(hollow, reverse=True)


def test_an_added_partition_appears_and_the_old_cells_stay(frames):
    at = next(n for n, (say, _) in enumerate(frames) if "has 4 partitions now" in say)
    before, after = frames[at - 1][1], frames[at][1]
    assert "orders-3/name" not in before and "orders-3/name" in after
    for number in range(3):
        assert _cells(before, f"orders-{number}") == _cells(after, f"orders-{number}")
        assert before[f"orders-{number}/name"] == after[f"orders-{number}/name"]


def test_one_key_is_in_two_partitions_once_its_producer_knows(frames):
    last = frames[-1][1]
    assert {key.partition("/")[0] for key, shape in last.items()
            if "/key/" in key and shape["t"] == "lea"} == {"orders-0", "orders-3"}
    assert any(say == "Producer-1 learns that orders has 4 partitions, not 3." for say, _ in frames)
    knows = [_text(shapes, "send/1") for _, shapes in frames]
    assert list(dict.fromkeys(filter(None, knows))) == ["not yet", "3", "4"]


def test_cells_can_be_asked_and_opened(shop, frames):
    film = strips_view.data(shop, "orders")
    asked = {(row[1], row[2]) for row in film["changes"]}
    shapes = frames[-1][1]
    cell = next(shape for key, shape in shapes.items()
                if key.startswith("orders-2/batch/") and key.endswith("/2"))
    assert cell["a"] == ["producer-1#5", "partition"] and tuple(cell["a"]) in asked
    fields = dict(one[:2] for one in film["details"][cell["i"]]["fields"])
    assert (fields["key"], fields["value"]) == ("kim", "order 4")
    assert ("producer-1", "partition_counts.orders") in asked
    assert ("broker-1", "partition_counts.orders") in asked


def readers():
    cluster = Cluster(3, seed=7)
    cluster.create_topic("orders", configs={"internal.segment.bytes": 300, "retention.bytes": 300},
                         replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(linger_ms=0)
    slow, fast = (cluster.consumer(name, auto_offset_reset="earliest", max_poll_records=most)
                  for name, most in (("slow", 1), ("fast", 9)))
    for one in (slow, fast):
        one.assign("orders-0")
    for number in range(13):
        producer.send("orders", f"order {number}", key="ada").get()
        fast.poll(100)
    slow.poll(100)
    fast.seek("orders-0", 4)
    cluster.run(ms=31_000)
    fast.poll(100)
    return cluster


@pytest.fixture(scope="module")
def read():
    return _film(readers())


def _position(shapes, name):
    said = _text(shapes, f"orders-0/{name}/position")
    return None if said is None else int(said.split()[-1])


def test_each_reader_has_its_own_position_and_reading_removes_nothing(read):
    for (_, before), (say, after) in zip(read, read[1:]):
        if "Nothing is removed." in say:
            assert set(_cells(before, "orders-0")) <= set(_cells(after, "orders-0"))
    at = next(n for n, (say, _) in enumerate(read) if say.startswith("Slow has read"))
    assert (_position(read[at][1], "slow"), _position(read[at][1], "fast")) == (1, 13)


def test_who_sends_is_told_until_a_reader_goes_on_and_again_with_the_next_record():
    cluster = canonical.healthy()
    producer, reader = cluster.producer(linger_ms=0), cluster.consumer(auto_offset_reset="earliest")
    reader.assign("orders-0", "orders-1", "orders-2")
    for key in ("ada", "bob"):
        producer.send("orders", "paid", key=key).get()
        for _ in range(3):
            reader.poll(50)
    shown = [_text(shapes, "send/0") for _, shapes in _film(cluster)]
    assert [one for at, one in enumerate(shown) if one != shown[at - 1]] == \
        ["ada", None, "bob", None]
    assert shown[-1] is None


def test_the_start_stands_beside_the_strip_and_not_under_a_record_that_is_gone(read):
    for _, shapes in read:
        label = shapes["orders-0/start/text"]
        assert "right" in label["c"] and label["x"] <= shapes["orders-0/base"]["x"] + 1


def test_a_position_stands_before_the_record_that_is_read_next(read):
    for _, shapes in read:
        for name in ("slow", "fast"):
            at, cells = _position(shapes, name), _cells(shapes, "orders-0")
            if at in cells:
                cell = next(shape for key, shape in shapes.items()
                            if key.startswith("orders-0/batch/") and key.endswith(f"/{at}"))
                assert abs(shapes[f"orders-0/{name}/cursor"]["x"] - cell["x"]) < 2


def test_a_seek_moves_one_cursor_back_and_nothing_else(read):
    at = next(n for n, (say, _) in enumerate(read) if "fast in orders-0 becomes 4" in say)
    (_, before), (say, after) = read[at - 1], read[at]
    assert say.endswith("The log is as it was.")
    assert _position(after, "slow") == _position(before, "slow")
    assert _cells(before, "orders-0") == _cells(after, "orders-0")


def test_retention_takes_cells_at_the_head_whoever_is_where(read):
    at = next(n for n, (say, _) in enumerate(read) if "it begins at" in say)
    (_, before), (say, after) = read[at - 1], read[at]
    start = int(_text(after, "orders-0/start/text").split()[-1])
    assert say.startswith(f"Old segments of orders-0 go: it begins at {start}, ")
    assert start > 4 and list(_cells(before, "orders-0")) == sorted(_cells(after, "orders-0"))
    assert {offset for offset, words in _cells(after, "orders-0").items() if "ghost" in words} == \
        set(range(3, start))
    assert [_position(after, name) for name in ("slow", "fast")] == [1, 4]


def test_a_position_left_of_the_picture_stands_at_its_edge(read):
    shapes = next(shapes for say, shapes in read if say.startswith("Slow has read"))
    assert _text(shapes, "orders-0/start/text") == "0 to 2"
    assert shapes["orders-0/slow/cursor"]["d"] != shapes["orders-0/fast/cursor"]["d"]


def test_a_long_strip_shows_its_tail(read):
    widest = max((shapes for _, shapes in read), key=lambda one: max(_cells(one, "orders-0"),
                                                                     default=0))
    assert sorted(_cells(widest, "orders-0")) == list(range(3, 13))


def test_two_futures_fit_side_by_side(shop):
    before = next(entry.event for entry in shop.journal.entries
                  if entry.command == "create_partitions") - 1
    _, changed = shop.fork(at=before)
    changed.producer("other", linger_ms=0).send("orders", "x", key="lea").get()
    film = futures(strips_view, shop, changed, "orders", titles=("grown", "not"), compare={},
                   title=None, since=None)
    last = encode.materialise(film["frames"]["truth"])[-1]
    assert {key.partition("/key/")[0] for key, shape in last.items()
            if "/key/" in key and shape["t"] == "lea"} == {"a/orders-0", "a/orders-3", "b/orders-0"}
    for letter in "ab":
        shapes = {key: one for key, one in last.items() if key.startswith(f"{letter}/")}
        frame = {"t_us": 0, "event": 0, "say": "", "shapes": shapes, "waits": {}}
        assert unreadable({"size": [FUTURE, film["size"][1]],
                           "frames": {"truth": encode.delta([frame])}}) == []


def test_a_film_from_the_middle_has_the_same_tones(shop, frames):
    late = _film(shop, since=shop.event - 5)
    assert late[-1][1] == frames[-1][1]


@pytest.mark.parametrize("count", [1, 6, 9])
def test_few_and_many_partitions(count):
    cluster = Cluster(3, seed=7)
    cluster.create_topic("a-topic-with-a-long-name", count, 3)
    producer = cluster.producer(linger_ms=0)
    for number in range(count):
        producer.send("a-topic-with-a-long-name", "x" * 60, key=f"a long key {number}" * 3)
    cluster.run(ms=30)
    shapes = _film(cluster, "a-topic-with-a-long-name")[-1][1]
    assert sum(key.endswith("/leader") for key in shapes) == min(count, 6)
    assert _text(shapes, "more") == ("and 3 more" if count == 9 else None)


def test_what_is_not_there_is_said():
    assert _film(canonical.healthy(), "payments")[-1][0] == "No broker that runs has a topic " \
                                                            "payments."


def test_a_leader_that_is_down_leaves_its_followers_records(shop):
    _, changed = shop.fork(at=shop.event)
    for broker in (1, 2, 3):
        changed.kill(broker)
        shapes = _film(changed)[-1][1]
        if broker < 3:
            assert _cells(shapes, "orders-0")
    assert "orders-0/name" not in shapes
