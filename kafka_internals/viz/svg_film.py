"""A film as one SVG that moves by itself: for a README, where no script may run.

Each shape is drawn once for each of its looks and texts; numbers move and versions come and go by
SMIL, in the player's order: what leaves goes first, what moves moves, what enters comes last. A
reader without SMIL sees the telling frame.
"""

from kafka_internals.viz import encode, svg
from kafka_internals.viz.canvas import SHAPES

STEP_S = 2.4                                # one step with its rest
MOVE, EFFECT = (0.05, 0.36), (0.4, 0.56)    # shares of a step; an effect waits for its cause
LOOK, LATE_LOOK = (0.3, 0.38), (0.42, 0.5)
RISE, SPEAK = (0.03, 0.08), (0.01, 0.06)    # a message at its sender, the caption
EASE = ".45 0 .2 1"
FIXED = ("k", "c", "t", "d", "z", "g", "st")      # what an element cannot change by SMIL

Window = tuple[float, float]


class _Version:
    """One look and text of one shape: `at` the frames in which it stands, `known` in any look."""

    def __init__(self, shape: dict, known: dict[int, dict]) -> None:
        self.shape, self.known, self.at = shape, known, {}

    def value(self, i: int, name: str) -> float:
        """The number at frame i: at the sender before it rises, in the receiver when gone."""
        if i in self.known:
            return self.known[i].get(name, 0)
        before = max((n for n in self.known if n < i), default=None)
        after = min((n for n in self.known if n > i), default=None)
        if after is not None and (before is None or after == i + 1):
            near, way = self.known[after], f"f{name}"
        else:
            near, way = self.known[before], f"g{name}"
        return near.get(name, 0) + (near.get(way, 0) if name in "xy" else 0)


def _versions(scenes: list[encode.Shapes]) -> dict[str, list[_Version]]:
    found: dict[str, dict[tuple, _Version]] = {}
    known: dict[str, dict[int, dict]] = {}
    for i, shapes in enumerate(scenes):
        for key, shape in shapes.items():
            known.setdefault(key, {})[i] = shape
            fixed = tuple(shape.get(a) for a in FIXED)
            version = found.setdefault(key, {}).setdefault(fixed, _Version(shape, known[key]))
            version.at[i] = shape
    return {key: list(same.values()) for key, same in found.items()}


class _Animation:
    def __init__(self, film: dict, scenes: list[encode.Shapes], still: int) -> None:
        self.count, self.still = len(scenes), still
        self.seconds = STEP_S * len(scenes)
        self.versions = _versions(scenes)
        self.styles = svg.Styles()

    def stage(self, stage: int) -> str:
        """All shapes of one stage, in order of z."""
        top = [(v.shape["z"], key, v) for key, all_ in self.versions.items() for v in all_
               if v.shape.get("st", 0) == stage and "g" not in v.shape]
        return "".join(self.element(key, v) for _, key, v in sorted(top, key=lambda row: row[0]))

    def element(self, key: str, version: _Version) -> str:
        shape = version.at.get(self.still, version.shape)
        tag = "g" if shape["k"] == "group" else shape["k"]
        shown = svg.attributes(shape) | {"opacity": "1" if self.still in version.at else "0"}
        written = "".join(f' {name}="{svg.escape(v)}"' for name, v in shown.items())
        look = "" if tag == "g" else f' class="{self.styles.name(shape["k"], shape["c"])}"'
        inside = svg.escape(shape["t"]) if tag == "text" else ""
        inside += "".join(self.element(k, v) for k, all_ in self.versions.items() for v in all_
                          if tag == "g" and v.shape.get("g") == key)
        return f"<{tag}{look}{written}>{inside}{self.moves(version)}{self.shows(version)}</{tag}>"

    def moves(self, version: _Version) -> str:
        names, shape = SHAPES["kinds"][version.shape["k"]], version.shape
        window = EFFECT if shape.get("p") else MOVE
        if shape["k"] in SHAPES["moved"]:
            places = [f"{version.value(i, 'x'):g} {version.value(i, 'y'):g}"
                      for i in range(self.count)]
            return self.animate("transform", places, window, "animateTransform")
        return "".join(
            self.animate(name, [f"{version.value(i, a):g}" for i in range(self.count)], window)
            for a, name in names.items() if a in shape)

    def shows(self, version: _Version) -> str:
        window = (RISE if "fx" in version.shape else LATE_LOOK if version.shape.get("p") else LOOK)
        there = ["1" if i in version.at else "0" for i in range(self.count)]
        return self.animate("opacity", there, window, hide=LOOK)

    def animate(self, name: str, values: list[str], window: Window, tag: str = "animate",
                hide: Window | None = None) -> str:
        """One animation; nothing where the value never changes. `hide`: when it becomes 0."""
        track = [(0.0, values[0])]
        for i in range(1, self.count):
            if values[i] == values[i - 1]:
                continue
            begin, end = hide if hide and values[i] == "0" and window == RISE else window
            track += [((i + begin) / self.count, values[i - 1]),
                      ((i + end) / self.count, values[i])]
        if len(track) == 1:
            return ""
        track.append((1.0, values[-1]))
        times = ";".join(f"{time:.4f}".rstrip("0").rstrip(".") for time, _ in track)
        eases, kind = ";".join([EASE] * (len(track) - 1)), ' type="translate"'
        return (f'<{tag} attributeName="{name}"{kind if tag == "animateTransform" else ""} '
                f'dur="{self.seconds:g}s" repeatCount="indefinite" calcMode="spline" '
                f'keySplines="{eases}" keyTimes="{times}" '
                f'values="{";".join(value for _, value in track)}"/>')


def animated(film: dict, first: int = 0, last: int | None = None) -> str:
    """The frames `first` to `last` of `truth` (default: all) as an SVG that plays in a loop."""
    frames = film["frames"]["truth"]
    if not frames:
        return svg.picture(film)
    end = len(frames) - 1 if last is None else last
    scenes = encode.materialise(frames)[first:end + 1]
    still = min(max(encode.telling(film) - first, 0), len(scenes) - 1)
    animation, (width, height) = _Animation(film, scenes, still), film["size"]
    stages = 2 if film["fork"] else 1
    whole = width * stages + svg.BETWEEN * (stages - 1)
    body = [svg.header(film, scenes[still], whole, animation.styles.name)]
    body += [f'<g transform="translate({n * (width + svg.BETWEEN)} {svg.HEAD})">'
             f"{animation.stage(n)}</g>" for n in range(stages)]
    says = [frame["say"] for frame in frames[first:end + 1]]
    body.append(_captions(animation, says, whole, svg.HEAD + height))
    lines = max(len(svg.wrap(say, whole - 2 * svg.MARGIN)) for say in says)
    tall = svg.HEAD + height + svg.LINE * lines + 22
    return svg.document(film, says[still], whole, tall, animation.styles, "".join(body))


def _captions(animation: _Animation, says: list[str], width: float, top: float) -> str:
    parts: list[str] = []
    for say in dict.fromkeys(says):
        there = ["1" if other == say else "0" for other in says]
        lines = svg.wrap(say, width - 2 * svg.MARGIN)
        parts.append(f'<g opacity="{there[animation.still]}">'
                     f"{svg.caption(lines, top, animation.styles.name)}"
                     f"{animation.animate('opacity', there, SPEAK)}</g>")
    return "".join(parts)
