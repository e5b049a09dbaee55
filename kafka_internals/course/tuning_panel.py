"""Six settings over a chart that fills in point by point, as each run ends.

A run takes about a tenth of a second. Between two of them the kernel hears what else was chosen, so
a newer choice ends an older sweep. Where no event loop runs, a sweep is made at once.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from kafka_internals.course.panel import Field, Panel, button, choice, row
from kafka_internals.course.tuning import LAB_COST, RATE, setting_name, tuned
from kafka_internals.viz.player import Still
from kafka_internals.viz.tuning_chart import Tuned, Tuning, told, tuning_chart

IN_FLIGHT = "max_in_flight_requests_per_connection"


def _counted(*values: int) -> tuple[tuple[str, int], ...]:
    return tuple((f"{one:,}", one) for one in values)


FIELDS = (
    Field("records_per_s", "records a second", _counted(1_000, 2_000, 4_000, 8_000, 12_000), RATE),
    Field("linger_ms", "linger.ms", _counted(0, 2, 5, 10, 20), 5),
    Field("batch_size", "batch.size", _counted(4_096, 8_192, 16_384, 32_768, 65_536), 16_384),
    Field("compression_type", "compression.type", ("none", "gzip", "snappy", "lz4", "zstd")),
    Field("acks", "acks", ("all", "1", "0")),
    Field(IN_FLIGHT, "max.in.flight", _counted(1, 2, 5), 5))
AGAINST = Field("against", "against", tuple((one.label, one.name) for one in FIELDS), "linger_ms")
BREATH_S = 0.01                             # for the kernel to hear what else was chosen


class TuningPanel(Panel):
    """`settings` are what is chosen now, `sweep` the runs against one of them, so far."""

    def __init__(self) -> None:
        self.fields = {one.name: choice(one) for one in (*FIELDS, AGAINST)}
        self.still, self._task, self._resetting = Still(), None, False
        load, client = list(self.fields.values())[:1], list(self.fields.values())[1:-1]
        super().__init__(self.still, [
            row(*load, word="Load"), row(*client, word="Producer"),
            row(self.fields["against"], button("Kafka's defaults", self.guarded(self._reset),
                                               "every setting as Kafka has it"), word="Chart")])
        self._start()
        self._fill_now()
        for one in self.fields.values():
            one.observe(self.guarded(self._chosen), "value")

    @property
    def settings(self) -> dict[str, Any]:
        """What is chosen, by the names that `tuned` takes."""
        return {one.name: self.fields[one.name].value for one in FIELDS}

    @property
    def sweep(self) -> Tuning:
        """The runs so far against the chosen setting."""
        return Tuning(setting_name(self._against), self._values, tuple(self._runs), LAB_COST)

    def _chosen(self) -> None:
        """Begin another sweep; the one that is still going on ends."""
        if self._resetting:
            return
        if self._task is not None:
            self._task.cancel()
        self._start()
        try:
            self._task = asyncio.get_running_loop().create_task(self._filled())
        except RuntimeError:                    # nobody else could be heard anyway
            self._fill_now()

    def _start(self) -> None:
        self._against = self.fields["against"].value
        field = next(one for one in FIELDS if one.name == self._against)
        self._values = tuple(one[1] if isinstance(one, tuple) else one for one in field.options)
        self._runs: list[Tuned | None] = [None] * len(self._values)

    def _fill_now(self) -> None:
        for _ in self._points():
            pass
        self._draw()

    async def _filled(self) -> None:
        try:
            for _ in self._points():
                self._draw()
                await asyncio.sleep(BREATH_S)
        except Exception as error:
            self.says(f"{type(error).__name__}: {error}", is_bad=True)

    def _points(self) -> Iterator[None]:
        """Run one value after the other, the chosen one first."""
        settings, chosen = self.settings, self._values.index(self.settings[self._against])
        for at in sorted(range(len(self._values)), key=lambda at: (at != chosen, at)):
            self._runs[at] = tuned(**{**settings, self._against: self._values[at]})
            yield

    def _draw(self) -> None:
        chosen, sweep = self.settings[self._against], self.sweep
        self.still.show(tuning_chart(sweep, chosen).chart.svg, told(sweep, chosen))
        run, done = sweep.at(chosen), sum(one is not None for one in self._runs)
        still = f" Run {done} of {len(self._runs)}." if done < len(self._runs) else ""
        self.says(f"Chosen: {run.records_per_s:,.0f} of {run.asked_per_s:,} records a second are "
                  f"{run.done}, mean {run.mean_ms:.1f} ms, 99 of 100 within {run.p99_ms:.1f} ms; "
                  f"packing takes {run.thread_percent:.1f} % of an application's thread.{still}")

    def _reset(self) -> None:
        self._resetting = True
        for one in FIELDS:
            self.fields[one.name].value = one.options[0] if one.default is None else one.default
        self._resetting = False
        self._chosen()

    def __repr__(self) -> str:
        return f"Run this cell for a panel of six settings over a chart. {self.still.say}"


def tuning_panel() -> TuningPanel:
    """A panel that begins with Kafka's defaults, against linger.ms."""
    return TuningPanel()
