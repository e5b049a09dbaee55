"""What a film of replication says: elections, fences, in-sync sets, and where logs part.

Also what has to be worked out for the picture: which records an answer dooms, and which are gone.
"""

from typing import Any

from kafka_internals.common import TopicPartition, broker_name, replica_name
from kafka_internals.viz import replica_view
from kafka_internals.viz.camera import Look, ReplicaSeen

LACKS = "although it may lack records"
LENGTH_AT, EPOCH_AT, HEAD = 8, 12, 12       # of a stored batch: batchLength, partitionLeaderEpoch


def epochs_in(records: bytes) -> list[int]:
    """The leader epoch of each stored batch."""
    found, at = [], 0
    while at + HEAD + 4 <= len(records):
        found.append(int.from_bytes(records[at + EPOCH_AT:at + EPOCH_AT + 4], signed=True))
        at += HEAD + int.from_bytes(records[at + LENGTH_AT:at + LENGTH_AT + 4])
    return found


def doomed_from(look: Look, partition: TopicPartition, broker: int, epochs: tuple,
                whose: Any) -> int | None:
    """Where a follower will cut, as an answer says that is on its way to it; None: nowhere."""
    for message in whose.messages(look):
        if message.receiver != broker_name(broker) or message.kind != "response" or message.lost:
            continue
        for data in getattr(message.body, "partitions", ()):
            parts = getattr(data, "diverging_epoch", None)
            if parts is not None and data.partition == partition:
                return _cut_at(parts, epochs)
    return None


def _cut_at(parts: Any, epochs: tuple) -> int:
    """OffsetTruncationState: to the end of the epoch that both have, or of the own one below."""
    later = [start for epoch, start in epochs if epoch > parts.leader_epoch]
    has_it = any(epoch == parts.leader_epoch for epoch, _ in epochs)
    return min([*later, parts.end_offset] if has_it or not later else later)


def changing(look: Look, own: Any) -> tuple[int, ...]:
    """Of whom a leader has asked the controller: who is to come into the ISR, or to leave it."""
    if own is None or own.isr_state == "COMMITTED":
        return ()
    asked = look.last(replica_name(own.partition, own.broker), "isr_state")
    read = (attribute.partition(".") for _, attribute, *_ in asked.reads)
    return tuple(int(broker) for what, _, broker in read if what == "remote_log_end_offset")


def cut_now(look: Look, partition: TopicPartition, broker: int) -> range:
    """The offsets that this event has cut off a log."""
    for change in look.changes:
        if change.subject == replica_name(partition, broker) and \
                change.attribute == "log_end_offset" and (change.old or 0) > change.new:
            return range(change.new, change.old)
    return range(0)


# -- the sentence ----------------------------------------------------------------------------------
def nothing(look: Look, partition: TopicPartition) -> str:
    """There is no such partition."""
    return f"There is no {partition} yet: its topic has not been created."


def say(look: Look, partition: TopicPartition, own: Any, wrote: Any,
        rows: list[ReplicaSeen]) -> str:
    """What this event did; where it did nothing here, how things stand."""
    told = (_cut(look, partition, rows), written(look, partition), fenced(look),
            role(look, partition), in_sync(look, partition), _parts(look, partition))
    found = next(filter(None, told), None)
    if found is None and own is None:
        return f"No broker that runs has a replica of {partition}."
    return found or replica_view.say(look, partition, own, rows)


def _cut(look: Look, partition: TopicPartition, rows: list[ReplicaSeen]) -> str | None:
    for seen in rows:
        if cut := cut_now(look, partition, seen.broker):
            mark = look.last(replica_name(partition, seen.broker), "high_watermark")
            below = mark is not None and mark.event == look.event
            why = "Its high watermark goes down with them: they were committed once." if below \
                else \
                f"That lay above its high watermark, {seen.high_watermark}."
            return f"Broker {seen.broker} cuts its log at {cut.start}: {_span(cut)} gone. {why}"
    return None


def _span(cut: range) -> str:
    return f"offset {cut.start} is" if len(cut) == 1 else f"offsets {cut.start} to {cut[-1]} are"


