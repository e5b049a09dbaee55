"""What is inside a produce request: one identity in every picture, and films that do not lie."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kafka_internals import canonical
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.storage.dump_log_segments import dump
from kafka_internals.storage.lookup_snapshot import look_up
from kafka_internals.viz import encode, inside
from kafka_internals.viz.accumulator_view import accumulator_view
from kafka_internals.viz.byte_view import batch_scene
from kafka_internals.viz.camera import Camera, Truth
from kafka_internals.viz.film import View
from kafka_internals.viz.pipeline_view import pipeline_view
from kafka_internals.viz.replica_view import replica_view
from kafka_internals.viz.segment_view import segment_view
from tests.viz.pictures import unreadable

SCHEMA = json.loads((Path(__file__).parent / "film_schema.json").read_text())
LOG = "orders-0/00000000000000000000.log"
KEY = "request-producer-1.3 orders-0"
LABELS = ["its bytes", "its bytes", "where it lies", "its pages"]


def produce(acks="all", value="paid", topic=None, **configs):
    """One record, sent, appended and answered."""
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", configs=topic, replica_assignment={0: [1, 2, 3]})
    cluster.producer(acks=acks, linger_ms=2, **configs).send("orders", value, key="ada")
    cluster.run(ms=20)
    return cluster


def inside_of(cluster, subject="orders-0", view=pipeline_view, **options):
    """{batch: [(event, label, film)]} of a film that keeps to the schema."""
    film = view.data(cluster, subject, **options)
    assert list(Draft202012Validator(SCHEMA).iter_errors(film)) == []
    for pictures in film.get("inside", {}).values():
        assert [unreadable(picture) for *_, picture in pictures] == [[]] * len(pictures)
    return film.get("inside", {})


def texts(shapes, prefix):
    """The texts of the shapes whose keys begin so, in order."""
    return [shape["t"] for key, shape in shapes.items()
            if key.startswith(prefix) and shape["k"] == "text"]


def frames(film):
    """The scenes of a film."""
    return encode.materialise(film["frames"]["truth"])


def says(film):
    """The captions of a film."""
    return [frame["say"] for frame in film["frames"]["truth"]]


@pytest.fixture(scope="module")
def paid():
    return produce()


# -- what they show --------------------------------------------------------------------------------
def test_a_request_has_its_bytes_its_place_and_its_pages(paid):
    found = inside_of(paid)
    assert list(found) == [KEY] and [label for _, label, _ in found[KEY]] == LABELS
    events = [event for event, *_ in found[KEY]]
    assert events == sorted(events) and events[0] < events[1] == events[2] == events[3]


def test_the_bytes_are_those_that_the_producer_sent_and_those_of_the_leaders_log(paid):
    film, stored = inside_of(paid)[KEY][1][2], paid.log_directory(1).storage.read(LOG)
    sent, lies = frames(film)
    shown = [bytes.fromhex("".join(texts(scene, "byte/"))) for scene in (sent, lies)]
    assert shown[1] == stored
    assert shown[0] == stored[:12] + b"\xff" * 4 + stored[16:]      # the leader writes its epoch
    whole = batch_scene(dump(stored), ["partition_leader_epoch"]).shapes
    assert texts(lies, "list/") == texts(whole, "list/")
    lit = {key for key, shape in lies.items() if "lit" in shape["c"].split()}
    assert lit == {"field/12/0"}
    assert says(film)[1] == (f"The batch at byte 0 of {LOG}: the leader has written "
                             f"partition_leader_epoch; the rest is as producer-1 sent it, the "
                             f"checksum too.")


def test_the_lookup_is_the_one_that_the_segment_view_shows_of_the_same_log():
    cluster = produce()
    cluster[cluster._handle("producer-1")].send("orders", "more", key="ada")
    cluster.run(ms=20)
    film = inside_of(cluster)["request-producer-1.4 orders-0"][2][2]
    same = segment_view(look_up(cluster.log_directory(1).log("orders-0"), 1)).source
    assert frames(film) == frames(same) and says(film) == says(same)
    assert film["title"].startswith("Offset 1 of orders-0 on broker 1, as appended at ")


def test_the_page_of_the_batch_is_pointed_at_and_dirty(paid):
    film = inside_of(paid)[KEY][3][2]
    (scene,) = frames(film)
    assert f"{LOG}/marked/0" in scene and "dirty" in scene[f"{LOG}/cache/0"]["c"]
    assert says(film) == ["Just appended, the batch lies in page 0, which is dirty: a power loss "
                          "may take the batch, a crash of the process does not."]
    assert not any("a" in shape for shape in scene.values())


def test_what_is_lost_later_is_shown_as_it_was_appended_and_says_when():
    cluster = produce(acks="1")
    (key, before), = inside_of(cluster).items()
    cluster.power_loss(1)
    cluster.restart(1)
    assert cluster.log("orders-0", 1) == []
    after = inside_of(cluster)[key]
    assert after == before
    assert all(" at " in film["title"] and film["title"].endswith(" ms") for *_, film in after)


def test_a_leader_that_packs_a_batch_anew_is_not_said_to_have_written_fields():
    film = inside_of(produce(topic={"compression.type": "gzip"}, value="x" * 400))[KEY][1][2]
    assert ": the leader has built it anew, " in says(film)[1]


def test_a_batch_too_large_to_lay_out_has_no_bytes_to_open():
    found = inside_of(produce(value="x" * (inside.MOST_BYTES + 1)))
    assert [label for _, label, _ in found[KEY]] == ["where it lies", "its pages"]
    assert says(found[KEY][1][2])[0].startswith("Just appended, the batch lies in pages 0 to 16, ")


# -- which have them -------------------------------------------------------------------------------
def test_what_waits_in_its_socket_has_bytes_and_no_place():
    slow = canonical.slow_follower(fetch_ms=30)
    one = slow.producer(acks="all", linger_ms=0)
    for value in ("first", "second"):
        one.send("orders", value, partition=0)
        slow.run(ms=3)
    found = inside_of(slow)
    assert [[label for _, label, _ in pictures] for pictures in found.values()] == [
        LABELS, ["its bytes"]]
    (only,) = says(list(found.values())[1][0][2])
    assert only.endswith("base offset 0 and leader epoch -1. Both are the leader's to write.")


def test_acks_0_has_them_too():
    found = inside_of(produce(acks="0", enable_idempotence=False))
    assert [label for pictures in found.values() for _, label, _ in pictures][-3:] == LABELS[1:]


def test_each_partition_of_a_request_has_its_own():
    cluster = Cluster(brokers=1, seed=3)
    cluster.create_topic("orders", 3, 1)
    producer = cluster.producer(linger_ms=5)
    for number in range(3):
        producer.send("orders", f"order {number}", partition=number)
    cluster.run(ms=20)
    found = inside_of(cluster, producer, accumulator_view)
    (request,) = {key.split()[0] for key in found}
    assert list(found) == [f"{request} orders-{number}" for number in range(3)]


def test_of_many_requests_the_first_have_them_and_the_film_stays_small():
    cluster = canonical.healthy()
    for number in range(20):
        cluster.producer(acks="all", linger_ms=0).send("orders", f"order {number}", partition=0)
    cluster.run(ms=8)
    film = pipeline_view.data(cluster, "orders-0")
    assert len(film["inside"]) == inside.MOST_REQUESTS
    assert len(encode.pack(film)) < 300_000
    assert len(encode.pack(pipeline_view.data(produce(), "orders-0"))) < 60_000
    first = [change.reads[0][0] for change in map(cluster.trace.change, cluster.trace.of(
        "orders-0@1", "log_end_offset")) if change.old is not None][:inside.MOST_REQUESTS]
    assert [key.split()[0] for key in film["inside"]] == first


def test_a_film_that_begins_after_the_append_has_nothing_to_open(paid):
    assert inside_of(paid, since=paid.event - 1) == {}


def test_other_views_have_none(paid):
    assert inside_of(paid, view=replica_view) == {}


# -- one identity ----------------------------------------------------------------------------------
def test_the_accumulator_and_the_pipeline_name_one_batch_alike(paid):
    producers, brokers = (view.data(paid, subject) for view, subject in (
        (accumulator_view, "producer-1"), (pipeline_view, "orders-0")))
    assert producers["inside"] == brokers["inside"] and producers["run"] == brokers["run"]
    batch = [shapes["batch/orders-0/1"] for shapes in frames(producers)
             if "batch/orders-0/1" in shapes]
    assert [shape.get("s") for shape in (batch[0], batch[-1])] == [None, KEY]
    asked = {shape["a"][0] for film in (producers, brokers) for shapes in frames(film)
             for key, shape in shapes.items() if key.endswith("producer-1.3/pill")}
    in_log = {shape.get("s") for shapes in frames(brokers) for key, shape in shapes.items()
              if key == "log/batch/kind-1/0"}
    assert (asked, in_log) == ({KEY.split()[0]}, {KEY})


def test_films_of_different_runs_are_told_apart(paid):
    runs = [pipeline_view.data(one, "orders-0")["run"] for one in (paid, produce(), produce("1"))]
    assert runs[0] == runs[1] != runs[2]


# -- what a comparison sees ------------------------------------------------------------------------
def test_the_digest_covers_what_is_inside_and_nothing_else_changes_it(paid):
    film = pipeline_view.data(paid, "orders-0")
    bare = View(pipeline_view.draw, lambda subject: film["title"]).data(paid, "orders-0")
    without = {name: part for name, part in film.items() if name != "inside"}
    assert without == bare and encode.digest(without) == encode.digest(bare)
    other = json.loads(json.dumps(film))
    other["inside"][KEY][3][2]["frames"]["truth"][0]["say"] = "Nothing lies anywhere."
    assert len({encode.digest(one) for one in (film, bare, other)}) == 3
    assert encode.digest(pipeline_view.data(paid, "orders-0")) == encode.digest(film)


def test_looking_inside_leaves_the_run_as_it_is(paid):
    camera = Camera(pipeline_view.draw, "orders-0", [Truth()], paid.words, first=0,
                    last=paid.event, insides=inside.Insides())
    twin = paid.again(prepare=camera.attach)
    assert twin.trace.digest() == paid.trace.digest()
    assert twin.log_directory(1).storage.read(LOG) == paid.log_directory(1).storage.read(LOG)
