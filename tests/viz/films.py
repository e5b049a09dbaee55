"""Small films made by hand: three replicas that reconcile, two futures, one that is all malice.

They stand for what the camera makes, so that the player is tested without the engine.
"""

from kafka_internals.viz import encode
from kafka_internals.viz.scene import Scene, legend_of, together

ROWS = {1: 124, 2: 248, 3: 372}
BUS = 536
DOWN = ((BUS, ROWS[2] + 50), (BUS, ROWS[3] - 6))
UP = (DOWN[1], DOWN[0])
SUBJECT = "orders-0@{}"


def film(title, scenes, *, events, changes=(), chapters=(), telling=None, fork=None, **more):
    """A film of whole frames: `scenes` is [(t_us, event, scene, waits, extra)]."""
    frames = [{"t_us": t, "event": event, "say": scene.say, "shapes": scene.shapes,
               "waits": waits} | extra for t, event, scene, waits, extra in scenes]
    details = {}
    for _, _, scene, _, _ in scenes:
        details |= scene.details
    return {
        "v": encode.VERSION, "title": title, "question": scenes[0][2].question if scenes else "",
        "size": list(scenes[0][2].size) if scenes else [720, 452],
        "legend": legend_of(scene for _, _, scene, _, _ in scenes),
        "telling": frames[-1]["event"] if telling is None and frames else telling or 0,
        "chapters": [{"at_us": at, "title": word} for at, word in chapters],
        "frames": {"truth": encode.delta(frames)}, "flights": [], "events": list(events),
        "changes": list(changes), "details": details, "fork": fork, "cost": None} | more


# -- three replicas -----------------------------------------------------------------------------

def _row(scene, broker, batches, leo, hw, epochs, *, role="follower", note="", dead=False):
    y, key = ROWS[broker], f"b{broker}"
    end = (SUBJECT.format(broker), "log_end_offset")
    about = {"title": f"Replica on broker {broker}", "where": f"orders-0 · broker {broker}",
             "fields": [["log end offset", str(leo)], ["high watermark", str(hw)],
                        ["leader epoch cache", ", ".join(f"{e} from {s}" for e, s in epochs)]]}
    scene.node(key, 40, y + 20, broker, role, note=note or f"broker {broker}",
               ask=(f"broker-{broker}", "state"), inspect=about)
    log = scene.log(f"{key}/log", 176, y, end=6, dead=dead)
    for base, last, tone, state in batches:
        log.batch(base, last, tone, state, inspect=about)
    log.log_end(leo, ask=end)
    log.high_watermark(hw, ask=(SUBJECT.format(broker), "high_watermark"))
    for i, (epoch, start) in enumerate(epochs):
        log.epoch(epoch, start, epochs[i + 1][1] if i + 1 < len(epochs) else leo)
    scene.epoch_cache(f"{key}/cache", 626, y - 6, epochs, dead)


def _epoch1(hw, leo=5):
    state = {True: "committed", False: "uncommitted"}
    runs = [(0, 1), (2, 2)] + ([(3, 4)] if leo == 5 else [])
    return [(a, b, "epoch-1", state[hw > b]) for a, b in runs]


def _epoch2(hw):
    return [(3, 4, "epoch-2", "committed" if hw > 4 else "uncommitted")]


