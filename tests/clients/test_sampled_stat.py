"""SampledStat: two windows of 30 s, as Kafka's SampledStat and Rate count them."""

from math import isnan

from kafka_internals.clients.sampled_stat import SampledStat


def stat(*recorded):
    made = SampledStat()
    for value, now_ms in recorded:
        made.record(value, now_ms)
    return made


def test_nothing_recorded_is_no_number_and_a_rate_of_none():
    made = stat()
    assert isnan(made.avg(5)) and isnan(made.max(5)) and isnan(made.min(5)) and isnan(made.last(5))
    assert (made.rate(5), made.event_rate(5), made.total(5), made.count(5)) == (0, 0, 0, 0)


def test_average_extremes_and_totals_of_one_window():
    made = stat((2, 0), (4, 10), (9, 20))
    assert (made.avg(20), made.max(20), made.min(20)) == (5, 9, 2)
    assert (made.total(20), made.last(20)) == (15, 9)


def test_a_rate_is_never_over_less_than_one_window():
    assert stat((60, 0)).rate(0) == 60 / 30
    assert stat((60, 0)).rate(15_000) == 60 / 45       # a part of a window, and a full one
    assert stat((30, 0), (30, 30_000)).rate(45_000) == 60 / 45
    assert stat((1, 0), (1, 30_000)).event_rate(45_000) == 2 / 45


def test_what_was_recorded_a_minute_ago_is_forgotten_but_in_the_totals():
    made = stat((2, 0), (8, 40_000))
    assert made.avg(59_999) == 5
    assert made.avg(60_000) == 8 and made.total(60_000) == 10
    assert isnan(made.avg(100_000)) and made.rate(100_000) == 0


def test_a_window_that_overlaps_the_last_minute_is_kept_whole():
    made = stat((2, 0), (4, 29_000), (6, 31_000), (8, 61_000))
    assert made.avg(88_999) == 5 and made.avg(89_000) == 7


def test_to_look_changes_nothing():
    looked, left = stat((2, 0)), stat((2, 0))
    looked.avg(70_000)
    looked.rate(70_000)
    for one in (looked, left):
        one.record(4, 71_000)
    assert (looked.avg(71_000), looked.rate(71_000)) == (left.avg(71_000), left.rate(71_000))
