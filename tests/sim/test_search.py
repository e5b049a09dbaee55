"""Seeds in bulk, on any map: the built-in one, joblib's workers, a Dask cluster."""

import warnings

import joblib
import pytest
from distributed import LocalCluster

from kafka_internals.cluster.schedules import verdict
from kafka_internals.sim.search import Found, joblib_map, search

UNSAFE = {"high_watermark": "leader"}


def odd(seed):
    return f"{seed} is odd" if seed % 2 else None


def unsafe_verdict(seed):
    return verdict(seed, UNSAFE)


def test_what_failed_is_found_in_the_order_of_the_seeds():
    assert search(odd, [4, 7, 2, 1]) == [Found(7, "7 is odd"), Found(1, "1 is odd")]
    assert search(odd, iter([2, 4])) == []


def test_any_map_will_do():
    asked = []

    def noting(function, items):
        asked.extend(items)
        return [function(item) for item in asked]

    assert search(odd, range(4), noting) == search(odd, range(4)) and asked == [0, 1, 2, 3]


def test_an_error_is_not_a_finding():
    with pytest.raises(ZeroDivisionError):
        search(lambda seed: 1 / seed, range(2))


def test_workers_of_joblib_find_the_same():
    found = search(unsafe_verdict, range(12), joblib_map(2))
    assert found and found == search(unsafe_verdict, range(12))


def test_fifty_seeds_on_a_dask_cluster_through_joblibs_backend():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=False,
                          dashboard_address=None) as workers, workers.get_client():
            with joblib.parallel_config(backend="dask"):
                found = search(unsafe_verdict, range(50), joblib_map())
    assert len(found) > 10 and found[:3] == search(unsafe_verdict, range(found[2].seed + 1))