def _picture(say, rows, *, leader=2, epoch=2, isr=(2, 3), producer="", message=None):
    scene = Scene("leader epoch")
    scene.node("controller", 40, 40, "C", "leader", shape="controller", label="")
    for name, value, x, attribute in (("replicas", "1, 2, 3", 78, "replicas"),
                                      ("ISR", ", ".join(map(str, isr)), 154, "isr"),
                                      ("leader", leader, 232, "leader"),
                                      ("leader epoch", epoch, 294, "leader_epoch")):
        scene.field(f"registration/{attribute}", x, 34, name, value, ask=("orders-0", attribute))
    scene.client("producer", 532, 38, "P", "producer", producer or "acks=all", bool(producer))
    scene.rail("isr", 40, ROWS[min(isr)] + 20, ROWS[max(isr)] + 20, ask=("orders-0", "isr"))
    for broker, (batches, leo, hw, epochs) in rows.items():
        dead = broker == 1 and leader != 1
        _row(scene, broker, batches, leo, hw, epochs, dead=dead,
             role="dead" if dead else "leader" if broker == leader else "follower",
             note="" if broker in isr else "out of the ISR")
    if message:
        kind, text, ident, carried = message
        scene.message(f"message/{kind}/{ident}", kind, text, UP if kind == "request" else DOWN,
                      ident=ident, carried=carried,
                      inspect={"title": f"{kind} {ident}", "where": "broker 3 and broker 2",
                               "fields": [["says", text]]})
    scene.caption(say)
    return scene


ONE, TWO = [(1, 0)], [(1, 0), (2, 3)]
FIRST = {1: (_epoch1(3), 5, 3, ONE), 2: (_epoch1(2, 3), 3, 2, ONE), 3: (_epoch1(3), 5, 3, ONE)}
DOOMED = _epoch1(3)[:2] + [(3, 4, "epoch-1", "doomed")]
HW_RULE = "The high watermark is the least log end offset in the ISR, as the leader knows it."
EVENTS = [
    [377, 377_000, 376, "broker-1", "advance", "high watermark of orders-0 is 3"],
    [412, 422_000, None, "broker-1", "fault", "broker 1 crashes"],
    [415, 431_000, 412, "controller", "term", "leader 2, epoch 2, ISR 2, 3"],
    [420, 440_000, 418, "broker-2", "append", "broker 2 appends 3–4 (epoch 2)"],
    [424, 446_000, 415, "broker-3", "message", "#41 fetch 5, epoch 1"],
    [426, 448_000, 424, "broker-2", "message", "#41 diverging: epoch 1 ends at 3"],
    [428, 449_000, 426, "broker-3", "cut", "broker 3 truncates to 3"],
    [430, 451_000, 428, "broker-3", "message", "#42 fetch 3, epoch 1"],
    [432, 453_000, 430, "broker-2", "advance", "high watermark 2 to 3"],
    [433, 453_000, 430, "broker-2", "message", "#42 records 3–4, HW 2"],
    [435, 454_000, 433, "broker-3", "append", "broker 3 appends 3–4 (epoch 2)"],
    [437, 456_000, 435, "broker-3", "message", "#43 fetch 5, epoch 2"],
    [439, 9_458_000, 437, "broker-2", "advance", "high watermark 3 to 5"],
    [440, 9_458_000, 439, "broker-2", "message", "producer answered: 3, 4"],
]
CHANGES = [
    [377, "orders-0@1", "high_watermark", 2, 3, HW_RULE, [], ""],
    [412, "broker-1", "state", "running", "dead", "kill(1)", [], "command"],
    [415, "orders-0", "leader", 1, 2, "The first live member of the ISR leads.", [1], ""],
    [415, "orders-0", "leader_epoch", 1, 2, "Each election begins an epoch.", [2], ""],
    [415, "orders-0", "isr", [1, 2, 3], [2, 3], "A dead broker leaves the ISR.", [1], ""],
    [420, "orders-0@2", "log_end_offset", 3, 5, "A leader stamps its epoch and appends.", [3], ""],
    [424, "request-broker-3-fetcher-1.41", "asked", None, "fetch 5, epoch 1", "", [3], "asked"],
    [426, "request-broker-3-fetcher-1.41", "answer", None, "epoch 1 ends at 3",
     "KIP-595: the leader says where the two logs part.", [5, 6], "answer"],
    [428, "orders-0@3", "log_end_offset", 5, 3, "A follower cuts what its leader never had.",
     [7], ""],
    [430, "request-broker-3-fetcher-1.42", "asked", None, "fetch 3, epoch 1", "", [8], "asked"],
    [432, "orders-0@2", "high_watermark", 2, 3, HW_RULE, [5, 9], ""],
    [433, "request-broker-3-fetcher-1.42", "answer", None, "offsets 3–4, HW 2", "", [9],
     "answer"],
    [435, "orders-0@3", "log_end_offset", 3, 5, "A follower appends what it is sent.", [11], ""],
    [437, "request-broker-3-fetcher-1.43", "asked", None, "fetch 5, epoch 2", "", [12], "asked"],
    [439, "orders-0@2", "high_watermark", 3, 5, HW_RULE, [5, 13], ""],
]


