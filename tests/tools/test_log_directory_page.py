"""The page of a log directory: what a start would find, each file byte by byte, nothing outside."""

import re

import pytest

from kafka_internals.storage.log_directory import LogDirectory
from kafka_internals.tools.export import main, outside
from kafka_internals.tools.log_directory_page import MOST_SHOWN, log_directory_page
from tests.storage.brokers import GIVEN, Broker


@pytest.fixture
def root(tmp_path):
    return LogDirectory.export(Broker().disk, tmp_path / "broker-1", configs=GIVEN)


def _text(page):
    """What a person reads of a page, outside of its players."""
    page = re.sub(r"<(script|style|svg).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_it_says_whose_disk_it_is_and_what_lies_on_it(root):
    page = log_directory_page(root)
    said = _text(page)
    assert "Log directory broker-1" in said and "last stop orderly" in said
    assert re.search(r"orders-0 \S{22} 4 1486 0 0 26 ", said)
    assert said.count("nothing is wrong with its files") == 2
    for name in ("0000000008.log", ".index", ".timeindex", "0000000026.snapshot",
                 "leader-epoch-checkpoint", "replication-offset-checkpoint"):
        assert name in said
    assert "default-src 'none'" in page and outside(page) == [] and "{{" not in said


def test_a_crash_and_each_damage_are_named(tmp_path):
    root = LogDirectory.export(Broker().disk, tmp_path / "broker-1", configs=GIVEN, crashed=True)
    segment = root / "orders-0" / f"{16:020d}.log"
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)
    said = _text(log_directory_page(root, "orders-0"))
    assert "not orderly: a start recovers each log" in said
    assert f"{16:020d}.log" in said and "damage" in said and "What is wrong with its files" in said


def test_a_log_that_no_broker_would_load_still_shows_its_bytes(root):
    (root / "orders-0" / "partition.metadata").write_text("version: 7\n")
    for file in (root / "orders-0").glob("*.log"):
        file.rename(file.with_suffix(".log.kept"))
    (root / "orders-0" / f"{3:020d}.log").write_bytes(b"\0" * 40)
    (root / "meta.properties").write_text("version=1\n")
    (root / "replication-offset-checkpoint").write_text("0\n3\norders 0 1\n")
    said = _text(log_directory_page(root, "orders-0"))
    assert "Expected 3 entries" in said and "partition.metadata" in said


def test_a_partition_an_offset_and_a_partitions_own_directory_can_be_asked_for(root):
    one = _text(log_directory_page(root, "orders-0", 5))
    assert "Offset 5 in orders-0" in one and "Offset 12 in audit-log-3" not in one
    assert _text(log_directory_page(root / "orders-0", offset=5)) == one


def test_of_many_partitions_the_first_are_shown_and_the_rest_is_counted(root):
    for number in range(1, MOST_SHOWN + 3):
        copy = root / f"orders-{number}"
        copy.mkdir()
        for file in (root / "orders-0").iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    said = _text(log_directory_page(root))
    assert f"the first {MOST_SHOWN} that hold records follow; 4 more are left out" in said
    assert said.count("nothing is wrong") == MOST_SHOWN and "orders-14" in said


def test_a_name_from_the_disk_cannot_become_markup(root):
    (root / "meta.properties").write_bytes(b"node.id=<img src=//x>\x07\n")
    page = log_directory_page(root, "orders-0")
    assert "&lt;img src=//x&gt;\\u0007" in page and outside(page) == []


def test_the_verb_writes_the_page_and_changes_no_file(root, tmp_path, capsys):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert main([str(root), "--to", str(tmp_path / "site"), "--partition", "orders-0"]) == 0
    page = (tmp_path / "site" / "broker-1.html").read_text(encoding="utf-8")
    assert "Log directory broker-1" in page and "broker-1.html" in capsys.readouterr().out
    assert len(page) < 300_000
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("more, said", [
    (["--partition", "payments-0"], "payments-0 is not in this log directory; its partitions: "),
    (["--partition", "orders-0", "--offset", "99"], "offset 99 for partition orders-0, but we")])
def test_what_is_not_there_is_named_and_no_page_is_written(root, tmp_path, capsys, more, said):
    assert main([str(root), "--to", str(tmp_path / "site"), *more]) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "site").exists()


def test_a_folder_that_is_no_log_directory_is_refused_by_name(tmp_path, capsys):
    assert main([str(tmp_path), "--to", str(tmp_path / "site")]) == 1
    assert "is no log directory: it has neither meta.properties" in capsys.readouterr().err
