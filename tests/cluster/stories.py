"""Short runs without jitter and without service times, about which every "why?" is tested.

Without jitter, because a lost message would move every later draw of its link. Without service
times, because a broker that has less to do is earlier with the rest. Commands are some time apart:
of two sends at the same instant one would take the place of the other.
"""

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.sim.disk import DiskCost

INSTANT = CostModel(0, 0, 0, 0, 0, DiskCost(0, 0, 0))
PACE = {"request.timeout.ms": 60, "delivery.timeout.ms": 200, "retry.backoff.ms": 10}


SHORT = {"broker.session.timeout.ms": 400, "broker.heartbeat.interval.ms": 100}


def in_turn(partitions=1, replication_factor=3, brokers=3):
    """Partition p is led by the p-th broker, and followed by the next ones."""
    return {partition: [(partition + place) % brokers + 1 for place in range(replication_factor)]
            for partition in range(partitions)}


def cluster(partitions=1, replication_factor=3, brokers=3, **configs):
    """Three brokers, `orders` led by the first, min.insync.replicas 2."""
    made = Cluster(brokers, seed=3, jitter_ms=0, cost=INSTANT, configs=configs)
    made.create_topic("orders", configs={"min.insync.replicas": 2},
                      replica_assignment=in_turn(partitions, replication_factor, brokers))
    return made


def reader(made, *partitions, **configs):
    consumer = made.consumer(auto_offset_reset="earliest", **configs)
    consumer.assign(*(partitions or ("orders-0",)))
    return consumer


def produce_and_poll():
    made = cluster()
    producer, consumer = made.producer(acks="all", linger_ms=2), reader(made)
    for value in ("paid", "sent"):
        producer.send("orders", value, key="ada").get()
        consumer.poll(200)
    made.run(ms=40)
    return made


def acks_1_in_a_pipeline():
    made = cluster()
    producer = made.producer(acks="1", linger_ms=0, max_in_flight_requests_per_connection=3)
    producer.send("orders", "first").get()
    for number in range(9):
        producer.send("orders", str(number))
        made.run(ms=0.17)
    made.run(ms=30)
    return made


def a_narrow_pipeline(in_flight=2):
    """Each batch has another size, so that none could stand in for another."""
    made = cluster()
    producer = made.producer(acks="all", linger_ms=1,
                             max_in_flight_requests_per_connection=in_flight)
    producer.send("orders", "first").get()
    for size in (2, 3, 4, 5, 6):
        for number in range(size):
            producer.send("orders", f"{number} of {size}")
            made.run(ms=0.01)
        made.run(ms=1.2)
    made.run(ms=60)
    return made


def one_at_a_time():
    return a_narrow_pipeline(in_flight=1)


def two_producers():
    made = cluster()
    ada, bob = made.producer(acks="all", linger_ms=0), made.producer(acks="1", linger_ms=0)
    ada.send("orders", "1").get()
    bob.send("orders", "2")
    made.run(ms=5)
    ada.send("orders", "3")
    made.run(ms=0.3)
    bob.send("orders", "4")
    made.run(ms=30)
    return made


def acks_1_and_acks_0():
    made = cluster()
    one, none = made.producer(acks="1", linger_ms=0), made.producer(acks="0", linger_ms=0)
    for producer in (one, none, one, none):
        producer.send("orders", "x").get()
        made.run(ms=4)
    return made


def a_killed_follower():
    """It leaves the ISR when its session is over, and may register then."""
    made = cluster(**SHORT)
    producer = made.producer(acks="all", linger_ms=0)
    producer.send("orders", "a").get()
    made.kill(3)
    receipt = producer.send("orders", "b")
    made.run(ms=50)
    made.restart(3)
    receipt.get()
    made.run(ms=500)
    return made


def a_slow_follower():
    made = cluster()
    made.slow(3, fetch_ms=40)
    producer = made.producer(acks="all", linger_ms=0)
    for value in ("a", "b"):
        producer.send("orders", value)
        made.run(ms=150)
    return made


def a_paused_follower():
    made = cluster()
    producer = made.producer(acks="all", linger_ms=0)
    producer.send("orders", "a").get()
    made.pause(3)
    producer.send("orders", "b")
    made.run(ms=50)
    made.resume(3)
    made.run(ms=50)
    return made


def a_lost_answer():
    made = cluster()
    producer = made.producer(acks="all", linger_ms=0, configs=PACE)
    producer.send("orders", "first").get()
    made.drop("response-producer-1.4")
    producer.send("orders", "stored once").get()
    made.run(ms=30)
    return made


def a_lost_fetch_answer():
    made = cluster(**{"replica.socket.timeout.ms": 100, "replica.fetch.backoff.ms": 20,
                      "replica.fetch.wait.max.ms": 30})
    made.drop("response-broker-3-fetcher-0.2")
    made.producer(acks="all", linger_ms=0).send("orders", "a").get()
    made.run(ms=200)
    return made


def a_cut_and_healed_link():
    made = cluster()
    producer = made.producer(acks="all", linger_ms=0, configs=PACE)
    producer.send("orders", "a").get()
    made.cut("producer-1", 1)
    producer.send("orders", "b")
    made.run(ms=100)
    made.heal()
    made.run(ms=250)
    return made


def one_is_missing():
    """`orders` wants three in sync, and broker 3 was silent for too long when it was created."""
    made = Cluster(seed=3, jitter_ms=0, cost=INSTANT, configs=SHORT)
    made.kill(3)
    made.run(ms=400)                                    # just now the controller has fenced it
    made.create_topic("orders", configs={"min.insync.replicas": 3},
                      replica_assignment=in_turn())
    return made