def _replica_scenes():
    base = {1: FIRST[1], 2: (_epoch1(2, 3) + _epoch2(2), 5, 2, TWO), 3: FIRST[3]}
    cut = base | {3: (_epoch1(3, 3), 3, 3, ONE)}
    moved = cut | {2: (_epoch1(3, 3) + _epoch2(3), 5, 3, TWO)}
    level = moved | {3: (_epoch1(2, 3) + _epoch2(2), 5, 2, TWO)}
    wait = {"orders-0@2 high_watermark": "broker 3 to fetch at 5 (it has 3)"}
    return [
        (377_000, 377, _picture("Broker 1 leads. Offsets 3 and 4 have reached broker 3 but not "
                                "broker 2, so the high watermark waits at 3.", FIRST, leader=1,
                                epoch=1, isr=(1, 2, 3)), {}),
        (431_000, 415, _picture("Broker 1 dies; broker 2 leads epoch 2 and starts with the high "
                                "watermark that it knew: 2, not 3.", FIRST), {}),
        (440_000, 420, _picture("A producer sends two records. They become offsets 3 and 4 again, "
                                "this time of epoch 2.", base, producer="acks=all"), wait),
        (446_000, 424, _picture("Broker 3 asks for offset 5 and adds that its last batch is of "
                                "epoch 1.", base, message=("request", "fetch 5 · epoch 1", "#41",
                                                           ())), wait),
        (448_000, 426, _picture("On broker 2 epoch 1 ended at 3, before 5: it answers only where "
                                "the two logs part.", base | {3: (DOOMED, 5, 3, ONE)},
                                message=("response", "diverging: 1 ends at 3", "#41", ())), wait),
        (449_000, 428, _picture("Broker 3 cuts its log at 3. The two records that it drops were "
                                "never committed.", cut), wait),
        (451_000, 430, _picture("Broker 3 asks again, now for offset 3: it has everything below "
                                "3.", cut, message=("request", "fetch 3 · epoch 1", "#42", ())),
         wait),
        (453_000, 433, _picture("The fetch at 3 moves the leader’s high watermark to 3; the "
                                "answer carries both records and the mark as it was read before: "
                                "2.",
                                moved, message=("response", "HW 2", "#42",
                                                ("epoch-2", "epoch-2"))), wait),
        (454_000, 435, _picture("Broker 3 appends both and takes over the mark that it was sent: "
                                "2.", level), wait),
        (456_000, 437, _picture("Its next fetch is at 5.", level,
                                message=("request", "fetch 5 · epoch 2", "#43", ())), wait),
        (9_458_000, 440, _picture("High watermark 5: offsets 3 and 4 of epoch 2 are committed, and "
                                  "the producer has its answer.",
                                  level | {2: (_epoch1(5, 3) + _epoch2(5), 5, 5, TWO)},
                                  producer="acked: 3, 4"), {}),
    ]


def replicas():
    """Eleven steps of a failover; also what broker 3 believes of it."""
    scenes = [(*scene, {}) for scene in _replica_scenes()]
    made = film("orders-0 on three brokers", scenes, events=EVENTS, changes=CHANGES, telling=433,
                chapters=((431_000, "leader dies"), (446_000, "logs disagree"),
                          (453_000, "catching up")))
    believed = [{"t_us": t, "event": event, "say": f"As broker 3 believes: {scene.say}",
                 "shapes": {k: s for k, s in scene.shapes.items() if not k.startswith("b1")},
                 "waits": {}} for t, event, scene, _, _ in scenes[3:]]
    made["frames"]["broker-3"] = encode.delta(believed)
    return made


