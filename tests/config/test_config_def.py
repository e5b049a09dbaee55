"""ConfigDef: types, validators, unknown names, and what is not possible yet."""

import pytest

from kafka_internals.config.config_def import (
    BOOLEAN,
    CLASS,
    INT,
    LIST,
    LONG,
    STRING,
    CaseInsensitiveValidString,
    ConfigDef,
    ConfigKey,
    NonEmptyString,
    Range,
    ValidString,
)
from kafka_internals.errors import ConfigException

DEFINITION = ConfigDef("test", (
    ConfigKey("a.flag", BOOLEAN, True, None, "a flag"),
    ConfigKey("a.count", INT, 5, Range.between(0, 9), "a count"),
    ConfigKey("a.time.ms", LONG, 1_000, Range.at_least(-1), "a time"),
    ConfigKey("a.word", STRING, "one", ValidString("one", "two"), "a word"),
    ConfigKey("a.plan", STRING, "none", CaseInsensitiveValidString("WAIT", "NONE"), "a plan"),
    ConfigKey("a.name", STRING, None, NonEmptyString(), "a name"),
    ConfigKey("a.list", LIST, ("x",), ValidString("x", "y"), "a list"),
    ConfigKey("a.class", CLASS, None, None, "a class"),
    ConfigKey("a.dream", BOOLEAN, False, None, "a dream", later="dreams come", kafka_default=True),
    ConfigKey("a.limit.ms", LONG, 7, None, "a limit", later="limits come", so_far=(-1,)),
))

# fmt: off
GOOD = [
    ("a.flag", "False", False), ("a.flag", True, True),
    ("a.count", 9, 9), ("a.count", " 7 ", 7), ("a.count", "+0", 0),
    ("a.time.ms", 1 << 40, 1 << 40), ("a.time.ms", "-1", -1),
    ("a.word", "two ", "two"), ("a.plan", "Wait", "Wait"),
    ("a.name", None, None), ("a.name", 5, "5"),
    ("a.list", "x, y", ("x", "y")), ("a.list", ["y"], ("y",)), ("a.list", "", ()),
    ("a.class", "org.example.Mine", "org.example.Mine"),
    ("a.dream", False, False), ("a.limit.ms", -1, -1), ("a.limit.ms", 7, 7),
]
BAD = [
    ("a.flag", "maybe",    "Invalid value maybe for configuration a.flag: Expected value to be "
                           "either true or false"),
    ("a.flag", 1,          "Invalid value 1 for configuration a.flag: Expected value to be either"),
    ("a.count", -1,        "Invalid value -1 for configuration a.count: Value must be at least 0"),
    ("a.count", 10,        "Invalid value 10 for configuration a.count: Value must be no more "
                           "than 9"),
    ("a.count", "ten",     "Invalid value ten for configuration a.count: Not a number of type INT"),
    ("a.count", "1_0",     "Not a number of type INT"),
    ("a.count", 1 << 31,   "Not a number of type INT"),
    ("a.time.ms", 1 << 63, "Not a number of type LONG"),
    ("a.count", True,      "Expected value to be a 32-bit integer, but it was a bool"),
    ("a.time.ms", 1.5,     "Expected value to be a 64-bit integer, but it was a float"),
    ("a.count", None,      "Invalid value None for configuration a.count: Value must be non-null"),
    ("a.word", "three",    "Invalid value three for configuration a.word: String must be one of: "
                           "one, two"),
    ("a.plan", "hope",     "String must be one of (case insensitive): WAIT, NONE"),
    ("a.word", b"one",     "Expected value to be a string, but it was a bytes"),
    ("a.name", "",         "String must be non-empty"),
    ("a.list", "x,z",      "Invalid value z for configuration a.list: String must be one of: x, y"),
    ("a.list", "x,x",      "Configuration 'a.list' values must not be duplicated."),
    ("a.list", 5,          "Expected a comma separated list."),
    ("a.dream", True,      "Invalid value True for configuration a.dream: dreams come with a later "
                           "version of this course's engine; until then leave it at False"),
    ("a.limit.ms", 8,      "limits come with a later version of this course's engine; until then "
                           "leave it at 7"),
    ("a.cuont", 1,         "unknown test config 'a.cuont': did you mean 'a.count'?"),
    ("a_cuont", 1,         "unknown test config 'a_cuont': did you mean 'a.count'?"),
    ("something.else", 1,  "unknown test config 'something.else': there is a.flag, a.count, "),
]
# fmt: on


@pytest.mark.parametrize("name, given, value", GOOD)
def test_good_values(name, given, value):
    assert DEFINITION.parse({name: given})[name] == value
    assert DEFINITION.parse({name.replace(".", "_"): given})[name] == value


@pytest.mark.parametrize("name, given, says", BAD)
def test_bad_values_are_refused_in_kafkas_words(name, given, says):
    with pytest.raises(ConfigException) as refused:
        DEFINITION.parse({name: given})
    assert says in str(refused.value)


def test_a_name_is_given_once():
    with pytest.raises(ConfigException, match="test config 'a.count' is given twice"):
        DEFINITION.parse({"a.count": 1, "a_count": 2})


def test_what_was_not_given_has_its_default():
    config = DEFINITION.parse({"a_word": "two", "a.count": "3"})
    assert dict(config) == {key.name: key.default for key in DEFINITION.keys.values()} | {
        "a.word": "two", "a.count": 3}
    assert config.given == ("a.word", "a.count")
    assert repr(config) == "Config(a.word='two', a.count=3)"
    assert len(config) == 10 and config == DEFINITION.parse({"a.word": "two", "a.count": 3})


def test_a_config_is_frozen():
    config = DEFINITION.parse({})
    with pytest.raises(TypeError):
        config["a.count"] = 1
    with pytest.raises(KeyError):
        config["a.thing"]


def test_a_note_tells_where_kafka_differs():
    assert DEFINITION.keys["a.dream"].note == \
        "Kafka's default is True; dreams come with a later version of this course's engine"
    assert DEFINITION.keys["a.count"].note == ""
