"""Whether a scene can be read: no two texts overlap, and nothing leaves the stage.

Where a player is narrow its type grows by 12 % against the rest; everything is measured so.
"""

from itertools import combinations

from kafka_internals.viz import encode
from kafka_internals.viz.theme import width_of

GROWN = 1.12
SIZES = {"s12": 12, "s12h": 12.5, "s13": 13, "s14": 14, "s15": 15, "s17": 17}


def scenes(film: dict) -> list[dict]:
    """key -> shape of each frame."""
    return encode.materialise(film["frames"]["truth"])


def _box(shape: dict) -> tuple[float, float, float, float]:
    words = shape["c"].split()
    size = GROWN * next(SIZES[word] for word in words if word in SIZES)
    slack = 1.06 if {"w6", "w7"}.isdisjoint(words) else 1.12
    wide = width_of(shape["t"], size, bool({"w6", "w7"} & set(words))) / slack
    if "mono" in words:
        wide = 0.602 * size * len(shape["t"])
    left = shape["x"] - (wide if "right" in words else wide / 2 if "mid" in words else 0)
    return left, shape["y"] - 0.72 * size, left + wide, shape["y"] + 0.2 * size


def _placed(shapes: dict[str, dict]) -> dict[str, dict]:
    """What belongs to a group, where it stands on the stage."""
    return {key: shape | {axis: shape[axis] + shapes[shape["g"]][axis] for axis in ("x", "y")}
            if "g" in shape else shape for key, shape in shapes.items()}


def unreadable(film: dict) -> list[tuple[str, str]]:
    """Pairs of texts that overlap, and what lies outside ("outside", key)."""
    found, (width, height) = [], film["size"]
    for shapes in map(_placed, scenes(film)):
        boxes = {key: _box(shape) for key, shape in shapes.items() if shape["k"] == "text"}
        for one, other in combinations(boxes, 2):
            a, b = boxes[one], boxes[other]
            if shapes[one].get("st") == shapes[other].get("st") and \
                    a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
                found.append((one, other))
        boxes |= {key: (shape["x"], shape["y"], shape["x"] + shape["w"], shape["y"] + shape["h"])
                  for key, shape in shapes.items() if shape["k"] == "rect"}
        found += [("outside", key) for key, (left, top, right, bottom) in boxes.items()
                  if left < 0 or top < 0 or right > width or bottom > height]
    return found