# -- two futures --------------------------------------------------------------------------------

def _future(acks, cells, says, *, dead=False, lost=False, fine=True):
    scene = Scene("leader epoch", size=(410, 350))
    scene.client("producer", 36, 46, "P", "producer", acks)
    scene.rect("knows", 212, 30, 184, 32, "box strong", r=8)
    scene.text("knows/text", 224, 50.5, says, "s13 w6")
    for broker, y in ((1, 122), (2, 192), (3, 262)):
        role = "dead" if dead and broker == 1 else "leader" if broker == 2 - (not dead) else ""
        scene.node(f"b{broker}", 36, y, broker, role or "follower")
        log = scene.log(f"b{broker}/log", 150, y - 16, end=5, cell=46, h=32)
        for offset in range(cells[broker]):
            log.batch(offset, offset, "epoch-1", "committed" if offset < 3 else "uncommitted")
        log.high_watermark(3)
    if lost:
        scene.ring("b1/log/batch/epoch-1/3")
    word = "Invariants hold" if fine else "AckedNeverLost is violated"
    scene.verdict("verdict", 12, 300, 386, word, "offset 3 was acknowledged" if not fine
                  else "nothing acknowledged is missing", bad=not fine)
    scene.caption(f"With {acks}: {says}.")
    return scene


def two_futures():
    """A fork: acks=all on the left, acks=1 on the right; the first difference, then the loss."""
    three, four = {1: 3, 2: 3, 3: 3}, {1: 4, 2: 3, 3: 3}
    start = together(_future("acks=all", three, "nothing sent"),
                     _future("acks=all", three, "nothing sent"))
    sent = together(_future("acks=all", four, "no answer yet"),
                    _future("acks=1", four, "offset 3"))
    end = together(_future("acks=all", four, "no answer yet", dead=True),
                   _future("acks=1", four, "offset 3", dead=True, lost=True, fine=False))
    rows = [["the producer believes", "nothing yet", "3 is safe"],
            ["offset 3", "on broker 1", "on broker 1"]]
    differs = {"differs": rows, "say_difference": "The futures differ in what the producer knows."}
    return film("One crash, two futures",
                [(410_000, 1, start, {}, {}), (420_000, 2, start, {}, {}),
                 (424_000, 3, sent, {}, differs | {"lane": "B"}),
                 (430_000, 4, end, {}, differs), (907_000, 5, end, {}, differs | {"lane": "B"})],
                events=[[1, 410_000, None, "broker-1", "message", "high watermark is 3"],
                        [2, 420_000, 1, "", "difference", "fork: acks=all becomes acks=1"],
                        [3, 424_000, 2, "broker-1", "message", "answered: offset 3", "B"],
                        [4, 430_000, 3, "broker-1", "fault", "broker 1 crashes"],
                        [5, 907_000, 4, "broker-1", "violation", "AckedNeverLost", "B"]],
                fork={"at_us": 420_000, "titles": ["acks=all", "acks=1"],
                      "difference_us": 424_000})


# -- malice -------------------------------------------------------------------------------------

MARKUP = "<script>window.__pwn=1</script><img src=x onerror='window.__pwn=2'>\"'><svg onload=1>"
CONTROL = "nul\x00bell\x07esc\x1b[31m\nline"
BIDI = "abc\u202edef\u2066ghi\u200f"
HOSTILE = (MARKUP, CONTROL, BIDI)


def hostile():
    """Record values that are markup, control characters and bidi overrides, in every place."""
    scenes = []
    for i, value in enumerate(HOSTILE):
        scene = Scene(value, words={"key-1": value})
        scene.rect("record", 40, 60, 640, 40, "batch key-1 committed", ask=(value, value),
                   inspect={"title": value, "where": value, "fields": [[value, value, "mono"]],
                            "hex": value, "say": value}, name=value)
        scene.text("record/value", 60, 140, value[:60])
        scene.caption(f"The value is {value}.")
        scenes.append((i * 1000, i, scene, {f"{value} {value}": value}, {}))
    return film(MARKUP, scenes, chapters=((0, MARKUP),),
                events=[[i, i * 1000, None, value, "append", value]
                        for i, value in enumerate(HOSTILE)],
                changes=[[i, value, value, value, value, value, [], ""]
                         for i, value in enumerate(HOSTILE)], cost=MARKUP)


