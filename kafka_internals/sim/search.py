"""Seeds in bulk: run one schedule for each, keep those that break something, make them short.

`map` may be any function of that shape: the built-in one, or a pool's. Nothing here prints or
keeps time; a schedule is a pure function of its seed.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kafka_internals.sim.collector import no_collector


class Found(NamedTuple):
    """A seed whose run failed, and what it said."""

    seed: int
    failure: Any


class _Tried:
    """One seed's run, as a thing that another process can be given."""

    def __init__(self, run: Callable[[int], Any]) -> None:
        self.run = run

    def __call__(self, seed: int) -> Found | None:
        with no_collector():                    # what the run before left goes in between
            failure = self.run(seed)
        return None if failure is None else Found(seed, failure)


def search(run: Callable[[int], Any], seeds: Iterable[int], map: Callable = map) -> list[Found]:
    """Every seed for which `run(seed)` gives something else than None, in the order of `seeds`."""
    return [found for found in map(_Tried(run), seeds) if found is not None]


def joblib_map(jobs: int = -1) -> Callable:
    """A map over joblib's workers: all cores, or whatever backend joblib was told to use.

    Under `joblib.parallel_config(backend="dask")` (or "ray") the same call runs on that cluster.
    """
    from joblib import Parallel, delayed

    def mapped(function: Callable, items: Iterable) -> list:
        return Parallel(n_jobs=jobs)(delayed(function)(item) for item in items)

    return mapped
