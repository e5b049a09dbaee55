"""AutoOffsetResetStrategy: where to begin without a position: earliest, latest, none, by_duration.

`by_duration:PT1H` begins with the first record that is not older than an hour (KIP-1106). Where
there is none, the question is asked again after `request.timeout.ms`, as Kafka's client does.
"""

import re
from typing import NamedTuple

from kafka_internals.errors import ConfigException

# java.time.Duration.parse: days, then hours, minutes and seconds; each may have a sign
DURATION = re.compile(r"([-+]?)P(?:([-+]?\d+)D)?(?:T(?=[-+\d])(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?"
                      r"(?:([-+]?\d+)(?:\.(\d{0,9}))?S)?)?", re.IGNORECASE)
SPECIAL = {"earliest": -2, "latest": -1, "none": None}           # as ListOffsets has them


def _duration_ms(text: str) -> int | None:
    found = DURATION.fullmatch(text)
    if found is None or not any(found.groups()[1:5]):
        return None
    sign, *numbers, fraction = found.groups()
    days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    whole_ms = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
    fraction_ms = int((fraction or "").ljust(3, "0")[:3])
    whole_ms += -fraction_ms if (numbers[3] or "").startswith("-") else fraction_ms
    return -whole_ms if sign == "-" else whole_ms


class AutoOffsetResetStrategy(NamedTuple):
    """A place to begin by its name; `duration_ms` where it is a time ago."""

    name: str
    duration_ms: int | None = None

    @classmethod
    def from_string(cls, text: str) -> "AutoOffsetResetStrategy":
        """Read the config. ConfigException with what was given and what would work."""
        if text in SPECIAL:
            return cls(text)
        name, colon, duration = text.partition(":")
        if name != "by_duration":
            why = "use earliest, latest, none or by_duration:PnDTnHnMn.nS, like by_duration:PT1H"
        elif not colon or not duration:
            why = "<:duration> part is missing in by_duration auto offset reset strategy."
        elif (duration_ms := _duration_ms(duration)) is None:
            why = ("Unable to parse duration string in by_duration offset reset strategy; write "
                   "by_duration:PT1H for an hour")
        elif duration_ms < 0:
            why = "Negative duration is not supported in by_duration offset reset strategy."
        else:
            return cls(text, duration_ms)
        raise ConfigException(f"Invalid value {text} for configuration auto.offset.reset: {why}")

    def timestamp(self, now_ms: int) -> int | None:
        """What to ask a leader for; `now_ms` in epoch ms. None for `none`."""
        return SPECIAL[self.name] if self.duration_ms is None else now_ms - self.duration_ms


class OffsetReset:
    """Validator: the strategy can be read."""

    def ensure_valid(self, name: str, value: str) -> None:
        """ConfigException as in `from_string`."""
        AutoOffsetResetStrategy.from_string(value)

    def __str__(self) -> str:
        return "[latest, earliest, none, by_duration:PnDTnHnMn.nS]"