def empty():
    """A film of a window in which nothing happened."""
    return film("Nothing yet", [], events=[])


ALL = (replicas, two_futures, hostile, empty)


# -- everything once ----------------------------------------------------------------------------

def gallery():
    """A scene in which every helper of `Scene` draws once, without a place or a story."""
    scene = Scene("kind of request", words={"kind-1": "produce"})
    for i, (shape, role) in enumerate((
            ("broker", "leader"), ("broker", "fenced"), ("broker", "dead"), ("broker", "observer"),
            ("controller", "candidate"), ("member", "toned"), ("client", "away"))):
        tone = "member-2" if role == "toned" else ""
        scene.node(f"node/{i}", 40 + 90 * i, 40, i, role, shape=shape, tone=tone, label="",
                   paused=role == "observer")
    scene.client("client", 660, 40, "C", "consumer", there=False)
    scene.rail("elr", 20, 300, 380, "ELR", promised=True)
    scene.field("leader", 20, 100, "leader", 2)
    scene.epoch_cache("cache", 620, 90, [(1, 0), (8, 3)])
    log = scene.log("log", 120, 180, first=0, end=9, cell=40, h=32)
    for base, state in enumerate(("committed", "uncommitted", "ghost", "stale", "doomed",
                                  "aborted")):
        log.batch(base, base, "txn-1", state)
    log.control(6, True)
    log.hole(7, 8)
    log.tombstone(0, "txn-1")
    log.high_watermark(3)
    log.last_stable_offset(2)
    log.log_end(9)
    log.log_start(0)
    log.epoch(7, 0, 3)
    log.transaction("one", 4, 5, "txn-1", "open")
    scene.log("wide", 120, 260, first=0, end=400, cell=1, h=24).batch(0, 120, "epoch-2")
    scene.message("ask", "request", "fetch 3", ((500, 300), (700, 300)), ident="#1")
    scene.message("lost", "lost", "ack", ((300, 300), (480, 300)), carried=("epoch-1",))
    scene.message("toned", "response", "HW 2", ((700, 330), (500, 330)), tone="fetch")
    scene.cut_link("cut", 600, 250)
    scene.lane("lane", 700, 60, 440, there=False)
    scene.arrow("arrow", 520, 700, 360, "join", answer=True, now=False)
    scene.arrow("arrow/now", 700, 520, 390, "heartbeat")
    scene.token("token", 60, 420, "#17", "produce")
    scene.queue("queue", 120, 320, 3, 2, 500, down=False, w=40)
    for i, state in enumerate(("idle", "busy", "stuck")):
        scene.thread(f"thread/{i}", 120 + 80 * i, 390, f"h{i}", state)
    scene.bay("bay", 370, 330, 140, 80)
    scene.parked("parked", 380, 350, 120, "high watermark ≥ 7", "30 s left", 0.5)
    scene.muted("muted", 480, 60)
    scene.pages("pages", 380, 420, ("clean", "dirty", "absent"))
    for i, state in enumerate(("owned", "leaving", "coming", "none")):
        scene.slot(f"slot/{i}", 530 + 42 * i, 420, state, "member-1" if i < 3 else "", "A")
    scene.records("records", 240, 70, 36, 45, 41, 43, "member-1", limit=47)
    scene.region("region", 10, 80, 90, 60, "Oslo", "region-1")
    scene.verdict("verdict", 20, 200, 90, "LogMatching", "holds", bad=True)
    scene.bracket("bracket", 130, 200, 300, "run", "group-2")
    scene.ring("wide/batch/epoch-2/0")
    scene.caption("Everything once.")
    return scene
