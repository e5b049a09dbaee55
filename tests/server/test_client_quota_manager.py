"""ClientQuotaManager: rates over sampled windows and how long a client is held off."""

import pytest

from kafka_internals.config import BROKER_CONFIG
from kafka_internals.server.client_quota_manager import (
    ClientQuotaManager,
    ClientRequestQuotaManager,
    QuotaManagers,
    Rate,
    round_half_up,
)

CONFIG = BROKER_CONFIG.parse({})


def manager(bounds, kind=ClientQuotaManager, **configs):
    made = kind("producer_byte_rate", BROKER_CONFIG.parse(configs))
    made.update({client: {"producer_byte_rate": bound} for client, bound in bounds.items()})
    return made


def test_a_first_burst_is_spread_over_the_ten_windows_before_it():
    rate = Rate(11, 1000)
    rate.record(20_000, 0)
    assert rate.window_size_ms(0) == 10_000 and rate.measure(0) == 2000.0


def test_the_present_window_counts_only_as_far_as_it_has_come():
    rate = Rate(11, 1000)
    rate.record(20_000, 0)
    assert rate.measure(500) == pytest.approx(20_000 / 10.5)
    rate.record(1000, 1000)                                 # a new window begins
    assert rate.window_size_ms(1000) == 10_000              # one whole, nine missing, none begun


def test_what_is_older_than_all_windows_does_not_count():
    rate = Rate(11, 1000)
    rate.record(20_000, 0)
    assert rate.measure(10_999) > 0 and rate.measure(11_000) == 0


def test_twelve_samples_are_kept_for_eleven_windows():
    rate = Rate(11, 1000)
    for second in range(40):
        rate.record(100, second * 1000)
    assert len(rate._samples) == 12
    assert rate.measure(39_500) == pytest.approx(1200 / 11.5, rel=0.1)


@pytest.mark.parametrize("used, throttle_ms", [
    (10_000, 0), (10_001, 1), (20_000, 10_000), (15_000, 5000)])
def test_the_pause_pays_back_what_is_above_the_bound(used, throttle_ms):
    quota = manager({"ada": 1000})
    assert quota.record_and_get_throttle_time_ms("ada", used, 0) == throttle_ms


def test_windows_that_never_were_count_as_empty_until_ten_have_passed():
    quota = manager({"ada": 1000})
    quota.record("ada", 15_000, 0)
    rate = quota._rates["ada"]
    assert [rate.measure(ms) for ms in (0, 5000, 10_000)] == [1500.0] * 3
    assert rate.measure(10_500) == pytest.approx(15_000 / 10.5)


def test_thread_time_is_held_off_for_one_window_at_most():
    quota = manager({None: 1}, ClientRequestQuotaManager)
    assert quota.record_and_get_throttle_time_ms("ada", 1e6, 0) == 1000


def test_a_clients_own_quota_stands_before_the_default():
    quota = manager({"ada": 1000, None: 5})
    assert (quota.bound("ada"), quota.bound("bob")) == (1000, 5)
    assert manager({"ada": 1000}).bound("bob") is None


def test_without_a_quota_nothing_is_measured():
    quota = manager({"ada": 1000})
    assert quota.record_and_get_throttle_time_ms("bob", 1e9, 0) == 0
    assert "bob" not in quota._rates


def test_what_was_not_used_is_taken_back():
    quota = manager({"ada": 1000})
    quota.record("ada", 15_000, 0)
    quota.record("ada", -15_000, 0)
    assert quota.record_and_get_throttle_time_ms("ada", 100, 0) == 0


def test_one_answer_holds_what_ten_windows_allow():
    assert manager({"ada": 1000}).max_value_in_quota_window("ada") == 10_000
    assert manager({}).max_value_in_quota_window("ada") is None


def test_the_windows_are_configs():
    quota = manager({"ada": 100}, **{"quota.window.num": 2, "quota.window.size.seconds": 5})
    assert quota.record_and_get_throttle_time_ms("ada", 1000, 0) == 5000


def test_quotas_are_on_while_any_client_has_one():
    quotas = QuotaManagers(CONFIG)
    quotas.update({"ada": {"request_percentage": 5}})
    assert quotas.enabled and quotas.request.enabled and not quotas.fetch.enabled
    quotas.update({"ada": {}})
    assert not quotas.enabled


@pytest.mark.parametrize("value, rounded", [(0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3)])
def test_rounding_is_javas(value, rounded):
    assert round_half_up(value) == rounded
