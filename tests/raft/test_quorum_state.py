"""QuorumState: its table over the whole grid, and the file that it writes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.common import ZERO_UUID, Changed, Persist
from kafka_internals.errors import IllegalStateException, KafkaStorageException
from kafka_internals.raft.epoch_state import (
    CandidateState,
    FollowerState,
    LeaderState,
    ProspectiveState,
    ResignedState,
    UnattachedState,
)
from kafka_internals.raft.file_quorum_state_store import (
    ElectionState,
    decode_election_state,
    encode_election_state,
)
from kafka_internals.raft.quorum_state import TRANSITIONS, QuorumState
from kafka_internals.raft.raft_log import OffsetAndEpoch
from tests.raft.quorums import DIRECTORY, VOTER

ME = (100, DIRECTORY)
STATES = {"UNATTACHED": UnattachedState(5), "RESIGNED": ResignedState(5, 100),
          "PROSPECTIVE": ProspectiveState(5, -1), "CANDIDATE": CandidateState(5, ME),
          "FOLLOWER": FollowerState(5, 101), "LEADER": LeaderState(5, 100, 7, None)}
ACTS = {"election timeout": lambda quorum: quorum.transition_to_prospective(),
        "majority of pre-votes": lambda quorum: quorum.transition_to_candidate(),
        "majority of votes": lambda quorum: quorum.transition_to_leader(9, None),
        "leader found": lambda quorum: quorum.transition_to_follower(6, 101, ()),
        "higher epoch": lambda quorum: quorum.transition_to_unattached(6, ())}


def quorum_in(state: str) -> QuorumState:
    quorum = QuorumState(*ME, (VOTER,), "me")
    quorum.kraft_version = 1
    quorum.state = type(STATES[state]).__new__(type(STATES[state]))
    quorum.state.__dict__.update(STATES[state].__dict__)
    return quorum


@pytest.mark.parametrize("event", ACTS)
@pytest.mark.parametrize("state", STATES)
def test_the_table_is_all_there_is(state, event):
    quorum = quorum_in(state)
    expected = TRANSITIONS.get((state, event))
    if expected is None:
        with pytest.raises(IllegalStateException, match=f"{event!r} does not lead from {state}"):
            ACTS[event](quorum)
        assert quorum.state.name == state
    else:
        ACTS[event](quorum)
        assert quorum.state.name == expected and quorum.epoch >= 5


def test_the_table_names_only_states_and_events_that_there_are():
    assert {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values()) <= set(STATES)
    assert {event for _, event in TRANSITIONS} == set(ACTS)


@pytest.mark.parametrize("state, event", TRANSITIONS)
def test_a_change_is_on_disk_before_it_is_told_and_a_pre_vote_promises_nothing(state, event):
    quorum = quorum_in(state)
    effects = ACTS[event](quorum)
    files = [effect for effect in effects if isinstance(effect, Persist)]
    if event == "election timeout":
        assert files == []
    else:
        assert effects[0] is files[0] and len(files) == 1
        assert decode_election_state(files[0].data) == quorum.state.election()
    assert all(isinstance(effect, Changed) for effect in effects if effect not in files)


def test_the_high_watermark_is_kept_but_by_a_leader_who_has_to_commit_first():
    quorum = quorum_in("FOLLOWER")
    quorum.state.high_watermark = 4
    quorum.transition_to_unattached(6, ())
    quorum.transition_to_prospective()
    quorum.transition_to_candidate()
    assert quorum.state.high_watermark == 4
    (told,) = [one for one in quorum.transition_to_leader(9, None)
               if getattr(one, "attribute", "") == "high_watermark"]
    assert (told.old, told.new, quorum.state.high_watermark) == (4, None, None)


@pytest.mark.parametrize("end, known, expected", [
    (10, None, None), (11, None, 11), (12, 11, 12), (11, 11, None), (9, None, None)])
def test_a_leader_commits_from_its_own_epoch_on(end, known, expected):
    state = LeaderState(5, 100, 10, None)
    state.high_watermark = known
    assert state.next_high_watermark(end) == expected


@pytest.mark.parametrize("epoch, leader", [(4, 101), (6, 100), (5, 102), (5, 101)])
def test_a_leader_that_cannot_be_is_refused(epoch, leader):
    with pytest.raises(IllegalStateException, match=f"leader {leader} and epoch {epoch}"):
        quorum_in("FOLLOWER").transition_to_follower(epoch, leader, ())


@pytest.mark.parametrize("stored, end, expected", [
    (None, (0, 0), "UNATTACHED"), (ElectionState(3, 101), (0, 0), "UNATTACHED"),
    (ElectionState(3, 101), (9, 3), "FOLLOWER"), (ElectionState(3, 100), (9, 3), "RESIGNED"),
    (ElectionState(3, -1, *ME), (9, 2), "CANDIDATE"), (ElectionState(3), (9, 2), "UNATTACHED"),
    (ElectionState(3, 100), (9, 4), "UNATTACHED")])
def test_where_a_node_begins(stored, end, expected):
    """The mapping of a restart; an epoch in the log that is higher beats the file."""
    quorum = QuorumState(*ME, (), "me")
    effects = quorum.initialize(stored, OffsetAndEpoch(*end))
    assert quorum.state.name == expected and isinstance(effects[0], Persist)
    assert quorum.epoch == max(end[1], stored.epoch if stored else 0)


@settings(deadline=None)
@given(st.builds(ElectionState, st.integers(0, 1 << 31), st.integers(-1, 1 << 31),
                 st.integers(-1, 1 << 31), st.just(ZERO_UUID)), st.sampled_from((0, 1)))
def test_what_is_written_is_read_again(election, version):
    content = encode_election_state(election, version)
    assert decode_election_state(content) == election and b"\n" not in content


@settings(deadline=None)
@given(st.binary(max_size=80) | st.builds(
    lambda at, byte: ENCODED[:at] + bytes([byte]) + ENCODED[at + 1:],
    st.integers(0, 100), st.integers(0, 255)))
def test_damage_is_refused_or_read_as_something_else(content):
    try:
        election = decode_election_state(content)
    except KafkaStorageException:
        return
    assert election is None or isinstance(election.epoch, int)


ENCODED = encode_election_state(ElectionState(3, 101, *ME), 1)


@pytest.mark.parametrize("content, said", [
    (b"[]", "TypeError"), (b'{"leaderId":1}', "data_version"), (b"{", "JSONDecodeError"),
    (ENCODED.replace(b'"data_version":1', b'"data_version":2'), "data_version 2 is not 0 or 1"),
    (ENCODED.replace(b":3,", b':"3",'), "are not three numbers")])
def test_a_file_that_cannot_be_read_is_named(content, said):
    with pytest.raises(KafkaStorageException, match=f"from the file quorum-state.*{said}"):
        decode_election_state(content)
