"""Charts and graphs: the same bytes every time, and text that stays text."""

import xml.etree.ElementTree as ElementTree

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course.legend import legend
from kafka_internals.course.modules import MODULES
from kafka_internals.viz.topology import module_map, why_graph

HOSTILE = "$\\frac{1}{0}$ <script>x</script> \x00 \u202ereversed"


def _texts(svg: str) -> str:
    return "".join(ElementTree.fromstring(svg).itertext())


def _produce(value: str) -> Cluster:
    cluster = Cluster(seed=1)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    cluster.producer(linger_ms=0).send("orders", value).get()
    return cluster


def test_the_module_map_is_the_same_every_time_and_names_every_module():
    chart = module_map(MODULES)
    assert chart.svg == module_map(MODULES).svg
    assert all(module.number in _texts(chart.svg) for module in MODULES)
    assert "00 Start here" in repr(chart)


def test_every_module_builds_on_modules_that_exist():
    numbers = [module.number for module in MODULES]
    assert all(numbers.index(first) < numbers.index(module.number)
               for module in MODULES for first in module.builds_on)


def test_the_causal_graph_tells_what_led_to_a_value():
    chart = why_graph(_produce("paid"), "orders-0@1", "high_watermark")
    told = _texts(chart.svg)
    assert "high watermark 0 to 1" in told and "fetch orders-0 at 1" in told
    assert chart.svg == why_graph(_produce("paid"), "orders-0@1", "high_watermark").svg


def test_a_causal_graph_of_a_value_that_never_changed_is_empty_and_says_so():
    cluster = _produce("paid")
    assert "0 changes" in repr(why_graph(cluster, "broker-1", "state"))


def test_a_label_is_text_also_where_it_looks_like_mathematics_or_markup():
    hostile = Cluster(seed=1)
    hostile.create_topic("a_b-c.d", replica_assignment={0: [1]})
    producer = hostile.producer("p_1.x-y", linger_ms=0)
    producer.send("a_b-c.d", HOSTILE).get()
    assert "p_1.x-y" in _texts(why_graph(hostile, "a_b-c.d-0@1", "high_watermark").svg)


def test_the_legend_has_a_word_beside_each_mark():
    told = _texts(legend().svg)
    assert all(word in told for word in ("record", "high watermark", "in-sync replicas", "request"))
