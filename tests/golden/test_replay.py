"""Every recorded storage case: the same steps give the same answers and the same files.

`compare` of a case says whether files are equal byte for byte or record by record: where a codec
packed them, the library decides about the bytes. What waits for its module is listed, not skipped.
"""

import json

import pytest

from tests.golden.cases import GOLDEN, Case
from tests.golden.replay import Replay

ALL = {path.parent.name for path in (GOLDEN / "storage").glob("*/case.json")}
WITHOUT_STEPS = {"byte-vectors", "log-dir-live", "log-dir-kill", "log-dir-reopen"} | {
    f"java-{kind}" for kind in ("none", "gzip", "snappy", "lz4", "zstd", "idempotent", "txn")}
STEPS = sorted(ALL - WITHOUT_STEPS)
# The cleaner ran there, too: its files come with compaction.
# Recorded, and waiting in `tests/golden/waiting` for the modules that will replay them.
WAITING = {
    "compaction": {f"clean-{what}" for what in (
        "aborted", "aborted-newer", "basic", "committed", "delete-records", "fuzz-1", "fuzz-2",
        "grouping", "gzip", "map-full", "max-lag", "min-lag", "multi", "open-txn",
        "producer-state", "ratio", "restart", "switched", "tombstone", "tombstone-expired")},
    "transactions": {"err-txn-unverified", "java-txn/transaction_state"}}
CLEANED = {"delete-records-compact": ["step 9 ls"]}


def test_every_case_is_replayed_or_has_a_test_of_its_own():
    with_steps = {name for name in ALL if "op" in json.loads(
        (GOLDEN / f"storage/{name}/case.json").read_text("utf-8")).get("steps", [{}])[0]}
    assert with_steps == set(STEPS) and len(STEPS) == 91


def test_what_waits_for_its_module_is_there_and_listed():
    there = {path.parent.name for path in (GOLDEN / "waiting").glob("*/case.json")}
    assert there | {"java-txn/transaction_state"} == set().union(*WAITING.values())
    assert there.isdisjoint(ALL) and len(there) == 21
    assert list((GOLDEN / "waiting/java-txn/transaction_state").glob("*.log"))


@pytest.mark.parametrize("name", STEPS)
def test_the_same_steps_give_the_same_answers_and_files(name):
    differences = Replay(Case(f"storage/{name}")).run()
    assert [one.partition(":")[0] for one in differences] == CLEANED.get(name, []), differences