def too_few_in_sync():
    made = one_is_missing()
    made.producer(acks="all", linger_ms=0, retries=2, retry_backoff_ms=20).send("orders", "a")
    made.run(ms=200)
    return made


def a_topic_that_comes_late():
    made = cluster()
    made.producer(acks="all", linger_ms=0).send("payments", "x")
    made.run(ms=20)
    made.create_topic("payments", replica_assignment=in_turn())
    made.run(ms=300)
    return made


def seeks():
    made = cluster()
    producer, consumer = made.producer(acks="all", linger_ms=0), reader(made, max_poll_records=2)
    for number in range(5):
        producer.send("orders", str(number)).get()
    consumer.poll(100)
    made.run(ms=3)
    consumer.seek("orders-0", 1)
    consumer.poll(100)
    consumer.seek_to_end("orders-0")
    consumer.poll(50)
    consumer.seek("orders-0", 99)
    consumer.poll(100)
    consumer.poll(100)
    return made


def a_pause_and_a_resume():
    made = cluster()
    producer, consumer = made.producer(acks="all", linger_ms=0), reader(made)
    for value in ("a", "b"):
        producer.send("orders", value).get()
    consumer.poll(100)
    made.run(ms=3)
    consumer.pause("orders-0")
    consumer.poll(20)
    made.run(ms=3)
    consumer.resume("orders-0")
    consumer.poll(100)
    made.run(ms=3)
    return made


def a_fetch_that_waits_for_bytes():
    made = cluster()
    producer = made.producer(acks="all", linger_ms=0)
    consumer = reader(made, fetch_min_bytes=200, fetch_max_wait_ms=80)
    producer.send("orders", "short").get()
    made.run(ms=20)
    producer.send("orders", "l" + "o" * 150 + "ng").get()
    consumer.poll(200)
    made.run(ms=100)
    return made


def lost_power():
    made = cluster(**SHORT)
    producer = made.producer(acks="all", linger_ms=0)
    for value in ("a", "b"):
        producer.send("orders", value).get()
    made.power_loss(2)
    made.run(ms=20)
    made.restart(2)
    made.run(ms=700)
    producer.send("orders", "c")
    made.run(ms=300)
    return made


def a_full_pool():
    made = cluster()
    producer = made.producer(acks="all", linger_ms=20, batch_size=100, buffer_memory=200)
    producer.send("orders", "first").get()
    for size in (5, 6, 60):                             # the third waits for the others' memory
        producer.send("orders", "x" * size)
        made.run(ms=0.3)
    made.run(ms=60)
    return made


def a_pipeline_that_is_tried_again():
    made = cluster()
    producer = made.producer(acks="all", linger_ms=0, configs=PACE)
    producer.send("orders", "first").get()
    made.drop("request-producer-1.4")
    for number in range(2):
        producer.send("orders", "x" * number)
        made.run(ms=1)
    made.run(ms=300)
    return made


def two_partitions():
    made = cluster(partitions=2)
    producer = made.producer(acks="all", linger_ms=1)
    consumer = reader(made, "orders-0", "orders-1")
    for number in range(2):
        producer.send("orders", "x", partition=number)
        consumer.poll(100)
        made.run(ms=5)
    producer.send("orders", "y", partition=1)
    consumer.poll(100)
    made.run(ms=30)
    return made


def four_partitions_on_two_brokers():
    made = cluster(partitions=4, replication_factor=2, brokers=2)
    producer = made.producer(acks="all", linger_ms=1)
    consumer = reader(made, *(f"orders-{n}" for n in range(4)))
    for number in range(4):
        producer.send("orders", str(number), partition=number)
        consumer.poll(100)
        made.run(ms=5)
    return made


def a_key_that_moves():
    """By murmur2 "ada" is in partition 0 of one and in partition 1 of two."""
    made = cluster()
    producer = made.producer(acks="all", linger_ms=1, metadata_max_age_ms=40)
    for _ in range(2):
        producer.send("orders", "a", key="ada")
        made.run(ms=10)
        if made.partitions_of("orders") == 1:
            made.create_partitions("orders", 2)
    made.run(ms=30)
    producer.send("orders", "b", key="ada")
    made.run(ms=20)
    return made


def a_killed_leader():
    made = cluster(partitions=2, **SHORT)
    producer = made.producer(acks="all", linger_ms=0)
    consumer = reader(made, "orders-0", "orders-1")
    for number in range(2):
        producer.send("orders", "a", partition=number)
        consumer.poll(50)
        made.run(ms=5)
    producer.send("orders", "b", partition=1)
    made.run(ms=0.6)
    made.kill(1)
    made.run(ms=500)
    made.restart(1)
    made.run(ms=300)
    return made


ONE_LEADER = (
    produce_and_poll, acks_1_in_a_pipeline, a_narrow_pipeline, one_at_a_time, two_producers,
    acks_1_and_acks_0, a_killed_follower, a_slow_follower, a_paused_follower, a_lost_answer,
    a_lost_fetch_answer, a_cut_and_healed_link, too_few_in_sync, a_topic_that_comes_late, seeks,
    a_pause_and_a_resume, a_fetch_that_waits_for_bytes, lost_power, a_full_pool,
    a_pipeline_that_is_tried_again)
HEALING = (a_killed_follower, a_lost_fetch_answer, a_cut_and_healed_link, lost_power,
           a_pipeline_that_is_tried_again)
SEVERAL_LEADERS = (two_partitions, four_partitions_on_two_brokers, a_killed_leader,
                   a_key_that_moves)
