"""A quorum of one voter, given what a real one was given: the same bytes in the same files."""

import pytest

from kafka_internals.common import START_MS, Reply
from kafka_internals.errors import KafkaStorageException, for_code
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.raft.epoch_state import FollowerState, LeaderState
from kafka_internals.raft.file_quorum_state_store import (
    decode_election_state,
    encode_election_state,
)
from kafka_internals.raft.raft_log import CLUSTER_METADATA, CLUSTER_METADATA_TOPIC_ID
from kafka_internals.storage.checkpoint_file import (
    read_checkpoint,
    write_meta_properties,
    write_partition_metadata,
)
from tests.golden.cases import json_lines
from tests.golden.metadata_logs import CLUSTER, said_in, stored
from tests.raft.quorums import QUORUM_STATE, Node

STANDALONE = CLUSTER / "meta-standalone"
ONE_VOTER = {"meta-standalone": 1, "meta-snapshots": 100}
QUORUM_STATES = json_lines("cluster/quorum-states.jsonl")


def raw_log(case: str, node: int):
    return CLUSTER / case / f"{node}.{0:020d}.log"


def replayed(case: str, node: int) -> Node:
    """A node started, and started again, when that one was; with the records that it appended."""
    recorded = stored(raw_log(case, node))
    made = Node(node, said_in(recorded[0])[2].voters)
    for batch in recorded:
        now_ms = batch.header.max_timestamp - START_MS
        if batch.header.is_control and batch.header.base_offset:
            made.restart(now_ms)
        elif batch.header.is_control:
            made.start(now_ms)
        else:
            made.append(said_in(batch), now_ms)
    return made


@pytest.mark.parametrize("case, node", ONE_VOTER.items())
def test_a_quorum_of_one_writes_kafkas_log(case, node):
    assert replayed(case, node).log.content() == raw_log(case, node).read_bytes()


def test_its_small_files_are_kafkas():
    node, directory = replayed("meta-standalone", 1), str(CLUSTER_METADATA)
    write_partition_metadata(node.disk, f"{directory}/partition.metadata",
                             CLUSTER_METADATA_TOPIC_ID)
    for name in ("quorum-state", "leader-epoch-checkpoint", "partition.metadata"):
        assert node.disk.read(f"{directory}/{name}") == (STANDALONE / f"1.{name}").read_bytes()
    assert read_checkpoint(node.disk, f"{directory}/leader-epoch-checkpoint") == ["1 0", "2 43"]


def test_meta_properties_name_the_directory_of_the_vote():
    node = replayed("meta-standalone", 1)
    (voter,) = node.client.quorum.voters
    write_meta_properties(node.disk, "meta.properties", {
        "node.id": "1", "directory.id": voter.voter_directory_id, "version": "1",
        "cluster.id": "AAAAAAAAAAAAAAAAAACrzQ"}, 1795431455_000)
    assert node.disk.read("meta.properties") == (STANDALONE / "1.meta.properties").read_bytes()


def test_a_broker_that_follows_copies_the_log_and_hears_every_record():
    """What DumpLogSegments of the recording calls an observer: its file is the leader's."""
    leader, observer = replayed("meta-standalone", 1), Node(2, bootstrap=(1,))
    observer.start()
    for _ in range(60):
        while observer.sent:
            leader.do(leader.client.handle(observer.sent.popleft().request, 0))
        while leader.sent:
            reply = leader.sent.popleft()
            observer.do(observer.client.handle(reply.request.answered(reply.body), 0))
    assert observer.log.content() == raw_log("meta-standalone", 1).read_bytes()
    assert observer.listener.records == [record for batch in stored(raw_log("meta-standalone", 1))
                                         if not batch.header.is_control
                                         for record in said_in(batch)]


@pytest.mark.parametrize("told", QUORUM_STATES, ids=lambda one: f"{one['case']}-{one['node']}")
def test_each_quorum_state_file_is_read_and_but_for_static_voters_written(told):
    content = told["content"].encode()
    election = decode_election_state(content)
    assert election.epoch > 0 and election.leader_id > 0
    if b'"currentVoters":[{' not in content:
        version = int(content.endswith(b'"data_version":1}'))
        assert encode_election_state(election, version) == content


FETCHES = json_lines("cluster/quorum-votes/fetches.jsonl")


@pytest.mark.parametrize("told", FETCHES, ids=lambda one: "-".join(
    map(str, (one["to"], *one["fetch"].values()))))
def test_a_node_of_the_quorum_answers_a_fetch_as_kafkas_does(told):
    leader, asked, answer = told["leader"], told["fetch"], told["answer"]
    node = Node(leader["id"])
    taken = [one for one in stored(raw_log("quorum-votes", 103))
             if one.last_offset < leader["logEndOffset"]]
    node.log.append_as_follower(taken, leader["epoch"], 0)
    start = next(one.base_offset for one in taken
                 if one.header.partition_leader_epoch == leader["epoch"])
    leads = LeaderState(leader["epoch"], leader["id"], start, None)
    node.client.quorum.state = leads if told["to"] == "leader" else FollowerState(
        leader["epoch"], leader["id"])
    leads.high_watermark = leader["logEndOffset"]
    body = FetchRequest(999, 0, 0, 1_000, (FetchPartition(
        CLUSTER_METADATA, asked["fetchOffset"], asked["currentLeaderEpoch"], 1_000, 0,
        asked["lastFetchedEpoch"]),))
    effects = node.client.handle(Request.of("test", 1, body), 0)
    (data,) = next(one for one in effects if isinstance(one, Reply)).body.partitions
    code = answer["errorCode"]
    assert data.error == "NONE" if not code else for_code(code).error_name == data.error
    assert (data.high_watermark, data.log_start_offset) == (answer["highWatermark"],
                                                            answer["logStartOffset"])
    assert data.current_leader == tuple(answer["currentLeader"].values())
    part = answer.get("divergingEpoch")
    assert data.diverging_epoch == (part and (part["epoch"], part["endOffset"]))


def test_a_quorum_state_that_cannot_be_read_is_named():
    node = Node(2)
    node.disk.replace(QUORUM_STATE, b'{"leaderId":1}')
    with pytest.raises(KafkaStorageException, match="the file quorum-state.*leaderId"):
        node.begin()
