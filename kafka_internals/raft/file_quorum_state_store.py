"""FileQuorumStateStore: the file `quorum-state`, all that a node has to remember of elections.

It is what keeps a node from voting twice in one epoch, or from leading an epoch again after a
restart; so it is on the platter before anybody hears of a change (KIP-595). One line of JSON. With
`kraft.version` 1 it is of version 1, where a vote names the candidate's directory, too (KIP-853); a
node whose log does not hold the voters yet writes version 0.
"""

import json
from functools import lru_cache
from typing import NamedTuple

from kafka_internals.common import NO_NODE, ZERO_UUID
from kafka_internals.errors import KafkaStorageException

DEFAULT_FILE_NAME = "quorum-state"
HIGHEST_VERSION = 1


class ElectionState(NamedTuple):
    """The epoch, its leader where one is known, and whom this node voted for in it; -1 nobody."""

    epoch: int
    leader_id: int = NO_NODE
    voted_id: int = NO_NODE
    voted_directory_id: str = ZERO_UUID


@lru_cache(1_000)                       # the nodes of every cluster write the same ones
def encode_election_state(election: ElectionState, kraft_version: int) -> bytes:
    """The file's content, without a newline. In version 0 the voters are none: they are in the log.
    """
    data = {"leaderId": election.leader_id, "leaderEpoch": election.epoch,
            "votedId": election.voted_id}
    if kraft_version:
        data |= {"votedDirectoryId": election.voted_directory_id}
    else:
        data = {"clusterId": "", **data, "appliedOffset": 0, "currentVoters": []}
    return json.dumps({**data, "data_version": kraft_version}, separators=(",", ":")).encode()


def decode_election_state(content: bytes) -> ElectionState | None:
    """What the file says; None for a node that has none yet.

    Errors: KafkaStorageException for anything but one line of JSON of version 0 or 1.
    """
    if not content:
        return None
    try:
        data = json.loads(content)
        if data["data_version"] not in range(HIGHEST_VERSION + 1):
            raise ValueError(f"data_version {data['data_version']!r} is not 0 or 1")
        numbers = [data[name] for name in ("leaderEpoch", "leaderId", "votedId")]
        if any(type(number) is not int for number in numbers):
            raise ValueError(f"{numbers} are not three numbers")
        return ElectionState(*numbers, data.get("votedDirectoryId", ZERO_UUID))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise KafkaStorageException(f"Error while reading the Quorum status from the file "
                                    f"{DEFAULT_FILE_NAME}, {content[:200]!r}: {error!r}") from error
