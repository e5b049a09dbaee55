"""A sandbox: a live cluster behind a panel of loads and faults, filmed after each command.

What a click does is a line or two of Python on the cluster's handle; they are carried out, and
kept, so that "as Python" shows a program that makes the same run again. Missions are judged after
each command and stay done, also when the panel is opened again, until somebody resets them.
"""

from bisect import bisect
from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

import ipywidgets

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.handles import Producer
from kafka_internals.course import canonical
from kafka_internals.course.panel import Field, Panel, button, choice, row
from kafka_internals.viz.player import Player
from kafka_internals.viz.quiet import CONTROL, heard

BROKER = Field("broker", "broker", (1, 2, 3))
WAIT = Field("ms", "then let pass", (("1 ms", 1), ("5 ms", 5), ("20 ms", 20), ("100 ms", 100),
                                     ("1 s", 1_000), ("10 s", 10_000)), 20)
SHOWN = Field("film", "the film shows", ("what this did", "the whole run"))
FILMED = 600                                # events that are not quiet: a click takes seconds
LOGS = {"log_start_offset", "log_end_offset", "high_watermark", "role"}
DONE: dict[str, set[str]] = {}              # by the sandbox's name: missions of this session


class Mission(NamedTuple):
    """Something to bring about: one sentence, whether a cluster has it, and a hint."""

    sentence: str
    met: Callable[[Cluster], bool]
    hint: str


class Act(NamedTuple):
    """One button. `code`: lines of Python with {fields}, or what makes them from the values of the
    fields and the names that there are already."""

    label: str
    code: str | Callable[[dict[str, Any], dict[str, Any]], str]
    tip: str = ""


class Group(NamedTuple):
    """Buttons that share fields, under one word."""

    word: str
    fields: tuple[Field, ...]
    acts: tuple[Act, ...]


def send(values: dict[str, Any], known: dict[str, Any]) -> str:
    """Code that sends records with one of the panel's producers, which is made when first used."""
    acks, linger, count = values["acks"], values["linger_ms"], values["records"]
    name = f"acks_{acks}" + (f"_linger_{linger}" if linger else "")
    made = "" if name in known else \
        f"{name} = cluster.producer(acks={acks!r}, linger_ms={linger})\n"
    cluster, where = known["cluster"], f"{values['topic']!r}"
    sent = sum(len(cluster.calls_of(one.name)) for one in known.values()
               if isinstance(one, Producer))
    how = f"partition={values['partition']}"
    if count == 1:
        return f"{made}{name}.send({where}, 'order {sent}', {how})"
    return (f"{made}for n in range({sent}, {sent + count}):\n"
            f"    {name}.send({where}, f'order {{n}}', {how})")


LOAD = Group("Load", (
    Field("records", "records", (1, 10, 100, 600), 1), Field("acks", "acks", ("all", "1", "0")),
    Field("linger_ms", "linger.ms", (0, 5, 50, 500), 0)), (
    Act("Send", send, "send so many records to orders-0"),
    Act("Let time pass", "", "command nothing")))
BREAK = Group("Break", (BROKER,), (
    Act("Kill", "cluster.kill({broker})", "the process dies, its page cache stays"),
    Act("Power loss", "cluster.power_loss({broker})", "the machine goes dark"),
    Act("Restart", "cluster.restart({broker})", "begin again with what the disk holds"),
    Act("Pause", "cluster.pause({broker})", "a long garbage collection"),
    Act("Resume", "cluster.resume({broker})", "go on after a pause")))
NETWORK = Group("Network", (
    BROKER._replace(name="receiver", label="broker", default=2),
    Field("slow_ms", "by", (("100 ms", 100), ("400 ms", 400), ("5 s", 5_000)), 400)), (
    Act("Slow its fetches", "cluster.slow({receiver}, fetch_ms={slow_ms})",
        "what it asks others for is on its way longer"),
    Act("Cut off", "cluster.partition([{receiver}], {others})", "no other broker hears it"),
    Act("Heal", "cluster.heal()\nfor broker in {brokers}:\n    cluster.slow(broker, fetch_ms=0)",
        "cut and slow links work again")))