def written(look: Look, partition: TopicPartition) -> str | None:
    """What the controller has written about the partition in this event."""
    wrote = {one.attribute: one for one in look.changes
             if one.subject == f"{partition}@{look.controller}" and one.old is not None}
    if not wrote:
        return None
    now = look(f"{partition}@{look.controller}")
    elr = f", ELR {listed(now.elr)}" if now.elr else ""
    sets = f"ISR {listed(now.isr)}{elr}"
    if "leader" not in wrote:
        return f"The controller writes for {partition}: {sets}. Broker {now.leader} leads on." \
            if now.leader >= 0 else f"The controller writes for {partition}: {sets}, no leader."
    if now.leader < 0:
        return (f"The controller finds nobody who may lead {partition}: no leader in epoch "
                f"{now.leader_epoch}, {sets}.")
    parts = wrote["leader"].rule.partition("election in replica order: ")[2].split(", ")
    passed = ", ".join(part for part in parts if part and part != LACKS and " leads" not in part)
    said = (f" Passed over: broker {passed}." if passed else "") + \
        f" Broker {now.leader} may lack records." * (LACKS in parts)
    return (f"The controller elects broker {now.leader} for {partition}: leader epoch "
            f"{now.leader_epoch}, {sets}.{said}")


def listed(members: tuple) -> str:
    return ", ".join(map(str, members)) or "empty"


def fenced(look: Look) -> str | None:
    for change in look.changes:
        broker = change.subject.partition("@")[0].replace("broker-", "broker ")
        if change.attribute == "fenced" and change.old is not None:
            return (f"The controller fences {broker}: it leads nothing and is in no ISR."
                    if change.new else f"The controller unfences {broker}: it may lead again.")
        if change.attribute == "in_controlled_shutdown" and change.new:
            return f"The controller lets {broker} shut down: others take over what it leads."
    return None


def role(look: Look, partition: TopicPartition) -> str | None:
    for change in look.changes:
        name, _, broker = change.subject.rpartition("@")
        if change.attribute != "role" or name != str(partition) or change.old == change.new:
            continue
        one = look(change.subject)
        if one is not None and change.new == "leader":
            mark = one.high_watermark
            knew = next((each.old for each in look.changes if each.subject == change.subject
                         and each.attribute == "high_watermark" and each.old is not None), mark)
            moves = f" Nobody else is in the ISR: it moves to {mark} at once." * (knew != mark)
            return (f"Broker {broker} learns from the metadata log that it leads epoch "
                    f"{one.leader_epoch}. It begins at offset {one.log_end_offset}, with the high "
                    f"watermark that it knew: {knew}.{moves}")
        if one is not None and change.new == "follower":
            return f"Broker {broker} follows broker {one.leader} in epoch {one.leader_epoch}."
    return None


def in_sync(look: Look, partition: TopicPartition) -> str | None:
    """What a leader makes of its in-sync set: asked for, or written."""
    for change in look.changes:
        name, _, broker = change.subject.rpartition("@")
        if change.attribute != "isr_state" or name != str(partition):
            continue
        one = look(change.subject)
        if change.new == "PENDING EXPAND":
            return (f"Broker {broker} asks the controller to let broker "
                    f"{listed(changing(look, one))} into the ISR. Until that is written the high "
                    f"watermark waits for it already.")
        if change.new == "PENDING SHRINK":
            return (f"Broker {broker} asks the controller to take broker "
                    f"{listed(changing(look, one))} out of the ISR. Until that is written the "
                    f"high watermark waits for it still.")
        return f"Broker {broker} knows what is written: the ISR is {listed(one.isr)}."
    return None


def _parts(look: Look, partition: TopicPartition) -> str | None:
    """A leader answers where the two logs part, in this event."""
    for message in look.messages:
        for data in getattr(message.body, "partitions", ()) if message.event == look.event else ():
            parts = getattr(data, "diverging_epoch", None)
            if parts is not None and data.partition == partition:
                who, to = message.ends
                return (f"{replica_view.capital(who)} sends {to} no records, but where the logs "
                        f"part: in its own, epoch {parts.leader_epoch} ends at "
                        f"{parts.end_offset}.")
    return None