GROUPS = (LOAD, BREAK, NETWORK)


class Sandbox(Panel):
    """The panel. `cluster` is the live cluster, `lines` what was done to it, as Python."""

    def __init__(self, make: Callable[[], Cluster], view: Any, subjects: tuple,
                 missions: tuple[Mission, ...], groups: tuple[Group, ...], name: str,
                 fixed: dict[str, Any]) -> None:
        self._make, self._view, self._subjects = make, view, subjects
        self.missions, self.name, self._fixed = tuple(missions), name, fixed
        self._board, self._journal = ipywidgets.HTML(), ipywidgets.HTML()
        self._begin()
        self._fields: dict[str, Any] = {}
        rows = [self._row(group) for group in groups]
        self._fields |= {"ms": choice(WAIT), "film": choice(SHOWN)}
        self._fields["film"].observe(self.guarded(self._film), "value")
        self._python = ipywidgets.ToggleButton(description="As Python", value=False,
                                               tooltip="what was done, as a program")
        self._python.observe(lambda _: self._draw(), "value")
        last = row(self._fields["ms"], self._fields["film"],
                   button("New cluster", self.guarded(self._again), "begin again; missions stay"),
                   button("Reset missions", self.guarded(self._reset), "begin again with all open"),
                   self._python, word="Run")
        super().__init__(Player(self._data()), [self._board, *rows, last], (self._journal,))
        self.says("Nothing has been done yet: press a button, then play the film.")
        self._draw()

    # -- the run ------------------------------------------------------------------------------
    def _begin(self) -> None:
        where = "canonical." if self._make.__module__ == canonical.__name__ else ""
        self._names = {"canonical": canonical, "Cluster": Cluster,
                       self._make.__name__: self._make}
        self.lines: list[str] = []
        self._do(f"cluster = {where}{self._make.__name__}()")
        self._since = self.cluster.began

    @property
    def cluster(self) -> Cluster:
        """The live cluster, for a look from another cell."""
        return self._names["cluster"]

    def _do(self, line: str) -> None:
        """Carry out one statement, and keep it once it has happened."""
        exec(compile(line, f"<{self.name}>", "exec"), self._names)
        self.lines.append(line)

    def act(self, act: Act) -> None:
        """What a button does: its code, then time; then a film, and the missions are judged.

        What fails at its first statement has done nothing, and leaves the film as it is.
        """
        values = {name: field.value for name, field in self._fields.items()} | self._fixed
        brokers = list(self.cluster.setup.brokers)
        values |= {"brokers": brokers,
                   "others": [one for one in brokers if one != values.get("receiver")]}
        code = act.code(values, self._names) if callable(act.code) else act.code.format(**values)
        since, began, done = self.cluster.event, self.cluster.now_ms, len(self.lines)
        try:
            for line in [*_statements(code), f"cluster.run(ms={values['ms']})"]:
                self._do(line)
            self.says(f"{act.label}: {max(0.0, began):,.1f} to {self.cluster.now_ms:,.1f} ms."
                      f"{self._left_out(since)}")
        finally:
            if len(self.lines) > done:
                self._since = since
                self._film()
                self._judge()

    def _judge(self) -> None:
        done = DONE.setdefault(self.name, set())
        now = [one.sentence for one in self.missions
               if one.sentence not in done and one.met(self.cluster)]
        done.update(now)
        if now:
            self._draw()
            self.says(f"Mission done: {' '.join(now)}")

    # -- what is shown ------------------------------------------------------------------------
    def _data(self) -> dict:
        whole = self._fields.get("film") and self._fields["film"].value == SHOWN.options[1]
        scene = self.cluster.began
        first, last = self._window(scene if whole else max(scene, self._since))
        return self._view.data(self.cluster, *self._subjects, since=first, upto=last)

    def _window(self, since: int) -> tuple[int, int]:
        """The events to film: the last ones or, where these are idle, those around the last that
        changed a log or a broker's life; or else what a client knows of a topic."""
        last, told_of = self.cluster.event, [since, *heard(self.cluster.trace, since)]
        first = told_of[max(0, len(told_of) - 1 - FILMED)]
        for tells in (_tells_of_logs, _tells_of_topics):
            told = next((event for event, subject, attribute, *_ in
                         reversed(self.cluster.trace.changes) if tells(subject, attribute)), 0)
            if told >= first:
                return first, last
            if told > since:
                at = max(0, bisect(told_of, told) - 1 - FILMED // 2)
                return told_of[at], told_of[min(at + FILMED, len(told_of) - 1)]
        return first, last

    def _left_out(self, since: int) -> str:
        events, (_, last) = len(heard(self.cluster.trace, since)), self._window(since)
        if events <= FILMED:
            return ""
        if last == self.cluster.event:
            return f" The film shows the last {FILMED} of {events:,} events."
        return (f" The film shows {FILMED} of {events:,} events, around the last that changed "
                f"something.")

    def _film(self) -> None:
        self.player.show(self._data())
        self._draw()

    def _draw(self) -> None:
        self._board.value = self._told()
        shown = f"<pre>{escape(chr(10).join(self.lines))}</pre>" if self._python.value else ""
        self._journal.value = shown

    def _again(self) -> None:
        self._begin()
        self._film()
        self.says("A new cluster. What you have achieved stays.")

    def _reset(self) -> None:
        DONE.pop(self.name, None)
        self._begin()                       # the old one would meet at once what it has met
        self._film()
        self.says("A new cluster, and every mission is open again.")

    def _row(self, group: Group) -> Any:
        fields = {field.name: choice(field) for field in group.fields}
        self._fields |= fields
        acts = [button(one.label, self.guarded(lambda one=one: self.act(one)), one.tip)
                for one in group.acts]
        return row(*fields.values(), *acts, word=group.word)

    def _is_done(self, mission: Mission) -> bool:
        return mission.sentence in DONE.get(self.name, ())

    def __repr__(self) -> str:
        told = [f"  [{'x' if self._is_done(one) else ' '}] {one.sentence}" for one in self.missions]
        return "\n".join(["Run this cell for a panel of loads and faults."
                          + " Missions:" * bool(told), *told])

    def _told(self) -> str:
        items = "".join(
            f"<li class='{'ki-done' if self._is_done(one) else 'ki-open'}'>"
            f"<b>{'done' if self._is_done(one) else 'open'}</b> {escape(one.sentence)}"
            f"<details><summary>A hint</summary>{escape(one.hint)}</details></li>"
            for one in self.missions)
        return f"<ol class='ki-missions'>{items}</ol>" if items else ""


def _tells_of_logs(subject: str, attribute: str) -> bool:
    if attribute == "state":
        return subject.removeprefix("broker-").isdecimal()
    return attribute in LOGS and not CONTROL.match(subject)


def _tells_of_topics(_: str, attribute: str) -> bool:
    return attribute.startswith("partition_counts.")


def _statements(code: str) -> list[str]:
    """Code as statements: lines that are indented belong to the one before."""
    found: list[str] = []
    for line in code.splitlines():
        if line.startswith(" "):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def sandbox(make: Callable[[], Cluster], view: Any, *subjects: Any,
            missions: tuple[Mission, ...] = (), groups: tuple[Group, ...] = GROUPS,
            name: str = "sandbox", topic: str = "orders", partition: int = 0) -> Sandbox:
    """A panel over the cluster that `make()` gives, filmed with `view` of `subjects`.

    `name` keeps the missions of one notebook apart from another's. A mission's error is a defect
    of the mission: the panel shows it.
    """
    return Sandbox(make, view, subjects, missions, groups, name,
                   {"topic": topic, "partition": partition})
